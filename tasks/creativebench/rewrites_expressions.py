"""Rewrites that spell expressions in another way."""

from __future__ import annotations

import ast
from collections.abc import Collection

from .rewriting import Rewrite, arguments, call, each, fresh
from .trees import FUNCTIONS, evaluated, headers, loads, quiet, stores, walk

__all__ = ["EXPRESSIONS"]

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}


def _turned_comparisons(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def turn(node: ast.Compare) -> ast.Compare:
        right = node.comparators[0]
        if len(node.ops) > 1 or type(node.ops[0]) not in _TURNED or not (quiet(node.left) or quiet(right)):
            return node
        return ast.Compare(right, [_TURNED[type(node.ops[0])]()], [node.left])

    return each(tree, ast.Compare, turn)


def _split_chains(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def split(node: ast.Compare) -> ast.expr:
        sides = [node.left, *node.comparators]
        if len(node.ops) < 2 or not all(isinstance(s, ast.Name | ast.Constant) for s in sides[1:-1]):
            return node
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return ast.BoolOp(ast.And(), [ast.Compare(a, [op], [b]) for a, op, b in pairs])

    return each(tree, ast.Compare, split)


def _de_morgan(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def turn(node: ast.If | ast.While | ast.IfExp) -> ast.AST:
        if isinstance(node.test, ast.BoolOp):
            other = ast.Or() if isinstance(node.test.op, ast.And) else ast.And()
            parts: list[ast.expr] = [ast.UnaryOp(ast.Not(), value) for value in node.test.values]
            node.test = ast.UnaryOp(ast.Not(), ast.BoolOp(other, parts))
        return node

    return each(tree, (ast.If, ast.While, ast.IfExp), turn)


def _wrapped_in_tuples(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def wrap(node: ast.Return | ast.Assign) -> ast.AST:
        if node.value is not None:
            parts: list[ast.expr] = [node.value, ast.Constant(None)]
            node.value = ast.Subscript(ast.Tuple(parts, ast.Load()), ast.Constant(0), ast.Load())
        return node

    return each(tree, (ast.Return, ast.Assign), wrap)


def _sums_of_constants(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def split(node: ast.Constant) -> ast.expr:
        if type(node.value) is int and 2 <= node.value < 10**9:
            return ast.BinOp(ast.Constant(node.value - 1), ast.Add(), ast.Constant(1))
        return node

    # A pattern of `match` holds constants, and no sums.
    return tree if _has_match(tree) else each(tree, ast.Constant, split)


def _has_match(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.Match) for n in walk(tree))


def _mapped(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def change(node: ast.ListComp) -> ast.expr:
        only = node.generators[0]
        if len(node.generators) > 1 or only.ifs or not isinstance(only.target, ast.Name):
            return node
        if any(isinstance(n, ast.NamedExpr) for n in walk(node)):
            return node
        function = ast.Lambda(arguments([only.target.id]), node.elt)
        return call("list", call("map", function, only.iter))

    return each(tree, ast.ListComp, change)


def _texts_added(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """F-strings as texts that are added."""

    class Adder(ast.NodeTransformer):
        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            parts = [p.value if isinstance(p, ast.FormattedValue) else p for p in node.values]
            plain = all(isinstance(p, ast.Constant) or _is_plain(p) for p in node.values)
            if not plain or not parts:
                return node
            texts = [p if isinstance(p, ast.Constant) and isinstance(p.value, str) else call("str", p) for p in parts]
            whole = texts[0]
            for text in texts[1:]:
                whole = ast.BinOp(whole, ast.Add(), text)
            return whole

    return Adder().visit(tree)


def _is_plain(part: ast.expr) -> bool:
    return isinstance(part, ast.FormattedValue) and part.format_spec is None and part.conversion == -1


def _operands_named(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``return f(a) + b`` as ``part = f(a); return part + b``: what is evaluated first has a name."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        for block in [b for n in walk(function) if isinstance(b := getattr(n, "body", None), list)]:
            k = 0
            while k < len(block):
                first = _first_call(block[k]) if isinstance(block[k], ast.Return | ast.Assign) else None
                if first is not None:
                    name = fresh(tree, "_operand")
                    block[k] = _Put(first, name).visit(block[k])
                    block.insert(k, ast.Assign([ast.Name(name, ast.Store())], first))
                    k += 1
                k += 1
    return tree


def _first_call(statement: ast.stmt) -> ast.Call | None:
    """The call that a statement evaluates first, if it is an operand or an argument."""
    head = next(headers(statement), None)
    if head is None:
        return None
    for node, certain in evaluated(head):
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return None
        if isinstance(node, ast.Call):
            return node if certain and node is not head and not isinstance(node.func, ast.Lambda) else None
    return None


class _Put(ast.NodeTransformer):
    def __init__(self, node: ast.expr, name: str) -> None:
        self.node, self.name = node, name

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if node is self.node:
            return ast.Name(self.name, ast.Load())
        self.generic_visit(node)
        return node


def _formulas_as_helpers(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """What a function returns or assigns, computed by a function of its own."""
    made: list[ast.stmt] = []
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        inner = [n for n in walk(function) if n is not function and isinstance(n, (*FUNCTIONS, ast.Lambda))]
        if inner or any(isinstance(n, ast.Global) for n in walk(function)):
            continue
        own = stores(function)
        for node in walk(function):
            if not isinstance(node, ast.Return | ast.Assign) or not isinstance(node.value, ast.BinOp | ast.Compare):
                continue
            if any(isinstance(n, ast.NamedExpr | ast.Yield) for n in walk(node.value)) or stores(node.value):
                continue
            given = [name for name in own if name in loads(node.value)]
            name = fresh(ast.Module([*tree.body, *made], []), "_formula")
            made.append(ast.FunctionDef(name, arguments(given), [ast.Return(node.value)], [], None))
            node.value = call(name, *(ast.Name(g, ast.Load()) for g in given))
    tree.body = [*tree.body, *made]
    return tree


def _named_in_tests(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``x = e; if x > 0: …`` as ``if (x := e) > 0: …``."""
    for block in [b for n in walk(tree) if isinstance(b := getattr(n, "body", None), list)]:
        for k in range(len(block) - 1, 0, -1):
            before, statement = block[k - 1], block[k]
            if not isinstance(statement, ast.If) or not isinstance(before, ast.Assign) or len(before.targets) > 1:
                continue
            target = before.targets[0]
            if not isinstance(target, ast.Name):
                continue
            for node, certain in evaluated(statement.test):
                if isinstance(node, ast.Name) and node.id == target.id and certain:
                    named = ast.NamedExpr(ast.Name(target.id, ast.Store()), before.value)
                    statement.test = _Named(node, named).visit(statement.test)
                    del block[k - 1]
                    break
                if isinstance(node, ast.Name | ast.Call):
                    break
    return tree


class _Named(ast.NodeTransformer):
    def __init__(self, node: ast.Name, named: ast.NamedExpr) -> None:
        self.node, self.named = node, named

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.named if node is self.node else node


EXPRESSIONS: tuple[Rewrite, ...] = (
    Rewrite("comparisons turned", "`a < b` as `b > a`", _turned_comparisons),
    Rewrite("chains split", "`a < b < c` as `a < b and b < c`", _split_chains),
    Rewrite("De Morgan", "`a and b` as `not (not a or not b)` in tests", _de_morgan),
    Rewrite("tuples", "`e` as `(e, None)[0]`", _wrapped_in_tuples),
    Rewrite("constants as sums", "`10` as `9 + 1`", _sums_of_constants),
    Rewrite("map", "list comprehensions as `list(map(lambda …))`", _mapped),
    Rewrite("texts added", "f-strings as texts that are added", _texts_added),
    Rewrite("operands named", "what an expression calls first in a variable before it", _operands_named),
    Rewrite("formulas as helpers", "operations and comparisons as functions of their own", _formulas_as_helpers),
    Rewrite("named in tests", "`x = e; if x` as `if (x := e)`", _named_in_tests),
)
