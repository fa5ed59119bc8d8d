"""Means over items that each belong to two units at once, such as problems that join two base problems.

Two such items are dependent where they share a unit, and no grouping into clusters keeps dependent items together: in a
connected set of dyads the only cluster is all of it. The variance therefore sums the products of all pairs of items
that share a unit (Aronow, Samii and Assenova 2015, "Cluster-robust variance estimation for dyadic data", Political
Analysis 23(4), 564-577; two-way clustering, Cameron, Gelbach and Miller 2011, J. Business & Economic Statistics 29(2),
238-249, is the same for ordered dyads).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounds import clopper_pearson_bounds, wilson_bounds
from .inference import Inference
from .intervals import MIN_EVENTS, MIN_UNITS, Interval, finite, within
from .pairs import Pairs
from .tango import tango_bounds, tango_statistic

__all__ = [
    "Design",
    "DyadicMean",
    "dyadic_design",
    "dyadic_difference",
    "dyadic_inference",
    "dyadic_interval",
    "dyadic_mean",
]

Array = NDArray[np.float64]

_MOST_ALIKE = 0.5
"""The largest correlation of two items that share one of two exchangeable units: both units of an item count alike, so
that one of them can be at most half of what makes items differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Which items share a unit, and what follows from that alone.

    Attributes:
        items: Number of items.
        units: Number of units.
        neighbours: Mean number of other items that an item shares a unit with.
        shares: 1.0 where two different items share a unit, else 0.0; shape (items, items).
        traces: For items of variance 1 and correlation r where they share a unit, the squared form of the variance
            estimate has the expectation ``traces[0] + r traces[1]`` and half the variance
            ``traces[2] + r traces[3] + r^2 traces[4]``.
        weights: Of the sum of squares and of the sum of products in the variance estimate.
    """

    items: int
    units: int
    neighbours: float
    shares: Array
    traces: Array
    weights: tuple[float, float]

    @property
    def least_size(self) -> float:
        """How many independent items these are worth where items that share a unit are as alike as they can be."""
        return self.items / (1.0 + _MOST_ALIKE * self.neighbours)


@dataclass(frozen=True, slots=True, eq=False)
class DyadicMean:
    """A mean over items, its variance, and how well that is known. Arrays without the items' axis.

    Attributes:
        estimate: Mean over items.
        variance: Of the mean; never below that of independent items.
        df: Degrees of freedom of the variance, at least 1.
        alike: Estimated correlation of items that share a unit, held within [0, .5].
    """

    estimate: Array
    variance: Array
    df: Array
    alike: Array


def dyadic_design(dyads: Sequence[tuple[Hashable, Hashable]]) -> Design:
    """Read which items share a unit.

    Args:
        dyads: The two units of each item.

    Raises:
        ValueError: There is no item, or both units of one are the same.
    """
    if not dyads:
        raise ValueError("dyads must name the two units of at least one item")
    place: dict[Hashable, int] = {}
    for one, two in dyads:
        if one == two:
            raise ValueError(f"the two units of an item must differ, not both be {one!r}")
        place.setdefault(one, len(place))
        place.setdefault(two, len(place))
    n = len(dyads)
    member = np.zeros((n, len(place)))
    for row, dyad in enumerate(dyads):
        member[row, [place[unit] for unit in dyad]] = 1.0
    shares = (member @ member.T > 0).astype(np.float64)
    np.fill_diagonal(shares, 0.0)
    total = float(shares.sum())
    nothing = Design(n, len(place), total / n, shares, np.full(5, np.nan), (np.nan, np.nan))
    if n < 2:
        return nothing
    centre = np.eye(n) - 1.0 / n
    squares, products = centre, centre @ shares @ centre
    # Expectations of both sums, for a variance of 1 and a covariance of 1.
    moments = np.array(
        [[np.trace(squares), np.trace(squares @ shares)], [np.trace(products), np.trace(products @ shares)]]
    )
    if not total:
        weights = np.array([1.0 / (n * (n - 1)), 0.0])
    elif abs(np.linalg.det(moments)) < 1e-9 * np.prod(np.linalg.norm(moments, axis=1)):
        return nothing  # as where all items share a unit: what they have in common cannot be told from what they are
    else:
        # The variance of the mean is (variance n + covariance total) / n^2; unbiased weights of both sums solve this.
        weights = np.linalg.solve(moments.T, np.array([n, total]) / n**2)
    form = weights[0] * squares + weights[1] * products
    a, b = form, form @ shares
    traces = np.array([np.trace(a), np.trace(b), np.sum(a * a.T), 2 * np.sum(a * b.T), np.sum(b * b.T)])
    return Design(n, len(place), total / n, shares, traces, (float(weights[0]), float(weights[1])))


def dyadic_mean(values: ArrayLike, design: Design) -> DyadicMean:
    """The mean over items with its variance under dyadic dependence.

    The estimate of Aronow, Samii and Assenova (2015) sums ``e_i e_j`` over all pairs of items that share a unit,
    i = j included, with ``e`` the deviations from the mean, over the squared number of items. Three things are ours,
    for few items and few units:

    - *Bias.* Deviations from an estimated mean are smaller and less alike than what they stand for. The sum of squares
      and the sum of products are weighted so that the variance is unbiased wherever all pairs that share a unit have
      one covariance, as in an exchangeable array (method of moments).
    - *Sign.* The sum can be negative. The covariance is held at 0 or above, so that the variance never falls below that
      of independent items, and at half the variance or below, which two exchangeable units cannot exceed.
    - *Degrees of freedom.* Those of Satterthwaite (1946) for that form in normal items of the estimated correlation:
      twice its squared expectation over its variance.

    Args:
        values: One number an item, along the last axis, in the order of the design.
        design: From :func:`dyadic_design`.

    Returns:
        Arrays of the leading axes. Where the items cannot tell how alike they are (all share a unit, or there is one
        item) the variance is NaN.

    Raises:
        ValueError: The last axis is not as long as the design.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim == 0 or x.shape[-1] != design.items:
        raise ValueError(f"values must have one number for each of the {design.items} items, not shape {x.shape}")
    n = design.items
    estimate = x.mean(axis=-1)
    e = x - estimate[..., None]
    squares = (e * e).sum(axis=-1)
    products = ((e @ design.shares) * e).sum(axis=-1)
    own, common = design.weights
    full = own * squares + common * products
    # What independent items and items as alike as can be would give, for the same sum of squares.
    spread = squares / (n - 1) if n > 1 else np.full_like(squares, np.nan)
    floor = spread / n
    top = floor * (1.0 + _MOST_ALIKE * design.neighbours)
    variance = np.clip(full, floor, np.maximum(top, floor))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(floor > 0, variance / floor, 1.0)
    alike = np.clip((ratio - 1.0) / design.neighbours, 0.0, _MOST_ALIKE) if design.neighbours else np.zeros_like(ratio)
    t0, t1, t2, t3, t4 = design.traces
    df = (t0 + alike * t1) ** 2 / (t2 + alike * t3 + alike**2 * t4)
    return DyadicMean(estimate, np.where(np.isnan(full), np.nan, variance), np.maximum(df, 1.0), alike)


