"""Weaknesses in what is made of text from outside: domains matched by their end, paths, queries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .code_names import Code, words_of
from .nested_quantifiers import is_explosive

__all__ = ["PATHS", "last_name", "path_rule", "query_rule", "suffix_rule", "told_text"]

_WHOLE = frozenset({"host", "hostname", "url", "uri", "email", "mail", "address", "sender", "netloc", "origin", "link"})
_HOSTS = _WHOLE | {"domain", "site", "server"}
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|io|example|test|invalid|local)", re.I)
_SQL = re.compile(
    r"^\s*(?:select\b.+\bfrom\b|insert\s+into\b|update\b.+\bset\b|delete\s+from\b|replace\s+into\b|drop\s+table\b)",
    re.IGNORECASE | re.DOTALL,
)
_SPEAKS = frozenset(["print", "debug", "info", "warning", "error", "exception", "log"])
PATHS = frozenset({"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"})
"""What makes a path of texts."""
_OPENERS = frozenset({"open", "io.open", "os.open", "os.remove", "os.unlink", "os.mkdir", "os.makedirs"})
_CLEAN_PATH = frozenset({"os.path.basename", "secure_filename", "name", "stem", "uuid4", "token_hex", "sub", "slugify"})


def suffix_rule(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    """Where a domain is matched by its end, or anywhere, with nothing before it.

    Args:
        code: The program.
        sensitive: Of no account here.
    """
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call) and node.args:
            if isinstance(node.func, ast.Attribute) and node.func.attr == "endswith":
                given = code.behind(node.args[0])
                ends = given.elts if isinstance(given, ast.Tuple) else [node.args[0]]
                if any(_loose_end(code, end, node.func.value) for end in ends):
                    yield node
            elif len(node.args) > 1 and words_of(node.args[1]) & _HOSTS:
                told = told_text(code, node.args[0])
                if _loose_pattern(told, code.dotted(node.func)):
                    yield node
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = node.left, node.comparators[0]
            if isinstance(node.ops[0], ast.In):
                text = code.text(left)
                named = (text is not None and _DOMAIN.fullmatch(text)) or (
                    text is None and "domain" in words_of(left) and isinstance(left, ast.Name)
                )
                if named and isinstance(right, ast.Name | ast.Attribute) and words_of(right) & _WHOLE:
                    yield node
            elif isinstance(node.ops[0], ast.Eq) and _is_tail(code, left) and words_of(left) & _HOSTS:
                yield node


def told_text(code: Code, node: ast.expr) -> str:
    """A text with a letter for each part that is not known."""
    return "".join(part if isinstance(part, str) else "x" for part in code.pieces(node))


def _loose_pattern(pattern: str, function: str) -> bool:
    """Whether a pattern finds the end of a name with anything before it."""
    if function == "re.search":
        return pattern.endswith(("$", r"\Z")) and not _held(pattern)
    begun = re.match(r"\^?(?:\.[*+]|\(\?:\.[*+]\)|\(\.[*+]\))\??", pattern)
    ends = function == "re.fullmatch" or (function == "re.match" and pattern.endswith(("$", r"\Z")))
    return begun is not None and ends and not pattern[begun.end() :].startswith((r"\.", "[.]", "@", "[@.]", "[.@]"))


def _is_tail(code: Code, node: ast.expr) -> bool:
    """``host[-len(domain):]``, but not of a list of labels."""
    return (
        isinstance(node, ast.Subscript)
        and not isinstance(code.behind(node.value), ast.Call | ast.List | ast.ListComp)
        and isinstance(node.slice, ast.Slice)
        and isinstance(node.slice.lower, ast.UnaryOp)
        and isinstance(node.slice.lower.operand, ast.Call)
    )


def _held(pattern: str) -> bool:
    """Whether a pattern for the end of a name says what stands before it."""
    return pattern.startswith(("^", r"\A", r"\.", "@", "[.@]", "[@.]", r"(^|\.)", r"(?:^|\.)", r"(\A|\.)"))


def _loose_end(code: Code, end: ast.expr, host: ast.expr) -> bool:
    """Whether a domain's end is matched with nothing before it."""
    if isinstance(end, ast.Name) and any(_anchored(code, value) for value in code.bound.get(end.id, [])):
        return False
    if _anchored(code, end):
        return False
    text = code.text(end)
    if text is not None:
        return bool(_DOMAIN.fullmatch(text))
    return bool((words_of(host) | words_of(end)) & _HOSTS)


def _anchored(code: Code, end: ast.expr) -> bool:
    first = code.pieces(end)[0]
    return isinstance(first, str) and first.startswith((".", "@", "/"))


