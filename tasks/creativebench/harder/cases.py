"""Tests out of a program's own behaviour: what it returns for proposed inputs."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ....suite.sandbox import Sandbox

__all__ = ["Case", "behaviour", "inputs_of"]

_BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LONGEST = 400
"""Characters of a test's arguments and of its result."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call and what came of it.

    Args:
        call: The call, as Python.
        result: The result, as a literal.
    """

    call: str
    result: str

    @property
    def line(self) -> str:
        """The test."""
        return f"assert {self.call} == {self.result}"


def inputs_of(reply: str) -> list[list[Any]]:
    """The argument lists of a reply: lines of JSON, one list of lists, or the same as Python literals.

    What cannot be read is left out; floats too, since their last bits are no matter of a test by ``==``.
    """
    block = _BLOCK.search(reply)
    text = block[1] if block else reply
    whole = _literal(text)
    if isinstance(whole, list) and whole and all(isinstance(row, list) for row in whole):
        rows = whole
    else:
        rows = [_literal(line.strip().lstrip("-*").rstrip(",").strip()) for line in text.splitlines()]
    found: list[list[Any]] = []
    for row in rows:
        if isinstance(row, list) and _plain(row) and row not in found and len(repr(row)) <= _LONGEST:
            found.append(row)
    return found


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None


def _plain(value: Any) -> bool:
    """Whether a value is whole numbers, text, truth values, None, and containers of them that have one spelling."""
    if value is None or isinstance(value, bool | int | str):
        return True
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(map(_plain, value)) and all(map(_plain, value.values()))
    return False


async def behaviour(sandbox: Sandbox, code: str, entry: str, rows: list[list[Any]]) -> list[Case]:
    """Call a program on inputs, each twice in processes of its own.

    Inputs on which it fails, hits a limit, or returns what is no plain literal or another value the second time, give
    no test.

    Args:
        sandbox: Where.
        code: The program.
        entry: The function.
        rows: Argument lists.

    Raises:
        SandboxFailure: The sandbox itself failed.
    """
    found = []
    for row in rows:
        first = await sandbox.run(code, call=entry, args=row)
        if not first.ok or not _plain(first.value):
            continue
        second = await sandbox.run(code, call=entry, args=row)
        result = repr(first.value)
        if second.ok and repr(second.value) == result and len(result) <= _LONGEST:
            found.append(Case(f"{entry}({', '.join(map(repr, row))})", result))
    return found
