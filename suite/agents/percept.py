"""What a learner without language gets of an observation: the same facts as the text, already read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["MOST_OPTIONS", "Option", "Percept"]

MOST_OPTIONS = 64
"""Where a world has more actions than this, they are not few: its percepts list none."""


@dataclass(frozen=True, slots=True)
class Option:
    """An action that the world could take now.

    Args:
        text: The reply that takes it, tags included.
        name: What it is called in every observation of the task, so that what was learnt of it holds at the next one.
        follows: The visible number whose growth it earns, where it earns that of one: a trader who holds a stock earns
            the growth of its price.
    """

    text: str
    name: str
    follows: str = ""


@dataclass(frozen=True, slots=True)
class Percept:
    """The facts of an observation, read from its text and from nothing else.

    It exists for references that know no language: what they reach with it any model could reach with the text. No
    model is shown it.

    Args:
        view: What there is to see, without what changes with the turn alone, so that a state that comes back looks the
            same.
        options: The actions, where they are few.
        numbers: The numbers that the text shows, by name.
        reward: What the last action earned, None before the first and where the text does not say so.
    """

    view: str
    options: tuple[Option, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    reward: float | None = None
