"""Loops that count, in one form: over the items where only they are read, and over a range where a variable counts."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .effects import leaves
from .trees import FUNCTIONS, function_blocks, is_terminal, loads, mentions, quiet, stores, walk

__all__ = ["count_loops", "over_items"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def over_items(function: _Function) -> None:
    """``for i in range(len(xs))`` as ``for i, x in enumerate(xs)``, with ``x`` for ``xs[i]``."""
    taken = {*stores(function), *loads(function)}
    for loop in [n for n in walk(function) if isinstance(n, ast.For)]:
        found = _indexed(loop)
        if found is None:
            continue
        items, place, name = found
        inside = ast.Module(loop.body, [])
        reads = [n for n in walk(inside) if _is_item(n, items, place)]
        steady = not {items, place} & set(stores(inside)) and all(leaves(s, {items}, trusting=True) for s in loop.body)
        if not steady or not reads or items == place:
            continue
        if not name:
            k = 1
            while f"_i{k}" in taken:
                k += 1
            name = f"_i{k}"
            taken.add(name)
        elif name in stores(inside):
            continue
        loop.target = ast.Tuple([ast.Name(place, ast.Store()), ast.Name(name, ast.Store())], ast.Store())
        loop.iter = ast.Call(ast.Name("enumerate", ast.Load()), [ast.Name(items, ast.Load())], [])
        loop.body = [_Items(items, place, name).visit(statement) for statement in loop.body]


def _indexed(loop: ast.For) -> tuple[str, str, str] | None:
    """The names of the items, of their place, and of the item (empty where it has none)."""
    match loop.target, loop.iter:
        case (
            ast.Name(id=place),
            ast.Call(ast.Name(id="range"), [ast.Call(ast.Name(id="len"), [ast.Name(id=items)], [])], []),
        ):
            return items, place, ""
        case (
            ast.Tuple([ast.Name(id=place), ast.Name(id=item)]),
            ast.Call(ast.Name(id="enumerate"), [ast.Name(id=items)], []),
        ):
            return items, place, item
    return None


def _is_item(node: ast.AST, items: str, place: str) -> bool:
    match node:
        case ast.Subscript(ast.Name(id=of), ast.Name(id=at), ast.Load()):
            return of == items and at == place
    return False


class _Items(ast.NodeTransformer):
    def __init__(self, items: str, place: str, name: str) -> None:
        self.items, self.place, self.name = items, place, name

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if _is_item(node, self.items, self.place):
            return ast.Name(self.name, ast.Load())
        self.generic_visit(node)
        return node


# -- variables that count


def count_loops(function: _Function) -> bool:
    """``i = a; while i < b: …; i = i + 1`` as ``for i in range(a, b): …``, where nothing else moves ``i``.

    Returns:
        Whether anything changed.
    """
    parameters = {a.arg for a in walk(function.args) if isinstance(a, ast.arg)}
    for block in function_blocks(function):
        for k, loop in enumerate(block):
            if not (isinstance(loop, ast.While) and not loop.orelse):
                continue
            found = _counts(loop)
            if found is None or not _forgotten(function, block, k, found[0]):
                continue
            name, end = found
            start = _start(block, k, name)
            if start is not None:
                first = block[start]
                assert isinstance(first, ast.Assign)
                begin = first.value
            elif block is function.body and name in parameters and not stores(ast.Module(block[:k], [])).get(name):
                begin = ast.Name(name, ast.Load())  # a parameter that counts
            else:
                continue
            given = [end] if isinstance(begin, ast.Constant) and begin.value == 0 else [begin, end]
            ranged = ast.Call(ast.Name("range", ast.Load()), given, [])
            inside = _without_step(loop.body, name) or [ast.Pass()]
            block[k] = ast.For(ast.Name(name, ast.Store()), ranged, inside, [])
            if start is not None:
                del block[start]
            return True
    return False


def _counts(loop: ast.While) -> tuple[str, ast.expr] | None:
    """The variable that a loop counts up by one, and the value that it stays below."""
    match loop.test:
        case ast.Compare(ast.Name(id=name), [ast.Lt()], [end]):
            body_of = _without_step(loop.body, name)
        case _:
            return None
    if body_of is None:
        return None
    body = ast.Module(body_of, [])
    names = set(loads(end))
    if not quiet(end) or name in stores(body) or name in names or names & set(stores(body)):
        return None
    if any(isinstance(n, (*FUNCTIONS, ast.Lambda)) and name in loads(n) for n in walk(body)):
        return None
    steady = all(leaves(s, names, trusting=True) for s in body.body) and not any(_continues(s) for s in body.body)
    return (name, end) if steady else None


def _without_step(block: list[ast.stmt], name: str) -> list[ast.stmt] | None:
    """A loop's body without the step at each of its ends; None where one has none."""
    last = block[-1] if block else None
    match last:
        case ast.Assign([ast.Name(id=bound)], ast.BinOp(ast.Name(id=old), ast.Add(), ast.Constant(value=1))):
            return block[:-1] if bound == old == name else None
        case ast.If() if is_terminal(last.body) != is_terminal(last.orelse):
            out = is_terminal(last.body)
            stays = _without_step(last.orelse if out else last.body, name)
            if stays is None:
                return None
            made = ast.If(last.test, last.body, stays) if out else ast.If(last.test, stays or [ast.Pass()], last.orelse)
            return [*block[:-1], made]
        case ast.If(_, [_, *_], [_, *_]):
            ways = [_without_step(branch, name) for branch in (last.body, last.orelse)]
            if ways[0] is None or ways[1] is None:
                return None
            return [*block[:-1], ast.If(last.test, ways[0] or [ast.Pass()], ways[1])]
    return None


def _continues(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Continue):
        return True
    if isinstance(statement, (ast.For, ast.While, *FUNCTIONS)):
        return False
    return any(_continues(inner) for inner in ast.iter_child_nodes(statement) if isinstance(inner, ast.stmt))


def _start(block: list[ast.stmt], k: int, name: str) -> int | None:
    for place in range(k - 1, -1, -1):
        statement = block[place]
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                between = block[place + 1 : k]
                same = quiet(statement.value) and all(
                    leaves(s, set(loads(statement.value)), trusting=True) for s in between
                )
                return place if same else None
        if mentions(statement, name):
            return None
    return None


def _forgotten(function: _Function, block: list[ast.stmt], k: int, name: str) -> bool:
    """Whether the variable is bound again before it is read, after the loop."""
    for statement in block[k + 1 :]:
        if mentions(statement, name):
            return name in _first_bound(statement)
    own = sum(mentions(statement, name) for statement in block)
    return own == mentions(ast.Module(function.body, []), name)


def _first_bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Assign) and not set(stores(statement)) & set(loads(statement)):
        yield from stores(statement)
    if isinstance(statement, ast.For) and not set(stores(statement.target)) & set(loads(statement.iter)):
        yield from stores(statement.target)
