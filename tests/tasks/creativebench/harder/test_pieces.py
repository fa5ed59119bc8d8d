"""The parts of the pipeline alone: what is read out of replies, what tests are made of, how filters are counted."""

import asyncio

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.sandbox import open_sandbox
from finchmark.tasks.creativebench.combo_checks import MOST_USES
from finchmark.tasks.creativebench.harder import guide
from finchmark.tasks.creativebench.harder.bounded import bounded_trial
from finchmark.tasks.creativebench.harder.cases import Case, behaviour, inputs_of
from finchmark.tasks.creativebench.harder.fusion import shows_code
from finchmark.tasks.creativebench.harder.item_file import tidy, write_item
from finchmark.tasks.creativebench.harder.levels import rules_of
from finchmark.tasks.creativebench.harder.pairing import drawn_pairs
from finchmark.tasks.creativebench.harder.plan import Plan
from finchmark.tasks.creativebench.harder.replay import Replay
from finchmark.tasks.creativebench.harder.tally import STAGES, Event, tally
from finchmark.tasks.creativebench.problem import load_problem, load_problems
from finchmark.tasks.creativebench.trial import FUEL, trial


@pytest.mark.parametrize(
    ("reply", "rules"),
    [
        ("no call sorted", ["no call sorted"]),
        (
            "Well.\n```rules\nno call sorted\n- no construct for\n```\nno module re",
            ["no call sorted", "no construct for"],
        ),
        (
            '```\n"at most 2 operator +"\n\nno call sorted\nno call sorted\n```',
            ["at most 2 operator +", "no call sorted"],
        ),
        ("I forbid sorting.", []),
        ("```rules\nno construct loops\n```", []),
        ("```rules\n```", []),
        ("```rules\nno call a\nno call b\nno call c\nno call d\n```", []),
    ],
)
def test_rules_are_read_in_the_rule_language_only(reply, rules):
    found, fault = rules_of(reply)
    assert list(map(str, found)) == rules
    assert bool(fault) == (not rules)


@pytest.mark.parametrize(
    ("reply", "rows"),
    [
        ('["a", 1]\n[[2, 3]]', [["a", 1], [[2, 3]]]),
        ('```json\n[["a"], ["b"]]\n```', [["a"], ["b"]]),
        ("```python\n[('a', 1)],\n- [{1: None}]\n```", [[("a", 1)], [{1: None}]]),
        ("[true, null]", [[True, None]]),
        ("[1.5]\n[{1, 2}]\n[NaN]\nf(3)\n7", []),
        ('["a"]\n["a"]', [["a"]]),
        ("", []),
    ],
)
def test_inputs_are_read_from_lines_or_one_list(reply, rows):
    assert inputs_of(reply) == rows


def test_an_input_that_is_too_long_is_left_out():
    assert inputs_of(f'["{"x" * 500}"]') == []


@given(st.text(max_size=200))
def test_no_reply_breaks_the_readers(reply):
    inputs_of(reply)
    rules_of(reply)


def _in_sandbox(use):
    async def main():
        async with open_sandbox(workers=1, packages=()) as sandbox:
            return await use(sandbox)

    return asyncio.run(main())


@pytest.mark.usefixtures("boundary")
def test_tests_are_what_a_program_does_twice_alike():
    code = (
        "import random, time\n"
        "def f(kind, value=None):\n"
        "    if kind == 'random': return random.random() < 2 and random.randrange(10**9)\n"
        "    if kind == 'float': return 0.1 + 0.2\n"
        "    if kind == 'object': return object()\n"
        "    if kind == 'set': return {1}\n"
        "    if kind == 'long': return 'x' * 1000\n"
        "    if kind == 'error': raise ValueError\n"
        "    if kind == 'loop':\n"
        "        while True: pass\n"
        "    value.append(1)\n"
        "    return (kind, value, None, {'a': True})\n"
    )
    rows = [["random"], ["float"], ["object"], ["set"], ["long"], ["error"], ["plain", [2]], ["wrong", 3]]
    found = _in_sandbox(lambda sandbox: behaviour(sandbox, code, "f", rows))
    assert found == [Case("f('plain', [2])", "('plain', [2, 1], None, {'a': True})")]
    assert found[0].line == "assert f('plain', [2]) == ('plain', [2, 1], None, {'a': True})"


@pytest.mark.usefixtures("boundary")
def test_a_trial_inside_the_boundary_says_what_one_outside_says():
    problem = load_problems()["walk_end"]
    programs = [
        problem.solution,
        "def walk_end(moves):\n    return None\n",
        "x",
        "def walk_end(",
        "while 1:\n    x = 1",
    ]

    async def use(sandbox):
        return [await bounded_trial(sandbox, code, problem.tests, FUEL) for code in programs]

    assert _in_sandbox(use) == [trial(code, problem.tests, FUEL) for code in programs]


@pytest.mark.usefixtures("boundary")
def test_a_trial_of_what_leaves_or_never_ends_is_no_pass():
    from finchmark.suite.sandbox import Limits

    async def use(sandbox):
        gone = await bounded_trial(sandbox, "import os\nos._exit(0)", "def test():\n    pass\n", FUEL)
        return gone

    assert not _in_sandbox(use).passed

    async def slow():
        async with open_sandbox(workers=1, packages=(), limits=Limits(cpu_s=0.5, wall_s=5)) as sandbox:
            return await bounded_trial(sandbox, "x = sum(range(10**12))", "def test():\n    pass\n", FUEL)

    assert not asyncio.run(slow()).passed


