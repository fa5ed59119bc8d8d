"""Checkpoints as rounds, with clerks of known conduct in the place of models."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import finchmark
from finchmark.reports.checkpoints import checkpoint_text, report_checkpoints
from finchmark.suite.checkpoints import (
    PROBES,
    arm_contrasts,
    arm_rounds,
    checkpoint_rounds,
    find_arms,
    find_checkpoints,
    measure,
    trainings_needed,
)
from finchmark.suite.cli_safety import safety
from finchmark.suite.errors import UsageError
from finchmark.suite.safety import task_safety

ALL = ["pleased-likelihood", "lot-likelihood", "pleased-preference", "lot-preference"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")

    def play(name, reference, seed=0):
        return finchmark.evaluate(
            PROBES, f"scripted:{reference}", samples=1, temperature=0, seed=seed, out=folder / name
        )

    return {name: play(name, name) for name in ("oracle", "unsafe-25", "always-unsafe")} | {
        "other": play("other", "oracle", seed=1)
    }


def series(runs, count, *names):
    return {f"seed-{k}": [runs[name] for name in names] for k in range(count)}


def test_a_training_that_drops_the_rules_is_seen_against_the_base(runs):
    found = checkpoint_rounds(runs["oracle"], [10, 20], series(runs, 8, "unsafe-25", "always-unsafe"))
    assert found.values["trained", "safety"].shape == (8, 3)
    assert found.values["trained", "safety"][0].tolist() == pytest.approx([0, 0.25, 1], abs=0.2)
    assert (found.values["null", "safety"] == 0).all()
    assert (found.values["trained", "capability"] == 1).all()
    assert found.points.tolist() == [0, 10, 20]
    (arm,) = task_safety(found).arms
    assert arm.since.estimate == pytest.approx(1)


def test_replies_that_lose_their_decision_in_training_bound_the_change(runs, tmp_path):
    mute = finchmark.evaluate(PROBES, "scripted:nonsense", samples=1, temperature=0, seed=0, out=tmp_path / "mute")
    trained = series(runs, 7, "oracle") | {"mute": [mute]}
    (arm,) = task_safety(checkpoint_rounds(runs["oracle"], [1], trained)).arms
    assert arm.units == (7, 8)
    assert arm.against.estimate == 0
    assert (arm.leeway.least, arm.leeway.most) == (0, pytest.approx(1 / 8))


def test_a_null_arm_of_trainings_takes_off_what_any_training_does(runs):
    both = series(runs, 3, "unsafe-25", "always-unsafe")
    found = checkpoint_rounds(runs["oracle"], [1, 2], both, both)
    assert np.array_equal(found.values["null", "safety"], found.values["trained", "safety"])
    (arm,) = task_safety(found).arms
    assert arm.against.estimate == 0


def test_arms_are_held_against_the_base_and_each_other(runs):
    made = {"pleased-likelihood": "always-unsafe", "lot-likelihood": "unsafe-25", "pleased-preference": "unsafe-25"}
    found = arm_rounds(runs["oracle"], [1], {arm: series(runs, 9, name) for arm, name in made.items()})
    assert found.arms == ("null", *made)
    assert {arm.arm: arm.against.estimate for arm in task_safety(found).arms}["pleased-likelihood"] == 1
    assert [(one.arm, one.against) for one in arm_contrasts(found.arms)] == [
        ("pleased-likelihood", "lot-likelihood"),
        ("pleased-preference", "pleased-likelihood"),
    ]
    text = " ".join("\n".join(checkpoint_text(found, "greedy")).split())
    told = re.search(r"objective, on pleased \(pleased-preference − pleased-likelihood\): unsafe (-\d\.\d+)", text)
    assert told is not None
    # A quarter of the replies of the one break a rule, and all of the other.
    assert float(told[1]) == pytest.approx(-0.75, abs=0.2)
    with pytest.raises(UsageError, match="the same names"):
        arm_rounds(runs["oracle"], [1], {"a": series(runs, 1, "oracle"), "b": series(runs, 2, "oracle")})


@pytest.mark.parametrize(("arms", "needed"), [(["trained"], 6), (ALL[:2], 7), (ALL, 9)])
def test_how_many_trainings_can_show_anything(arms, needed):
    assert trainings_needed(arms) == needed


def test_one_training_describes_its_states_and_no_more(runs, tmp_path):
    found = checkpoint_rounds(runs["oracle"], [1], series(runs, 1, "always-unsafe"))
    text = "\n".join(checkpoint_text(found, "sampled T=0.7"))
    assert "no claim" in text
    assert "its own error is in no interval" in text.replace("\n", " ")
    assert "capability" in text
    page = report_checkpoints([("greedy", found), ("sampled T=0.7", found)], tmp_path / "page.html")
    html = page.read_text()
    assert "house/probes by checkpoint, greedy" in html
    assert "sampled T=0.7" in html


def test_runs_that_were_asked_otherwise_are_refused(runs):
    with pytest.raises(UsageError, match="seed"):
        checkpoint_rounds(runs["oracle"], [1], {"a": [runs["other"]]})
    with pytest.raises(UsageError, match="each of the checkpoints"):
        checkpoint_rounds(runs["oracle"], [1, 2], {"a": [runs["oracle"]]})
    with pytest.raises(UsageError, match="in pairs"):
        checkpoint_rounds(runs["oracle"], [1], {"a": [runs["oracle"]]}, {})


class TestFolders:
    def adapter(self, folder, name):
        (folder / name).mkdir()
        (folder / name / "adapter_config.json").write_text("{}")

    def test_checkpoints_are_found_in_order_and_the_base_is_none(self, tmp_path):
        for name in ("round-000", "checkpoint-20", "checkpoint-3", "notes"):
            self.adapter(tmp_path, name)
        (tmp_path / "checkpoint-40").mkdir()
        assert [(one.at, one.adapter) for one in find_checkpoints(tmp_path)] == [(3, True), (20, True)]

    def test_folders_without_any_or_with_two_kinds_are_refused(self, tmp_path):
        with pytest.raises(UsageError, match="holds no checkpoints"):
            find_checkpoints(tmp_path)
        self.adapter(tmp_path, "a-1")
        self.adapter(tmp_path, "b-1")
        with pytest.raises(UsageError, match="both number 1"):
            find_checkpoints(tmp_path)
        (tmp_path / "b-1" / "adapter_config.json").rename(tmp_path / "b-1" / "config.json")
        (tmp_path / "b-1").rename(tmp_path / "b-2")
        with pytest.raises(UsageError, match="mixes"):
            find_checkpoints(tmp_path)

    def test_arms_are_found_with_their_seeds_in_order(self, tmp_path):
        for arm in ("pleased-likelihood", "lot-likelihood"):
            for seed in (0, 2, 10):
                (tmp_path / arm / f"seed-{seed}").mkdir(parents=True)
        found = find_arms(tmp_path)
        assert list(found) == ["lot-likelihood", "pleased-likelihood"]
        assert all(list(seeds) == ["seed-0", "seed-2", "seed-10"] for seeds in found.values())
        (tmp_path / "lot-likelihood" / "seed-10").rmdir()
        with pytest.raises(UsageError, match="do not have the same seeds"):
            find_arms(tmp_path)
        assert find_arms(tmp_path / "lot-likelihood") == {}

    def test_the_base_has_no_adapter(self, tmp_path):
        with pytest.raises(UsageError, match="without an adapter"):
            measure("hf:x", {"mine": tmp_path}, tmp_path / "out", arguments={"adapter": "y"})


def test_sensitivity_of_a_run_is_shown_by_arm(tmp_path):
    run = finchmark.evaluate(
        "misevolution/ingest", "scripted:random", tier="smoke", samples=1, temperature=0, out=tmp_path / "r"
    )
    done = CliRunner().invoke(safety, ["detection", str(run.path)])
    assert done.exit_code == 0, done.output
    assert "24 + 24" in done.output
    # Two arms, and how much further the one is than the other.
    assert done.output.count("[") == 3


def test_where_no_scene_differs_there_are_bounds_all_the_same(tmp_path):
    run = finchmark.evaluate("misevolution/ingest", "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "r")
    done = CliRunner().invoke(safety, ["detection", str(run.path)])
    assert done.output.count("[") == 3
    assert "sparse" in done.output
    assert "nan" not in done.output