def dyadic_interval(
    values: ArrayLike,
    items: ArrayLike,
    dyads: Mapping[Any, tuple[Hashable, Hashable]],
    *,
    kind: Literal["binary", "graded"] = "graded",
    low: float | None = 0.0,
    high: float | None = 1.0,
    confidence: float = 0.95,
) -> Interval:
    """Estimate a mean over items that each belong to two units; the claim is about new units.

    Graded: Student's t with the variance and degrees of freedom of :func:`dyadic_mean`, clipped to the range. Binary:
    Wilson's score interval at the effective number of items, ``p (1 - p)`` over that variance (the idea of an effective
    size is Korn and Graubard's, 1998; the combination is ours), with Student's t for the normal quantile. Where all
    items agree they cannot tell how alike they are: then the size is what they are worth if those that share a unit are
    as alike as can be.

    Args:
        values: One number a sample, shape (samples,), finite; 0 or 1 where ``kind`` is ``binary``.
        items: The item of each sample, shape (samples,).
        dyads: The two units of every item.
        kind: ``binary`` or ``graded``.
        low: Lower end of a graded metric's range, None where it is open.
        high: Upper end of a graded metric's range, None where it is open.
        confidence: In (0, 1).

    Returns:
        The mean of the item means. ``units`` counts the units of the dyads. ``sparse`` with under 30 units, or where
        the items that differ from the most common value are worth fewer than 5.

    Raises:
        ValueError: A value is not finite, not 0 or 1, or out of range; an item has no dyad; the shapes differ.
    """
    from scipy.special import ndtri, stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    x, labels = finite(values, "values"), np.asarray(items)
    if labels.shape != x.shape:
        raise ValueError(f"items must name the item of each value: shape {x.shape}, not {labels.shape}")
    binary = kind == "binary"
    floor, top = (0.0, 1.0) if binary else (-np.inf if low is None else low, np.inf if high is None else high)
    if binary and np.any((x != 0) & (x != 1)):
        raise ValueError("values of a binary metric must be 0 or 1")
    within(x, floor, top)
    if x.size == 0:
        ends = [end if np.isfinite(end) else np.nan for end in (floor, top)]
        return Interval(np.nan, ends[0], ends[1], "none", 0, 0, confidence, True)
    names, index, trials = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.bincount(index, x) / trials
    design = dyadic_design(_of(dyads, names.tolist()))
    found = dyadic_mean(means, design)
    estimate = float(np.clip(found.estimate, means.min(), means.max()))
    worth = design.items / (1.0 + float(found.alike) * design.neighbours)
    upper = (1 + confidence) / 2
    bounded = np.isfinite(top - floor)
    differs = float(found.variance) > 1e-24 * max(1.0, estimate**2)  # also False for NaN

    def made(low: float, high: float, method: str, events: float) -> Interval:
        sparse = design.units < MIN_UNITS or design.items < MIN_UNITS or events < MIN_EVENTS - 1e-9
        return Interval(estimate, low, high, method, design.units, x.size, confidence, sparse)

    if not differs or (binary and bounded):
        if not bounded:
            return made(np.nan, np.nan, "none", 0.0)
        share = min(max((estimate - floor) / (top - floor), 0.0), 1.0)
        size = design.least_size
        if differs and binary:
            # Wilson's threshold is z^2 over the size: t for z is a smaller size.
            spread = share * (1 - share) * design.items / max(design.items - 1, 1)
            size = max(spread / float(found.variance) * float(ndtri(upper) / stdtrit(float(found.df), upper)) ** 2, 1.0)
        a, b = (wilson_bounds if binary else clopper_pearson_bounds)(min(share * size, size), size, confidence)
        method = "dyadic wilson" if binary else "clopper-pearson"
        low, high = (floor + float(end) * (top - floor) for end in (a, b))
        return made(low, high, method, worth * min(share, 1 - share))
    half = float(stdtrit(float(found.df), upper)) * float(np.sqrt(found.variance))
    _, counts = np.unique(means, return_counts=True)
    events = worth * (1 - counts.max() / design.items)
    return made(max(estimate - half, floor), min(estimate + half, top), "dyadic t", events)


