"""Boolean expressions over numbered bulbs: read from text, evaluated on a bit mask, written as text and in words.

The grammar is small on purpose, and text is never handed to Python's own evaluation::

    e = "True" | "False" | "B" number | "not" e | "(" e "and" e ")" | "(" e "or" e ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from .quotes import quote

__all__ = ["And", "Bulb", "Constant", "Expression", "ExpressionError", "Not", "Or", "in_words", "parse", "to_text"]

# Deep enough for any readable rule, shallow enough that recursion over a parsed tree cannot overflow the stack.
_MAX_DEPTH = 100

_TOKEN = re.compile(r"[()]|(?:True|False|not|and|or|B(?:0|[1-9][0-9]{0,5}))(?![A-Za-z0-9_])")
_SPACE = re.compile(r"[ \t\r\n]*")


class ExpressionError(ValueError):
    """A text is no expression of the grammar; the message says where and why, without naming the text's owner."""


@dataclass(frozen=True, slots=True)
class Constant:
    """``True`` or ``False``."""

    value: bool

    def holds(self, mask: int) -> bool:
        """Whether the expression is true in a state; bit k of ``mask`` says whether bulb k is on."""
        return self.value

    def bulbs(self) -> frozenset[int]:
        """The numbers of the bulbs that occur."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Bulb:
    """``Bk``: bulb k is on."""

    index: int

    def holds(self, mask: int) -> bool:
        """Whether the expression is true in a state; bit k of ``mask`` says whether bulb k is on."""
        return mask >> self.index & 1 == 1

    def bulbs(self) -> frozenset[int]:
        """The numbers of the bulbs that occur."""
        return frozenset((self.index,))


@dataclass(frozen=True, slots=True)
class Not:
    """``not e``."""

    operand: Expression

    def holds(self, mask: int) -> bool:
        """Whether the expression is true in a state; bit k of ``mask`` says whether bulb k is on."""
        return not self.operand.holds(mask)

    def bulbs(self) -> frozenset[int]:
        """The numbers of the bulbs that occur."""
        return self.operand.bulbs()


@dataclass(frozen=True, slots=True)
class And:
    """``(e and e)``."""

    left: Expression
    right: Expression

    def holds(self, mask: int) -> bool:
        """Whether the expression is true in a state; bit k of ``mask`` says whether bulb k is on."""
        return self.left.holds(mask) and self.right.holds(mask)

    def bulbs(self) -> frozenset[int]:
        """The numbers of the bulbs that occur."""
        return self.left.bulbs() | self.right.bulbs()


@dataclass(frozen=True, slots=True)
class Or:
    """``(e or e)``."""

    left: Expression
    right: Expression

    def holds(self, mask: int) -> bool:
        """Whether the expression is true in a state; bit k of ``mask`` says whether bulb k is on."""
        return self.left.holds(mask) or self.right.holds(mask)

    def bulbs(self) -> frozenset[int]:
        """The numbers of the bulbs that occur."""
        return self.left.bulbs() | self.right.bulbs()


Expression: TypeAlias = Constant | Bulb | Not | And | Or


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        """The next token, or an empty string at the end."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # it matches the empty string
        if self.at == len(self.text):
            return ""
        token = _TOKEN.match(self.text, self.at)
        if token is None:
            raise ExpressionError(f"character {self.at + 1} begins no word of the grammar: {self.rest()}")
        return token.group()

    def rest(self) -> str:
        return quote(self.text[self.at :], 20)

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if token not in wanted:
            found = f"comes {self.rest()}" if token else "it ends"
            raise ExpressionError(f"at character {self.at + 1} {' or '.join(wanted)} is needed, but {found}")
        self.at += len(token)
        return token

    def expression(self, depth: int = 0) -> Expression:
        if depth > _MAX_DEPTH:
            raise ExpressionError(f"it is nested more than {_MAX_DEPTH} deep")
        token = self.peek()
        if not token or token in (")", "and", "or"):
            found = f"comes {self.rest()}" if token else "it ends"
            raise ExpressionError(f"at character {self.at + 1} a bulb, True, False, not or ( is needed, but {found}")
        self.at += len(token)
        if token in ("True", "False"):
            return Constant(token == "True")
        if token == "not":
            return Not(self.expression(depth + 1))
        if token != "(":
            return Bulb(int(token[1:]))
        left = self.expression(depth + 1)
        operator = self.take("and", "or")
        right = self.expression(depth + 1)
        self.take(")")
        return And(left, right) if operator == "and" else Or(left, right)


def parse(text: str) -> Expression:
    """Read an expression.

    Args:
        text: Text in the grammar of this module; spaces may stand between words.

    Returns:
        The expression as a tree.

    Raises:
        ExpressionError: The text does not follow the grammar, or is nested more than 100 deep.
    """
    parser = _Parser(text)
    expression = parser.expression()
    if parser.peek():
        raise ExpressionError(
            f"at character {parser.at + 1} it should end, but comes {parser.rest()}; "
            "two parts joined by and/or stand in parentheses"
        )
    return expression


def to_text(expression: Expression) -> str:
    """Write an expression in the grammar of this module; :func:`parse` reads it back to an equal tree."""
    match expression:
        case Constant(value):
            return str(value)
        case Bulb(index):
            return f"B{index}"
        case Not(operand):
            return f"not {to_text(operand)}"
        case And(left, right):
            return f"({to_text(left)} and {to_text(right)})"
        case Or(left, right):
            return f"({to_text(left)} or {to_text(right)})"


def _plain(expression: Expression, positive: bool = True) -> Expression:
    """An equivalent expression in which ``not`` stands before bulbs only and constants are gone or all that is left."""
    match expression:
        case Constant(value):
            return Constant(value == positive)
        case Bulb():
            return expression if positive else Not(expression)
        case Not(operand):
            return _plain(operand, not positive)
        case And(left, right) | Or(left, right):
            conjunction = isinstance(expression, And) == positive
            a, b = _plain(left, positive), _plain(right, positive)
            for this, other in ((a, b), (b, a)):
                if isinstance(this, Constant):
                    return other if this.value == conjunction else this
            return And(a, b) if conjunction else Or(a, b)


def _clause(expression: Expression, inside: type[And] | type[Or] | None) -> str:
    match expression:
        case Bulb(index):
            return f"B{index} is on"
        case Not(Bulb(index)):
            return f"B{index} is off"
        case And(left, right) | Or(left, right):
            kind = type(expression)
            joined = f"{_clause(left, kind)} {kind.__name__.lower()} {_clause(right, kind)}"
            return joined if inside in (None, kind) else f"({joined})"
        case _:
            raise AssertionError("negations and constants are resolved before")


def in_words(expression: Expression) -> str | None:
    """Say in English when an expression is true.

    Negations are moved to the bulbs, so that the words are only *is on*, *is off*, *and*, *or*, with parentheses where
    *and* and *or* meet.

    Args:
        expression: Any expression.

    Returns:
        A clause such as ``B1 is on and (B0 is off or B4 is on)``, the word ``always``, or None if it is never true
        because of a ``False`` in it.
    """
    plain = _plain(expression)
    if isinstance(plain, Constant):
        return "always" if plain.value else None
    return _clause(plain, None)
