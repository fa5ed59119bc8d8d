"""Rewrites that put functions into functions, classes and expressions."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection

from .rewriting import Rewrite, arguments, call, fresh
from .trees import stores, walk, with_names

__all__ = ["SHAPES"]


def _copied_parameters(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for k, function in enumerate(tree.body):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [a.arg for a in function.args.args]
        outside = {n for s in walk(function) if isinstance(s, ast.Nonlocal | ast.Global) for n in s.names}
        if outside & set(names):
            continue
        others = {name: fresh(tree, f"{name}_given") for name in names}
        made = copy.deepcopy(function)
        made.body = [
            *(ast.Assign([ast.Name(others[n], ast.Store())], ast.Name(n, ast.Load())) for n in names),
            *(with_names(statement, others) for statement in function.body),
        ]
        tree.body[k] = made
    return tree


def _forwarders(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    made: list[ast.stmt] = []
    for statement in tree.body:
        plain = isinstance(statement, ast.FunctionDef) and not statement.decorator_list and not statement.args.defaults
        if (
            plain
            and isinstance(statement, ast.FunctionDef)
            and statement.name in entries
            and _only_positional(statement)
        ):
            inner = with_names(statement, {statement.name: fresh(tree, f"_{statement.name}_work")})
            given = [ast.Name(a.arg, ast.Load()) for a in statement.args.args]
            called = ast.Call(ast.Name(inner.name, ast.Load()), list(given), [])
            outer = ast.FunctionDef(statement.name, copy.deepcopy(statement.args), [ast.Return(called)], [], None)
            made.extend([inner, outer])
        else:
            made.append(statement)
    tree.body = made
    return tree


def _inner_functions(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    name = fresh(tree, "_work")
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        if any(isinstance(n, ast.Nonlocal | ast.Yield | ast.YieldFrom) for n in walk(function)):
            continue
        if set(stores(ast.Module(function.body, []))) & {a.arg for a in function.args.args}:
            continue  # a parameter that is bound again would be a local of the inner function
        inner = ast.FunctionDef(name, arguments([]), function.body, [], None)
        function.body = [inner, ast.Return(call(name))]
    return tree


def _only_positional(function: ast.FunctionDef) -> bool:
    own = function.args
    return not (own.vararg or own.kwarg or own.kwonlyargs or own.posonlyargs)


def _helpers_as_lambdas(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """Helpers of one expression as lambdas with a name."""
    for k, statement in enumerate(tree.body):
        if not isinstance(statement, ast.FunctionDef) or statement.decorator_list:
            continue
        only = statement.body[-1]
        if len(statement.body) == 1 and isinstance(only, ast.Return) and only.value is not None:
            made = ast.Lambda(statement.args, only.value)
            tree.body[k] = ast.Assign([ast.Name(statement.name, ast.Store())], made)
    return tree


def _methods_in_a_class(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """The functions of a program as methods of a class that holds nothing, which its entries call."""
    plain = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    others = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.Import | ast.ImportFrom)]
    names = {function.name for function in plain}
    # Other statements may need a function while the module is read, before there is a class.
    if others or not names or any(f.decorator_list or f.args.defaults or not _only_positional(f) for f in plain):
        return tree
    inner = {name for function in plain for name in stores(function)}
    if inner & names or any(
        isinstance(n, ast.Name) and n.id in names and id(n) not in _called(tree) for n in walk(tree)
    ):
        return tree
    title, owner = fresh(tree, "Solver"), fresh(tree, "self")
    outer: list[ast.stmt] = []
    methods: list[ast.stmt] = []
    for function in plain:
        if function.name in entries:
            given = [ast.Name(a.arg, ast.Load()) for a in function.args.args]
            made = ast.Call(ast.Attribute(call(title), function.name, ast.Load()), list(given), [])
            outer.append(ast.FunctionDef(function.name, copy.deepcopy(function.args), [ast.Return(made)], [], None))
        function.args.args.insert(0, ast.arg(owner))
        function.body = [_Methods(names, owner).visit(statement) for statement in function.body]
        methods.append(function)
    kept = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    tree.body = [*kept, ast.ClassDef(title, [], [], methods, []), *outer]
    return tree


def _called(tree: ast.AST) -> set[int]:
    return {id(n.func) for n in walk(tree) if isinstance(n, ast.Call)}


class _Methods(ast.NodeTransformer):
    def __init__(self, names: Collection[str], owner: str) -> None:
        self.names, self.owner = names, owner

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.names:
            return node
        return ast.Attribute(ast.Name(self.owner, ast.Load()), node.id, ast.Load())


SHAPES: tuple[Rewrite, ...] = (
    Rewrite("parameters copied", "parameters under other names", _copied_parameters),
    Rewrite("forwarders", "entries that only call a function with the old body", _forwarders),
    Rewrite("inner functions", "bodies in a function inside the function", _inner_functions),
    Rewrite("helpers as lambdas", "functions of one expression as lambdas with a name", _helpers_as_lambdas),
    Rewrite("methods in a class", "functions as methods of a class that holds nothing", _methods_in_a_class),
)
