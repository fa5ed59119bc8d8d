"""What rewrites are made of: changes of blocks, statements and nodes, and names that a program does not have."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from .trees import FUNCTIONS, loads, stores, walk

__all__ = [
    "Rewrite",
    "arguments",
    "blocks",
    "by_statement",
    "call",
    "each",
    "fresh",
    "functions",
    "in_functions",
    "plus",
    "statements",
]

Change = Callable[[ast.Module, Collection[str]], ast.Module]
_NodeChange = Callable[..., ast.AST]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A kind of rewrite.

    Args:
        name: As reports call it.
        summary: One line.
        change: Makes it on a tree that may be changed.
    """

    name: str
    summary: str
    change: Change

    def __call__(self, code: str, entries: Collection[str]) -> str | None:
        """Rewrite a program; None where this kind does not apply to it."""
        tree = ast.parse(code)
        before = ast.unparse(tree)
        after = ast.unparse(ast.fix_missing_locations(self.change(tree, entries)))
        return None if after == before else after


def fresh(tree: ast.AST, name: str) -> str:
    """A name like another one, that a program does not have."""
    taken = {*stores(tree), *loads(tree), *(n.arg for n in walk(tree) if isinstance(n, ast.keyword) and n.arg)}
    taken |= {n.name for n in walk(tree) if isinstance(n, (*FUNCTIONS, ast.ClassDef))}
    made, k = name, 1
    while made in taken:
        k += 1
        made = f"{name}{k}"
    return made


class _Each(ast.NodeTransformer):
    """Changes every node of a kind."""

    def __init__(self, kind: type[ast.AST] | tuple[type[ast.AST], ...], change: Callable[..., ast.AST]) -> None:
        self.kind, self.change = kind, change

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.JoinedStr):
            return node
        self.generic_visit(node)
        return self.change(node) if isinstance(node, self.kind) else node


def each(tree: ast.Module, kind: type[ast.AST] | tuple[type[ast.AST], ...], change: _NodeChange) -> ast.Module:
    """Change every node of a kind; f-strings are left alone."""
    _Each(kind, change).visit(tree)
    return tree


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a tree."""
    return (n for n in walk(tree) if isinstance(n, FUNCTIONS))


def in_functions(tree: ast.Module, change: Callable[[list[ast.stmt]], list[ast.stmt]]) -> ast.Module:
    """Change the bodies of a module's functions."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        function.body = change(function.body)
    return tree


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """All blocks of functions."""
    for inner in walk(node):
        if isinstance(inner, ast.Module | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            block = getattr(inner, field, None)
            if isinstance(block, list) and block:
                yield block


def by_statement(tree: ast.Module, change: Callable[[ast.stmt], list[ast.stmt] | None]) -> ast.Module:
    """Put statements in the place of one, wherever the change gives some."""
    for block in list(blocks(tree)):
        k = 0
        while k < len(block):
            made = change(block[k])
            if made is not None:
                block[k : k + 1] = made
                k += len(made) - 1
            k += 1
    return tree


def statements(text: str) -> list[ast.stmt]:
    """A text as statements of a function."""
    # A bare return stands in no module, so the text is read as a function's body.
    lines = "\n".join("    " + line for line in text.strip("\n").splitlines())
    function = ast.parse(f"def f():\n{lines}\n").body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.body


def plus(tree: ast.Module, text: str) -> ast.Module:
    """A text before a module's statements."""
    tree.body = [*ast.parse(text).body, *tree.body]
    return tree


def call(name: str, *args: ast.expr) -> ast.Call:
    """A call of a name."""
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def arguments(names: list[str]) -> ast.arguments:
    """Parameters with these names."""
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
