"""Texts that are put together, in one form: an f-string, where Python can print it."""

from __future__ import annotations

import ast

__all__ = ["Texts", "joined", "printable"]

_TEXT_METHODS = frozenset(
    {"capitalize", "format", "join", "lower", "lstrip", "replace", "rstrip", "strip", "title", "upper", "zfill"}
)


def joined(parts: list[ast.expr]) -> ast.expr | None:
    """Parts that are all texts, or made into them by ``str``, as one f-string; None where Python cannot print it."""
    values: list[ast.expr] = []
    for part in parts:
        for value in _values(part):
            last = values[-1] if values else None
            if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
                values[-1] = ast.Constant(f"{last.value}{value.value}")
            elif not (isinstance(value, ast.Constant) and value.value == ""):
                values.append(value)
    if all(isinstance(value, ast.Constant) for value in values):
        return values[0] if values else ast.Constant("")
    only = values[0] if len(values) == 1 else None
    if isinstance(only, ast.FormattedValue) and only.format_spec is None:
        return ast.Call(ast.Name("str", ast.Load()), [only.value], [])
    made = ast.JoinedStr(values)
    return made if printable(made) else None


def printable(node: ast.AST) -> bool:
    """Whether Python can print a tree: in an f-string it may lack a kind of quotes, or a backslash be in the way."""
    try:
        return bool(ast.parse(ast.unparse(ast.fix_missing_locations(node))))
    except (ValueError, SyntaxError):
        return False


def _values(part: ast.expr) -> list[ast.expr]:
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        return [part]
    if isinstance(part, ast.JoinedStr):
        return [value for inner in part.values for value in _values(inner)]
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
        return [*_values(part.left), *_values(part.right)]
    if isinstance(part, ast.FormattedValue):
        if part.format_spec is not None or part.conversion not in (-1, ord("s")):
            return [part]
        return _values(part.value) if _is_text(part.value) else _values(_str(part.value))
    shown = part
    while _is_str(shown) and isinstance(shown, ast.Call):
        shown = shown.args[0]
    return [ast.FormattedValue(shown, -1, None)]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_str(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str"
    return called and isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords


def _str(node: ast.expr) -> ast.expr:
    plain = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TEXT_METHODS
    return node if plain else ast.Call(ast.Name("str", ast.Load()), [node], [])


# Names of visitors are the base class's.
# ruff: noqa: D102
class Texts(ast.NodeTransformer):
    """F-strings, ``+`` with a text, ``"{}".format``, ``%`` and ``join`` of what is listed, as one f-string."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        made = joined([node])
        if made is not None:
            return made
        parts = [value for value in node.values if not _is_empty(value)]
        if not all(isinstance(p, ast.Constant | ast.FormattedValue) for p in parts):
            return node
        texts = [_spelt(part) for part in parts]
        whole = texts[0]
        for text in texts[1:]:
            whole = ast.BinOp(whole, ast.Add(), text)
        return whole

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add) and any(_is_text(p) or _is_str(p) for p in _chain(node)):
            return joined([node]) or node
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            given = node.right.elts if isinstance(node.right, ast.Tuple) else []
            return _filled(node.left.value, "%s", given) or node
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func
        if not (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Constant)) or node.keywords:
            return node
        text = called.value.value
        if not isinstance(text, str):
            return node
        if called.attr == "format":
            return _filled(text, "{}", node.args) or node
        if called.attr == "join" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
            parts = node.args[0].elts
            if parts and not any(isinstance(part, ast.Starred) for part in parts):
                between = [p for part in parts for p in (ast.Constant(text), part)]
                return joined(between[1:]) or node
        return node


def _chain(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_chain(node.left), *_chain(node.right)]
    return [node]


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _spelt(part: ast.expr) -> ast.expr:
    """A part of an f-string that Python cannot print, without one."""
    if not isinstance(part, ast.FormattedValue):
        return part
    if part.format_spec is not None:
        return ast.Call(ast.Name("format", ast.Load()), [part.value, part.format_spec], [])
    if part.conversion == ord("r"):
        return ast.Call(ast.Name("repr", ast.Load()), [part.value], [])
    return part.value if _is_text(part.value) else _str(part.value)


def _filled(text: str, mark: str, given: list[ast.expr]) -> ast.expr | None:
    pieces = text.split(mark)
    odd = any(c in piece for piece in pieces for c in "{}%")
    if odd or not given or len(pieces) != len(given) + 1 or any(isinstance(g, ast.Starred) for g in given):
        return None
    parts: list[ast.expr] = [ast.Constant(pieces[0])]
    for value, piece in zip(given, pieces[1:], strict=True):
        parts += [ast.Call(ast.Name("str", ast.Load()), [value], []), ast.Constant(piece)]
    return joined(parts)
