"""Sequence form against OpenSpiel's own algorithms."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from open_spiel.python import policy as spiel_policy
from open_spiel.python.algorithms import expected_game_score, exploitability

from finchmark.environments.openspiel.equilibrium import equilibrium
from finchmark.environments.openspiel.games import GAMES, find_game, load_game
from finchmark.environments.openspiel.sequences import compile_game, sequence_form
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

NAMES = [line.name for line in GAMES]
SMALL = ["kuhn", "goofspiel3", "darkhex2", "liars3"]


def drawn(seat, rng, cases=None):
    shape = seat.size if cases is None else (seat.size, cases)
    return seat.normalised(rng.gamma(0.4, size=shape))


def as_spiel(name, policies):
    game, form = load_game(name), sequence_form(name)
    tabular = spiel_policy.TabularPolicy(game)
    for seat, own in zip(form.seats, policies, strict=True):
        for key, actions, first in zip(seat.keys, seat.actions, seat.first, strict=True):
            row = tabular.action_probability_array[tabular.state_lookup[key]]
            row[:] = 0
            row[list(actions)] = own[first : first + len(actions)]
    return tabular


def test_uniform_play_of_kuhn_has_the_known_exploitability():
    form = sequence_form("kuhn")
    assert form.exploitability(form.uniform()) == pytest.approx(11 / 24)


@pytest.mark.parametrize("name", SMALL)
def test_exploitability_of_any_policy_is_openspiels(name):
    form, rng = sequence_form(name), generator("test", name)
    for _ in range(3):
        policies = [drawn(seat, rng) for seat in form.seats]
        theirs = exploitability.exploitability(load_game(name), as_spiel(name, policies))
        assert form.exploitability(policies) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_values_of_any_policies_are_openspiels(name):
    form, rng = sequence_form(name), generator("test value", name)
    policies = [drawn(seat, rng) for seat in form.seats]
    spiel = as_spiel(name, policies)
    theirs = expected_game_score.policy_value(load_game(name).new_initial_state(), [spiel, spiel])
    assert form.value(policies) == pytest.approx(theirs[0], abs=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_cases_at_once_give_what_they_give_alone(name):
    form, rng = sequence_form(name), generator("test cases", name)
    policies = [drawn(seat, rng, 4) for seat in form.seats]
    together, worth = form.exploitability(policies), form.value(policies)
    for case in range(4):
        alone = [policy[:, case] for policy in policies]
        assert together[case] == pytest.approx(form.exploitability(alone))
        assert worth[case] == pytest.approx(form.value(alone))


@pytest.mark.parametrize("name", SMALL)
def test_a_best_response_wins_what_it_is_said_to_win(name):
    form, rng = sequence_form(name), generator("test response", name)
    policies = [drawn(seat, rng) for seat in form.seats]
    for player in (0, 1):
        answer = form.respond(player, policies[1 - player])
        pair = list(policies)
        pair[player] = answer.policy
        assert (-1) ** player * form.value(pair) == pytest.approx(answer.value)
        assert np.isin(answer.policy, (0, 1)).all()
        assert form.seats[player].sums(answer.policy) == pytest.approx(1)


@pytest.mark.parametrize("name", SMALL)
def test_worth_under_a_policy_is_its_value_against_the_plan(name):
    form, rng = sequence_form(name), generator("test rise", name)
    policies = [drawn(seat, rng) for seat in form.seats]
    gradient = form.gradient(0, form.seats[1].plan(policies[1]))
    worth, values = form.seats[0].rise(gradient, policies[0])
    assert worth[0] == pytest.approx(form.value(policies))
    assert form.seats[0].sums(worth * policies[0]) == pytest.approx(values)


@pytest.mark.parametrize("name", SMALL)
def test_a_plan_gives_its_policy_back(name):
    form, rng = sequence_form(name), generator("test plan", name)
    for seat in form.seats:
        policy = drawn(seat, rng)
        assert seat.policy(seat.plan(policy)) == pytest.approx(policy)


@pytest.mark.parametrize("name", NAMES)
def test_an_equilibrium_cannot_be_exploited(name):
    form = sequence_form(name)
    assert form.exploitability(equilibrium(name).policies) == pytest.approx(0, abs=1e-7)


def test_the_value_of_kuhn_is_the_known_one():
    assert equilibrium("kuhn").value == pytest.approx(-1 / 18, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_game_has_something_to_lose_by_playing_uniformly(name):
    form = sequence_form(name)
    assert form.exploitability(form.uniform()) > 0.1


def test_games_that_do_not_fit_are_refused():
    import pyspiel

    with pytest.raises(ValueError, match="two players"):
        compile_game(pyspiel.load_game("kuhn_poker(players=3)"))
    with pytest.raises(ValueError, match="one player after the other"):
        compile_game(pyspiel.load_game("matrix_rps"))
    with pytest.raises(ValueError, match="zero sum"):
        compile_game(pyspiel.load_game("turn_based_simultaneous_game(game=matrix_pd())"))


def test_an_unknown_game_is_named():
    with pytest.raises(UsageError, match="there are kuhn, leduc"):
        find_game("khun")
