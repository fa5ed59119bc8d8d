"""What a program calls its own attributes, modules and classes, in one form."""

from __future__ import annotations

import ast
import builtins
import collections
from collections.abc import Collection, Mapping

from .trees import FUNCTIONS, loads, replaced, stores, walk

__all__ = ["from_imports", "is_own", "own_attributes", "without_stateless"]

_BUILTIN = frozenset(
    name
    for kind in [*vars(builtins).values(), collections.deque, collections.Counter]
    if isinstance(kind, type)
    for name in dir(kind)
)


def own_attributes(tree: ast.AST) -> frozenset[str]:
    """Names of attributes that a program gives to its own objects: fields, methods and what classes bind."""
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.ClassDef):
            found |= {s.name for s in node.body if isinstance(s, FUNCTIONS)}
            fields = [s for s in node.body if isinstance(s, ast.Assign | ast.AnnAssign)]
            found |= {name for s in fields for name in stores(s)}
    return frozenset(name for name in found if not name.startswith("__"))


def is_own(node: ast.Attribute, own: Collection[str]) -> bool:
    """Whether an attribute's name is the program's choice.

    A name that builtin types have too (``append``) is its choice where it is stored or not called, and on ``self``.
    """
    if node.attr not in own:
        return False
    if node.attr not in _BUILTIN or not isinstance(node.ctx, ast.Load):
        return True
    return isinstance(node.value, ast.Name) and node.value.id == "self"


# -- modules


def from_imports(tree: ast.Module) -> None:
    """``import m`` and ``m.name`` as ``from m import name``, where the module is used for nothing else."""
    taken = {*stores(tree), *loads(tree), *dir(builtins)}
    for statement in [n for n in walk(tree) if isinstance(n, ast.Import)]:
        alias = statement.names[0]
        bound = alias.asname or alias.name
        if len(statement.names) > 1 or "." in alias.name or stores(tree).get(bound) != 1:
            continue
        uses = [n for n in walk(tree) if isinstance(n, ast.Attribute) and _is_name(n.value, bound)]
        if not uses or len(uses) != loads(tree).get(bound, 0) or not all(isinstance(n.ctx, ast.Load) for n in uses):
            continue
        names: dict[str, str] = {}
        for attribute in sorted({n.attr for n in uses}):
            name = attribute
            while name in taken:
                name = f"{name}_of_{alias.name}"
            names[attribute] = name
            taken.add(name)
        _Attributes(bound, names).visit(tree)
        made = [ast.alias(name, None if name == bound_as else bound_as) for name, bound_as in names.items()]
        _Statements(statement, ast.ImportFrom(alias.name, made, 0)).visit(tree)


class _Attributes(ast.NodeTransformer):
    """Puts names in the place of attributes of a name, or of what a class makes."""

    def __init__(self, owner: str, names: Mapping[str, str], *, made: bool = False) -> None:
        self.owner, self.names, self.made = owner, names, made

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        value = node.value
        if self.made and isinstance(value, ast.Call) and not value.args and not value.keywords:
            value = value.func
        if _is_name(value, self.owner) and node.attr in self.names:
            return ast.Name(self.names[node.attr], node.ctx)
        self.generic_visit(node)
        return node


class _Statements(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit_Import(self, node: ast.Import) -> ast.AST:
        return self.new if node is self.old else node


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# -- classes that hold nothing


def without_stateless(tree: ast.Module, entries: Collection[str]) -> bool:
    """Let a class without state, which is only a bag of functions, be these functions.

    Returns:
        Whether anything changed.
    """
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name in entries or not _is_stateless(node):
            continue
        _in_place(tree, node.name)
        if not _only_called(tree, node):
            continue
        taken = {*stores(tree), *loads(tree)}
        names: dict[str, str] = {}
        for method in _methods(node):
            name = f"{node.name}_{method.name}"
            while name in taken:
                name += "_"
            names[method.name] = name
        made: list[ast.stmt] = []
        for method in _methods(node):
            static = _kind(method) == "staticmethod"
            if not static:
                first = method.args.args.pop(0).arg
                _Attributes(first, names).visit(method)
            method.name, method.decorator_list = names[method.name], []
            made.append(method)
        place = tree.body.index(node)
        tree.body[place : place + 1] = made
        _Attributes(node.name, names, made=True).visit(tree)
        return True
    return False


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [s for s in node.body if isinstance(s, ast.FunctionDef)]


def _kind(method: ast.FunctionDef) -> str:
    """``staticmethod``, ``classmethod``, an empty text for a plain method, ``other`` for one that is decorated else."""
    words = [d.id if isinstance(d, ast.Name) else "other" for d in method.decorator_list]
    if not words:
        return ""
    return words[0] if words in (["staticmethod"], ["classmethod"]) else "other"


def _is_stateless(node: ast.ClassDef) -> bool:
    methods = _methods(node)
    if node.bases or node.keywords or node.decorator_list or len(methods) != len(node.body):
        return False
    names = {method.name for method in methods}
    if not names or any(name.startswith("__") for name in names):
        return False
    return all(_leaves_itself(method, names) for method in methods)


def _leaves_itself(method: ast.FunctionDef, names: Collection[str]) -> bool:
    """Whether a method uses its object for nothing but calling other methods of it."""
    kind = _kind(method)
    if kind == "staticmethod":
        return True
    if kind == "other" or not method.args.args or method.args.posonlyargs:
        return False
    first = method.args.args[0].arg
    called = [
        n
        for n in walk(method)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and _is_name(n.func.value, first)
    ]
    calls = sum(isinstance(n.func, ast.Attribute) and n.func.attr in names for n in called)
    return stores(method).get(first) == 1 and loads(method).get(first, 0) == calls


def _in_place(tree: ast.Module, name: str) -> None:
    """``solver = Solver(); solver.run()`` as ``Solver().run()``, where that is all that the variable is for."""
    bound = stores(tree)
    for block in [b for n in walk(tree) if isinstance(b := getattr(n, "body", None), list)]:
        for statement in list(block):
            if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
                continue
            target, call = statement.targets[0], statement.value
            plain = len(statement.targets) == 1 and isinstance(target, ast.Name) and bound[target.id] == 1
            if plain and isinstance(target, ast.Name) and _is_name(call.func, name) and not call.args:
                block.remove(statement)
                if not block:
                    block.append(ast.Pass())
                made = replaced(tree, {target.id: call})
                tree.body[:] = [
                    old if isinstance(old, ast.ClassDef) else new for old, new in zip(tree.body, made.body, strict=True)
                ]
                return


def _only_called(tree: ast.Module, node: ast.ClassDef) -> bool:
    """Whether all that is done with a class is to call its methods."""
    names = {method.name: _kind(method) for method in _methods(node)}
    found = 0
    for call in walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in names):
            continue
        owner = call.func.value
        made = isinstance(owner, ast.Call) and _is_name(owner.func, node.name) and not owner.args and not owner.keywords
        found += made or (_is_name(owner, node.name) and bool(names[call.func.attr]))
    return found == loads(tree).get(node.name, 0) and found > 0
