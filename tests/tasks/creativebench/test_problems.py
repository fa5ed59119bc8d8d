"""Every problem that is shipped is whole, and the checks say what is missing from one that is not."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from finchmark.suite.errors import UsageError
from finchmark.tasks.creativebench.banks import BANKS, without_bank
from finchmark.tasks.creativebench.checks import missing, mutation_strength
from finchmark.tasks.creativebench.constraints import parse_rule
from finchmark.tasks.creativebench.problem import CANARY, DOMAINS, ITEMS, Level, load_problem, load_problems

PROBLEMS = load_problems()


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_shipped_problem_lacks_nothing(name):
    assert missing(PROBLEMS[name]) == []


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_shipped_problem_has_its_bank(name):
    assert without_bank(PROBLEMS[name]) == []


def test_every_stored_bank_is_of_a_shipped_problem():
    assert {path.stem for path in BANKS.glob("*.json")} <= set(PROBLEMS)


def test_a_problem_without_a_bank_is_told_how_to_get_one(good, tmp_path):
    (said,) = without_bank(good, tmp_path)
    assert "bank run_lengths` makes it" in said
    (said,) = without_bank(replace(good, solution="def run_lengths(text):\n    return []"))
    assert "as it is now" in said


@pytest.mark.parametrize("path", sorted(ITEMS.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_file_carries_the_canary(path):
    assert CANARY in path.read_text()


def test_all_domains_have_problems():
    assert {problem.domain for problem in PROBLEMS.values()} <= set(DOMAINS)


@pytest.fixture
def good():
    return PROBLEMS["run_lengths"]


def test_a_prompt_has_the_sentences_of_all_levels_so_far(good):
    text = good.prompt(2)
    for rule in good.rules(2):
        assert rule.sentence in text
    assert "Keep to" not in good.prompt(0)
    assert set(good.rules(1)) < set(good.rules(2))


def test_solutions_and_tests_are_not_in_the_prompt(good):
    assert "groupby" not in good.prompt(3)
    assert "assert" not in good.prompt(3)


SPOILT = [
    ("none of", {"domain": "nothing"}),
    ("does not name", {"statement": "Count."}),
    ("fails the tests (NameError)", {"solution": "def run_lengths(text):\n    return unknown"}),
    ("other 1 fails", {"others": ("def run_lengths(text):\n    return []",)}),
    ("at least 6", {"asserts": "assert run_lengths('') == []"}),
    ("no comparison", {"asserts": "assert not run_lengths('')\n" * 6}),
    ("only some solutions define", {"asserts": "assert run_lengths(groupby) == []\n" * 6}),
    ("of one constant pass", {"asserts": "assert run_lengths('') == []\n" * 6}),
    ("0 levels", {"levels": ()}),
    (
        "catches every error",
        {"others": ("def run_lengths(text):\n    try:\n        return []\n    except:\n        pass",)},
    ),
]


@pytest.mark.parametrize(("said", "change"), SPOILT)
def test_what_is_missing_is_said(good, said, change):
    assert any(said in text for text in missing(replace(good, **change), mutation=False))


def test_weak_tests_are_said(good):
    weak = "\n".join(f"assert run_lengths({letter!r}) == [({letter!r}, 1)]" for letter in "abcdefgh")
    assert any("mutants" in text and "alive" in text for text in missing(replace(good, asserts=weak)))


def test_a_constraint_that_its_solution_breaks_is_said(good):
    level = Level((parse_rule("no construct while"),), good.levels[0].solution)
    assert any("breaks no construct while" in t for t in missing(replace(good, levels=(level,)), mutation=False))


def test_a_constraint_that_forbids_nothing_is_said(good):
    level = Level((parse_rule("no module socket"),), good.levels[0].solution)
    assert any("forbids nothing" in t for t in missing(replace(good, levels=(level,)), mutation=False))


def test_a_level_without_rules_is_said(good):
    assert any("adds no rule" in t for t in missing(replace(good, levels=(replace(good.levels[0], rules=()),))))


def test_mutants_of_a_loop_are_told_by_its_tests(good):
    strength = mutation_strength(good)
    assert strength.mutants >= 10
    assert strength.score == pytest.approx(strength.killed / strength.mutants)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "mapping"),
        ("domain: text", "has no"),
        ("{", "YAML"),
    ],
)
def test_a_file_that_is_no_problem_is_refused(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_problem(path)


def test_a_level_of_a_wrong_form_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    text = (ITEMS / "run_lengths.yaml").read_text()
    path.write_text(text.partition("levels:")[0] + "levels: [1]\n")
    with pytest.raises(UsageError, match="a level is a mapping"):
        load_problem(path)
    path.write_text(text.replace("no construct for", "no construct fro"))
    with pytest.raises(UsageError, match="fro"):
        load_problem(path)


def test_a_problem_is_added_by_one_file(tmp_path):
    (tmp_path / "mine.yaml").write_text((ITEMS / "run_lengths.yaml").read_text())
    assert list(load_problems(tmp_path)) == ["mine"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_tests_are_a_program(name):
    tree = ast.parse(PROBLEMS[name].tests)
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == ["test"]
