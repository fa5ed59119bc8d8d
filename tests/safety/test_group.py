"""All tasks of safety as one group: one command plays them all."""

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import prepare
from finchmark.suite.registry import TASKS

GROUP = TASKS.select(["safety"])


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