def dyadic_inference(pairs: Pairs) -> Inference:
    """Bound and test a mean of paired differences of items that each belong to two units.

    For a metric with a range it is Tango's score at the effective number of pairs, as
    :func:`.tango.clustered_tango_bounds`, that number being the variance of one pair over the variance that
    :func:`dyadic_mean` gives the mean difference, and Student's t with its degrees of freedom standing for the normal
    law. For an open one it is t. The p-value of "no difference" is that of the same statistic: flipping signs of items
    is no test where items depend on one another.

    Args:
        pairs: From :func:`.pairs.pair_units`, with dyads.

    Raises:
        ValueError: There is no common item, or no dyads.
    """
    if not pairs.units or pairs.dyads is None:
        raise ValueError("the sides share no item, or their items are no dyads: compare them otherwise")
    return dyadic_difference(pairs.differences, pairs.dyads, width=pairs.width, gained=pairs.gained, lost=pairs.lost)


def dyadic_difference(
    differences: ArrayLike,
    dyads: Sequence[tuple[Hashable, Hashable]],
    *,
    width: float = np.inf,
    gained: ArrayLike | None = None,
    lost: ArrayLike | None = None,
) -> Inference:
    """As :func:`dyadic_inference`, for differences that are there already.

    Args:
        differences: One a unit, shape (units,).
        dyads: The two larger units of each.
        width: Of the metric's range; infinite where it is open.
        gained: What each unit gains, as a share of the range; None: the positive part of its difference.
        lost: What it loses; None: the negative part.

    Raises:
        ValueError: There is no unit, or the numbers of differences and dyads differ.
    """
    d = finite(differences, "differences")
    if d.size != len(dyads):
        raise ValueError(f"dyads must name the two larger units of each of {d.size} units, not of {len(dyads)}")
    design = dyadic_design(dyads)
    found = dyadic_mean(d, design)
    estimate = float(np.clip(found.estimate, d.min(), d.max()))
    variance, df = float(found.variance), float(found.df)
    worth = design.items / (1.0 + float(found.alike) * design.neighbours)
    _, counts = np.unique(d, return_counts=True)
    events = worth * (1 - counts.max() / design.items)
    sparse = design.units < MIN_UNITS or design.items < MIN_UNITS or events < MIN_EVENTS - 1e-9
    differs = variance > 0  # False for NaN too
    if not np.isfinite(width):
        if not differs:
            return Inference(estimate, "none", lambda _: (np.nan, np.nan), lambda _: np.nan, True)
        law = partial(_t, estimate, float(np.sqrt(variance)), df)
        return Inference(estimate, "dyadic t", law, partial(_t_tail, estimate, float(np.sqrt(variance)), df), sparse)
    up = float((np.maximum(d, 0.0) / width if gained is None else finite(gained, "gained")).mean())
    down = float((np.maximum(-d, 0.0) / width if lost is None else finite(lost, "lost")).mean())
    n = design.items
    of_pairs = max(up + down - (up - down) ** 2, 0.0) * n / max(n - 1, 1) * width**2
    size, df = (of_pairs / variance, df) if differs and of_pairs > 0 else (design.least_size, max(n - 1.0, 1.0))
    size = max(size, design.least_size)
    state = (up, down, size, df, width)
    return Inference(estimate, "dyadic tango", partial(_tango, state), partial(_tango_tail, state), sparse)


