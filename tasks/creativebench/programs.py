"""Finds the program in what a model said."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

__all__ = ["found_program"]

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*(\w*)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)


def found_program(text: str, entries: Collection[str]) -> str | None:
    """The program of a reply.

    Args:
        text: The reply.
        entries: Names that the program must define.

    Returns:
        The first fenced block that parses and defines all entries; else the first that parses; else the whole reply
        where that is a program which defines them. None where there is none.
    """
    blocks = [match[3] for match in _FENCE.finditer(text) if match[2].lower() in ("", "python", "py", "python3")]
    defined = [(block, _defined(block)) for block in blocks]
    for block, names in defined:
        if names is not None and set(entries) <= names:
            return block
    first = next((block for block, names in defined if names), None)
    if first is not None:
        return first
    names = _defined(text)
    return text if names and set(entries) <= names else None


def _defined(code: str) -> set[str] | None:
    """Names bound at the top level; None where it is no program."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    for statement in body:
        if isinstance(statement, ast.Assign | ast.Import | ast.ImportFrom | ast.AnnAssign):
            names |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            if not isinstance(statement, ast.Assign | ast.AnnAssign):
                names |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    return names
