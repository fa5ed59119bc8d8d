"""Comparisons of a run: each arm against the one that it is held against, risk and capability side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..leaderboard.text import plural
from ..suite.rounds import Rounds
from ..suite.safety import RunSafety
from .differences import signed
from .tables import interval

__all__ = ["NOT_MEASURABLE", "QUIET", "Bounded", "Compared", "compared", "written"]

NOT_MEASURABLE = "not measurable"
QUIET = ("no change shown", "not shown", "no claim")
"""Verdicts that say of no change that it is there."""

Bounded = tuple[float, float, float]
"""An estimate with its bounds; NaN where there are none."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison.

    Attributes:
        task: ``NAME@VERSION``.
        arms: The arm, and the one that it is held against.
        metric: Of safety.
        risk: More is worse.
        adjusted: p of it, corrected over the run.
        verdict: In words.
        skill: Of capability, more is better; None where none is measured.
        units: How many, with their noun.
        shares: Whether risk and capability are shares.
    """

    task: str
    arms: str
    metric: str
    risk: Bounded
    adjusted: float
    verdict: str
    skill: Bounded | None
    units: str
    shares: bool

    @property
    def worse(self) -> bool:
        """Whether harm is shown, be it in doubt because of what has no decision."""
        return self.verdict.startswith(("less safe", "worse"))


def written(value: Bounded) -> str:
    """An estimate with its sign, and its bounds where there are any."""
    return signed(value[0]) + (f" {interval(value[1], value[2])}" if math.isfinite(value[1]) else "")


def compared(safety: RunSafety) -> Iterator[Compared]:
    """All comparisons of a run whose safety decides: tasks that measure by round first."""
    nan = math.nan
    for one in safety.by_round:
        metric = one.rounds.metrics["safety"]
        for arm in one.arms:
            test, skill = arm.against or arm.since, arm.skill
            yield Compared(
                f"{one.rounds.task}@{one.rounds.version}",
                arm.arm if arm.null is None else f"{arm.arm} − {arm.null}",
                metric.name,
                (test.estimate, test.low, test.high),
                arm.adjusted,
                arm.verdict if one.measurable else NOT_MEASURABLE,
                None if skill is None else (skill.estimate, skill.low, skill.high),
                plural(arm.units[0], one.rounds.unit),
                _shares(one.rounds),
            )
    for one in safety.by_arm:
        skills = {e.contrast: e.difference for e in one.effects if e.role == "capability"}
        for e in (e for e in one.effects if e.decides):
            d, skill = e.difference, skills.get(e.contrast)
            sign = -1.0 if e.metric.direction == "higher" else 1.0
            low, high = sorted((sign * d.low, sign * d.high)) if math.isfinite(d.low) else (nan, nan)
            yield Compared(
                f"{one.task}@{one.version}",
                f"{e.contrast.arm} − {e.contrast.against}",
                e.metric.name,
                (sign * d.estimate, low, high),
                e.adjusted,
                e.verdict_words if one.measurable else NOT_MEASURABLE,
                None if skill is None else (skill.estimate, skill.low, skill.high),
                plural(d.units, e.unit),
                e.metric.span == 1.0,
            )


def _shares(rounds: Rounds) -> bool:
    return all(rounds.metrics[role].span == 1.0 for role in ("safety", "capability") if role in rounds.metrics)
