"""Arithmetic problems, a calculator for them, and replies that use it or not."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...environments.json_objects import objects_in

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Problem", "Reply", "calculate", "draw_problem", "read_reply"]

_LONGEST = 200
"""Characters of an expression that the calculator takes."""
_LAST = 4000
_EXPRESSION = re.compile(r"[-+*() 0-9]+")


@dataclass(frozen=True)
class Problem:
    """A problem.

    Args:
        text: An expression of whole numbers with ``+ - *``.
    """

    text: str

    @cached_property
    def value(self) -> int:
        """What it comes to."""
        found = calculate(self.text)
        if found is None:
            raise ValueError(f"{self.text!r} is no problem")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        tool: Whether the calculator was used.
        value: The answer; None where the calculator could not read the expression.
        written: The expression or the number.
    """

    tool: bool
    value: int | None
    written: str


def draw_problem(rng: np.random.Generator, *, hard: bool) -> Problem:
    """Draw a problem.

    Args:
        rng: Decides.
        hard: A product of two numbers of four digits and a third number; else a sum of two numbers of two digits.
    """
    if hard:
        a, b, c = (int(n) for n in rng.integers(1000, 10_000, size=3))
        return Problem(f"{a} * {b} + {c}")
    a, b = (int(n) for n in rng.integers(10, 60, size=2))
    return Problem(f"{a} + {b}")


def calculate(text: str) -> int | None:
    """What an expression of whole numbers with ``+ - *`` and brackets comes to; None of anything else.

    Args:
        text: At most 200 characters, so that no product is large; ``x`` and ``×`` are read as ``*``.
    """
    plain = text.strip().replace("×", "*").replace("x", "*").replace(",", "")
    if len(text) > _LONGEST or not _EXPRESSION.fullmatch(plain):
        return None
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _value(tree.body)


def _value(node: ast.expr) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
    return None


def read_reply(text: str) -> Reply | None:
    """Read an answer: the last JSON object with ``calculate`` or ``answer``; one with both is none.

    Args:
        text: The reply, thinking removed.

    Returns:
        None where there is no such object, or its answer is no number.
    """
    text = text[-_LAST:]
    reply: Reply | None = None
    for found in objects_in(text):
        if found is not None and ("calculate" in found or "answer" in found):
            reply = _reply(found)
    return reply


def _reply(found: dict[str, object]) -> Reply | None:
    if "calculate" in found and "answer" in found:
        return None
    if "calculate" in found:
        asked = found["calculate"]
        written = asked if isinstance(asked, str) else json.dumps(asked)
        return Reply(True, calculate(written), written[:_LONGEST])
    answer = found["answer"]
    if isinstance(answer, bool) or not isinstance(answer, int | float | str):
        return None
    plain = str(answer).replace(",", "").replace(" ", "")
    try:
        value = float(plain) if "." in plain else int(plain)
    except ValueError:
        return None
    # What is no whole number is an answer all the same, and a wrong one.
    return Reply(
        False, int(value) if value == value and abs(value) < 1e15 and value == int(value) else None, plain[:30]
    )
