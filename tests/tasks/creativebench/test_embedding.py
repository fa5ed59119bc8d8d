"""Embedded novelty: blind to names and order, 0 for what is in the bank, and its allowance is that of rewrites."""

from __future__ import annotations

import numpy as np
import pytest

from finchmark.tasks.creativebench.apart import Written
from finchmark.tasks.creativebench.embedding import EmbeddedBank, embedded_column, lines, make_embedded_bank
from finchmark.tasks.creativebench.novelty import Bank
from finchmark.tasks.creativebench.problem import load_problems

LOOP = "def f(x):\n    best = 0\n    for v in x:\n        if v > best:\n            best = v\n    return best\n"
SORT = "def f(x):\n    return sorted(x)[-1]\n"


def letters(texts):
    """An embedder that counts letters."""
    return [[text.count(chr(97 + k)) + 0.01 for k in range(26)] for text in texts]


def bank(*codes):
    return Bank(("f",), codes, codes, 0.0)


def test_lines_leave_out_names_that_the_program_chose():
    assert lines(LOOP) == ["def f(v):", "v = 0", "for v in v:", "if v > v:", "v = v", "return v"]
    other = LOOP.replace("best", "top").replace("v ", "w ").replace("= v", "= w")
    assert lines(other) == lines(LOOP)


def test_lines_keep_what_is_imported_and_built_in():
    code = "import math\ndef f(x):\n try:\n  return math.floor(max(x))\n except ValueError:\n  return 0\n"
    assert lines(code) == ["def f(v):", "try:", "return math.floor(max(v))", "except ValueError", "return 0"]


def test_what_is_in_the_bank_is_at_distance_0():
    found = EmbeddedBank(bank(SORT, LOOP), letters, ()).novelty(LOOP)
    assert (found.novelty, found.distance, found.nearest) == (0.0, 0.0, 1)


def test_the_distance_is_the_sum_of_both():
    found = EmbeddedBank(bank(SORT), letters, ()).novelty(LOOP)
    one, two = (np.sum(letters(lines(code)), axis=0) for code in (SORT, LOOP))
    cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    assert found.embedding == pytest.approx(1 - cosine)
    assert found.distance == pytest.approx(found.grams + 1 - cosine)
    assert found.novelty == found.distance > found.grams > 0


def test_the_order_of_statements_does_not_show():
    one = "def f(x):\n    a = 1\n    b = len(x)\n    return a + b\n"
    two = "def f(x):\n    b = len(x)\n    a = 1\n    return a + b\n"
    assert EmbeddedBank(bank(one), letters, ()).novelty(two).distance == 0.0


def test_what_rewrites_reach_is_taken_off():
    made = EmbeddedBank(bank(SORT), letters, [LOOP] * 20)
    assert made.allowance == pytest.approx(made.novelty(LOOP).distance)
    assert made.novelty(LOOP).novelty == pytest.approx(0.0)


def test_a_slice_that_was_not_found_has_no_novelty():
    assert EmbeddedBank(bank(SORT), letters, ()).novelty("").novelty == 0.0


def test_no_rewrite_of_a_shipped_problem_scores():
    problem = load_problems()[sorted(load_problems())[0]]
    codes = problem.bank[:1]
    from finchmark.tasks.creativebench.novelty import make_bank
    from finchmark.tasks.creativebench.slices import driven
    from finchmark.tasks.creativebench.trial import trial

    known = {}

    def passes(code):
        return known.setdefault(code, trial(code, problem.tests).passed)

    made = make_embedded_bank(codes, driven(make_bank(codes, problem.entries), passes), letters, passes)
    assert len(made.reached) >= 12
    assert max(made.reached) - made.allowance <= 0.05


def test_the_column_is_of_programs_with_quality_only():
    problem = load_problems()[sorted(load_problems())[0]]
    of = {"item": f"{problem.name}-L0", "problem": problem.name, "level": 0, "code": "", "constraints": ()}
    programs = [Written(sample=0, part=None, **of), Written(sample=1, part="", **of)]
    column = embedded_column(programs, letters, {"embedder": "letters"})
    assert [(v.sample, v.value) for v in column.values] == [(1, 0.0)]
    assert column.name == "novelty_embedded"
