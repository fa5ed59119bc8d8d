"""Wordings and samples of items: the worst of k, how outcomes flip between wordings, the worst wording.

Scores stand by item, wording and sample. The unit of every interval is the item; wordings and samples are within.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .at_k import pass_at_k_interval
from .intervals import Interval, mean_interval
from .skewness import excess_interval, skewed_interval
from .tails import tail_mean

__all__ = [
    "GreedyFlips",
    "SampledFlips",
    "WorstOf",
    "WorstWording",
    "flips_of_one",
    "flips_of_samples",
    "mean_of_known",
    "over_items",
    "worst_by_k",
    "worst_wording",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WorstOf:
    """Of k samples in one wording: how often at least one fails; one less that, how often all are safe.

    Attributes:
        k: Samples.
        failing: Share of items with at least one failure, unbiased, over items.
        left_out: Wordings of items with fewer than k scored samples.
    """

    k: int
    failing: Interval
    left_out: int

    @property
    def all_safe(self) -> tuple[float, float, float]:
        """The chance that all k are safe, with its bounds."""
        return 1 - self.failing.estimate, 1 - self.failing.high, 1 - self.failing.low


@dataclass(frozen=True, slots=True)
class GreedyFlips:
    """How greedy replies depend on wordings, where nothing else differs.

    Attributes:
        differ: Chance that two wordings of an item come out differently, over items.
        all_agree: Share of items whose wordings all come out alike.
    """

    differ: Interval
    all_agree: Interval


@dataclass(frozen=True, slots=True)
class SampledFlips:
    """How two sampled replies differ, in two wordings and in one.

    Attributes:
        between: Chance that replies in two wordings come out differently, over items.
        within: Chance that two replies in one wording do: what sampling alone does.
        excess: The difference, paired by item: what wordings add. It cannot be below 0, its estimate can; the interval
            is :func:`.skewness.excess_interval`.
    """

    between: Interval
    within: Interval
    excess: Interval


@dataclass(frozen=True, slots=True)
class WorstWording:
    """The wording of an item that fails most, chosen by one half of its samples and valued by the other.

    Attributes:
        rate: Its rate of failure, over items.
        plug_in: Chosen and valued by the same samples: too high.
        null: What that would be if an item's wordings were all alike.
        mean: Over all wordings.
    """

    rate: Interval
    plug_in: float
    null: float
    mean: float


def worst_by_k(n: ArrayLike, c: ArrayLike, *, confidence: float = 0.95) -> tuple[WorstOf, ...]:
    """Estimate how often at least one of k samples in one wording is an event, for k = 1, 2, 4, … as far as samples go.

    By wording ``1 - C(n - c, k) / C(n, k)`` (:func:`.estimators.pass_at_k`), averaged over the wordings of an item and
    over items. It ends where fewer than half of the wordings have k samples: what few have says nothing of the others.

    Args:
        n: Samples, shape (items, wordings); 0 where there are none.
        c: Events among them, likewise.
        confidence: In (0, 1).

    Raises:
        ValueError: The shapes differ, or a count is none.
    """
    drawn, events = _counts(n, c)
    owners = np.broadcast_to(np.arange(len(drawn))[:, None], drawn.shape)
    asked, found = drawn > 0, []
    for k in (2**i for i in range(int(drawn.max(initial=0)).bit_length())):
        enough = drawn >= k
        if enough.sum() * 2 < asked.sum():
            break
        each = pass_at_k_interval(drawn[enough], events[enough], k, owners[enough], confidence)
        found.append(WorstOf(k, each, int((asked & ~enough).sum())))
    return tuple(found)


def flips_of_one(x: ArrayLike, *, confidence: float = 0.95) -> GreedyFlips | None:
    """Estimate how often two wordings of an item come out differently, where each has one (greedy) outcome.

    Args:
        x: Outcomes in [0, 1], shape (items, wordings); NaN where there is none.
        confidence: In (0, 1).

    Returns:
        None where no item has two wordings with an outcome.
    """
    values = np.asarray(x, dtype=np.float64)
    whole = np.isfinite(values).sum(axis=1) > 1
    if not whole.any():
        return None
    values = values[whole]
    pairs = [np.abs(values[:, i] - values[:, j]) for i, j in combinations(range(values.shape[1]), 2)]
    alike = np.nanmax(values, axis=1) - np.nanmin(values, axis=1) <= 1e-12
    return GreedyFlips(
        over_items(mean_of_known(np.stack(pairs, axis=1)), 0.0, 1.0, confidence),
        mean_interval(alike.astype(float), np.arange(alike.size), confidence=confidence),
    )


def flips_of_samples(n: ArrayLike, c: ArrayLike, *, confidence: float = 0.95) -> SampledFlips | None:
    """Estimate how often two sampled replies to an item come out differently, in two wordings and in one.

    Of wordings with rates p and q that is ``p (1 - q) + q (1 - p)``, which their sample rates estimate without bias; of
    one wording ``2 c (n - c) / (n (n - 1))``, the share of its pairs of different samples that differ. Both are of the
    wordings with two samples or more, so that their difference is the mean of ``(p - q)²``.

    Args:
        n: Samples, shape (items, wordings); 0 where there are none.
        c: Events among them, likewise.
        confidence: In (0, 1).

    Returns:
        Over the items that have both; None where none has.

    Raises:
        ValueError: The shapes differ, or a count is none.
    """
    drawn, events = _counts(n, c)
    if drawn.shape[1] < 2:
        return None
    q = np.where(drawn > 1, events / np.maximum(drawn, 1), np.nan)
    pairs = [q[:, i] * (1 - q[:, j]) + q[:, j] * (1 - q[:, i]) for i, j in combinations(range(q.shape[1]), 2)]
    between = mean_of_known(np.stack(pairs, axis=1))
    own = 2 * events * (drawn - events) / np.maximum(drawn * (drawn - 1), 1)
    within = mean_of_known(np.where(drawn > 1, own, np.nan))
    both = np.isfinite(between) & np.isfinite(within)
    if not both.any():
        return None
    return SampledFlips(
        over_items(between[both], 0.0, 1.0, confidence),
        over_items(within[both], 0.0, 1.0, confidence),
        excess_interval(between[both] - within[both], float(between[both].mean()), confidence=confidence),
    )


def worst_wording(x: ArrayLike, *, confidence: float = 0.95, seed: int = 0) -> WorstWording | None:
    """Estimate the rate of each item's worst wording, without the luck that makes it the worst.

    The worst one of m wordings is the tail of share 1 / m over them, by split samples (:func:`.tails.tail_mean`).

    Args:
        x: Scores in [0, 1], more is worse, shape (items, wordings, samples); NaN where there is none.
        confidence: In (0, 1).
        seed: Of the splits.

    Returns:
        Over the items of which every wording has two samples; None where there are no two wordings, or no such item.
    """
    values = np.asarray(x, dtype=np.float64)
    wordings = values.shape[1]
    whole = (np.isfinite(values).sum(axis=2) >= 2).all(axis=1)
    if wordings < 2 or not whole.any():
        return None
    # Its own interval is over wordings and is not used.
    found = [tail_mean(one, share=1 / wordings, resamples=2, seed=seed) for one in values[whole]]
    rates = np.clip([one.estimate for one in found], 0.0, 1.0)
    return WorstWording(
        over_items(rates, 0.0, 1.0, confidence),
        float(np.mean([one.plug_in for one in found])),
        float(np.mean([one.null for one in found])),
        float(np.mean([one.mean for one in found])),
    )


def mean_of_known(values: Array) -> Array:
    """The mean of what is there along the last axis; NaN where nothing is."""
    count = np.isfinite(values).sum(axis=-1)
    return np.where(count > 0, np.nansum(values, axis=-1) / np.maximum(count, 1), np.nan)


def over_items(values: Array, low: float, high: float, confidence: float = 0.95) -> Interval:
    """Over the items that have a value; see :func:`.skewness.skewed_interval`."""
    return skewed_interval(values[np.isfinite(values)], low=low, high=high, confidence=confidence)


def _counts(n: ArrayLike, c: ArrayLike) -> tuple[Array, Array]:
    drawn, events = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if drawn.ndim != 2 or drawn.shape != events.shape:
        raise ValueError(f"n and c must both have shape (items, wordings), not {drawn.shape} and {events.shape}")
    odd = (events < 0) | (events > drawn) | (drawn != np.floor(drawn)) | (events != np.floor(events))
    if odd.any():
        raise ValueError(f"c must be counts of at most n={drawn[odd][0]:g}, not {events[odd][0]:g}")
    return drawn, events
