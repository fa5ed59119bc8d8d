"""Novelty: canonical forms, slices and rewrites. What costs no idea earns nothing; another algorithm does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.errors import StoreError
from finchmark.tasks.creativebench.banks import TOLERANCE, build_bank, load_bank, store_bank, variant_passes
from finchmark.tasks.creativebench.canonical import canonical, entries_of, tokens
from finchmark.tasks.creativebench.novelty import bag_distance, grams, novelty
from finchmark.tasks.creativebench.problem import load_problems
from finchmark.tasks.creativebench.rewrites import REWRITES, rewritten
from finchmark.tasks.creativebench.slices import BUDGET, driven, needed
from finchmark.tasks.creativebench.trial import trial

PROBLEMS = load_problems()
PROGRAMS = [(name, k) for name, problem in PROBLEMS.items() for k in range(len(problem.bank))]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("return a < b", "return b > a"),
        ("return not a == b", "return a != b"),
        ("return 1 + a", "return a + 1"),
        ("a += 1\n    return a", "a = a + 1\n    return a"),
        ("x = a + b\n    return x", "return a + b"),
        ("if a:\n        return 1\n    return 2", "if not a:\n        return 2\n    else:\n        return 1"),
        ("return [x for x in a if x]", "y = []\n    for x in a:\n        if x:\n            y.append(x)\n    return y"),
        ("return sum(x * x for x in a)", "s = 0\n    for x in a:\n        s += x * x\n    return s"),
        ("return any(x < b for x in a)", "for x in a:\n        if x < b:\n            return True\n    return False"),
        ("return list(map(len, a))", "return [len(x) for x in a]"),
        ("while a:\n        b(a)", "while True:\n        if not a:\n            break\n        b(a)"),
        ("return (a, b)[0]", "return a"),
        ("'''Words.'''\n    x: int = 3\n    return a[x]", "return a[3]"),
        ("for i, x in enumerate(a):\n        b(x)", "for x in a:\n        b(x)"),
        (
            "for x in a:\n        if x:\n            continue\n        b(x)",
            "for x in a:\n        if not x:\n            b(x)",
        ),
        ("if a < b < 3:\n        return a", "if a < b and 3 > b:\n        return a"),
    ],
)
def test_two_spellings_have_one_form(one, two):
    forms = [canonical(f"def f(a, b):\n    {body}\n", ["f"]) for body in (one, two)]
    assert grams(forms[0]) == grams(forms[1])


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("return a < b", "return a <= b"),
        ("return not a < b", "return a >= b"),  # not the same for sets
        ("return sorted(a)[0]", "return min(a)"),
        ("return a + 1", "return a + 2"),
        ("return a.upper()", "return a.lower()"),
    ],
)
def test_two_meanings_have_two_forms(one, two):
    forms = [canonical(f"def f(a, b):\n    {body}\n", ["f"]) for body in (one, two)]
    assert grams(forms[0]) != grams(forms[1])


@pytest.mark.parametrize(("name", "k"), PROGRAMS)
def test_the_canonical_form_of_a_shipped_program_passes_and_is_its_own(name, k):
    problem = PROBLEMS[name]
    form = canonical(problem.bank[k], problem.entries)
    assert trial(form, problem.tests).passed
    # Inner functions' own names get a mark each time; the distance does not see names.
    assert tokens(canonical(form, problem.entries)) == tokens(form)


def test_forms_do_not_depend_on_the_order_of_sets():
    """Texts hash differently in every process; transcripts hold slices, and a replay must tell the same."""
    ask = (
        "from finchmark.tasks.creativebench.canonical import canonical\n"
        "from finchmark.tasks.creativebench.problem import load_problems\n"
        "for name in ('account_totals', 'shortest_hops', 'life_step'):\n"
        "    p = load_problems()[name]\n"
        "    print([canonical(code, p.entries) for code in p.bank])\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", ask],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1


def test_there_are_twelve_kinds_of_rewrites_and_more():
    assert len({rewrite.name for rewrite in REWRITES}) == len(REWRITES) >= 12


@pytest.mark.slow
def test_every_rewrite_of_every_shipped_program_passes_its_tests():
    used = set()
    for name, k in PROGRAMS:
        problem = PROBLEMS[name]
        for kind, code in rewritten(problem.bank[k], problem.entries).items():
            used.add(kind)
            assert trial(code, problem.tests).passed, (name, k, kind)
    # Not every program has what a kind rewrites; most kinds are met by some.
    assert len(used) >= 24


def drawn(name, k, kind):
    return blake2b(f"{name} {k} {kind}".encode(), digest_size=2).digest()[0] < 10


@pytest.mark.slow
def test_no_rewrite_scores_above_the_tolerance():
    """One in 25 of the rewrites, drawn by their names; making the banks holds all of them against it."""
    tried = 0
    for name, problem in PROBLEMS.items():
        bank, passes = load_bank(problem), variant_passes(problem)
        for k, code in enumerate(problem.bank):
            for kind, text in rewritten(code, problem.entries).items():
                if drawn(name, k, kind):
                    tried += 1
                    assert driven(novelty(text, bank), passes).novelty <= TOLERANCE, (name, k, kind)
    assert tried > 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run_lengths", "csv_row", "bracket_depth"])
def test_two_rewrites_on_top_of_each_other_score_nothing_either(name):
    problem = PROBLEMS[name]
    bank, passes = load_bank(problem), variant_passes(problem)
    kinds = [r for r in REWRITES if "junk" not in r.name]
    for k, first in enumerate(kinds):
        once = first(problem.solution, problem.entries)
        second = kinds[(k * 7 + 3) % len(kinds)]
        twice = second(once, problem.entries) if once else None
        if twice and trial(twice, problem.tests).passed:
            assert driven(novelty(twice, bank), passes).novelty <= TOLERANCE, (first.name, second.name)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_stored_bank_is_of_this_problem(name):
    bank = load_bank(PROBLEMS[name])
    assert bank.entries == PROBLEMS[name].entries
    assert len(bank.slices) == len(PROBLEMS[name].bank)
    assert max(bank.rewrites.values(), default=0.0) - bank.allowance <= TOLERANCE
    assert bank.allowance <= 0.1


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_program_of_a_bank_is_known_to_it(name):
    problem = PROBLEMS[name]
    bank = load_bank(problem)
    for k, code in enumerate(problem.bank):
        assert bag_distance(bank.known[k], grams(canonical(code, bank.entries))) == 0


def test_a_bank_of_other_tests_is_refused(tmp_path):
    problem = PROBLEMS["acronym"]
    with pytest.raises(StoreError, match="no bank of acronym"):
        load_bank(problem, tmp_path)
    store_bank(
        replace(problem, asserts=problem.asserts + "\nassert acronym('xyz') == 'X'\n"), load_bank(problem), tmp_path
    )
    with pytest.raises(StoreError, match="no bank of acronym"):
        load_bank(problem, tmp_path)


def test_a_bank_of_programs_that_fail_is_not_made():
    with pytest.raises(StoreError, match="program 0 fails"):
        build_bank(replace(PROBLEMS["acronym"], solution="def acronym(phrase):\n    return 0"))


@pytest.mark.slow
def test_a_bank_made_again_is_the_same(tmp_path):
    problem = PROBLEMS["acronym"]
    store_bank(problem, build_bank(problem), tmp_path)
    assert load_bank(problem, tmp_path) == load_bank(problem)


ANOTHER_WAY = """
def run_lengths(text):
    cuts = [k for k in range(len(text) + 1) if k in (0, len(text)) or text[k] != text[k - 1]]
    return [(text[a], b - a) for a, b in zip(cuts, cuts[1:])]
