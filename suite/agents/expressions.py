"""A small language for tools that a model writes: one expression over numbers. Nothing of it is run as Python."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "FUNCTIONS",
    "NUMBERS",
    "Call",
    "Expression",
    "ExpressionError",
    "Value",
    "parse_call",
    "parse_expression",
]

Value: TypeAlias = float | tuple[float, ...]

NUMBERS = "numbers"
"""The name of the list that every expression may read: the numbers of the observation."""

MOST_CHARACTERS = 300
MOST_NODES = 100
MOST_DEPTH = 30
MOST_ITEMS = 1000
LARGEST = 1e15
"""No number in an expression, and none that comes up in it, is larger."""
LARGEST_EXPONENT = 64.0

_TOKEN = re.compile(
    r"\s+|[A-Za-z_]\w*|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.])|\*\*|//|<=|>=|==|!=|[-+*/%()<>,\[\]=]",
    re.ASCII,
)
_OPENS, _CLOSES = "([", ")]"


class ExpressionError(ValueError):
    """An expression that cannot be read or worked out; the message says why."""


def _divided(by: Callable[[float, float], float]) -> Callable[[float, float], float]:
    def divide(left: float, right: float) -> float:
        if right == 0:
            raise ExpressionError("it divides by 0")
        return by(left, right)

    return divide


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > LARGEST_EXPONENT:
        raise ExpressionError(f"an exponent is at most {LARGEST_EXPONENT:g}, not {exponent:g}")
    if base == 0 and exponent < 0:
        raise ExpressionError("it divides by 0")
    if base < 0 and not exponent.is_integer():
        raise ExpressionError("a number below 0 has no such root")
    return math.pow(base, exponent)


_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divided(operator.truediv),
    ast.FloorDiv: _divided(operator.floordiv),
    ast.Mod: _divided(operator.mod),
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: lambda value: float(value == 0),
}
_COMPARED: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS = ("abs", "len", "max", "min", "round", "sum")
"""What can be called. ``len``, ``sum``, ``min`` and ``max`` take a list or numbers, ``round`` a number and digits."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that has been checked.

    Args:
        text: As it was written.
        tree: Only of nodes that :func:`parse_expression` lets through.
    """

    text: str
    tree: ast.expr

    def evaluate(self, values: Mapping[str, Value]) -> Value:
        """Work it out.

        Args:
            values: By name, parameters and :data:`NUMBERS`. Lists beyond their first 1,000 items are cut.

        Returns:
            A finite number, or a list of them.

        Raises:
            ExpressionError: It has no value: a division by 0, a number out of range, a list in the place of a number.
        """
        return _evaluate(self.tree, values)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool by name.

    Args:
        name: The tool's.
        given: Its arguments by position.
        named: Its arguments by name.
    """

    name: str
    given: tuple[Expression, ...]
    named: Mapping[str, Expression]


def parse_expression(text: str, parameters: Sequence[str] = ()) -> Expression:
    """Read an expression.

    It has numbers, parameters, ``numbers``, lists in brackets, one item of a list, ``+ - * / // % **``, comparisons
    (1 for true, 0 for false), ``and``, ``or``, ``not``, ``a if b else c``, and calls of :data:`FUNCTIONS`.

    Args:
        text: Anything; at most 300 characters, 100 parts and 30 levels are read.
        parameters: The names that it may use besides ``numbers``.

    Raises:
        ExpressionError: It is none.
    """
    tree = _tree(text)
    _check(tree, frozenset((*parameters, NUMBERS)))
    return Expression(text.strip(), tree)


def parse_call(text: str) -> Call:
    """Read a call such as ``name(1, numbers[0])`` or ``name(a=1, b=2)``; arguments are expressions.

    Raises:
        ExpressionError: It is none.
    """
    tree = _tree(text, keywords=True)
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise ExpressionError("a call is a name with arguments in brackets, such as name(1, 2)")
    known = frozenset((NUMBERS,))
    named: dict[str, Expression] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise ExpressionError("an argument has a name or none, not two stars")
        if keyword.arg in named:
            raise ExpressionError(f"the argument {keyword.arg} stands twice")
        _check(keyword.value, known)
        named[keyword.arg] = Expression(ast.unparse(keyword.value), keyword.value)
    for argument in tree.args:
        _check(argument, known)
    given = tuple(Expression(ast.unparse(argument), argument) for argument in tree.args)
    return Call(tree.func.id, given, named)


def _tree(text: str, *, keywords: bool = False) -> ast.expr:
    """Parse a text of which every token has been looked at, so that Python's parser meets no surprise."""
    text = text.strip()
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"it is longer than {MOST_CHARACTERS} characters")
    at = depth = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ExpressionError(f"{text[at]!r} has no place in it")
        if token[0] == "=" and not keywords:
            raise ExpressionError("'=' has no place in it; equal is ==")
        depth += (token[0] in _OPENS) - (token[0] in _CLOSES)
        if depth > MOST_DEPTH:
            raise ExpressionError(f"it has more than {MOST_DEPTH} levels")
        at = token.end()
    try:
        # The blanks between tokens may be line breaks; in one line they mean nothing.
        return ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = getattr(error, "msg", "") or type(error).__name__
        raise ExpressionError(f"it cannot be read: {why}") from None


