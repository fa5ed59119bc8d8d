"""The first axis of a world: what there is, and what an action changes. It knows no reward, view or word."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from .actions import Action, ActionSchema
from .keys import STILL, Key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BatchStep", "BatchedDynamics", "Dynamics", "Event", "Outcomes", "Transition"]

P = TypeVar("P")
S = TypeVar("S", bound=Hashable)
B = TypeVar("B")


class Event(NamedTuple):
    """Something that happened in a step: all that a reward may read.

    Attributes:
        name: One of the dynamics' ``events``.
        amount: How much of it; finite.
    """

    name: str
    amount: float = 1.0


class Transition(NamedTuple, Generic[S]):
    """What a step leads to.

    Attributes:
        state: The state after it.
        events: What happened.
        over: Whether nothing can happen any more, whoever pays for what. A reward may end an episode as well.
    """

    state: S
    events: tuple[Event, ...] = ()
    over: bool = False


Outcomes = Sequence[tuple[float, Transition[S]]]
"""Pairs of probability and transition. The probabilities are positive and sum to 1."""


class Dynamics(abc.ABC, Generic[P, S]):
    """States, actions and transitions: pure functions of what they are given.

    ``P`` is what is fixed in a level (hidden or not), a frozen value made once by :meth:`load`. ``S`` is what changes:
    immutable and hashable, best a ``NamedTuple`` of numbers, strings and tuples; equal states behave alike in one
    level. Nothing here may read a global, a file, a clock or a random number that is not of the key.

    An action that is not of ``actions`` never arrives. One that is, but makes no sense here, is a step like any other:
    return the state, with an event if a player should learn of it.
    """

    actions: ActionSchema
    events: Mapping[str, str]
    """What can happen, by name, in a line each. Rewards pay for these."""

    stochastic: bool = False
    """Whether keys matter."""

    @abc.abstractmethod
    def load(self, data: Mapping[str, Any]) -> P:
        """Make a level's parameters from plain data.

        Args:
            data: What the core's generator has drawn.

        Raises:
            UsageError: The data describes no level.
        """

    @abc.abstractmethod
    def init(self, params: P, key: Key) -> S:
        """The state before the first step."""

    @abc.abstractmethod
    def step(self, params: P, state: S, action: Action, key: Key) -> Transition[S]:
        """Act once.

        Args:
            params: The level.
            state: The state before.
            action: One of ``actions``.
            key: This step's own; all that is random comes from its slots.
        """

    @abc.abstractmethod
    def limits(self, params: P, horizon: int) -> Mapping[str, float]:
        """The most of each event that an episode is *meant* to have, by any play and with any luck.

        Write down what you intend, not what the code does: the audit proves that no play gets more, and that is what
        tells an economy from a reward that can be farmed. Events that nobody pays for may be left out.

        Args:
            params: The level.
            horizon: Steps of an episode.
        """

    def starts(self, params: P) -> Sequence[tuple[float, S]] | None:
        """All states that :meth:`init` may give, with probabilities; None where they cannot be listed."""
        return None if self.stochastic else ((1.0, self.init(params, STILL)),)

    def outcomes(self, params: P, state: S, action: Action) -> Outcomes[S] | None:
        """All that :meth:`step` may give, with probabilities; None where it cannot be listed.

        A stochastic core that writes this one writes ``return key.pick(self.outcomes(params, state, action))`` as its
        :meth:`step`, and both agree by construction. What it lists can be solved exactly.
        """
        return None if self.stochastic else ((1.0, self.step(params, state, action, STILL)),)


class BatchStep(NamedTuple, Generic[B]):
    """What a batched step leads to.

    Attributes:
        states: The states after it.
        amounts: Amount of each event, shape (rows, events), in the order of the dynamics' ``events``.
        over: Whether nothing can happen any more in a row, shape (rows,).
    """

    states: B
    amounts: NDArray[np.float64]
    over: NDArray[np.bool_]


@runtime_checkable
class BatchedDynamics(Protocol):
    """What a core offers that steps many levels at once; it must do what :class:`Dynamics` does, row by row.

    States are whatever suits, such as a NamedTuple of arrays whose first axis are the rows. The audit plays both and
    compares.
    """

    def init_batch(self, params: Sequence[Any], keys: NDArray[np.uint64]) -> Any:
        """The states before the first step; one row for each of ``params``, which may repeat."""
        ...

    def step_batch(self, states: Any, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[Any]:
        """Act once in every row.

        Args:
            states: The states before.
            actions: Numbers of the actions in ``actions.all``; -1: nothing changes in that row.
            keys: Every row's key of this step.
        """
        ...

    def row(self, states: Any, index: int) -> Any:
        """One row as the scalar core's state."""
        ...

    def select(self, use: NDArray[np.bool_], new: Any, old: Any) -> Any:
        """Rows of ``new`` where ``use`` is true, of ``old`` elsewhere."""
        ...