def _of(dyads: Mapping[Any, tuple[Hashable, Hashable]], names: Sequence[Hashable]) -> list[tuple[Hashable, Hashable]]:
    lacking = [name for name in names if name not in dyads]
    if lacking:
        raise ValueError(f"dyads must name the two units of every item; {lacking[0]!r} has none")
    return [dyads[name] for name in names]


def _t(estimate: float, error: float, df: float, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(df, (1 + confidence) / 2)) * error
    return estimate - half, estimate + half


def _t_tail(estimate: float, error: float, df: float, hypothesis: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(df, (hypothesis - estimate) / error))


def _tango(state: tuple[float, float, float, float, float], confidence: float) -> tuple[float, float]:
    from scipy.special import ndtri, stdtrit

    gained, lost, size, df, width = state
    upper = (1 + confidence) / 2
    # The score's threshold is z^2 over the size: t for z is a smaller size.
    size *= float((ndtri(upper) / stdtrit(df, upper)) ** 2)
    low, high = tango_bounds(size * gained, size * lost, size, confidence)
    return float(low) * width, float(high) * width


def _tango_tail(state: tuple[float, float, float, float, float], hypothesis: float) -> float:
    from scipy.special import stdtr

    gained, lost, size, df, width = state
    share = min(max(hypothesis / width, -1.0), 1.0)
    return float(stdtr(df, -tango_statistic(size * gained, size * lost, size, share)))
