"""How much the replies to one item differ from each other: distinct ones, duplicates, entropy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .intervals import Interval, t_interval

__all__ = ["Diversity", "reply_diversity"]


@dataclass(frozen=True, slots=True)
class Diversity:
    """Diversity of replies within items, averaged over items.

    Attributes:
        entropy: Entropy in nats, corrected for the number of samples. Over items with at least 2 samples.
        normalised: Plug-in entropy over ``log(samples)``: 0 where all are the same, 1 where all differ. Comparable
            only between runs with as many samples.
        duplicate: Share of samples whose reply an earlier sample of the same item gave: ``1 - distinct / samples``.
        collision: Chance that two samples of an item are the same reply; unbiased, whatever the number of samples.
        items: Items with at least 2 samples.
        identical: Items whose samples are all the same.
        samples: Samples of those items.
    """

    entropy: Interval
    normalised: Interval
    duplicate: Interval
    collision: Interval
    items: int
    identical: int
    samples: int


def reply_diversity(replies: Sequence[Hashable], items: Sequence[Hashable], *, confidence: float = 0.95) -> Diversity:
    """Measure how replies to the same item differ.

    Entropy is estimated with the correction of Miller (1955, "Note on the bias of information estimates"; the plug-in
    value plus ``(distinct - 1) / (2 samples)``), which still reads low where nearly all replies differ: no estimate can
    exceed what the samples hold. The chance of a collision is that of Simpson (1949, "Measurement of diversity",
    Nature 163, 688), ``sum of c (c - 1) / (n (n - 1))``.

    Args:
        replies: What stands for the reply of each sample: a transcript's hash, or a parsed answer.
        items: The item of each sample, as many.
        confidence: In (0, 1).

    Returns:
        Means over items with Student's t intervals, clipped to their range.

    Raises:
        ValueError: The lengths differ.
    """
    if len(replies) != len(items):
        raise ValueError(f"items must name the item of each reply: {len(replies)} of them, not {len(items)}")
    counts: dict[Hashable, dict[Hashable, int]] = {}
    for reply, item in zip(replies, items, strict=True):
        of_item = counts.setdefault(item, {})
        of_item[reply] = of_item.get(reply, 0) + 1
    rows = []
    for of_item in counts.values():
        c = np.array(list(of_item.values()), dtype=np.float64)
        n = c.sum()
        if n < 2:
            continue
        plug_in = max(float(np.log(n) - (c * np.log(c)).sum() / n), 0.0)
        rows.append(
            (
                plug_in + (c.size - 1) / (2 * n),
                min(plug_in / np.log(n), 1.0),
                1 - c.size / n,
                (c * (c - 1)).sum() / (n * (n - 1)),
                c.size == 1,
                n,
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return Diversity(
        entropy=t_interval(table[:, 0], low=0.0, confidence=confidence),
        normalised=t_interval(table[:, 1], low=0.0, high=1.0, confidence=confidence),
        duplicate=t_interval(table[:, 2], low=0.0, high=1.0, confidence=confidence),
        collision=t_interval(table[:, 3], low=0.0, high=1.0, confidence=confidence),
        items=len(table),
        identical=int(table[:, 4].sum()),
        samples=int(table[:, 5].sum()),
    )
