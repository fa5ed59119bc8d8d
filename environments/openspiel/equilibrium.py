"""An exact equilibrium of a game by linear programming, and what its player 0 wins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .sequences import Array, Seat, SequenceForm, sequence_form

__all__ = ["Equilibrium", "equilibrium", "solve"]


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """A pair of policies of which neither can be exploited.

    Attributes:
        policies: One a player, shape (sequences,).
        value: What player 0 wins.
    """

    policies: tuple[Array, Array]
    value: float


@cache
def equilibrium(name: str) -> Equilibrium:
    """An equilibrium of a game by name.

    Raises:
        UsageError: There is no such game.
    """
    return solve(sequence_form(name))


def solve(form: SequenceForm) -> Equilibrium:
    """Solve a game exactly, up to the solver's tolerance (1e-9 or so).

    Source: Koller, Megiddo and von Stengel (1996), "Efficient computation of equilibria for extensive two-person
    games", Games and Economic Behavior 14, 247-259.

    Raises:
        RuntimeError: The solver failed.
    """
    plans = [_maximin(form, player) for player in (0, 1)]
    policies = (form.seats[0].policy(plans[0]), form.seats[1].policy(plans[1]))
    return Equilibrium(policies, float(form.value(policies)))


def flow(seat: Seat) -> csr_array:
    """The constraints on a plan: the row of an information state says that its actions share its parent's weight.

    Returns:
        Shape (1 + states, sequences); a plan times it is 1 in the first row and 0 in all others.
    """
    states = np.arange(1, len(seat.keys) + 1)
    rows = np.concatenate([[0], states[seat.state_of], states])
    columns = np.concatenate([[0], np.arange(1, seat.size), seat.parent])
    values = np.concatenate([np.ones(seat.size), -np.ones(len(seat.keys))])
    return csr_array((values, (rows, columns)), shape=(1 + len(seat.keys), seat.size))


def _maximin(form: SequenceForm, player: int) -> Array:
    """The plan that wins most against the worst that the other can do."""
    from scipy.optimize import linprog
    from scipy.sparse import block_array

    own, other = form.seats[player], form.seats[1 - player]
    gains = form.payoff if player == 0 else csr_array(-form.payoff.T)
    mine, theirs = flow(own), flow(other)
    # Variables: the plan, and what each information state of the other is worth; the first of them is the whole game.
    # SciPy's stubs do not know that a linear program may be sparse.
    worst: Any = block_array([[-gains.T, theirs.T]], format="csr")
    equal: Any = block_array([[mine, csr_array((mine.shape[0], theirs.shape[0]))]], format="csr")
    cost = np.zeros(own.size + theirs.shape[0])
    cost[own.size] = -1.0
    one = np.zeros(mine.shape[0])
    one[0] = 1.0
    bounds = [(0, None)] * own.size + [(None, None)] * theirs.shape[0]
    found = linprog(cost, A_ub=worst, b_ub=np.zeros(other.size), A_eq=equal, b_eq=one, bounds=bounds, method="highs")
    if found.status != 0 or found.x is None:
        raise RuntimeError(f"the linear program of player {player} was not solved: {found.message}")
    return np.asarray(found.x[: own.size])
