"""The worlds that the task of factor effects plays: of each core one base, and what changes it along one axis.

Which parts they are, and the two ends of their scales, stand in ``factors.json``, which
``python -m finchmark.tasks.worlds --factors`` writes: it computes both ends exactly over the ten test levels of each
core, by the audit's backward induction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...environments.worlds.catalogue import CORES, WORLDS, Line
from ...environments.worlds.lookup import find_core
from ...environments.worlds.scale import LEAST_HEADROOM, has_scale
from ...environments.worlds.world import World
from .names import BASE, CHANGES

__all__ = ["PLACE", "Ends", "Variants", "make_variants", "variants"]

PLACE = Path(__file__).with_name("factors.json")

_LONGEST = 40
"""Steps of an episode at most: a world of 200 would outweigh all others in what a run costs."""


class Ends(NamedTuple):
    """The ends of a scale, means over the ten test levels; see :class:`Variants`."""

    random: float
    optimum: float


class Variants(NamedTuple):
    """What is played of one core.

    The random player and the optimum with full information depend neither on what is seen nor on the words, so that
    all arms with one reward have one scale, and a difference between them is one of play alone.

    Attributes:
        core: Its name.
        preset: The difficulty; all arms have the same levels.
        horizon: Steps; the same in all arms.
        parts: By arm: reward, observation and skin. Arms that the core lacks are missing.
        ends: By reward: chance and full-information optimum.
        levels: By reward and level hash, the same of each level.
    """

    core: str
    preset: str
    horizon: int
    parts: Mapping[str, tuple[str, str, str]]
    ends: Mapping[str, Ends]
    levels: Mapping[str, Mapping[str, Ends]]

    def world(self, arm: str) -> World | None:
        """The world of an arm; None where the core has none."""
        if arm not in self.parts:
            return None
        reward, observation, skin = self.parts[arm]
        return _combined(self.core, reward, observation, skin, self.horizon, self.preset)


@cache
def _combined(core: str, reward: str, observation: str, skin: str, horizon: int, preset: str) -> World:
    return World.combine(
        find_core(core), reward=reward, observation=observation, skin=skin, horizon=horizon, preset=preset
    )


@cache
def variants() -> dict[str, Variants]:
    """All cores with their variants, by name."""
    found = {}
    for core, row in json.loads(PLACE.read_text(encoding="utf-8")).items():
        found[core] = Variants(
            core,
            row["preset"],
            row["horizon"],
            {arm: tuple(parts) for arm, parts in row["parts"].items()},
            {reward: Ends(*ends) for reward, ends in row["ends"].items()},
            {reward: {n: Ends(*ends) for n, ends in own.items()} for reward, own in row["levels"].items()},
        )
    return found


def make_variants(core: str) -> dict[str, Any] | None:
    """Choose a core's variants and compute their scales: what stands in ``factors.json``.

    The base is the accumulative reward, the full observation and the aligned words, in the preset of the core's first
    accumulative world. A part of another kind is the one that the core's first world of that kind has, or else the
    core's first. The binary reward is left out where it has too little headroom with these levels.

    Returns:
        Plain data; None where no world of the core has passed its audit, or the core lacks the base.
    """
    own = [line for line in WORLDS if line.core == core and has_scale(line.name)]
    found = find_core(core)
    base = next((line for line in own if found.rewards[line.reward].kind == "accumulative"), None)
    kinds = {
        name: _part(own, found, axis, kind)
        for axis, kind, name in (
            ("reward", "accumulative", "reward"),
            ("observation", "full", "observation"),
            ("skin", "aligned", "skin"),
            ("reward", "binary", "binary"),
            ("observation", "partial", "partial"),
            ("skin", "inverse", "inverse"),
            ("skin", "abstract", "abstract"),
        )
    }
    reward, seen, words = kinds["reward"], kinds["observation"], kinds["skin"]
    if base is None or reward is None or seen is None or words is None:
        return None
    parts: dict[str, tuple[str, str, str]] = {BASE: (reward, seen, words)}
    for arm, change in CHANGES.items():
        part = kinds[arm]
        if part is None:
            continue
        place = ("reward", "observation", "semantics").index(change.axis)
        row = [reward, seen, words]
        row[place] = part
        parts[arm] = (row[0], row[1], row[2])
    horizon = min(base.horizon, _LONGEST)
    ends: dict[str, list[float]] = {}
    levels: dict[str, dict[str, list[float]]] = {}
    for paid in dict.fromkeys(own_parts[0] for own_parts in parts.values()):
        each, width = _solve(_combined(core, paid, seen, words, horizon, base.preset))
        mean = [round(sum(row[end] for row in each.values()) / len(each), 9) for end in (0, 1)]
        if mean[1] - mean[0] < LEAST_HEADROOM * width:
            parts = {arm: own_parts for arm, own_parts in parts.items() if own_parts[0] != paid}
            continue
        ends[paid], levels[paid] = mean, each
    if BASE not in parts:
        return None
    return {"preset": base.preset, "horizon": horizon, "parts": parts, "ends": ends, "levels": levels}


def _part(own: list[Line], core: Any, axis: str, kind: str) -> str | None:
    parts = getattr(core, f"{axis}s")
    used = [getattr(line, axis) for line in own]
    return next((name for name in (*used, *parts) if parts[name].kind == kind), None)


def _solve(world: World) -> tuple[dict[str, list[float]], float]:
    """Chance and optimum of each test level, and the width of the range over all of them."""
    from ...environments.worlds.audit.subject import Graphs, Subject

    facts = [fact for fact in Subject(world, Graphs(), {"test": 10}).facts if fact.split == "test"]
    width = max(fact.maximum for fact in facts) - min(fact.least for fact in facts)
    return {fact.hash: [round(fact.random, 9), round(fact.maximum, 9)] for fact in facts}, width


def cores() -> list[str]:
    """The cores that have variants, in the catalogue's order."""
    found = variants()
    return [core for core in CORES if core in found]
