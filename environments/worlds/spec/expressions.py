"""The expressions of specifications: a small language of our own, parsed, checked and run without Python's.

    expression  = choice [ "if" choice "else" expression ]
    choice      = conjunct { "or" conjunct }           conjunct = negation { "and" negation }
    negation    = "not" negation | comparison
    comparison  = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum ]
    sum         = product { ("+" | "-") product }      product  = sign { ("*" | "/" | "//" | "%") sign }
    sign        = "-" sign | atom
    atom        = number | 'word' | true | false | name | name "[" expression "]" "." name
                | function "(" expression { "," expression } ")" | fold "(" name "." name ")" | "(" expression ")"

Functions are ``abs``, ``floor``, ``min``, ``max``, ``round(x, digits)`` and ``clip(x, low, high)``; folds over all
entities of a kind are ``sum``, ``least``, ``most``, ``count``, ``any`` and ``all``. Values are numbers, flags and
words; each expression has one kind, known before it runs. Nothing raises when it runs: a division by zero gives 0, an
index outside its range the nearest entity.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

__all__ = ["Compiled", "ExpressionError", "Frame", "Kind", "Scope", "compile_expression"]

Kind = Literal["number", "flag", "word"]

LONGEST = 400
"""Characters of an expression."""

_DEEPEST = 24
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)|'(?P<word>[^']*)'|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>==|!=|<=|>=|//|[-+*/%<>()\[\].,]))"
)
_KEYWORDS = frozenset({"if", "else", "or", "and", "not", "true", "false"})


class ExpressionError(ValueError):
    """What is wrong with an expression, and what to do."""


class Frame:
    """What an expression reads when it runs: values of variables, level parameters, an action's and chance's values."""

    __slots__ = ("args", "chance", "clock", "params", "values")

    def __init__(self, values: Any, params: Any, clock: int = 0, args: Any = None, chance: Any = None) -> None:
        self.values, self.params, self.clock = values, params, clock
        self.args = args or {}
        self.chance = chance or {}


Run = Callable[[Frame], Any]


class Compiled(NamedTuple):
    """An expression that can run.

    Attributes:
        kind: Of its value.
        run: Gives the value in a frame; never raises.
    """

    kind: Kind
    run: Run


@dataclass(frozen=True)
class Scope:
    """Names that an expression may use.

    Args:
        variables: Slot in the frame's values, and kind, by name.
        entities: By kind of entity: how many there are, and of each variable the first slot and its kind; entity i has
            slot first + i.
        params: Kind by name.
        args: Kind of the action's parameters by name.
        chance: Kind of the chance variables by name.
        words: All words there are: a quoted word that is none of them is a slip.
        clock: Whether ``clock`` may be read.
    """

    variables: Mapping[str, tuple[int, Kind]] = field(default_factory=dict)
    entities: Mapping[str, tuple[int, Mapping[str, tuple[int, Kind]]]] = field(default_factory=dict)
    params: Mapping[str, Kind] = field(default_factory=dict)
    args: Mapping[str, Kind] = field(default_factory=dict)
    chance: Mapping[str, Kind] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    clock: bool = True

    def names(self) -> list[str]:
        """All names."""
        clock = ["clock"] if self.clock else []
        return [*self.variables, *self.params, *self.args, *self.chance, *clock]


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise ExpressionError(f"cannot read {stripped[at:].lstrip()[:12]!r}; words stand in 'single quotes'")
        kind = match.lastgroup or ""
        found.append((kind, match.group(kind)))
        at = match.end()
    return found


def compile_expression(text: str, scope: Scope, wanted: Kind | None = None) -> Compiled:
    """Parse, check and compile an expression.

    Args:
        text: The expression, at most 400 characters.
        scope: The names that it may use.
        wanted: The kind that its value must have; None: any.

    Raises:
        ExpressionError: It cannot be parsed, uses an unknown name or word, or mixes kinds.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"is {len(text)} characters long; write at most {LONGEST}, and split it over rules")
    parser = _Parser(_tokens(text), scope)
    compiled = parser.expression(0)
    if parser.at < len(parser.tokens):
        raise ExpressionError(f"{parser.tokens[parser.at][1]!r} is left over after the expression")
    if wanted is not None and compiled.kind != wanted:
        raise ExpressionError(f"gives a {compiled.kind}, but a {wanted} is needed here")
    return compiled


FUNCTIONS: dict[str, tuple[int, int]] = {
    "abs": (1, 1), "floor": (1, 1), "min": (2, 9), "max": (2, 9), "round": (2, 2), "clip": (3, 3),
}  # fmt: skip
FOLDS: dict[str, Kind] = {
    "sum": "number", "least": "number", "most": "number", "count": "flag", "any": "flag", "all": "flag",
}  # fmt: skip


def _divide(a: float, b: float) -> float:
    return a / b if b else 0


def _whole(a: float, b: float) -> float:
    return a // b if b else 0


def _rest(a: float, b: float) -> float:
    return a % b if b else 0


