"""Functions in one form: those that only forward are what they call, those that are called once stand there."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator

from .trees import (
    FUNCTIONS,
    evaluated,
    function_blocks,
    headers,
    is_terminal,
    loads,
    quiet,
    replaced,
    stores,
    walk,
    with_names,
)

__all__ = ["inline_called_once", "inline_helpers", "reachable", "without_forwarders"]


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
    if inner.name in loads(inner) or any(isinstance(n, ast.Nonlocal | ast.Yield | ast.YieldFrom) for n in walk(inner)):
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
        calls = [n for n in walk(tree) if isinstance(n, ast.Call) and _names(n.func, helper.name)]
        mentions = sum(_names(n, helper.name) for n in walk(tree))
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


# -- called once


def inline_called_once(tree: ast.Module, entries: Collection[str]) -> bool:
    """Put a function that is called in one place only, by a statement, into that place.

    Returns:
        Whether anything changed.
    """
    for helper in tree.body:
        if not isinstance(helper, ast.FunctionDef) or helper.name in entries or not _is_plain(helper):
            continue
        calls = [n for n in walk(tree) if isinstance(n, ast.Call) and _names(n.func, helper.name)]
        mentions = sum(_names(n, helper.name) for n in walk(tree))
        if len(calls) != 1 or mentions != 1 or any(calls[0] is n for n in walk(helper)):
            continue
        call, wanted = calls[0], len(helper.args.args)
        if call.keywords or len(call.args) != wanted or any(isinstance(a, ast.Starred) for a in call.args):
            continue
        for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
            for block in function_blocks(function):
                for k, statement in enumerate(block):
                    made = _called_in(statement, call, helper, tree)
                    if made is not None:
                        block[k : k + 1] = made
                        tree.body.remove(helper)
                        return True
    return False


def _is_plain(function: ast.FunctionDef) -> bool:
    own = function.args
    if own.defaults or own.vararg or own.kwarg or own.kwonlyargs or own.posonlyargs or function.decorator_list:
        return False
    inside = (*FUNCTIONS, ast.Lambda, ast.ClassDef, ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom, ast.Import)
    return not any(isinstance(n, (*inside, ast.ImportFrom)) for s in function.body for n in walk(s))


def _called_in(statement: ast.stmt, call: ast.Call, helper: ast.FunctionDef, tree: ast.Module) -> list[ast.stmt] | None:
    """The statements that do what a statement does, which calls a helper first of all; None where it does not."""
    if not isinstance(statement, ast.Return | ast.Assign | ast.Expr | ast.If):
        return None
    for node, certain in ((n, c) for head in headers(statement) for n, c in evaluated(head)):
        if node is call:
            if not certain:
                return None
            break
        if isinstance(node, ast.Call) and not quiet(ast.Call(node.func, [], [])) and node not in walk(call):
            return None
    else:
        return None
    whole = isinstance(statement, ast.Return) and statement.value is call
    returns = [n for s in helper.body for n in walk(s) if isinstance(n, ast.Return)]
    last = helper.body[-1]
    ends = len(returns) == 1 and last is returns[0] and returns[0].value is not None
    if not (whole or ends):
        return None
    taken = {*stores(tree), *loads(tree)}
    names: dict[str, str] = {}
    for name in dict.fromkeys([*(a.arg for a in helper.args.args), *stores(ast.Module(helper.body, []))]):
        n = 1
        while f"{name}_h{n}" in taken:
            n += 1
        names[name] = f"{name}_h{n}"
    given: list[ast.stmt] = [
        ast.Assign([ast.Name(names[a.arg], ast.Store())], value)
        for a, value in zip(helper.args.args, call.args, strict=True)
    ]
    body = [with_names(s, names) for s in helper.body]
    if whole:
        return [*given, *body] if is_terminal(body) else [*given, *body, ast.Return(ast.Constant(None))]
    end = body.pop()
    assert isinstance(end, ast.Return)
    assert end.value is not None
    return [*given, *body, _Value(call, copy.deepcopy(end.value)).visit(statement)]


class _Value(ast.NodeTransformer):
    def __init__(self, call: ast.Call, value: ast.expr) -> None:
        self.call, self.value = call, value

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if node is self.call:
            return self.value
        self.generic_visit(node)
        return node


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
    names = {n.id for n in walk(statement) if isinstance(n, ast.Name)}
    if isinstance(statement, FUNCTIONS):
        names -= set(stores(statement))  # its own variables
    return names | {n for s in walk(statement) if isinstance(s, ast.Global) for n in s.names}


def _changes(statement: ast.stmt) -> Iterator[str]:
    """Names whose objects a statement may change: it stores into them, or calls a method of theirs."""
    for node in walk(statement):
        stored = isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load)
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        inner: ast.AST | None = node if stored else node.func if called and isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and not quiet(ast.Call(node.func, [], [])):
            yield from (arg.id for arg in node.args if isinstance(arg, ast.Name))
        while isinstance(inner, ast.Subscript | ast.Attribute):
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield inner.id
