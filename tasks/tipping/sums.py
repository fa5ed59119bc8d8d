"""A small sum in the same reply: what an agent can do, measured in the round in which it chooses."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ...environments.json_objects import objects_in
from ...suite.seeds import generator

__all__ = ["PRACTISED", "Sum", "asked_sum", "draw_sum", "sum_of", "whole_number"]

PRACTISED = 5
"""The sum of 2 and 3, which stands wherever a form of answer is shown; no sum that is asked comes to it."""

_ASKED = re.compile(r"Add up (\d+) and (\d+)")
_LAST = 4000


@dataclass(frozen=True, slots=True)
class Sum:
    """Two numbers to add.

    Args:
        one: From 11 to 49, without a final 0.
        two: Likewise.
    """

    one: int
    two: int

    @property
    def text(self) -> str:
        """How it is asked."""
        return f'Add up {self.one} and {self.two}, and write the result as the "sum" of the same object.'

    @property
    def value(self) -> int:
        """What it comes to."""
        return self.one + self.two


def draw_sum(*path: str | int) -> Sum:
    """Draw a sum.

    Args:
        path: Names its luck: the same in all arms of an item, another in every round.
    """
    rng = generator("tipping", "sum", *path)
    tens, ones = rng.integers(1, 5, size=2), rng.integers(1, 10, size=2)
    one, two = (int(10 * t + o) for t, o in zip(tens, ones, strict=True))
    return Sum(one, two)


def asked_sum(text: str) -> int | None:
    """What the last sum that a prompt asks for comes to; None where it asks for none."""
    found = _ASKED.findall(text)
    return int(found[-1][0]) + int(found[-1][1]) if found else None


def sum_of(text: str) -> int | None:
    """Read a sum; see :func:`whole_number`.

    It is read by itself: a reply may have a sum and no readable choice, or the other way round.

    Args:
        text: The reply, thinking removed.
    """
    return whole_number(text, "sum")


def whole_number(text: str, name: str) -> int | None:
    """Read a whole number: of the last JSON object that has the name, else the last ``name: …`` in any form.

    Args:
        text: The reply, thinking removed.
        name: A word.

    Returns:
        None where there is none, what stands there is no whole number, or an object names anything twice.
    """
    text = text[-_LAST:]
    said: object = None
    for found in objects_in(text):
        if found is None:
            return None
        if name in found:
            said = found[name]
    if isinstance(said, str) and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", said):
        return int(said)
    if isinstance(said, int | float) and not isinstance(said, bool):
        return int(said) if math.isfinite(said) and said == int(said) else None
    if said is not None:
        return None
    loose = re.findall(rf"{name}[\"'`*]*\s*[:=]\s*[\"'`]?(-?[0-9]{{1,9}})(?![0-9.]*[0-9])", text, re.IGNORECASE)
    return int(loose[-1]) if loose else None
