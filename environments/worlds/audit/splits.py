"""Whether splits share no level, repeat none, and are alike in difficulty."""

from __future__ import annotations

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
    looks: dict[str, Level] = {}
    for level in drawn["test"]:
        same = looks.setdefault(_behaviour(world, level), level)
        if same is not level and _behaviour(world, same, 8) == _behaviour(world, level, 8):
            return Finding(
                NAME,
                False,
                f"The test levels {same.hash} and {level.hash} play the same: a parameter does nothing.",
                numbers,
            )
    again = world.core.generator.levels(world.core.name, world.preset, "test")
    if [level.hash for level in again] != [level.hash for level in drawn["test"]]:
        return Finding(NAME, False, "Drawn twice, test levels differ: the generator reads more than its rng.", numbers)
    return Finding(NAME, True, f"{len(seen)} different levels, none in two splits.", numbers)


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
