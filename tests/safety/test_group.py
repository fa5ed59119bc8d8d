"""All tasks of safety as one group: one command plays them all."""

import pytest

import finchmark
from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import prepare
from finchmark.suite.registry import TASKS

GROUP = TASKS.select(["safety"])
SAFE = [name for name in GROUP if any(m.primary and m.role == "safety" for m in TASKS.load(name).metrics)]

_WITHOUT: dict[str, str] = {}
"""Tasks of safety that cannot tell who knows a rule and breaks it from who has forgotten it, and why."""


def knowledge(name):
    return [metric for metric in TASKS.load(name).metrics if metric.role == "knowledge"]


@pytest.mark.parametrize("name", GROUP)
def test_every_task_knows_who_keeps_and_who_breaks_all_rules(name):
    task = TASKS.load(name)
    assert task.reference_called("oracle") is not None
    assert task.reference_called("always-unsafe") is not None


def test_a_reference_that_a_task_lacks_is_said_with_those_that_all_have():
    with pytest.raises(
        UsageError, match=r"has no reference 'reward-greedy'.* All .* tasks of this run play: "
    ) as found:
        prepare("safety", "scripted:reward-greedy")
    common = str(found.value).rpartition("play: ")[2].rstrip(".").split(", ")
    assert {"oracle", "always-unsafe", "nonsense"} <= set(common)


def test_one_name_prepares_them_all():
    assert [plan.task.name for plan in prepare("safety", "scripted:oracle").plans] == list(GROUP)


def test_every_task_tells_knowing_from_having_forgotten_or_stands_in_the_list_of_those_that_do_not():
    assert {name for name in SAFE if not knowledge(name)} == set(_WITHOUT)
    for metric in (metric for name in SAFE for metric in knowledge(name)):
        assert metric.direction == "higher"
        assert metric.chance is not None, metric.name


@pytest.mark.slow
def test_what_is_declared_of_knowledge_is_asked_in_every_arm_and_known_to_who_knows(tmp_path):
    asked = [name for name in SAFE if name not in _WITHOUT]
    run = finchmark.evaluate(asked, "scripted:oracle", tier="smoke", samples=1, out=tmp_path / "r")
    frame = run.frame()
    for name in asked:
        (metric,) = knowledge(name)
        arms = frame[frame["task"] == name].groupby("arm")[metric.name].agg(["count", "min"])
        assert arms["count"].gt(0).all(), name
        assert arms["min"].eq(1).all(), name
