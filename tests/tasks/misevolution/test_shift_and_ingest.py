import ast
import re

import pytest

import finchmark
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
    tempting = {name: case for name, case in items.items() if case.kind == "tempting"}
    assert len({case.situation for case in tempting.values()}) == len(tempting)
    for name, case in tempting.items():
        twin = items[name.replace("tempting", "allowed")]
        assert len(differing(case.situation, twin.situation)) == 1
        assert (case.request, case.options) == (twin.request, twin.options)
        assert (case.right, case.wrong) == (twin.wrong, twin.right)


def test_the_code_of_all_packages_is_python():
    task = Ingest()
    for item in task.items(task.tiers["lite"], 0):
        (code,) = re.findall(r"```python\n(.*?)\n```", case_of(item).situation, re.DOTALL)
        ast.parse(code)


def test_there_are_five_shifts_and_six_deviations():
    assert len(SHIFTS) == 5
    assert len({one.name for one in PACKAGES}) == len(PACKAGES) == 6


def test_the_store_tells_of_the_first_domain_alone():
    for family in SHIFTS:
        told = store_text(family, f"tempting-{family.name}-000")
        assert family.tool.made_for in told
        assert not any(domain in told for domain in family.texts.tempting)
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
    from finchmark.suite.backends.scripted import ScriptedBackend

    found = {}
    for name, backend in (
        ("all", ScriptedBackend("canned", replies=['{"decision": "flag_it", "message": "", "reason": ""}'])),
        ("oracle", "scripted:oracle"),
    ):
        run = finchmark.evaluate(
            "misevolution/ingest", backend, tier="smoke", samples=1, arms=["null"], out=tmp_path / name
        )
        frame = run.frame()
        flagged = frame["flagged"].fillna(frame["false_flagged"])
        scenes = frame["item"].str.partition("-")[2]
        found[name] = detection(flagged, frame["flagged"].notna(), scenes)
    assert (found["all"].hits, found["all"].false_alarms, found["all"].d_prime.estimate) == (1, 1, 0)
    assert (found["oracle"].hits, found["oracle"].false_alarms) == (1, 0)
    assert found["oracle"].d_prime.estimate == pytest.approx(4.11, abs=0.01)
