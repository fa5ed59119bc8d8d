"""Statements in one form: guards as branches, comprehensions as loops, assignments one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Literal, TypeVar

from .canonical_expressions import as_test, negated, polarised
from .trees import FUNCTIONS, is_terminal, loads, quiet, stores, with_names

__all__ = ["Blocks"]

Comprehension = TypeVar("Comprehension", ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)

Tail = Literal["", "loop", "function"]
_SIMPLE = (ast.Assign, ast.Return, ast.Expr)
# Functions and methods that use up what they are given before they return.
_EAGER = frozenset({"dict", "extend", "frozenset", "join", "list", "max", "min", "sorted", "tuple", "update"})


class Blocks:
    """Rewrites the blocks of a program, from the inside out.

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

    def block(self, body: list[ast.stmt], tail: Tail = "") -> list[ast.stmt]:
        """A block in its one form.

        Args:
            body: Its statements.
            tail: What comes after it: the end of a loop's body, of a function, or anything else.
        """
        flat = [made for statement in _returned(body) for made in self._flat(statement)]
        for k, statement in enumerate(flat):
            if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
                flat = flat[: k + 1]
                break
            rest = flat[k + 1 :]
            if isinstance(statement, ast.If) and rest:
                if is_terminal(statement.body) and is_terminal(statement.orelse):
                    flat = flat[: k + 1]
                    break
                if is_terminal(statement.body):
                    flat = [*flat[:k], ast.If(statement.test, statement.body, [*statement.orelse, *rest])]
                    break
                if is_terminal(statement.orelse):
                    flat = [*flat[:k], ast.If(statement.test, [*statement.body, *rest], statement.orelse)]
                    break
        done: list[ast.stmt] = []
        for k, statement in enumerate(flat):
            done.extend(self._inside(statement, tail if k == len(flat) - 1 else ""))
        while done and _is_needless_end(done[-1], tail):
            done.pop()
        return done

    # -- one statement as several

    def _flat(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        for made in self._split(statement):
            yield from self._without_comprehensions(made)

    def _split(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        if isinstance(statement, ast.Pass):
            return
        if isinstance(statement, ast.Expr) and quiet(statement.value):
            return
        if isinstance(statement, ast.AnnAssign):
            if statement.value is not None:
                yield from self._split(ast.Assign([statement.target], statement.value))
            return
        if isinstance(statement, ast.AugAssign):
            target = statement.target
            if quiet(target) and not _is_stream(statement.value):
                read = copy.deepcopy(target)
                read.ctx = ast.Load()
                yield ast.Assign([target], ast.BinOp(read, statement.op, statement.value))
                return
        if isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant):
            for inner in statement.body if statement.test.value else statement.orelse:
                yield from self._split(inner)
            return
        if isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant) and not statement.test.value:
            for inner in statement.orelse:
                yield from self._split(inner)
            return
        if isinstance(statement, ast.Try) and _guards_nothing(statement):
            for inner in statement.body:
                yield from self._split(inner)
            return
        if isinstance(statement, ast.Assign):
            yield from self._assigned(statement)
            return
        if isinstance(statement, ast.Return) and isinstance(statement.value, ast.IfExp):
            choice = statement.value
            yield ast.If(choice.test, [ast.Return(choice.body)], [ast.Return(choice.orelse)])
            return
        yield statement

    def _assigned(self, statement: ast.Assign) -> Iterator[ast.stmt]:
        value, targets = statement.value, statement.targets
        if len(targets) > 1 and isinstance(value, ast.Name | ast.Constant):
            for target in targets:
                yield from self._split(ast.Assign([target], copy.deepcopy(value)))
            return
        target = targets[0]
        if len(targets) == 1 and isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            pairs = list(zip(target.elts, value.elts, strict=False))
            names = [t.id for t in target.elts if isinstance(t, ast.Name)]
            plain = len(names) == len(target.elts) == len(value.elts)
            if plain and not any(isinstance(v, ast.Starred) for v in value.elts) and _in_turn(names, value.elts):
                for one, part in pairs:
                    yield from self._split(ast.Assign([one], part))
                return
        if len(targets) == 1 and isinstance(target, ast.Name) and isinstance(value, ast.IfExp):
            yes, no = (ast.Assign([copy.deepcopy(target)], v) for v in (value.body, value.orelse))
            yield ast.If(value.test, [yes], [no])
            return
        yield statement

    # -- comprehensions as loops

    def _without_comprehensions(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        value = statement.value if isinstance(statement, _SIMPLE) else None
        if isinstance(statement, ast.Return) and isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            word = value.func.id
            if word in ("any", "all") and len(value.args) == 1 and isinstance(value.args[0], ast.GeneratorExp):
                made, found = self._renamed(value.args[0]), word == "any"
                test = as_test(made.elt) if found else negated(made.elt)
                yield from self._loops(made.generators, ast.If(test, [ast.Return(ast.Constant(found))], []))
                yield ast.Return(ast.Constant(not found))
                return
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            direct = isinstance(target, ast.Name) and value is not None and self._is_collection(value)
            if direct and isinstance(target, ast.Name) and value is not None and target.id not in loads(value):
                yield from self._collect(value, target.id)
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

    def _loops(self, generators: list[ast.comprehension], step: ast.stmt) -> Iterator[ast.stmt]:
        body: list[ast.stmt] = [step]
        for generator in reversed(generators):
            if generator.ifs:
                test = generator.ifs[0] if len(generator.ifs) == 1 else ast.BoolOp(ast.And(), generator.ifs)
                body = [ast.If(test, body, [])]
            body = [ast.For(generator.target, generator.iter, body, [])]
        yield from (made for statement in body for made in self._without_comprehensions(statement))

    def _renamed(self, node: Comprehension) -> Comprehension:
        """A comprehension whose variables are fresh: outside of it they would be the function's."""
        # In the order in which they stand: that of a set differs from process to process, and forms are compared.
        names = dict.fromkeys(name for generator in node.generators for name in stores(generator.target))
        first = copy.deepcopy(node.generators[0].iter)
        made = with_names(node, {name: self._fresh() for name in names})
        made.generators[0].iter = first  # evaluated outside, where the names are still the others
        return made

    # -- what is inside a statement

    def _inside(self, statement: ast.stmt, tail: Tail) -> list[ast.stmt]:
        if isinstance(statement, ast.If):
            return self._branch(statement, tail)
        if isinstance(statement, ast.While):
            statement.test = as_test(statement.test)
            statement.body = self.block(statement.body, "loop") or [ast.Pass()]
            statement.orelse = self.block(statement.orelse)
            return [_guarded(statement)]
        if isinstance(statement, ast.For | ast.AsyncFor):
            statement.body = self.block(statement.body, "loop") or [ast.Pass()]
            statement.orelse = self.block(statement.orelse)
            return [_uncounted(statement)]
        if isinstance(statement, FUNCTIONS):
            statement.body = self.block(statement.body, "function") or [ast.Pass()]
            return [statement]
        for field in ("body", "orelse", "finalbody"):
            block = getattr(statement, field, None)
            if isinstance(block, list) and block:
                setattr(statement, field, self.block(block) or ([ast.Pass()] if field == "body" else []))
        if isinstance(statement, ast.Try | ast.TryStar):
            for handler in statement.handlers:
                handler.body = self.block(handler.body) or [ast.Pass()]
        if isinstance(statement, ast.Match):
            for case in statement.cases:
                case.body = self.block(case.body) or [ast.Pass()]
        return [statement]

    def _branch(self, statement: ast.If, tail: Tail) -> list[ast.stmt]:
        body, other = self.block(statement.body, tail), self.block(statement.orelse, tail)
        if not body and not other:
            return [] if quiet(statement.test) else [ast.Expr(statement.test)]
        if body and other:
            test, turned = polarised(statement.test)
            if turned:
                body, other = other, body
        elif body:
            test = as_test(statement.test)
        else:
            test, body, other = negated(statement.test), other, []
        if not other and len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
            inner = body[0]
            test, body = as_test(ast.BoolOp(ast.And(), [test, inner.test])), inner.body
        return [ast.If(test, body, other)]


def _is_stream(value: ast.expr) -> bool:
    """Whether a value can be added to a list in place only: an iterator, or a range."""
    called = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
    return isinstance(value, ast.GeneratorExp) or called in ("map", "filter", "zip", "reversed", "enumerate", "range")


def _guards_nothing(statement: ast.Try) -> bool:
    ends = all(isinstance(s, ast.Pass) for s in statement.finalbody)
    return ends and not statement.handlers and not statement.orelse


def _returned(body: list[ast.stmt]) -> list[ast.stmt]:
    """``x = e; return x`` as ``return e``."""
    made: list[ast.stmt] = []
    for statement in body:
        last = made[-1] if made else None
        if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Name) and isinstance(last, ast.Assign):
            target = last.targets[0]
            if len(last.targets) == 1 and isinstance(target, ast.Name) and target.id == statement.value.id:
                made[-1] = ast.Return(last.value)
                continue
        made.append(statement)
    return made


