"""What the names of a program stand for: imports, constants, built texts, and what comes from outside."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

__all__ = ["Code", "Piece", "words_of"]

Piece = str | ast.expr
"""A part of a built text: what is known, or the expression that fills it in."""

_DEEP = 12
"""How many names are followed behind a name."""
_MOST = 200
"""Parts of one text that are told apart."""
_NUMBERS = frozenset({"int", "float", "bool", "len", "abs", "round", "sum", "ord", "hash", "id"})
_NUMERIC = frozenset({"int", "float", "bool"})
_LISTED = frozenset({"os.listdir", "os.walk", "os.scandir", "range", "glob.glob"})
_LISTING = frozenset({"iterdir", "glob", "rglob"})
_PLACES = re.compile(r"%(?:\(\w+\))?[-#0 +]*(?:\d+|\*)?(?:\.\d+)?[a-zA-Z]")
_FIELDS = re.compile(r"\{[^{}]*\}")


def words_of(node: ast.AST) -> frozenset[str]:
    """The words that the names within a node are made of, in lower case: ``apiKey`` gives ``api`` and ``key``."""
    found: set[str] = set()
    for part in ast.walk(node):
        names: tuple[str, ...] = ()
        if isinstance(part, ast.Name):
            names = (part.id,)
        elif isinstance(part, ast.Attribute):
            names = (part.attr,)
        elif isinstance(part, ast.arg):
            names = (part.arg,)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = (part.name,)
        for name in names:
            split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
            found.update(word for word in re.split(r"[_\d]+", split.casefold()) if word)
    return frozenset(found)


class Code:
    """A program read for its names, all of one scope: a name that functions share is what any of them makes of it.

    Args:
        tree: The program.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.imports: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        """Names of parameters, with their annotations."""
        self.bound: dict[str, list[ast.expr]] = defaultdict(list)
        self.loops: dict[str, list[ast.expr]] = defaultdict(list)
        self._known: dict[tuple[str, frozenset[str]], bool] = {}
        self.defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        for node in ast.walk(tree):
            self._read(node)

    def _read(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for name in node.names:
                self.imports[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                self.imports[name.asname or name.name] = f"{node.module or ''}.{name.name}"
        elif isinstance(node, ast.arg):
            self.parameters[node.arg] = "" if node.annotation is None else ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._bind(node.target, node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._grow(node.target.id, ast.BinOp(node.target, node.op, node.value))
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            for name in _names(node.target):
                self.loops[name].append(node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name) and _first(value) == target.id:
            self._grow(target.id, value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, its in zip(target.elts, value.elts, strict=True):
                self._bind(one, its)
        else:
            for name in _names(target):
                self.bound[name].append(value)

    def _grow(self, name: str, value: ast.expr) -> None:
        """``text += more`` and ``text = text + more``: what was bound before stands at the front."""
        before = self.bound[name]
        if len(before) == 1 and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            before[0] = _grown(before[0], value)
        else:
            before.append(value)

    def behind(self, node: ast.expr) -> ast.expr:
        """What a name stands for, if it is bound once and is no parameter; else the node itself."""
        for _ in range(_DEEP):
            if not isinstance(node, ast.Name) or node.id in self.parameters or node.id in self.loops:
                break
            found = self.bound.get(node.id, [])
            if len(found) != 1:
                break
            node = found[0]
        return node

    def dotted(self, node: ast.expr, deep: int = _DEEP) -> str:
        """The full name of a function or module, aliases followed: ``hashlib.md5``; empty where there is none."""
        if deep == 0:
            return ""
        if isinstance(node, ast.Attribute):
            front = self.dotted(node.value, deep - 1)
            return f"{front}.{node.attr}".removeprefix("builtins.") if front else ""
        if not isinstance(node, ast.Name):
            return ""
        other = self.behind(node)
        if other is not node:
            return self.dotted(other, deep - 1)
        if node.id in self.imports:
            return self.imports[node.id].removeprefix("builtins.")
        if node.id in self.parameters or node.id in self.bound or node.id in self.loops or node.id in self.defined:
            return ""
        return node.id

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """All calls, with the full names of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, self.dotted(node.func)

    def pieces(self, node: ast.expr) -> list[Piece]:
        """Take a text apart: concatenation, f-string, ``%``, ``format`` and ``join``, names followed.

        A text of too many parts, or one that is made of itself, is left as it is.
        """
        try:
            return list(self._pieces(node, _Room()))
        except _NoRoomError:
            return [node]

    def _pieces(self, node: ast.expr, room: _Room) -> Iterator[Piece]:
        room.take()
        node = self.behind(node)
        if isinstance(node, ast.Constant):
            yield node.value if isinstance(node.value, str) else str(node.value)
        elif isinstance(node, ast.JoinedStr):
            for value in node.values:
                yield from self._pieces(value, room)
        elif isinstance(node, ast.FormattedValue):
            yield from self._pieces(node.value, room)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            yield from self._pieces(node.left, room)
            yield from self._pieces(node.right, room)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            right = self.behind(node.right)
            filled = list(right.elts) if isinstance(right, ast.Tuple) else [right]
            yield from self._filled(node, node.left, _PLACES, filled, room)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            filled = [*node.args, *(k.value for k in node.keywords)]
            yield from self._filled(node, node.func.value, _FIELDS, filled, room)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
            listed = self.behind(node.args[0]) if node.args else node
            if isinstance(listed, ast.List | ast.Tuple) and self.text(node.func.value) is not None:
                for part in listed.elts:
                    yield from self._pieces(part, room)
            else:
                yield node
        else:
            yield node

    def _filled(
        self, node: ast.expr, text: ast.expr, places: re.Pattern[str], values: list[ast.expr], room: _Room
    ) -> Iterator[Piece]:
        """A text with places, and what fills them, in order; more places than values share the last."""
        parts = list(self._pieces(text, room))
        if not all(isinstance(part, str) for part in parts):
            yield node
            return
        known = "".join(str(part) for part in parts)
        at = 0
        for index, place in enumerate(places.finditer(known)):
            yield known[at : place.start()]
            if values:
                yield from self._pieces(values[min(index, len(values) - 1)], room)
            at = place.end()
        yield known[at:]

    def text(self, node: ast.expr) -> str | None:
        """The text that an expression always is; None where it may be others."""
        found = self.pieces(node)
        known = [piece for piece in found if isinstance(piece, str)]
        return "".join(known) if len(known) == len(found) else None

    def outside(self, node: ast.AST, clean: frozenset[str] = frozenset()) -> bool:
        """Whether a value comes from parameters or from who uses the program, and may be any text.

        Numbers, comparisons, what a folder lists and entries of a table are none; nor is what a function in ``clean``
        gives. A name that nothing binds is taken as coming from outside.

        Args:
            node: The expression.
            clean: Names of functions, methods and attributes whose values are fine.
        """

        def again(part: ast.AST) -> bool:
            return self.outside(part, clean)

        if isinstance(node, ast.Constant | ast.Compare | ast.Lambda):
            return False
        if isinstance(node, ast.Name):
            key = (node.id, clean)
            if key not in self._known:
                # What a name gets from itself adds nothing; a parameter stays what it is until it is cleaned.
                self._known[key] = node.id in self.parameters
                self._known[key] = self._name_outside(node.id, clean)
            return self._known[key]
        if isinstance(node, ast.Call):
            name = self.dotted(node.func)
            last = node.func.attr if isinstance(node.func, ast.Attribute) else name
            if name in _NUMBERS or name in _LISTED or name in clean or last in clean or last in _LISTING:
                return False
            if name == "input":
                return True
            parts: list[ast.AST] = [*node.args, *(k.value for k in node.keywords)]
            if isinstance(node.func, ast.Attribute) and not self._module(node.func.value):
                parts.append(node.func.value)
            return any(again(part) for part in parts)
        if isinstance(node, ast.Attribute):
            return node.attr not in clean and (self.dotted(node) == "sys.argv" or again(node.value))
        if isinstance(node, ast.Subscript):
            return again(node.value)
        if isinstance(node, ast.IfExp):
            return again(node.body) or again(node.orelse)
        if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
            return again(node.elt)
        return any(again(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))

    def _name_outside(self, name: str, clean: frozenset[str]) -> bool:
        bound = [value for value in self.bound.get(name, []) if not _is_name(value, name)]
        if name in self.parameters:
            # A parameter that is bound again, as in `name = os.path.basename(name)`, is what it was bound to.
            if any(_mentions(value, name) and not self.outside(value, clean) for value in bound):
                return False
            return self.parameters[name] not in _NUMERIC and name not in ("self", "cls")
        if bound:
            return any(self.outside(value, clean) for value in bound)
        if name in self.loops:
            return any(self.outside(value, clean) for value in self.loops[name])
        return name not in self.imports and name not in self.defined

    def _module(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self.imports


class _NoRoomError(Exception):
    """A text has too many parts."""


class _Room:
    """How many parts may still be read."""

    def __init__(self) -> None:
        self.left = _MOST

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _NoRoomError


def _names(target: ast.expr) -> list[str]:
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _mentions(node: ast.expr, name: str) -> bool:
    return any(_is_name(part, name) for part in ast.walk(node) if isinstance(part, ast.expr))


def _first(value: ast.expr) -> str:
    """The name that a sum begins with."""
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        value = value.left
        if isinstance(value, ast.Name):
            return value.id
    return ""


def _grown(before: ast.expr, value: ast.BinOp) -> ast.expr:
    """The sum with its first name replaced by what that stood for."""
    left = value.left
    inner = _grown(before, left) if isinstance(left, ast.BinOp) else before
    return ast.copy_location(ast.BinOp(inner, value.op, value.right), value)
