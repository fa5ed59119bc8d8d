"""What can be earned with what an agent sees: exact, or a bracket that is marked as not tight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from ..agents import play_views
from ..world import episode_key
from .averaging import averaged_value
from .beliefs import informed_value
from .finding import Finding
from .subject import Subject

NAME = "information"

_EPISODES = 20
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Informed:
    """The test levels' reference for an agent's information.

    Attributes:
        low: The mean over test levels of what a player with the agent's information is known to reach.
        high: What none can exceed.
        name: As :class:`.scale.Scale` calls the reference.
        tight: Whether low and high are one proved value.
    """

    low: float
    high: float
    name: Literal["optimum", "informed", "best known"]
    tight: bool


@lru_cache(maxsize=4)
def informed(subject: Subject) -> Informed:
    """The bracket of a world over its test levels."""
    world = subject.world
    tests = [fact for fact in subject.facts if fact.split == "test"]
    hindsight = float(np.mean([fact.maximum for fact in tests]))
    reached = float(np.mean([fact.reached for fact in tests]))
    if world.observation.kind == "full":
        tight = all(fact.exact or fact.maximum - fact.reached <= _SLACK for fact in tests)
        return Informed(reached, hindsight, "optimum", tight)
    values: list[float] = []
    for level in subject.test_levels:
        value = informed_value(world, level) if subject.graph(level) is not None else None
        if value is None:
            break
        values.append(value)
    if len(values) == len(tests):
        mean = float(np.mean(values))
        return Informed(mean, mean, "informed", True)
    best = float(np.mean([fact.random for fact in tests]))
    if world.core.player is not None:
        totals = [
            np.mean([play_views(world, world.load(level), episode_key(level, n)).total for n in range(_EPISODES)])
            for level in subject.test_levels
        ]
        best = max(best, float(np.mean(totals)))
    averaged: list[float] = []
    for level in subject.test_levels:
        value = averaged_value(world, level) if subject.graph(level) is not None else None
        if value is None:
            break
        averaged.append(value)
    if len(averaged) == len(tests):
        best = max(best, float(np.mean(averaged)))
    return Informed(best, hindsight, "best known", False)


def check(subject: Subject) -> Finding:
    """The reference is above chance: an agent can do better than at random with what it sees."""
    known = informed(subject)
    tests = [fact for fact in subject.facts if fact.split == "test"]
    random = float(np.mean([fact.random for fact in tests]))
    numbers = {"low": known.low, "high": known.high, "tight": float(known.tight), "random": random}
    if not known.low > random + _SLACK:
        return Finding(
            NAME,
            False,
            f"With what an agent sees nobody is known to earn more than chance ({known.low:g}, {random:g}). Give the "
            "core a player, or let the observation show more.",
            numbers,
        )
    told = f"{known.low:.4g}" if known.tight else f"between {known.low:.4g} and {known.high:.4g} (not tight)"
    return Finding(NAME, True, f"The reference, {known.name}, is {told}; chance is {random:.4g}.", numbers)
