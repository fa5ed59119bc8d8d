"""Expressions in one form: comparisons one way round, negations inside, wrappers off."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection

from .trees import label, quiet, walk

__all__ = ["Expressions", "as_test", "negated", "polarised"]

_EMPTY = {
    "list": lambda: ast.List([], ast.Load()),
    "dict": lambda: ast.Dict([], []),
    "tuple": lambda: ast.Tuple([], ast.Load()),
}
_CONSUMERS = frozenset({"all", "any", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"})
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_LARGEST = 10**12


def as_test(node: ast.expr) -> ast.expr:
    """An expression of which only the truth counts, with negations pushed inside."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return negated(node.operand)
    if isinstance(node, ast.BoolOp):
        return _flat(ast.BoolOp(node.op, [as_test(value) for value in node.values]))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        return as_test(node.args[0]) if node.func.id == "bool" else node
    if isinstance(node, ast.IfExp):
        values = node.body, node.orelse
        if all(isinstance(v, ast.Constant) and isinstance(v.value, bool) for v in values):
            yes, no = (bool(v.value) for v in values if isinstance(v, ast.Constant))
            if yes != no:
                return as_test(node.test) if yes else negated(node.test)
    return node


def negated(node: ast.expr) -> ast.expr:
    """An expression that is true where another is not, with the negation as far inside as it goes.

    ``not a < b`` stays: for sets and not-a-number it is not ``a >= b``.
    """
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return as_test(node.operand)
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return _flat(ast.BoolOp(other, [negated(value) for value in node.values]))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPPOSITE:
        return ast.Compare(node.left, [_OPPOSITE[type(node.ops[0])]()], node.comparators)
    if isinstance(node, ast.Constant):
        return ast.Constant(not node.value)
    return ast.UnaryOp(ast.Not(), as_test(node))


def polarised(test: ast.expr, own: Collection[str]) -> tuple[ast.expr, bool]:
    """The test or its negation, whichever is said with fewer negations; and whether it is the negation.

    Args:
        test: The test.
        own: Names of attributes that are the program's choice.
    """
    plain, other = as_test(test), negated(test)
    return (other, True) if _weight(other, own) < _weight(plain, own) else (plain, False)


def _weight(node: ast.expr, own: Collection[str]) -> tuple[int, str]:
    negative = ast.Not | ast.NotEq | ast.NotIn | ast.IsNot
    return sum(isinstance(n, negative) for n in walk(node)), label(node, own)


def _flat(node: ast.BoolOp) -> ast.BoolOp:
    values: list[ast.expr] = []
    for value in node.values:
        same = isinstance(value, ast.BoolOp) and type(value.op) is type(node.op)
        values.extend(value.values if same and isinstance(value, ast.BoolOp) else [value])
    return ast.BoolOp(node.op, values)


# Names of visitors are the base class's.
# ruff: noqa: D102
class Expressions(ast.NodeTransformer):
    """Puts every expression of a tree into one form. Behaviour stays, order of evaluation of quiet operands aside.

    Args:
        own: Names of attributes that are the program's choice.
        made: Names of values that are made by a call, which a comprehension would make again for each item.
    """

    def __init__(self, own: Collection[str] = (), made: Collection[str] = ()) -> None:
        self._own, self._made = own, made

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) > 1:
            sides = [node.left, *node.comparators]
            if all(isinstance(side, ast.Name | ast.Constant) for side in sides[1:-1]):
                pairs = zip(sides, node.ops, sides[1:], strict=False)
                parts = [self.visit_Compare(ast.Compare(a, [op], [b])) for a, op, b in pairs]
                return _flat(ast.BoolOp(ast.And(), [copy.deepcopy(p) for p in parts if isinstance(p, ast.expr)]))
            return node
        left, op, right = node.left, node.ops[0], node.comparators[0]
        if not (quiet(left) or quiet(right)):
            return node
        if isinstance(op, ast.Gt | ast.GtE):
            return ast.Compare(right, [ast.Lt() if isinstance(op, ast.Gt) else ast.LtE()], [left])
        if isinstance(op, ast.Eq | ast.NotEq):
            first = (isinstance(left, ast.Constant), label(left, self._own))
            if first > (isinstance(right, ast.Constant), label(right, self._own)):
                return ast.Compare(right, [op], [left])
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            inner = node.operand
            if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not):
                return ast.Call(ast.Name("bool", ast.Load()), [as_test(inner.operand)], [])
            return negated(inner)
        negative = isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
        number = node.operand.value if negative and isinstance(node.operand, ast.Constant) else None
        return ast.Constant(-number) if isinstance(number, int | float) and not isinstance(number, bool) else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return _flat(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        test, turned = polarised(node.test, self._own)
        body, other = (node.orelse, node.body) if turned else (node.body, node.orelse)
        return ast.IfExp(test, body, other)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Tuple | ast.List) and isinstance(node.slice, ast.Constant):
            place, parts = node.slice.value, node.value.elts
            if type(place) is int and -len(parts) <= place < len(parts) and isinstance(node.ctx, ast.Load):
                rest = [part for k, part in enumerate(parts) if k != place % len(parts)]
                if all(quiet(part) and not isinstance(part, ast.Starred) for part in rest):
                    chosen = parts[place]
                    return node if isinstance(chosen, ast.Starred) else chosen
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        left, right = node.left, node.right
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            folded = _folded(left.value, node.op, right.value)
            return node if folded is None else ast.Constant(folded)
        number = isinstance(left, ast.Constant) and type(left.value) in (int, float)
        if number and isinstance(node.op, ast.Add | ast.Mult):
            return ast.BinOp(right, node.op, left)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            return node
        if isinstance(node.func, ast.Attribute):
            if node.func.attr == "join" and len(node.args) == 1:
                node.args = [_consumed(node.args[0])]
            return node
        if isinstance(node.func, ast.Lambda):
            return _applied(node.func, node.args) or node
        if not isinstance(node.func, ast.Name):
            return node
        name, args = node.func.id, node.args
        if name in _EMPTY and not args:
            return _EMPTY[name]()
        if name in _CONSUMERS and len(args) == 1:
            node.args = [_consumed(args[0])]
            return _collected(name, node.args[0]) or node
        if name in ("map", "filter") and len(args) == 2 and getattr(args[0], "id", "") not in self._made:
            return _mapped(name, args[0], args[1]) or node
        if name == "range":
            if len(args) == 3 and isinstance(args[2], ast.Constant) and args[2].value == 1:
                args = args[:2]
            if len(args) == 2 and isinstance(args[0], ast.Constant) and args[0].value == 0:
                args = args[1:]
            node.args = args
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        tests = [as_test(test) for test in node.ifs]
        node.ifs = [_flat(ast.BoolOp(ast.And(), tests))] if len(tests) > 1 else tests
        return node


