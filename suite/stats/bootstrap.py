"""The clustered bootstrap: whole units are drawn again, never single samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .intervals import finite

__all__ = [
    "Bootstrap",
    "Draws",
    "Statistic",
    "bootstrap",
    "bootstrap_bounds",
    "bootstrap_difference",
    "bootstrap_draws",
]

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Takes weights of units, shape (resamples, units), whose rows add up to the units; gives one number a row."""

Method = Literal["bca", "percentile"]

_CHUNK = 1_000_000
"""Draws that are held at once; measured: fewer or more are slower, up to a fifth."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A bootstrap interval.

    Attributes:
        estimate: The statistic of the data.
        low: Lower bound; NaN where resampling cannot tell: under 2 units, or all resamples alike.
        high: Upper bound, likewise.
        standard_error: Standard deviation over resamples.
        method: ``bca`` or ``percentile``.
        units: Units that were drawn.
        resamples: How often.
        confidence: Coverage that is aimed at.
        seed: What was drawn with.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    method: Method
    units: int
    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """A statistic over resamples, and what BCa needs to read them.

    Attributes:
        estimate: The statistic of the data.
        values: The statistic of each resample, sorted, shape (resamples,).
        bias: Efron's z0: the normal quantile of the share of resamples under the estimate, ties counting half.
        acceleration: Efron's a, from the jackknife; 0 makes BCa bias-corrected only.
    """

    estimate: float
    values: NDArray[np.float64]
    bias: float
    acceleration: float

    def bounds(self, confidence: float = 0.95, method: Method = "bca") -> tuple[float, float]:
        """Bounds at a confidence; NaN where all resamples are alike."""
        levels = np.array([1 - confidence, 1 + confidence]) / 2
        if method == "bca":
            levels = _bca_levels(levels, self.bias, self.acceleration)
        if self.values[0] == self.values[-1] or not np.isfinite(levels).all():
            return np.nan, np.nan
        low, high = np.quantile(self.values, levels)
        return float(low), float(high)

    def tail(self, hypothesis: float, method: Method = "bca") -> float:
        """One-sided p-value of "the statistic is at most ``hypothesis``": the level whose lower bound is there."""
        from scipy.special import ndtr, ndtri

        if self.values[0] == self.values[-1]:
            return np.nan
        count = sum(int(np.searchsorted(self.values, hypothesis, side)) for side in ("left", "right")) / 2
        share = (count + 0.5) / (self.values.size + 1)  # never 0 or 1: that none was seen does not make it certain
        if method == "percentile":
            return float(share)
        w = ndtri(share) - self.bias
        return float(ndtr(w / (1 + self.acceleration * w) - self.bias))


def bootstrap(
    values: ArrayLike,
    units: ArrayLike | None = None,
    *,
    statistic: Statistic | None = None,
    method: Method = "bca",
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """Bootstrap the mean of unit means, or any statistic of the units' weights.

    Whole units are drawn with replacement: their samples stay together, so the interval is about new units.

    Sources: Efron (1979), Ann. Statist. 7, 1-26; BCa: Efron (1987), "Better bootstrap confidence intervals", J. Am.
    Stat. Assoc. 82, 171-185, with the acceleration of Efron and Tibshirani (1993), An Introduction to the Bootstrap,
    eq. 14.15; clusters: Field and Welsh (2007), "Bootstrapping clustered data", J. R. Statist. Soc. B 69, 369-390.

    Args:
        values: One number a sample, shape (samples,), finite.
        units: The unit of each sample, of the same shape; None: every sample is a unit.
        statistic: A function of the units' weights; units stand in the sorted order of their labels. None: the mean.
        method: ``bca`` or ``percentile``.
        resamples: At least 1; 10,000 are enough for two digits of a bound at 95 %.
        confidence: In (0, 1).
        seed: What is drawn with; the same seed and data give the same interval.

    Raises:
        ValueError: A value is not finite, the shapes differ, there is no value, or a choice is out of range.
    """
    means = _unit_means(values, units)
    draws = bootstrap_draws(means, statistic=statistic, resamples=resamples, seed=seed)
    low, high = draws.bounds(_confidence(confidence), _method(method))
    error = float(draws.values.std(ddof=1)) if resamples > 1 and means.size > 1 else np.nan
    return Bootstrap(draws.estimate, low, high, error, method, means.size, resamples, confidence, seed)


def bootstrap_difference(
    values_a: ArrayLike,
    units_a: ArrayLike,
    values_b: ArrayLike,
    units_b: ArrayLike,
    *,
    method: Method = "bca",
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """Bootstrap the mean difference of unit means, second side less first, over the units that both sides have.

    A unit is drawn with both of its sides, which keeps what they share out of the error.

    Args:
        values_a: The first side's samples, shape (samples,), finite.
        units_a: Their units.
        values_b: The second side's samples, likewise.
        units_b: Their units.
        method: As for :func:`bootstrap`.
        resamples: As for :func:`bootstrap`.
        confidence: As for :func:`bootstrap`.
        seed: As for :func:`bootstrap`.

    Raises:
        ValueError: As for :func:`bootstrap`, or the sides share no unit.
    """
    labels_a, labels_b = np.unique(np.asarray(units_a)), np.unique(np.asarray(units_b))
    means_a, means_b = _unit_means(values_a, units_a), _unit_means(values_b, units_b)
    _, in_a, in_b = np.intersect1d(labels_a, labels_b, assume_unique=True, return_indices=True)
    if not in_a.size:
        raise ValueError("the sides share no unit, so no difference is paired: compare them as unpaired samples")
    differences = means_b[in_b] - means_a[in_a]
    return bootstrap(differences, method=method, resamples=resamples, confidence=confidence, seed=seed)


def bootstrap_draws(
    unit_means: ArrayLike, *, statistic: Statistic | None = None, resamples: int = 10_000, seed: int = 0
) -> Draws:
    """Draw the resamples behind :func:`bootstrap`.

    Args:
        unit_means: One number a unit, shape (units,), at least one.
        statistic: As for :func:`bootstrap`.
        resamples: At least 1.
        seed: What is drawn with.
    """
    from scipy.special import ndtri

    means = finite(unit_means, "unit_means")
    k = means.size
    if k == 0:
        raise ValueError("a bootstrap needs at least one unit")
    _resamples(resamples)
    if statistic is None:
        estimate, influence = float(means.mean()), means - means.mean()
        sizes, counts = np.unique(means, return_counts=True)
        if sizes.size <= k / 16:
            # Of units of one mean it only matters how many are drawn: one multinomial over the distinct means.
            often = generator("stats", "bootstrap", seed).multinomial(k, counts / k, size=resamples)
            drawn = often @ sizes / k
        else:
            drawn = np.concatenate([means.take(units).sum(axis=1) / k for units in _drawn_units(k, resamples, seed)])
    else:
        estimate, influence = float(statistic(np.ones((1, k)))[0]), _jackknife(statistic, k)
        drawn = np.concatenate([statistic(weights) for weights in _weights(k, resamples, seed)])
    # Resamples that differ by rounding alone are ties.
    noise = 1e-12 * max(abs(estimate), float(np.abs(drawn).max()))
    drawn = np.where(np.abs(drawn - estimate) <= noise, estimate, drawn)
    below = (np.mean(drawn < estimate) + np.mean(drawn <= estimate)) / 2
    return Draws(estimate, np.sort(drawn), float(ndtri(below)), float(_acceleration(influence)))


def bootstrap_bounds(
    unit_means: ArrayLike,
    *,
    method: Method = "bca",
    resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of the mean for many cases at once, as simulations need; the cases share their resampled weights.

    Args:
        unit_means: Shape (cases, units), finite.
        method: As for :func:`bootstrap`.
        resamples: As for :func:`bootstrap`.
        confidence: As for :func:`bootstrap`.
        seed: As for :func:`bootstrap`.

    Returns:
        Lower and upper bounds, shape (cases,); both the mean itself where all units are alike, which is the known
        defect that simulations show (:func:`bootstrap` gives NaN there).
    """
    from scipy.special import ndtri

    x = np.asarray(unit_means, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] == 0 or not np.isfinite(x).all():
        raise ValueError(f"unit_means must be finite, of shape (cases, units), not {x.shape}")
    _resamples(resamples)
    levels = np.array([1 - _confidence(confidence), 1 + confidence]) / 2
    weights = np.concatenate(list(_weights(x.shape[1], resamples, seed)))
    drawn = np.sort(x @ weights.T / x.shape[1], axis=1)
    at = np.broadcast_to(levels[:, None], (2, len(x)))
    if _method(method) == "bca":
        means = x.mean(axis=1, keepdims=True)
        slack = 1e-12 * np.abs(x).max(axis=1, keepdims=True)
        below = ((drawn < means - slack).mean(axis=1) + (drawn <= means + slack).mean(axis=1)) / 2
        with np.errstate(invalid="ignore"):
            at = _bca_levels(levels[:, None], ndtri(below), _acceleration(x - means))
        at = np.nan_to_num(at, nan=0.5)
    place = at * (resamples - 1)
    floor = np.clip(np.floor(place).astype(np.intp), 0, max(resamples - 2, 0))
    rows = np.arange(len(x))
    left, right = drawn[rows, floor], drawn[rows, np.minimum(floor + 1, resamples - 1)]
    low, high = left + (right - left) * (place - floor)
    return low, high