def test_pairs_are_of_different_domains_each_once_and_nobody_is_in_too_many():
    bases = load_problems()
    pairs = drawn_pairs(bases, [], 40, 0)
    assert len(pairs) == 40
    assert len({tuple(sorted(pair)) for pair in pairs}) == 40
    assert all(bases[a].domain != bases[b].domain for a, b in pairs)
    uses = [sum(name in pair for pair in pairs) for name in bases]
    assert max(uses) <= MOST_USES
    assert drawn_pairs(bases, [], 40, 0) == pairs
    assert drawn_pairs(bases, [], 40, 1) != pairs
    assert not {tuple(sorted(p)) for p in pairs[:9]} & {
        tuple(sorted(p)) for p in drawn_pairs(bases, [tuple(sorted(p)) for p in pairs[:9]], 40, 0)
    }


def test_pairs_end_where_there_are_no_more():
    few = {name: load_problems()[name] for name in ("walk_end", "run_lengths", "acronym")}  # two of one domain
    assert len(drawn_pairs(few, [], 10, 0)) == 2


def test_each_domain_pair_is_drawn_as_often_as_another():
    bases = load_problems()
    kinds = {}
    for seed in range(60):
        for a, b in drawn_pairs(bases, [], 1, seed):
            kind = tuple(sorted((bases[a].domain, bases[b].domain)))
            kinds[kind] = kinds.get(kind, 0) + 1
    assert max(kinds.values()) <= 6  # of 36 or more kinds; drawn by problem, the largest domains would fill it


def test_every_candidate_is_counted_at_the_filters_that_it_met():
    events = [
        Event("explore/a", "propose", 0, "unreadable", ""),
        Event("explore/a", "propose", 1, "toothless", ""),
        Event("explore/b", "propose", 0, "", ""),
        Event("combo/0", "fuse", 0, "", ""),
    ]
    found = {(c.track, c.stage, c.name): (c.caught, c.entered) for c in tally(events)}
    assert found["explore", "propose", "unreadable"] == (1, 3)
    assert found["explore", "propose", "repeated"] == (0, 2)
    assert found["explore", "propose", "toothless"] == (1, 2)
    assert found["explore", "propose", ""] == (1, 3)
    assert found["combo", "fuse", ""] == (1, 1)
    assert len(found) == sum(len(filters) + 1 for stages in STAGES.values() for filters in stages.values())


@pytest.mark.parametrize("event", [Event("combo/0", "fuse", 0, "sleepy", ""), Event("combo/0", "dream", 0, "", "")])
def test_filters_and_stages_that_are_none_are_refused(event):
    with pytest.raises(ValueError, match="has no"):
        tally([event])


def test_every_shipped_problem_survives_being_written(tmp_path):
    for problem in load_problems().values():
        path = write_item(problem, tmp_path, "explore/x", load_problems())
        found = load_problem(path)
        assert found.statement == problem.statement
        assert [level.rules for level in found.levels] == [level.rules for level in problem.levels]
        assert path.read_text().startswith("# Made by a model")
        assert "canary" in yaml.safe_load(path.read_text())


def test_tidy_text_is_a_block_and_stays():
    text = tidy("\n\tdef f():  \n        return 1\t\n\n\n")
    assert text == "    def f():\n        return 1\n"
    assert tidy(text) == text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Nothing is to be made"),
        ({"combos": 1, "tries": 1}, "tries is 1"),
        ({"combos": 1, "temperature": -1}, "temperature is -1"),
        ({"explore": ("a", "a")}, "named twice"),
        ({"combos": 1, "start": "x"}, "'top' or 'plain'"),
    ],
)
def test_plans_that_cannot_be_are_refused(changes, says):
    with pytest.raises(UsageError, match=says):
        Plan(**changes)


def test_prompts_hold_what_they_are_about_and_no_more():
    problem = load_problems()["walk_end"]
    text = guide.propose_prompt(problem, "loops", problem.solution, problem.rules(1), ["no call x (toothless)"])[
        0
    ].content
    assert "no construct for" in text
    assert "no call x (toothless)" in text
    assert "nested_loop" in text
    assert "assert" not in text
    assert len(guide.guide_hash()) == 16


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("For example, count\nfor each of these:\nif it is odd, return it", False),
        ("Use this:\n```\nx\n```", True),
        ("def f(x):", True),
        ("  for a in b:", True),
        ("import math", True),
        ("Return walk_end of it.\nreturn walk_end(x)", True),
    ],
)
def test_code_in_a_statement_is_told_from_words(text, leaks):
    assert shows_code(text) == leaks


def test_a_recording_that_is_none_is_refused(tmp_path):
    (tmp_path / "j").write_text("")
    with pytest.raises(StoreError, match="is empty"):
        Replay(tmp_path / "j")
    with pytest.raises(StoreError, match="cannot be read"):
        Replay(tmp_path / "k")
