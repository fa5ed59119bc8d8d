"""The search for update rules."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from finchmark.suite.agents.expressions import ExpressionError
from finchmark.suite.seeds import generator
from finchmark.tasks.games.evolve import Candidate, ExpressionEdits, assess, evolve
from finchmark.tasks.games.regret import RULES, Rule

SHORT = (1, 2, 5, 10)


def by_length(rule, games):
    """A landscape without a game: the longer the better, a niche for every length."""
    length = len(rule.regret)
    return Candidate(rule, -float(length), (length // 10, 0))


def test_fitness_orders_the_known_rules():
    fitness = [assess(RULES[name], ["kuhn"]).fitness for name in ("cfr", "cfr+", "predictive+")]
    assert fitness[0] > fitness[1] > fitness[2]


def test_a_rule_that_breaks_down_is_worse_than_all():
    assert (
        assess(Rule("R / 0", "R", "1"), ["kuhn"], SHORT).fitness > assess(Rule("R", "R", "1"), ["kuhn"], SHORT).fitness
    )


def test_edits_are_formulas_and_change_one_of_the_three():
    edits, rng = ExpressionEdits(), generator("edits")
    changed = failed = 0
    for _ in range(300):
        parent = RULES["discounted"]
        try:
            child = edits.propose(parent, rng)
        except ExpressionError:
            failed += 1
            continue
        differ = [p for p in ("regret", "weight", "average") if getattr(child, p) != getattr(parent, p)]
        assert len(differ) <= 1
        changed += bool(differ)
    assert changed > 200
    assert failed < 30


def test_the_same_seed_finds_the_same():
    found = [evolve(["kuhn"], seed=3, budget=12, judge=lambda r, g: assess(r, g, SHORT)) for _ in range(2)]
    assert found[0] == found[1]


def test_the_curve_has_a_point_an_evaluation_and_never_rises():
    found = evolve([], seed=1, budget=40, judge=by_length)
    assert len(found.curve) == 40
    assert (np.diff(found.curve) <= 0).all()
    assert found.curve[-1] == found.best.fitness


def test_selection_finds_more_than_blind_choice():
    """Paired over seeds, on a landscape where what is good is near what is good."""
    seeds = range(6)
    chosen = [evolve([], seed=s, budget=80, judge=by_length).best.fitness for s in seeds]
    blind = [evolve([], seed=s, budget=80, judge=by_length, temperature=math.inf).best.fitness for s in seeds]
    assert np.mean(np.subtract(chosen, blind)) < 0


def test_what_no_mutator_can_read_costs_its_evaluation():
    class Broken:
        def propose(self, parent, rng):
            raise ExpressionError("no")

    found = evolve([], seed=1, budget=5, judge=by_length, mutator=Broken())
    assert (found.unusable, len(found.curve)) == (4, 5)
    assert found.best.rule == RULES["cfr"]


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"islands": 0}, {"temperature": 0.0}, {"migrate": 0}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        evolve([], **{"seed": 1, "budget": 5, "judge": by_length, **wrong})


@pytest.mark.slow
def test_the_search_improves_on_what_it_starts_from_without_a_model():
    judge = lambda rule, games: assess(rule, games, SHORT)  # noqa: E731 - one line says it
    for seed in (1, 2):
        found = evolve(["kuhn"], seed=seed, budget=80, judge=judge)
        assert found.curve[-1] < found.curve[0] - 0.05
        # What was found without it is as good on a game that the search never saw.
        assert judge(found.best.rule, ["goofspiel3"]).fitness <= judge(RULES["cfr"], ["goofspiel3"]).fitness + 0.05
