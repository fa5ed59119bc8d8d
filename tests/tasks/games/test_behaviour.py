"""Bounds of exploitability from draws: coverage against known truth, near an equilibrium above all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from finchmark.environments.openspiel.equilibrium import equilibrium
from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.suite.seeds import generator
from finchmark.tasks.games.behaviour import (
    behaviour,
    bounds_together,
    draw,
    estimate,
    exploit,
    held_out,
    mean_held_out,
    region,
)
from finchmark.tasks.games.region import highest_win

SMALL = ["kuhn", "goofspiel3"]
NEAR = 0.02


def near(name, share=NEAR):
    """An equilibrium mixed with a little uniform play: exploitable by little, and nowhere certain."""
    form = sequence_form(name)
    return [(1 - share) * p + share * u for p, u in zip(equilibrium(name).policies, form.uniform(), strict=True)]


def drawn_policies(name, rng):
    return [seat.normalised(rng.gamma(0.5, size=seat.size)) for seat in sequence_form(name).seats]


@pytest.mark.parametrize("name", ["kuhn", "goofspiel3", "darkhex2"])
def test_a_region_of_one_policy_gives_its_best_response(name):
    form, rng = sequence_form(name), generator("region", name)
    for _ in range(3):
        policies = drawn_policies(name, rng)
        for player in (0, 1):
            best = form.respond(1 - player, policies[player]).value
            bound = highest_win(form, player, policies[player], policies[player])
            assert bound == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_no_policy_of_a_region_gives_away_more_than_its_bound(name):
    form, rng = sequence_form(name), generator("inside", name)
    for player in (0, 1):
        seat = form.seats[player]
        centre = drawn_policies(name, rng)[player]
        alone = seat.options == 1
        low = np.where(alone, 1.0, np.clip(centre - 0.2, 0, 1))
        high = np.where(alone, 1.0, np.clip(centre + 0.2, 0, 1))
        bound = highest_win(form, player, low, high)
        for share in rng.random(20):
            # Mixing with any policy by at most .2 moves no probability by more.
            inside = centre + 0.2 * share * (drawn_policies(name, rng)[player] - centre)
            assert form.respond(1 - player, inside).value <= bound + 1e-7


def test_a_wider_region_gives_no_smaller_bound():
    form = sequence_form("kuhn")
    seat, centre = form.seats[0], equilibrium("kuhn").policies[0]
    alone = seat.options == 1
    found = [
        highest_win(
            form, 0, np.where(alone, 1.0, np.clip(centre - w, 0, 1)), np.where(alone, 1.0, np.clip(centre + w, 0, 1))
        )
        for w in (0.0, 0.05, 0.2, 1.0)
    ]
    assert all(a < b for a, b in pairwise(found))


def test_a_region_without_a_policy_is_refused():
    form = sequence_form("kuhn")
    with pytest.raises(ValueError, match="no policy"):
        highest_win(form, 0, np.zeros(13), np.full(13, 0.4))


@pytest.mark.parametrize("name", SMALL)
def test_draws_have_the_shares_of_their_policy(name):
    form, rng = sequence_form(name), generator("draws", name)
    policies = drawn_policies(name, rng)
    shares = estimate(form, draw(form, policies, 20_000, rng))
    for policy, share in zip(policies, shares, strict=True):
        assert share == pytest.approx(policy, abs=0.02)


def test_what_a_policy_never_does_is_never_drawn():
    form = sequence_form("leduc")
    answers = [form.respond(player, form.uniform()[1 - player]).policy for player in (0, 1)]
    shares = estimate(form, draw(form, answers, 50, generator("never")))
    for policy, share in zip(answers, shares, strict=True):
        assert (share == policy).all()


@pytest.mark.parametrize("name", SMALL)
def test_the_units_have_the_mean_that_the_fitted_response_wins(name):
    """Half B of 8,000 draws is nearly the policy itself."""
    form, rng = sequence_form(name), generator("units", name)
    policies = drawn_policies(name, rng)
    draws = draw(form, policies, 16_000, rng)
    units, least = held_out(form, draws)
    shown = estimate(form, [part[:, :8000] for part in draws])
    answers = [form.respond(0, shown[1]).policy, form.respond(1, shown[0]).policy]
    wins = (form.value([answers[0], policies[1]]) - form.value([policies[0], answers[1]])) / 2
    assert units.mean() == pytest.approx(wins, abs=5 * units.std() / 8000**0.5)
    assert units.min() >= least - 1e-9
    assert wins <= form.exploitability(policies) + 1e-9


def test_the_mean_over_samples_is_what_single_samples_give():
    form, rng = sequence_form("kuhn"), generator("mean held out")
    policies = form.uniform()
    singles = [held_out(form, draw(form, policies, 8, rng))[0].mean() for _ in range(1500)]
    together = mean_held_out(form, policies, 8, rng, 4000)
    assert np.mean(singles) == pytest.approx(together, abs=4 * np.std(singles) / 1500**0.5)


def test_a_policy_that_never_mixes_is_known_but_not_certain():
    form = sequence_form("kuhn")
    pure = [form.respond(player, form.uniform()[1 - player]).policy for player in (0, 1)]
    found = behaviour(form, draw(form, pure, 32, generator("pure")), generator("p"))
    assert found.fixed == 1.0
    assert found.held_out == found.plug_in == pytest.approx(float(form.exploitability(pure)))
    assert found.low < found.held_out < found.high


def test_kuhn_needs_twelve_bounds_together():
    assert bounds_together(sequence_form("kuhn")) == 12


@pytest.mark.parametrize("shape", [(3, 8), (6, 2)])
def test_draws_that_do_not_fit_are_refused(shape):
    form = sequence_form("kuhn")
    with pytest.raises(ValueError, match="draws"):
        exploit(form, [np.zeros(shape, dtype=int)] * 2)


def cover(name, policies, number, cases):
    """Shares of samples in which each bound held, and in which a posterior's 95 % interval had the truth."""
    form, rng = sequence_form(name), generator("cover", name, number, cases)
    truth = float(form.exploitability(policies))
    low = high = posterior = 0
    for _ in range(cases):
        draws = draw(form, policies, number, rng)
        low += exploit(form, draws).low <= truth + 1e-9
        bounds = [region(form, player, draws[player], 0.025, bounds_together(form)) for player in (0, 1)]
        high += sum(highest_win(form, p, b.low, b.high) for p, b in enumerate(bounds)) / 2 >= truth - 1e-9
        believed = []
        for seat, share in zip(form.seats, estimate(form, draws), strict=True):
            believed.append(seat.normalised(rng.gamma(share[:, None] * number + 0.5, size=(seat.size, 200))))
        ends = np.quantile(form.exploitability(believed), [0.025, 0.975])
        posterior += ends[0] <= truth <= ends[1]
    return low / cases, high / cases, posterior / cases


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "number"), [("equilibrium", 32), ("near", 8), ("uniform", 32)])
def test_both_bounds_cover_where_a_posterior_does_not(kind, number):
    """More cases in ``tests/benchmarks/bench_games.py``."""
    policies = {
        "equilibrium": list(equilibrium("kuhn").policies),
        "near": near("kuhn"),
        "uniform": list(sequence_form("kuhn").uniform()),
    }[kind]
    low, high, posterior = cover("kuhn", policies, number, 40)
    # 40 cases at .975: 6 misses or more with probability below .001.
    assert low >= 0.875
    assert high >= 0.875
    if kind != "uniform":
        assert posterior <= 0.25
