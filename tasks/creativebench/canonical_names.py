"""Names in one form: what is bound once and read once stands where it is read; what is never read is gone."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from .trees import FUNCTIONS, headers, loads, quiet, replaced, stores, with_names

__all__ = ["inline_helpers", "inline_names", "reachable", "without_forwarders"]

_BLOCKS = ("body", "orelse", "finalbody")


# -- within a function


def inline_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Put constants, copies of parameters and single-use values where they are read; drop what is never read.

    Returns:
        Whether anything changed.
    """
    bound, read = stores(function), loads(function)
    parameters = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    nested = {n for inner in _nested(function) for n in (*stores(inner), *loads(inner))}
    for block in _blocks(function):
        for k, statement in enumerate(block):
            if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
                continue
            target, value = statement.targets[0], statement.value
            if not isinstance(target, ast.Name) or target.id in parameters:
                continue
            name = target.id
            if read.get(name, 0) == 0 and name not in nested:
                # It may be bound many times: no binding of it is read.
                block[k : k + 1] = [] if quiet(value) else [ast.Expr(value)]
                _fill(block)
                return True
            if bound.get(name) != 1:
                continue
            copied = isinstance(value, ast.Name) and value.id in parameters and bound.get(value.id) == 1
            if (isinstance(value, ast.Constant) and name not in nested) or copied:
                del block[k]
                _fill(block)
                _replace_in(function, name, value)
                return True
            if read.get(name) == 1 and name not in nested and _inline_once(block, k, name, value):
                return True
    return False


def _fill(block: list[ast.stmt]) -> None:
    if not block:
        block.append(ast.Pass())


def _nested(function: ast.AST) -> Iterator[ast.AST]:
    for inner in ast.walk(function):
        if inner is not function and isinstance(inner, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            yield inner


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every block of a function, those of functions inside it left out."""
    for field in _BLOCKS:
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
            for statement in block:
                if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                    yield from _blocks(statement)
    for field in ("handlers", "cases"):
        for part in getattr(node, field, ()):
            yield from _blocks(part)


def _replace_in(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str, value: ast.expr) -> None:
    function.body = [replaced(statement, {name: value}) for statement in function.body]


def _inline_once(block: list[ast.stmt], k: int, name: str, value: ast.expr) -> bool:
    """Move a value into the one later statement of its block that reads it, where nothing between can change it."""
    for later in range(k + 1, len(block)):
        statement = block[later]
        if name in loads(statement):
            heads = [] if isinstance(statement, (*FUNCTIONS, ast.While)) else list(headers(statement))
            if not any(name in loads(head) for head in heads):
                return False
            if not _evaluated_once(heads, name) or not _first_enough(heads, name, value):
                return False
            block[later] = replaced(statement, {name: value})
            del block[k]
            return True
        if not quiet(value) or not _leaves(statement, value):
            return False
    return False


def _evaluated_once(heads: list[ast.expr], name: str) -> bool:
    """Whether the read is where it is evaluated just once: in no lambda and no comprehension's inside."""
    inside = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for head in heads:
        for node in ast.walk(head):
            if isinstance(node, inside) and name in loads(node):
                first = None if isinstance(node, ast.Lambda) else node.generators[0].iter
                if first is None or name not in loads(first):
                    return False
    return True


def _first_enough(heads: list[ast.expr], name: str, value: ast.expr) -> bool:
    if quiet(value):
        return True
    for head in heads:
        for node in ast.walk(head):
            if isinstance(node, ast.IfExp | ast.BoolOp) and name in loads(node):
                return False
            if isinstance(node, ast.Call) and name not in loads(node) and not quiet(node):
                return False
    return True


def _leaves(statement: ast.stmt, value: ast.expr) -> bool:
    """Whether a statement leaves a quiet value as it is."""
    names = set(loads(value))
    if names & set(stores(statement)):
        return False
    changes = any(
        (isinstance(n, ast.Subscript | ast.Attribute) and not isinstance(n.ctx, ast.Load))
        or isinstance(n, ast.Delete)
        or (isinstance(n, ast.Call) and not quiet(n))
        for n in ast.walk(statement)
    )
    return not changes or not names


# -- among functions


def without_forwarders(tree: ast.Module, entries: Collection[str]) -> bool:
    """Let a function that only calls another with its own parameters be that other one.

    Returns:
        Whether anything changed.
    """
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    for function in functions.values():
        called = _forwards(function)
        if called in functions and called != function.name and called not in entries:
            other = functions[called]
            if other.decorator_list or other.args.defaults:
                continue
            tree.body.remove(function)
            renamed = with_names(tree, {called: function.name})
            tree.body = renamed.body
            made = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function.name)
            _take_parameters(made, function)
            return True
        inner = function.body[0] if len(function.body) == 2 else None
        plain = isinstance(inner, ast.FunctionDef) and not inner.decorator_list and not inner.args.defaults
        if plain and isinstance(inner, ast.FunctionDef) and _unwrap(function, inner):
            return True
    return False


def _forwards(function: ast.FunctionDef) -> str:
    """The name that a function only calls, with its own parameters in their order; else an empty text."""
    if len(function.body) != 1 or not isinstance(function.body[0], ast.Return) or function.decorator_list:
        return ""
    return _called_with(function.body[0].value, [a.arg for a in function.args.args])


