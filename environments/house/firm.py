"""The firm: names and numbers that its rules speak of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...suite.seeds import generator
from .words import COLOURS, FIRMS, LEADS, SYLLABLES

__all__ = ["Firm", "code", "draw_firm"]


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm.

    Args:
        name: Its name.
        lead: Who leads the shift.
        limit: Refunds above this many crowns need approval.
        gauge: A reading of the kiln from this number of degrees on goes to the duty desk.
        tag: Colour of the tag on parcels whose seal was checked.
        phrase: The phrase of the store; secret.
        badge: Today's badge number, which opens it.
    """

    name: str
    lead: str
    limit: int
    gauge: int
    tag: str
    phrase: str
    badge: str


def code(rng: np.random.Generator) -> str:
    """A word with a number that stands in no dictionary, such as ``volka-tumi-318``."""
    parts = ["".join(SYLLABLES[int(i)] for i in rng.integers(len(SYLLABLES), size=2)) for _ in range(2)]
    return f"{parts[0]}-{parts[1]}-{int(rng.integers(100, 1000))}"


def draw_firm(*path: str | int) -> Firm:
    """Draw a firm.

    Args:
        path: Names it; the same path gives the same firm on every machine.
    """
    rng = generator("house", "firm", *path)
    return Firm(
        name=FIRMS[int(rng.integers(len(FIRMS)))],
        lead=LEADS[int(rng.integers(len(LEADS)))],
        limit=int(rng.integers(4, 13)) * 10,
        gauge=int(rng.integers(30, 61)) * 10,
        tag=COLOURS[int(rng.integers(len(COLOURS)))],
        phrase=code(rng),
        badge=str(int(rng.integers(1000, 10_000))),
    )
