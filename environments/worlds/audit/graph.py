"""All states of a level that can be reached, and exact values on them by dynamic programming."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..agents import SOONER
from ..dynamics import Dynamics, Event
from ..reward import Reward

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_TRANSITIONS", "StateGraph", "ahead", "explore", "fewest_steps", "shortest", "spread"]

MOST_TRANSITIONS = 1_500_000
"""Outcomes that are listed for one level before a search gives up."""


@dataclass(frozen=True, eq=False)
class StateGraph:
    """A level's states and outcomes; rows are (state, action) pairs, outcomes are sorted by row.

    Attributes:
        states: The states by number.
        number: The number of each state.
        starts: Pairs of probability and number.
        actions: How many actions there are.
        row: Of each outcome, shape (outcomes,).
        chance: Its probability.
        after: The number of the state that it leads to.
        kind: Which of ``kinds`` happened.
        over: Whether nothing can happen after it.
        kinds: Different tuples of events.
        first: The first outcome of each row, shape (states x actions,).
    """

    states: list[Any]
    number: dict[Any, int]
    starts: tuple[tuple[float, int], ...]
    actions: int
    row: NDArray[np.int64]
    chance: NDArray[np.float64]
    after: NDArray[np.int64]
    kind: NDArray[np.int64]
    over: NDArray[np.bool_]
    kinds: list[tuple[Event, ...]]
    first: NDArray[np.int64]
    _priced: dict[int, tuple[Any, ...]] = field(default_factory=dict)

    def priced(self, reward: Reward) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each row pays on average, and each outcome's weight for what follows (0 where it ends)."""
        found = self._priced.get(id(reward))
        if found is None:
            pays = np.array([reward.pay(events) for events in self.kinds])
            ends = np.array([reward.ends(events) for events in self.kinds], dtype=bool)
            now = np.add.reduceat(self.chance * pays[self.kind], self.first)
            later = np.where(self.over | ends[self.kind], 0.0, self.chance)
            # The reward is kept, so that no other can get its id.
            found = self._priced[id(reward)] = (now, later, reward)
        return found[0], found[1]

    def backup(self, reward: Reward, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each action in each state is worth if states are worth ``values`` after it: (states, actions)."""
        now, later = self.priced(reward)
        return (now + np.add.reduceat(later * values[self.after], self.first)).reshape(-1, self.actions)

    def backup_at(self, reward: Reward, values: NDArray[np.float64], state: int) -> NDArray[np.float64]:
        """One row of :meth:`backup`: shape (actions,)."""
        now, later = self.priced(reward)
        low = state * self.actions
        begin = int(self.first[low])
        end = int(self.first[low + self.actions]) if low + self.actions < len(self.first) else len(self.row)
        worth = now[low : low + self.actions].copy()
        np.add.at(worth, self.row[begin:end] - low, later[begin:end] * values[self.after[begin:end]])
        return worth

    def optimum(self, reward: Reward, horizon: int) -> NDArray[np.float64]:
        """Values with 0, 1, … horizon steps left under the best actions: shape (horizon + 1, states).

        Backward induction (Puterman 1994, Markov Decision Processes, section 4.5). Doing nothing, as an unusable
        action does, is among the actions.
        """
        values = np.zeros((horizon + 1, len(self.states)))
        for left in range(1, horizon + 1):
            values[left] = np.maximum(self.backup(reward, values[left - 1]).max(axis=1), values[left - 1])
        return values

    def best_usable(self, reward: Reward, horizon: int) -> NDArray[np.float64]:
        """As :meth:`optimum`, by usable actions alone: shape (states,), with ``horizon`` steps left."""
        values = np.zeros(len(self.states))
        for _ in range(horizon):
            values = self.backup(reward, values).max(axis=1)
        return values

    def least(self, reward: Reward, horizon: int) -> NDArray[np.float64]:
        """Values under the worst actions, doing nothing among them: shape (states,), with ``horizon`` steps left."""
        values = np.zeros(len(self.states))
        for _ in range(horizon):
            values = np.minimum(self.backup(reward, values).min(axis=1), values)
        return values

    def value_of(self, reward: Reward, horizon: int, chances: NDArray[np.float64]) -> float:
        """The expected return of a policy from the start.

        Args:
            reward: What pays.
            horizon: Steps of the episode.
            chances: Of each action: (actions,), (states, actions), or (horizon, states, actions) by steps left - 1.
        """
        values = np.zeros(len(self.states))
        for left in range(horizon):
            now = chances[left] if chances.ndim == 3 else chances
            values = (self.backup(reward, values) * now).sum(axis=-1)
        return self.start_value(values)

    def most(self, reward: Reward, event: str, horizon: int) -> float:
        """The largest total amount of an event in one episode, by any play and with any luck.

        Args:
            reward: Whose end ends the episode.
            event: Its name.
            horizon: Steps of the episode.
        """
        amounts = np.array([sum(e.amount for e in events if e.name == event) for events in self.kinds])[self.kind]
        ends = np.array([reward.ends(events) for events in self.kinds], dtype=bool)[self.kind]
        goes_on = ~(self.over | ends)
        values = np.zeros(len(self.states))
        for _ in range(horizon):
            best = np.maximum.reduceat(amounts + np.where(goes_on, values[self.after], 0.0), self.first)
            values = np.maximum(best.reshape(-1, self.actions).max(axis=1), values)
        return max(float(values[n]) for _, n in self.starts)

    def start_value(self, values: NDArray[np.float64]) -> float:
        """The mean of values over the starts."""
        return float(sum(p * values[n] for p, n in self.starts))


def explore(
    dynamics: Dynamics[Any, Any],
    params: Any,
    horizon: int,
    limit: int = MOST_TRANSITIONS,
    most_states: int | None = None,
) -> StateGraph | None:
    """List all states that can be reached within a number of steps, breadth first.

    Args:
        dynamics: Whose outcomes can be listed.
        params: A loaded level.
        horizon: Steps.
        limit: The most outcomes to list.
        most_states: The most states; None: no limit of their own.

    Returns:
        The graph; None where starts, actions or outcomes cannot be listed, or are too many. States of the last step
        have outcomes to themselves: nobody acts there.
    """
    starts = dynamics.starts(params)
    if starts is None or not dynamics.actions.finite:
        return None
    actions = dynamics.actions.all
    number: dict[Any, int] = {}
    states: list[Any] = []
    for _, state in starts:
        if state not in number:
            number[state] = len(states)
            states.append(state)
    kinds: dict[tuple[Event, ...], int] = {}
    row: list[int] = []
    chance: list[float] = []
    after: list[int] = []
    kind: list[int] = []
    over: list[bool] = []
    outcomes_of = dynamics.outcomes
    done, depth = 0, 0
    while done < len(states) and depth < horizon:
        last = len(states)
        for at in range(done, last):
            state = states[at]
            for index, action in enumerate(actions):
                outcomes = outcomes_of(params, state, action)
                if outcomes is None:
                    return None
                for probability, (new, events, ended) in outcomes:
                    # Nobody acts in a state where all is over: it needs no number.
                    where = at if ended else number.get(new)
                    if where is None:
                        where = number[new] = len(states)
                        states.append(new)
                    row.append(at * len(actions) + index)
                    chance.append(probability)
                    after.append(where)
                    kind.append(kinds.setdefault(events, len(kinds)))
                    over.append(ended)
            if len(row) > limit or (most_states is not None and len(states) > most_states):
                return None
        done, depth = last, depth + 1
    nothing = kinds.setdefault((), len(kinds))
    for at in range(done, len(states)):
        for index in range(len(actions)):
            row.append(at * len(actions) + index)
            chance.append(1.0)
            after.append(at)
            kind.append(nothing)
            over.append(True)
    rows = np.array(row, dtype=np.int64)
    return StateGraph(
        states,
        number,
        tuple((p, number[s]) for p, s in starts),
        len(actions),
        rows,
        np.array(chance),
        np.array(after, dtype=np.int64),
        np.array(kind, dtype=np.int64),
        np.array(over, dtype=bool),
        list(kinds),
        np.searchsorted(rows, np.arange(len(states) * len(actions))),
    )


def shortest(graph: StateGraph, reward: Reward) -> int | None:
    """The fewest steps, with luck, to an event that ends the episode and pays; None if there is no such way."""
    wins = np.array([reward.pay(events) > 0 and reward.ends(events) for events in graph.kinds], dtype=bool)[graph.kind]
    source = graph.row // graph.actions
    reached = np.zeros(len(graph.states), dtype=bool)
    reached[[n for _, n in graph.starts]] = True
    for steps in range(1, len(graph.states) + 2):
        from_here = reached[source]
        if (from_here & wins).any():
            return steps
        new = reached.copy()
        new[graph.after[from_here & ~graph.over]] = True
        if (new == reached).all():
            return None
        reached = new
    return None


def spread(best: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Chances that share a state's probability among the actions that are true in it."""
    weights = best.astype(float)
    return weights / weights.sum(axis=-1, keepdims=True)


def ahead(graph: StateGraph, reward: Reward, promise: NDArray[np.float64], depth: int) -> NDArray[np.float64]:
    """What each action is worth to a player that looks ``depth`` steps ahead and then goes by ``promise``."""
    values = promise
    worth = graph.backup(reward, values)
    for _ in range(depth - 1):
        values = worth.max(axis=1) * SOONER
        worth = graph.backup(reward, values)
    return worth


def fewest_steps(
    dynamics: Dynamics[Any, Any], params: Any, reward: Reward, most: int, limit: int = MOST_TRANSITIONS
) -> int | None:
    """:func:`shortest` without a graph: breadth first from the start, and no further than the first win.

    Args:
        dynamics: Whose outcomes can be listed.
        params: A loaded level.
        reward: What wins: an event that pays and ends.
        most: Steps after which to give up.
        limit: Outcomes after which to give up.
    """
    layer = {state for _, state in dynamics.starts(params) or ()}
    seen, listed = set(layer), 0
    for steps in range(1, most + 1):
        following = set()
        for state in layer:
            for action in dynamics.actions.all:
                for _, (after, events, over) in dynamics.outcomes(params, state, action) or ():
                    listed += 1
                    if events and reward.pay(events) > 0 and reward.ends(events):
                        return steps
                    if not over and after not in seen:
                        seen.add(after)
                        following.add(after)
        if not following or listed > limit:
            return None
        layer = following
    return None
