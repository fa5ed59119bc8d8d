"""Regular expressions that can take exponential time: an unbounded repeat within an unbounded repeat."""

from __future__ import annotations

import importlib
import re
import warnings
from typing import Any

__all__ = ["is_explosive"]

_ASCII = [chr(code) for code in range(128)]
_LONGEST = 2000


def is_explosive(pattern: str) -> bool:
    r"""Whether an unbounded repeat holds another one that can share its text with its own next turn.

    ``(a+)+`` and ``([a-z]+\.?)*`` do: what the inner repeat takes can be cut into turns of the outer one in
    exponentially many ways. ``([a-z]+\.)*`` does not: the full stop says where a turn ends. Possessive repeats and
    atomic groups do not either. Overlapping branches, as in ``(a|aa)+``, are not looked for.

    Args:
        pattern: As for :mod:`re`; one that :mod:`re` does not take is none.
    """
    if len(pattern) > _LONGEST:
        return False
    # The standard library's own parser has no public name. Where a release has none of this name, nothing is found,
    # which a test of ours shows.
    parser = importlib.import_module("re._parser")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    try:
        return _explosive(list(tree))
    except RecursionError:
        return False


def _children(node: tuple[Any, Any]) -> list[list[tuple[Any, Any]]]:
    """The sequences within a node of the parser's tree."""
    name, value = str(node[0]), node[1]
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [list(value[2])]
    if name == "SUBPATTERN":
        return [list(value[3])]
    if name == "BRANCH":
        return [list(part) for part in value[1]]
    if name in ("ASSERT", "ASSERT_NOT"):
        return [list(value[1])]
    if name == "ATOMIC_GROUP":
        return [list(value)]
    return []


def _unbounded(node: tuple[Any, Any]) -> bool:
    return str(node[0]) in ("MAX_REPEAT", "MIN_REPEAT") and str(node[1][1]) == "MAXREPEAT"


def _explosive(nodes: list[tuple[Any, Any]]) -> bool:
    for node in nodes:
        if _unbounded(node) and any(_shares(body) for body in _bodies(list(node[1][2]))):
            return True
        if any(_explosive(body) for body in _children(node)):
            return True
    return False


def _bodies(nodes: list[tuple[Any, Any]]) -> list[list[tuple[Any, Any]]]:
    """What one turn of a repeat may be: groups that are all of it opened, branches apart."""
    if len(nodes) == 1 and str(nodes[0][0]) in ("SUBPATTERN", "BRANCH"):
        return [body for child in _children(nodes[0]) for body in _bodies(child)]
    return [nodes]


def _shares(body: list[tuple[Any, Any]]) -> bool:
    """Whether a turn can be nothing but text that its inner unbounded repeat may take as well."""
    for index, node in enumerate(body):
        if not _unbounded(node):
            continue
        taken = _letters(list(node[1][2]))
        rest = [other for k, other in enumerate(body) if k != index]
        if taken and all(_empty([other]) or _letters([other]) & taken for other in rest):
            return True
    return False


def _empty(nodes: list[tuple[Any, Any]]) -> bool:
    """Whether a sequence can match the empty text."""
    for node in nodes:
        name, value = str(node[0]), node[1]
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            if value[0] > 0 and not _empty(list(value[2])):
                return False
        elif name == "SUBPATTERN" or name == "ATOMIC_GROUP":
            if not all(_empty(child) for child in _children(node)):
                return False
        elif name == "BRANCH":
            if not any(_empty(child) for child in _children(node)):
                return False
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
            return False
    return True


def _letters(nodes: list[tuple[Any, Any]]) -> frozenset[str]:
    """Letters of ASCII that a sequence of one letter can be; of longer ones, those that each of its parts can be."""
    found: frozenset[str] | None = None
    for node in nodes:
        name, value = str(node[0]), node[1]
        if name in ("LITERAL", "NOT_LITERAL"):
            own = frozenset(c for c in _ASCII if (ord(c) == value) == (name == "LITERAL"))
        elif name == "ANY":
            own = frozenset(_ASCII) - {"\n"}
        elif name == "IN":
            own = frozenset(c for c in _ASCII if _within(c, value))
        elif name == "BRANCH":
            own = frozenset[str]().union(*(_letters(child) for child in _children(node)))
        elif name in ("AT", "ASSERT", "ASSERT_NOT") or (children := _children(node)) == []:
            continue
        else:
            own = _letters(children[0])
        found = own if found is None else found & own
    return found or frozenset()


def _within(letter: str, parts: list[tuple[Any, Any]]) -> bool:
    """Whether a class of letters holds one."""
    code, inside, negated = ord(letter), False, False
    for part, value in parts:
        name = str(part)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            inside |= code == value
        elif name == "RANGE":
            inside |= value[0] <= code <= value[1]
        elif name == "CATEGORY":
            kind = str(value).removeprefix("CATEGORY_")
            known = {"DIGIT": letter.isdigit(), "SPACE": letter.isspace(), "WORD": letter.isalnum() or letter == "_"}
            inside |= known.get(kind, False) or (kind.startswith("NOT_") and not known.get(kind[4:], True))
    return inside != negated
