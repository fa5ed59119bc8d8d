"""What statements change, as far as their text tells."""

from __future__ import annotations

import ast
from collections.abc import Collection

from .trees import quiet, stores, walk

__all__ = ["leaves"]

_IN_PLACE = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "intersection_update",
        "move_to_end",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "symmetric_difference_update",
        "update",
    ]
)
_OF_FIRST = frozenset(["heapify", "heappop", "heappush", "heappushpop", "heapreplace", "insort", "next"])


def leaves(statement: ast.stmt, names: Collection[str], *, trusting: bool = False) -> bool:
    """Whether a statement leaves what some names stand for as it is, as far as its text tells.

    Args:
        statement: The statement, with all that is in it.
        names: The names.
        trusting: Whether a call of a function of the program changes only what it is given by name.
    """
    if not names:
        return True
    if any(isinstance(n, ast.Await | ast.Yield | ast.YieldFrom) for n in walk(statement)):
        return False
    changed = set(stores(statement))
    for node in walk(statement):
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            changed.add(_root(node))
        elif isinstance(node, ast.Call) and not quiet(ast.Call(node.func, [], [])):
            called = node.func
            given = {a.id for a in node.args if isinstance(a, ast.Name)}
            if isinstance(called, ast.Attribute) and called.attr in _IN_PLACE:
                changed.add(_root(called))
            elif isinstance(called, ast.Name) and called.id in _OF_FIRST and node.args:
                changed.add(_root(node.args[0]))
            elif trusting:
                changed |= given | ({_root(called)} if isinstance(called, ast.Attribute) else set())
            else:
                return False
    return not changed & set(names)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
