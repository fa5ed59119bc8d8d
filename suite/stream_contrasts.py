"""Contrasts between arms that lived the same streams: effect, interval, test, and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .records import MAX_LOST, Metric
from .stats.bounds import clopper_pearson_bounds
from .stats.curves import MIN_STREAMS
from .stats.learning_arms import fall_share, measure_weights, paired_contrasts, window_weights
from .stats.multiplicity import benjamini_hochberg
from .stream_scores import ALL_LEVELS, LIVED, Block, StreamScores, primary_probes

__all__ = ["EVOLVING", "FROZEN", "SHUFFLED", "Contrast", "Kind", "contrasts", "judged", "probe_sets", "stream_sums"]

Array = NDArray[np.float64]
Kind = Literal["levels", "worlds", "inverse", "lived"]
Measure = Literal["end", "slope", "area", "forgetting", "falls"]
Good = Literal["higher", "lower", "none"]
Verdict = Literal["better", "worse", "differs", "cannot tell", "no claim"]

EVOLVING, FROZEN, SHUFFLED = "evolving", "frozen", "shuffled"
"""The arms that every stream task has."""

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
        return (
            f"{self.name}: {_number(self.estimate, digits)} [{_number(self.low, digits)}, "
            f"{_number(self.high, digits)}] over {streams} ({self.up} up, {self.down} down), "
            f"p {_share(self.p_value)}{corrected}: {self.verdict_words}.{room}"
            + "".join(f" {note[0].upper()}{note[1:]}." for note in self.notes)
        )


def probe_sets(scores: StreamScores) -> list[tuple[str, Kind]]:
    """Names and kinds of the sets of probes, those that decide first, and of the lived episodes at last."""
    kinds: list[tuple[str, Kind]] = [(probes.name, probes.kind) for probes in scores.sheet.probes]
    together: list[tuple[str, Kind]] = [(ALL_LEVELS, "levels")] if primary_probes(scores.sheet) == ALL_LEVELS else []
    return [*together, *kinds, (LIVED, "lived")]


def _pairs(arms: Sequence[str]) -> list[tuple[str, str]]:
    """The evolving arm against every other; and what is left of the gain in another order."""
    if EVOLVING not in arms:
        return []
    found = [(EVOLVING, other) for other in arms if other != EVOLVING]
    return [*found, (SHUFFLED, FROZEN)] if {SHUFFLED, FROZEN} <= set(arms) else found


def contrasts(scores: StreamScores, *, confidence: float = 0.95, seed: int = 0) -> tuple[Contrast, ...]:
    """All contrasts of a task, judged.

    The evolving arm is held against every other, and the shuffled one against the frozen one. The gain at the last
    checkpoint on unseen levels decides (:func:`.stream_scores.primary_probes`) where the metric does. All others are
    exploratory, corrected together by Benjamini and Hochberg.

    Args:
        scores: The scores, laid out.
        confidence: Of intervals, in (0, 1); verdicts are made at ``1 - confidence``.
        seed: Of exchanges.

    Returns:
        The deciding one first, then by set of probes and arm; empty without an arm that evolves.
    """
    found = sorted(_contrasts(scores, confidence, seed), key=lambda c: not c.primary)
    others = [i for i, c in enumerate(found) if not c.primary]
    adjusted = [c.p_value for c in found]
    if others:
        for i, p in zip(others, benjamini_hochberg([adjusted[i] for i in others]).tolist(), strict=True):
            adjusted[i] = float(p)
    return tuple(judged(c, p) for c, p in zip(found, adjusted, strict=True))


def _contrasts(scores: StreamScores, confidence: float, seed: int) -> Iterator[Contrast]:
    sheet, deciding = scores.sheet, primary_probes(scores.sheet)
    sign = -1.0 if scores.metric.direction == "lower" else 1.0
    for probes, kind in probe_sets(scores):
        points = scores.points(probes)
        weights = window_weights(points) if kind == "lived" else measure_weights(points)
        learnt = next((p.learnt for p in sheet.probes if p.name == probes), None)
        since = None if learnt is None else _since(points, learnt, sign)
        for arm, other in _pairs(scores.arms):
            common = _Pair(scores, probes, kind, arm, other, confidence, seed)
            for measure, w in weights.items():
                # At one place the orders differ in what they play there: only whole streams can be held together.
                if kind == "lived" and measure != "area" and SHUFFLED in (arm, other):
                    continue
                found = common.contrast(_measure(measure), w)
                first = (probes, arm, other, measure) == (deciding, EVOLVING, FROZEN, "end")
                yield replace(found, primary=first and scores.metric.primary)
            if since is not None:
                yield common.contrast("forgetting", since)
            if probes == deciding and other == FROZEN and len(points) > 1:
                yield common.falls()


def stream_sums(blocks: tuple[Block, Block], weights: Array) -> tuple[Array, Array]:
    """One number a stream of both sides: the weighted sum over points of the means over the items that both have.

    Args:
        blocks: The scores of two arms on one set of probes.
        weights: Shape (points,).

    Returns:
        Shape (streams,) each; NaN where a point that counts has no item that both sides have.
    """
    needed = weights != 0
    first, second = _common_means(blocks[0].items, blocks[1].items)
    return first[:, needed] @ weights[needed], second[:, needed] @ weights[needed]


def _common_means(first: Array, second: Array) -> tuple[Array, Array]:
    both = np.isfinite(first) & np.isfinite(second)
    count = both.sum(axis=-1)
    a, b = (
        np.where(count > 0, np.where(both, x, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan) for x in (first, second)
    )
    return a, b


def _measure(name: str) -> Measure:
    return "end" if name == "end" else "slope" if name == "slope" else "area"


def _since(points: Array, learnt: int, sign: float) -> Array | None:
    """Weights of what was lost since the first checkpoint at which a set was learnt; None where that is the last."""
    after = np.flatnonzero(points >= learnt)
    if not after.size or after[0] == points.size - 1:
        return None
    weights = np.zeros(points.size)
    weights[after[0]], weights[-1] = sign, -sign
    return weights


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two arms on one set of probes."""

    scores: StreamScores
    probes: str
    kind: Kind
    arm: str
    other: str
    confidence: float
    seed: int

    def _blocks(self) -> tuple[Block, Block]:
        return self.scores.block(self.arm, self.probes), self.scores.block(self.other, self.probes)

    def contrast(self, measure: Measure, weights: Array) -> Contrast:
        """Contrast a weighted sum over points."""
        blocks, m = self._blocks(), self.scores.metric
        needed = weights != 0
        w = weights[needed]
        sides = stream_sums(blocks, weights)
        span = None if m.low is None or m.high is None else m.high - m.low
        shares = tuple(float(b.lost[:, needed].mean()) for b in blocks)
        good: Good = m.direction
        if measure == "forgetting":
            good = "none" if m.direction == "none" else "lower"
        found = self._finish(measure, sides, good, None if span is None else span * float(np.abs(w).sum()), shares)
        if m.low is None or m.high is None or not any(shares):
            return found
        ends = [self._filled(blocks, weights, m.low, m.high), self._filled(blocks, weights, m.high, m.low)]
        worst, best = (max(ends), min(ends)) if good == "lower" else (min(ends), max(ends))
        return replace(found, worst=worst, best=best)

    def _filled(self, blocks: tuple[Block, Block], weights: Array, up: float, down: float) -> float:
        """The estimate with every lost sample at the end of the range that moves it one way."""
        needed = np.flatnonzero(weights)
        sides = []
        for block, flip in zip(blocks, (1.0, -1.0), strict=True):
            raised, lowered = block.filled(up), block.filled(down)
            sides.append(np.where((flip * weights > 0)[:, None], raised, lowered))
        first, second = _common_means(sides[0], sides[1])
        d = (first - second)[:, needed] @ weights[needed]
        known = d[np.isfinite(d)]
        return float(known.mean()) if known.size else math.nan

    def falls(self) -> Contrast:
        """Contrast how often a checkpoint is worse than the one before."""
        blocks = self._blocks()
        # An item that is lost at one checkpoint would make it better or worse than the next by itself.
        whole = np.all([np.isfinite(b.items).all(axis=(1, 2)) for b in blocks], axis=0)
        direction = -1 if self.scores.metric.direction == "lower" else 1
        sides = []
        for block in blocks:
            shares = np.full(len(whole), np.nan)
            if whole.any():
                shares[whole] = fall_share(block.means[whole], direction=direction)
            sides.append(shares)
        good: Good = "none" if self.scores.metric.direction == "none" else "lower"
        lost = tuple(float(b.lost.mean()) for b in blocks)
        return self._finish("falls", (sides[0], sides[1]), good, 1.0, lost)

    def _finish(
        self, measure: Measure, sides: tuple[Array, ...], good: Good, reach: float | None, lost: tuple[float, ...]
    ) -> Contrast:
        d = sides[0] - sides[1]
        known = np.isfinite(d)
        n, nan = int(known.sum()), math.nan
        estimate = low = high = p = nan
        if n:
            got = paired_contrasts(d[known], reach=reach, confidence=self.confidence, seed=self.seed)
            estimate, low, high, p = (float(x) for x in (got.estimate, got.low, got.high, got.p_value))
        first, second = (float(side[known].mean()) if n else nan for side in sides)
        tiny = 1e-12
        return Contrast(
            probes=self.probes,
            kind=self.kind,
            measure=measure,
            arm=self.arm,
            other=self.other,
            arm_mean=first,
            other_mean=second,
            estimate=estimate,
            low=low,
            high=high,
            confidence=self.confidence,
            p_value=p,
            adjusted=p,
            good=good,
            primary=False,
            verdict="no claim",
            streams=n,
            planned=len(d),
            up=int((d[known] > tiny).sum()),
            down=int((d[known] < -tiny).sum()),
            lost=(lost[0], lost[1]),
            worst=nan,
            best=nan,
            notes=_lost_notes(lost, measure, self.scores.metric),
        )


def _lost_notes(lost: tuple[float, ...], measure: str, metric: Metric) -> tuple[str, ...]:
    if not (max(lost) > MAX_LOST or lost[0] != lost[1]):
        return ()
    bounded = metric.low is not None and metric.high is not None and measure != "falls"
    return (
        f"{100 * lost[0]:.1f} % and {100 * lost[1]:.1f} % of samples lost"
        + (": read the bounds, not the estimate" if bounded else ", and no bounds can be given"),
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
