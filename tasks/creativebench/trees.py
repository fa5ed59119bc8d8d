"""Small questions about Python's syntax trees that several parts of canonicalisation ask."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator, Mapping
from typing import TypeVar

__all__ = [
    "FUNCTIONS",
    "SCOPES",
    "headers",
    "is_terminal",
    "label",
    "loads",
    "quiet",
    "replaced",
    "stores",
    "with_names",
]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef)

_BUILTINS = frozenset(dir(builtins))
_PURE = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytes",
        "chr",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "hash",
        "hex",
        "int",
        "isinstance",
        "issubclass",
        "len",
        "list",
        "map",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    ]
)
_PURE_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "copy",
        "count",
        "endswith",
        "find",
        "get",
        "index",
        "isalnum",
        "isalpha",
        "isdecimal",
        "isdigit",
        "islower",
        "isspace",
        "isupper",
        "items",
        "join",
        "keys",
        "lower",
        "lstrip",
        "partition",
        "replace",
        "rfind",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "translate",
        "upper",
        "values",
        "zfill",
        "bit_length",
    ]
)

T = TypeVar("T", bound=ast.AST)


def quiet(node: ast.AST) -> bool:
    """Whether evaluating an expression does nothing but give its value, as far as its text tells."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return False
        if isinstance(inner, ast.Call):
            called = inner.func
            pure = isinstance(called, ast.Name) and called.id in _PURE
            method = isinstance(called, ast.Attribute) and called.attr in _PURE_METHODS
            if not (pure or method):
                return False
    return True


def is_terminal(body: list[ast.stmt]) -> bool:
    """Whether control never runs past the end of a block."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.Return | ast.Raise | ast.Continue | ast.Break):
        return True
    return isinstance(last, ast.If) and is_terminal(last.body) and is_terminal(last.orelse)


def stores(node: ast.AST) -> dict[str, int]:
    """How often each name is bound below a node, parameters and nested scopes included."""
    found: dict[str, int] = {}
    for inner in ast.walk(node):
        names: list[str | None] = []
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            names = [inner.id]
        elif isinstance(inner, ast.arg):
            names = [inner.arg]
        elif (isinstance(inner, (*FUNCTIONS, ast.ClassDef)) and inner is not node) or (
            isinstance(inner, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and inner.name
        ):
            names = [inner.name]
        elif isinstance(inner, ast.alias):
            names = [inner.asname or inner.name.partition(".")[0]]
        elif isinstance(inner, ast.Global | ast.Nonlocal):
            names = [*inner.names, *inner.names]  # never "once"
        for name in filter(None, names):
            found[name] = found.get(name, 0) + 1
    return found


def loads(node: ast.AST) -> dict[str, int]:
    """How often each name is read below a node."""
    found: dict[str, int] = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            found[inner.id] = found.get(inner.id, 0) + 1
    return found


class _Replacer(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self.values:
            return copy.deepcopy(self.values[node.id])
        return node


def replaced(node: T, values: Mapping[str, ast.expr]) -> T:
    """A copy in which names that are read are replaced by expressions."""
    return _Replacer(values).visit(copy.deepcopy(node))


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self.generic_visit(node)
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        node.names = [self.names.get(name, name) for name in node.names]
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self.names.get(name, name) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name) if node.name else None
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name) if node.name else None
        return node

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        node.name = self.names.get(node.name, node.name) if node.name else None
        return node


def with_names(node: T, names: Mapping[str, str]) -> T:
    """A copy in which names are others, wherever they are bound or read."""
    return _Renamer(names).visit(copy.deepcopy(node))


def label(node: ast.AST) -> str:
    """A node's shape with names left out: equal before and after a renaming."""
    return ast.dump(_Eraser().visit(copy.deepcopy(node)))


class _Eraser(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(node.id if node.id in _BUILTINS else "v", node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg("v")


def headers(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement that are evaluated once, before any block of it."""
    for _, value in ast.iter_fields(statement):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.expr):
                yield item
