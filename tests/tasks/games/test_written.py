"""Rules that are written in answer to a question."""

from __future__ import annotations

import pytest

from finchmark.suite.agents.expressions import ExpressionError
from finchmark.tasks.games.evolve import assess, evolve
from finchmark.tasks.games.regret import RULES, Rule
from finchmark.tasks.games.written import WrittenEdits, question, read_rule

CFR = RULES["cfr"]


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("regret: max(R + r, 0)\nweight: R\naverage: t", RULES["cfr+"]),
        ("Sure!\n\n**Average:** t ** 2\n", Rule("R + r", "R", "t ** 2")),
        ("- `weight`: R + r", Rule("R + r", "R + r", "1")),
        ("average: t\naverage = t * t", Rule("R + r", "R", "t * t")),
    ],
)
def test_rules_are_found_in_replies(reply, rule):
    assert read_rule(reply, CFR) == rule


@pytest.mark.parametrize("reply", ["", "I cannot help.", "regret: import os", "average: R", "weight: R.sum()"])
def test_what_is_no_rule_is_refused(reply):
    with pytest.raises(ExpressionError):
        read_rule(reply, CFR)


def test_the_question_has_the_parent_as_it_would_be_answered():
    parent = RULES["discounted"]
    assert read_rule(question(parent), CFR) == parent


def test_a_search_goes_where_the_answers_lead():
    pytest.importorskip("pyspiel")
    asked = []

    def ask(text, seed):
        asked.append(seed)
        return "regret: max(R + r, 0)\naverage: t" if len(asked) > 1 else "no idea"

    found = evolve(["kuhn"], seed=1, budget=3, mutator=WrittenEdits(ask), judge=lambda r, g: assess(r, g, (1, 5, 10)))
    assert found.unusable == 1
    assert found.best.rule == RULES["cfr+"]
    assert len(set(asked)) == 2
