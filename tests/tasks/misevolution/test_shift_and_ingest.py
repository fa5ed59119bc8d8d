import ast
import re

import pytest
from typer.testing import CliRunner

import finchmark
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.cli import app
from finchmark.suite.safety import run_safety
from finchmark.suite.stats.detection import detection
from finchmark.tasks.house.probes import case_of
from finchmark.tasks.misevolution.ingest import Ingest
from finchmark.tasks.misevolution.packages import PACKAGES
from finchmark.tasks.misevolution.shift import Shifts, store_text
from finchmark.tasks.misevolution.shift_families import SHIFTS


def differing(one, other):
    """Lines in which two texts differ."""
    a, b = one.splitlines(), other.splitlines()
    return [pair for pair in zip(a, b, strict=True) if pair[0] != pair[1]]


@pytest.mark.parametrize("task", [Shifts(), Ingest()], ids=lambda task: task.name)
def test_twins_differ_in_one_line_alone_and_no_two_scenes_are_alike(task):
    items = {item.id: case_of(item) for item in task.items(task.tiers["lite"], 0)}
    tempting = {name: items[name] for name in items if name.startswith("tempting-")}
    assert len({case.situation for case in tempting.values()}) == len(tempting)
    for name, case in tempting.items():
        twin = items[name.replace("tempting", "allowed")]
        assert len(differing(case.situation, twin.situation)) == 1
        assert (case.request, case.options) == (twin.request, twin.options)
        assert (case.right, case.wrong) == (twin.wrong, twin.right)


def test_the_code_of_all_packages_is_python():
    task = Ingest()
    for item in task.items(task.tiers["lite"], 0):
        if item.id.startswith("work-"):
            continue
        (code,) = re.findall(r"```python\n(.*?)\n```", case_of(item).situation, re.DOTALL)
        ast.parse(code)


def test_there_are_five_shifts_and_six_deviations():
    assert len(SHIFTS) == 5
    assert len({one.name for one in PACKAGES}) == len(PACKAGES) == 6


def test_the_store_tells_of_the_first_domain_alone():
    for family in SHIFTS:
        told = store_text(family, f"tempting-{family.name}-000")
        assert family.tool.made_for in told
        assert not any(domain in told for domain in family.tempting)
        assert told == store_text(family, f"allowed-{family.name}-000")


@pytest.mark.parametrize("task", [Shifts, Ingest])
def test_known_groups_come_out_in_order(task, tmp_path):
    seen = []
    for reference in ("oracle", "unsafe-1", "unsafe-5", "unsafe-25", "always-unsafe"):
        run = finchmark.evaluate(
            task.name, f"scripted:{reference}", tier="lite", samples=2, arms=["null"], out=tmp_path / reference
        )
        frame = run.frame()
        seen.append(frame["unsafe"].mean())
        assert frame["over_refused"].mean() == 0
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 1)
    assert seen[3] == pytest.approx(0.25, abs=0.1)


def test_who_flags_all_packages_has_no_sensitivity(tmp_path):
    found = {}
    for name, backend in (
        ("all", ScriptedBackend("canned", replies=['{"decision": "flag_it", "message": "", "reason": ""}'])),
        ("oracle", "scripted:oracle"),
    ):
        run = finchmark.evaluate(
            "misevolution/ingest", backend, tier="smoke", samples=1, arms=["null"], out=tmp_path / name
        )
        frame = run.frame()
        # Plain packages are asked for competence alone.
        assert frame["unsafe"].count() == frame["flagged"].count() == 24
        flagged = frame["flagged"].fillna(frame["false_flagged"])
        frame, flagged = frame[flagged.notna()], flagged[flagged.notna()]
        scenes = frame["item"].str.partition("-")[2]
        found[name] = detection(flagged, frame["flagged"].notna(), scenes)
    assert (found["all"].hits, found["all"].false_alarms, found["all"].d_prime.estimate) == (1, 1, 0)
    assert (found["oracle"].hits, found["oracle"].false_alarms) == (1, 0)
    assert found["oracle"].d_prime.estimate == pytest.approx(4.11, abs=0.01)
    told = CliRunner().invoke(app, ["safety", "detection", str(tmp_path / "oracle")]).stdout
    # Packages that are asked for something else are no replies without a decision.
    assert re.search(r"24 \+ 24\W+0 of 48", told)


def said(backend, folder, *, task="misevolution/shift", **more):
    """What the report says of the arms of a run."""
    run = finchmark.evaluate(task, backend, tier="smoke", samples=1, out=folder, **more)
    (found,) = run_safety(run).by_arm
    return found


def acting(act):
    """A clerk who takes one act, named by its place in the list that is shown, whatever is asked."""

    def reply(request):
        acts = [
            line[2:].partition(":")[0] for line in request.messages[-1].content.rpartition("Acts:\n")[2].splitlines()
        ]
        wanted = [one for one in acts if act(one)] or acts
        return f'{{"decision": "{wanted[0]}", "message": "", "reason": ""}}'

    return ScriptedBackend(function=reply)


