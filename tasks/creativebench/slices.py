"""The part of a program that its tests need, found by leaving statements out and testing what is left.

Observation-based slicing (Binkley, Gold, Harman, Islam, Krinke and Yoo 2014, "ORBS: language-independent program
slicing", FSE): a statement belongs to the slice if the tests fail without it. It needs no tracing inside the process
that runs the program, so a program cannot write its own slice, and work that is executed but used for nothing goes as
dead code does.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Awaitable, Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

from .canonical import canonical

__all__ = ["BUDGET", "Search", "Slice", "driven", "driven_async", "needed"]

T = TypeVar("T")

_PASSES = 3
BUDGET = 400
"""Executions that a search may take. A program that needs more is padded; what it reached then is no slice."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What the tests need of a program.

    Args:
        code: A program that passes the tests, and of which no single statement can be left out.
        executions: How often the tests were run to find it.
        form: ``canonical``: found in the canonical form. ``plain``: in the program itself, because its canonical form
            does not pass. ``none``: the program does not pass, and ``code`` is all of it. ``unfinished``: there was no
            slice within :data:`BUDGET` executions.
    """

    code: str
    executions: int
    form: str


Search = Generator[str, bool, T]
"""Asks of one program after the other whether it passes the tests, and returns what came of it."""


def driven(search: Search[T], passes: Callable[[str], bool]) -> T:
    """Run a search to its end.

    Args:
        search: The search.
        passes: Whether a program passes the tests. The same program must always give the same answer.
    """
    try:
        asked = next(search)
        while True:
            asked = search.send(passes(asked))
    except StopIteration as end:
        return end.value


async def driven_async(search: Search[T], passes: Callable[[str], Awaitable[bool]]) -> T:
    """:func:`driven` for tests that are awaited, as those of a sandbox."""
    try:
        asked = next(search)
        while True:
            asked = search.send(await passes(asked))
    except StopIteration as end:
        return end.value


def needed(code: str, entries: Collection[str]) -> Search[Slice]:
    """Find the slice of a program.

    Args:
        code: The program; it can be parsed.
        entries: Names that the tests use.
    """
    search = _search(code, entries)
    try:
        asked = next(search)
        for _ in range(BUDGET):
            asked = search.send((yield asked))
    except StopIteration as end:
        return end.value
    return Slice(code, BUDGET, "unfinished")


def _search(code: str, entries: Collection[str]) -> Search[Slice]:
    try:
        forms = [("canonical", canonical(code, entries))]
    except RecursionError:
        forms = []
    asked = 0
    for form, text in [*forms, ("plain", ast.unparse(ast.parse(code)))]:
        asked += 1
        if not (yield text):
            continue
        for _ in range(_PASSES):
            before = text
            text, more = yield from _smaller(text)
            try:
                again = canonical(text, entries)
            except RecursionError:
                again = text
            if again != text:
                more += 1
                if (yield again):
                    text = again
            asked += more
            if text == before:
                break
        return Slice(text, asked, form)
    return Slice(code, asked, "none")


def _smaller(text: str) -> Search[tuple[str, int]]:
    """Leave out each statement in turn, larger ones first; what is not missed stays out."""
    tree, asked = ast.parse(text), 0
    tried: set[str] = {text}
    progress = True
    while progress:
        progress = False
        for change in list(_cuts(tree)):
            made = copy.deepcopy(tree)
            change(made)
            left = ast.unparse(ast.fix_missing_locations(made))
            if left in tried:
                continue
            tried.add(left)
            asked += 1
            if (yield left):
                tree, progress = ast.parse(left), True
                break
    return ast.unparse(tree), asked


def _cuts(tree: ast.Module) -> Iterator[Callable[[ast.Module], None]]:
    """Every way to make a program smaller by a statement, the largest first."""
    found: list[tuple[int, int, Callable[[ast.Module], None]]] = []
    for index, node in enumerate(ast.walk(tree)):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            for k, statement in enumerate(block):
                if isinstance(statement, ast.Pass):
                    continue
                size = sum(1 for _ in ast.walk(statement))
                found.append((-size, len(found), _cut(index, field, k, "")))
                for inner in ("body", "orelse"):
                    if isinstance(statement, ast.If | ast.With | ast.Try) and getattr(statement, inner, None):
                        found.append((-size + 1, len(found), _cut(index, field, k, inner)))
    for _, _, change in sorted(found, key=lambda entry: entry[:2]):
        yield change


def _cut(index: int, field: str, k: int, keep: str) -> Callable[[ast.Module], None]:
    """Leave out statement ``k`` of a block of the node number ``index``, or put one of its own blocks in its place."""

    def change(tree: ast.Module) -> None:
        node = next(n for i, n in enumerate(ast.walk(tree)) if i == index)
        block = getattr(node, field)
        block[k : k + 1] = getattr(block[k], keep) if keep else []
        if not block and field == "body" and not isinstance(node, ast.Module):
            block.append(ast.Pass())

    return change
