"""Explore by self-play: analyse, constrain, solve, verify; level by level.

Each constraint is proposed against the *last* level's program (the published pipeline fixed all of them beforehand,
against the plain solution), in the rule language, so that it is checked by rules and by no judge. The program that
solves a level is kept as its proof.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from ....suite.errors import UsageError
from ..checks import missing
from ..constraints import Rule, breaches, parse_rule
from ..problem import Level, Problem
from ..programs import found_program
from .desk import Desk, Stopped
from .guide import analyse_prompt, propose_prompt, solve_level_prompt
from .item_file import tidy

__all__ = ["explore", "rules_of"]

_BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MOST_RULES = 3


async def explore(problem: Problem, desk: Desk) -> Problem:
    """Give a problem further levels.

    Args:
        problem: A base problem.
        desk: Its desk.

    Returns:
        The problem with its new levels. Programs of levels that were left out stay in its bank, as other programs.

    Raises:
        Stopped: No level was made, or what was made lacks something.
        BackendError: The backend failed.
        SandboxFailure: The sandbox failed.
    """
    plan = desk.plan
    kept = problem.levels if plan.start == "top" else ()
    known = [program for program in problem.bank if program not in [level.solution for level in kept]]
    made = replace(problem, others=tuple(known[1:]), levels=kept)
    if len(kept) >= plan.levels:
        raise Stopped("no_level", f"it has {len(kept)} levels already")
    techniques = (await desk.ask("analyse", 0, analyse_prompt(problem, problem.bank))).strip()
    desk.note("analyse", 0, "" if techniques else "empty", techniques.partition("\n")[0][:200])
    if not techniques:
        raise Stopped("no_level", "no techniques were found")
    why = ""
    while len(made.levels) < plan.levels:
        level = await _next_level(problem, made, techniques, desk)
        if isinstance(level, str):
            why = level
            break
        made = replace(made, levels=(*made.levels, level))
    if len(made.levels) == len(kept):
        raise Stopped("no_level", why)
    proofs = {_form(level.solution) for level in made.levels}
    # A solver may have known a program that stands here already: it is there once.
    made = replace(made, others=tuple(other for other in made.others if _form(other) not in proofs))
    lacks = await desk.check(lambda run: missing(made, run=run))
    if lacks:
        raise Stopped("faulty", lacks[0])
    return made


def _form(code: str) -> str:
    return ast.unparse(ast.parse(code))


async def _next_level(problem: Problem, made: Problem, techniques: str, desk: Desk) -> Level | str:
    """One more level, or why there is none."""
    number, plan = len(made.levels) + 1, desk.plan
    held, program = made.rules(number - 1), made.proof(number - 1)
    shipped = [frozenset(map(str, level.rules)) for level in problem.levels]
    refused: list[str] = []
    for proposal in range(plan.proposals):
        attempt = number * 100 + proposal
        reply = await desk.ask("propose", attempt, propose_prompt(made, techniques, program, held, refused))
        rules, fault = rules_of(reply)
        said = "; ".join(map(str, rules)) or " ".join(reply.split())[:80]
        caught = "unreadable" if fault else ""
        if not caught and (
            any(rule in held for rule in rules) or frozenset(map(str, rules)) in shipped or said in refused
        ):
            caught, fault = "repeated", "it was there before"
        if not caught and not breaches(program, rules):
            caught, fault = "toothless", "the present solution keeps it"
        desk.note("propose", attempt, caught, f"{said}: {fault}" if caught else said)
        if caught:
            refused.append(f"{said} ({fault})")
            continue
        proof = await _solve(made, (*held, *rules), program, attempt, desk)
        desk.note("level", attempt, "" if proof else "unsolved", said)
        if proof:
            return Level(tuple(rules), proof)
        refused.append(f"{said} (nobody solved it)")
    return f"level {number}: no proposal of {plan.proposals} held"


def rules_of(reply: str) -> tuple[list[Rule], str]:
    """The rules of a reply, and what is wrong with them; a block's lines, or all lines where there is no block."""
    block = _BLOCK.search(reply)
    lines = [line.strip().lstrip("-*").strip().strip('"`') for line in (block[1] if block else reply).splitlines()]
    rules: list[Rule] = []
    for line in filter(None, lines):
        try:
            rule = parse_rule(line)
        except UsageError as error:
            return [], str(error)[:200]
        if rule not in rules:
            rules.append(rule)
    if not 1 <= len(rules) <= _MOST_RULES:
        return [], f"{len(rules)} rules; 1 to {_MOST_RULES} are wanted"
    return rules, ""


async def _solve(made: Problem, rules: Sequence[Rule], program: str, attempt: int, desk: Desk) -> str | None:
    """The first program that passes and keeps all rules."""
    failed: list[str] = []
    for number in range(desk.plan.tries):
        at = attempt * 100 + number
        asked = solve_level_prompt(made, rules, program, failed)
        code = found_program(await desk.ask("solve", at, asked, role="solver"), made.entries)
        code = code and tidy(code)
        caught, detail = await _caught(made, rules, code, at, desk)
        desk.note("solve", at, caught, detail)
        if not caught:
            assert code is not None
            return code
        failed.append(detail)
    return None


async def _caught(made: Problem, rules: Sequence[Rule], code: str | None, at: int, desk: Desk) -> tuple[str, str]:
    if code is None:
        return "no_program", "the reply held no program"
    try:
        broken = breaches(code, rules)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "no_program", "the program cannot be read"
    if broken:
        return "breaks_rules", f"breaks {broken[0]}"
    verdict = await desk.judge("solve", at, code, made.tests)
    if verdict.status == "tampered":
        return "tampered", "passes comparisons that nothing can pass"
    return ("", "passes") if verdict.status == "passed" else ("fails_tests", f"fails the tests: {verdict.detail}")