class _Parser:
    """Recursive descent; every method returns a compiled part."""

    def __init__(self, tokens: list[tuple[str, str]], scope: Scope) -> None:
        self.tokens, self.scope, self.at = tokens, scope, 0

    def peek(self) -> str:
        """The next sign or keyword; empty at a number, word, other name or the end."""
        if self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            if kind == "sign" or (kind == "name" and text in _KEYWORDS):
                return text
        return ""

    def take(self, *signs: str) -> str:
        """Take one of some signs if it is next; else an empty string."""
        found = self.peek()
        if found in signs and found:
            self.at += 1
            return found
        return ""

    def need(self, sign: str) -> None:
        if not self.take(sign):
            got = repr(self.tokens[self.at][1]) if self.at < len(self.tokens) else "the end"
            raise ExpressionError(f"{sign!r} is missing before {got}")

    def name(self) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "name":
            self.at += 1
            return self.tokens[self.at - 1][1]
        raise ExpressionError("a name is missing")

    def expression(self, depth: int) -> Compiled:
        if depth > _DEEPEST:
            raise ExpressionError(f"is nested more than {_DEEPEST} deep; split it")
        value = self.either(depth)
        if not self.take("if"):
            return value
        condition = self._of(self.either(depth + 1), "flag", "the condition after 'if'")
        self.need("else")
        other = self.expression(depth + 1)
        if value.kind != other.kind:
            raise ExpressionError(f"'if' gives a {value.kind}, 'else' a {other.kind}: both must be of one kind")
        a, c, b = value.run, condition.run, other.run
        return Compiled(value.kind, lambda f: a(f) if c(f) else b(f))

    def _of(self, part: Compiled, kind: Kind, what: str) -> Compiled:
        if part.kind != kind:
            raise ExpressionError(f"{what} must be a {kind}, not a {part.kind}")
        return part

    def either(self, depth: int) -> Compiled:
        left = self.both(depth)
        while self.take("or"):
            a, b = self._of(left, "flag", "the left of 'or'").run, self._of(self.both(depth), "flag", "its right").run
            left = Compiled("flag", lambda f, a=a, b=b: a(f) or b(f))
        return left

    def both(self, depth: int) -> Compiled:
        left = self.negation(depth)
        while self.take("and"):
            a = self._of(left, "flag", "the left of 'and'").run
            b = self._of(self.negation(depth), "flag", "its right").run
            left = Compiled("flag", lambda f, a=a, b=b: a(f) and b(f))
        return left

    def negation(self, depth: int) -> Compiled:
        if self.take("not"):
            if depth > _DEEPEST:
                raise ExpressionError(f"is nested more than {_DEEPEST} deep; split it")
            a = self._of(self.negation(depth + 1), "flag", "what follows 'not'").run
            return Compiled("flag", lambda f: not a(f))
        return self.comparison(depth)

    def comparison(self, depth: int) -> Compiled:
        left = self.sum(depth)
        sign = self.take("==", "!=", "<", "<=", ">", ">=")
        if not sign:
            return left
        right = self.sum(depth)
        if left.kind != right.kind:
            raise ExpressionError(f"{sign!r} compares a {left.kind} with a {right.kind}")
        if sign not in ("==", "!=") and left.kind != "number":
            raise ExpressionError(f"{sign!r} compares numbers, not {left.kind}s")
        if self.peek() in ("==", "!=", "<", "<=", ">", ">="):
            raise ExpressionError("two comparisons in a row: join them by 'and'")
        a, b = left.run, right.run
        runs: dict[str, Run] = {
            "==": lambda f: a(f) == b(f),
            "!=": lambda f: a(f) != b(f),
            "<": lambda f: a(f) < b(f),
            "<=": lambda f: a(f) <= b(f),
            ">": lambda f: a(f) > b(f),
            ">=": lambda f: a(f) >= b(f),
        }
        return Compiled("flag", runs[sign])

    def sum(self, depth: int) -> Compiled:
        left = self.product(depth)
        while sign := self.take("+", "-"):
            a = self._of(left, "number", f"the left of {sign!r}").run
            b = self._of(self.product(depth), "number", f"the right of {sign!r}").run
            if sign == "+":
                left = Compiled("number", lambda f, a=a, b=b: a(f) + b(f))
            else:
                left = Compiled("number", lambda f, a=a, b=b: a(f) - b(f))
        return left

    def product(self, depth: int) -> Compiled:
        left = self.sign(depth)
        while sign := self.take("*", "/", "//", "%"):
            a = self._of(left, "number", f"the left of {sign!r}").run
            b = self._of(self.sign(depth), "number", f"the right of {sign!r}").run
            runs: dict[str, Run] = {
                "*": lambda f, a=a, b=b: a(f) * b(f),
                "/": lambda f, a=a, b=b: _divide(a(f), b(f)),
                "//": lambda f, a=a, b=b: _whole(a(f), b(f)),
                "%": lambda f, a=a, b=b: _rest(a(f), b(f)),
            }
            left = Compiled("number", runs[sign])
        return left

    def sign(self, depth: int) -> Compiled:
        if self.take("-"):
            if depth > _DEEPEST:
                raise ExpressionError(f"is nested more than {_DEEPEST} deep; split it")
            a = self._of(self.sign(depth + 1), "number", "what follows '-'").run
            return Compiled("number", lambda f: -a(f))
        return self.atom(depth)

    def atom(self, depth: int) -> Compiled:
        if self.take("("):
            inner = self.expression(depth + 1)
            self.need(")")
            return inner
        if self.take("true"):
            return Compiled("flag", lambda f: True)
        if self.take("false"):
            return Compiled("flag", lambda f: False)
        if self.at >= len(self.tokens):
            raise ExpressionError("ends too early")
        kind, text = self.tokens[self.at]
        if kind == "sign" or (text in _KEYWORDS and kind == "name"):
            raise ExpressionError(f"{text!r} stands where a value is needed")
        self.at += 1
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return Compiled("number", lambda f: number)
        if kind == "word":
            if text not in self.scope.words:
                raise ExpressionError(f"there is no word {text!r}{_near(text, self.scope.words)}")
            return Compiled("word", lambda f: text)
        if self.peek() == "(":
            return self.call(text, depth)
        if self.peek() == "[":
            return self.entity(text, depth)
        return self.lookup(text)

    def lookup(self, name: str) -> Compiled:
        scope = self.scope
        if name in scope.args:
            return Compiled(scope.args[name], lambda f: f.args[name])
        if name in scope.variables:
            slot, kind = scope.variables[name]
            return Compiled(kind, lambda f: f.values[slot])
        if name in scope.params:
            return Compiled(scope.params[name], lambda f: f.params[name])
        if name in scope.chance:
            return Compiled(scope.chance[name], lambda f: f.chance[name])
        if name == "clock" and scope.clock:
            return Compiled("number", lambda f: f.clock)
        if name in scope.entities:
            raise ExpressionError(f"{name!r} is an entity: write {name}[number].variable, or sum({name}.x)")
        raise ExpressionError(f"there is no name {name!r} here{_near(name, scope.names())}")

    def _entity(self, name: str) -> tuple[int, int, Kind]:
        """How many, first slot and kind of ``.variable`` that follows."""
        if name not in self.scope.entities:
            raise ExpressionError(f"there is no entity {name!r}{_near(name, self.scope.entities)}")
        count, variables = self.scope.entities[name]
        self.need(".")
        variable = self.name()
        if variable not in variables:
            raise ExpressionError(f"the entity {name!r} has no variable {variable!r}{_near(variable, variables)}")
        slot, kind = variables[variable]
        return count, slot, kind

    def entity(self, name: str, depth: int) -> Compiled:
        self.need("[")
        index = self._of(self.expression(depth + 1), "number", f"the number of a {name}").run
        self.need("]")
        count, slot, kind = self._entity(name)
        top = count - 1
        return Compiled(kind, lambda f: f.values[slot + min(max(int(index(f)), 0), top)])

    def call(self, name: str, depth: int) -> Compiled:
        self.need("(")
        if name in FOLDS:
            entity = self.name()
            count, slot, kind = self._entity(entity)
            self.need(")")
            if kind != FOLDS[name]:
                raise ExpressionError(f"{name}() takes {FOLDS[name]}s, not {kind}s")
            end = slot + count
            folds: dict[str, Callable[[Any], Any]] = {
                "sum": sum, "least": min, "most": max, "count": sum, "any": any, "all": all,
            }  # fmt: skip
            fold = folds[name]
            return Compiled("flag" if name in ("any", "all") else "number", lambda f: fold(f.values[slot:end]))
        if name not in FUNCTIONS:
            raise ExpressionError(f"there is no function {name!r}{_near(name, [*FUNCTIONS, *FOLDS])}")
        parts = [self.expression(depth + 1)]
        while self.take(","):
            parts.append(self.expression(depth + 1))
        self.need(")")
        least, most = FUNCTIONS[name]
        if not least <= len(parts) <= most:
            raise ExpressionError(f"{name}() takes {least} to {most} values, not {len(parts)}")
        runs = [self._of(part, "number", f"a value of {name}()").run for part in parts]
        a = runs[0]
        if name == "abs":
            return Compiled("number", lambda f: abs(a(f)))
        if name == "floor":
            return Compiled("number", lambda f: math.floor(a(f)))
        if name == "round":
            b = runs[1]
            return Compiled("number", lambda f: round(a(f), min(max(int(b(f)), 0), 9)))
        if name == "clip":
            b, c = runs[1], runs[2]
            return Compiled("number", lambda f: min(max(a(f), b(f)), c(f)))
        pick = min if name == "min" else max
        return Compiled("number", lambda f: pick([run(f) for run in runs]))


def _near(name: str, known: Any) -> str:
    known = sorted(known)
    near = get_close_matches(name, known, n=2, cutoff=0.6)
    if near:
        return f". Did you mean {' or '.join(repr(n) for n in near)}?"
    return f". There are: {', '.join(known[:20])}." if known else ". There are none."