def _is_needless_end(statement: ast.stmt, tail: Tail) -> bool:
    if tail == "loop":
        return isinstance(statement, ast.Continue)
    if tail == "function" and isinstance(statement, ast.Return):
        value = statement.value
        return value is None or (isinstance(value, ast.Constant) and value.value is None)
    return False


def _guarded(loop: ast.While) -> ast.While:
    """``while True: if c: break; …`` as ``while not c: …``."""
    if not (isinstance(loop.test, ast.Constant) and loop.test.value) or loop.orelse or len(loop.body) != 1:
        return loop
    only = loop.body[0]
    if not isinstance(only, ast.If):
        return loop
    ends = [len(b) == 1 and isinstance(b[0], ast.Break) for b in (only.body, only.orelse)]
    if ends == [True, False] and only.orelse:
        return ast.While(negated(only.test), only.orelse, [])
    if ends == [False, True]:
        return ast.While(as_test(only.test), only.body, [])
    return loop


def _uncounted(loop: ast.For | ast.AsyncFor) -> ast.For | ast.AsyncFor:
    """``for i, x in enumerate(xs)`` as ``for x in xs`` where ``i`` is not read in the loop."""
    called = loop.iter
    if not (isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and called.func.id == "enumerate"):
        return loop
    if len(called.args) != 1 or called.keywords or not isinstance(loop.target, ast.Tuple):
        return loop
    count, item = loop.target.elts
    read = {n for s in [*loop.body, *loop.orelse] for n in loads(s)}
    if isinstance(count, ast.Name) and count.id not in read:
        loop.target, loop.iter = item, called.args[0]
    return loop


def _in_turn(names: list[str], values: list[ast.expr]) -> bool:
    """Whether values can be assigned one after the other: none reads a name that was assigned before it."""
    return all(not (set(names[:k]) & set(loads(value))) and quiet(value) for k, value in enumerate(values))


def _as_list(arg: ast.expr) -> ast.expr:
    """A generator that its caller uses up at once, as a list."""
    return ast.ListComp(arg.elt, arg.generators) if isinstance(arg, ast.GeneratorExp) else arg


def _call(name: str) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [], [])
