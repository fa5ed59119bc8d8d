"""What the checks look at: a world, its levels, and what is known of each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..agents import act_ahead, act_randomly, play_out
from ..keys import Key
from ..level import SPLITS, Level, Split
from ..reward import Reward
from ..world import World, episode_key
from .graph import StateGraph, ahead, explore, shortest, spread

__all__ = ["DEPTH", "Graphs", "LevelFacts", "Subject"]

DEPTH = 3
"""Steps that the look-ahead player looks ahead."""

EPISODES = 40
"""Episodes a level and player where values cannot be computed."""

_SMALL = 12
"""Levels of each split that checks by play look at."""


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """What is known of a level in a world: returns in expectation over the world's chance.

    Attributes:
        hash: The level's.
        split: Its split.
        maximum: No policy earns more.
        reached: What a known policy earns; equal to the maximum where ``exact``.
        exact: Whether both were computed over all states.
        reason: Why the maximum is one.
        usable: The maximum by usable actions alone; None where it was not computed.
        random: The random player's return.
        greedy: The greedy player's.
        ahead: The look-ahead player's.
        least: The lowest return possible, or the lowest seen.
        shortest: The fewest steps, with luck, to an event that pays and ends; None where there is none.
        limits: For each event that pays, the most that any play can get with any luck; empty where not computed.
        plan: Actions of the best known policy in the episode of sample 0, as texts.
        plan_return: What they earn there.
    """

    hash: str
    split: Split
    maximum: float
    reached: float
    exact: bool
    reason: str
    usable: float | None
    random: float
    greedy: float
    ahead: float
    least: float
    shortest: int | None
    limits: dict[str, float]
    plan: tuple[str, ...]
    plan_return: float


class Graphs:
    """State graphs of one core's levels, kept while worlds of that core are audited one after another."""

    def __init__(self) -> None:
        self._core = ""
        self._found: dict[str, tuple[int, StateGraph | None]] = {}

    def of(self, world: World, level: Level, params: Any) -> StateGraph | None:
        """The graph of a level, of a horizon at least the world's."""
        if world.core.name != self._core:
            self._core, self._found = world.core.name, {}
        horizon, graph = self._found.get(level.hash, (0, None))
        if horizon < world.horizon:
            graph = explore(world.dynamics, params, world.horizon)
            self._found[level.hash] = (world.horizon, graph)
        return graph


