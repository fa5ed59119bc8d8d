"""Says what is missing from a problem: solvability, tests that tell faults, constraints that bite."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .constraints import breaches
from .mutants import mutants, stubs
from .problem import DOMAINS, Problem
from .trial import FUEL, Trial, trial

__all__ = [
    "MUTATION_FLOOR",
    "Run",
    "Strength",
    "failing_programs",
    "living_mutants",
    "missing",
    "mutation_strength",
    "weak_tests",
]

Run = Callable[[str, str, int], Trial]
"""Runs a program and its tests within so many lines: ``trial`` for programs of ours, a sandbox for anybody else's."""

MUTATION_FLOOR = 0.9
"""The least share of mutants that a problem's tests must tell from the solution. Some mutants are equivalent to it."""
_ASSERTS = 6
_LEVELS = 4


@dataclass(frozen=True, slots=True)
class Strength:
    """How well tests tell faults.

    Args:
        mutants: How many there were.
        killed: How many failed the tests.
        alive: Those that passed, as ``kind line: code``.
    """

    mutants: int
    killed: int
    alive: tuple[str, ...]

    @property
    def score(self) -> float:
        """Share killed; 1.0 where there are no mutants."""
        return self.killed / self.mutants if self.mutants else 1.0


def mutation_strength(problem: Problem, run: Run = trial) -> Strength:
    """Run every mutant of the plain solution against the tests.

    A mutant has 20 times the steps of the solution, and 2,000: one that runs on counts as killed.
    """
    fuel = 2000 + 20 * run(problem.solution, problem.tests, FUEL).steps
    total, alive = 0, []
    original = ast.unparse(ast.parse(problem.solution)).splitlines()
    for mutant in mutants(problem.solution):
        total += 1
        if run(mutant.code, problem.tests, fuel).passed:
            changed = [line.strip() for line in mutant.code.splitlines() if line not in original]
            alive.append(f"{mutant.kind} {mutant.line}: {' / '.join(changed) or 'pass'}")
    return Strength(total, total - len(alive), tuple(alive))


def missing(problem: Problem, *, mutation: bool = True, run: Run = trial) -> list[str]:
    """What keeps a problem from being used, in sentences; empty where nothing does.

    Args:
        problem: The problem.
        mutation: Whether to run the mutants too, which is most of the work.
        run: What runs its programs. The default runs them in this process, unprotected: programs that a model wrote
            need another.
    """
    found = [*_form(problem), *weak_tests(problem, run), *failing_programs(problem, run), *_levels(problem)]
    if mutation and not found:
        found += living_mutants(problem, run)
    return found


def living_mutants(problem: Problem, run: Run = trial) -> Iterator[str]:
    """What is wrong where too many mutants of the solution pass the tests, in a sentence."""
    strength = mutation_strength(problem, run)
    if strength.score < MUTATION_FLOOR:
        left = "; ".join(strength.alive)
        yield f"tests tell {strength.killed} of {strength.mutants} mutants, under {MUTATION_FLOOR:.0%}; alive: {left}"


def _form(problem: Problem) -> Iterator[str]:
    if problem.domain not in DOMAINS:
        yield f"the domain {problem.domain!r} is none of {', '.join(DOMAINS)}"
    if not problem.entries:
        yield "the tests use no function that the solution defines"
    for entry in problem.entries:
        if f"`{entry}" not in problem.statement:
            yield f"the statement does not name `{entry}`"


def weak_tests(problem: Problem, run: Run = trial) -> Iterator[str]:
    """What is wrong with a problem's tests, in sentences: too few, of another form, or stubs pass them."""
    tree = ast.parse(problem.asserts)
    asserts = [n for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    if len(asserts) < _ASSERTS:
        yield f"{len(asserts)} asserts; at least {_ASSERTS} are needed"
    for node in asserts:
        # The sandbox's control replaces the expected side of each comparison; it can do so with `==` only.
        if not (isinstance(node.test, ast.Compare) and [type(op) for op in node.test.ops] == [ast.Eq]):
            yield f"`{ast.unparse(node)}` is no comparison of one result by `==`"
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    stored |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    foreign = sorted(used - stored - set(problem.entries) - set(dir(builtins)))
    if foreign:
        yield f"the tests use {', '.join(foreign)}, which only some solutions define"
    passing = [code for code in stubs(problem.solution) if run(code, problem.tests, FUEL).passed]
    if passing:
        yield f"{len(passing)} programs of one constant pass the tests"


def failing_programs(problem: Problem, run: Run = trial) -> Iterator[str]:
    """Which shipped programs fail the tests, or are there twice, in sentences."""
    for index, code in enumerate(problem.bank):
        ran = run(code, problem.tests, FUEL)
        if not ran.passed:
            name = ["the solution", *(f"other {k}" for k in range(1, len(problem.others) + 1))]
            name += [f"the solution of level {k}" for k in range(1, len(problem.levels) + 1)]
            yield f"{name[index]} fails the tests ({ran.reason})"
        if _catches_all(code):
            yield f"program {index} catches every error, also that which ends a trial"
    texts = [ast.unparse(ast.parse(code)) for code in problem.bank]
    if len(set(texts)) < len(texts):
        yield "two of its programs are the same"


def _catches_all(code: str) -> bool:
    caught = [n.type for n in ast.walk(ast.parse(code)) if isinstance(n, ast.ExceptHandler)]
    return any(kind is None or "BaseException" in ast.unparse(kind) for kind in caught)


def _levels(problem: Problem) -> Iterator[str]:
    if not 1 <= len(problem.levels) <= _LEVELS:
        yield f"{len(problem.levels)} levels; there are 1 to {_LEVELS}"
    for number in range(1, len(problem.levels) + 1):
        if not problem.levels[number - 1].rules:
            yield f"level {number} adds no rule"
        for breach in breaches(problem.proof(number), problem.rules(number)):
            yield f"the solution of level {number} breaks {breach}"
        below = breaches(problem.proof(number - 1), problem.levels[number - 1].rules)
        if not below:
            yield f"level {number} forbids nothing that the solution of level {number - 1} does"
