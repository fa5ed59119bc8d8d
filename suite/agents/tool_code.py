"""Tools as programs: Python functions that a model wrote, run in the sandbox and nowhere else."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..records import Record
from ..sandbox.functions import PURE, STEPS, Call, call_function, function_faults
from ..sandbox.shared import shared_sandbox
from .clipping import clip
from .code_blocks import code_blocks
from .expressions import NUMBERS, ExpressionError, parse_call
from .placebo import filler

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FILLED",
    "LANGUAGE",
    "MOST_SOURCE",
    "CodeTool",
    "blank_tool",
    "parse_code_tools",
    "refusal",
    "use_code",
]

_OBSERVATION = "observation"

FILLED = (_OBSERVATION, NUMBERS)
"""Parameters that nobody gives: they are filled in with the turn's text and with the numbers in it."""

MOST_SOURCE = 2_000
"""Characters of one tool's source."""

LANGUAGE = (
    "A tool is a Python function in a ```python block of its own, with a docstring of one line that says what it is "
    f"for. A parameter named {_OBSERVATION} gets the turn's text, one named {NUMBERS} the list of all numbers in it; "
    "you give the others, as numbers. It returns a number, a list of numbers or a short text. It may import only "
    f"{', '.join(PURE)}; it has no files, no clock, no network, no eval, and may run {STEPS:,} lines."
)

_MOST_PARAMETERS = 6
_MOST_SAID = 200
_MOST_SEEN = 8_000
_MOST_TRIED = 8
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_DEF = re.compile(r"^(?:async[ \t]+)?def\b(?:[ \t]+(\w+)[ \t]*\()?", re.MULTILINE)
_PIECE = re.compile(r"""\"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*|.""", re.DOTALL)
_DOC = re.compile(r"(?:\"{3}|'{3})\s*(.*?)\s*(?:\"{3}|'{3}|\n)", re.DOTALL)


class CodeTool(Record):
    """A tool that is a program.

    Args:
        name: What it is called by: a lower-case word.
        parameters: Names of its arguments.
        source: The program.
        purpose: What it is for, in the words of who wrote it.
        uses: How often it was called in episodes that were learnt from.
        failures: How many of these calls had no value.
    """

    name: str
    parameters: tuple[str, ...]
    source: str
    purpose: str = ""
    uses: int = 0
    failures: int = 0

    @property
    def given(self) -> tuple[str, ...]:
        """The arguments that whoever calls it gives."""
        return tuple(name for name in self.parameters if name not in FILLED)

    @property
    def line(self) -> str:
        """How it is called and what for, as it is shown."""
        head = f"{self.name}({', '.join(self.given)})"
        return f"{head}  # {self.purpose}" if self.purpose else head


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and not keyword.iskeyword(text)


def _parameters(text: str) -> list[str] | None:
    """Names of the parameters of a function, from behind its opening bracket on; None where it is never closed."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(text):
        if piece in ")]}" and not depth:
            return [re.split(r"[:=]", part)[0].strip() for part in parts if part.strip()] if piece == ")" else None
        depth += (piece in "([{") - (piece in ")]}")
        if piece == "," and not depth:
            parts.append("")
        elif piece[0] != "#":
            parts[-1] += piece
    return None


def parse_code_tools(text: str) -> tuple[list[CodeTool], int]:
    """Read tools, one a fenced block: its last function. Nothing is run, and nothing of it is parsed as Python here.

    Args:
        text: What a model wrote; what is beyond 40,000 characters is not read.

    Returns:
        The tools, and how many blocks define a function and could not be read as a tool.
    """
    found: list[CodeTool] = []
    bad = 0
    for block in code_blocks(text):
        defined = list(_DEF.finditer(block))
        if not defined:
            continue
        name = defined[-1][1] or ""
        parameters = _parameters(block[defined[-1].end() :]) if _is_name(name) else None
        sound = parameters is not None and all(map(_is_name, parameters)) and len(set(parameters)) == len(parameters)
        if parameters is None or not sound or len(parameters) > _MOST_PARAMETERS or len(block) > MOST_SOURCE:
            bad += 1
            continue
        about = _DOC.search(block)
        purpose = clip(" ".join(about[1].split()), 120) if about else ""
        found.append(CodeTool(name=name, parameters=tuple(parameters), source=f"{block.strip()}\n", purpose=purpose))
    return found, bad


def _said(value: Any) -> str | None:
    """A tool's value as it is shown; None where it is none, as what is not a number or without bounds is."""
    if isinstance(value, str):
        return clip(" ".join(value.split()), _MOST_SAID)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        try:
            return f"{value:.6g}" if math.isfinite(value) else None
        except OverflowError:
            return None
    if isinstance(value, (list, tuple)):
        parts = [_said(one) if isinstance(one, (int, float)) else None for one in value[:20]]
        return None if None in parts else f"[{', '.join(part for part in parts if part)}]"
    return None


