"""Contrasts between the arms of a stream task, on the same streams."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .contrast import Contrast, Good, Kind, Measure, judged
from .records import MAX_LOST, Metric
from .stats.learning_arms import fall_share, measure_weights, paired_contrasts, window_weights
from .stats.multiplicity import benjamini_hochberg
from .stream_scores import ALL_LEVELS, LIVED, Block, StreamScores, primary_probes

__all__ = ["EVOLVING", "FROZEN", "SHUFFLED", "contrasts", "probe_sets", "stream_sums"]

Array = NDArray[np.float64]
EVOLVING, FROZEN, SHUFFLED = "evolving", "frozen", "shuffled"
"""The arms that every stream task has."""

_MARGIN = 0.05
"""Share of a metric's range that matters so little that streams need not be added to find it."""


def probe_sets(scores: StreamScores) -> list[tuple[str, Kind]]:
    """Names and kinds of the sets of probes that have the metric, those that decide first; last the lived episodes."""
    kinds: list[tuple[str, Kind]] = [
        (probes.name, probes.kind) for probes in scores.sheet.probes if probes.has(scores.metric.name)
    ]
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
        span = self.scores.metric.span
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
            spread=float(d[known].std(ddof=1)) if n > 1 else nan,
            margin=nan if span is None or measure != "end" else _MARGIN * span,
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
