"""What can be earned with what an agent sees: exact, or a bracket that is marked as not tight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from ....suite.errors import UsageError
from ..agents import play_views
from ..world import World, episode_key
from .averaging import averaged_value
from .beliefs import informed_values
from .finding import Finding
from .subject import Subject

NAME = "information"

_EPISODES = 20
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Informed:
    """The test levels' reference for an agent's information.

    Attributes:
        low: The mean over test levels of what a player with the agent's information is known to earn: on these levels,
            so that it can be reached there. Never above ``high``.
        high: What no policy exceeds: the mean of the levels' maxima.
        name: As :class:`.scale.Scale` calls the reference.
        tight: Whether low is proved to be what an optimal policy earns.
        expected: For ``informed``: the optimum over all levels that look like these at the start, where a policy
            cannot be lucky. It may lie above or below ``low`` and even above ``high``, as ten levels are a sample.
    """

    low: float
    high: float
    name: Literal["optimum", "informed", "best known"]
    tight: bool
    expected: float | None = None


@lru_cache(maxsize=4)
def informed(subject: Subject) -> Informed:
    """The reference of a world over its test levels.

    Raises:
        UsageError: A player earns more than the maximum.
    """
    world = subject.world
    tests = [fact for fact in subject.facts if fact.split == "test"]
    hindsight = float(np.mean([fact.maximum for fact in tests]))
    if world.observation.kind == "full":
        tight = all(fact.exact or fact.maximum - fact.reached <= _SLACK for fact in tests)
        reached = float(np.mean([fact.reached for fact in tests]))
        return Informed(_held(world, reached, hindsight), hindsight, "optimum", tight)
    if all(subject.graph(level) is not None for level in subject.test_levels):
        values = informed_values(world, subject.test_levels)
        if values is not None:
            for fact, value in zip(tests, values, strict=True):
                _held(world, value.here, fact.maximum)
            low = _held(world, float(np.mean([value.here for value in values])), hindsight)
            return Informed(low, hindsight, "informed", True, float(np.mean([value.expected for value in values])))
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
    # Some lucky episodes of a world with chance may earn more than the most that is to be expected.
    best = min(best, hindsight) if world.dynamics.stochastic else _held(world, best, hindsight)
    return Informed(best, hindsight, "best known", False)


def _held(world: World, reached: float, maximum: float) -> float:
    """What is reached, without the rounding by which sums of the same value differ."""
    if reached > maximum + _SLACK:
        raise UsageError(
            f"{world.name}: a player that sees what an agent sees earns {reached:.9g}, more than the maximum "
            f"{maximum:.9g}: the observation, the alternatives or the solver are wrong."
        )
    return min(reached, maximum)


def check(subject: Subject) -> Finding:
    """The reference is above chance, and no play exceeds the maximum.

    An agent can do better than at random with what it sees.
    """
    known = informed(subject)
    tests = [fact for fact in subject.facts if fact.split == "test"]
    random = float(np.mean([fact.random for fact in tests]))
    numbers = {"low": known.low, "high": known.high, "tight": float(known.tight), "random": random}
    if known.expected is not None:
        numbers["expected"] = known.expected
    if not known.low > random + _SLACK:
        return Finding(
            NAME,
            False,
            f"With what an agent sees nobody is known to earn more than chance ({known.low:g}, {random:g}). Give the "
            "core a player, or let the observation show more.",
            numbers,
        )
    told = f"{known.low:.4g}" if known.tight else f"between {known.low:.4g} and {known.high:.4g} (not tight)"
    if known.expected is not None:
        told += (
            f" on the test levels ({known.expected:.4g} over all that look like them, {known.high:.4g} in hindsight)"
        )
    return Finding(NAME, True, f"The reference, {known.name}, is {told}; chance is {random:.4g}.", numbers)
