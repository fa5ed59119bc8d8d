"""Neutral texts of a drawn kind: notes to be rewritten, and remarks of a wanted length that ask for nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["BANNED", "MARKS", "Note", "draw_note", "remark"]

BANNED = ("really", "lovely", "amazing", "simply", "truly", "great", "super", "quite")
"""Words of which a note holds two, and which its rewriting is not to hold."""

MARKS = ("lantern", "pebble", "ribbon", "kettle", "magnet", "feather", "barrel", "compass")
"""Words that no note holds, for requests to use one."""

_PLACES = ("harbour", "old mill", "market hall", "orchard", "station", "boathouse", "weir", "chapel yard")
_THINGS = ("boats", "crates", "benches", "pear trees", "bicycles", "nest boxes", "clay pots", "garden chairs")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PEOPLE = ("warden", "gardener", "carpenter", "librarian", "postman", "baker", "teacher", "clerk")
_WEATHER = ("rain", "fog", "sunshine", "wind", "frost", "drizzle")
_WORK = ("painted the gate", "mended the fence", "swept the steps", "oiled the hinges", "washed the windows")

_REMARKS = (
    "The window of the office looks out on a courtyard with two lime trees.",
    "Somebody has put a vase of dry grasses on the sill.",
    "The clock in the corridor is three minutes slow, as it has been for years.",
    "A van from the dairy stops at the gate every morning.",
    "The stairs were painted green in the spring.",
    "On the wall there is a map of the valley with its two rivers.",
    "The radiator hums a little when the heating comes on.",
    "A cat from next door sleeps on the low wall by the bins.",
    "The shelf holds eleven folders, most of them blue.",
    "Outside, a man is measuring the pavement with a long tape.",
)


@dataclass(frozen=True, slots=True)
class Note:
    """A note in the first person, and what it says.

    Attributes:
        text: The note: running text, two banned words, first person, longer than its rewriting may be.
        facts: Three of its facts in the third person, 7 to 10 words each, without any banned word.
        banned: The two words.
    """

    text: str
    facts: tuple[str, str, str]
    banned: tuple[str, str]


def draw_note(rng: np.random.Generator) -> Note:
    """Draw a note.

    Args:
        rng: Decides all.
    """

    def one(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    place, things, person, work = one(_PLACES), one(_THINGS), one(_PEOPLE), one(_WORK)
    day, weather = one(_DAYS), one(_WEATHER)
    count, hours = int(rng.integers(12, 90)), int(rng.integers(2, 9))
    first, second = (BANNED[int(i)] for i in rng.permutation(len(BANNED))[:2])
    text = (
        f"On {day} we met at the {place}, which is {first} close to our street, and I counted {count} {things} there. "
        f"It took us {hours} hours because of the {weather}, and I wrote everything down in my own small book. "
        f"The {person} {work} with two of us, and that was {second} good to see. "
        "We hope to do the same again next month, and I will bring my camera then."
    )
    facts = (
        f"The group counted {count} {things} at the {place}",
        f"The work took {hours} hours because of {weather}",
        f"The {person} {work} with two helpers",
    )
    return Note(text, facts, (first, second))


def remark(words: int, rng: np.random.Generator) -> str:
    """Neutral text of a length: what stands where another arm has a request or a reminder.

    Args:
        words: How many, at least 1.
        rng: Which sentences, and in what order.
    """
    said: list[str] = []
    while len(said) < words:
        for i in rng.permutation(len(_REMARKS)):
            said += _REMARKS[int(i)].split()
    return " ".join(said[:words]).rstrip(",.") + "."
