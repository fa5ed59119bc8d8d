"""Small faults put into a solution: tests that are strong enough tell each of them.

The classes are those of the usual mutation operators (relational, arithmetic, logical, constant, statement deletion:
Offutt et al. 1996, "An experimental determination of sufficient mutant operators", ACM TOSEM 5(2)), on Python's
syntax tree.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Mutant", "mutants", "stubs"]

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A program with one fault.

    Args:
        kind: ``compare``, ``arithmetic``, ``logic``, ``constant``, ``negate`` or ``delete``.
        line: Line of the original, from 1.
        code: The program.
    """

    kind: str
    line: int
    code: str


def mutants(code: str) -> Iterator[Mutant]:
    """Every mutant of a program, each with one fault, in the order of the syntax tree."""
    tree = ast.parse(code)
    seen = {ast.unparse(tree)}
    for index, node in enumerate(ast.walk(tree)):
        for kind, change in _changes(node):
            made = copy.deepcopy(tree)
            target = next(n for k, n in enumerate(ast.walk(made)) if k == index)
            change(target)
            text = ast.unparse(ast.fix_missing_locations(made))
            if text not in seen:
                seen.add(text)
                yield Mutant(kind, getattr(node, "lineno", 0), text)


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    """What can be changed at a node; a change is made in place, on the same node of a copy."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        yield "compare", _set("ops", lambda n: [_COMPARE[type(n.ops[0])](), *n.ops[1:]])
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", _set("op", lambda n: _ARITHMETIC[type(n.op)]())
    if isinstance(node, ast.BoolOp):
        yield "logic", _set("op", lambda n: ast.Or() if isinstance(n.op, ast.And) else ast.And())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield "constant", _set("value", lambda n: n.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", _set("value", lambda n: not n.value)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "negate", _set("test", lambda n: ast.UnaryOp(ast.Not(), n.test))
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if isinstance(block, list) and not isinstance(node, ast.Module):
            for position, statement in enumerate(block):
                if not _is_docstring(statement):
                    yield "delete", _without(name, position)


def _set(field: str, value: Callable[..., object]) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, field, value(node))


def _without(field: str, position: int) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        block = getattr(node, field)
        block[position] = ast.Pass()

    return change


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr | ast.Pass) and not (
        isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant)
    )


def stubs(code: str) -> Iterator[str]:
    """Programs with the same functions and nothing in them: each returns one constant, or its first argument."""
    tree = ast.parse(code)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    for value in ("None", "0", "1", "-1", "True", "False", "''", "[]", "{}", "()", "set()", "0.0"):
        yield _stub(tree, lambda f, v=value: v)
    if any(f.args.args for f in functions):
        yield _stub(tree, lambda f: f.args.args[-1].arg if f.args.args else "None")


def _stub(tree: ast.Module, result: Callable[[ast.FunctionDef], str]) -> str:
    made = copy.deepcopy(tree)
    for node in ast.walk(made):
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Return(ast.parse(result(node), mode="eval").body)]
    return ast.unparse(ast.fix_missing_locations(made))
