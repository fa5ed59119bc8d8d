"""The same program under the same tests is judged once; what came of a limit or a fault is not kept."""

import asyncio

import pytest

from finchmark.suite.sandbox import Limits, SandboxFailure, Verdict
from finchmark.suite.sandbox.verdicts import Verdicts


class Counting:
    """A sandbox that says what it is told to, slowly, and counts."""

    def __init__(self, *said):
        self.limits = Limits()
        self.said, self.asked = list(said), []

    async def judge(self, candidate, tests, *, limits=None, control=True):
        self.asked.append((candidate, tests, limits, control))
        await asyncio.sleep(0.01)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, Exception):
            raise said
        return said


PASSED = Verdict("passed")
LIMIT = Verdict("failed", "limit", limits=("wall_s",))


def test_equal_questions_are_asked_once_at_the_same_time_and_later():
    box = Counting(PASSED)
    verdicts = Verdicts(box)

    async def go():
        first = await asyncio.gather(*(verdicts.judge("a", "t") for _ in range(5)))
        return [*first, await verdicts.judge("a", "t")]

    assert asyncio.run(go()) == [PASSED] * 6
    assert len(box.asked) == 1
    assert (verdicts.asked, verdicts.spared) == (6, 5)


@pytest.mark.parametrize(
    "other",
    [
        {"candidate": "b"},
        {"tests": "u"},
        {"limits": Limits(cpu_s=1)},
        {"control": False},
        {"candidate": "at", "tests": ""},
    ],
)
def test_other_questions_are_asked(other):
    box = Counting(PASSED)
    verdicts = Verdicts(box)

    async def go():
        await verdicts.judge("a", "t")
        await verdicts.judge(**{"candidate": "a", "tests": "t", **other})

    asyncio.run(go())
    assert len(box.asked) == 2


@pytest.mark.parametrize("lost", [LIMIT, Verdict("passed", stdout="x" * 2**15)])
def test_what_does_not_last_is_judged_again(lost):
    box = Counting(lost, PASSED)
    verdicts = Verdicts(box)

    async def go():
        return [await verdicts.judge("a", "t") for _ in range(3)]

    assert asyncio.run(go()) == [lost, PASSED, PASSED]
    assert len(box.asked) == 2


def test_who_waits_for_a_failure_asks_himself():
    box = Counting(SandboxFailure("gone"), PASSED)
    verdicts = Verdicts(box)

    async def go():
        return await asyncio.gather(*(verdicts.judge("a", "t") for _ in range(3)), return_exceptions=True)

    first, *others = asyncio.run(go())
    assert isinstance(first, SandboxFailure)
    assert others == [PASSED, PASSED]
    assert len(box.asked) == 2


def test_who_waits_for_one_that_is_cancelled_asks_himself():
    box = Counting(PASSED)
    verdicts = Verdicts(box)

    async def go():
        first = asyncio.create_task(verdicts.judge("a", "t"))
        second = asyncio.create_task(verdicts.judge("a", "t"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(go()) == PASSED
    assert len(box.asked) == 2