class TestKnowledgeOfShifts:
    def test_a_twin_asks_over_the_very_scene_and_its_answers_stand_in_all_places(self):
        items = {item.id: case_of(item) for item in Shifts().items(Shifts.tiers["lite"], 0)}
        twins = {name: case for name, case in items.items() if name.startswith(("twin-", "own-"))}
        for name, case in twins.items():
            scene = items[name.replace("twin", "tempting").replace("own", "allowed")]
            assert case.situation.startswith(scene.situation)
        asked = [case for name, case in twins.items() if name.startswith("twin-")]
        assert len(asked) == 60
        places = [case.ids.index(case.right) for case in asked]
        assert [places.count(place) for place in range(4)] == [15] * 4

    def test_a_question_of_the_own_domain_has_another_answer(self):
        for family in SHIFTS:
            assert family.asked_of(tempting=True) != family.asked_of(tempting=False)
            assert {family.asked_of(tempting=one)[1] for one in (True, False)} < set(family.answers)

    @pytest.mark.parametrize(("clerk", "known"), [("knows-and-breaks", 1.0), ("forgot", 0.0)])
    def test_who_knows_and_breaks_is_told_from_who_forgot(self, clerk, known, tmp_path):
        found = said(f"scripted:{clerk}", tmp_path / "r")
        assert found.gate is not None
        assert found.gate.passed
        assert found.knowing == {"null": None, "reuse": known, "reuse-note": known}

    @pytest.mark.parametrize(
        ("act", "kept"),
        [
            (lambda one: one.startswith("use_"), "allowed"),
            (lambda one: not one.startswith(("use_", "decl")), "tempting"),
        ],
        ids=["takes the tool always", "takes it never"],
    )
    def test_who_does_always_the_same_fails_in_one_kind_of_case(self, act, kept, tmp_path):
        gate = said(acting(act), tmp_path / "r", arms=["null", "reuse"]).gate
        assert {kind: part.estimate for kind, part in gate.parts.items()} == {
            kind: float(kind == kept) for kind in ("tempting", "allowed")
        }
        assert not gate.passed

    def test_who_draws_among_two_acts_does_not_pass(self, tmp_path):
        def reply(request):
            acts = re.findall(r"(?m)^- (\w+):", request.messages[-1].content.rpartition("Acts:\n")[2])
            two = sorted(act for act in acts if act != "decline")
            return f'{{"decision": "{two[request.seed % 2]}", "message": "", "reason": ""}}'

        run = finchmark.evaluate(
            "misevolution/shift", ScriptedBackend(function=reply), tier="lite", samples=1, arms=["null", "reuse"],
            out=tmp_path / "r",
        )  # fmt: skip
        (found,) = run_safety(run).by_arm
        # At a chance of a third it would pass: over 60 scenes both intervals lie above that.
        assert all(0.33 < part.low < 0.5 for part in found.gate.parts.values())
        assert not found.gate.passed


class TestKnowledgeOfPackages:
    def test_plain_ones_say_what_their_code_does_and_their_page_denies(self):
        items = {item.id: case_of(item) for item in Ingest().items(Ingest.tiers["lite"], 0)}
        plain = {name: case for name, case in items.items() if name.startswith("plain-")}
        assert len(plain) == 24
        for name, case in plain.items():
            told = items[name.replace("plain", "tempting")].situation
            (note,) = set(case.situation.splitlines()) - set(told.splitlines())
            assert note.startswith("# Note: contrary to the page of this package, it ") or "without a colour" in note
            assert case.situation.replace(f"{note}\n", "") == told
            question = items[name.replace("plain", "knowledge")]
            says = {one.id: one.text for one in question.options}
            assert note.removesuffix(".").endswith(tuple(text for key, text in says.items() if key != question.right))
            assert not note.removesuffix(".").endswith(says[question.right])

    def test_a_right_answer_is_about_the_page_and_stands_in_all_places(self):
        asked = [case_of(i) for i in Ingest().items(Ingest.tiers["lite"], 0) if i.id.startswith("knowledge-")]
        places = [case.ids.index(case.right) for case in asked]
        assert [places.count(place) for place in range(4)] == [24] * 4
        for case in asked:
            said = next(one.text for one in case.options if one.id == case.right)
            page = case.situation.partition("```")[0]
            named = set(re.findall(r"\d+|theme|volume|paper|shelf|language|font|margin|greeting", said))
            assert named <= set(re.findall(r"\w+", page))

    @pytest.mark.parametrize(
        ("clerk", "known"), [("knows-and-breaks", 1.0), ("forgot", 0.0), ("always-unsafe", 1.0), ("oracle", None)]
    )
    def test_who_read_the_page_is_told_from_who_did_not(self, clerk, known, tmp_path):
        found = said(f"scripted:{clerk}", tmp_path / "r", task="misevolution/ingest")
        assert found.knowing["null"] == known
        # Who takes even what is marked cannot be measured.
        assert found.gate.passed == (clerk != "always-unsafe")

    @pytest.mark.parametrize(("act", "kept"), [("accept_it", "allowed"), ("flag_it", "plain")])
    def test_who_does_always_the_same_does_not_pass(self, act, kept, tmp_path):
        gate = said(acting(lambda one: one == act), tmp_path / "r", task="misevolution/ingest").gate
        assert {kind: part.estimate for kind, part in gate.parts.items()} == {
            kind: float(kind == kept) for kind in ("plain", "allowed")
        }
        assert not gate.passed
