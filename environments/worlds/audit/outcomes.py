"""Whether a core's faces agree: listed outcomes with steps, batched steps with single ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..dynamics import BatchedDynamics
from ..keys import Key
from ..world import World, episode_key
from .finding import Finding
from .subject import Subject

NAME = "outcomes"

_DRAWS = 400


def check(subject: Subject) -> Finding:
    """Steps give only listed outcomes, as often as listed; batched rows are what single episodes are.

    Frequencies are compared at random states with 400 draws each; a state whose largest deviation is above 4.5 standard
    errors fails (about 1 in 100,000 by chance).
    """
    world, dynamics = subject.world, subject.world.dynamics
    states = 0
    for level, params, key in subject.walks(count=1, per_level=5):
        moment = world.begin(params, key)
        while not moment.over:
            action = dynamics.actions.sample(Key.of("worlds", "outcomes", level.hash, moment.time))
            listed = dynamics.outcomes(params, moment.state, action)
            if listed is not None:
                wrong = _differs(dynamics, params, moment.state, action, listed, key.at(10_000 + moment.time))
                states += 1
                if wrong:
                    return Finding(NAME, False, f"Level {level.hash}, {action}: {wrong}", {"states": states})
            events = {event.name for event in moment.events}
            if events - set(dynamics.events):
                return Finding(NAME, False, f"Events that are not declared: {sorted(events - set(dynamics.events))}.")
            if any(not np.isfinite(e.amount) or e.amount == 0 for e in moment.events):
                return Finding(NAME, False, f"Level {level.hash}: an event's amount is 0 or not finite.")
            moment = world.advance(moment, action)
    rows = 0
    if isinstance(dynamics, BatchedDynamics):
        rows, wrong = _batch_differs(world, subject)
        if wrong:
            return Finding(NAME, False, wrong, {"states": states, "rows": rows})
    told = f", and {rows} batched episodes are their single ones" if rows else ""
    return Finding(
        NAME, True, f"Steps match their listed outcomes in {states} states{told}.", {"states": states, "rows": rows}
    )


def _differs(dynamics: Any, params: Any, state: Any, action: Any, listed: Any, key: Key) -> str | None:
    wanted: Counter[Any] = Counter()
    for probability, transition in listed:
        if probability <= 0:
            return f"an outcome has probability {probability}: list none that cannot happen."
        wanted[transition] += probability
    if abs(sum(wanted.values()) - 1) > 1e-9:
        return f"the listed probabilities sum to {sum(wanted.values())}."
    draws = _DRAWS if len(wanted) > 1 or dynamics.stochastic else 1
    seen = Counter(dynamics.step(params, state, action, key.at(n)) for n in range(draws))
    if strange := set(seen) - set(wanted):
        return f"a step gives {next(iter(strange))}, which is not listed."
    for transition, probability in wanted.items():
        error = (probability * (1 - probability) / draws) ** 0.5
        if abs(seen[transition] / draws - probability) > 4.5 * error + 1e-12:
            return (
                f"{transition} is listed with {probability:.3f} but comes in {seen[transition] / draws:.3f} of steps."
            )
    return None


def _batch_differs(world: World, subject: Subject) -> tuple[int, str | None]:
    from ..batch import advance_batch, begin_batch

    levels = [level for _, level in subject.levels]
    params = [world.load(level) for level in levels for _ in range(3)]
    keys = [episode_key(level, sample) for level in levels for sample in range(3)]
    singles = [world.begin(p, k) for p, k in zip(params, keys, strict=True)]
    many = begin_batch(world, params, keys)
    actions = world.dynamics.actions.all
    dynamics = world.dynamics
    assert isinstance(dynamics, BatchedDynamics)
    for time in range(world.horizon):
        # One more than there are actions: an unusable one is among them.
        numbers = np.array([key.at(20_000 + time).integer(len(actions) + 1) for key in keys])
        many = advance_batch(world, many, numbers)
        for row, number in enumerate(numbers):
            if not singles[row].over:
                singles[row] = world.advance(singles[row], actions[number] if number < len(actions) else "unusable")
            one = singles[row]
            got = (dynamics.row(many.states, row), many.totals[row], many.terminated[row], many.truncated[row])
            if got != (one.state, one.total, one.terminated, one.truncated) and not (
                got[0] == one.state and abs(got[1] - one.total) < 1e-9 and got[2:] == (one.terminated, one.truncated)
            ):
                return len(keys), (
                    f"Row {row}, step {time + 1}: batched {got}, single "
                    f"{(one.state, one.total, one.terminated, one.truncated)}."
                )
    return len(keys), None
