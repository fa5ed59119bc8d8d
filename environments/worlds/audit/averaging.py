"""A player with an agent's information for any core whose levels can be listed: it averages over what it may be in."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..actions import Action
from ..level import Level
from ..world import World, episode_key
from .graph import StateGraph, explore

__all__ = ["averaged_value"]

MOST_OUTCOMES = 1_000_000
"""Outcomes of all alternatives of a level together up to which this player is tried."""

_EPISODES = 20


def averaged_value(world: World, level: Level) -> float | None:
    """What a player earns that keeps an exact belief and takes the action that is best on average over it.

    The values averaged are those of full information (QMDP: Littman, Cassandra and Kaelbling 1995, ICML, section 3), so
    the player never acts to learn: it is a lower end, not the optimum. The mean of 20 episodes on the level itself.

    Returns:
        The mean return; None where the alternatives cannot be listed or have too many states.
    """
    generator = world.core.generator
    alternatives = generator.alternatives(generator.preset(world.preset).settings, level.params, world.observation.name)
    if alternatives is None:
        return None
    params = [world.dynamics.load(data) for _, data in alternatives]
    graphs: list[StateGraph] = []
    left = MOST_OUTCOMES
    for one in params:
        # A graph of an average size for each: otherwise the search ends early.
        graph = explore(world.dynamics, one, world.horizon, min(left, 3 * MOST_OUTCOMES // len(params)))
        if graph is None:
            return None
        left -= len(graph.row)
        graphs.append(graph)
    values = [graph.optimum(world.reward, world.horizon) for graph in graphs]
    weights = [weight for weight, _ in alternatives]
    player = _Averaging(world, params, graphs, values, weights)
    true = world.load(level)
    return float(np.mean([player.play(true, episode_key(level, n)) for n in range(_EPISODES)]))


class _Averaging:
    def __init__(
        self, world: World, params: list[Any], graphs: list[StateGraph], values: list[Any], weights: list[float]
    ):
        self.world, self.params, self.graphs, self.values, self.weights = world, params, graphs, values, weights

    def play(self, true: Any, key: Any) -> float:
        """The return of one episode."""
        world = self.world
        moment = world.begin(true, key)
        view = world.view(moment)
        belief: dict[tuple[int, int], float] = {}
        for number, (graph, weight) in enumerate(zip(self.graphs, self.weights, strict=True)):
            for chance, at in graph.starts:
                if world.observation.observe(self.params[number], graph.states[at], ()) == view:
                    belief[number, at] = belief.get((number, at), 0.0) + weight * chance
        while not moment.over:
            worth = np.zeros(len(world.dynamics.actions.all))
            for (number, at), weight in belief.items():
                after = self.values[number][world.horizon - moment.time - 1]
                worth += weight * self.graphs[number].backup_at(world.reward, after, at)
            action = world.dynamics.actions.all[int(np.argmax(worth))]
            moment = world.advance(moment, action)
            if not moment.over:
                belief = self._updated(belief, action, world.view(moment), moment.reward)
        return moment.total

    def _updated(
        self, belief: dict[tuple[int, int], float], action: Action, view: Any, reward: float
    ) -> dict[tuple[int, int], float]:
        world, found = self.world, {}
        for (number, at), weight in belief.items():
            graph, params = self.graphs[number], self.params[number]
            for chance, (state, events, over) in world.dynamics.outcomes(params, graph.states[at], action) or ():
                where = graph.number.get(state)
                if over or where is None or abs(world.reward.pay(events) - reward) > 1e-9:
                    continue
                if world.observation.observe(params, state, events) == view:
                    found[number, where] = found.get((number, where), 0.0) + weight * chance
        total = sum(found.values())
        # Nothing fits only where the alternatives leave out the truth: then the old belief is all there is.
        return {at: weight / total for at, weight in found.items()} if total else belief