def _consumed(arg: ast.expr) -> ast.expr:
    """A list that only one consumer sees need not be a list."""
    return ast.GeneratorExp(arg.elt, arg.generators) if isinstance(arg, ast.ListComp) else arg


def _collected(name: str, arg: ast.expr) -> ast.expr | None:
    if not isinstance(arg, ast.GeneratorExp):
        return None
    if name == "list":
        return ast.ListComp(arg.elt, arg.generators)
    return ast.SetComp(arg.elt, arg.generators) if name == "set" else None


def _applied(function: ast.Lambda, args: list[ast.expr]) -> ast.expr | None:
    """``(lambda x: e)(a)`` as ``e`` with ``a`` in the place of ``x``, where that is the same."""
    from .trees import loads, replaced, stores

    own = function.args
    if own.defaults or own.vararg or own.kwarg or own.kwonlyargs or own.posonlyargs or len(own.args) != len(args):
        return None
    if stores(function.body) or any(isinstance(n, ast.Lambda) for n in walk(function.body)):
        return None
    read = loads(function.body)
    for parameter, arg in zip(own.args, args, strict=True):
        if not isinstance(arg, ast.Name | ast.Constant) and not (read.get(parameter.arg) == 1 and quiet(function.body)):
            return None
    return replaced(function.body, {p.arg: a for p, a in zip(own.args, args, strict=True)})


def _mapped(name: str, function: ast.expr, items: ast.expr) -> ast.expr | None:
    """``map`` and ``filter`` as generator expressions."""
    if isinstance(function, ast.Lambda):
        own = function.args
        if len(own.args) != 1 or own.defaults or own.vararg or own.kwarg or own.kwonlyargs:
            return None
        word, result = own.args[0].arg, function.body
    elif isinstance(function, ast.Name | ast.Attribute):
        word = "_item"
        result = ast.Call(function, [ast.Name(word, ast.Load())], [])
    elif isinstance(function, ast.Constant) and function.value is None and name == "filter":
        word = "_item"
        result = ast.Name(word, ast.Load())
    else:
        return None
    target = ast.Name(word, ast.Store())
    if name == "map":
        return ast.GeneratorExp(result, [ast.comprehension(target, items, [], 0)])
    element = ast.Name(word, ast.Load())
    return ast.GeneratorExp(element, [ast.comprehension(target, items, [as_test(result)], 0)])


def _folded(left: object, op: ast.operator, right: object) -> int | float | str | None:
    """The value of an operation on two constants; None where it is not folded."""
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add):
        return left + right
    if type(left) not in (int, float) or type(right) not in (int, float):
        return None
    a, b = left, right
    if not (isinstance(a, int | float) and isinstance(b, int | float)) or max(abs(a), abs(b)) > _LARGEST:
        return None
    if isinstance(op, ast.Add):
        return a + b
    if isinstance(op, ast.Sub):
        return a - b
    if isinstance(op, ast.Mult):
        return a * b
    if b and isinstance(op, ast.FloorDiv):
        return a // b
    return a % b if b and isinstance(op, ast.Mod) else None
