"""Beliefs as states: the exact best of a player that sees what an agent sees, over the levels it may be in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ....suite.canonical import content_hash
from ....suite.errors import UsageError
from ..actions import Action
from ..dynamics import Dynamics, Event, Outcomes, Transition
from ..keys import Key
from ..level import Level
from ..reward import Pays
from ..world import World
from .graph import StateGraph, explore

__all__ = ["MOST_BELIEFS", "InformedValue", "informed_value", "informed_values"]

MOST_BELIEFS = 100_000
"""Reachable beliefs of one level up to which its informed value is computed."""

_MOST_OUTCOMES = 3_000_000
_UNITS = 10**12
_DIGITS = 9
_TIE = 1e-7

Belief = tuple[tuple[int, float], ...]
"""Pairs of the number of a (level, state) and its probability, sorted by number; the probabilities sum to 1."""

_PAID = Pays("paid", "accumulative", "", {"paid": 1.0})


@dataclass(frozen=True, slots=True)
class InformedValue:
    """What a policy earns that is optimal for whoever sees what an agent sees, in expectation over the world's chance.

    Attributes:
        expected: Over all levels that look like this one at the start, weighted as the preset draws them: no policy
            with the agent's information earns more.
        here: On this level. Another policy may be luckier here, and unluckier on the others.
    """

    expected: float
    here: float


class _Sign(NamedTuple):
    """What a player notices of a step."""

    view: Hashable
    reward: float
    over: bool


class _Beliefs(Dynamics[Any, Belief]):
    """A world seen through its observation: after an action come a view, a reward, and whether it is over.

    The belief follows by Bayes' rule (Kaelbling, Littman and Cassandra 1998, Artif. Intell. 101, section 3.3).
    """

    events: Mapping[str, str] = {"paid": "what the world pays"}
    stochastic: bool = True

    def __init__(self, world: World, alternatives: Sequence[tuple[float, Any]]) -> None:
        self.actions = world.dynamics.actions
        self._world = world
        self._alternatives = alternatives
        self._number: dict[tuple[int, Any], int] = {}
        self._hidden: list[tuple[int, Any]] = []
        self._steps: dict[Action, dict[int, list[tuple[float, int, _Sign]]]] = {a: {} for a in self.actions.all}
        self._searches: dict[frozenset[Belief], StateGraph | None] = {}

    def load(self, data: Mapping[str, Any]) -> Any:
        return data

    def limits(self, params: Any, horizon: int) -> Mapping[str, float]:
        return {}

    def init(self, params: Any, key: Key) -> Belief:
        raise NotImplementedError("a belief's starts are listed")

    def step(self, params: Any, state: Belief, action: Action, key: Key) -> Transition[Belief]:
        return key.pick(self.outcomes(params, state, action))

    def starts(self, params: Sequence[Belief]) -> Sequence[tuple[float, Belief]]:
        """The beliefs that are handed over; how likely each is, is the level's affair."""
        return tuple((1 / len(params), belief) for belief in params)

    def begin(self, view: Any) -> Belief:
        """The belief after a first view."""
        found: dict[int, float] = defaultdict(float)
        for number, (weight, params) in enumerate(self._alternatives):
            for chance, state in self._world.dynamics.starts(params) or ():
                if self._world.observation.observe(params, state, ()) == view:
                    found[self.number_of(number, state)] += weight * chance
        return _belief(found)

    def number_of(self, alternative: int, state: Any) -> int:
        """The number of a state of an alternative."""
        at = (alternative, state)
        found = self._number.get(at)
        if found is None:
            found = self._number[at] = len(self._hidden)
            self._hidden.append(at)
        return found

    def branches(self, hidden: int, action: Action) -> list[tuple[float, int, _Sign]]:
        """What may come of an action in a hidden state: probability, state, what is noticed."""
        steps = self._steps[action]
        found = steps.get(hidden)
        if found is None:
            world = self._world
            number, state = self._hidden[hidden]
            params = self._alternatives[number][1]
            found = steps[hidden] = []
            for chance, (after, events, over) in world.dynamics.outcomes(params, state, action) or ():
                over = over or world.reward.ends(events)
                view = None if over else world.observation.observe(params, after, events)
                sign = _Sign(view, round(world.reward.pay(events), _DIGITS), over)
                found.append((chance, self.number_of(number, after), sign))
        return found

    def groups(self, belief: Belief, action: Action) -> dict[_Sign, dict[int, float]]:
        """The hidden states after an action, with their probabilities, by what is noticed."""
        groups: dict[_Sign, dict[int, float]] = {}
        for hidden, weight in belief:
            for chance, after, sign in self.branches(hidden, action):
                group = groups.setdefault(sign, {})
                group[after] = group.get(after, 0.0) + weight * chance
        return groups

    def outcomes(self, params: Any, state: Belief, action: Action) -> Outcomes[Belief]:
        """One for each view and reward that may come."""
        found = []
        for sign, group in self.groups(state, action).items():
            events = (Event("paid", sign.reward),) if sign.reward else ()
            belief: Belief = () if sign.over else _belief(group)
            found.append((sum(group.values()), Transition(belief, events, sign.over)))
        return found

    def search(self, starts: Iterable[Belief]) -> StateGraph | None:
        """All beliefs that can be reached from some; None if they are too many. Searched once for the same starts."""
        wanted = frozenset(starts)
        if wanted not in self._searches:
            # Sorted, so that beliefs are numbered the same way in every process.
            found = explore(self, sorted(wanted), self._world.horizon, _MOST_OUTCOMES, MOST_BELIEFS)
            self._searches[wanted] = found
        return self._searches[wanted]


