"""Whether the same level and the same actions give the same bytes, whatever global generators hold."""

from __future__ import annotations

import random  # noqa: TID251  # only to disturb it: a world must not depend on it
from typing import Any

import numpy as np

from ..keys import Key
from ..world import World
from .finding import Finding
from .subject import Subject

NAME = "determinism"


def transcript(world: World, params: Any, key: Key) -> list[tuple[str, float, bool]]:
    """Texts, rewards and ends of an episode of random actions."""
    own = Key.of("worlds", "transcript", key.value)
    moment = world.begin(params, key)
    found = [(world.show(moment), moment.reward, moment.over)]
    while not moment.over:
        moment = world.advance(moment, world.dynamics.actions.sample(own.at(moment.time)))
        found.append((world.show(moment), moment.reward, moment.over))
    return found


def check(subject: Subject) -> Finding:
    """Plays twice, with Python's and NumPy's global generators in other states and levels loaded anew."""
    world, played = subject.world, 0
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002  # put back afterwards
    try:
        for level, params, key in subject.walks(count=3):
            runs = []
            for seed, loaded in ((1, params), (2, world.load(level))):
                random.seed(seed)
                np.random.seed(seed)  # noqa: NPY002, TID251  # to see whether the world reads it
                runs.append(transcript(world, loaded, key))
            played += 1
            if runs[0] != runs[1]:
                step = next((i for i, (a, b) in enumerate(zip(*runs, strict=False)) if a != b), min(map(len, runs)))
                return Finding(
                    NAME,
                    False,
                    f"Level {level.hash}: two episodes with the same actions part at step {step}. Draw from the key "
                    "alone: no random, no numpy.random, no clock, no set order.",
                    {"episodes": played},
                )
            before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002  # to compare
            transcript(world, params, key)
            if (random.getstate(), repr(np.random.get_state())) != before:  # noqa: NPY002  # to compare
                return Finding(
                    NAME, False, f"Level {level.hash}: an episode draws from a global generator.", {"episodes": played}
                )
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002  # as it was
    return Finding(NAME, True, f"{played} episodes gave the same bytes twice.", {"episodes": played})
