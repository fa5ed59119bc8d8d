"""How exploitable behaviour is, from draws: a held-out lower bound, a confidence-set upper bound, and why not less.

The policy of a player who can only be asked is estimated at every information state from independent draws. The
plain plug-in (and any posterior of it, Dirichlet-multinomial included) says too much: the best response to the estimate
exploits its errors, and at an equilibrium all of it is error. So it is split: a best response is fitted on half A of
the draws and valued on half B, which no error of A has touched. What it wins there is won against the policy itself,
and the best possible response wins at least as much.

Assumption of all of it: draws at a state are independent and of one distribution (*stationarity*), whatever was asked
before. Whoever answers from a fixed seed, from a memory of earlier draws, or greedily, is not drawn from so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...environments.openspiel.sequences import Array, Seat, SequenceForm
from ...suite.stats.bounded_mean import cautious_bound
from ...suite.stats.bounds import clopper_pearson_bounds
from .region import highest_win

__all__ = [
    "Behaviour",
    "Exploitation",
    "Region",
    "behaviour",
    "bounds_together",
    "draw",
    "estimate",
    "exploit",
    "held_out",
    "mean_held_out",
    "region",
]

Draws = NDArray[np.intp]
"""What was drawn, shape (information states, draws): the place of the action among the legal ones."""


@dataclass(frozen=True, slots=True)
class Exploitation:
    """What a response that was fitted on one half of the draws wins on the other, on average over the two seats.

    Attributes:
        value: The estimate; unbiased for what this response wins.
        low: Lower confidence bound of what it wins, and so of the exploitability.
        units: Draws a state in half B.
    """

    value: float
    low: float
    units: int


@dataclass(frozen=True, slots=True)
class Region:
    """Simultaneous exact bounds on all probabilities of one player.

    Attributes:
        low: Shape (sequences,).
        high: Likewise.
    """

    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What draws say of the exploitability of behaviour, in the game's own units.

    Attributes:
        held_out: See :class:`Exploitation`: an unbiased estimate of a number that is at most the exploitability.
        low: Lower bound of the exploitability, at ``(1 + confidence) / 2`` alone, never under 0.
        high: Upper bound, likewise.
        plug_in: The exploitability of the estimated policy; too high on average, by much near an equilibrium.
        posterior: Its mean under Dirichlet posteriors with 1/2 at every action; shown to be read against the bounds.
        draws: Draws an information state.
        states: Information states of both players at which there is a choice.
        fixed: Share of those at which all draws were the same action.
        confidence: Of the interval from ``low`` to ``high``.
    """

    held_out: float
    low: float
    high: float
    plug_in: float
    posterior: float
    draws: int
    states: int
    fixed: float
    confidence: float


def counts(form: SequenceForm, player: int, draws: Draws) -> Array:
    """How often each action was drawn, shape (sequences,); at the empty sequence the number of draws."""
    seat = form.seats[player]
    found = np.zeros(seat.size)
    found[0] = draws.shape[1]
    np.add.at(found, (seat.first[:, None] + draws).ravel(), 1.0)
    return found


def estimate(form: SequenceForm, draws: Sequence[Draws]) -> tuple[Array, Array]:
    """The share of each action at each information state, both players'."""
    first, second = (counts(form, player, draws[player]) / draws[player].shape[1] for player in (0, 1))
    return first, second


def exploit(form: SequenceForm, draws: Sequence[Draws], confidence: float = 0.95) -> Exploitation:
    """Fit best responses on the first half of the draws and value them on the second.

    The k-th draws of half B at all states together are one pure policy a player, and these are independent and of one
    distribution: what the fitted responses win against each is one unit of a bounded mean, whose mean is just what they
    win against the policies drawn from. The bound on that mean is :func:`.bounded_mean.cautious_bound`; the least that
    a unit can be is computed.

    Args:
        form: The game.
        draws: One array a player, both with as many draws, at least 4.
        confidence: Two-sided: ``low`` is wrong in at most half of the rest.

    Raises:
        ValueError: There are too few draws, or the arrays do not fit.
    """
    units, least = held_out(form, draws)
    low = cautious_bound(units, min(least, float(units.min())) - 1e-9, (1 - confidence) / 2)
    return Exploitation(float(units.mean()), float(low), len(units))


def held_out(form: SequenceForm, draws: Sequence[Draws]) -> tuple[Array, float]:
    """The units of :func:`exploit`, shape (draws in half B,), and the least that one of them can be.

    Raises:
        ValueError: There are too few draws, or the arrays do not fit.
    """
    number = _checked(form, draws)
    half = number // 2
    shown = estimate(form, [part[:, :half] for part in draws])
    answers = [form.respond(0, shown[1]).policy, form.respond(1, shown[0]).policy]
    units = np.zeros(number - half)
    least = 0.0
    for player, seat in enumerate(form.seats):
        pure = np.zeros((seat.size, number - half))
        pure[0] = 1.0
        pure[seat.first[:, None] + draws[player][:, half:], np.arange(number - half)] = 1.0
        # What the fitted response to this player wins, by where this player's sequences end.
        lost = -form.gradient(player, form.seats[1 - player].plan(answers[1 - player]))
        units += (seat.plan(pure) * lost[:, None]).sum(axis=0) / 2
        least -= float(form.respond(player, answers[1 - player]).value) / 2
    return units, least


