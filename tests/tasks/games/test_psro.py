"""Policy-space response oracles, and the solvers of their matrix games."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from open_spiel.python.algorithms.projected_replicator_dynamics import projected_replicator_dynamics

from finchmark.environments.openspiel.equilibrium import equilibrium
from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.suite.seeds import generator
from finchmark.tasks.games.psro import SOLVERS, meta_curve, nash, projected_replicator, regret_matching, uniform
from finchmark.tasks.games.solver import gap, respond_all

MATCHING = np.array([[1.0, -1.0], [-1.0, 1.0]])
ROCK_PAPER_SCISSORS = np.array([[0.0, -1.0, 2.0], [1.0, 0.0, -1.0], [-2.0, 1.0, 0.0]])


def exploitability(payoffs, rows, columns):
    return ((payoffs @ columns).max() - (rows @ payoffs).min()) / 2


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_gives_two_mixtures(name):
    payoffs = generator("mixtures", name).normal(size=(3, 5))
    for mixture, size in zip(SOLVERS[name](payoffs), payoffs.shape, strict=True):
        assert mixture.shape == (size,)
        assert (mixture >= 0).all()
        assert mixture.sum() == pytest.approx(1)


@pytest.mark.parametrize("case", range(5))
def test_nash_cannot_be_exploited(case):
    payoffs = generator("nash", case).normal(size=(4, 6))
    assert exploitability(payoffs, *nash(payoffs)) == pytest.approx(0, abs=1e-9)


def test_nash_of_known_games():
    assert nash(MATCHING)[0] == pytest.approx([0.5, 0.5])
    # Symmetric: the mixture is in proportion to what the other two play for, here 1, 2 and 1.
    assert nash(ROCK_PAPER_SCISSORS)[0] == pytest.approx([0.25, 0.5, 0.25])


@pytest.mark.parametrize("shape", [(2, 2), (3, 4)])
def test_projected_replicator_does_what_openspiel_does(shape):
    payoffs = generator("prd", *shape).normal(size=shape)
    theirs = projected_replicator_dynamics([payoffs, -payoffs], prd_iterations=300, prd_dt=0.05, prd_gamma=1e-3)
    for mine, other in zip(projected_replicator(payoffs, 300, 0.05, 1e-3), theirs, strict=True):
        assert mine == pytest.approx(other, abs=1e-9)


def test_regret_matching_comes_near_an_equilibrium():
    payoffs = generator("rm").normal(size=(5, 5))
    assert exploitability(payoffs, *regret_matching(payoffs, 4000)) < exploitability(payoffs, *uniform(payoffs)) / 10


def test_uniform_goes_down():
    curve = meta_curve(sequence_form("kuhn"), uniform, (1, 10, 100))
    assert curve[0] > curve[1] > curve[2]
    assert curve[2] < 0.05


def test_its_first_step_is_half_uniform_and_half_its_best_response():
    form = sequence_form("kuhn")
    answers = [form.respond(p, form.uniform()[1 - p]).policy for p in (0, 1)]
    plans = [seat.plan(u) + seat.plan(a) for seat, u, a in zip(form.seats, form.uniform(), answers, strict=True)]
    pair = [seat.policy(plan) for seat, plan in zip(form.seats, plans, strict=True)]
    assert meta_curve(form, uniform, (1,)) == pytest.approx(float(form.exploitability(pair)))


@pytest.mark.parametrize("game", ["kuhn", "goofspiel3"])
def test_with_nash_it_is_the_double_oracle_and_ends_at_an_equilibrium(game):
    assert meta_curve(sequence_form(game), nash, (40,))[0] == pytest.approx(0, abs=1e-8)


def test_the_gap_of_plans_is_the_exploitability_of_their_policies():
    form = sequence_form("leduc")
    policies = [seat.normalised(generator("gap").gamma(1, size=seat.size)) for seat in form.seats]
    plans = [seat.plan(policy) for seat, policy in zip(form.seats, policies, strict=True)]
    assert gap(form, plans) == pytest.approx(float(form.exploitability(policies)))
    best = [seat.plan(policy) for seat, policy in zip(form.seats, equilibrium("leduc").policies, strict=True)]
    assert gap(form, best) == pytest.approx(0, abs=1e-8)


def test_a_measured_mixture_may_differ_from_the_one_that_is_answered():
    form, seen = sequence_form("kuhn"), {}

    def meta(t, final, places, payoffs):
        seen[t, final] = payoffs[0]
        return [(nash if final else uniform)(table) for table in payoffs]

    curve = respond_all([form], meta, (2, 5))[0]
    assert (curve != meta_curve(form, uniform, (2, 5))).all()
    # What is measured is what the next answer starts from, and changes nothing of it.
    assert (seen[2, True] == seen[3, False]).all()
    respond_all([form], lambda t, final, places, payoffs: [uniform(table) for table in payoffs], (5,))
    assert [table.shape for (_, final), table in sorted(seen.items()) if not final] == [(n, n) for n in range(1, 6)]


def test_one_game_does_not_change_another():
    forms = [sequence_form("kuhn"), sequence_form("goofspiel3")]
    both = respond_all(forms, lambda t, final, places, payoffs: [uniform(p) for p in payoffs], (3, 6))
    assert (both == [meta_curve(form, uniform, (3, 6)) for form in forms]).all()


@pytest.mark.parametrize("bad", [np.nan, -1.0, 0.0])
def test_a_mixture_that_is_none_ends_its_game_alone(bad):
    forms = [sequence_form("kuhn"), sequence_form("goofspiel3")]

    def meta(t, final, places, payoffs):
        return [
            tuple(np.full(n, bad if t > 2 and place == 0 else 1.0) for n in table.shape)
            for place, table in zip(places, payoffs, strict=True)
        ]

    curves = respond_all(forms, meta, (2, 4))
    assert np.isfinite(curves).tolist() == [[True, False], [True, True]]
