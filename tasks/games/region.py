"""The most that could be won against any policy of a region: boxes around the probabilities at every information state.

A pair of plans of the two players is relaxed to a *correlation plan*: a weight for every pair of sequences at connected
information states, with each player's flow constraints times every sequence of the other (von Stengel and Forges 2008,
"Extensive-form correlated equilibrium", Mathematics of Operations Research 33, 1002-1022, section 3). Bounds on
behaviour are linear in it: ``low * w(before, t) <= w(after, t) <= high * w(before, t)``. Any product of a plan from the
region and a plan of the other player meets all constraints, so the maximum of the linear program is never below what
can be won; where the boxes are points it is exactly the value of the best response, and it grows smoothly with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ...environments.openspiel.sequences import Array, Seat, SequenceForm

__all__ = ["highest_win", "pairs"]

_HAIR = 1e-7


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of sequences that a correlation plan weighs, and how they hang together.

    Attributes:
        places: Number of each pair, by (sequence of 0, sequence of 1).
        flow: Rows of constraints that are 0, but for the first, which is 1: the pair of empty sequences.
        after: By player, for every pair in which that player's sequence is not empty: the pair's number.
        before: Likewise: the pair with the sequence that leads to it.
        own: Likewise: the player's sequence.
        gains: What player 0 wins by pair.
    """

    places: dict[tuple[int, int], int]
    flow: csr_array
    after: tuple[NDArray[np.intp], NDArray[np.intp]]
    before: tuple[NDArray[np.intp], NDArray[np.intp]]
    own: tuple[NDArray[np.intp], NDArray[np.intp]]
    gains: Array


@lru_cache(maxsize=16)
def pairs(form: SequenceForm) -> Pairs:
    """Gather the pairs of a game once."""
    state = [np.concatenate([[-1], seat.state_of]) for seat in form.seats]
    joined: set[tuple[int, int]] = set()
    for a, b in {(int(state[0][a]), int(state[1][b])) for a, b in form.connected.tolist()}:
        # A history to both has met all own states on the way to each.
        joined |= {(x, y) for x in _way(form.seats[0], state[0], a) for y in _way(form.seats[1], state[1], b)}
    keys = {(own, 0) for own in range(form.seats[0].size)} | {(0, own) for own in range(form.seats[1].size)}
    for x, y in joined:
        keys |= {(s, t) for s in _sequences(form.seats[0], x) for t in _sequences(form.seats[1], y)}
    places = {pair: number for number, pair in enumerate(sorted(keys))}
    after, before, own = (tuple[list[int], list[int]](([], [])) for _ in range(3))
    rows, columns, values = [0], [places[0, 0]], [1.0]
    row = 1
    for player, seat in enumerate(form.seats):
        others: list[list[int]] = [[0] for _ in seat.keys]
        for pair in joined:
            others[pair[player]] += _sequences(form.seats[1 - player], pair[1 - player])
        for index, other in enumerate(others):
            parent = int(seat.parent[index])
            for t in other:
                first = places[(parent, t) if player == 0 else (t, parent)]
                rows.append(row)
                columns.append(first)
                values.append(-1.0)
                for s in _sequences(seat, index):
                    number = places[(s, t) if player == 0 else (t, s)]
                    rows.append(row)
                    columns.append(number)
                    values.append(1.0)
                    after[player].append(number)
                    before[player].append(first)
                    own[player].append(s)
                row += 1
    gains = np.zeros(len(places))
    payoff = form.payoff.tocoo()
    for s, t, win in zip(*payoff.coords, payoff.data, strict=True):
        gains[places[int(s), int(t)]] += win
    return Pairs(
        places,
        csr_array((values, (rows, columns)), shape=(row, len(places))),
        _arrays(after),
        _arrays(before),
        _arrays(own),
        gains,
    )


def highest_win(form: SequenceForm, player: int, low: Array, high: Array) -> float:
    """Bound what the other can win at most if a player's probabilities lie anywhere between two bounds.

    Args:
        form: The game.
        player: Whose policy is in the region.
        low: Lower bounds of the probabilities, shape (sequences,).
        high: Upper bounds likewise.

    Returns:
        At least ``max over policies in the region of the best response's value``; equal to it where both bounds are one
        policy.

    Raises:
        ValueError: No policy lies between the bounds.
        RuntimeError: The linear program was not solved.
    """
    from scipy.optimize import linprog

    seat, made = form.seats[player], pairs(form)
    if (seat.sums(low) > 1 + 1e-9).any() or (seat.sums(high) < 1 - 1e-9).any() or (low > high + 1e-12).any():
        raise ValueError(
            "no policy lies between these bounds: low must sum to at most 1 at each information state, high to 1"
        )
    # A hair of room, without which rounding can leave the solver no policy between bounds that are equal. A larger
    # region gives no smaller bound, so nothing that is said becomes wrong.
    low, high = np.maximum(low - _HAIR, 0.0), np.minimum(high + _HAIR, 1.0)
    after, before, own = made.after[player], made.before[player], made.own[player]
    count, size = len(after), len(made.places)
    rows = np.tile(np.arange(2 * count), 2)
    columns = np.concatenate([after, after, before, before])
    values = np.concatenate([np.ones(count), -np.ones(count), -high[own], low[own]])
    # SciPy's stubs do not know that a linear program may be sparse.
    between: Any = csr_array((values, (rows, columns)), shape=(2 * count, size))
    flow: Any = made.flow
    one = np.zeros(flow.shape[0])
    one[0] = 1.0
    cost = made.gains if player == 0 else -made.gains
    known: dict[str, Any] = {"A_ub": between, "b_ub": np.zeros(2 * count), "A_eq": flow, "b_eq": one, "bounds": (0, 1)}
    found = linprog(cost, **known, method="highs")
    if found.status != 0:
        # Presolving may take what is nearly infeasible for infeasible; the interior point method then still finds it.
        found = linprog(cost, **known, method="highs-ipm", options={"presolve": False})
    if found.status != 0 or found.fun is None:
        raise RuntimeError(f"the linear program over the region of player {player} was not solved: {found.message}")
    return -float(found.fun)


def _way(seat: Seat, state: NDArray[np.intp], index: int) -> list[int]:
    """An information state and all of its player's before it."""
    way = []
    while index >= 0:
        way.append(index)
        index = int(state[seat.parent[index]])
    return way


def _sequences(seat: Seat, index: int) -> list[int]:
    return list(range(int(seat.first[index]), int(seat.first[index] + seat.count[index])))


def _arrays(lists: tuple[list[int], list[int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.array(lists[0], dtype=np.intp), np.array(lists[1], dtype=np.intp)
