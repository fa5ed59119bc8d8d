import json

import pytest

from finchmark.environments.worlds.audit.certificate import HOME, check_certificate, read_certificate, write_certificate
from finchmark.environments.worlds.audit.run import Report
from finchmark.environments.worlds.catalogue import WORLDS
from finchmark.environments.worlds.command import audit_worlds, check_worlds, list_worlds, select_worlds, show_world
from finchmark.environments.worlds.lookup import find_world
from finchmark.environments.worlds.scale import has_scale
from finchmark.suite.errors import StoreError, UnknownName, UsageError

AUDITED = [line.name for line in WORLDS if has_scale(line.name)]


class TestCertificates:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", AUDITED)
    def test_shipped_ones_hold(self, name):
        assert check_certificate(find_world(name)) == []

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d: d["fingerprint"].update(source="0"), "source has changed"),
            (lambda d: d["fingerprint"].update(behaviour="0"), "behaviour has changed"),
            (lambda d: d.update(horizon=7), "horizon"),
            (lambda d: d["levels"][0].update(hash="0" * 16), "not the certified ones"),
            (lambda d: d["levels"][0].update(plan_return=9.0), "best play earns"),
            (lambda d: d["scale"].update(random=0.5), "its scale"),
        ],
    )
    def test_a_changed_one_does_not(self, tmp_path, change, message):
        data = read_certificate("wind-reach")
        change(data)
        (tmp_path / "wind-reach.json").write_text(json.dumps(data))
        wrong = check_certificate(find_world("wind-reach"), tmp_path)
        assert any(message in text for text in wrong), wrong

    def test_a_missing_one_says_how_to_make_it(self, tmp_path):
        with pytest.raises(StoreError, match="audit wind-reach --write"):
            read_certificate("wind-reach", tmp_path)

    def test_a_damaged_one_says_so(self, tmp_path):
        (tmp_path / "wind-reach.json").write_text("{")
        with pytest.raises(StoreError, match="damaged"):
            read_certificate("wind-reach", tmp_path)

    def test_none_is_written_for_a_world_that_has_not_passed(self, tmp_path):
        with pytest.raises(UsageError, match="gets no certificate"):
            write_certificate(find_world("wind-reach"), Report("wind-reach", (), (), None), tmp_path)

    def test_every_audited_world_has_one(self):
        assert {path.stem for path in HOME.glob("*.json")} >= set(AUDITED)


class TestCommands:
    def test_selectors_find_names_patterns_and_cores(self):
        assert [line.name for line in select_worlds(["wind-r*"])] == ["wind-reach"]
        assert {line.core for line in select_worlds(["colony"])} == {"colony"}
        with pytest.raises(UnknownName):
            select_worlds(["nothing-*"])

    def test_the_list_shows_factors_and_scale(self):
        head, row = list_worlds(["wind-reach"])
        assert head.split()[:2] == ["world", "core"]
        assert row.split()[:6] == ["wind-reach", "wind", "full", "binary", "aligned", "30"]
        assert row.split()[-1] == "optimum"

    def test_show_tells_what_an_agent_is_told(self):
        text = "\n".join(show_world("wind-unseen"))
        assert find_world("wind-unseen").instructions() in text
        assert "reference  1 (informed, exact)" in text

    def test_single_checks_run_and_write_nothing(self):
        said: list[str] = []
        assert audit_worlds(["wind-reach"], checks=("fuzz", "skin"), say=said.append)
        assert [line.split()[1:3] for line in said] == [["ok", "fuzz"], ["ok", "skin"]]

    def test_an_unknown_check_is_named(self):
        with pytest.raises(UnknownName, match="fuzz"):
            audit_worlds(["wind-reach"], checks=("fuz",))

    def test_checking_says_what_holds(self):
        said: list[str] = []
        assert check_worlds(["wind-reach"], say=said.append)
        assert said == ["wind-reach: its certificate holds"]
