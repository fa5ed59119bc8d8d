"""Rewrites that spell loops in another way."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Collection

from .effects import leaves
from .rewriting import Rewrite, blocks, by_statement, call, each, fresh
from .trees import FUNCTIONS, EndsForBreaks, loads, mentions, quiet, stores, walk, with_names

__all__ = ["LOOPS"]


def _comprehensions_as_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    name = fresh(tree, "_made")
    suffix = fresh(tree, "_loop")
    count = itertools.count(1)
    return by_statement(tree, lambda statement: _loops_of(statement, f"{name}_{next(count)}", suffix))


def _loops_of(statement: ast.stmt, name: str, suffix: str) -> list[ast.stmt] | None:
    """A returned or assigned list, set or dict comprehension, or sum, made by loops."""
    if not isinstance(statement, ast.Return | ast.Assign):
        return None
    made = statement.value
    start, step = _step(made, name)
    if start is None or step is None or made is None:
        return None
    comp = made.args[0] if isinstance(made, ast.Call) else made
    if not isinstance(comp, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return None
    # Variables of the comprehension become the function's, so they need names of their own.
    own = {n for g in comp.generators for n in stores(g.target)}
    others = {n: f"_{n}{suffix}" for n in own}
    body: list[ast.stmt] = [with_names(step, others)]
    for k, generator in reversed(list(enumerate(comp.generators))):
        for test in reversed(generator.ifs):
            body = [ast.If(with_names(test, others), body, [])]
        items = generator.iter if k == 0 else with_names(generator.iter, others)
        body = [ast.For(with_names(generator.target, others), items, body, [])]
    statement.value = ast.Name(name, ast.Load())
    return [ast.Assign([ast.Name(name, ast.Store())], start), *body, statement]


def _step(made: ast.expr | None, name: str) -> tuple[ast.expr | None, ast.stmt | None]:
    read = ast.Name(name, ast.Load())
    if isinstance(made, ast.ListComp):
        return ast.List([], ast.Load()), ast.Expr(ast.Call(ast.Attribute(read, "append", ast.Load()), [made.elt], []))
    if isinstance(made, ast.SetComp):
        return call("set"), ast.Expr(ast.Call(ast.Attribute(read, "add", ast.Load()), [made.elt], []))
    if isinstance(made, ast.DictComp):
        return ast.Dict([], []), ast.Assign([ast.Subscript(read, made.key, ast.Store())], made.value)
    summed = isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id == "sum"
    first = made.args[0] if summed and isinstance(made, ast.Call) and len(made.args) == 1 else None
    if isinstance(first, ast.GeneratorExp):
        return ast.Constant(0), ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), first.elt)
    return None, None


def _endless_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def change(node: ast.While) -> ast.While:
        if node.orelse:
            return node
        leave = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.Break()], [])
        return ast.While(ast.Constant(True), [leave, *node.body], [])

    return each(tree, ast.While, change)


def _counted_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    name = fresh(tree, "_place")

    def change(node: ast.For) -> ast.For:
        target = ast.Tuple([ast.Name(name, ast.Store()), node.target], ast.Store())
        return ast.For(target, call("enumerate", node.iter), node.body, node.orelse)

    return each(tree, ast.For, change)


def _ranges_as_whiles(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``for i in range(n)`` as a loop that counts, where nobody asks for ``i`` outside of it."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        inner = [n for n in walk(function) if n is not function and isinstance(n, (*FUNCTIONS, ast.Lambda))]
        taken = {name for n in inner for name in (*stores(n), *loads(n))}
        for block in list(blocks(function)):
            for k in range(len(block) - 1, -1, -1):
                loop = block[k]
                start = _counted_from(loop)
                if start is None or not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name):
                    continue
                name, end = loop.target.id, loop.iter
                assert isinstance(end, ast.Call)
                last = end.args[-1]
                inside = ast.Module(loop.body, [])
                steady = quiet(last) and all(leaves(s, set(loads(last)), trusting=True) for s in loop.body)
                bound = name in stores(inside) or name in taken or mentions(function, name) != mentions(loop, name)
                if bound or not steady or any(isinstance(n, ast.Continue) for n in walk(loop)):
                    continue
                test = ast.Compare(ast.Name(name, ast.Load()), [ast.Lt()], [last])
                step = ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), ast.Constant(1))
                block[k : k + 1] = [
                    ast.Assign([ast.Name(name, ast.Store())], start),
                    ast.While(test, [*loop.body, step], []),
                ]
    return tree


def _counted_from(loop: ast.stmt) -> ast.expr | None:
    """Where a loop over a range begins; None for other loops."""
    if not (isinstance(loop, ast.For) and isinstance(loop.iter, ast.Call) and not loop.orelse):
        return None
    called = loop.iter
    if not (isinstance(called.func, ast.Name) and called.func.id == "range" and not called.keywords):
        return None
    if any(isinstance(arg, ast.Starred) for arg in called.args) or len(called.args) > 2:
        return None
    return called.args[0] if len(called.args) == 2 else ast.Constant(0)


def _items_by_place(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``for x in xs`` as ``for i in range(len(xs))`` and ``xs[i]``, for lists that the loop leaves alone."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        place = fresh(function, "_at")
        for loop in [n for n in walk(function) if isinstance(n, ast.For)]:
            if not (isinstance(loop.iter, ast.Name) and isinstance(loop.target, ast.Name)):
                continue
            items, item = loop.iter.id, loop.target.id
            whole = mentions(function, item) == mentions(loop, item)
            if not whole or item in stores(ast.Module(loop.body, [])) or not _is_list(function, items):
                continue
            if not all(leaves(s, {items}) for s in loop.body) or any(isinstance(n, ast.Lambda) for n in walk(loop)):
                continue
            at = ast.Subscript(ast.Name(items, ast.Load()), ast.Name(place, ast.Load()), ast.Load())
            loop.body = [_Put(item, at).visit(statement) for statement in loop.body]
            loop.target = ast.Name(place, ast.Store())
            loop.iter = call("range", call("len", ast.Name(items, ast.Load())))
            place = fresh(function, "_at")
    return tree


class _Put(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self.name, self.value = name, value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.value) if node.id == self.name and isinstance(node.ctx, ast.Load) else node


def _is_list(function: ast.AST, name: str) -> bool:
    made = [
        n.value
        for n in walk(function)
        if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in n.targets)
    ]
    lists = all(isinstance(v, ast.List | ast.ListComp) for v in made)
    return bool(made) and lists and stores(function).get(name) == len(made)


def _questions_as_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``any`` and ``all`` that are returned, assigned or tested, as loops that stop at the first."""
    name, suffix = fresh(tree, "_found"), fresh(tree, "_asked")

    def ask(statement: ast.stmt) -> list[ast.stmt] | None:
        field = "test" if isinstance(statement, ast.If) else "value"
        asked = getattr(statement, field, None)
        if not isinstance(statement, ast.Return | ast.Assign | ast.If) or not isinstance(asked, ast.Call):
            return None
        word = asked.func.id if isinstance(asked.func, ast.Name) else ""
        only = asked.args[0] if word in ("any", "all") and len(asked.args) == 1 else None
        if not isinstance(only, ast.GeneratorExp) or len(only.generators) > 1:
            return None
        generator = only.generators[0]
        others = {n: f"_{n}{suffix}" for n in stores(generator.target)}
        test = with_names(only.elt, others)
        stop: list[ast.stmt] = [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(word == "any")), ast.Break()]
        body: list[ast.stmt] = [ast.If(test if word == "any" else ast.UnaryOp(ast.Not(), test), stop, [])]
        for condition in reversed(generator.ifs):
            body = [ast.If(with_names(condition, others), body, [])]
        setattr(statement, field, ast.Name(name, ast.Load()))
        start = ast.Assign([ast.Name(name, ast.Store())], ast.Constant(word != "any"))
        return [start, ast.For(with_names(generator.target, others), generator.iter, body, []), statement]

    return by_statement(tree, ask)


def _breaks_as_returns(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """A break out of a loop that only a return of a name follows, as that return."""
    for block in list(blocks(tree)):
        if len(block) < 2:
            continue
        loop, end = block[-2], block[-1]
        short = isinstance(end, ast.Return) and isinstance(end.value, ast.Name | ast.Constant)
        if short and isinstance(loop, ast.For | ast.While):
            loop.body = [EndsForBreaks(end).visit(statement) for statement in loop.body]
    return tree


LOOPS: tuple[Rewrite, ...] = (
    Rewrite("loops", "comprehensions and sums as loops", _comprehensions_as_loops),
    Rewrite("endless loops", "`while c` as `while True` and a break", _endless_loops),
    Rewrite("counted loops", "`enumerate` whose count is not read", _counted_loops),
    Rewrite("ranges as whiles", "`for i in range(n)` as `while i < n` that counts", _ranges_as_whiles),
    Rewrite("items by place", "`for x in xs` as `for i in range(len(xs))`", _items_by_place),
    Rewrite("questions as loops", "`any` and `all` as loops with a break", _questions_as_loops),
    Rewrite("breaks as returns", "a break before a return as that return", _breaks_as_returns),
)
