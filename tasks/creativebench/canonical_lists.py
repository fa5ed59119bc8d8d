"""What is put into lists, in one form: ``append`` and ``extend`` where it is certain that a name is a list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .trees import FUNCTIONS, loads, mentions, quiet, stores, walk

__all__ = ["Lists", "is_stream"]

_STREAMS = frozenset({"chain", "combinations", "enumerate", "filter", "map", "permutations", "product", "range"})
_MORE_STREAMS = frozenset(
    {"accumulate", "cycle", "groupby", "islice", "pairwise", "repeat", "reversed", "starmap", "zip"}
)
_VIEWS = frozenset({"items", "keys", "values"})
_READERS = frozenset(
    {"any", "all", "len", "list", "max", "min", "print", "set", "sorted", "str", "sum", "tuple", "frozenset"}
)


def is_stream(value: ast.expr) -> bool:
    """Whether a value can be added to a list in place only: an iterator, a range or a view."""
    if isinstance(value, ast.GeneratorExp):
        return True
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    if isinstance(called, ast.Attribute) and called.attr in _VIEWS and not value.args:
        return True
    word = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return word.partition("_of_")[0] in _STREAMS | _MORE_STREAMS


# Names of visitors are the base class's.
# ruff: noqa: D102
class Lists(ast.NodeTransformer):
    """Writes what functions do to lists of their own in one way."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        inner = [n for n in walk(node) if n is not node and isinstance(n, (*FUNCTIONS, ast.Lambda, ast.ClassDef))]
        foreign = {name for n in inner for name in stores(n)} | {
            a.arg for a in walk(node.args) if isinstance(a, ast.arg)
        }
        lists = {name for name in set(_grown(node)) - foreign if _is_list(node, name)}
        held = {name for name in lists if _keeps(node, name)}
        _spell_in(node, lists, held)
        return node


def _grown(function: ast.AST) -> Iterator[str]:
    """Names that a function adds something to."""
    for node in walk(function):
        match node:
            case ast.AugAssign(ast.Name(id=name), ast.Add()) | ast.Assign([ast.Name(id=name)], ast.BinOp()):
                yield name
            case ast.Attribute(ast.Name(id=name), "extend"):
                yield name


def _spell_in(node: ast.AST, lists: set[str], held: set[str]) -> None:
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            made = [new for statement in block for new in _put(statement, lists, held)]
            setattr(node, field, made)
            for statement in made:
                if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                    _spell_in(statement, lists, held)
    for field in ("handlers", "cases"):
        for part in getattr(node, field, ()):
            _spell_in(part, lists, held)


def _put(statement: ast.stmt, lists: set[str], held: set[str]) -> Iterator[ast.stmt]:
    """``xs += [a]``, ``xs.extend([a])``, and ``xs = xs + [a]`` where nothing else knows ``xs``, as ``xs.append(a)``."""
    name, value = "", None
    match statement:
        case ast.AugAssign(ast.Name(id=name), ast.Add(), value) if name in lists:
            pass
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id=name), "extend"), [value], [])) if name in lists:
            pass
        case ast.Assign([ast.Name(id=name)], ast.BinOp(ast.Name(id=old), ast.Add(), value)) if (
            name == old and name in held
        ):
            pass
        case _:
            yield statement
            return
    assert value is not None
    parts = value.elts if isinstance(value, ast.List) else []
    plain = all(quiet(p) and name not in loads(p) and not isinstance(p, ast.Starred) for p in parts)
    if parts and (plain or (len(parts) == 1 and not isinstance(parts[0], ast.Starred))):
        yield from (_called(name, "append", part) for part in parts)
    else:
        yield _called(name, "extend", value)


def _called(name: str, method: str, arg: ast.expr) -> ast.Expr:
    return ast.Expr(ast.Call(ast.Attribute(ast.Name(name, ast.Load()), method, ast.Load()), [arg], []))


def _is_list(function: ast.AST, name: str) -> bool:
    """Whether all that a name is bound to in a function is a list, for certain."""
    made = added = 0
    for node in walk(function):
        match node:
            case ast.Assign([ast.Name(id=bound)], value) if bound == name:
                adds = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)
                again = (
                    adds and isinstance(value, ast.BinOp) and isinstance(value.left, ast.Name) and value.left.id == name
                )
                if not (again or _makes_list(value)):
                    return False
                made += 1
            case ast.AugAssign(ast.Name(id=bound), ast.Add()) if bound == name:
                added += 1
    return made > 0 and made + added == stores(function).get(name)


def _makes_list(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.ListComp):
        return True
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Mult | ast.Add) and (_makes_list(value.left) or _makes_list(value.right))
    called = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    return called and isinstance(value, ast.Call) and getattr(value.func, "id", "") in ("list", "sorted")


def _keeps(function: ast.AST, name: str) -> bool:
    """Whether nothing but a function's own name holds a list, so that a new list and a longer one are the same."""
    allowed = 0
    for node in walk(function):
        match node:
            case ast.Attribute(ast.Name(id=read)) | ast.Subscript(ast.Name(id=read)) if read == name:
                allowed += 1
            case ast.Return(ast.Name(id=read)) | ast.AugAssign(ast.Name(id=read)) if read == name:
                allowed += 1
            case ast.Call(ast.Name(id=word), [ast.Name(id=read), *_]) if read == name and word in _READERS:
                allowed += 1
            case ast.BinOp(left, _, right):
                allowed += sum(isinstance(s, ast.Name) and s.id == name for s in (left, right))
            case ast.Compare(left, _, others):
                allowed += sum(isinstance(s, ast.Name) and s.id == name for s in (left, *others))
            case ast.For(_, ast.Name(id=read)) if read == name:
                allowed += not stores(ast.Module(node.body, [])).get(name)
            case ast.comprehension(_, ast.Name(id=read)) if read == name:
                allowed += 1
    return allowed == loads(function).get(name, 0) and mentions(function, name) > 0
