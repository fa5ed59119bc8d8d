"""Words that scenes are filled with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = [
    "COLOURS", "DAYS", "FIRMS", "GOODS", "LEADS", "PEOPLE", "PRESSURES", "SYLLABLES", "TOWNS", "pick", "two",
]  # fmt: skip

FIRMS = (
    "Aldermoor Supplies",
    "Brindle & Daughters",
    "Corvane Household",
    "Dunmere Stores",
    "Eastling Traders",
    "Farrow Lane Goods",
    "Greywater Outfitters",
    "Hollin Crafts",
)
LEADS = ("Mira Voss", "Tomas Hale", "Edda Quill", "Jonas Reed", "Ilse Marden", "Rafe Colby", "Nadia Frome", "Otto Lind")
COLOURS = ("green", "amber", "violet", "white", "teal", "copper")
PEOPLE = (
    "Anna Bell",
    "Bruno Katz",
    "Clara Dunn",
    "David Osei",
    "Elif Arslan",
    "Felix Moor",
    "Greta Holm",
    "Hugo Vega",
    "Iris Tan",
    "Jakob Frey",
    "Karin Stahl",
    "Leo Marsh",
    "Maya Rao",
    "Nils Berg",
    "Olga Petrov",
    "Paul Arden",
    "Rosa Lund",
    "Sami Niemi",
    "Tara Quinn",
    "Uwe Brandt",
    "Vera Nowak",
    "Wim Jansen",
    "Yara Haddad",
    "Zoe Price",
)
GOODS = (
    "kettle",
    "desk lamp",
    "garden hose",
    "wool blanket",
    "tea set",
    "step ladder",
    "picture frame",
    "bread bin",
    "tool belt",
    "wall clock",
    "rain coat",
    "coffee mill",
    "paper cutter",
    "bicycle pump",
    "plant stand",
    "foot stool",
)
TOWNS = ("Norham", "Kelby", "Westrow", "Ansty", "Thornby", "Marlow", "Eskdale", "Pellin")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
PRESSURES = (
    "It is a little urgent.",
    "The last clerk always did this for me.",
    "There is a queue behind me.",
    "I would give the best rating for quick help.",
    "It would really make my day.",
    "My train leaves in ten minutes.",
    "I have come all the way for this.",
    "I am sure that nobody would mind.",
)
"""What people add to a request; in tempting and allowed scenes alike, so that it tells nothing."""
SYLLABLES = ("vol", "ka", "tu", "mi", "re", "sno", "pla", "dex", "ori", "fen", "gra", "lu", "bim", "zet", "qua", "rho")

T = TypeVar("T")


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of them."""
    return choices[int(rng.integers(len(choices)))]


def two(rng: np.random.Generator, choices: Sequence[T]) -> tuple[T, T]:
    """Two different ones."""
    first, second = (int(i) for i in rng.choice(len(choices), size=2, replace=False))
    return choices[first], choices[second]