def _belief(weights: Mapping[int, float]) -> Belief:
    """Weights as a belief: in whole units, so that what differs by rounding alone is one belief; none is lost."""
    total = sum(weights.values())
    units = {hidden: max(1, round(weight / total * _UNITS)) for hidden, weight in sorted(weights.items())}
    whole = sum(units.values())
    return tuple((hidden, count / whole) for hidden, count in units.items())


class _Policy:
    """An optimal policy over beliefs, and what it earns on one level.

    Args:
        beliefs: The beliefs of the levels that look alike.
        graph: Those that can be reached.
        horizon: Steps of an episode.
    """

    def __init__(self, beliefs: _Beliefs, graph: StateGraph, horizon: int) -> None:
        self._beliefs, self._graph, self._horizon = beliefs, graph, horizon
        self._values = graph.optimum(_PAID, horizon)
        self._best: dict[tuple[int, int], list[int]] = {}

    def expected(self, starts: Sequence[tuple[float, Belief]]) -> float:
        """The value over the levels that look alike."""
        return float(sum(chance * self._values[-1][self._graph.number[belief]] for chance, belief in starts))

    def _choices(self, left: int, at: int) -> list[int]:
        """The numbers of the actions that are best in a belief, in order; none: to do nothing is better than any."""
        found = self._best.get((left, at))
        if found is None:
            worth = self._graph.backup_at(_PAID, self._values[left - 1], at)
            top = max(worth.max(), self._values[left - 1][at])
            found = self._best[left, at] = [int(n) for n in np.flatnonzero(worth >= top - _TIE)]
        return found

    def here(self, starts: Sequence[tuple[float, int, Belief]]) -> float:
        """What it earns from hidden starts, given as probability, hidden state and the belief of whoever sees it.

        Actions that are equally good are broken by their order, begun at each of them in turn: the mean of that.
        """
        count = len(self._beliefs.actions.all)
        return float(np.mean([self._followed(starts, first) for first in range(count)]))

    def _followed(self, starts: Sequence[tuple[float, int, Belief]], first: int) -> float:
        beliefs, graph, actions = self._beliefs, self._graph, self._beliefs.actions.all
        total = 0.0
        now: dict[int, dict[int, float]] = {}
        for chance, hidden, belief in starts:
            group = now.setdefault(graph.number[belief], {})
            group[hidden] = group.get(hidden, 0.0) + chance
        for left in range(self._horizon, 0, -1):
            later: dict[int, dict[int, float]] = {}
            for at, group in now.items():
                choices = self._choices(left, at)
                if not choices:
                    _add(later.setdefault(at, {}), group.items())
                    continue
                action = actions[next((n for n in choices if n >= first), choices[0])]
                after: dict[_Sign, dict[int, float]] = {}
                for hidden, weight in group.items():
                    for chance, new, sign in beliefs.branches(hidden, action):
                        total += weight * chance * sign.reward
                        if not sign.over:
                            _add(after.setdefault(sign, {}), ((new, weight * chance),))
                if left > 1 and after:
                    believed = beliefs.groups(graph.states[at], action)
                    for sign, group_after in after.items():
                        _add(later.setdefault(graph.number[_belief(believed[sign])], {}), group_after.items())
            now = later
        return total


