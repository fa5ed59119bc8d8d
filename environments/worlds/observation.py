"""The third axis of a world: what of the true state an agent gets to know."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Sequence
from typing import Generic, Literal, TypeVar

from .dynamics import Event

__all__ = ["Observation"]

P = TypeVar("P", contravariant=True)
S = TypeVar("S", contravariant=True)
V = TypeVar("V", bound=Hashable, covariant=True)


class Observation(abc.ABC, Generic[P, S, V]):
    """Makes a view of a state: the only thing that a skin gets.

    ``V`` is the core's view: immutable and hashable, best a ``NamedTuple`` whose hidden fields are None. All policies
    of a core give the same type, so that each goes with every skin. Numbers in a view are as exact as they will be
    shown: round floats here, not in the skin. A noisy reading is drawn by the dynamics and kept in the state.

    Attributes:
        name: Of this variant, such as ``near`` or ``full``.
        kind: ``full`` or ``partial``: whether two states that differ in what is to come can look alike.
    """

    name: str
    kind: Literal["full", "partial"]

    @abc.abstractmethod
    def observe(self, params: P, state: S, events: Sequence[Event]) -> V:
        """What is seen after a step.

        Args:
            params: The level.
            state: The state after the step.
            events: What happened in it; none before the first and after an unusable action.
        """
