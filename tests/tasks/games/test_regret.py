"""Update rules against OpenSpiel's own solvers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from open_spiel.python.algorithms import cfr, discounted_cfr, exploitability

from finchmark.environments.openspiel.games import load_game
from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.suite.agents.expressions import ExpressionError
from finchmark.tasks.games.formula import evaluate, parse_formula
from finchmark.tasks.games.regret import RULES, Rule, minimise

STEPS = (1, 4, 15)
SOLVERS = {
    "cfr": cfr.CFRSolver,
    "cfr+": cfr.CFRPlusSolver,
    "discounted": discounted_cfr.DCFRSolver,
    "linear": discounted_cfr.LCFRSolver,
}


@pytest.mark.parametrize("game", ["kuhn", "goofspiel3"])
@pytest.mark.parametrize("name", SOLVERS)
def test_known_rules_do_what_openspiel_does(name, game):
    solver, theirs = SOLVERS[name](load_game(game)), []
    for step in range(1, max(STEPS) + 1):
        solver.evaluate_and_update_policy()
        if step in STEPS:
            theirs.append(exploitability.exploitability(load_game(game), solver.average_policy()))
    assert minimise(sequence_form(game), RULES[name], STEPS) == pytest.approx(theirs, abs=1e-9)


def test_cfr_plus_reaches_the_known_level_on_kuhn():
    assert minimise(sequence_form("kuhn"), RULES["cfr+"], (100,)) == pytest.approx(0.0012, abs=5e-5)


@pytest.mark.parametrize("game", ["kuhn", "goofspiel4", "liars3"])
def test_predictive_cfr_plus_is_ahead_of_cfr_plus(game):
    """As its authors report of small games (2021, figure 2), by a wide margin."""
    form = sequence_form(game)
    assert minimise(form, RULES["predictive+"], (100,)) < minimise(form, RULES["cfr+"], (100,)) / 3


def regrets_of(state, policy, player, reach, found):
    """Counterfactual regrets by walking OpenSpiel's tree: value of a state, and regrets into ``found``."""
    if state.is_terminal():
        return state.returns()[player]
    if state.is_chance_node():
        return sum(p * regrets_of(state.child(a), policy, player, reach * p, found) for a, p in state.chance_outcomes())
    mover = state.current_player()
    key, actions = state.information_state_string(mover), state.legal_actions()
    chances = policy[mover].setdefault(key, np.full(len(actions), 1 / len(actions)))
    if mover != player:
        return sum(
            c * regrets_of(state.child(a), policy, player, reach * c, found)
            for a, c in zip(actions, chances, strict=True)
        )
    wins = np.array([regrets_of(state.child(a), policy, player, reach, found) for a in actions])
    found[key] = found.get(key, 0) + reach * (wins - wins @ chances)
    return float(wins @ chances)


@pytest.mark.parametrize("game", ["kuhn", "goofspiel3"])
def test_predictive_cfr_plus_is_the_definition_walked_through_the_tree(game):
    """Predictive regret matching+ at every state (Farina, Kroer and Sandholm 2021), on OpenSpiel's states."""
    policy, held = ({}, {}), ({}, {})
    form = sequence_form(game)
    sums = [np.zeros(seat.size) for seat in form.seats]
    for t in range(1, 13):
        for player, seat in enumerate(form.seats):
            now = {}
            regrets_of(load_game(game).new_initial_state(), policy, player, 1.0, now)
            flat = np.concatenate([[1.0], *(policy[player][key] for key in seat.keys)])
            sums[player] += t**2 * seat.plan(flat)
            for key, regret in now.items():
                held[player][key] = np.maximum(held[player].get(key, 0) + regret, 0)
                guess = np.maximum(held[player][key] + regret, 0)
                total = guess.sum()
                policy[player][key] = guess / total if total > 0 else np.full(len(guess), 1 / len(guess))
    pair = [seat.policy(plan) for seat, plan in zip(form.seats, sums, strict=True)]
    assert minimise(form, RULES["predictive+"], (12,))[0] == pytest.approx(float(form.exploitability(pair)), abs=1e-9)


@pytest.mark.parametrize(
    "rule",
    [Rule("R / 0", "R", "1"), Rule("R + r", "R ** -0.5", "1"), Rule("R + r", "R", "0 - t"), Rule("R", "R", "1/0")],
)
def test_a_rule_that_breaks_down_is_infinitely_bad(rule):
    assert np.isinf(minimise(sequence_form("kuhn"), rule, (1, 5))).any()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("R + 2 * r", [3, -2]),
        ("max(R, r, 0)", [1, 0]),
        ("min(R, 0) - -1", [1, -1]),
        ("abs(R) if r > 0 else 5", [1, 5]),
        ("(R >= 1) ** 2", [1, 0]),
        ("R / r", [1, -np.inf]),
    ],
)
def test_formulas_are_worked_out_for_whole_arrays(text, value):
    values = {"R": np.array([1.0, -2.0]), "r": np.array([1.0, 0.0])}
    assert np.asarray(evaluate(parse_formula(text, ("R", "r")), values)) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["q", "numbers", "R and r", "not R", "[R]", "R // r", "R == r", "sum(R)", "max(R)", "R < r < 1", "__import__"],
)
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ExpressionError):
        parse_formula(text, ("R", "r"))
