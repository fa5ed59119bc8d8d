"""Solving games step by step, several at once, with the step as a parameter: regret minimisation, and PSRO.

NumPy and :mod:`finchmark.environments.openspiel.seats` alone: the text of both also runs inside the sandbox, in a
process that the program under trial cannot see, so that what a program is worth is worked out by the same code as what
ours are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...environments.openspiel.seats import Array, Seat

__all__ = ["Arrays", "Board", "Meta", "Step", "gap", "minimise_all", "respond_all"]

Step: TypeAlias = Callable[[int, int, Sequence[int], Sequence[Array], Sequence[Array]], Sequence[tuple[Array, float]]]
"""Takes the player, the iteration from 1, the places of the games that go on, and for each of these the regrets and the
policy in play, shape (sequences,). Gives for each what the next policy is in proportion to, and the weight of the
policy in play in the average."""

Meta: TypeAlias = Callable[[int, bool, Sequence[int], Sequence[Array]], Sequence[tuple[Array, Array]]]
"""Takes the iteration from 1, whether the mixture is to be measured (and not only to be answered), the places of the
games that go on, and for each of these what player 0 wins, shape (policies of 0, policies of 1). Gives for each what
the two mixtures are in proportion to."""

_MOST = 1e100  # above this a sum of weights may leave the range of numbers


class Board(Protocol):
    """What a game must have to be solved: :class:`Arrays`, or a :class:`.sequences.SequenceForm`."""

    @property
    def seats(self) -> tuple[Seat, Seat]:
        """The two players."""
        ...

    def gradient(self, player: int, plan: Array) -> Array:
        """What each sequence of a player wins against a plan of the other."""
        ...


@dataclass(frozen=True, eq=False)
class Arrays:
    """A game as plain arrays.

    Attributes:
        seats: The two players' sequences.
        rows: Player 0's last sequence, by entry of the payoffs.
        columns: Player 1's.
        wins: What player 0 wins there, times the probability of chance.
    """

    seats: tuple[Seat, Seat]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    wins: Array

    def gradient(self, player: int, plan: Array) -> Array:
        """What each sequence of a player wins against a plan of the other, shape (sequences,)."""
        own, other, sign = (self.rows, self.columns, 1.0) if player == 0 else (self.columns, self.rows, -1.0)
        won = np.bincount(own, weights=sign * self.wins * plan[other], minlength=self.seats[player].size)
        return won.astype(np.float64)


def gap(game: Board, plans: Sequence[Array]) -> float:
    """The exploitability of a pair of plans: what best responses win, on average over the two seats; never under 0."""
    won = [float(game.seats[p].respond(game.gradient(p, plans[1 - p])).value) for p in (0, 1)]
    return max((won[0] + won[1]) / 2, 0.0)


def minimise_all(games: Sequence[Board], step: Step, checkpoints: Sequence[int]) -> Array:
    """Minimise regret in several games side by side.

    One iteration, for one player after the other: counterfactual regrets of the policy in play are worked out exactly,
    the policy goes into the average, and the step says what comes next.

    Args:
        games: The games; none knows of another.
        step: The update.
        checkpoints: After how many iterations the average is measured, ascending.

    Returns:
        Exploitability, shape (games, checkpoints); infinite from where a step gives a number that is not finite, or a
        negative weight of the average.
    """
    policies = [[seat.uniform() for seat in game.seats] for game in games]
    sums = [[np.zeros(seat.size) for seat in game.seats] for game in games]
    curves = np.full((len(games), len(checkpoints)), np.inf)
    going = list(range(len(games)))
    for t in range(1, max(checkpoints) + 1):
        for player in (0, 1):
            if not going:
                return curves
            regrets = []
            for g in going:
                seat, other = games[g].seats[player], games[g].seats[1 - player]
                gradient = games[g].gradient(player, other.plan(policies[g][1 - player]))
                worth, values = seat.rise(gradient, policies[g][player])
                regrets.append(np.concatenate([[0.0], worth[1:] - values[seat.state_of]]))
            found = step(player, t, going, regrets, [policies[g][player] for g in going])
            still = []
            for g, (weights, share) in zip(going, found, strict=True):
                if not (np.isfinite(weights).all() and np.isfinite(share) and share >= 0):
                    continue
                seat = games[g].seats[player]
                sums[g][player] = sums[g][player] + share * seat.plan(policies[g][player])
                policies[g][player] = seat.normalised(np.clip(weights, 0.0, _MOST))
                still.append(g)
            going = still
        if t in checkpoints:
            for g in going:
                seats = games[g].seats
                plans = [seat.plan(seat.policy(total)) for seat, total in zip(seats, sums[g], strict=True)]
                curves[g, list(checkpoints).index(t)] = gap(games[g], plans)
    return curves


def respond_all(games: Sequence[Board], meta: Meta, checkpoints: Sequence[int]) -> Array:
    """Policy-space response oracles with exact responses, in several games side by side.

    Both populations start with the uniform policy. An iteration mixes them by the meta-strategies and adds to each a
    best response to the other's mixture (Lanctot and others 2017, arXiv 1711.00832, section 3). What is measured is the
    mixture of the populations as they then are.

    Args:
        games: The games; none knows of another.
        meta: The meta-strategy solver.
        checkpoints: After how many additions it is measured, ascending.

    Returns:
        Exploitability, shape (games, checkpoints); infinite from where a mixture is of numbers that are not finite, are
        negative, or are all 0.
    """
    known: list[Any] = [[np.array([seat.plan(seat.uniform())]) for seat in game.seats] for game in games]
    payoffs = [_payoffs(game, *own) for game, own in zip(games, known, strict=True)]
    curves = np.full((len(games), len(checkpoints)), np.inf)
    going = list(range(len(games)))

    def mixed(t: int, final: bool) -> dict[int, list[Array]]:
        found: dict[int, list[Array]] = {}
        for g, pair in zip(going, meta(t, final, going, [payoffs[g] for g in going]), strict=True):
            if all(np.isfinite(w).all() and (w >= 0).all() and 0 < w.sum() < _MOST for w in pair):
                found[g] = [w / w.sum() @ plans for w, plans in zip(pair, known[g], strict=True)]
        return found

    for t in range(1, max(checkpoints) + 1):
        plans = mixed(t, False)
        going = list(plans)
        for g in going:
            seats = games[g].seats
            for player in (0, 1):
                answer = seats[player].respond(games[g].gradient(player, plans[g][1 - player])).policy
                known[g][player] = np.vstack([known[g][player], seats[player].plan(answer)])
            payoffs[g] = _payoffs(games[g], *known[g])
        if not going:
            break
        if t in checkpoints:
            for g, pair in mixed(t, True).items():
                curves[g, list(checkpoints).index(t)] = gap(games[g], pair)
    return curves


def _payoffs(game: Board, mine: Array, theirs: Array) -> Array:
    """What player 0 wins, shape (its plans, the other's plans)."""
    return mine @ np.array([game.gradient(0, plan) for plan in theirs]).T
