"""Unpaired: the difference of two sides that share no unit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounds import Bounds
from .inference import Inference
from .intervals import Interval, mean_interval
from .pairs import Samples

__all__ = ["mover_bounds", "unit_means", "unpaired_inference"]

_SMALLEST_TAIL = 1e-12


def mover_bounds(
    estimate_a: ArrayLike,
    low_a: ArrayLike,
    high_a: ArrayLike,
    estimate_b: ArrayLike,
    low_b: ArrayLike,
    high_b: ArrayLike,
) -> Bounds:
    """Bound a difference from each side's own bounds, the sides being independent.

    The distance of the lower bound from the estimated difference is the root of the summed squares of b's distance to
    its lower and a's to its upper bound; the other way round above. From Wilson's bounds this is Newcombe's hybrid
    score interval.

    Sources: Newcombe (1998), "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17, 873-890, method 10; Zou and Donner (2008), Statistics in Medicine 27,
    1693-1702, for bounds of any kind ("MOVER").

    Args:
        estimate_a: Estimates of the first side.
        low_a: Their lower bounds.
        high_a: Their upper bounds.
        estimate_b: Estimates of the second side.
        low_b: Their lower bounds.
        high_b: Their upper bounds. All six are broadcast.

    Returns:
        Lower and upper bounds of ``b - a``, arrays of the broadcast shape.
    """
    a, la, ua = (np.asarray(x, dtype=np.float64) for x in (estimate_a, low_a, high_a))
    b, lb, ub = (np.asarray(x, dtype=np.float64) for x in (estimate_b, low_b, high_b))
    return np.asarray(b - a - np.hypot(b - lb, ua - a)), np.asarray(b - a + np.hypot(ub - b, a - la))


def unpaired_inference(a: Samples, b: Samples, *, clusters: Mapping[Hashable, Hashable] | None = None) -> Inference:
    """Bound the difference of means of two sides without common units.

    - ``newcombe``: one binary sample a unit: from Wilson's intervals.
    - ``mover``: several binary samples a unit: likewise from Korn and Graubard's; or graded scores that are all alike
      on both sides, from what their range allows.
    - ``welch-t``: graded scores: Welch's t on unit means (Welch 1947, Biometrika 34, 28-35).
    - ``none``: a side has no unit, or the data bound nothing.

    Args:
        a: The first side.
        b: The second side, of the same metric.
        clusters: The unit of each item; None: each item is a unit.

    Raises:
        ValueError: The sides' metrics differ, or ``clusters`` lacks an item.
    """
    if (a.kind, a.low, a.high) != (b.kind, b.low, b.high):
        raise ValueError(f"both sides must be of one metric, not {a.kind} and {b.kind} of other ranges")
    units_a, units_b = _units(a, clusters), _units(b, clusters)
    of_a, of_b = _interval(a, units_a, 0.95), _interval(b, units_b, 0.95)
    estimate, sparse = of_b.estimate - of_a.estimate, of_a.sparse or of_b.sparse
    if a.kind == "graded" and of_a.units > 1 and of_b.units > 1:
        va, vb = (_error(unit_means(side, clusters)) ** 2 for side in (a, b))
        if va + vb > 0:
            df = (va + vb) ** 2 / (va**2 / (of_a.units - 1) + vb**2 / (of_b.units - 1))
            fit = estimate, float(np.sqrt(va + vb)), float(df)
            return Inference(estimate, "welch-t", partial(_welch, fit, a.width), partial(_welch_tail, fit), sparse)
    if not of_a.units or not of_b.units or not np.isfinite([of_a.low, of_a.high, of_b.low, of_b.high]).all():
        return Inference(estimate, "none", lambda _: (np.nan, np.nan), lambda _: np.nan, True)
    method = "newcombe" if of_a.method == of_b.method == "wilson" else "mover"
    sides = a, units_a, b, units_b
    return Inference(estimate, method, partial(_mover, sides), partial(_mover_tail, sides, estimate), sparse)


def unit_means(side: Samples, clusters: Mapping[Hashable, Hashable] | None = None) -> NDArray[np.float64]:
    """Means of one side's units, shape (units,).

    Args:
        side: Its samples.
        clusters: The unit of each item; None: each item is a unit.

    Raises:
        ValueError: ``clusters`` lacks an item.
    """
    units = _units(side, clusters)
    return np.bincount(units, weights=side.values) / np.bincount(units)


def _units(side: Samples, clusters: Mapping[Hashable, Hashable] | None) -> NDArray[np.intp]:
    """The unit of each sample, as a number."""
    items, index = np.unique(side.items, return_inverse=True)
    if clusters is None:
        return index
    names = items.tolist()
    missing = [name for name in names if name not in clusters]
    if missing:
        raise ValueError(f"clusters must name the unit of every item; {missing[0]!r} has none")
    owners = [clusters[name] for name in names]
    place = {unit: i for i, unit in enumerate(dict.fromkeys(owners))}
    return np.array([place[owner] for owner in owners], dtype=np.intp)[index]


def _interval(side: Samples, units: NDArray[np.intp], confidence: float) -> Interval:
    low, high = (end if np.isfinite(end) else None for end in (side.low, side.high))
    return mean_interval(side.values, units, kind=side.kind, low=low, high=high, confidence=confidence)


def _error(means: NDArray[np.float64]) -> float:
    """Standard error of the mean of unit means; 0 where they differ by rounding alone."""
    if np.ptp(means) <= 1e-12 * max(1.0, float(np.abs(means).max())):
        return 0.0
    return float(means.std(ddof=1) / np.sqrt(means.size))


def _welch(fit: tuple[float, float, float], width: float, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    estimate, error, df = fit
    half = float(stdtrit(df, (1 + confidence) / 2)) * error
    return max(estimate - half, -width), min(estimate + half, width)


def _welch_tail(fit: tuple[float, float, float], hypothesis: float) -> float:
    from scipy.special import stdtr

    estimate, error, df = fit
    return float(stdtr(df, (hypothesis - estimate) / error))


Sides = tuple[Samples, NDArray[np.intp], Samples, NDArray[np.intp]]


def _mover(sides: Sides, confidence: float) -> tuple[float, float]:
    a, b = _interval(sides[0], sides[1], confidence), _interval(sides[2], sides[3], confidence)
    low, high = mover_bounds(a.estimate, a.low, a.high, b.estimate, b.low, b.high)
    return float(low), float(high)


def _mover_tail(sides: Sides, estimate: float, hypothesis: float) -> float:
    """The level whose bound is the hypothesis, by bisection over the logarithm of the level."""
    if hypothesis == estimate:
        return 0.5
    below = hypothesis < estimate

    def excludes(tail: float) -> bool:
        low, high = _mover(sides, 1 - 2 * tail)
        return low > hypothesis if below else high < hypothesis

    inside, outside = np.log(_SMALLEST_TAIL), np.log(0.5 - 1e-12)
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if excludes(float(np.exp(middle))) else (middle, outside)
    p = float(np.exp(outside))
    return p if below else 1 - p
