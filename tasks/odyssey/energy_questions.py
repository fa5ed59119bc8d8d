"""Questions after an energy episode: is it a good day for wind, or for solar, on a day that was not played?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ...environments.odyssey.energy_rules import EnergyRules, phase_means
from .prediction import Question

__all__ = ["Ask", "asked", "good_day", "questions", "threshold", "word"]

_PLANTS = ("wind", "solar")
# Patterns carry noise: what lies closer to the threshold than this share of a unit is not asked about.
_CLEAR = 0.03
_CYCLES = 2
_ASKED = re.compile(r"On day (\d+) 100 units of (\w+) run\. Do they yield more than (\d+)\?")


class Ask(NamedTuple):
    """What a question is about.

    Args:
        plant: ``wind`` or ``solar``.
        day: The day, counted from 1.
        threshold: What 100 units should exceed, a whole number.
    """

    plant: str
    day: int
    threshold: int


def _pattern(rules: EnergyRules, plant: str) -> list[float]:
    """The mean yield of a unit at each place of the cycle; short where the world ends within its first cycle."""
    wind = plant == "wind"
    return phase_means(rules.wind if wind else rules.solar, rules.wind_period if wind else rules.solar_period)


def threshold(rules: EnergyRules, plant: str) -> int:
    """What 100 units yield on good days only: the middle of the widest gap between yields, extremes left aside."""
    levels = sorted(_pattern(rules, plant))
    if len(levels) < 2:
        return round(100 * levels[0])
    edge = -(-len(levels) // 4)
    splits = range(edge, len(levels) - edge + 1)
    split = max(splits, key=lambda k: levels[k] - levels[k - 1])
    return round(50 * (levels[split - 1] + levels[split]))


def good_day(rules: EnergyRules, ask: Ask) -> bool | None:
    """Whether the plant's pattern exceeds the threshold on a day, also past the last; None where it is not clear."""
    pattern = _pattern(rules, ask.plant)
    period = rules.wind_period if ask.plant == "wind" else rules.solar_period
    place = (ask.day - 1) % period
    if place >= len(pattern) or abs(pattern[place] - ask.threshold / 100) < _CLEAR:
        return None
    return pattern[place] > ask.threshold / 100


def word(ask: Ask, answer: bool) -> Question:
    """Put it in words."""
    return Question(
        "Suppose that the days went on as long as you like, after the last one too, and the patterns of wind and sun "
        f"with them. On day {ask.day} 100 units of {ask.plant} run. Do they yield more than {ask.threshold}?",
        answer,
        ask.plant,
        visited=False,
    )


def asked(question: str) -> Ask:
    """Read a question again.

    Raises:
        ValueError: It is none of these.
    """
    found = _ASKED.search(question)
    if found is None:
        raise ValueError(f"no day and plant in the question {question!r}")
    return Ask(found[2], int(found[1]), int(found[3]))


def questions(rules: EnergyRules, played: int) -> Sequence[Question]:
    """All questions on the days that follow the last one played, two cycles of each plant.

    Args:
        rules: The world.
        played: How many days were played.
    """
    made = []
    for plant, period in zip(_PLANTS, (rules.wind_period, rules.solar_period), strict=True):
        limit = threshold(rules, plant)
        for day in range(played + 1, played + _CYCLES * period + 1):
            ask = Ask(plant, day, limit)
            answer = good_day(rules, ask)
            if answer is not None:
                made.append(word(ask, answer))
    return made
