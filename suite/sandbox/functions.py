"""Small functions that a model wrote: checked, and called on plain data so that their answers can be had again.

A program of this kind is one top-level function, with imports from a short list of modules without side effects; of
these it gets what they offer, and not the modules that they use. The same source, arguments and seed give the same
answer under one version of Python: ``random`` is seeded, ``random.Random()`` too, sets of texts and numbers have one
order, and a program that goes on for too long is ended by a count of its lines, not by a clock. Limits on processor
time and memory stand behind that count, for what a single line can do; they are far from what a counted program needs.

What shows where an object lies in memory differs from process to process, and nothing keeps a program from it: the text
of an object that defines none (``repr(object())``), its hash, and the order of a set of such objects or, before
Python 3.12, of one with None. Who takes programs up can run them twice; that finds it where it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .execution import Execution
from .inside.function import PURE
from .limits import Limits
from .sandbox import Sandbox
from .tiers import SandboxFailure

__all__ = ["LIMITS", "PURE", "STEPS", "VERSION", "Answer", "Call", "call_function", "function_faults", "language"]

STEPS = 100_000
"""Lines that one call may run: about a fiftieth of a second of processor time, counted as they run."""

LIMITS = Limits(cpu_s=2, wall_s=120, memory_mb=256, processes=16, files=32, file_mb=1, output_kb=16, value_kb=256)
"""What all calls of one execution may use together."""

VERSION = 2
"""Raise it with any change to the language, its rules or its counting."""

_DRIVER = "from inside.function import call, faults\n"
_BUSY = f"def busy():\n    for n in range({STEPS // 2}):\n        n\n"


def language(name: str, parameters: Sequence[str]) -> str:
    """The rules as a model is told them.

    Args:
        name: The function's name.
        parameters: Names of its parameters.
    """
    return (
        f"Define one function {name}({', '.join(parameters)}) at the top level. It may import only {', '.join(PURE)}; "
        "it has no files, no clock, no network, no eval. It may run "
        f"{STEPS:,} lines a call. The same arguments must give the same answer: random is seeded, but the text or hash "
        "of an object that defines none differs each time."
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        arguments: By position: plain data.
        seed: Of ``random``, and of what it makes without a seed.
    """

    arguments: tuple[Any, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call. It is the program's word, and nothing more is taken of it.

    Attributes:
        value: What it returned, plain data.
        arguments: Its arguments as it left them.
        fault: Why there is no value, in a sentence; empty where there is one. It is the program's own failure.
    """

    value: Any = None
    arguments: tuple[Any, ...] = ()
    fault: str = ""


async def _fault(sandbox: Sandbox, execution: Execution) -> str:
    """Why a whole execution gave nothing; empty if it ended well.

    Raises:
        SandboxFailure: The machine was too busy to run it.
    """
    if execution.ok:
        return ""
    if execution.limits == ("wall_s",):
        # Time alone says nothing of a program. One of ours that makes as many lines as one may tells whether it was the
        # machine; if not, the program waits, for which this language has no word, but Python has.
        control = await sandbox.run(_DRIVER, call="call", args=(_BUSY, "busy", [([], 0)], 2 * STEPS), limits=LIMITS)
        if control.ok and control.wall_s < LIMITS.wall_s / 4:
            return f"it waited, and was ended after {execution.wall_s:.0f} s"
        raise SandboxFailure(
            f"a program got {execution.cpu_s:.2f} s of the processor in {execution.wall_s:.0f} s, and one of ours "
            f"needed {control.wall_s:.0f} s after it: the machine is too busy, which says nothing about the program"
        )
    if execution.limits:
        return f"it went over its limit of {' and '.join(execution.limits)}"
    return f"{execution.error}: {execution.detail}" if execution.error else execution.detail


async def function_faults(sandbox: Sandbox, source: str, name: str, parameters: int) -> str:
    """What keeps a source from being a function of this language. It is read inside the sandbox, and not run.

    Args:
        sandbox: Where.
        source: As a model wrote it.
        name: The function that it must define.
        parameters: How many arguments that takes.

    Returns:
        A sentence, empty where nothing is wrong.

    Raises:
        SandboxFailure: The sandbox failed.
    """
    execution = await sandbox.run(_DRIVER, call="faults", args=(source, name, parameters), limits=LIMITS)
    fault = await _fault(sandbox, execution)
    if fault:
        return f"it does not parse: {fault}"
    return execution.value if isinstance(execution.value, str) else "it does not parse"


async def call_function(
    sandbox: Sandbox, source: str, name: str, calls: Sequence[Call], *, steps: int = STEPS
) -> list[Answer]:
    """Call a function, each time in a fresh module, all times in one execution.

    Args:
        sandbox: Where.
        source: The program.
        name: The function.
        calls: Arguments and seeds. What one execution may use is shared by all of them.
        steps: Lines that each call may run.

    Returns:
        One answer for each call. Whatever the program does is an answer, and never an exception.

    Raises:
        SandboxFailure: The sandbox failed, or the machine was too busy; which says nothing about the program.
        ValueError: An argument is not plain data.
    """
    execution = await sandbox.run(
        _DRIVER,
        call="call",
        args=(source, name, [(list(one.arguments), one.seed) for one in calls], steps),
        limits=LIMITS,
    )
    fault = await _fault(sandbox, execution)
    if fault:
        return [Answer(fault=fault)] * len(calls)
    said = execution.value
    if not isinstance(said, list) or len(said) != len(calls):
        return [Answer(fault="it sent back no answer")] * len(calls)
    return [_answer(one) for one in said]


def _answer(said: Any) -> Answer:
    if not isinstance(said, list):
        return Answer(fault="it sent back no answer")
    if len(said) == 3 and said[0] == "ok" and isinstance(said[2], list):
        return Answer(said[1], tuple(said[2]))
    if len(said) == 3 and said[0] == "error":
        return Answer(fault=f"{said[1]}: {said[2]}".removesuffix(": "))
    return Answer(fault="it ran too many lines" if said == ["long"] else "it sent back no answer")
