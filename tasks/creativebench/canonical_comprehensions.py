"""Comprehensions in one form: as loops, where it is certain that they are evaluated."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import TypeVar

from .canonical_expressions import as_test, negated
from .trees import stores, with_names

__all__ = ["Comprehensions"]

Comprehension = TypeVar("Comprehension", ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)

_SIMPLE = (ast.Assign, ast.Return, ast.Expr)
# Functions and methods that use up what they are given before they return.
_EAGER = frozenset({"dict", "extend", "frozenset", "join", "list", "max", "min", "sorted", "tuple", "update"})


class Comprehensions:
    """Writes comprehensions, and questions to all of many things, as loops.

    Args:
        taken: Names that the program uses; fresh ones differ from them.
    """

    def __init__(self, taken: set[str]) -> None:
        self._taken, self._count = taken, 0

    def _fresh(self) -> str:
        while True:
            self._count += 1
            if f"_c{self._count}" not in self._taken:
                return f"_c{self._count}"

    def apart(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """A statement whose comprehensions, where they are certain to be evaluated, are loops before it.

        Args:
            statement: The statement.
        """
        value = statement.value if isinstance(statement, _SIMPLE) else None
        if isinstance(statement, ast.Return) and isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            word = value.func.id
            if word in ("any", "all") and len(value.args) == 1 and isinstance(value.args[0], ast.GeneratorExp):
                made, found = self._renamed(value.args[0]), word == "any"
                test = as_test(made.elt) if found else negated(made.elt)
                yield from self._loops(made.generators, ast.If(test, [ast.Return(ast.Constant(found))], []))
                yield ast.Return(ast.Constant(not found))
                return
        if isinstance(statement, ast.If | ast.For):
            field = "test" if isinstance(statement, ast.If) else "iter"
            holder: ast.AST = statement
        elif value is not None:
            holder, field = statement, "value"
        else:
            yield statement
            return
        before: list[ast.stmt] = []
        setattr(holder, field, self._hoisted(getattr(holder, field), before))
        yield from before
        yield statement

    def has_loops(self, test: ast.expr) -> bool:
        """Whether a test asks for what a loop has to work out before it."""
        before: list[ast.stmt] = []
        Comprehensions(set(self._taken))._hoisted(copy.deepcopy(test), before)
        return bool(before)

    def _is_collection(self, node: ast.expr) -> bool:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp):
            return not any(g.is_async for g in node.generators)
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sum"
        return (
            called and isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp)
        )

    def _hoisted(self, node: ast.expr, before: list[ast.stmt]) -> ast.expr:
        """An expression whose comprehensions, where they are certain to be evaluated, are loops before it."""
        if self._is_collection(node):
            name = self._fresh()
            before.extend(self._collect(node, name))
            return ast.Name(name, ast.Load())
        if isinstance(node, ast.Call) and _is_question(node) and isinstance(node.args[0], ast.GeneratorExp):
            name = self._fresh()
            before.extend(self._asked(node.args[0], name, found=getattr(node.func, "id", "") == "any"))
            read = ast.Name(name, ast.Load())
            return read if getattr(node.func, "id", "") == "any" else ast.UnaryOp(ast.Not(), read)
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if isinstance(node.func, ast.Attribute):
                node.func.value = self._hoisted(node.func.value, before)
            node.args = [self._hoisted(_as_list(arg) if called in _EAGER else arg, before) for arg in node.args]
            return node
        if isinstance(node, ast.BinOp):
            node.left = self._hoisted(node.left, before)
            node.right = self._hoisted(node.right, before)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            node.left = self._hoisted(node.left, before)
            node.comparators = [self._hoisted(node.comparators[0], before)]
        elif (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)) or (
            isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        ):
            node.value = self._hoisted(node.value, before)
        elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
            node.elts = [self._hoisted(part, before) for part in node.elts]
        elif isinstance(node, ast.UnaryOp):
            node.operand = self._hoisted(node.operand, before)
        elif isinstance(node, ast.BoolOp):
            node.values = [self._hoisted(node.values[0], before), *node.values[1:]]
        return node

    def _collect(self, node: ast.expr, name: str) -> Iterator[ast.stmt]:
        """What a comprehension or a sum makes, made by a loop under a name."""
        read, bound = ast.Name(name, ast.Load()), ast.Name(name, ast.Store())
        if isinstance(node, ast.Call) and isinstance(node.args[0], ast.GeneratorExp):
            made = self._renamed(node.args[0])
            yield ast.Assign([bound], ast.Constant(0))
            step: ast.stmt = ast.Assign([copy.deepcopy(bound)], ast.BinOp(read, ast.Add(), made.elt))
        elif isinstance(node, ast.DictComp):
            made = self._renamed(node)
            yield ast.Assign([bound], ast.Dict([], []))
            step = ast.Assign([ast.Subscript(read, made.key, ast.Store())], made.value)
        elif isinstance(node, ast.ListComp):
            made = self._renamed(node)
            yield ast.Assign([bound], ast.List([], ast.Load()))
            step = ast.Expr(ast.Call(ast.Attribute(read, "append", ast.Load()), [made.elt], []))
        elif isinstance(node, ast.SetComp):
            made = self._renamed(node)
            yield ast.Assign([bound], _call("set"))
            step = ast.Expr(ast.Call(ast.Attribute(read, "add", ast.Load()), [made.elt], []))
        else:
            raise TypeError(f"{type(node).__name__} is no comprehension")
        yield from self._loops(made.generators, step)

    def _asked(self, node: ast.GeneratorExp, name: str, *, found: bool) -> Iterator[ast.stmt]:
        """Whether an element is true (``found``) or one is false, under a name, by a loop that ends at the first."""
        made = self._renamed(node)
        test = as_test(made.elt) if found else negated(made.elt)
        yield ast.Assign([ast.Name(name, ast.Store())], ast.Constant(False))
        ends: list[ast.stmt] = [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(True)), ast.Break()]
        yield from self._loops(made.generators, ast.If(test, ends, []))

    def _loops(self, generators: list[ast.comprehension], step: ast.stmt) -> Iterator[ast.stmt]:
        body: list[ast.stmt] = [step]
        for generator in reversed(generators):
            if generator.ifs:
                test = generator.ifs[0] if len(generator.ifs) == 1 else ast.BoolOp(ast.And(), generator.ifs)
                body = [ast.If(test, body, [])]
            body = [ast.For(generator.target, generator.iter, body, [])]
        yield from (made for statement in body for made in self.apart(statement))

    def _renamed(self, node: Comprehension) -> Comprehension:
        """A comprehension whose variables are fresh: outside of it they would be the function's."""
        # In the order of their appearance: that of a set changes with the seed of Python's hashes.
        names = dict.fromkeys(name for generator in node.generators for name in stores(generator.target))
        first = copy.deepcopy(node.generators[0].iter)
        made = with_names(node, {name: self._fresh() for name in names})
        made.generators[0].iter = first  # evaluated outside, where the names are still the others
        return made


def _is_question(node: ast.Call) -> bool:
    """Whether a call is ``any`` or ``all`` of what one loop gives; two loops would need two breaks."""
    named = isinstance(node.func, ast.Name) and node.func.id in ("any", "all")
    if not named or len(node.args) != 1 or node.keywords:
        return False
    only = node.args[0]
    return isinstance(only, ast.GeneratorExp) and len(only.generators) == 1 and not only.generators[0].is_async


def _as_list(arg: ast.expr) -> ast.expr:
    """A generator that its caller uses up at once, as a list."""
    return ast.ListComp(arg.elt, arg.generators) if isinstance(arg, ast.GeneratorExp) else arg


def _call(name: str) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [], [])
