"""Whether observations are what they are called, and hide what they are to hide."""

from __future__ import annotations

from typing import Any

from .finding import Finding
from .subject import Subject

NAME = "labels"

_MOST_STATES = 3_000


def check(subject: Subject) -> Finding:
    """Full: different states of a level never look alike. Partial: something that matters does.

    Checked on the first 3,000 states of each of three levels where they can be listed, on random episodes elsewhere. A
    partial observation hides the level (other levels look the same at the start) or a state.
    """
    world = subject.world
    generator = world.core.generator
    settings = generator.preset(world.preset).settings
    hidden, looked = 0, 0
    for _, level in subject.levels[:3]:
        params = world.load(level)
        graph = subject.graph(level)
        states = graph.states[:_MOST_STATES] if graph is not None else _walked(subject, params)
        seen: dict[Any, Any] = {}
        for state in states:
            looked += 1
            other = seen.setdefault(world.observation.observe(params, state, ()), state)
            if other != state:
                hidden += 1
                if world.observation.kind == "full":
                    return Finding(
                        NAME,
                        False,
                        f"Level {level.hash}: called full, but {other} and {state} look alike. Call it partial.",
                        {"states": looked},
                    )
        alternatives = generator.alternatives(settings, level.params, world.observation.name)
        hidden += alternatives is None
        start = world.observation.observe(params, world.begin(params, _still()).state, ())
        for _, other in alternatives or ():
            twin = world.dynamics.load(other)
            if dict(other) != dict(level.params):
                hidden += world.observation.observe(twin, world.dynamics.init(twin, _still()), ()) == start
    if world.observation.kind == "partial" and not hidden:
        return Finding(NAME, False, "Called partial, but nothing was found that it hides.", {"states": looked})
    return Finding(NAME, True, f"It is {world.observation.kind}, as {looked} states show.", {"states": looked})


def _still() -> Any:
    from ..keys import STILL

    return STILL


def _walked(subject: Subject, params: Any) -> list[Any]:
    found = {}
    for _, own, key in subject.walks(count=4, per_level=2):
        if own is None:
            continue
        moment = subject.world.begin(params, key)
        while not moment.over:
            found[moment.state] = None
            moment = subject.world.advance(moment, subject.world.dynamics.actions.sample(key.at(30_000 + moment.time)))
    return list(found)
