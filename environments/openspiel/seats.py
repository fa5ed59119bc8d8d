"""One player's side of a game in sequence form: information states, sequences, policies and best responses as arrays.

NumPy alone, and nothing of this package: the text of this module also runs inside the sandbox, where the package is
hidden, so that programs are judged there by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Response", "Seat", "Tier"]

Array: TypeAlias = NDArray[np.float64]

_TIE = 1e-11


@dataclass(frozen=True, slots=True)
class Tier:
    """Information states after equally many own moves; they and their sequences lie side by side.

    Attributes:
        states: Their slice among the information states.
        sequences: The slice of their sequences.
    """

    states: slice
    sequences: slice


@dataclass(frozen=True, slots=True)
class Response:
    """A best response.

    Attributes:
        value: What it wins, shape () or (cases,).
        policy: One action at each information state, shape (sequences,) or (sequences, cases).
    """

    value: Array
    policy: Array


@dataclass(frozen=True, eq=False)
class Seat:
    """One player's information states and sequences.

    Sequence 0 is the empty one; every other is an action at an information state, after all that led there. A *policy*
    is an array over sequences: at each the probability of its action at its information state, and 1 at sequence 0. A
    *plan* has at each sequence the product of the player's own probabilities along it. Both may have a second axis of
    cases.

    Attributes:
        player: 0 or 1.
        keys: OpenSpiel's information state strings, by number of own moves before them.
        actions: Legal actions by information state.
        names: The same in OpenSpiel's words.
        parent: The sequence that leads to each information state.
        first: The first sequence of each information state; they lie side by side in the order of ``actions``.
        count: How many actions each has.
        tiers: See :class:`Tier`, from the first move on.
    """

    player: int
    keys: tuple[str, ...]
    actions: tuple[tuple[int, ...], ...]
    names: tuple[tuple[str, ...], ...]
    parent: NDArray[np.intp]
    first: NDArray[np.intp]
    count: NDArray[np.intp]
    tiers: tuple[Tier, ...]

    @property
    def size(self) -> int:
        """Number of sequences, the empty one included."""
        return 1 + int(self.count.sum())

    @cached_property
    def state_of(self) -> NDArray[np.intp]:
        """The information state of every sequence but the empty one, shape (sequences - 1,)."""
        return np.repeat(np.arange(len(self.keys)), self.count)

    @property
    def options(self) -> NDArray[np.intp]:
        """The number of actions beside each sequence, 1 for the empty one."""
        return np.concatenate([[1], self.count[self.state_of]])

    def uniform(self) -> Array:
        """The policy that plays all actions alike."""
        return 1.0 / self.options

    def sums(self, values: Array) -> Array:
        """Sums over the actions of each information state, shape (states,) or (states, cases)."""
        return np.add.reduceat(values[1:], self.first - 1, axis=0)

    def spread(self, values: Array) -> Array:
        """Repeat numbers of information states at their sequences; 1 at the empty one."""
        return np.concatenate([np.ones_like(values[:1]), values[self.state_of]])

    def normalised(self, weights: Array) -> Array:
        """Make a policy of weights at least 0: in proportion, and uniform where all are 0."""
        total = self.spread(self.sums(weights))
        options = self.options.reshape(-1, *[1] * (weights.ndim - 1))
        policy = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0 / options)
        policy[0] = 1.0
        return policy

    def plan(self, policy: Array) -> Array:
        """The plan of a policy."""
        plan = np.array(policy, dtype=np.float64)
        for tier in self.tiers[1:]:
            states = self.state_of[tier.sequences.start - 1 : tier.sequences.stop - 1]
            plan[tier.sequences] *= plan[self.parent[states]]
        return plan

    def policy(self, plan: Array) -> Array:
        """The policy of a plan; uniform where the plan never comes."""
        return self.normalised(np.maximum(plan, 0.0))

    def rise(self, gradient: Array, policy: Array) -> tuple[Array, Array]:
        """What every sequence and information state is worth, counterfactually, if the policy is played from there on.

        Args:
            gradient: What each sequence wins where it is the player's last, weighted by chance and the other's plan.
            policy: The player's.

        Returns:
            Values at sequences (that at 0 is the value of the game) and at information states.
        """
        worth = np.array(gradient, dtype=np.float64)
        values = np.empty((len(self.keys), *worth.shape[1:]))
        for tier in reversed(self.tiers):
            part = worth[tier.sequences] * policy[tier.sequences]
            values[tier.states] = np.add.reduceat(part, self._starts(tier), axis=0)
            np.add.at(worth, self.parent[tier.states], values[tier.states])
        return worth, values

    def respond(self, gradient: Array) -> Response:
        """The best response to what each sequence wins. Of actions equally good up to rounding the first is taken.

        Args:
            gradient: As for :meth:`rise`.
        """
        worth = np.array(gradient, dtype=np.float64)
        policy = np.zeros_like(worth)
        policy[0] = 1.0
        for tier in reversed(self.tiers):
            part = worth[tier.sequences]
            starts, counts = self._starts(tier), self.count[tier.states]
            best = np.maximum.reduceat(part, starts, axis=0)
            place = np.arange(len(part)).reshape(-1, *[1] * (part.ndim - 1))
            # Sums in another order round otherwise, and a tie must not be broken by that.
            good = part >= np.repeat(best, counts, axis=0) - _TIE
            winner = np.minimum.reduceat(np.where(good, place, len(part)), starts)
            policy[tier.sequences] = place == np.repeat(winner, counts, axis=0)
            np.add.at(worth, self.parent[tier.states], best)
        return Response(worth[0], policy)

    def _starts(self, tier: Tier) -> NDArray[np.intp]:
        return self.first[tier.states] - tier.sequences.start
