"""A game in sequence form: policies as arrays, exact values and exact best responses, for many policies at once.

Source: von Stengel (1996), "Efficient computation of behavior strategies", Games and Economic Behavior 14, 220-246;
Koller, Megiddo and von Stengel (1996), the same journal 14, 247-259.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .games import load_game
from .seats import Array, Response, Seat, Tier

__all__ = ["Array", "Response", "Seat", "SequenceForm", "Tier", "sequence_form"]


@dataclass(frozen=True, eq=False)
class SequenceForm:
    """A game of two players and zero sum with perfect recall.

    Attributes:
        seats: The two players' sequences.
        payoff: What player 0 wins, times the probability of chance, by both players' last sequences; sparse, shape
            (sequences of 0, sequences of 1).
        connected: All pairs of sequences that some history of the game joins, shape (pairs, 2), sorted.
        lowest: The least that player 0 can win.
        highest: The most.
    """

    seats: tuple[Seat, Seat]
    payoff: csr_array
    connected: NDArray[np.intp]
    lowest: float
    highest: float

    @cached_property
    def _gains(self) -> tuple[csr_array, csr_array]:
        return self.payoff, csr_array(-self.payoff.T)

    def gradient(self, player: int, plan: Array) -> Array:
        """What each sequence of a player wins against a plan of the other, shape (sequences,) or (sequences, cases)."""
        return np.asarray(self._gains[player] @ plan)

    def value(self, policies: Sequence[Array]) -> Array:
        """What player 0 wins on average."""
        plans = [seat.plan(policy) for seat, policy in zip(self.seats, policies, strict=True)]
        return (plans[0] * self.gradient(0, plans[1])).sum(axis=0)

    def respond(self, player: int, policy: Array) -> Response:
        """A player's best response to a policy of the other."""
        return self.seats[player].respond(self.gradient(player, self.seats[1 - player].plan(policy)))

    def exploitability(self, policies: Sequence[Array]) -> Array:
        """What best responses win against both policies, on average over the two seats; 0 at an equilibrium.

        As OpenSpiel defines it: NashConv (Lanctot and others 2017, arXiv 1711.00832, section 2) over the number of
        players.
        """
        return (self.respond(1, policies[0]).value + self.respond(0, policies[1]).value) / 2

    def uniform(self) -> tuple[Array, Array]:
        """Both players play all actions alike."""
        return self.seats[0].uniform(), self.seats[1].uniform()


class _Gatherer:
    """One player's sequences as they are met."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.depth: list[int] = []
        self.parent: list[tuple[int, int]] = []
        self.actions: list[tuple[int, ...]] = []
        self.names: list[tuple[str, ...]] = []

    def meet(self, key: str, came: tuple[int, int], state: Any, player: int) -> int:
        place = self.places.get(key)
        if place is None:
            place = self.places[key] = len(self.places)
            actions = tuple(state.legal_actions())
            self.depth.append(0 if came[0] < 0 else self.depth[came[0]] + 1)
            self.parent.append(came)
            self.actions.append(actions)
            self.names.append(tuple(state.action_to_string(player, action) for action in actions))
        elif self.parent[place] != came:
            raise ValueError(f"the information state {key!r} is reached in two ways: the game has no perfect recall")
        return place

    def seat(self, player: int) -> tuple[Seat, dict[tuple[int, int], int]]:
        """The seat, and the number of every (information state as it was met, place of the action)."""
        order = sorted(range(len(self.depth)), key=lambda place: self.depth[place])
        count = np.array([len(self.actions[place]) for place in order], dtype=np.intp)
        first = 1 + np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.intp)
        numbers = {(-1, -1): 0}
        for new, place in enumerate(order):
            numbers |= {(place, i): int(first[new]) + i for i in range(int(count[new]))}
        keys = list(self.places)
        depths = np.array([self.depth[place] for place in order])
        tiers = []
        for depth in range(int(depths.max()) + 1):
            (inside,) = np.nonzero(depths == depth)
            low, high = int(inside[0]), int(inside[-1])
            tiers.append(Tier(slice(low, high + 1), slice(int(first[low]), int(first[high] + count[high]))))
        seat = Seat(
            player=player,
            keys=tuple(keys[place] for place in order),
            actions=tuple(self.actions[place] for place in order),
            names=tuple(self.names[place] for place in order),
            parent=np.array([numbers[self.parent[place]] for place in order], dtype=np.intp),
            first=first,
            count=count,
            tiers=tuple(tiers),
        )
        return seat, numbers


@cache
def sequence_form(name: str) -> SequenceForm:
    """The sequence form of a game.

    Args:
        name: One of :data:`.games.GAMES`.

    Raises:
        UsageError: There is no such game.
        ValueError: The game has not two players, simultaneous moves, or no perfect recall.
    """
    return compile_game(load_game(name))


def compile_game(game: Any) -> SequenceForm:
    """Walk all histories of an OpenSpiel game.

    Raises:
        ValueError: The game has not two players, simultaneous moves, or no perfect recall.
    """
    if game.num_players() != 2:
        raise ValueError(f"a game of two players is wanted, not of {game.num_players()}: {game}")
    found = (_Gatherer(), _Gatherer())
    start = ((-1, -1), (-1, -1))
    wins: dict[tuple[tuple[int, int], tuple[int, int]], float] = {}
    joined = {start}
    returns: list[float] = []
    waiting: list[tuple[Any, float, tuple[tuple[int, int], tuple[int, int]]]] = [(game.new_initial_state(), 1.0, start)]
    while waiting:
        state, chance, came = waiting.pop()
        if state.is_terminal():
            won = state.returns()
            if abs(sum(won)) > 1e-9:
                raise ValueError(f"a game of zero sum is wanted; here {won} can be won: {game}")
            returns.append(won[0])
            wins[came] = wins.get(came, 0.0) + chance * won[0]
        elif state.is_chance_node():
            waiting += [(state.child(a), chance * p, came) for a, p in reversed(state.chance_outcomes())]
        elif state.is_simultaneous_node():
            raise ValueError(f"one player after the other must move; use turn_based_simultaneous_game: {game}")
        else:
            player = state.current_player()
            place = found[player].meet(state.information_state_string(player), came[player], state, player)
            for i, action in reversed(list(enumerate(state.legal_actions()))):
                own = (place, i)
                pair = (own, came[1]) if player == 0 else (came[0], own)
                joined.add(pair)
                waiting.append((state.child(action), chance, pair))
    (zero, left), (one, right) = found[0].seat(0), found[1].seat(1)
    rows, columns = [left[a] for a, _ in wins], [right[b] for _, b in wins]
    payoff = csr_array((list(wins.values()), (rows, columns)), shape=(zero.size, one.size))
    connected = np.array(sorted((left[a], right[b]) for a, b in joined), dtype=np.intp)
    return SequenceForm((zero, one), payoff, connected, min(returns), max(returns))
