"""What the models are asked. A change here is another pipeline: its hash is part of every making's settings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence

from ....suite.backends.base import Message
from ....suite.canonical import content_hash
from ..combo import Combo
from ..constraints import CONSTRUCTS, OPERATORS, STRUCTURES, Rule
from ..problem import Problem, worded

__all__ = [
    "analyse_prompt",
    "cases_prompt",
    "fuse_prompt",
    "guide_hash",
    "propose_prompt",
    "solve_combo_prompt",
    "solve_level_prompt",
    "state_prompt",
]

_LANGUAGE = f"""A rule is one line of this language:
no call NAME            the function NAME, also dotted: no call sorted, no call math.gcd
no method NAME          the method or attribute NAME: no method split
no module NAME          importing NAME: no module re
no construct NAME       one of: {", ".join(CONSTRUCTS)}
no structure NAME       one of: {", ".join(STRUCTURES)}
no operator SIGN        one of: {" ".join(OPERATORS)}
no literal NAME         one of: str, int, float, bytes
`at most N` in the place of `no` allows N uses. `some` in its place demands one."""

_PYTHON = "Use the standard library only. No input, no output, no files, no randomness, no clock, no `try`."


def _fenced(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


def _asked(*parts: str) -> tuple[Message, ...]:
    return (Message("user", "\n\n".join(part for part in parts if part)),)


def _again(refused: Sequence[str]) -> str:
    if not refused:
        return ""
    return "Refused before, so do not give these again:\n" + "\n".join(f"- {text}" for text in refused)


def analyse_prompt(problem: Problem, programs: Sequence[str]) -> tuple[Message, ...]:
    """Asks by what techniques the known programs of a problem work."""
    return _asked(
        "Here is a programming problem and all programs that are known to solve it.",
        problem.statement.strip(),
        *map(_fenced, programs),
        "List the techniques that these programs rest on, one a line: which calls, data structures, constructs and "
        "ideas they could not do without, the most important first. Write no code.",
    )


def propose_prompt(
    problem: Problem, techniques: str, program: str, held: Sequence[Rule], refused: Sequence[str]
) -> tuple[Message, ...]:
    """Asks for one more constraint, on top of those that hold."""
    return _asked(
        "A programming problem is to be made harder by a constraint that forbids what its present solution does, so "
        "that another way must be found. It must still be possible.",
        problem.statement.strip(),
        f"Techniques of the known solutions:\n{techniques.strip()}",
        "Rules that hold already:\n" + ("\n".join(map(str, held)) or "none"),
        f"The present solution:\n{_fenced(program)}",
        _LANGUAGE,
        _again(refused),
        "Answer with one to three new rules in one ```rules block, one a line. At least one of them must forbid "
        "something that the present solution does.",
    )


def solve_level_prompt(
    problem: Problem, rules: Sequence[Rule], program: str, failed: Sequence[str]
) -> tuple[Message, ...]:
    """Asks for a program under constraints, beside one that breaks the newest of them."""
    said = ""
    if failed:
        said = "Tried before, and failed:\n" + "\n".join(f"- {text}" for text in failed[-2:])
    return _asked(
        worded(problem.statement, [rule.sentence for rule in rules]),
        f"This program works, but breaks one of the rules:\n{_fenced(program)}",
        said,
    )


def fuse_prompt(one: Problem, two: Problem, refused: Sequence[str]) -> tuple[Message, ...]:
    """Asks for a program that needs both of two problems' ideas."""
    return _asked(
        "Join two programming problems into one new problem, by writing its solution first.",
        f"Problem A:\n{one.statement.strip()}\n\n{_fenced(one.solution)}",
        f"Problem B:\n{two.statement.strip()}\n\n{_fenced(two.solution)}",
        "Write one Python program. It holds the functions of A and of B under their own names, as they are, and after "
        "them one new function with a new name, which is the last of the program. The new function must call both, and "
        "the results of one must decide what the other one works on: calling one after the other on the same data, or "
        "returning both results, is no new problem. Neither A nor B alone may solve it. It takes and gives plain data "
        "(whole numbers, text, truth values, None, lists, tuples, dictionaries; no floats). It changes no argument.",
        _PYTHON,
        _again(refused),
        "Answer with the program in one ```python block.",
    )


def cases_prompt(code: str, entry: str, shown: Sequence[str], wanted: Sequence[str]) -> tuple[Message, ...]:
    """Asks for inputs of a program, whose outputs will be its tests."""
    had = "These are there already:\n" + "\n".join(shown) if shown else ""
    missed = "They do not tell the program from ones with these faults; find inputs that do:\n" if wanted else ""
    return _asked(
        f"Here is a program:\n{_fenced(code)}",
        f"Propose inputs for `{entry}` that together show all that it does: usual ones, the smallest, empty ones, ones "
        "on both sides of every comparison, and ones where a small fault in the program would change the result.",
        had,
        missed + "\n".join(f"- {text}" for text in wanted) if missed else "",
        "Answer with 12 lines in one ```json block. Each line is the JSON list of the arguments of one call, such as "
        '["ab", [1, 2], 3].',
    )


def state_prompt(code: str, entry: str, asserts: str, refused: Sequence[str]) -> tuple[Message, ...]:
    """Asks for the statement of a problem from its solution and tests."""
    return _asked(
        f"Here is the solution of a programming problem whose statement was lost:\n{_fenced(code)}",
        f"And its tests:\n{_fenced(asserts)}",
        f"Write the statement. Somebody who sees nothing else must be able to write `{entry}` so that all tests pass: "
        f"say what is asked from the ground up, with every rule, border case and the types of arguments and result. "
        f"Name the function as `{entry}(…)` with its arguments, in backquotes. Do not say how to solve it, show no "
        "code, and do not mention other functions, tests, or that two problems were joined.",
        _again(refused),
        "Answer with a title of a few words on the first line, and the statement below it.",
    )


def solve_combo_prompt(combo: Combo) -> tuple[Message, ...]:
    """Asks somebody who knows the statement only."""
    return _asked(combo.prompt(0))


def guide_hash() -> str:
    """Hash of this file's text: what was asked."""
    return content_hash(inspect.getsource(sys.modules[__name__]), digits=16)
