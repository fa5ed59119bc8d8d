"""Means of skewed numbers: an interval that is neither as short as Student's nor as bold as a correction of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import MIN_EVENTS, MIN_UNITS, Interval, finite, t_interval

__all__ = ["FEW_FLIPS", "excess_interval", "skewed_interval"]

FEW_FLIPS = 10
"""Flips that items are expected to show, below which the interval of what wordings add is rough."""

_PSEUDO = 0.5


def skewed_interval(
    unit_means: ArrayLike, *, low: float | None = None, high: float | None = None, confidence: float = 0.95
) -> Interval:
    """Estimate a mean from unit means that may be skewed: the wider of two intervals, side by side.

    One is Student's t (:func:`.intervals.t_interval`), whose bound on the long side is too near; the other is t after
    Hall's cubic transformation, which takes the skewness out and whose bound on the short side is too near where units
    are few. Source: Hall (1992), "On the removal of skewness by transformation", J. R. Statist. Soc. B 54, 221-228,
    with Student's quantiles for normal ones. Measured coverage of 95 % for rates of flips, 16 to
    256 items: .93 to 1.0 (``tests/benchmarks/bench_wordings.py``).

    Args:
        unit_means: As for :func:`.intervals.t_interval`, as are the other arguments and errors.
        low: Lower end of the range, None where it is open.
        high: Upper end of the range, likewise.
        confidence: In (0, 1).

    Returns:
        The interval. Where t has no say, what :func:`.intervals.t_interval` says. ``sparse`` as there, and of rates
        with fewer than 5 expected events.
    """
    plain = t_interval(unit_means, low=low, high=high, confidence=confidence)
    if low == 0.0 and high == 1.0:
        few = plain.units * min(plain.estimate, 1 - plain.estimate) < MIN_EVENTS - 1e-9
        plain = replace(plain, sparse=plain.sparse or few)
    if plain.method != "t":
        return plain
    a, b = _hall(finite(unit_means, "unit_means"), confidence)
    floor, top = (-math.inf if low is None else low), (math.inf if high is None else high)
    return replace(plain, low=max(min(plain.low, a), floor), high=min(max(plain.high, b), top), method="t and hall")


def _hall(x: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    n, mean = x.size, float(x.mean())
    skew = float(((x - mean) ** 3).mean() / x.var() ** 1.5)
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) / math.sqrt(n)
    if abs(skew) < 1e-6:
        return mean - x.std(ddof=1) * reach, mean + x.std(ddof=1) * reach

    def back(y: float) -> float:
        return 3 / skew * (float(np.cbrt(1 + skew * (y - skew / (6 * n)))) - 1)

    return mean - x.std(ddof=1) * back(reach), mean - x.std(ddof=1) * back(-reach)


def excess_interval(differences: ArrayLike, flips: float, *, confidence: float = 0.95) -> Interval:
    """Estimate what wordings add to flips: a mean that cannot be below 0, of unbiased estimates that can.

    Of wordings with rates p and q the excess is (p − q)², so that its mean is 0 where wordings are alike and above it
    else. Its estimates are skewed. The interval is that of :func:`skewed_interval`, with three changes. Its lower bound
    is 0 at least. Its upper bound lies as far above 0, where the estimate is below 0, as it lies above the estimate:
    an interval below 0 would speak of what cannot be. And where there are few items or flips it is at least the bound
    that Student's t gives with one more item whose wordings differ by half of the range in square: items that would
    show what wordings do may not have been drawn yet. Measured coverage of 95 %
    (``tests/benchmarks/bench_wordings.py``): .95 to 1.0, also where it is sparse; t alone .67 at the worst.

    Args:
        differences: Chance of a flip between wordings less that within one, by item, shape (items,), in [-1, 1].
        flips: Mean chance of a flip between wordings, over the items.
        confidence: In (0, 1).

    Returns:
        The interval, with the estimate as it is, which may be below 0. ``sparse`` under 30 items or 10 expected flips.

    Raises:
        ValueError: A difference is not finite or out of range.
    """
    x = finite(differences, "differences")
    found = skewed_interval(x, low=-1.0, high=1.0, confidence=confidence)
    sparse = x.size < MIN_UNITS or x.size * flips < FEW_FLIPS - 1e-9
    if x.size < 2:
        return replace(found, low=0.0, high=1.0, sparse=True)
    high = found.high - min(found.estimate, 0.0)
    if sparse or found.method != "t and hall":
        more = t_interval(np.append(x, _PSEUDO), low=-1.0, high=1.0, confidence=confidence)
        high = more.high if found.method != "t and hall" else max(high, more.high)
    return replace(found, low=max(found.low, 0.0), high=min(max(high, 0.0), 1.0), sparse=sparse)
