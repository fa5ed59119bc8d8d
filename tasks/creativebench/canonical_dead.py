"""Values that nobody asks for: what a function works out and uses for nothing it gives back."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .trees import FUNCTIONS, headers, loads, quiet, stores, walk

__all__ = ["without_dead"]

_IN_PLACE = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "remove", "reverse", "sort", "update"}
)


def without_dead(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Leave out statements that only change variables which nothing that counts reads.

    What counts is what a function gives back, raises, calls, and stores into what is not its own.
    """
    inner = [n for n in walk(function) if n is not function and isinstance(n, (*FUNCTIONS, ast.Lambda, ast.ClassDef))]
    foreign = {n for scope in inner for n in (*stores(scope), *loads(scope))} | {
        a.arg for a in walk(function.args) if isinstance(a, ast.arg)
    }
    outside = {n for s in walk(function) if isinstance(s, ast.Global | ast.Nonlocal) for n in s.names}
    own = {name for name in stores(ast.Module(function.body, [])) if name not in foreign | outside}
    # An object under two names may be changed by one and read by the other: such names count.
    made = {name for name in own if _is_only_made(function, name)}
    needed: set[str] = set()
    while True:
        more = {n for s in function.body for n in _asked(s, made, needed)} - needed
        if not more:
            break
        needed |= more
    function.body = _kept(function.body, made, needed) or [ast.Pass()]


def _is_only_made(function: ast.AST, name: str) -> bool:
    """Whether all values of a name are new objects, or numbers and texts, as far as their text tells."""
    made = 0
    for node in walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                if not _is_new(node.value):
                    return False
                made += 1
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            made += 1
    return made == stores(function).get(name)


def _is_new(value: ast.expr) -> bool:
    """Whether a value is a new object, or one that cannot be changed, for certain."""
    if isinstance(value, ast.Call):
        word = value.func.id if isinstance(value.func, ast.Name) else ""
        return quiet(value) and word not in ("max", "min", "iter", "next", "")
    if isinstance(value, ast.Subscript):
        return quiet(value) and isinstance(value.slice, ast.Slice)
    new = ast.Constant | ast.BinOp | ast.Compare | ast.JoinedStr | ast.List | ast.Dict | ast.Set | ast.ListComp
    return quiet(value) and isinstance(value, new | ast.SetComp | ast.DictComp)


def _changed(statement: ast.stmt, made: set[str]) -> str:
    """The name that a simple statement only changes; empty where it does more."""
    match statement:
        case ast.Assign([ast.Name(id=name)], value) | ast.AugAssign(ast.Name(id=name), _, value):
            return name if name in made and quiet(value) else ""
        case ast.Assign([ast.Subscript(ast.Name(id=name), place)], value):
            return name if name in made and quiet(value) and quiet(place) else ""
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id=name), method), args, [])):
            plain = method in _IN_PLACE and all(quiet(arg) for arg in args)
            return name if name in made and plain else ""
    return ""


def _parts(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse"):
        yield getattr(statement, field, [])


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement of statements does nothing but decide on what is in it."""
    if isinstance(statement, ast.For):
        return quiet(statement.iter) and isinstance(statement.target, ast.Name)
    return isinstance(statement, ast.If | ast.While) and quiet(statement.test)


def _asked(statement: ast.stmt, made: set[str], needed: set[str]) -> set[str]:
    """The names that a statement needs, if it is needed itself."""
    if _is_plain(statement):
        inside = {n for block in _parts(statement) for s in block for n in _asked(s, made, needed)}
        bound = isinstance(statement, ast.For) and bool(set(stores(statement.target)) & needed)
        if not (inside or bound or _counts(statement, made, needed)):
            return set()
        heads = {n for head in headers(statement) for n in loads(head)}
        return inside | heads | ({*stores(statement.target)} if isinstance(statement, ast.For) else set())
    name = _changed(statement, made)
    if name and name not in needed:
        return set()
    return set(loads(statement)) | ({name} if name else set())


def _counts(statement: ast.stmt, made: set[str], needed: set[str]) -> bool:
    """Whether anything in a statement is needed, or leaves it."""
    if _is_plain(statement):
        leaves = isinstance(statement, ast.If) and any(
            isinstance(s, ast.Break | ast.Continue) for block in _parts(statement) for s in block
        )
        return leaves or any(_counts(s, made, needed) for block in _parts(statement) for s in block)
    if isinstance(statement, ast.Pass | ast.Break | ast.Continue):
        return False
    name = _changed(statement, made)
    return not name or name in needed


def _kept(block: list[ast.stmt], made: set[str], needed: set[str]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in block:
        name = _changed(statement, made)
        if name and name not in needed:
            continue
        if _is_plain(statement):
            bound = isinstance(statement, ast.For) and bool(set(stores(statement.target)) & needed)
            if not (bound or _counts(statement, made, needed)):
                continue
            if isinstance(statement, ast.For | ast.If | ast.While):
                statement.body = _kept(statement.body, made, needed) or [ast.Pass()]
                statement.orelse = _kept(statement.orelse, made, needed)
        found.append(statement)
    return found