def path_rule(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    """Where a path is joined from outside parts in a program that does not keep paths within a folder.

    Args:
        code: The program.
        sensitive: Of no account here.
    """
    if _contained(code):
        return
    guarded = _guarded(code)

    def loose(part: ast.expr) -> bool:
        return code.outside(part, _CLEAN_PATH) and not (isinstance(part, ast.Name) and part.id in guarded)

    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call):
            name = code.dotted(node.func)
            if name in ("os.path.join", *PATHS):
                if any(loose(part) for part in node.args[1:]):
                    yield node
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath":
                if any(loose(part) for part in node.args):
                    yield node
            elif name in _OPENERS and node.args:
                parts = code.pieces(node.args[0])
                after = parts[1:]
                slashed = any(isinstance(part, str) and "/" in part for part in parts)
                if slashed and any(not isinstance(part, str) and loose(part) for part in after):
                    yield node
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_path(code, node.left):
            parts = code.pieces(node.right)
            if any(not isinstance(part, str) and loose(part) for part in parts):
                yield node


def _is_path(code: Code, node: ast.expr) -> bool:
    if isinstance(node, ast.Name) and node.id in code.parameters:
        return code.parameters[node.id].rpartition(".")[2] in ("Path", "PurePath") or any(
            _is_path(code, value) for value in code.bound.get(node.id, []) if not isinstance(value, ast.Name)
        )
    node = code.behind(node)
    if isinstance(node, ast.Call):
        if code.dotted(node.func) in PATHS:
            return True
        return isinstance(node.func, ast.Attribute) and _is_path(code, node.func.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _is_path(code, node.left)
    return isinstance(node, ast.Attribute) and node.attr == "parent" and _is_path(code, node.value)


def _contained(code: Code) -> bool:
    """Whether anything checks that a path lies within a folder."""
    resolved = starts = False
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute):
            if node.attr in ("commonpath", "is_relative_to", "relative_to", "safe_join", "parents"):
                return True
            resolved |= node.attr in ("resolve", "realpath", "abspath")
            starts |= node.attr == "startswith"
        elif isinstance(node, ast.Name) and code.dotted(node).rpartition(".")[2] in ("commonpath", "safe_join"):
            return True
    return resolved and starts


def _guarded(code: Code) -> set[str]:
    """Names that are held against a list of what is allowed, or a pattern of the whole, or searched for separators."""
    found, dots, rooted = set[str](), set[str](), set[str]()
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
            other = code.behind(node.comparators[0])
            constant = isinstance(other, ast.Name) and other.id.isupper()
            literal = isinstance(other, ast.List | ast.Tuple | ast.Set | ast.Dict)
            if isinstance(node.left, ast.Name) and (constant or literal):
                found.add(node.left.id)
            elif isinstance(other, ast.Name):
                searched = code.text(node.left)
                found |= {other.id} if searched == "/" else set()
                dots |= {other.id} if searched in ("..", "../") else set()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            last = node.args[-1] if node.args else None
            of = node.func.value
            if isinstance(last, ast.Name):
                found |= {last.id} if node.func.attr == "fullmatch" else set()
                rooted |= {last.id} if node.func.attr == "isabs" else set()
                if code.dotted(node.func) == "re.match" and _refuses_folders(told_text(code, node.args[0])):
                    found.add(last.id)
            if isinstance(of, ast.Name):
                found |= {of.id} if node.func.attr in ("isalnum", "isidentifier", "isdigit") else set()
                if node.func.attr == "startswith" and last is not None and code.text(last) == "/":
                    rooted.add(of.id)
    return found | (dots & rooted)


def _refuses_folders(pattern: str) -> bool:
    """Whether a pattern of the whole name takes none that leads elsewhere."""
    if not pattern.endswith(("$", r"\Z")) or len(pattern) > 200 or is_explosive(pattern):
        return False
    try:
        return not any(re.match(pattern, name) for name in ("../a", "/a", "a/b"))
    except (re.error, RecursionError, OverflowError):
        return False


def query_rule(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    """Where a text that reads as a query is built from outside parts, and is not merely printed.

    Args:
        code: The program.
        sensitive: Of no account here.
    """
    guarded = _guarded(code)
    spoken = {
        id(part)
        for node in ast.walk(code.tree)
        if (isinstance(node, ast.Call) and last_name(node.func) in _SPEAKS) or isinstance(node, ast.Raise)
        for part in ast.walk(node)
    }
    for node in ast.walk(code.tree):
        built = isinstance(node, ast.JoinedStr | ast.BinOp) or (
            isinstance(node, ast.Call) and last_name(node.func) in ("format", "join")
        )
        grown = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and len(code.bound.get(node.id, [])) == 1
        if not (built or grown) or id(node) in spoken or not isinstance(node, ast.expr):
            continue
        parts = code.pieces(node)
        told = "".join(part if isinstance(part, str) else "x" for part in parts)
        if _SQL.search(told) and any(
            not isinstance(part, str) and code.outside(part) and not (isinstance(part, ast.Name) and part.id in guarded)
            for part in parts
        ):
            yield node


def last_name(node: ast.expr) -> str:
    """The last part of a dotted name, whatever stands before it; empty where there is none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
