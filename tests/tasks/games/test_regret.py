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
from finchmark.tasks.games.regret import RULES, Rule, minimise, uniform_psro

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


def test_uniform_psro_goes_down():
    curve = uniform_psro(sequence_form("kuhn"), (1, 10, 100))
    assert curve[0] > curve[1] > curve[2]
    assert curve[2] < 0.05


def test_its_first_step_is_half_uniform_and_half_its_best_response():
    form = sequence_form("kuhn")
    answers = [form.respond(p, form.uniform()[1 - p]).policy for p in (0, 1)]
    plans = [seat.plan(u) + seat.plan(a) for seat, u, a in zip(form.seats, form.uniform(), answers, strict=True)]
    pair = [seat.policy(plan) for seat, plan in zip(form.seats, plans, strict=True)]
    assert uniform_psro(form, (1,)) == pytest.approx(float(form.exploitability(pair)))


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
