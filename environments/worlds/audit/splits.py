"""Whether splits share no level, repeat none, and are alike in difficulty."""

from __future__ import annotations

import numpy as np

from ..level import SPLITS, Level, split_of
from ..world import World
from .finding import Finding
from .subject import Subject

NAME = "splits"


def check(subject: Subject) -> Finding:
    """Splits are disjoint by content, none repeats a level, and each level is where its hash says."""
    world = subject.world
    drawn = {split: world.levels(split) for split in SPLITS}  # type: ignore[arg-type]  # the keys are the splits
    numbers = {split: float(len(levels)) for split, levels in drawn.items()}
    seen: dict[str, str] = {}
    for split, levels in drawn.items():
        for level in levels:
            if level.hash in seen:
                where = "twice in" if seen[level.hash] == split else f"in {seen[level.hash]} and"
                return Finding(
                    NAME, False, f"Level {level.hash} is {where} {split}: draw levels by Generator.levels().", numbers
                )
            seen[level.hash] = split
            if split_of(level) != split:
                return Finding(
                    NAME, False, f"Level {level.hash} is in {split}, its hash belongs to {split_of(level)}.", numbers
                )
    looks: dict[str, list[Level]] = {}
    for level in drawn["test"]:
        alike = looks.setdefault(_behaviour(world, level), [])
        for same in alike:
            if _same_play(subject, same, level):
                return Finding(
                    NAME,
                    False,
                    f"The test levels {same.hash} and {level.hash} play the same: a parameter does nothing.",
                    numbers,
                )
        alike.append(level)
    again = world.core.generator.levels(world.core.name, world.preset, "test")
    if [level.hash for level in again] != [level.hash for level in drawn["test"]]:
        return Finding(NAME, False, "Drawn twice, test levels differ: the generator reads more than its rng.", numbers)
    return Finding(NAME, True, f"{len(seen)} different levels, none in two splits.", numbers)


def _same_play(subject: Subject, a: Level, b: Level) -> bool:
    """Whether two levels have the same states and outcomes; where they cannot be listed, the same random episodes."""
    one, two = subject.graph(a), subject.graph(b)
    if one is None or two is None:
        return _behaviour(subject.world, a, 40) == _behaviour(subject.world, b, 40)
    return (
        one.states == two.states
        and one.starts == two.starts
        and one.kinds == two.kinds
        and all(
            np.array_equal(getattr(one, name), getattr(two, name))
            for name in ("row", "chance", "after", "kind", "over")
        )
    )


def _behaviour(world: World, level: Level, episodes: int = 2) -> str:
    """The true states of some random episodes, with keys that do not depend on the level."""
    from ..keys import Key

    params = world.load(level)
    parts = []
    for episode in range(episodes):
        key = Key.of("worlds", "behaviour", episode)
        moment = world.begin(params, key)
        parts.append(repr(moment.state))
        while not moment.over:
            moment = world.advance(moment, world.dynamics.actions.sample(key.at(5_000 + moment.time)))
            parts.append(f"{moment.state!r}{moment.reward}")
    return "".join(parts)
