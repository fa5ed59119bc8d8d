"""Exact answers about a lights world: shortest plans from every state, and how often blind luck is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...suite.errors import UsageError
from .lights_rules import LightsRules
from .logic import And, Bulb, Constant, Expression, Not, Or

__all__ = ["MAX_SOLVABLE", "PolicyTable", "policy_table", "random_success", "solve"]

# 2**16 states times 16 bulbs are a few MB and about a second for the slowest question asked here.
MAX_SOLVABLE = 16


def _truth(expression: Expression, columns: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The expression's value in every state, given every bulb's value in every state."""
    match expression:
        case Constant(value):
            return np.full(columns[0].shape, value)
        case Bulb(index):
            return columns[index]
        case Not(operand):
            return ~_truth(operand, columns)
        case And(left, right):
            return _truth(left, columns) & _truth(right, columns)
        case Or(left, right):
            return _truth(left, columns) | _truth(right, columns)


def _works(config: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether each switch works in each state, shape (bulbs, 2**bulbs)."""
    rules = LightsRules.from_config(config)
    if rules.level > MAX_SOLVABLE:
        raise UsageError(
            f"A lights world of {rules.level} bulbs has 2**{rules.level} states, too many to go through; "
            f"exact answers are given for up to {MAX_SOLVABLE} bulbs."
        )
    states = np.arange(1 << rules.level)
    columns = [(states >> index & 1).astype(bool) for index in range(rules.level)]
    return np.stack([_truth(condition, columns) for condition in rules.conditions])


@dataclass(frozen=True, slots=True, eq=False)
class PolicyTable:
    """Shortest ways to all bulbs on, from every state.

    Args:
        distance: int32, shape (2**bulbs,): the fewest presses from each state; -1 where no way leads to the goal.
        action: int8, same shape: a bulb to press on a shortest way, the lowest number where several would do; -1 at
            the goal and where no way leads there.
    """

    distance: NDArray[np.int32]
    action: NDArray[np.int8]

    def best(self, mask: int) -> int | None:
        """A bulb to press on a shortest way from a state, or None at the goal and where no way leads there."""
        action = int(self.action[_checked(mask, self.action.size)])
        return None if action < 0 else action

    def plan(self, mask: int = 0) -> list[int] | None:
        """A shortest plan from a state.

        Args:
            mask: The state; bit k is 1 while bulb k is on.

        Returns:
            The bulbs to press in order, empty at the goal, or None where no way leads there.

        Raises:
            UsageError: ``mask`` is no state of this world.
        """
        if self.distance[_checked(mask, self.action.size)] < 0:
            return None
        plan: list[int] = []
        # Every press on a shortest way changes the state, so the next state is known without the rules.
        while (action := int(self.action[mask])) >= 0:
            plan.append(action)
            mask ^= 1 << action
        return plan


def _checked(mask: int, states: int) -> int:
    if not 0 <= mask < states:
        raise UsageError(f"State {mask} is not one of this world's states, 0 to {states - 1} (bit k: bulb k is on).")
    return mask


def policy_table(config: Mapping[str, Any]) -> PolicyTable:
    """Find shortest ways from every state by breadth-first search backwards from the goal.

    Args:
        config: As for :meth:`.LightsRules.from_config`, with at most 16 bulbs.

    Returns:
        Distances and actions for all states, read-only arrays.

    Raises:
        UsageError: The config is malformed or has too many bulbs.
    """
    works = _works(config)
    bulbs, states = works.shape
    distance = np.full(states, -1, dtype=np.int32)
    action = np.full(states, -1, dtype=np.int8)
    # Highest bulb first: of several assignments to one element the last stays, and that is the lowest bulb.
    order = np.arange(bulbs)[::-1, None]
    frontier = np.array([states - 1])
    distance[frontier] = 0
    steps = 0
    while frontier.size:
        steps += 1
        before = frontier ^ (1 << order)
        new = works[order, before] & (distance[before] < 0)
        found = before[new]
        distance[found] = steps
        action[found] = np.broadcast_to(order, before.shape)[new]
        frontier = np.flatnonzero(distance == steps)
    distance.setflags(write=False)
    action.setflags(write=False)
    return PolicyTable(distance, action)


def solve(config: Mapping[str, Any], start_mask: int = 0) -> list[int] | None:
    """Find a shortest plan. For many states of one world take :func:`policy_table`.

    Args:
        config: As for :meth:`.LightsRules.from_config`, with at most 16 bulbs.
        start_mask: The state to start from; bit k is 1 while bulb k is on.

    Returns:
        The bulbs to press in order, empty if all are on, or None if no plan exists.

    Raises:
        UsageError: The config is malformed or has too many bulbs, or the state is none of this world.
    """
    return policy_table(config).plan(start_mask)


def random_success(config: Mapping[str, Any], max_steps: int, start_mask: int = 0) -> float:
    """The probability that a player who presses bulbs uniformly at random succeeds in time: the chance level.

    Exact up to rounding: with v_k(s) the probability to succeed within k presses from state s,
    v_{k+1}(s) is the mean over bulbs of v_k at the state that the press leads to, and v is 1 at the goal.

    Args:
        config: As for :meth:`.LightsRules.from_config`, with at most 16 bulbs.
        max_steps: The presses allowed, 0 or more.
        start_mask: The state to start from; bit k is 1 while bulb k is on.

    Returns:
        A probability in [0, 1].

    Raises:
        UsageError: The config is malformed or has too many bulbs, ``max_steps`` is negative, or the state is none of
            this world.
    """
    works = _works(config)
    bulbs, states = works.shape
    _checked(start_mask, states)
    if max_steps < 0:
        raise UsageError(f"max_steps is a number of presses, 0 or more, not {max_steps}.")
    after = np.arange(states) ^ (works.astype(np.int64) << np.arange(bulbs)[:, None])
    success = np.zeros(states)
    success[-1] = 1.0
    gathered = np.empty(after.shape)
    for _ in range(max_steps):
        np.take(success, after, out=gathered, mode="clip")  # "clip" fills `out` without a copy; no index is outside
        np.add.reduce(gathered, axis=0, out=success)
        success /= bulbs
        success[-1] = 1.0
    return min(1.0, float(success[start_mask]))
