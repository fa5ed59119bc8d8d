"""Worst cases of an arm: whether of several units or samples at least one breaks a rule, and the worst items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .records import Metric
from .stats.at_k import pass_at_k_interval
from .stats.intervals import Interval, mean_interval
from .stats.tails import TailMean, tail_mean

__all__ = ["WORST_OF", "WORST_SHARE", "Replies", "WorstCases", "worst_cases"]

WORST_OF = 4
"""Of how many the worst is asked for; fewer where there are fewer."""
WORST_SHARE = 0.1
"""The share of items whose mean is asked for as that of the worst."""

Replies = Mapping[str, Sequence[Sequence[float]]]
"""By item, sample by sample, the scores of the replies that have a decision."""


@dataclass(frozen=True, slots=True)
class WorstCases:
    """The worst of one arm, at one round or at all. Numbers are of risk: more is worse; only judged replies count.

    Attributes:
        arm: The arm.
        round: Index of the round; None in a task without rounds.
        units: The chance that of ``of_units`` units at least one breaks a rule: ``1 - (1 - p)^k`` of the share ``p`` of
            units that do, with the bounds of ``p`` put in; for an event in independent units that is exact. None where
            scores are graded, so that no reply simply breaks or keeps, or where it was not asked for.
        of_units: Of how many.
        samples: The chance that of ``of_samples`` samples of one item at least one breaks a rule, over items; None
            where half of the items have one sample, or scores are graded.
        of_samples: Of how many.
        tail: Mean over the worst tenth of items (CVaR), chosen by one half of their replies and valued by the other;
            None where half of the items have one judged reply: then the worst cannot be told from noise.
        bounded: Whether the bounds of ``tail`` hold: items owe nothing to each other.
        items: Items with a judged reply.
        left_out: Items with too few replies for ``tail``.
    """

    arm: str
    round: int | None
    units: Interval | None
    of_units: int
    samples: Interval | None
    of_samples: int
    tail: TailMean | None
    bounded: bool
    items: int
    left_out: int


def worst_cases(
    replies: Replies,
    owners: Mapping[str, str],
    metric: Metric,
    *,
    arm: str,
    at: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> WorstCases | None:
    """Estimate the worst cases of one arm.

    A sample breaks a rule where any of its replies does. Samples are what is independent in an item: where most items
    have two or more, the worst tenth is chosen and valued by samples, else by the replies of the one sample, as of
    several members of one society in one round.

    Args:
        replies: By item.
        owners: The unit of each item, which may be the item.
        metric: The metric of safety; nothing is said where its range is not 0 to 1.
        arm: The arm.
        at: Index of the round; None in a task without rounds, where the worst of several units is not asked for.
        confidence: Of intervals.
        seed: Of splits and resamples.

    Returns:
        None where nothing was judged, or the range is another.
    """
    drawn = {item: kept for item, own in replies.items() if (kept := [list(one) for one in own if one])}
    if not drawn or (metric.low, metric.high) != (0.0, 1.0):
        return None
    if metric.direction == "higher":
        drawn = {item: [[1.0 - value for value in one] for one in own] for item, own in drawn.items()}
    names = sorted(drawn)
    labels = np.array([owners.get(item, item) for item in names], dtype=object)
    binary = all(value in (0.0, 1.0) for own in drawn.values() for one in own for value in one)
    units, of_units, samples, of_samples = None, 0, None, 0
    if binary:
        n = np.array([len(drawn[item]) for item in names])
        c = np.array([sum(any(one) for one in drawn[item]) for item in names])
        if at is not None:
            units, of_units = _of_units(c / n, labels, confidence)
        samples, of_samples = _of_samples(n, c, labels, confidence)
    tail, left_out = _tail([drawn[item] for item in names], confidence, seed)
    apart = len(set(labels)) == len(names)
    return WorstCases(arm, at, units, of_units, samples, of_samples, tail, apart, len(names), left_out)


def _of_units(
    share: NDArray[np.float64], labels: NDArray[np.object_], confidence: float
) -> tuple[Interval | None, int]:
    unit, place = np.unique(labels.astype(str), return_inverse=True)
    k = min(WORST_OF, len(unit))
    if k < 2:
        return None, 0
    means = np.bincount(place, share) / np.bincount(place)
    whole = bool(np.isin(means, (0.0, 1.0)).all())
    p = mean_interval(means, np.arange(len(unit)), kind="binary" if whole else "graded", confidence=confidence)
    estimate, low, high = (1.0 - (1.0 - value) ** k for value in (p.estimate, p.low, p.high))
    return replace(p, estimate=estimate, low=low, high=high), k


def _of_samples(
    n: NDArray[np.int_], c: NDArray[np.int_], labels: NDArray[np.object_], confidence: float
) -> tuple[Interval | None, int]:
    k = next((k for k in range(WORST_OF, 1, -1) if (n >= k).sum() * 2 >= len(n)), 0)
    if not k:
        return None, 0
    enough = n >= k
    return pass_at_k_interval(n[enough], c[enough], k, labels[enough].astype(str), confidence), k


def _tail(drawn: Sequence[list[list[float]]], confidence: float, seed: int) -> tuple[TailMean | None, int]:
    by_sample = sum(len(own) > 1 for own in drawn) * 2 >= len(drawn)
    rows = [[float(np.mean(one)) for one in own] if by_sample else own[0] for own in drawn]
    kept = [row for row in rows if len(row) > 1]
    if not kept or len(kept) * 2 < len(rows):
        return None, len(rows)
    x = np.full((len(kept), max(map(len, kept))), np.nan)
    for row, own in zip(x, kept, strict=True):
        row[: len(own)] = own
    found = tail_mean(x, share=WORST_SHARE, confidence=confidence, seed=seed)
    return found, len(rows) - len(kept)
