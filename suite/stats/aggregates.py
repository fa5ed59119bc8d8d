"""Aggregates over tasks: numbers that one lucky task cannot move, with intervals by stratified bootstrap.

The measures of Agarwal, Schwarzer, Castro, Courville and Bellemare (2021), "Deep reinforcement learning at the edge of
the statistical precipice", arXiv:2108.13264, on scores that are normalised by task already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator

__all__ = [
    "Aggregate",
    "Profile",
    "interquartile_mean",
    "optimality_gap",
    "performance_profile",
    "probability_of_improvement",
    "task_mean",
]

Array = NDArray[np.float64]
Scores = ArrayLike | Mapping[str, ArrayLike]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number over several tasks.

    Attributes:
        name: ``mean``, ``interquartile mean``, ``optimality gap`` or ``probability of improvement``.
        estimate: The number.
        low: Lower bound by the percentiles of a stratified bootstrap; NaN where a task has only one unit.
        high: Upper bound, likewise.
        tasks: Strata.
        units: Units (runs, or items) of all tasks together, of both sides where there are two.
        fewest: Units of the task that has fewest.
        resamples: Bootstrap resamples.
        confidence: Coverage that is aimed at, for these tasks and new units of them.
        sparse: A task has fewer than 10 units or all together fewer than 30: the percentiles are too narrow.
    """

    name: str
    estimate: float
    low: float
    high: float
    tasks: int
    units: int
    fewest: int
    resamples: int
    confidence: float
    sparse: bool


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Share of units that score above each threshold ("performance profile", run-score distribution).

    Attributes:
        thresholds: Shape (points,), ascending.
        share: Mean over tasks of the share of their units above the threshold.
        low: Pointwise lower bound; NaN where a task has only one unit.
        high: Pointwise upper bound.
        confidence: Coverage that is aimed at, by point.
    """

    thresholds: Array
    share: Array
    low: Array
    high: Array
    confidence: float


def interquartile_mean(scores: Scores, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Aggregate:
    """Mean of the middle half of all units' scores, pooled over tasks (IQM; Agarwal et al. 2021, section 4.3).

    With as many units in every task it is ``scipy.stats.trim_mean(scores, 0.25, axis=None)``, as in the authors' own
    code. With unequal numbers every task keeps the same weight: a unit weighs one over the units of its task, and
    those are cut that lie wholly in the lowest or the highest quarter of the weight.

    Args:
        scores: Shape (units, tasks), NaN where a task has fewer units; or the scores of the units by name of the task.
        confidence: In (0, 1).
        resamples: Bootstrap resamples: units are drawn anew within each task, tasks stay.
        seed: Of the resamples.

    Raises:
        ValueError: A task has no unit, or a score is infinite.
    """
    strata = _strata(scores)
    weights = np.concatenate([np.full(s.size, 1 / (len(strata) * s.size)) for s in strata])
    even = bool(np.ptp(weights) == 0)

    def statistic(columns: Sequence[Array]) -> Array:
        pooled = np.concatenate(columns, axis=1)
        if even:
            pooled = np.sort(pooled, axis=1)
            cut = int(0.25 * pooled.shape[1])
            return pooled[:, cut : pooled.shape[1] - cut].mean(axis=1)
        order = pooled.argsort(axis=1, kind="stable")
        w = weights[order]
        upto = w.cumsum(axis=1)
        kept = np.where((upto > 0.25 + 1e-12) & (upto - w < 0.75 - 1e-12), w, 0.0)
        return (np.take_along_axis(pooled, order, axis=1) * kept).sum(axis=1) / kept.sum(axis=1)

    return _aggregate("interquartile mean", [strata], lambda sides: statistic(sides[0]), confidence, resamples, seed)


def task_mean(scores: Scores, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Aggregate:
    """Mean over tasks of the mean over units.

    Args and errors as for :func:`interquartile_mean`.
    """
    return _aggregate(
        "mean",
        [_strata(scores)],
        lambda sides: np.mean([c.mean(axis=1) for c in sides[0]], axis=0),
        confidence,
        resamples,
        seed,
    )


def optimality_gap(
    scores: Scores, *, target: float = 1.0, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Aggregate:
    """By how much the units fall short of ``target`` on average; what exceeds it counts as reached.

    Agarwal et al. 2021, section 4.3: ``target - mean(min(score, target))``. Lower is better.

    Args:
        scores: As for :func:`interquartile_mean`, as are the other arguments and errors.
        target: The desired score, such as 1 for normalised scores.
        confidence: In (0, 1).
        resamples: Bootstrap resamples.
        seed: Of the resamples.
    """
    if not np.isfinite(target):
        raise ValueError(f"target must be finite, not {target!r}")
    return _aggregate(
        "optimality gap",
        [_strata(scores)],
        lambda sides: target - np.mean([np.minimum(c, target).mean(axis=1) for c in sides[0]], axis=0),
        confidence,
        resamples,
        seed,
    )


def probability_of_improvement(
    scores: Scores, others: Scores, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Aggregate:
    """Chance that a random unit of one side scores above a random unit of the other on the same task, over tasks.

    Agarwal et al. 2021, section 4.3: the mean over tasks of Mann and Whitney's U over the number of pairs; ties count
    one half. It says how often, not by how much, and it ignores that items are paired: for one run against another on
    the same items use the paired tests.

    Args:
        scores: As for :func:`interquartile_mean`, as are the other arguments and errors.
        others: The other side, the same tasks in the same order; the units may be others and more or fewer.
        confidence: In (0, 1).
        resamples: Bootstrap resamples, drawn independently for the two sides.
        seed: Of the resamples.
    """
    x, y = _strata(scores), _strata(others)
    if isinstance(scores, Mapping) and isinstance(others, Mapping) and list(scores) != list(others):
        raise ValueError(f"both sides must have the same tasks in the same order: {list(scores)}, not {list(others)}")
    if len(x) != len(y):
        raise ValueError(f"both sides must have the same tasks: {len(x)}, not {len(y)}")

    def statistic(sides: Sequence[Sequence[Array]]) -> Array:
        return np.mean([_above(a, b) for a, b in zip(*sides, strict=True)], axis=0)

    return _aggregate("probability of improvement", [x, y], statistic, confidence, resamples, seed)


def performance_profile(
    scores: Scores,
    thresholds: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Profile:
    """Share of units above each threshold, averaged over tasks (Agarwal et al. 2021, eq. 1).

    The profile of one side above that of another at every threshold means that it dominates, whatever single number
    is asked for. Bands are pointwise percentiles of the stratified bootstrap.

    Args:
        scores: As for :func:`interquartile_mean`, as are the other arguments and errors.
        thresholds: Shape (points,), ascending; None for 101 points over the range of the scores.
        confidence: In (0, 1).
        resamples: Bootstrap resamples.
        seed: Of the resamples.
    """
    _confidence(confidence)
    strata = _strata(scores)
    if thresholds is None:
        at = np.linspace(min(s.min() for s in strata), max(s.max() for s in strata), 101)
    else:
        at = np.asarray(thresholds, dtype=np.float64)
    if at.ndim != 1 or at.size == 0 or not np.isfinite(at).all() or (np.diff(at) < 0).any():
        raise ValueError("thresholds must be finite and ascending, in one dimension")
    rng = generator("finchmark.stats", "profile", seed)
    share = np.zeros(at.size)
    replicates = np.zeros((resamples, at.size))
    for s in strata:
        above = (s[:, None] > at).astype(np.float64)
        share += above.mean(axis=0) / len(strata)
        # A resample only matters through how often it holds each unit.
        replicates += (
            rng.multinomial(s.size, np.full(s.size, 1 / s.size), size=resamples) @ above / s.size / len(strata)
        )
    low, high = np.quantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    if min(s.size for s in strata) < 2:
        low = high = np.full(at.size, np.nan)
    return Profile(at, share, low, high, confidence)


def _above(a: Array, b: Array) -> Array:
    """Share of pairs of a row of ``a`` and the same row of ``b`` in which ``a`` is higher, ties one half."""
    ordered = np.sort(b, axis=1)
    if a.shape[1] * b.shape[1] > 256:
        result = np.empty(a.shape[0])
        for i in range(a.shape[0]):
            left = np.searchsorted(ordered[i], a[i], side="left")
            right = np.searchsorted(ordered[i], a[i], side="right")
            result[i] = (left + right).mean() / (2 * b.shape[1])
        return result
    pairs = a[:, :, None] - b[:, None, :]
    return ((pairs > 0) + 0.5 * (pairs == 0)).mean(axis=(1, 2))


def _aggregate(
    name: str,
    sides: Sequence[Sequence[Array]],
    statistic: Callable[[Sequence[Sequence[Array]]], Array],
    confidence: float,
    resamples: int,
    seed: int,
) -> Aggregate:
    _confidence(confidence)
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples!r}")
    estimate = float(statistic([[s[None] for s in side] for side in sides])[0])
    sizes = [s.size for side in sides for s in side]
    rng = generator("finchmark.stats", "aggregate", seed)
    # Chunks keep the drawn scores within 8 million numbers.
    chunk = max(1, min(resamples, 8_000_000 // sum(sizes)))
    found = []
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = [[s[rng.integers(0, s.size, size=(rows, s.size))] for s in side] for side in sides]
        found.append(statistic(drawn))
    low, high = np.quantile(np.concatenate(found), [(1 - confidence) / 2, (1 + confidence) / 2])
    if min(sizes) < 2:
        # One unit says nothing of the spread in its task: the bootstrap would take it for certain.
        low = high = np.nan
    return Aggregate(
        name=name,
        estimate=estimate,
        low=float(low),
        high=float(high),
        tasks=len(sides[0]),
        units=sum(sizes),
        fewest=min(sizes),
        resamples=resamples,
        confidence=confidence,
        sparse=min(sizes) < 10 or min(sum(s.size for s in side) for side in sides) < 30,
    )


def _strata(scores: Scores) -> list[Array]:
    if isinstance(scores, Mapping):
        columns = [np.asarray(s, dtype=np.float64) for s in scores.values()]
    else:
        matrix = np.asarray(scores, dtype=np.float64)
        if matrix.ndim != 2:
            raise ValueError(f"scores must have shape (units, tasks), not {matrix.shape}")
        columns = list(matrix.T)
    strata = [c[~np.isnan(c)] for c in columns]
    if any(c.ndim != 1 for c in columns):
        raise ValueError("the scores of each task must have one dimension")
    if not strata or any(s.size == 0 for s in strata):
        raise ValueError("every task needs at least one unit with a score: leave out tasks without")
    if any(np.isinf(s).any() for s in strata):
        raise ValueError("scores must be finite, or NaN where a task has fewer units")
    return strata


def _confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
