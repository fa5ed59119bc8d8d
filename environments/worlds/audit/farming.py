"""Whether anything pays more than it is meant to: repeated, unknown, out-of-range and searched-for actions."""

from __future__ import annotations

from typing import Any

from ..actions import Action, ActionKind, ActionSchema, Integer, Real, Value
from ..keys import Key
from ..level import Level
from ..world import Moment, World
from .finding import Finding
from .subject import Subject, paid_events

NAME = "farming"

_SLACK = 1e-6
_SEARCHES, _MUTATIONS = 3, 60


def check(subject: Subject) -> Finding:
    """No event that pays happens more often than the core means it to, and no hostile play earns more than the maximum.

    Over all states where they can be listed; in any case by play: each action all the time, each pair of actions in
    turn, unknown and out-of-range actions, and action sequences improved by a hill climber.
    """
    world = subject.world
    numbers = {"levels": float(len(subject.facts)), "plays": 0.0}
    if world.reward.kind == "binary":
        bad = _two_ends(world)
        if bad:
            return Finding(NAME, False, bad, numbers)
    for (_, level), fact in zip(subject.levels, subject.facts, strict=True):
        limits = world.dynamics.limits(world.load(level), world.horizon)
        for event in paid_events(world.reward):
            if event not in limits:
                return Finding(
                    NAME,
                    False,
                    f"The event {event!r} pays, but limits() does not say how often it may.",
                    numbers,
                )
            if fact.limits.get(event, 0.0) > limits[event] + _SLACK:
                return Finding(
                    NAME,
                    False,
                    f"Level {fact.hash}: some play gets {fact.limits[event]:g} of {event!r}, meant are at most "
                    f"{limits[event]:g}. Guard the event in the state, so that it happens once.",
                    numbers,
                )
        if fact.usable is not None and fact.maximum > fact.usable + _SLACK:
            return Finding(
                NAME,
                False,
                f"Level {fact.hash}: unusable actions raise the maximum from {fact.usable:g} to {fact.maximum:g}: "
                "stalling pays. Give the world an action that waits at the same price.",
                numbers,
            )
    # What chance adds to a single episode is no farming: only where an episode has one outcome is its return compared
    # with the maximum; the limits on events hold with any luck.
    for level, params, key in subject.walks(count=1, per_level=4):
        fact = next(f for f in subject.facts if f.hash == level.hash)
        limits = world.dynamics.limits(params, world.horizon)
        for name, moments in _plays(world, level, params, key):
            numbers["plays"] += 1
            total = moments[-1].total
            counts: dict[str, float] = {}
            for moment in moments:
                if moment.problem is not None and moment.reward != 0:
                    return Finding(
                        NAME, False, f"Level {level.hash}: an unusable action paid {moment.reward:g}.", numbers
                    )
                for event, amount in moment.events:
                    counts[event] = counts.get(event, 0.0) + amount
            over = [e for e in paid_events(world.reward) if counts.get(e, 0.0) > limits.get(e, 0.0) + _SLACK]
            if over:
                return Finding(
                    NAME,
                    False,
                    f"Level {level.hash}: {name} gets {counts[over[0]]:g} of {over[0]!r}, meant are at most "
                    f"{limits.get(over[0], 0.0):g}.",
                    numbers,
                )
            if not world.dynamics.stochastic and total > fact.maximum + _SLACK:
                return Finding(
                    NAME,
                    False,
                    f"Level {level.hash}: {name} earns {total:g}, above the maximum {fact.maximum:g}.",
                    numbers,
                )
    return Finding(
        NAME, True, f"No event beyond its limit, in all states and in {numbers['plays']:.0f} hostile plays.", numbers
    )


