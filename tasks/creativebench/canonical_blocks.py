"""Statements in one form: guards as branches, comprehensions as loops, assignments one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator
from typing import Literal

from .canonical_comprehensions import Comprehensions
from .canonical_expressions import as_test, negated, polarised
from .canonical_lists import is_stream
from .trees import FUNCTIONS, EndsForBreaks, evaluated, headers, is_terminal, loads, quiet, walk

__all__ = ["Blocks"]

Tail = Literal["", "loop", "function"]


class Blocks:
    """Rewrites the blocks of a program, from the inside out.

    Args:
        taken: Names that the program uses; fresh ones differ from them.
        own: Names of attributes that are the program's choice.
        expand: Whether to write ``x += e`` as ``x = x + e``, where it is not known that ``x`` is a list.
    """

    def __init__(self, taken: set[str], own: Collection[str] = (), *, expand: bool = True) -> None:
        self._comprehensions, self._own, self._expand = Comprehensions(taken), own, expand

    def block(self, body: list[ast.stmt], tail: Tail = "") -> list[ast.stmt]:
        """A block in its one form.

        Args:
            body: Its statements.
            tail: What comes after it: the end of a loop's body, of a function, or anything else.
        """
        flat = [made for statement in _returned(body) for made in self._flat(statement)]
        for k, statement in enumerate(flat):
            if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break) or _is_endless(statement):
                flat = flat[: k + 1]
                break
            rest = flat[k + 1 :]
            if len(rest) == 1 and _is_short_return(rest[0]):
                _return_at_once(statement, rest[0])
            if isinstance(statement, ast.If) and rest:
                if len(rest) == 1 and _is_short_return(rest[0]):
                    # Said in either branch: whether it is said once or twice is a matter of looks.
                    ways = [
                        b if is_terminal(b) else [*b, *copy.deepcopy(rest)] for b in (statement.body, statement.orelse)
                    ]
                    flat = [*flat[:k], ast.If(statement.test, *ways)]
                    break
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
            yield from self._comprehensions.apart(made)

    def _split(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        if isinstance(statement, ast.Pass):
            return
        if isinstance(statement, ast.Expr) and quiet(statement.value):
            return
        before = _named_before(statement)
        if before:
            for inner in [*before, statement]:
                yield from self._split(inner)
            return
        if isinstance(statement, ast.AnnAssign):
            if statement.value is not None:
                yield from self._split(ast.Assign([statement.target], statement.value))
            return
        if isinstance(statement, ast.AugAssign):
            target = statement.target
            if self._expand and quiet(target) and not is_stream(statement.value):
                read = copy.deepcopy(target)
                read.ctx = ast.Load()
                yield ast.Assign([target], ast.BinOp(read, statement.op, statement.value))
                return
        if isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant):
            for inner in statement.body if statement.test.value else statement.orelse:
                yield from self._split(inner)
            return
        inner = statement.body[0] if isinstance(statement, ast.If) and len(statement.body) == 1 else None
        single = isinstance(inner, ast.If) and not inner.orelse and not _binds(inner.test)
        if single and isinstance(inner, ast.If) and isinstance(statement, ast.If) and not statement.orelse:
            both = ast.BoolOp(ast.And(), [as_test(statement.test), as_test(inner.test)])
            yield from self._split(ast.If(as_test(both), inner.body, []))
            return
        if isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant) and not statement.test.value:
            for inner in statement.orelse:
                yield from self._split(inner)
            return
        asks = isinstance(statement, ast.While) and self._comprehensions.has_loops(statement.test)
        if isinstance(statement, ast.While) and not statement.orelse and (asks or _binds(statement.test)):
            leave = ast.If(negated(statement.test), [ast.Break()], [])
            yield ast.While(ast.Constant(True), [leave, *statement.body], [])
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
        if len(targets) == 1 and isinstance(target, ast.Name) and isinstance(value, ast.Lambda):
            yield ast.FunctionDef(target.id, value.args, [ast.Return(value.body)], [], None)
            return
        if len(targets) == 1 and quiet(target) and isinstance(value, ast.IfExp):
            yes, no = (ast.Assign([copy.deepcopy(target)], v) for v in (value.body, value.orelse))
            yield ast.If(value.test, [yes], [no])
            return
        yield statement

    # -- what is inside a statement

    def _inside(self, statement: ast.stmt, tail: Tail) -> list[ast.stmt]:
        if isinstance(statement, ast.If):
            return self._branch(statement, tail)
        if isinstance(statement, ast.While):
            statement.test = as_test(statement.test)
            statement.body = self.block(statement.body, "loop") or [ast.Pass()]
            statement.orelse = self.block(statement.orelse)
            return _guarded(statement)
        if isinstance(statement, ast.For | ast.AsyncFor):
            statement.body = self.block(statement.body, "loop") or [ast.Pass()]
            statement.orelse = self.block(statement.orelse)
            return [_uncounted(statement)]
        if isinstance(statement, FUNCTIONS):
            statement.body = self.block(statement.body, "function") or [ast.Pass()]
            return [statement]
        if isinstance(statement, ast.ClassDef):
            # Its annotations are fields where it is a data class, and its names are its users'.
            methods = [inner for inner in statement.body if not isinstance(inner, ast.Pass)]
            statement.body = [
                made for m in methods for made in (self._inside(m, "") if isinstance(m, FUNCTIONS) else [m])
            ] or [ast.Pass()]
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
            test, turned = polarised(statement.test, self._own)
            if turned:
                body, other = other, body
        elif body:
            test = as_test(statement.test)
        else:
            test, body, other = negated(statement.test), other, []
        inner = body[0] if not other and len(body) == 1 else None
        if isinstance(inner, ast.If) and not inner.orelse and not _binds(inner.test):
            test, body = as_test(ast.BoolOp(ast.And(), [test, inner.test])), inner.body
        return [ast.If(test, body, other)]


def _guards_nothing(statement: ast.Try) -> bool:
    ends = all(isinstance(s, ast.Pass) for s in statement.finalbody)
    raised = all(len(h.body) == 1 and _is_bare_raise(h.body[0]) for h in statement.handlers)
    return ends and raised and not statement.orelse


def _is_bare_raise(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Raise) and statement.exc is None


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


def _guarded(loop: ast.While) -> list[ast.stmt]:
    """``while True: if c: break; …`` as ``while not c: …``; a return of a name in the place of the break likewise."""
    endless = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    only = loop.body[0]
    if not endless or loop.orelse or len(loop.body) != 1 or not isinstance(only, ast.If):
        return [loop]
    for out, other, test in ((only.body, only.orelse, negated), (only.orelse, only.body, as_test)):
        if len(out) == 1 and isinstance(out[0], ast.Break) and other:
            return [ast.While(test(only.test), other, [])]
        if len(out) == 1 and _is_short_return(out[0]) and other and not any(_breaks(s) for s in other):
            return [ast.While(test(only.test), other, []), out[0]]
    return [loop]


def _is_endless(statement: ast.stmt) -> bool:
    """Whether nothing after a loop is ever reached."""
    endless = isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant) and statement.test.value
    return bool(endless) and isinstance(statement, ast.While) and not any(_breaks(s) for s in statement.body)


def _is_short_return(statement: ast.stmt) -> bool:
    """Whether a statement returns a name or a constant."""
    return isinstance(statement, ast.Return) and isinstance(statement.value, ast.Name | ast.Constant)


def _breaks(statement: ast.stmt) -> bool:
    """Whether a statement ends the loop around it by a break."""
    if isinstance(statement, ast.Break):
        return True
    if isinstance(statement, (ast.For, ast.While, ast.AsyncFor, *FUNCTIONS)):
        return any(_breaks(inner) for inner in getattr(statement, "orelse", ()))
    return any(_breaks(inner) for inner in ast.iter_child_nodes(statement) if isinstance(inner, ast.stmt))


def _return_at_once(loop: ast.stmt, end: ast.stmt) -> None:
    """Let a loop that a short return follows return where it breaks."""
    if isinstance(loop, ast.For | ast.While):
        loop.body = [EndsForBreaks(end).visit(statement) for statement in loop.body]


def _named_before(statement: ast.stmt) -> list[ast.stmt]:
    """Assignments for the ``:=`` that a statement is certain to evaluate first, which are taken out of it."""
    if not isinstance(statement, ast.Assign | ast.Return | ast.Expr | ast.If | ast.For):
        return []
    made: list[ast.stmt] = []
    read: list[ast.Name] = []
    names = [n for n in walk(statement) if isinstance(n, ast.NamedExpr)]
    named = {id(inner) for n in names for inner in walk(n.value)}
    for head in headers(statement):
        for node, certain in list(evaluated(head)):
            if isinstance(node, ast.Call) and not quiet(ast.Call(node.func, [], [])) and id(node) not in named:
                return made
            if isinstance(node, ast.NamedExpr):
                inside = set(map(id, walk(node.value)))
                if not certain or any(n.id == node.target.id and id(n) not in inside for n in read):
                    return made
                made.append(ast.Assign([node.target], node.value))
                _Named(node).visit(statement)
            elif isinstance(node, ast.Name):
                read.append(node)
    return made


class _Named(ast.NodeTransformer):
    def __init__(self, node: ast.NamedExpr) -> None:
        self.node = node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self.generic_visit(node)
        return ast.Name(node.target.id, ast.Load()) if node is self.node else node


def _binds(test: ast.expr) -> bool:
    """Whether a loop's test binds a name."""
    return any(isinstance(n, ast.NamedExpr) for n in walk(test))


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
    return all(not set(names[:k]) & set(loads(value)) for k, value in enumerate(values))