def mean_held_out(
    form: SequenceForm, policies: Sequence[Array], number: int, rng: np.random.Generator, cases: int
) -> float:
    """What the estimate of :func:`exploit` comes to on average over simulated samples from known policies.

    Args:
        form: The game.
        policies: Both players', shape (sequences,).
        number: Draws a state, at least 4.
        rng: What they come from.
        cases: Samples that are simulated.
    """
    halves = []
    for half in (number // 2, number - number // 2):
        shares = []
        for seat, policy in zip(form.seats, policies, strict=True):
            chances, inside = _rows(seat, policy)
            found = np.zeros((seat.size, cases))
            found[0] = 1.0
            found[1:] = (
                rng.multinomial(half, chances[:, None], size=(len(chances), cases)).swapaxes(1, 2)[inside] / half
            )
            shares.append(found)
        halves.append(shares)
    (shown, watched), (first, second) = halves
    lost = form.value([first, form.respond(1, shown).policy]) - form.value([form.respond(0, watched).policy, second])
    return -float(lost.mean()) / 2


def _rows(seat: Seat, policy: Array) -> tuple[Array, NDArray[np.bool_]]:
    """A policy as a row an information state, padded with 0 to the most actions, and where there is an action."""
    row = np.arange(int(seat.count.max()))
    inside = row < seat.count[:, None]
    chances = np.where(inside, policy[np.minimum(seat.first[:, None] + row, seat.size - 1)], 0.0)
    return chances / chances.sum(axis=1, keepdims=True), inside


def draw(form: SequenceForm, policies: Sequence[Array], number: int, rng: np.random.Generator) -> tuple[Draws, Draws]:
    """Draw actions from policies at every information state, as a player who is asked would.

    Args:
        form: The game.
        policies: Both players', shape (sequences,).
        number: Draws a state.
        rng: What they come from.
    """
    found = []
    for seat, policy in zip(form.seats, policies, strict=True):
        chances, _ = _rows(seat, policy)
        limits = np.cumsum(chances, axis=1)
        # The last limit may round to less than 1.
        place = (rng.random((len(seat.keys), number, 1)) >= limits[:, None]).sum(axis=2)
        last = chances.shape[1] - 1 - np.argmax(chances[:, ::-1] > 0, axis=1)
        found.append(np.minimum(place, last[:, None]))
    return found[0], found[1]


def region(form: SequenceForm, player: int, draws: Draws, error: float, tests: int) -> Region:
    """Exact bounds that hold for all probabilities of a player at once.

    Clopper and Pearson's at ``error / tests`` each (Bonferroni). With two actions one test bounds both; a state
    without a choice needs none.

    Args:
        form: The game.
        player: 0 or 1.
        draws: The player's.
        error: How often some bound of the ``tests`` may fail.
        tests: See :func:`bounds_together`, of all players that the error is shared by.
    """
    seat = form.seats[player]
    low, high = clopper_pearson_bounds(counts(form, player, draws), float(draws.shape[1]), 1 - error / tests)
    alone = seat.options == 1
    return Region(np.where(alone, 1.0, low), np.where(alone, 1.0, high))


def bounds_together(form: SequenceForm) -> int:
    """How many bounds hold together: one at a state of two actions, as many as actions where there are more."""
    return int(sum(np.where(seat.count > 2, seat.count, seat.count - 1).sum() for seat in form.seats))


def behaviour(
    form: SequenceForm, draws: Sequence[Draws], rng: np.random.Generator, *, confidence: float = 0.95, cases: int = 200
) -> Behaviour:
    """Say how exploitable the behaviour is that the draws came from.

    Args:
        form: The game.
        draws: One array a player, see :data:`Draws`; at least 4 draws a state, as many for both.
        rng: For the posterior.
        confidence: Of the interval.
        cases: Draws from the posterior.

    Raises:
        ValueError: There are too few draws, or the arrays do not fit.
    """
    number = _checked(form, draws)
    error = (1 - confidence) / 2
    fitted = exploit(form, draws, confidence)
    tests = bounds_together(form)
    high = 0.0
    for player in (0, 1):
        bounds = region(form, player, draws[player], error, tests)
        high += highest_win(form, player, bounds.low, bounds.high) / 2
    drawn = [rng.gamma(counts(form, p, draws[p])[:, None] + 0.5, size=(form.seats[p].size, cases)) for p in (0, 1)]
    believed = [seat.normalised(weights) for seat, weights in zip(form.seats, drawn, strict=True)]
    chosen = [part[seat.count > 1] for seat, part in zip(form.seats, draws, strict=True)]
    fixed = np.concatenate([(part == part[:, :1]).all(axis=1) for part in chosen])
    return Behaviour(
        held_out=fitted.value,
        low=max(0.0, fitted.low),
        high=max(high, 0.0),
        plug_in=float(form.exploitability(estimate(form, draws))),
        posterior=float(form.exploitability(believed).mean()),
        draws=number,
        states=len(fixed),
        fixed=float(fixed.mean()),
        confidence=confidence,
    )


def _checked(form: SequenceForm, draws: Sequence[Draws]) -> int:
    if len(draws) != 2 or any(len(part) != len(seat.keys) for part, seat in zip(draws, form.seats, strict=True)):
        raise ValueError(
            f"draws must be two arrays with a row an information state ({len(form.seats[0].keys)} and "
            f"{len(form.seats[1].keys)}), not of shapes {[np.shape(part) for part in draws]}"
        )
    number = draws[0].shape[1]
    if number < 4 or draws[1].shape[1] != number:
        raise ValueError(f"both players need as many draws a state, at least 4, not {number} and {draws[1].shape[1]}")
    return number