"""


def test_another_algorithm_is_far_from_the_bank():
    problem = PROBLEMS["run_lengths"]
    assert trial(ANOTHER_WAY, problem.tests).passed
    assert driven(novelty(ANOTHER_WAY, load_bank(problem)), variant_passes(problem)).novelty > 0.4


def test_junk_that_is_executed_and_mixed_in_counts_for_nothing():
    problem = PROBLEMS["run_lengths"]
    junk = problem.solution.replace(
        "    runs = []\n",
        "    import math\n    noise = [math.sqrt(k) for k in range(9)]\n    total = 0\n"
        "    for value in noise:\n        total += math.floor(value) ** 2\n    runs = []\n",
    )
    assert trial(junk, problem.tests).passed
    made = driven(novelty(junk, load_bank(problem)), variant_passes(problem))
    assert made.novelty <= TOLERANCE


def test_a_slice_is_what_the_tests_need():
    code = "def f(x):\n    y = [x]\n    y.reverse()\n    if x > 90:\n        return 0\n    return x + 1\n"
    part = driven(needed(code, ["f"]), lambda c: trial(c, "def test():\n    assert f(1) == 2\n").passed)
    assert part.code == "def f(x):\n    return x + 1"
    assert part.form == "canonical"


def test_a_program_that_fails_has_no_slice_and_no_novelty():
    problem = PROBLEMS["run_lengths"]
    made = driven(
        novelty("def run_lengths(text):\n    return text.split()\n", load_bank(problem)), variant_passes(problem)
    )
    assert (made.form, made.novelty) == ("none", 0.0)


def test_a_program_padded_beyond_the_budget_has_no_novelty():
    problem = PROBLEMS["run_lengths"]
    asked = 0

    def passes(code):  # never the same twice, so nothing is ever finished
        nonlocal asked
        asked += 1
        return asked == 1 or asked % 2 == 0

    lines = "".join(f"    text.x{k} = {k}\n" for k in range(900))
    padded = "def run_lengths(text):\n" + lines + "    return text\n"
    made = driven(novelty(padded, load_bank(problem)), passes)
    assert asked <= BUDGET + 1
    assert made.novelty == 0.0 or made.form != "unfinished"


def test_names_and_order_are_not_in_the_tokens():
    one = "def f(a):\n    return g(a)\n\ndef g(b):\n    return b + 1\n"
    two = "def zz(q):\n    return q + 1\n\ndef f(r):\n    return zz(r)\n"
    assert sorted(tokens(one)) == sorted(tokens(two))


def test_entries_are_what_tests_use():
    assert entries_of("def f(): pass\ndef g(): pass\nX = 1", "def test():\n    assert f() == X") == ("f", "X")


BAGS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("ab")), max_size=8)


@given(BAGS, BAGS, BAGS)
@settings(max_examples=60)
def test_the_distance_of_bags_is_a_metric(x, y, z):
    from collections import Counter

    a, b, c = Counter(x), Counter(y), Counter(z)
    assert bag_distance(a, a) == 0.0
    assert bag_distance(a, b) == bag_distance(b, a)
    assert 0.0 <= bag_distance(a, b) <= 1.0
    assert bag_distance(a, c) <= bag_distance(a, b) + bag_distance(b, c) + 1e-12
