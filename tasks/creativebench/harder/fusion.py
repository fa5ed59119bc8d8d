"""Combo by reverse engineering: the solution first, its tests from what it does, its statement last.

The statement is then proved by solvers who have seen nothing else: none solves it, and it is unsolvable as it is
stated; all do, and it is trivial.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Collection
from dataclasses import replace
from functools import partial

from ..checks import MUTATION_FLOOR, Run, mutation_strength, weak_tests
from ..combo import Combo
from ..combo_checks import missing_of_combo
from ..combo_probe import decides, gluings, without_helper
from ..problem import Problem
from ..programs import found_program
from ..trial import FUEL
from .cases import Case, behaviour, inputs_of
from .desk import Desk, Stopped
from .guide import cases_prompt, fuse_prompt, solve_combo_prompt, state_prompt
from .item_file import tidy

__all__ = ["fuse", "shows_code"]

_LEAST, _MOST = 8, 32
"""Tests of a combo."""
_CODE = re.compile(
    r"```|^\s*(?:def \w+\(|class \w+|for \w+ in .*:$|while .*:$|import \w+$|from \w+ import |return \w+[(\[.])",
    re.MULTILINE,
)


async def fuse(one: Problem, two: Problem, desk: Desk, taken: Collection[str]) -> Combo:
    """Make a combo of two base problems.

    Args:
        one: The first parent.
        two: The second.
        desk: Its desk.
        taken: Names that the new function must not have.

    Raises:
        Stopped: None was made; the filter says why.
        BackendError: The backend failed.
        SandboxFailure: The sandbox failed.
    """
    combo = await _fused(one, two, desk, taken)
    combo = await _tested(combo, desk)
    combo = await _stated(combo, desk)
    combo = await _solved(combo, desk)
    lacks = await desk.check(lambda run: missing_of_combo(combo, run=run))
    if lacks:
        raise Stopped("faulty", lacks[0])
    return combo


async def _fused(one: Problem, two: Problem, desk: Desk, taken: Collection[str]) -> Combo:
    """A program with both parents in it, and a function behind them."""
    refused: list[str] = []
    for attempt in range(desk.plan.proposals):
        reply = await desk.ask("fuse", attempt, fuse_prompt(one, two, refused))
        code = found_program(reply, (*one.entries, *two.entries))
        code = code and tidy(code)
        entry = _entry(code) if code else ""
        caught, detail = "", entry
        if code is None or not entry:
            caught, detail = "no_program", "the reply held no program that ends in a function"
        elif entry in taken or entry in (*one.entries, *two.entries):
            caught, detail = "taken_name", f"`{entry}` is the name of another problem"
        else:
            for parent in (one, two):
                verdict = await desk.judge(f"fuse/{parent.name}", attempt, code, parent.tests)
                if verdict.status != "passed":
                    caught = "lost_parent"
                    detail = f"its {', '.join(parent.entries)} fails what it must pass: {verdict.detail}"
                    break
        desk.note("fuse", attempt, caught, detail)
        if not caught:
            assert code is not None
            return Combo(
                name=entry,
                domain="+".join(dict.fromkeys((one.domain, two.domain))),
                title="",
                statement="",
                solution=code,
                others=(),
                asserts="",
                levels=(),
                parents=(one, two),
            )
        refused.append(detail)
    raise Stopped("not_made", f"no program: {refused[-1]}")


def _entry(code: str) -> str:
    """The last function of a program."""
    try:
        functions = [n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return functions[-1] if functions else ""


async def _tested(combo: Combo, desk: Desk) -> Combo:
    """Tests that tell the program from its mutants, and that no parent passes."""
    cases: list[Case] = []
    wanted: tuple[str, ...] = ()
    detail = ""
    for attempt in range(desk.plan.proposals):
        shown = [case.line for case in cases]
        reply = await desk.ask("cases", attempt, cases_prompt(combo.solution, combo.name, shown, wanted))
        rows = inputs_of(reply)
        fresh = await behaviour(desk.shop.sandbox, combo.solution, combo.name, rows)
        cases = list(dict.fromkeys([*cases, *fresh]))[:_MOST]
        tested = replace(combo, asserts="".join(case.line + "\n" for case in cases))
        caught, detail, wanted = await desk.check(partial(_weak, tested, len(rows), len(cases)))
        desk.note("cases", attempt, caught, detail)
        if not caught:
            return tested
        if caught in ("parents_pass", "not_joined"):
            break  # more inputs would not change it
    raise Stopped("not_made", f"no tests: {detail}")


def _weak(combo: Combo, rows: int, cases: int, run: Run) -> tuple[str, str, tuple[str, ...]]:
    """The filter that catches tests, why, and the faults that they do not tell."""
    if not rows:
        return "unreadable", "no inputs were found in the reply", ()
    if cases < _LEAST:
        return "too_few", f"{cases} inputs give a test; {_LEAST} are needed", ()
    glued = next((how for how, code in gluings(combo) if run(code, combo.tests, FUEL).passed), None)
    if glued is not None:
        return "parents_pass", f"the parents merely glued together pass: {glued}", ()
    for parent in combo.parents:
        if any(run(code, combo.tests, FUEL).passed for code in without_helper(combo, parent)):
            return "not_joined", f"it passes with a stub in the place of {parent.name}", ()
    if not decides(combo, run):
        return "not_joined", "no parent's results decide what the other works on", ()
    if weak := list(weak_tests(combo, run)):
        return "weak", weak[0], ()
    strength = mutation_strength(combo, run)
    if strength.score < MUTATION_FLOOR:
        return "weak", f"{strength.killed} of {strength.mutants} mutants told", strength.alive[:12]
    return "", f"{cases} tests, {strength.killed} of {strength.mutants} mutants told", ()


async def _stated(combo: Combo, desk: Desk) -> Combo:
    """A statement that names the function and shows no code."""
    refused: list[str] = []
    for attempt in range(desk.plan.proposals):
        asked = state_prompt(combo.solution, combo.name, combo.asserts, refused)
        reply = (await desk.ask("state", attempt, asked)).strip()
        title, _, statement = reply.partition("\n")
        title, statement = title.strip().strip("#*").removeprefix("Title:").strip(), statement.strip()
        caught, detail = "", title
        if not title or len(title) > 100 or f"`{combo.name}(" not in statement:
            caught, detail = "unreadable", f"no title and statement that names `{combo.name}(…)`"
        elif shows_code(statement) or any(f"{n}(" in statement for p in combo.parents for n in p.entries):
            caught, detail = "leaks", "it shows code, or names a function of the solution"
        desk.note("state", attempt, caught, detail)
        if not caught:
            return replace(combo, title=title, statement=statement + "\n")
        refused.append(detail)
    raise Stopped("not_made", f"no statement: {refused[-1]}")


def shows_code(statement: str) -> bool:
    """Whether a text has blocks or lines of code in it."""
    return _CODE.search(statement) is not None


async def _solved(combo: Combo, desk: Desk) -> Combo:
    """The combo with another program in it, by a solver who knows the statement only."""
    # Tries are independent of one another, so they are made at once; all end before a fault is told.
    tried = await asyncio.gather(*(_tried(combo, n, desk) for n in range(desk.plan.tries)), return_exceptions=True)
    for result in tried:
        if isinstance(result, BaseException):
            raise result
    passed = [code for code in tried if isinstance(code, str)]
    if not passed:
        raise Stopped("unsolvable", f"0 of {desk.plan.tries} solvers passed")
    if len(passed) == desk.plan.tries:
        raise Stopped("trivial", f"all {desk.plan.tries} solvers passed")
    own = ast.unparse(ast.parse(combo.solution))
    others = [code for code in passed if ast.unparse(ast.parse(code)) != own]
    return replace(combo, others=tuple(others[:1]))


async def _tried(combo: Combo, number: int, desk: Desk) -> str | None:
    """One solver's program, where it passes."""
    code = found_program(await desk.ask("solve", number, solve_combo_prompt(combo), role="solver"), combo.entries)
    caught, detail = "no_program", "the reply held no program"
    if code is not None:
        code = tidy(code)
        verdict = await desk.judge("solve", number, code, combo.tests)
        caught = {"passed": "", "tampered": "tampered"}.get(verdict.status, "fails_tests")
        detail = verdict.detail or verdict.status
    desk.note("solve", number, caught, detail)
    return None if caught else code
