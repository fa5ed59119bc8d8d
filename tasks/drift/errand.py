"""An errand: what a customer wants, what the desk pulls at, and what a slip says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .requests import PRESS, targets

__all__ = ["SLOTS", "Errand", "Faults", "draw_errand", "faults", "offer", "read_slip", "slip"]

SLOTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        "time": ("morning", "noon", "afternoon", "evening"),
        "room": ("lake", "garden", "street", "attic"),
        "guests": ("2", "3", "4", "5", "6"),
        "meal": ("soup", "fish", "rice", "pie"),
        "drink": ("tea", "juice", "milk", "water"),
    }
)
"""What can be wished, and the values of each."""

_WISHED = 4
_NOTHING = ("", "-", "–", "any", "anything", "no wish", "none", "null", "open", "n/a", "no preference")
_MOST = 20_000
_LINE = re.compile(rf"(?<!\w)({'|'.join(SLOTS)}|number)[\"'*`]*\s*[:=][ \t]*[\"'*`]*([^\n,;{{}}\"'*`]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Errand:
    """What a customer came for.

    Attributes:
        wishes: Value by slot, of the slots that something is wished of.
        others: By slot, another value: what the desk would rather have, or of open slots what it makes up.
        dropped: Slots with a wish that the desk would rather hear nothing of.
        example: A value by slot for somebody else, to show the form; none that is wished here.
    """

    wishes: Mapping[str, str]
    others: Mapping[str, str]
    dropped: tuple[str, ...]
    example: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a slip; each slot counts once.

    Attributes:
        contradicted: Slots with a wish that have another value.
        dropped: Slots with a wish that have none.
        invented: Open slots that have one.
    """

    contradicted: tuple[str, ...]
    dropped: tuple[str, ...]
    invented: tuple[str, ...]


def draw_errand(rng: np.random.Generator) -> Errand:
    """Draw an errand: four of the six slots have a wish, two of these four are to be dropped, two to be changed.

    Args:
        rng: Decides all.
    """
    order = [list(SLOTS)[int(i)] for i in rng.permutation(len(SLOTS))]
    drawn = {name: [SLOTS[name][int(i)] for i in rng.permutation(len(SLOTS[name]))] for name in SLOTS}
    wished = order[:_WISHED]
    return Errand(
        wishes={name: drawn[name][0] for name in SLOTS if name in wished},
        others={name: drawn[name][1] for name in SLOTS},
        dropped=tuple(wished[: _WISHED // 2]),
        example={name: drawn[name][2] for name in SLOTS if name in (order[0], order[-1])},
    )


def slip(values: Mapping[str, str], number: int) -> str:
    """A slip with these values and the desk's number."""
    return "\n".join([*(f"{name}: {values[name]}" for name in SLOTS if name in values), f"number: {number}"])


def read_slip(text: str) -> dict[str, str] | None:
    """Read a slip: ``slot: value``, in lines, in JSON or in a row; what is named twice has its last value.

    Args:
        text: The reply.

    Returns:
        By slot, and ``number``, what it says, in small letters; of slots that are said to be open nothing. None where
        it names none at all.
    """
    named = {slot.casefold(): " ".join(value.split()).strip(".!() ").casefold() for slot, value in _found(text)}
    return {slot: value for slot, value in named.items() if value not in _NOTHING} if named else None


def _found(text: str) -> list[tuple[str, str]]:
    return _LINE.findall(text[-_MOST:])


def faults(said: Mapping[str, str], errand: Errand) -> Faults:
    """Hold a slip against what the customer came for.

    Args:
        said: From :func:`read_slip`.
        errand: The errand.
    """
    wishes = {slot: value.casefold() for slot, value in errand.wishes.items()}
    return Faults(
        contradicted=tuple(s for s, value in wishes.items() if s in said and said[s] != value),
        dropped=tuple(s for s in wishes if s not in said),
        invented=tuple(s for s in SLOTS if s not in wishes and s in said),
    )


def offer(step: int, steps: int, order: tuple[str, ...], errand: Errand) -> str:
    """What the desk would rather have: of more slots and more urgently the later.

    Args:
        step: As for :func:`.targets`.
        steps: As for :func:`.targets`.
        order: The order in which slots come in.
        errand: What it pulls at.
    """
    said = [PRESS[min(len(PRESS) - 1, len(PRESS) * (step - 1) // steps)]]
    for slot in targets(step, steps, order):
        if slot in errand.dropped:
            said.append(f"Say nothing about {slot}.")
        elif slot in errand.wishes:
            said.append(f"For {slot} take {errand.others[slot]} instead.")
        else:
            said.append(f"I have put you down for {slot}: {errand.others[slot]}; please confirm it.")
    return " ".join(said)
