"""A contrast between two arms that lived the same streams: effect, interval, test, and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .stats.bounds import clopper_pearson_bounds
from .stats.curves import MIN_STREAMS
from .stats.intervals import MIN_UNITS

__all__ = ["Contrast", "Good", "Kind", "Measure", "judged"]

Kind = Literal["levels", "worlds", "inverse", "beside", "lived"]
Measure = Literal["end", "slope", "area", "forgetting", "falls"]
Good = Literal["higher", "lower", "none"]
Verdict = Literal["better", "worse", "differs", "cannot tell", "no claim"]

_MEASURES: Mapping[str, str] = {
    "end": "score at the end",
    "slope": "slope per episode",
    "area": "mean height of the curve",
    "forgetting": "lost since it was learnt",
    "falls": "share of checkpoints worse than the one before (equal: half)",
}


@dataclass(frozen=True, slots=True)
class Contrast:
    """One number a stream, held between two arms that lived the same streams.

    Attributes:
        probes: The set of probes, ``lived episodes`` for what the streams consist of, or ``all levels`` where
            several sets of kind ``levels`` are taken together.
        kind: Of the probes.
        measure: ``end`` (score at the last checkpoint; of lived episodes the last quarter), ``slope`` (score per
            episode), ``area`` (mean height of the curve), ``forgetting`` (score when it had been learnt less that at
            the end, turned so that positive is loss), ``falls`` (share of checkpoints that are worse than the one
            before, equal ones counting half).
        arm: The first arm.
        other: What it is held against.
        arm_mean: Mean of the measure in the first arm, over the streams that count.
        other_mean: Likewise.
        estimate: The first less the other, mean over streams.
        low: Lower bound, by Student's t over streams; NaN where nothing can tell.
        high: Upper bound.
        confidence: Of the interval, which stands for this contrast alone.
        spread: Standard deviation of the streams' differences.
        margin: Difference at the end that hardly matters, 5 % of the metric's range; NaN where the metric is open.
        p_value: Two-sided, by exchanging the arms' labels of whole streams; NaN without streams.
        adjusted: Corrected: for the deciding contrast by Holm over the tasks of a run, for the others by Benjamini and
            Hochberg over the task.
        good: Which way is better.
        primary: Whether it decides; the others are exploratory.
        verdict: ``better``, ``worse``, ``differs`` (where no way is better), ``cannot tell``, or ``no claim`` with
            fewer than 6 streams.
        streams: Streams that count: those with every score that is needed, in both arms.
        planned: Streams that there should be.
        up: Streams in which the first arm's number is the higher.
        down: Likewise the lower.
        lost: Share of the samples that it rests on which were lost, first arm and other.
        worst: The estimate if all lost samples had gone against the first arm; NaN where none was lost or the metric
            is open.
        best: Likewise for it.
        notes: What a reader must know.
    """

    probes: str
    kind: Kind
    measure: Measure
    arm: str
    other: str
    arm_mean: float
    other_mean: float
    estimate: float
    low: float
    high: float
    confidence: float
    spread: float
    margin: float
    p_value: float
    adjusted: float
    good: Good
    primary: bool
    verdict: Verdict
    streams: int
    planned: int
    up: int
    down: int
    lost: tuple[float, float]
    worst: float
    best: float
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is contrasted: ``evolving - frozen, score at the end, levels``."""
        return f"{self.arm} - {self.other}, {_MEASURES[self.measure]}, {self.probes}"

    @property
    def sparse(self) -> bool:
        """Whether the interval rests on under 30 streams, as a rule it does: rough where few differ from the rest."""
        return self.streams < MIN_UNITS

    @property
    def unsure(self) -> bool:
        """Whether lost samples, had they all gone one way, would turn the contrast around."""
        found = self.verdict in ("better", "worse", "differs") and math.isfinite(self.worst)
        return found and min(self.worst, self.best) <= 0 <= max(self.worst, self.best)

    @property
    def against(self) -> float:
        """Share of new streams that may go the other way: a one-sided 95 % upper bound (Clopper-Pearson).

        Few streams say little of rare ones: 12 that all gain leave room for .22 that do not. NaN without a verdict.
        """
        if self.verdict not in ("better", "worse", "differs"):
            return math.nan
        other = self.streams - (self.up if self.estimate > 0 else self.down)
        return float(clopper_pearson_bounds(other, self.streams, 0.9)[1])

    @property
    def more_streams(self) -> tuple[int, float] | None:
        """With ``cannot tell``: how many more streams would find which difference, with a power of 80 % (t test).

        The difference is the one that was seen, or the margin if that is larger; the spread is the one that was seen.
        At least so many that exchanged labels can reach the level at all, if as many streams differ. None where that
        cannot be said.
        """
        from .stats.power import units_needed

        effect = max(abs(self.estimate), self.margin) if math.isfinite(self.margin) else abs(self.estimate)
        if self.verdict != "cannot tell" or not effect > 0 or not self.spread > 0:
            return None
        try:
            needed = units_needed(self.spread, effect, alpha=1 - self.confidence)
        except ValueError:
            return None
        # The smallest p-value of n streams that differ is 2^(1-n).
        fewest = math.ceil(1 + math.log2(1 / (1 - self.confidence)))
        needed = max(needed, math.ceil(self.streams * fewest / (self.up + self.down)))
        return max(needed - self.streams, 1), effect

    @property
    def verdict_words(self) -> str:
        """The verdict as tables print it."""
        if self.verdict == "no claim":
            return "describes these agent states only" if self.streams else "nothing to hold against each other"
        if self.verdict == "cannot tell" and not (self.up or self.down):
            return "cannot tell: no stream differs"
        doubt = " (but not if what was lost had gone the other way)" if self.unsure else ""
        return f"{self.verdict}{doubt}" if self.primary else f"{self.verdict}{doubt}, exploratory"

    @property
    def words(self) -> str:
        """The contrast in a sentence: never the effect without its interval, nor the p-value without the effect."""
        digits = 4 if self.measure == "slope" else 3
        if not self.streams:
            return f"{self.name}: {self.verdict_words}."
        corrected = "" if self.primary and self.adjusted == self.p_value else f", corrected {_share(self.adjusted)}"
        streams = f"{self.streams} stream{'' if self.streams == 1 else 's'}"
        if self.streams < self.planned:
            streams += f" of {self.planned}"
        rest = self.against if self.primary else math.nan
        room = "" if math.isnan(rest) else f" Up to {100 * rest:.0f} % of new streams may go another way."
        more = self.more_streams if self.primary else None
        if more is not None:
            streams_more = f"{more[0]:,} more stream{'' if more[0] == 1 else 's'}"
            room = f" About {streams_more} would find a difference of {_number(more[1])} (power 80 %)."
        return (
            f"{self.name}: {_number(self.estimate, digits)} [{_number(self.low, digits)}, "
            f"{_number(self.high, digits)}] over {streams} ({self.up} up, {self.down} down), "
            f"p {_share(self.p_value)}{corrected}: {self.verdict_words}.{room}"
            + "".join(f" {note[0].upper()}{note[1:]}." for note in self.notes)
        )


def judged(c: Contrast, adjusted: float) -> Contrast:
    """Give a contrast its corrected p-value and the verdict that follows from it."""
    verdict: Verdict = "cannot tell"
    if c.streams < MIN_STREAMS:
        verdict = "no claim"
    elif adjusted <= 1 - c.confidence + 1e-12 and c.estimate:
        verdict = "differs" if c.good == "none" else "better" if (c.estimate > 0) == (c.good == "higher") else "worse"
    return replace(c, adjusted=adjusted, verdict=verdict)


def _number(value: float, digits: int = 3) -> str:
    return "–" if not math.isfinite(value) else f"{value:.{digits}f}"


def _share(p: float) -> str:
    return "< 0.001" if p < 0.0005 else f"= {_number(p)}"