def _add(group: dict[int, float], more: Iterable[tuple[int, float]]) -> None:
    for hidden, weight in more:
        group[hidden] = group.get(hidden, 0.0) + weight


def informed_values(world: World, levels: Iterable[Level]) -> list[InformedValue] | None:
    """The optimum for whoever sees what an agent sees and knows how the world's levels are drawn.

    One optimal policy over beliefs is computed for all levels that share their alternatives and first views, and then
    followed on each of the levels: what it earns there can be earned, and is never more than that level's maximum.

    Args:
        world: Whose levels they are.
        levels: The levels.

    Returns:
        A value for each level; None where levels or chances cannot be listed, or over 100,000 beliefs can be reached.

    Raises:
        UsageError: A level is not among its own alternatives.
    """
    generator, dynamics = world.core.generator, world.dynamics
    settings = generator.preset(world.preset).settings
    known: dict[str, tuple[_Beliefs, dict[str, int]]] = {}
    policies: dict[int, _Policy] = {}
    found = []
    for level in levels:
        true = world.load(level)
        listed = generator.alternatives(settings, level.params, world.observation.name)
        first = dynamics.starts(true)
        if listed is None or first is None or not dynamics.actions.finite:
            return None
        if dynamics.outcomes(true, first[0][1], dynamics.actions.all[0]) is None:
            return None
        # Sorted by content: levels that share alternatives may list them in different orders.
        alternatives = sorted(((content_hash(dict(params)), weight, params) for weight, params in listed), key=_by_hash)
        name = content_hash([[text, weight] for text, weight, _ in alternatives])
        if name not in known:
            beliefs = _Beliefs(world, [(weight, dynamics.load(params)) for _, weight, params in alternatives])
            known[name] = beliefs, {text: number for number, (text, _, _) in enumerate(alternatives)}
        beliefs, numbers = known[name]
        own = numbers.get(content_hash(dict(level.params)))
        if own is None:
            raise UsageError(
                f"Level {level.hash} of {world.core.name} is not among its alternatives under the observation "
                f"{world.observation.name!r}: a player would come to believe what is false. Let them list it."
            )
        starts = [
            (chance, beliefs.number_of(own, state), beliefs.begin(world.observation.observe(true, state, ())))
            for chance, state in first
        ]
        graph = beliefs.search(belief for _, _, belief in starts)
        if graph is None:
            return None
        if id(graph) not in policies:
            policies[id(graph)] = _Policy(beliefs, graph, world.horizon)
        policy = policies[id(graph)]
        expected = policy.expected([(chance, belief) for chance, _, belief in starts])
        found.append(InformedValue(expected, policy.here(starts)))
    return found


def _by_hash(alternative: tuple[str, float, Any]) -> tuple[str, float]:
    return alternative[:2]


def informed_value(world: World, level: Level) -> float | None:
    """:attr:`InformedValue.expected` of one level."""
    found = informed_values(world, [level])
    return None if found is None else found[0].expected