def _drawn_units(k: int, resamples: int, seed: int) -> Iterator[NDArray[np.int32]]:
    """Chunks of drawn units, shape (resamples in the chunk, k)."""
    rng = generator("stats", "bootstrap", seed)
    step = max(1, _CHUNK // k)
    for start in range(0, resamples, step):
        yield rng.integers(0, k, size=(min(step, resamples - start), k), dtype=np.int32)


def _weights(k: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Chunks of multinomial weights, shape (resamples in the chunk, k): how often each unit was drawn."""
    for drawn in _drawn_units(k, resamples, seed):
        rows = len(drawn)
        # Counting drawn indices is five times as fast as drawing multinomial counts.
        places = drawn + np.arange(rows, dtype=np.int32)[:, None] * k
        yield np.bincount(places.ravel(), minlength=rows * k).reshape(rows, k).astype(np.float64)


def _bca_levels(levels: NDArray[np.float64], bias, acceleration) -> NDArray[np.float64]:
    """Levels at which BCa reads the sorted resamples (Efron and Tibshirani 1993, eq. 14.10)."""
    from scipy.special import ndtr, ndtri

    shifted = bias + ndtri(levels)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)))


def _acceleration(influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """A sixth of the skewness of the influences, over the root of their number; 0 where they are all alike."""
    squares = (influence**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 0, (influence**3).sum(axis=-1) / (6 * squares**1.5), 0.0)


def _jackknife(of_weights: Statistic, k: int) -> NDArray[np.float64]:
    """What each unit does to a statistic, from its values without one unit each."""
    if k < 2:
        return np.zeros(k)
    step = max(1, _CHUNK // k)
    left_out = []
    for start in range(0, k, step):
        rows = np.arange(start, min(start + step, k))
        weights = np.full((rows.size, k), k / (k - 1))
        weights[np.arange(rows.size), rows] = 0.0
        left_out.append(of_weights(weights))
    theta = np.concatenate(left_out)
    return theta.mean() - theta


def _unit_means(values: ArrayLike, units: ArrayLike | None) -> NDArray[np.float64]:
    x = finite(values, "values")
    if units is None:
        return x
    labels = np.asarray(units)
    if labels.shape != x.shape:
        raise ValueError(f"units must name the unit of each value: shape {x.shape}, not {labels.shape}")
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.bincount(index, weights=x, minlength=counts.size) / counts


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    return confidence


def _resamples(resamples: int) -> None:
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")


def _method(method: Method) -> Method:
    if method not in ("bca", "percentile"):
        raise ValueError(f"method must be 'bca' or 'percentile', not {method!r}")
    return method
