"""Whether an episode leaves anything behind for the next one."""

from __future__ import annotations

from .determinism import transcript
from .finding import Finding
from .subject import Subject

NAME = "resets"


def check(subject: Subject) -> Finding:
    """Plays an episode, then others on the same loaded level and on other levels, then the first again."""
    world = subject.world
    walks = list(subject.walks(count=2, per_level=6))
    firsts = [transcript(world, world.load(level), key) for level, _, key in walks[:1]]
    first_of = {}
    for level, params, key in walks:
        first_of[level.hash, key.value] = transcript(world, params, key)
    for level, params, key in reversed(walks):
        if transcript(world, params, key) != first_of[level.hash, key.value]:
            return Finding(
                NAME,
                False,
                f"Level {level.hash}: an episode goes another way after others were played. Keep nothing in the "
                "dynamics, the observation, the skin or the loaded level.",
                {"episodes": 2 * len(walks)},
            )
    level, _, key = walks[0]
    if firsts[0] != first_of[level.hash, key.value]:
        return Finding(NAME, False, f"Level {level.hash}: loading it twice gives two levels.", {"episodes": len(walks)})
    return Finding(
        NAME, True, f"{len(walks)} episodes were the same when played again in another order.", {"episodes": len(walks)}
    )