def _called_with(value: ast.expr | None, names: list[str]) -> str:
    if not isinstance(value, ast.Call) or value.keywords or not isinstance(value.func, ast.Name):
        return ""
    given = [a.id if isinstance(a, ast.Name) else "" for a in value.args]
    return value.func.id if given == names else ""


def _take_parameters(made: ast.FunctionDef, function: ast.FunctionDef) -> None:
    """Call the parameters as the entry called them, so that tests may pass them by name."""
    names = {a.arg: b.arg for a, b in zip(made.args.args, function.args.args, strict=False)}
    taken = set(stores(made)) | set(loads(made))
    if not (set(names.values()) - set(names)) & taken:
        made.body = [with_names(statement, names) for statement in made.body]
        made.args = function.args


def _unwrap(function: ast.FunctionDef, inner: ast.FunctionDef) -> bool:
    """``def f(x): def g(): …; return g()`` as ``def f(x): …``."""
    last = function.body[1]
    own = [a.arg for a in inner.args.args]
    if not isinstance(last, ast.Return) or not isinstance(last.value, ast.Call) or last.value.keywords:
        return False
    call = last.value
    if not (isinstance(call.func, ast.Name) and call.func.id == inner.name) or len(call.args) != len(own):
        return False
    if inner.name in loads(inner) or any(
        isinstance(n, ast.Nonlocal | ast.Yield | ast.YieldFrom) for n in ast.walk(inner)
    ):
        return False
    given = [a.id if isinstance(a, ast.Name) else "" for a in call.args]
    if "" in given or len(set(given)) < len(given):
        return False
    function.body = [with_names(statement, dict(zip(own, given, strict=True))) for statement in inner.body]
    return True


def inline_helpers(tree: ast.Module, entries: Collection[str]) -> bool:
    """Put functions that are one expression where they are called, where that is the same.

    Returns:
        Whether anything changed.
    """
    for helper in tree.body:
        if not isinstance(helper, ast.FunctionDef) or helper.name in entries or not _is_formula(helper):
            continue
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _names(n.func, helper.name)]
        mentions = sum(_names(n, helper.name) for n in ast.walk(tree))
        if not calls or mentions != len(calls) or not all(_fits(helper, call) for call in calls):
            continue
        tree.body.remove(helper)
        tree.body = [_Inliner(helper).visit(statement) for statement in tree.body]
        return True
    return False


def _names(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_formula(function: ast.FunctionDef) -> bool:
    own = function.args
    if own.defaults or own.vararg or own.kwarg or own.kwonlyargs or own.posonlyargs or function.decorator_list:
        return False
    if len(function.body) != 1 or not isinstance(function.body[0], ast.Return) or function.body[0].value is None:
        return False
    value = function.body[0].value
    return not stores(value) and function.name not in loads(value)


def _fits(function: ast.FunctionDef, call: ast.Call) -> bool:
    names = [a.arg for a in function.args.args]
    if call.keywords or len(call.args) != len(names) or any(isinstance(a, ast.Starred) for a in call.args):
        return False
    read = loads(function.body[0])
    return all(
        isinstance(arg, ast.Name | ast.Constant) or (read.get(name) == 1 and quiet(arg))
        for name, arg in zip(names, call.args, strict=True)
    )


class _Inliner(ast.NodeTransformer):
    def __init__(self, helper: ast.FunctionDef) -> None:
        self.helper = helper

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not _names(node.func, self.helper.name):
            return node
        names = [a.arg for a in self.helper.args.args]
        only = self.helper.body[0]
        if not isinstance(only, ast.Return) or only.value is None:
            return node
        return replaced(only.value, dict(zip(names, node.args, strict=True)))


# -- of the module


def reachable(tree: ast.Module, entries: Collection[str]) -> list[ast.stmt]:
    """The statements of a module that the entries need, directly or through others.

    Args:
        tree: The module.
        entries: Names that its users use.

    Returns:
        They, in their order. A statement is needed if it binds or changes a name that is needed.
    """
    makes = [set(stores(s)) | set(_changes(s)) if not _is_definition(s) else {_name(s)} for s in tree.body]
    needed = set(entries)
    while True:
        found = {name for s, made in zip(tree.body, makes, strict=True) if made & needed for name in _mentioned(s)}
        if found <= needed:
            break
        needed |= found
    return [s for s, made in zip(tree.body, makes, strict=True) if made & needed]


def _is_definition(statement: ast.stmt) -> bool:
    return isinstance(statement, (*FUNCTIONS, ast.ClassDef))


def _name(statement: ast.stmt) -> str:
    return getattr(statement, "name", "")


def _mentioned(statement: ast.stmt) -> set[str]:
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    if isinstance(statement, FUNCTIONS):
        names -= set(stores(statement))  # its own variables
    return names | {n for s in ast.walk(statement) if isinstance(s, ast.Global) for n in s.names}


def _changes(statement: ast.stmt) -> Iterator[str]:
    """Names whose objects a statement may change: it stores into them, or calls a method of theirs."""
    for node in ast.walk(statement):
        stored = isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load)
        inner: ast.AST | None = node if stored else node.func if isinstance(node, ast.Call) else None
        while isinstance(inner, ast.Subscript | ast.Attribute):
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield inner.id