def _two_ends(world: World) -> str | None:
    """What is wrong with a binary reward: something pays without ending the episode, or pays something else than 1."""
    from ..dynamics import Event

    for name in paid_events(world.reward):
        if world.reward.weight(name) != 1.0:
            return f"The binary reward pays {world.reward.weight(name):g} for {name!r}: an episode pays 0 or 1."
        if not world.reward.ends((Event(name),)):
            return f"The binary reward pays for {name!r} without ending the episode: add it to the last events."
    return None


def _run(world: World, params: Any, key: Key, choose: Any) -> list[Moment]:
    moments = [world.begin(params, key)]
    while not moments[-1].over:
        action = choose(moments[-1].time)
        last = moments[-1]
        moments.append(world.act(last, action) if isinstance(action, str) else world.advance(last, action))
    return moments


def _plays(world: World, level: Level, params: Any, key: Key) -> Any:
    tried = world.dynamics.actions.tried[:24]
    for action in tried:
        yield f"repeating {world.reader.show(action)}", _run(world, params, key, lambda t, a=action: a)
    for a in tried[:8]:
        for b in tried[:8]:
            if a != b:
                name = f"taking {world.reader.show(a)} and {world.reader.show(b)} in turn"
                yield name, _run(world, params, key, lambda t, p=(a, b): p[t % 2])
    for text in unusable(world):
        yield f"the unusable {text!r}", _run(world, params, key, lambda t, x=text: x)
        # After a usable action, so that what that one left behind is not paid for again.
        yield f"{text!r} after an action", _run(world, params, key, lambda t, x=text: tried[0] if t == 0 else x)
    for action in out_of_range(world.dynamics.actions):
        yield f"the impossible {action}", _run(world, params, key, lambda t, a=action: a)
    yield "a hill climber", climb(world, level, params, key)


def climb(world: World, level: Level, params: Any, key: Key) -> list[Moment]:
    """The best episode found by mutating action sequences, unusable actions among them; key and search are fixed."""
    schema = world.dynamics.actions
    best: list[Moment] = []
    for search in range(_SEARCHES):
        own = Key.of("worlds", "climb", level.hash, search)
        sequence: list[Action | str] = [schema.sample(own.at(t)) for t in range(world.horizon)]
        current = _run(world, params, key, lambda t, s=sequence: s[t])
        for round_ in range(_MUTATIONS):
            draw = own.at(1_000_000 + round_)
            changed = list(sequence)
            for change in range(1 + draw.integer(4, 0)):
                at = draw.integer(world.horizon, 2 * change + 1)
                changed[at] = "" if draw.uniform(2 * change + 2) < 0.1 else schema.sample(draw.at(change))
            trial = _run(world, params, key, lambda t, s=changed: s[t])
            if trial[-1].total >= current[-1].total:
                sequence, current = changed, trial
        if not best or current[-1].total > best[-1].total:
            best = current
    return best


def unusable(world: World) -> list[str]:
    """Texts that no reader may take for an action."""
    first = world.reader.show(world.dynamics.actions.tried[0])
    return ["", "no such action", first + " " + first, "{", '{"action": 1}', f"{first} 1e9 nan", "\N{SNOWMAN}" * 50]


def out_of_range(schema: ActionSchema) -> list[Action]:
    """Actions by a known name whose values are not of the schema."""
    found = [Action("no such action"), Action(schema.kinds[0].name, (None,) * 9)]  # type: ignore[arg-type]  # wrong on purpose
    for kind in schema.kinds:
        for place, parameter in enumerate(kind.parameters):
            base = _first(kind)
            wrong: list[Any] = ["no such word", -1e9, float("nan"), None, ("x",), True]
            if isinstance(parameter, (Integer, Real)):
                wrong += [parameter.low - 1, parameter.high + 1]
            found += [Action(kind.name, (*base[:place], value, *base[place + 1 :])) for value in wrong]
    return [action for action in found if schema.problem(action) is not None]


def _first(kind: ActionKind) -> tuple[Value, ...]:
    return tuple(p.sample(Key(0)) for p in kind.parameters)