def _check(tree: ast.expr, names: frozenset[str]) -> None:
    """Let through what the language has, and nothing else."""
    count = 0
    waiting: list[tuple[ast.expr, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MOST_DEPTH or count > MOST_NODES:
            raise ExpressionError(f"it has more than {MOST_DEPTH} levels or {MOST_NODES} parts")
        waiting += [(part, depth + 1) for part in _parts(node, names)]


def _parts(node: ast.expr, names: frozenset[str]) -> list[ast.expr]:
    """The parts of a node of the language.

    Raises:
        ExpressionError: The node is none.
    """
    match node:
        case ast.Constant(value=bool()):
            return []
        case ast.Constant(value=int(value) | float(value)) if abs(value) <= LARGEST:
            return []
        case ast.Constant():
            raise ExpressionError(f"it has numbers from -{LARGEST:g} to {LARGEST:g} and no other values")
        case ast.Name(id=name):
            if name not in names:
                raise ExpressionError(f"there is no {name}; there is {', '.join(sorted(names))}")
            return []
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return [left, right]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return [operand]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARED for op in ops):
            return [left, *others]
        case ast.BoolOp(values=values):
            return values
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [test, body, orelse]
        case ast.List(elts=items):
            return items
        case ast.Subscript(value=ast.Name() | ast.List() as value, slice=index) if not isinstance(index, ast.Slice):
            return [value, index]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS and arguments:
            return arguments
    raise ExpressionError(
        f"{type(node).__name__} has no place in it: it has numbers, names, + - * / // % **, comparisons, and, or, not, "
        f"if else, lists, and calls of {', '.join(FUNCTIONS)}"
    )


def _evaluate(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int(value) | float(value)):  # a truth value is a whole number in Python
            return float(value)
        case ast.Name(id=name):
            if name not in values:
                raise ExpressionError(f"{name} has no value")
            value = values[name]
            return tuple(map(_fitting, value[:MOST_ITEMS])) if isinstance(value, tuple) else _fitting(value)
        case ast.BinOp(left=left, op=op, right=right):
            return _fitting(_BINARY[type(op)](_number(left, values), _number(right, values)))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_number(operand, values))
        case ast.Compare(left=left, ops=ops, comparators=others):
            row = [_number(part, values) for part in (left, *others)]
            return float(all(_COMPARED[type(op)](a, b) for op, a, b in zip(ops, row, row[1:], strict=False)))
        case ast.BoolOp(op=op, values=parts):
            wanted = isinstance(op, ast.Or)
            # As in Python, what comes after the first that decides is not worked out.
            return float(wanted if any((_number(p, values) != 0) == wanted for p in parts) else not wanted)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluate(body if _number(test, values) != 0 else orelse, values)
        case ast.List(elts=items):
            return tuple(_number(item, values) for item in items)
        case ast.Subscript(value=value, slice=index):
            return _item(_evaluate(value, values), _number(index, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _fitting(_call(name, [_evaluate(argument, values) for argument in arguments]))
    raise ExpressionError(f"{type(node).__name__} has no value")


def _fitting(value: float) -> float:
    # The comparison is false for what is not a number, too.
    if not abs(value) <= LARGEST:
        raise ExpressionError(f"a number leaves the range from -{LARGEST:g} to {LARGEST:g}")
    return float(value)


def _number(node: ast.expr, values: Mapping[str, Value]) -> float:
    value = _evaluate(node, values)
    if isinstance(value, tuple):
        raise ExpressionError("a list stands where a number is wanted")
    return value


def _item(items: Value, index: float) -> float:
    if not isinstance(items, tuple):
        raise ExpressionError("a number has no items")
    if not index.is_integer() or not -len(items) <= index < len(items):
        raise ExpressionError(f"a list of {len(items)} has no item {index:g}")
    return items[int(index)]


def _call(name: str, arguments: list[Value]) -> float:
    """Work out one of :data:`FUNCTIONS`.

    Raises:
        ExpressionError: Its arguments do not fit.
    """
    first = arguments[0]
    if isinstance(first, tuple):
        if len(arguments) > 1 or name in ("abs", "round"):
            raise ExpressionError(f"{name} takes {'one list or numbers' if len(arguments) > 1 else 'a number'}")
        row = first
    else:
        numbers = [argument for argument in arguments if not isinstance(argument, tuple)]
        if len(numbers) < len(arguments):
            raise ExpressionError(f"{name} takes one list or numbers")
        row = tuple(numbers)
    if name == "len":
        return float(len(row))
    if name == "sum":
        return math.fsum(row)
    if name in ("max", "min"):
        if not row:
            raise ExpressionError(f"{name} of nothing")
        return max(row) if name == "max" else min(row)
    if name == "abs" and len(row) == 1:
        return abs(row[0])
    if name == "round" and (len(row) == 1 or (len(row) == 2 and row[1] in range(10))):
        return round(row[0], int(row[1]) if len(row) == 2 else 0)
    raise ExpressionError(f"{name} takes {'a number' if name == 'abs' else 'a number and 0 to 9 digits'}")
