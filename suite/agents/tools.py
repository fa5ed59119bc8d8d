"""Tools that a model wrote: a name, parameters and an expression, defined and called in plain text."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from pydantic import field_validator, model_validator

from ..records import Record
from .clipping import clip
from .expressions import FUNCTIONS, NUMBERS, ExpressionError, Value, parse_call, parse_expression

__all__ = ["Tool", "find_numbers", "parse_tools", "use"]

MOST_PARAMETERS = 6
MOST_NUMBERS = 200
MOST_PURPOSE = 120

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d{1,15}(?:\.\d{1,15})?(?![\w])")
# One definition a line: `tool name(a, b) = expression # purpose`, with what models put around it.
_DEFINED = re.compile(
    r"^[\s`*>-]*(?:\d+[.)]\s*)?(?:(?:tool|def)\b:?\s*)?(\w{1,40})\s*\(([^()]*)\)\s*(?:=(?!=)|:)(.*)$", re.IGNORECASE
)


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and not keyword.iskeyword(text) and text not in (*FUNCTIONS, NUMBERS)


class Tool(Record):
    """A tool.

    Args:
        name: What it is called by: a lower-case word.
        parameters: Names of its arguments.
        expression: What it works out; see :func:`.expressions.parse_expression`.
        purpose: What it is for, in the words of who wrote it.
        uses: How often it was called in episodes that were learnt from.
        failures: How many of these calls had no value.
    """

    name: str
    parameters: tuple[str, ...]
    expression: str
    purpose: str = ""
    uses: int = 0
    failures: int = 0

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not _is_name(name):
            raise ValueError(f"{name[:40]!r} is no name for a tool: a lower-case word that is not taken")
        return name

    @model_validator(mode="after")
    def _readable(self) -> Tool:
        wrong = [name for name in self.parameters if not _is_name(name)]
        if wrong or len(set(self.parameters)) < len(self.parameters) or len(self.parameters) > MOST_PARAMETERS:
            raise ValueError(f"{self.name} needs up to {MOST_PARAMETERS} parameters, different lower-case words")
        parse_expression(self.expression, self.parameters)
        return self

    @property
    def line(self) -> str:
        """The definition, as it is shown."""
        head = f"{self.name}({', '.join(self.parameters)}) = {self.expression}"
        return f"{head}  # {self.purpose}" if self.purpose else head


def find_numbers(text: str) -> tuple[float, ...]:
    """The numbers of a text in their order, at most 200; what is part of a word (``S0``, ``v1.2.3``) is none."""
    return tuple(float(number) for number in _NUMBER.findall(text)[:MOST_NUMBERS])


def parse_tools(text: str) -> tuple[list[Tool], int]:
    """Read definitions, one a line; lines that define nothing are passed over.

    Args:
        text: What a model wrote.

    Returns:
        The tools, and how many lines looked like a definition and could not be read as one.
    """
    found: list[Tool] = []
    bad = 0
    for line in text.splitlines():
        match = _DEFINED.match(line[:1000])
        if match is None:
            continue
        body, _, purpose = match[3].partition("#")
        body = re.sub(r"^\s*return\b", "", body).strip(" \t`;")
        parameters = tuple(name.strip() for name in match[2].split(",") if name.strip())
        try:
            found.append(
                Tool(
                    name=match[1].lower(),
                    parameters=parameters,
                    expression=body,
                    purpose=clip(" ".join(purpose.split()), MOST_PURPOSE),
                )
            )
        except ValueError:  # of pydantic or of the expression
            bad += 1
    return found, bad


def use(text: str, tools: Sequence[Tool], numbers: tuple[float, ...]) -> tuple[str | None, bool, str]:
    """Call a tool.

    Args:
        text: The call, such as ``rise(1, 2)``.
        tools: Those that there are.
        numbers: What ``numbers`` stands for.

    Returns:
        Which tool was called, None if it is none of them; whether the call had a value; and what to say of it.
    """
    shown = clip(text, 80)
    try:
        call = parse_call(text)
    except ExpressionError as error:
        return None, False, f"{shown}: {error}"
    tool = next((tool for tool in tools if tool.name == call.name.lower()), None)
    if tool is None:
        return None, False, f"{shown}: there is no such tool; there is {', '.join(t.name for t in tools) or 'none'}"
    try:
        given = [*zip(tool.parameters, call.given, strict=False), *call.named.items()]
        names = [name for name, _ in given]
        if len(call.given) > len(tool.parameters) or sorted(names) != sorted(tool.parameters):
            raise ExpressionError(f"{tool.name} takes {', '.join(tool.parameters) or 'no arguments'}")
        values: dict[str, Value] = {NUMBERS: numbers}
        values |= {name: expression.evaluate({NUMBERS: numbers}) for name, expression in given}
        value = parse_expression(tool.expression, tool.parameters).evaluate(values)
    except ExpressionError as error:
        return tool.name, False, f"{shown}: {error}"
    row = value if isinstance(value, tuple) else (value,)
    text = ", ".join(f"{number:.6g}" for number in row[:20])
    return tool.name, True, f"{shown} = {f'[{text}]' if isinstance(value, tuple) else text}"
