"""Formulas over whole arrays in the safe expression language of tools (:mod:`finchmark.suite.agents.expressions`)."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ...suite.agents.expressions import Expression, ExpressionError, parse_expression

__all__ = ["evaluate", "parse_formula"]

_BINARY: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Pow: np.float_power,
}
_COMPARED: dict[type[ast.cmpop], np.ufunc] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_CALLED: dict[str, np.ufunc] = {"max": np.maximum, "min": np.minimum}


def parse_formula(text: str, names: Sequence[str]) -> Expression:
    """Read a formula: numbers, names, ``+ - * / **``, ``< <= > >=``, ``a if b else c``, ``max``, ``min``, ``abs``.

    Args:
        text: At most 300 characters; nothing of it is run as Python.
        names: What it may use.

    Raises:
        ExpressionError: It is none.
    """
    found = parse_expression(text, names)
    for node in ast.walk(found.tree):
        if isinstance(node, ast.Name) and node.id not in (*names, *_CALLED, "abs"):
            raise ExpressionError(f"there is no {node.id} in a formula; there is {', '.join(names)}")
        fits = not isinstance(node, (ast.BoolOp, ast.List, ast.Subscript, ast.Not))
        if isinstance(node, ast.BinOp):
            fits = type(node.op) in _BINARY
        elif isinstance(node, ast.Compare):
            fits = len(node.ops) == 1 and type(node.ops[0]) in _COMPARED
        elif isinstance(node, ast.Call):
            # A call in the language is of a name.
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            fits = (called in _CALLED and len(node.args) >= 2) or (called == "abs" and len(node.args) == 1)
        if not fits:
            raise ExpressionError(
                f"{ast.unparse(node) if isinstance(node, ast.expr) else node} has no place in a formula"
            )
    return found


def evaluate(formula: Expression, values: Mapping[str, Any]) -> Any:
    """Work a formula out for whole arrays; a division by 0 and the like give what NumPy gives.

    Args:
        formula: From :func:`parse_formula`.
        values: Arrays that broadcast, by name.
    """
    with np.errstate(all="ignore"):
        return _evaluate(formula.tree, values)


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int(value) | float(value)):
            return float(value)
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, values), _evaluate(right, values))
        case ast.UnaryOp(op=op, operand=operand):
            return np.multiply(-1.0 if isinstance(op, ast.USub) else 1.0, _evaluate(operand, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _COMPARED[type(op)](_evaluate(left, values), _evaluate(right, values)).astype(float)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            chosen = np.not_equal(_evaluate(test, values), 0)
            return np.where(chosen, _evaluate(body, values), _evaluate(orelse, values))
        case ast.Call(func=ast.Name(id="abs"), args=[only]):
            return np.abs(_evaluate(only, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return reduce(_CALLED[name], [_evaluate(argument, values) for argument in arguments])
    raise ExpressionError(f"{type(node).__name__} has no place in a formula")
