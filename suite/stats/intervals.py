"""Interval estimates of a mean: what was estimated, from how many units, by which method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounds import clopper_pearson_bounds, jeffreys_bounds, korn_graubard_bounds, wilson_bounds

__all__ = [
    "MIN_EVENTS",
    "MIN_UNITS",
    "Interval",
    "clopper_pearson",
    "jeffreys",
    "korn_graubard",
    "mean_interval",
    "t_interval",
    "wilson",
]

MIN_UNITS = 30
MIN_EVENTS = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        estimate: The mean over units; NaN without data.
        low: Lower bound; NaN where no method can tell.
        high: Upper bound, likewise.
        method: ``wilson``, ``clopper-pearson``, ``jeffreys``, ``korn-graubard``, ``t``, or ``none`` where the data
            bound nothing.
        units: Independent units (items, or streams) that the claim rests on.
        samples: Samples in all units together.
        confidence: Coverage that is aimed at.
        sparse: Too few units (under 30) or unit-level events (under 5) for the coverage to be trusted.
    """

    estimate: float
    low: float
    high: float
    method: str
    units: int
    samples: int
    confidence: float
    sparse: bool


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Estimate a proportion from one binary sample a unit (Wilson's score interval).

    Args:
        successes: Number of successes, 0 to ``n``.
        n: Number of units. With 0 the estimate is NaN and the interval [0, 1].
        confidence: In (0, 1).

    Raises:
        ValueError: A number is out of its range.
    """
    return _binomial(successes, n, confidence, wilson_bounds, "wilson")


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Estimate a proportion from one binary sample a unit ("exact": never covers less than ``confidence``).

    Args and errors as for :func:`wilson`.
    """
    return _binomial(successes, n, confidence, clopper_pearson_bounds, "clopper-pearson")


def jeffreys(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Estimate a proportion from one binary sample a unit (equal tails under Jeffreys' prior).

    Args and errors as for :func:`wilson`.
    """
    return _binomial(successes, n, confidence, jeffreys_bounds, "jeffreys")


def korn_graubard(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Estimate a proportion from several binary samples an item; the claim is about new items.

    The formula and its source stand at :func:`.bounds.korn_graubard_bounds`.

    Args:
        successes: Successes by item, shape (items,), each 0 to its trials; whole or not (an item may hold an
            estimate in [0, 1] times its trials).
        trials: Samples by item, shape (items,) or one number for all.
        confidence: In (0, 1).

    Returns:
        The mean of the item means with its interval. Without items the estimate is NaN and the interval [0, 1].

    Raises:
        ValueError: A number is out of its range, or the arrays are not one-dimensional.
    """
    x, m = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    if x.ndim != 1:
        raise ValueError(f"successes must have one number an item (one dimension), not shape {x.shape}")
    if x.size == 0:
        return _nothing(0.0, 1.0, confidence)
    low, high = korn_graubard_bounds(x, m, confidence)
    p = float((x / m).mean())
    return Interval(
        p, float(low), float(high), "korn-graubard", x.size, round(float(m.sum())), confidence, _sparse(p, x.size)
    )


def t_interval(
    unit_means: ArrayLike, *, low: float | None = None, high: float | None = None, confidence: float = 0.95
) -> Interval:
    """Estimate a mean from unit means by Student's t, clipped to the metric's range.

    Where t has no say the range speaks. With 0 or 1 unit the interval is the whole range (NaN at an open end). With
    several units that are all alike, a bounded metric gets Clopper-Pearson on its rescaled mean, as if every unit
    were one trial (no bounded variable is more spread than that), and an open one NaN: that units agree does not
    make the mean certain.

    Args:
        unit_means: One mean a unit, shape (units,), finite.
        low: Lower end of the metric's range, None where it is open.
        high: Upper end of the metric's range, None where it is open.
        confidence: In (0, 1).

    Returns:
        The interval. ``sparse`` with under 30 units, or where fewer than 5 differ from the most common value.

    Raises:
        ValueError: A mean is not finite or lies outside the range, or ``confidence`` is out of range.
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    means = finite(unit_means, "unit_means")
    within(means, low, high)
    floor, top = (-np.inf if low is None else low), (np.inf if high is None else high)
    k = means.size
    if k < 2:
        nothing = _nothing(low, high, confidence)
        return (
            nothing if k == 0 else Interval(float(means[0]), nothing.low, nothing.high, "none", 1, 1, confidence, True)
        )
    estimate = float(np.clip(means.mean(), means.min(), means.max()))  # clip: a mean of equal floats may round away
    if np.ptp(means) <= 1e-12 * max(1.0, abs(estimate)):
        if not np.isfinite(top - floor) or top <= floor:
            return Interval(estimate, np.nan, np.nan, "none", k, k, confidence, True)
        share = min(max((estimate - floor) / (top - floor), 0.0), 1.0)
        bounds = clopper_pearson_bounds(k * share, k, confidence)
        a, b = (floor + float(bound) * (top - floor) for bound in bounds)
        return Interval(estimate, a, b, "clopper-pearson", k, k, confidence, True)
    half = float(stdtrit(k - 1, (1 + confidence) / 2) * means.std(ddof=1) / np.sqrt(k))
    _, counts = np.unique(means, return_counts=True)
    sparse = k < MIN_UNITS or k - int(counts.max()) < MIN_EVENTS
    return Interval(estimate, max(estimate - half, floor), min(estimate + half, top), "t", k, k, confidence, sparse)


def mean_interval(
    values: ArrayLike,
    units: ArrayLike,
    *,
    kind: Literal["binary", "graded"] = "binary",
    low: float | None = 0.0,
    high: float | None = 1.0,
    confidence: float = 0.95,
) -> Interval:
    """Estimate a mean over units, with the interval that suits the data.

    One binary sample a unit: Wilson. Several: Korn-Graubard. Graded: t on unit means, clipped to the range.

    Args:
        values: One number a sample, shape (samples,), finite; 0 or 1 where ``kind`` is ``binary``.
        units: The unit of each sample, shape (samples,); samples with equal labels belong together.
        kind: ``binary`` or ``graded``.
        low: Lower end of a graded metric's range, None where it is open.
        high: Upper end of a graded metric's range, None where it is open.
        confidence: In (0, 1).

    Returns:
        The mean of the unit means with its interval. Without samples the estimate is NaN, the interval the range.

    Raises:
        ValueError: A value is not finite, not 0 or 1, or out of range; the shapes differ; ``kind`` is unknown.
    """
    if kind not in ("binary", "graded"):
        raise ValueError(f"kind must be 'binary' or 'graded', not {kind!r}")
    x, labels = finite(values, "values"), np.asarray(units)
    if labels.shape != x.shape:
        raise ValueError(f"units must name the unit of each value: shape {x.shape}, not {labels.shape}")
    if x.size == 0:
        return _nothing(*((0.0, 1.0) if kind == "binary" else (low, high)), confidence)
    _, index, trials = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.bincount(index, weights=x)
    if kind == "binary":
        odd = x[(x != 0) & (x != 1)]
        if odd.size:
            raise ValueError(f"values of a binary metric must be 0 or 1, not {odd[0]:g}")
        if trials.max() == 1:
            return wilson(round(float(sums.sum())), x.size, confidence)
        return korn_graubard(sums, trials, confidence)
    within(x, low, high)
    means = sums / trials
    # A mean of equal floats may leave the range by one rounding.
    means = np.clip(means, -np.inf if low is None else low, np.inf if high is None else high)
    r = t_interval(means, low=low, high=high, confidence=confidence)
    return Interval(r.estimate, r.low, r.high, r.method, r.units, x.size, r.confidence, r.sparse)


def _binomial(successes: int, n: int, confidence: float, bounds, method: str) -> Interval:
    for name, value in (("successes", successes), ("n", n)):
        if value != int(value) or value < 0:
            raise ValueError(f"{name} must be a count, not {value!r}")
    if successes > n:
        raise ValueError(f"successes must not exceed n={n}, not {successes!r}")
    if n == 0:
        return _nothing(0.0, 1.0, confidence)
    low, high = bounds(successes, n, confidence)
    p = successes / n
    return Interval(p, float(low), float(high), method, int(n), int(n), confidence, _sparse(p, n))


def _sparse(p: float, units: int) -> bool:
    """Whether fewer than 30 units, or fewer than 5 events or 5 non-events that units of one trial would show."""
    return units < MIN_UNITS or units * min(p, 1 - p) < MIN_EVENTS - 1e-9


def _nothing(low: float | None, high: float | None, confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    return Interval(
        np.nan, np.nan if low is None else low, np.nan if high is None else high, "none", 0, 0, confidence, True
    )


def finite(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Read one dimension of finite numbers.

    Raises:
        ValueError: There are several dimensions, or a NaN or an infinity; ``name`` says in what.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not shape {array.shape}")
    bad = array[~np.isfinite(array)]
    if bad.size:
        raise ValueError(f"{name} must be finite, not {bad[0]}: leave out what was not measured")
    return array


def within(values: NDArray[np.float64], low: float | None, high: float | None) -> None:
    """See that all values lie in a range, up to the last bits; None: the range is open there.

    Raises:
        ValueError: One lies outside.
    """
    floor, top = (-np.inf if low is None else low), (np.inf if high is None else high)
    slack = 1e-9 * max(1.0, *(abs(end) for end in (floor, top) if np.isfinite(end)), 1.0)
    outside = values[(values < floor - slack) | (values > top + slack)]
    if outside.size:
        raise ValueError(f"values must lie in the range [{floor:g}, {top:g}], not {outside[0]:g}")
