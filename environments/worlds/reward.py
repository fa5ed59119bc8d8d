"""The second axis of a world: what pays. It reads events and nothing else."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ...suite.errors import UsageError
from .dynamics import Event

__all__ = ["Pays", "Reward"]


class Reward(abc.ABC):
    """What a step pays, and which events end an episode because nothing is left to win.

    It sees events, never a state: what it pays for must have happened. It has no memory either, so that what pays once
    happens once: a core guards its events in its state.

    Attributes:
        name: Of this variant, such as ``binary``.
        kind: ``binary``: an episode's rewards sum to 0 or 1. ``accumulative``: to anything.
        goal: What the player is told of it; ``{word}`` stands for a word of the skin.
        reads: The events that it pays for or ends on; the core must know them.
    """

    name: str
    kind: Literal["binary", "accumulative"]
    goal: str

    @property
    @abc.abstractmethod
    def reads(self) -> frozenset[str]:
        """Names of the events that it knows."""

    @abc.abstractmethod
    def pay(self, events: Sequence[Event]) -> float:
        """What a step pays; finite, and 0.0 for no events."""

    @abc.abstractmethod
    def ends(self, events: Sequence[Event]) -> bool:
        """Whether the episode ends with these events."""

    @abc.abstractmethod
    def weight(self, event: str) -> float:
        """What one unit of an event pays: batched stepping needs rewards that are linear in amounts."""


@dataclass(frozen=True, eq=False)
class Pays(Reward):
    """A reward that is a sum over events: a price times the amount.

    Args:
        name: Of this variant.
        kind: ``binary`` or ``accumulative``.
        goal: What the player is told; ``{word}`` stands for a word of the skin.
        prices: By event, finite.
        last: Events that end the episode.
    """

    name: str
    kind: Literal["binary", "accumulative"]
    goal: str
    prices: Mapping[str, float]
    last: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for event, price in self.prices.items():
            if not math.isfinite(price):
                raise UsageError(f"The reward {self.name!r} pays {price} for {event!r}: prices are finite numbers.")
        object.__setattr__(self, "prices", dict(self.prices))

    @property
    def reads(self) -> frozenset[str]:
        """Names of the events that it knows."""
        return frozenset(self.prices) | self.last

    def pay(self, events: Sequence[Event]) -> float:
        """The sum over events of price times amount."""
        total = 0.0
        for name, amount in events:
            price = self.prices.get(name)
            if price is not None:
                total += price * amount
        return total

    def ends(self, events: Sequence[Event]) -> bool:
        """Whether one of the last events happened."""
        return any(event.name in self.last for event in events) if self.last else False

    def weight(self, event: str) -> float:
        """The event's price, 0.0 if it has none."""
        return self.prices.get(event, 0.0)
