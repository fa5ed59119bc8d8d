"""Many episodes at once, where a core is batched: the same worlds, the same numbers, a row for each episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...suite.errors import UsageError
from .dynamics import BatchedDynamics, Event
from .keys import Key, child_keys, key_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .world import World

__all__ = ["BatchMoment", "advance_batch", "begin_batch", "draw_actions"]


class BatchMoment(NamedTuple):
    """Where many episodes stand; arrays of shape (rows,) unless said otherwise. Rows that are over stay as they are.

    Attributes:
        states: The core's batched states.
        keys: The episodes' keys.
        time: Steps so far, one number: all rows step together.
        rewards: What the last step paid.
        totals: What all have paid.
        terminated: Whether world or reward have ended the row.
        truncated: Whether the horizon has.
    """

    states: Any
    keys: NDArray[np.uint64]
    time: int
    rewards: NDArray[np.float64]
    totals: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


def _batched(world: World) -> BatchedDynamics:
    if not isinstance(world.dynamics, BatchedDynamics):
        raise UsageError(f"The core {world.core.name} steps one episode at a time: it has no batched dynamics.")
    return world.dynamics


def begin_batch(world: World, params: Sequence[Any], keys: Sequence[Key]) -> BatchMoment:
    """Begin episodes.

    Args:
        world: One whose dynamics is a :class:`.dynamics.BatchedDynamics`.
        params: A loaded level for each row; rows may share one.
        keys: A key for each row, as :meth:`.world.World.begin` takes it.

    Raises:
        UsageError: The world is not batched, or the lengths differ.
    """
    dynamics = _batched(world)
    if len(params) != len(keys) or not keys:
        raise UsageError(
            f"begin_batch needs a key for each level, one or more: {len(params)} levels, {len(keys)} keys."
        )
    roots = key_array(keys)
    rows = len(keys)
    states = dynamics.init_batch(params, child_keys(roots, 0))
    no, zero = np.zeros(rows, dtype=bool), np.zeros(rows)
    return BatchMoment(states, roots, 0, zero, zero, no, no)


def advance_batch(world: World, moment: BatchMoment, actions: NDArray[np.int64]) -> BatchMoment:
    """Take a step in every row that is not over.

    Args:
        world: As for :func:`begin_batch`.
        moment: Where the episodes stand.
        actions: Numbers of actions in the schema's ``all``, shape (rows,); any other number is an unusable action.
    """
    dynamics = _batched(world)
    schema = world.dynamics.actions
    time = moment.time + 1
    live = ~(moment.terminated | moment.truncated)
    numbers = np.asarray(actions, dtype=np.int64)
    usable = live & (numbers >= 0) & (numbers < len(schema.all))
    step = dynamics.step_batch(moment.states, np.where(usable, numbers, -1), child_keys(moment.keys, time))
    names = list(world.dynamics.events)
    prices = np.array([world.reward.weight(name) for name in names])
    last = np.array([world.reward.ends((Event(name),)) for name in names])
    rewards = np.where(usable, step.amounts @ prices, 0.0)
    over = usable & (step.over | (step.amounts[:, last] != 0).any(axis=1))
    states = step.states if usable.all() else dynamics.select(usable, step.states, moment.states)
    terminated = moment.terminated | over
    truncated = moment.truncated | (live & ~over & (time >= world.horizon))
    return BatchMoment(states, moment.keys, time, rewards, moment.totals + rewards, terminated, truncated)


def draw_actions(world: World, keys: NDArray[np.uint64], time: int) -> NDArray[np.int64]:
    """Draw an action for every row as the random player does; other draws than the world's own.

    Args:
        world: One with a finite schema.
        keys: The players' keys, shape (rows,).
        time: Which step.
    """
    from .keys import uniforms

    edges = np.cumsum(world.dynamics.actions.chances)
    drawn = uniforms(child_keys(keys, time), 0)
    return np.minimum(np.searchsorted(edges, drawn, side="right"), len(edges) - 1).astype(np.int64)
