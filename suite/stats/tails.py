"""The worst items: the mean score of the worst share, without the luck that put them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .intervals import t_interval

__all__ = ["TailMean", "tail_mean"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TailMean:
    """Mean over the worst share of items (CVaR, expected shortfall).

    Attributes:
        estimate: By split samples: chosen by one half, valued by the other. At most as extreme as the truth in
            expectation, since half of the samples choose imperfectly.
        low: Lower bound; NaN where the items show no spread and the metric has an open end.
        high: Upper bound, likewise.
        plug_in: Chosen and valued by the same samples: more extreme than the truth.
        null: The plug-in value that is expected if all items were alike: what noise alone looks like.
        mean: Mean over all items.
        share: The worst share.
        items: Items.
        samples: Samples of the item that has fewest.
        confidence: Coverage that is aimed at, for the expected value of ``estimate``.
        sparse: Fewer than 5 items in the tail, or fewer than 30 in all.
    """

    estimate: float
    low: float
    high: float
    plug_in: float
    null: float
    mean: float
    share: float
    items: int
    samples: int
    confidence: float
    sparse: bool


def tail_mean(
    values: ArrayLike,
    *,
    share: float = 0.1,
    worst: Literal["high", "low"] = "high",
    low: float | None = 0.0,
    high: float | None = 1.0,
    splits: int = 50,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> TailMean:
    """Estimate the mean of the worst ``share`` of items.

    The quantity is the conditional value at risk of the items' means (Rockafellar and Uryasev 2002, "Conditional
    value-at-risk for general loss distributions", J. Bank. Financ. 26, 1443-1471, eq. 21: the item at the border counts
    in part). Its plug-in estimate picks the items whose samples happened to be bad: with 16 samples of risk .10 from
    every item it says .24. So each item's samples are split at random in halves, the items are chosen by one half and
    valued by the other, and both directions and many splits are averaged.

    The interval is Student's t with the standard error of a bootstrap over items and one degree of freedom less than
    the items in the tail, clipped to the range: with 10 items in the tail it covers .93 to .96, the bootstrap's
    percentiles .88 to .91.

    Args:
        values: Samples by item, shape (items, samples); NaN where an item has fewer, at least 2 in each.
        share: The worst share, in (0, 1].
        worst: Whether high or low values are the bad ones.
        low: Lower end of the metric's range, None where it is open.
        high: Upper end, None where it is open.
        splits: Random splits to average.
        resamples: Bootstrap resamples.
        confidence: In (0, 1).
        seed: Of the splits and resamples.

    Raises:
        ValueError: An item has fewer than 2 samples, or a number is out of its range.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] == 0:
        raise ValueError(f"values must have shape (items, samples), not {x.shape}")
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], not {share!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    if worst not in ("high", "low"):
        raise ValueError(f"worst must be 'high' or 'low', not {worst!r}")
    outside = x[(x < (-np.inf if low is None else low)) | (x > (np.inf if high is None else high))]
    if outside.size:
        raise ValueError(f"values must lie in the metric's range, not {outside.flat[0]:g}")
    if np.isinf(x).any():
        raise ValueError("values must be finite, or NaN where an item has fewer samples")
    n = (~np.isnan(x)).sum(axis=1)
    if n.min() < 2:
        raise ValueError(f"every item needs at least 2 samples to split, not {n.min()}")
    sign = 1.0 if worst == "high" else -1.0
    x = sign * x
    rng = generator("finchmark.stats", "tail_mean", seed)
    first, second = _halves(x, n, splits, rng)
    means = np.nansum(x, axis=1) / n
    estimate = float((_chosen(first, second, share) + _chosen(second, first, share)).mean() / 2)
    dealt = [_alike(x, n, rng) for _ in range(splits)]
    null = float(np.mean([_chosen(alike, alike, share) for alike in dealt]))
    bounds = _interval(first, second, sign * estimate, share, low, high, resamples, confidence, rng)
    items = x.shape[0]
    return TailMean(
        estimate=sign * estimate,
        low=bounds[0],
        high=bounds[1],
        plug_in=sign * float(_chosen(means, means, share)),
        null=sign * null,
        mean=sign * float(means.mean()),
        share=share,
        items=items,
        samples=int(n.min()),
        confidence=confidence,
        sparse=items < 30 or share * items < 5,
    )


def _interval(
    first: Array,
    second: Array,
    estimate: float,
    share: float,
    low: float | None,
    high: float | None,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    from scipy.special import stdtrit

    splits, items = first.shape
    tail = int(np.ceil(share * items - 1e-9))
    replicates = np.empty(resamples)
    for i in range(resamples):
        # Some of the splits a resample: their own noise hardly widens the spread that items make.
        pick, row = rng.integers(0, splits, size=min(splits, 8)), rng.integers(0, items, size=items)
        a, b = first[pick][:, row], second[pick][:, row]
        replicates[i] = (_chosen(a, b, share) + _chosen(b, a, share)).mean() / 2
    if tail < 2 or np.ptp(replicates) <= 1e-12 * max(1.0, abs(estimate)):
        r = t_interval(np.full(tail, estimate), low=low, high=high, confidence=confidence)
        return r.low, r.high
    half = float(stdtrit(tail - 1, (1 + confidence) / 2) * replicates.std(ddof=1))
    return (
        max(estimate - half, -np.inf if low is None else low),
        min(estimate + half, np.inf if high is None else high),
    )


def _halves(x: Array, n: NDArray[np.int_], splits: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Means of two random halves of each item's samples, each of shape (splits, items)."""
    first = np.empty((splits, x.shape[0]))
    second = np.empty_like(first)
    present = ~np.isnan(x)
    filled = np.where(present, x, 0.0)
    for i in range(splits):
        keys = np.where(present, rng.random(x.shape), 2.0)
        rank = keys.argsort(axis=1).argsort(axis=1)
        # An odd sample goes to either half at random, or one half would be the better judge throughout.
        half = (n + rng.integers(0, 2, size=n.size)) // 2
        in_first = rank < half[:, None]
        total = (filled * in_first).sum(axis=1)
        first[i] = total / half
        second[i] = (filled.sum(axis=1) - total) / (n - half)
    return first, second


def _chosen(by: Array, valued: Array, share: float) -> Array:
    """Mean of ``valued`` over the highest ``share`` of ``by`` along the last axis; ties at the border share alike."""
    size = share * by.shape[-1]
    whole = min(int(np.ceil(size - 1e-9)), by.shape[-1])
    border = np.partition(by, by.shape[-1] - whole, axis=-1)[..., by.shape[-1] - whole, None]
    # Means of equal samples may differ by a rounding.
    slack = 1e-12 * np.maximum(np.abs(border), 1.0)
    above, tied = by > border + slack, np.abs(by - border) <= slack
    part = (size - above.sum(axis=-1, keepdims=True)) / tied.sum(axis=-1, keepdims=True)
    return ((above + tied * part) * valued).sum(axis=-1) / size


def _alike(x: Array, n: NDArray[np.int_], rng: np.random.Generator) -> Array:
    """Item means after the samples were dealt to the items at random."""
    present = ~np.isnan(x)
    dealt = np.zeros(x.shape)
    dealt[present] = rng.permutation(x[present])
    return dealt.sum(axis=1) / n
