"""Small questions about Python's syntax trees that several parts of canonicalisation ask."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

__all__ = [
    "FUNCTIONS",
    "SCOPES",
    "EndsForBreaks",
    "evaluated",
    "function_blocks",
    "headers",
    "is_terminal",
    "label",
    "loads",
    "mentions",
    "quiet",
    "replaced",
    "stores",
    "walk",
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


_INNER: dict[type[ast.AST], tuple[str, ...]] = {}
_LEAVES = frozenset({"arg", "attr", "ctx", "id", "kind", "lineno", "module", "name", "type_comment"})


def walk(node: ast.AST) -> list[ast.AST]:
    """All nodes below one, itself first, in the order of ``ast.walk``, contexts left out.

    Canonicalisation walks trees for most of its time; this is several times as fast as ``ast.walk``.
    """
    found = [node]
    for one in found:
        kind = type(one)
        fields = _INNER.get(kind)
        if fields is None:
            fields = _INNER[kind] = tuple(f for f in one._fields if f not in _LEAVES)
        for field in fields:
            value = getattr(one, field, None)
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [inner for inner in value if isinstance(inner, ast.AST)]
    return found


def quiet(node: ast.AST) -> bool:
    """Whether evaluating an expression does nothing but give its value, as far as its text tells."""
    for inner in walk(node):
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
    for inner in walk(node):
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
    """How often each name is read below a node; ``x += 1`` reads ``x``."""
    found: dict[str, int] = {}
    for inner in walk(node):
        read = inner.target if isinstance(inner, ast.AugAssign) else inner
        if isinstance(read, ast.Name) and (read is not inner or isinstance(read.ctx, ast.Load)):
            found[read.id] = found.get(read.id, 0) + 1
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


def label(node: ast.AST, own: Collection[str] = ()) -> str:
    """A node's shape with names left out: equal before and after a renaming.

    Args:
        node: The node.
        own: Names of attributes that are the program's choice.
    """
    return ast.dump(_Eraser(own).visit(copy.deepcopy(node)))


class _Eraser(ast.NodeTransformer):
    def __init__(self, own: Collection[str]) -> None:
        self.own = own

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(node.id if node.id in _BUILTINS else "v", node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = "v" if node.attr in self.own else node.attr
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg("v")


def headers(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement that are evaluated once, before any block of it, in the order of evaluation."""
    values = [value for _, value in ast.iter_fields(statement)]
    if isinstance(statement, ast.Assign):
        values = [statement.value, *statement.targets]
    elif isinstance(statement, ast.For | ast.AsyncFor):
        values = [statement.iter, statement.target]
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.expr):
                yield item


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def evaluated(node: ast.AST, certain: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """What is evaluated in an expression, in its order, each with whether that happens just once for certain.

    Inner parts come before what is made of them.
    """
    sure: list[ast.AST] = []
    perhaps: list[ast.AST] = []
    if isinstance(node, ast.Lambda):
        perhaps = [node.body]
    elif isinstance(node, _COMPREHENSIONS):
        first, *others = node.generators
        made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        sure, perhaps = [first.iter], [*first.ifs, *others, *made]
    elif isinstance(node, ast.BoolOp):
        sure, perhaps = [node.values[0]], list(node.values[1:])
    elif isinstance(node, ast.IfExp):
        sure, perhaps = [node.test], [node.body, node.orelse]
    elif isinstance(node, ast.Compare):
        sure, perhaps = [node.left, node.comparators[0]], list(node.comparators[1:])
    elif isinstance(node, ast.Dict):
        sure = [part for pair in zip(node.keys, node.values, strict=True) for part in pair if part is not None]
    elif isinstance(node, ast.NamedExpr):
        sure = [node.value]
    else:
        sure = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr | ast.keyword)]
    for part in sure:
        yield from evaluated(part, certain)
    for part in perhaps:
        yield from evaluated(part, False)
    yield node, certain


def function_blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every block of a function, those of functions inside it left out."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
            for statement in block:
                if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                    yield from function_blocks(statement)
    for field in ("handlers", "cases"):
        for part in getattr(node, field, ()):
            yield from function_blocks(part)


def mentions(node: ast.AST, name: str) -> int:
    """How often a name is bound or read below a node."""
    return stores(node).get(name, 0) + loads(node).get(name, 0)


class EndsForBreaks(ast.NodeTransformer):
    """Puts another statement in the place of the breaks of one loop; those of loops inside it stay."""

    def __init__(self, end: ast.stmt) -> None:
        self.end = end

    def visit_Break(self, node: ast.Break) -> ast.AST:
        """A copy of the other statement."""
        return copy.deepcopy(self.end)

    def _left(self, node: ast.AST) -> ast.AST:
        return node

    visit_For = visit_While = visit_AsyncFor = visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _left