class Subject:
    """A world under audit.

    Args:
        world: The world.
        graphs: Where graphs are kept from one world of a core to the next.
        splits: How many levels of each split are looked at.
    """

    def __init__(self, world: World, graphs: Graphs | None = None, splits: dict[Split, int] | None = None) -> None:
        self.world = world
        self._graphs = Graphs() if graphs is None else graphs
        self._splits: dict[Split, int] = splits or {"test": SPLITS["test"], "validation": SPLITS["validation"]}

    @cached_property
    def levels(self) -> list[tuple[Split, Level]]:
        """The levels that are proved: all of test and validation."""
        return [(split, level) for split, count in self._splits.items() for level in self.world.levels(split, count)]

    @cached_property
    def test_levels(self) -> list[Level]:
        """The test levels."""
        return [level for split, level in self.levels if split == "test"]

    def graph(self, level: Level) -> StateGraph | None:
        """The level's states, or None where they are too many."""
        return self._graphs.of(self.world, level, self.world.load(level))

    @cached_property
    def facts(self) -> list[LevelFacts]:
        """What is known of each level, in the order of :attr:`levels`."""
        return [self._facts(split, level) for split, level in self.levels]

    def _facts(self, split: Split, level: Level) -> LevelFacts:
        params = self.world.load(level)
        graph = self.graph(level)
        return self._solved(split, level, params) if graph is None else self._exact(split, level, params, graph)

    def _exact(self, split: Split, level: Level, params: Any, graph: StateGraph) -> LevelFacts:
        world = self.world
        reward, horizon = world.reward, world.horizon
        values = graph.optimum(reward, horizon)
        promise = np.array([world.core.potential(params, state, reward) for state in graph.states])
        looks = [spread(_top(ahead(graph, reward, promise, depth))) for depth in (1, DEPTH)]
        greedy, far = (graph.value_of(reward, horizon, chances) for chances in looks)
        best = graph.start_value(values[-1])

        def act(state: Any, time: int) -> Any:
            at = graph.number[state]
            worth = graph.backup_at(reward, values[horizon - time - 1], at)
            return world.dynamics.actions.all[int(np.argmax(worth))]

        plan, earned = self._plan(level, params, act)
        return LevelFacts(
            level.hash,
            split,
            maximum=best,
            reached=best,
            exact=True,
            reason=f"backward induction over all {len(graph.states)} states that can be reached",
            usable=graph.start_value(graph.best_usable(reward, horizon)),
            random=graph.value_of(reward, horizon, np.array(world.dynamics.actions.chances)),
            greedy=greedy,
            ahead=far,
            least=graph.start_value(graph.least(reward, horizon)),
            shortest=shortest(graph, reward),
            limits={name: graph.most(reward, name, horizon) for name in paid_events(reward)},
            plan=plan,
            plan_return=earned,
        )

    def _solved(self, split: Split, level: Level, params: Any) -> LevelFacts:
        """By the core's own solver and by play."""
        world = self.world
        if world.core.solver is None:
            from ....suite.errors import UsageError

            raise UsageError(
                f"The core {world.core.name} has too many states to list in level {level.hash} and no solver: make the "
                "preset smaller, or give the core a solver (docs/worlds/authoring.md)."
            )
        solved = world.core.solver(world, params)
        plan, earned = self._plan(level, params, solved.act)
        # What the solver claims to earn is played, not believed.
        own = [earned]
        if world.dynamics.stochastic:
            own = [
                play_out(world, params, episode_key(level, n), lambda w, m, k: solved.act(m.state, m.time)).total
                for n in range(EPISODES)
            ]
        rungs = []
        for act in (
            act_randomly,
            act_ahead,
            # One step less than where states are listed: each step multiplies actions by draws.
            lambda w, m, k: act_ahead(w, m, k, DEPTH - 1),
        ):
            # Only the random player is played often: the others hardly differ from episode to episode.
            episodes = EPISODES if act is act_randomly else (4 if world.dynamics.stochastic else 1)
            rungs.append([play_out(world, params, episode_key(level, n), act).total for n in range(episodes)])
        means = [float(np.mean(totals)) for totals in rungs]
        return LevelFacts(
            level.hash,
            split,
            maximum=solved.bound,
            reached=float(np.mean(own)),
            exact=False,
            reason=solved.reason,
            usable=None,
            random=means[0],
            greedy=means[1],
            ahead=means[2],
            least=min(min(totals) for totals in rungs),
            shortest=len(plan) if world.reward.kind == "binary" and earned > 0 else None,
            limits={},
            plan=plan,
            plan_return=earned,
        )

    def _plan(self, level: Level, params: Any, act: Any) -> tuple[tuple[str, ...], float]:
        world = self.world
        moment = world.begin(params, episode_key(level))
        texts: list[str] = []
        while not moment.over:
            action = act(moment.state, moment.time)
            texts.append(world.reader.show(action))
            moment = world.advance(moment, action)
        return tuple(texts), moment.total

    def walks(self, count: int = 4, per_level: int = _SMALL) -> Iterator[tuple[Level, Any, Key]]:
        """Levels with their parameters and keys, for checks that play a little."""
        for _, level in self.levels[:per_level]:
            params = self.world.load(level)
            for sample in range(count):
                yield level, params, episode_key(level, sample)


def _top(worth: Any) -> Any:
    return worth >= worth.max(axis=1, keepdims=True) - 1e-12


def paid_events(reward: Reward) -> list[str]:
    """The events that a reward pays for, sorted."""
    return sorted(name for name in reward.reads if reward.weight(name) != 0)
