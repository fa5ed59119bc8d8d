"""Mutators without a model."""

from __future__ import annotations

import ast
import asyncio

import pytest

pytest.importorskip("pyspiel")

from finchmark.suite.agents.expressions import ExpressionError
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator
from finchmark.tasks.games.candidate import Candidate
from finchmark.tasks.games.expression_edits import ExpressionEdits
from finchmark.tasks.games.program_edits import ProgramEdits
from finchmark.tasks.games.programs import KINDS, PROGRAMS, Program
from finchmark.tasks.games.regret import RULES

KNOWN = [(kind, name) for kind in KINDS for name in PROGRAMS[kind]]


def test_edits_of_a_rule_are_formulas_and_change_one_of_the_three():
    edits, rng = ExpressionEdits(), generator("edits")
    changed = failed = 0
    for _ in range(300):
        parent = RULES["discounted"]
        try:
            child = edits.edit(parent, rng)
        except ExpressionError:
            failed += 1
            continue
        differ = [p for p in ("regret", "weight", "average") if getattr(child, p) != getattr(parent, p)]
        assert len(differ) <= 1
        changed += bool(differ)
    assert changed > 200
    assert failed < 30


@pytest.mark.parametrize(("kind", "name"), KNOWN)
def test_edits_of_a_program_are_programs_of_its_kind_and_mostly_others(kind, name):
    parent, rng = PROGRAMS[kind][name], generator("program edits", kind, name)
    plain = ast.unparse(ast.parse(parent.source)) + "\n"
    children = [ProgramEdits().edit(parent, rng) for _ in range(200)]
    assert all(child.kind == kind for child in children)
    assert sum(child.source != plain for child in children) > 150
    assert len({child.source for child in children}) > 100


def test_edits_go_on_from_edits():
    """60 generations in one line: every child is a program."""
    rng, program = generator("line"), PROGRAMS["regret"]["cfr"]
    for _ in range(60):
        program = ProgramEdits().edit(program, rng)
    assert "def update(t, regret, policy, legal, memory):" in program.source


def test_edits_keep_to_the_function():
    source = "import numpy as np\nSHARE = 0.5\n\n" + PROGRAMS["regret"]["cfr"].source.split("\n\n\n")[1]
    rng = generator("kept")
    for _ in range(50):
        assert "SHARE = 0.5" in ProgramEdits().edit(Program("regret", source), rng).source


def test_the_same_random_numbers_make_the_same_edit():
    parent = PROGRAMS["meta"]["regret-matching"]
    first, second = (ProgramEdits().edit(parent, generator("same")) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("mutator", "genome"), [(ExpressionEdits(), PROGRAMS["regret"]["cfr"]), (ProgramEdits(), RULES["cfr"])]
)
def test_a_mutator_of_the_other_kind_is_refused(mutator, genome):
    with pytest.raises(UsageError, match="edits"):
        asyncio.run(mutator.propose(Candidate(genome, 0.0, 0.0, (0, 0)), generator("x")))


def test_a_program_too_deep_to_be_edited_is_a_fault_of_the_proposal():
    deep = Program("regret", PROGRAMS["regret"]["cfr"].source.replace("1.0", "1.0" + " + 0" * 1400))
    found = asyncio.run(ProgramEdits().propose(Candidate(deep, 0.0, 0.0, (0, 0)), generator("deep")))
    assert found.genome is None
    assert "recursion" in found.fault
