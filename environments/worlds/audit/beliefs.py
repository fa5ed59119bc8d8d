"""Beliefs as states: the exact best of a player that sees what an agent sees, over the levels it may be in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ..actions import Action
from ..dynamics import Dynamics, Event, Outcomes, Transition
from ..keys import Key
from ..level import Level
from ..reward import Pays
from ..world import World
from .graph import explore

__all__ = ["MOST_BELIEFS", "informed_value"]

MOST_BELIEFS = 100_000
"""Reachable beliefs of one level up to which its informed value is computed."""

_MOST_OUTCOMES = 3_000_000
_DIGITS = 9

Belief = frozenset[tuple[int, Any, float]]
"""Triples of an alternative's number, a state, and the probability of both."""

_PAID = Pays("paid", "accumulative", "", {"paid": 1.0})


class _Beliefs(Dynamics[Any, Belief]):
    """A world seen through its observation: after an action come a view, a reward, and whether it is over.

    The belief follows by Bayes' rule (Kaelbling, Littman and Cassandra 1998, Artif. Intell. 101, section 3.3).
    """

    events: Mapping[str, str] = {"paid": "what the world pays"}
    stochastic: bool = True

    def __init__(self, world: World, alternatives: Sequence[tuple[float, Any]]) -> None:
        self.actions = world.dynamics.actions
        self._world = world
        self._params = [params for _, params in alternatives]
        self._weights = [weight for weight, _ in alternatives]
        self._steps: dict[tuple[int, Any, Action], list[tuple[float, Any, Any, float, bool]]] = {}

    def load(self, data: Mapping[str, Any]) -> Any:
        return data

    def limits(self, params: Any, horizon: int) -> Mapping[str, float]:
        return {}

    def init(self, params: Any, key: Key) -> Belief:
        raise NotImplementedError("a belief's starts are listed")

    def step(self, params: Any, state: Belief, action: Action, key: Key) -> Transition[Belief]:
        return key.pick(self.outcomes(params, state, action))

    def starts(self, params: Any) -> Sequence[tuple[float, Belief]]:
        """The belief behind the first view of the level that is played (the first alternative that looks like it)."""
        raise NotImplementedError

    def begin(self, view: Any) -> Belief:
        """The belief after a first view."""
        found: dict[tuple[int, Any], float] = defaultdict(float)
        for number, (params, weight) in enumerate(zip(self._params, self._weights, strict=True)):
            for chance, state in self._world.dynamics.starts(params) or ():
                if self._world.observation.observe(params, state, ()) == view:
                    found[number, state] += weight * chance
        return _belief(found)

    def _branches(self, number: int, state: Any, action: Action) -> list[tuple[float, Any, Any, float, bool]]:
        at = (number, state, action)
        found = self._steps.get(at)
        if found is None:
            world, params = self._world, self._params[number]
            found = []
            for chance, (after, events, over) in world.dynamics.outcomes(params, state, action) or ():
                over = over or world.reward.ends(events)
                view = None if over else world.observation.observe(params, after, events)
                found.append((chance, after, view, world.reward.pay(events), over))
            self._steps[at] = found
        return found

    def outcomes(self, params: Any, state: Belief, action: Action) -> Outcomes[Belief]:
        """One for each view and reward that may come."""
        groups: dict[tuple[Any, float, bool], dict[tuple[int, Any], float]] = {}
        for number, true, weight in state:
            for chance, after, view, reward, over in self._branches(number, true, action):
                group = groups.setdefault((view, round(reward, _DIGITS), over), {})
                group[number, after] = group.get((number, after), 0.0) + weight * chance
        found = []
        for (_, reward, over), group in groups.items():
            events = (Event("paid", reward),) if reward else ()
            belief: Belief = frozenset() if over else _belief(group)
            found.append((sum(group.values()), Transition(belief, events, over)))
        return found


def _belief(weights: Mapping[tuple[int, Any], float]) -> Belief:
    total = sum(weights.values())
    return frozenset((number, state, round(weight / total, _DIGITS)) for (number, state), weight in weights.items())


class _From(_Beliefs):
    def __init__(self, world: World, alternatives: Sequence[tuple[float, Any]], level: Any) -> None:
        super().__init__(world, alternatives)
        starts = world.dynamics.starts(level) or ()
        chances: dict[Belief, float] = defaultdict(float)
        for chance, state in starts:
            chances[self.begin(world.observation.observe(level, state, ()))] += chance
        self._starts = tuple((chance, belief) for belief, chance in chances.items())

    def starts(self, params: Any) -> Sequence[tuple[float, Belief]]:
        return self._starts


def informed_value(world: World, level: Level) -> float | None:
    """The best expected return of a player that sees what an agent sees and knows how the world's levels are drawn.

    The expectation is over all levels that look like this one at the start, weighted as the preset draws them.

    Returns:
        The value; None where levels or chances cannot be listed, or over 100,000 beliefs can be reached.
    """
    generator = world.core.generator
    alternatives = generator.alternatives(generator.preset(world.preset).settings, level.params, world.observation.name)
    if alternatives is None or world.dynamics.starts(world.load(level)) is None or not world.dynamics.actions.finite:
        return None
    loaded = [(weight, world.dynamics.load(params)) for weight, params in alternatives]
    start = loaded[0][1]
    if world.dynamics.outcomes(start, world.dynamics.init(start, Key(0)), world.dynamics.actions.all[0]) is None:
        return None
    beliefs = _From(world, loaded, world.load(level))
    graph = explore(beliefs, None, world.horizon, _MOST_OUTCOMES, MOST_BELIEFS)
    if graph is None:
        return None
    return graph.start_value(graph.optimum(_PAID, world.horizon)[-1])