def _arguments(tool: CodeTool, given: dict[str, Any], seen: str, numbers: Sequence[float]) -> Call:
    filled = {_OBSERVATION: clip(seen, _MOST_SEEN), NUMBERS: list(numbers), **given}
    return Call(tuple(filled[name] for name in tool.parameters))


async def use_code(
    text: str, tools: Sequence[CodeTool], seen: str, numbers: tuple[float, ...]
) -> tuple[str | None, bool, str]:
    """Call a tool, in the sandbox.

    Args:
        text: The call, such as ``rise(1, numbers[0])``; its arguments are expressions of ours.
        tools: Those that there are.
        seen: The turn's text.
        numbers: The numbers in it.

    Returns:
        As :func:`.tools.use`: which tool was called, None if it is none of them; whether the call had a value; and what
        to say of it.

    Raises:
        SandboxFailure: The sandbox failed, which says nothing about the tool.
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
        pairs = [*zip(tool.given, call.given, strict=False), *call.named.items()]
        if len(call.given) > len(tool.given) or sorted(name for name, _ in pairs) != sorted(tool.given):
            raise ExpressionError(f"{tool.name} takes {', '.join(tool.given) or 'no arguments'}")
        given = {name: expression.evaluate({NUMBERS: numbers}) for name, expression in pairs}
    except ExpressionError as error:
        return tool.name, False, f"{shown}: {error}"
    request = _arguments(tool, given, seen, numbers)
    (answer,) = await call_function(await shared_sandbox(), tool.source, tool.name, [request])
    said = None if answer.fault else _said(answer.value)
    if said is None:
        return tool.name, False, f"{shown}: {clip(answer.fault or 'it returned no number, list or text', _MOST_SAID)}"
    return tool.name, True, f"{shown} = {said}"


async def refusal(tool: CodeTool, turns: Sequence[tuple[str, tuple[float, ...]]]) -> str:
    """Why a program is not taken up as a tool.

    It must be in the language. Where it takes nothing but what is filled in, it is also run, in the sandbox, on what
    the episode showed (8 turns, from its beginning), twice: it must have a value at each, the same both times.

    Args:
        tool: As it was read.
        turns: Texts, and the numbers in them.

    Returns:
        A sentence, empty where it is taken.

    Raises:
        SandboxFailure: The sandbox failed.
    """
    sandbox = await shared_sandbox()
    fault = await function_faults(sandbox, tool.source, tool.name, len(tool.parameters))
    if fault or tool.given or not turns:
        return fault
    calls = [_arguments(tool, {}, seen, numbers) for seen, numbers in turns[:_MOST_TRIED]]
    first, second = [await call_function(sandbox, tool.source, tool.name, calls) for _ in range(2)]
    for number, answer in enumerate(first, 1):
        if answer.fault:
            return f"turn {number}: {answer.fault}"
        if _said(answer.value) is None:
            return f"turn {number}: it returned no number, list or text"
    return "" if first == second else "it says something else when it is run again"


def blank_tool(tool: dict[str, Any], name: str, parameters: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    """A tool of another name and about as long that is worth 0, whatever it is asked.

    Args:
        tool: As plain data.
        name: Its new name.
        parameters: Its new parameters.
        rng: Chooses the words.
    """
    program = f"def {name}({', '.join(parameters)}):\n    return 0\n"
    rest = len(tool["source"]) - len(program)
    program += "# " + filler(rest - 2, rng) if rest > 2 else ""
    purpose = filler(len(tool["purpose"]), rng)
    return {**tool, "name": name, "parameters": list(parameters), "source": program, "purpose": purpose}
