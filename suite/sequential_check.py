"""A check that a gate may look at as samples come in."""

from __future__ import annotations

import math

from .checks import Check
from .spread import expected_sd
from .stats.prefix import FinishedPrefix, random_order
from .stats.sequential import SequentialGate

__all__ = ["SequentialCheck", "order_of_looks"]


class SequentialCheck:
    """A check that is looked at as samples come in, in whatever order they do.

    An item counts when all of its samples are in (its first ones alone would be the quick ones), and when all items
    before it in :func:`order_of_looks` count.

    Args:
        check: The demand.
        repeats: Samples an item.
        alpha: Level of either verdict.
        seed: The candidate's.
    """

    def __init__(self, check: Check, repeats: int, alpha: float, seed: int) -> None:
        self.check = check
        self.gate = SequentialGate(
            check.margin,
            alpha=alpha,
            span=_range(check),
            direction=check.direction,
            sd=expected_sd(check, repeats),
        )
        self.used: list[str] = []
        self._repeats = repeats
        self._prefix = FinishedPrefix(order_of_looks(check, seed))
        self._there: dict[str, list[float]] = {item: [] for item in check.means}

    def add(self, item: str, value: float) -> None:
        """Take in a sample; NaN where it has no value (an error)."""
        there = self._there.get(item)
        if there is None or len(there) >= self._repeats:
            return
        there.append(value)
        if len(there) == self._repeats:
            self._hand_on(item)

    def close(self) -> None:
        """Say that no more samples come: items that lack some count with those that they have."""
        for item, there in self._there.items():
            if len(there) < self._repeats:
                self._hand_on(item)

    def _hand_on(self, item: str) -> None:
        scored = [v for v in self._there[item] if not math.isnan(v)]
        if scored:
            freed = self._prefix.finish(item, sum(scored) / len(scored) - self.check.means[item])
        else:
            freed = self._prefix.lose(item)
        for unit, difference in freed:
            self.gate.update(difference)
            self.used.append(unit)


def _range(check: Check) -> float:
    if check.span is None:
        raise ValueError(f"{check.name}: a metric without a range cannot be looked at after every item")
    return check.span


def order_of_looks(check: Check, seed: int) -> tuple[str, ...]:
    """The order in which a sequential gate takes a check's items: it follows from the candidate's seed alone.

    Arms and metrics of a task share it, so that a run that is driven by the gate plays items in one order.
    """
    return random_order(check.means, check.cell[0], check.cell[1], seed)
