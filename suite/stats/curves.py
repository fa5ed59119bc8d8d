"""Scores over time: by turn within episodes, or by round over a stream, with bands over whole clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .intervals import Interval, t_interval
from .simultaneous import largest_error

__all__ = ["MIN_STREAMS", "Curve", "Learning", "by_cluster", "forgetting", "learning", "score_curve"]

Array = NDArray[np.float64]

MIN_STREAMS = 6
"""Streams below which nothing is claimed of an agent but its one state (validity, section 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Mean over clusters by point in time. All arrays have shape (points,).

    Attributes:
        points: Turns, or rounds.
        mean: Mean over the clusters that have the point; NaN where none has.
        low: Pointwise lower bounds: right for a point chosen beforehand.
        high: Pointwise upper bounds.
        band_low: Simultaneous lower bounds: the whole curve lies in the band with probability ``confidence``.
        band_high: Simultaneous upper bounds.
        clusters: Clusters that have the point. Where they dwindle, as turns do when episodes end, late points are of
            the survivors only and no statement on the others: show the incidence of ends beside them.
        confidence: Coverage that is aimed at.
        level: Two-sided error of each single interval of the band.
    """

    points: Array
    mean: Array
    low: Array
    high: Array
    band_low: Array
    band_high: Array
    clusters: NDArray[np.int_]
    confidence: float
    level: float


@dataclass(frozen=True, slots=True)
class Learning:
    """What a stream's scores did over its rounds, averaged over streams.

    Attributes:
        slope: Least-squares slope, score per unit of time.
        area: Mean height of the curve above its start (area over length), which credits early gains.
        gain: Mean of the last rounds less the mean of the first.
        streams: Streams.
        window: Rounds at either end that ``gain`` and the start of ``area`` rest on.
        one_state: Fewer than :data:`MIN_STREAMS` streams: this describes one agent state only.
    """

    slope: Interval
    area: Interval
    gain: Interval
    streams: int
    window: int
    one_state: bool


def by_cluster(
    values: ArrayLike, clusters: Sequence[Hashable], points: ArrayLike
) -> tuple[Array, Array, tuple[Hashable, ...]]:
    """Lay out single scores as clusters by points.

    Args:
        values: One score a row, shape (rows,), NaN where it does not apply.
        clusters: The cluster of each row (episode, item, stream): the unit that is independent of the others.
        points: Its turn or round, shape (rows,).

    Returns:
        Means of shape (clusters, points), NaN where a cluster has no row; the points, ascending; the clusters in the
        order in which they came.

    Raises:
        ValueError: The lengths differ, or a point is not finite.
    """
    x, at = np.asarray(values, dtype=np.float64), np.asarray(points, dtype=np.float64)
    if x.ndim != 1 or at.shape != x.shape or len(clusters) != x.size:
        raise ValueError(
            f"values, clusters and points must be as many: {x.size}, {len(clusters)} and {at.size} of them"
        )
    if not np.isfinite(at).all():
        raise ValueError("points must be finite")
    codes: dict[Hashable, int] = {}
    row = np.array([codes.setdefault(c, len(codes)) for c in clusters], dtype=np.int_)
    grid, column = np.unique(at, return_inverse=True)
    known = ~np.isnan(x)
    sums, counts = np.zeros((len(codes), grid.size)), np.zeros((len(codes), grid.size))
    np.add.at(sums, (row[known], column[known]), x[known])
    np.add.at(counts, (row[known], column[known]), 1.0)
    with np.errstate(invalid="ignore"):
        return sums / counts, grid, tuple(codes)


def score_curve(
    values: ArrayLike,
    points: ArrayLike | None = None,
    *,
    low: float | None = 0.0,
    high: float | None = 1.0,
    confidence: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Curve:
    """Average scores by point in time, with a pointwise and a simultaneous band.

    Clusters are drawn whole, never points, so that a cluster's points keep their dependence. Pointwise: Student's t
    over clusters (:func:`.intervals.t_interval`). Simultaneous: the same at the level that the largest error over all
    points demands (the sup-t band; Montiel Olea and Plagborg-Møller 2019, "Simultaneous confidence bands: theory,
    implementation, and an application to SVARs", J. Appl. Econom. 34, 1-17, with the multiplier bootstrap over clusters
    of :func:`.simultaneous.largest_error`).

    Args:
        values: Mean score by cluster and point, shape (clusters, points); NaN where a cluster has none
            (:func:`by_cluster`).
        points: Shape (points,), ascending; None: 0, 1, 2, ...
        low: Lower end of the metric's range, None where it is open.
        high: Upper end, None where it is open.
        confidence: In (0, 1).
        draws: Draws of the largest error.
        seed: Of the draws.

    Raises:
        ValueError: The shapes do not fit, or a score lies outside the range.
    """
    x, at = _laid_out(values, points)
    present = ~np.isnan(x)
    n = present.sum(axis=0)
    filled = np.where(present, x, 0.0)
    mean = np.where(n > 0, filled.sum(axis=0) / np.maximum(n, 1), np.nan)
    influence = np.where(present & (n > 1), filled - np.nan_to_num(mean), 0.0) / np.maximum(n, 1)
    level = largest_error(influence, rng=generator("finchmark.stats", "curve", seed), draws=draws).level(confidence)

    def bounds(error: float) -> tuple[Array, Array]:
        each = [t_interval(x[present[:, k], k], low=low, high=high, confidence=1 - error) for k in range(at.size)]
        return np.array([r.low for r in each]), np.array([r.high for r in each])

    pointwise, band = bounds(1 - confidence), bounds(level)
    return Curve(at, mean, *pointwise, *band, clusters=n, confidence=confidence, level=level)


def learning(
    values: ArrayLike, points: ArrayLike | None = None, *, window: int = 1, confidence: float = 0.95
) -> Learning:
    """Summarise learning curves: slope, area and gain by stream, then Student's t over streams.

    That a stream's rounds depend on each other does not matter: each stream gives one number. To claim that evolving
    caused it, compare with an arm that does not evolve (:mod:`.change`).

    Args:
        values: Scores by stream and round, shape (streams, rounds), at least 2 rounds, none missing.
        points: When the rounds were, shape (rounds,), ascending; None: 0, 1, 2, ...
        window: Rounds at either end to average for the start and the end, from 1 to half of the rounds.
        confidence: In (0, 1).

    Raises:
        ValueError: The shapes do not fit, a round is missing, or the window is out of its range.
    """
    x, at = _laid_out(values, points)
    if np.isnan(x).any():
        raise ValueError("learning curves need every round of every stream: leave out streams that broke off")
    if at.size < 2:
        raise ValueError(f"learning curves need at least 2 rounds, not {at.size}")
    if window != int(window) or not 1 <= window <= at.size // 2:
        raise ValueError(f"window must be a whole number from 1 to {at.size // 2} (half of the rounds), not {window!r}")
    centred = at - at.mean()
    start = x[:, :window].mean(axis=1)
    slope = x @ centred / (centred**2).sum()
    area = np.trapezoid(x, at, axis=1) / (at[-1] - at[0]) - start
    gain = x[:, -window:].mean(axis=1) - start
    return Learning(
        *(t_interval(each, confidence=confidence) for each in (slope, area, gain)),
        streams=len(x),
        window=int(window),
        one_state=len(x) < MIN_STREAMS,
    )


def forgetting(values: ArrayLike, learnt: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Estimate how much of what was learnt is lost by the end of a stream.

    By task, the score right after it was learnt less the score at the end; averaged over tasks, then over streams: the
    backward transfer of Lopez-Paz and Ranzato (2017), "Gradient episodic memory for continual learning",
    arXiv:1706.08840, eq. 3, with the sign turned. The reference is the round of learning and not the best round so far
    (as in Chaudhry et al. 2018, arXiv:1801.10112, eq. 3): the highest of several noisy scores is too high, and an agent
    that forgets nothing would seem to.

    Args:
        values: Scores by stream, round and task, shape (streams, rounds, tasks); NaN where a task was not probed.
        learnt: The round right after which each task was learnt, shape (tasks,), before the last.
        confidence: In (0, 1).

    Returns:
        The mean loss, positive where something was forgotten, with Student's t over streams.

    Raises:
        ValueError: The shapes do not fit, a round is out of range, or a score that is needed is missing.
    """
    x, when = np.asarray(values, dtype=np.float64), np.asarray(learnt)
    if x.ndim != 3 or when.shape != x.shape[2:] or when.size == 0:
        raise ValueError(
            f"values must have shape (streams, rounds, tasks) and learnt (tasks,), not {x.shape} and {when.shape}"
        )
    if (when != np.floor(when)).any() or (when < 0).any() or (when >= x.shape[1] - 1).any():
        raise ValueError(f"learnt must be rounds from 0 to {x.shape[1] - 2} (before the last), not {when.tolist()}")
    lost = x[:, when.astype(np.int_), np.arange(when.size)] - x[:, -1, :]
    if np.isnan(lost).any():
        raise ValueError("forgetting needs every task's score after it was learnt and at the end")
    return t_interval(lost.mean(axis=1), confidence=confidence)


def _laid_out(values: ArrayLike, points: ArrayLike | None) -> tuple[Array, Array]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"values must have shape (clusters, points), not {x.shape}")
    if np.isinf(x).any():
        raise ValueError("values must be finite, or NaN where a cluster has none")
    at = np.arange(x.shape[1], dtype=np.float64) if points is None else np.asarray(points, dtype=np.float64)
    if at.shape != x.shape[1:] or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise ValueError(f"points must be {x.shape[1]} finite numbers, ascending, not {at.tolist()}")
    return x, at
