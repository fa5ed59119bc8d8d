"""Runs *shipped* programs and mutants of them in this process, with a bound on their steps.

For the checks of our own items, whose code is ours: fast, the same everywhere, and no protection at all. What a
model wrote goes to the sandbox, never here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["FUEL", "Trial", "trial"]

FUEL = 150_000
"""Lines that a trial may execute."""


class _OutOfFuel(BaseException):
    """A trial took too many steps; no `except Exception` of a program may stop it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trial ended.

    Args:
        passed: Whether the tests ran to their end.
        reason: The error's class where they did not: ``AssertionError``, ``NameError``, ``fuel``, …
        steps: Lines executed, by the program and its tests.
    """

    passed: bool
    reason: str
    steps: int


def trial(code: str, tests: str, fuel: int = FUEL) -> Trial:
    """Run a program of ours and its tests.

    Args:
        code: The program.
        tests: A program that defines ``test()``; it sees the program's names.
        fuel: Lines that both may execute.

    Returns:
        How it ended.
    """
    left = fuel

    def trace(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        nonlocal left
        left -= 1
        # Not on the events of a generator that is thrown away half used (`any`, `all`): Python prints what is raised
        # there, forgets it, and traces no more, so that the program could run for ever.
        if left < 0 and event == "line":
            raise _OutOfFuel
        return trace

    before, limit = sys.gettrace(), sys.getrecursionlimit()
    space: dict[str, Any] = {"__name__": "candidate"}
    reason = ""
    try:
        programs = [compile(code, "<candidate>", "exec"), compile(tests, "<tests>", "exec")]
        depth = 0
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            depth, frame = depth + 1, frame.f_back
        sys.setrecursionlimit(depth + 400)
        sys.settrace(trace)
        for program in programs:
            exec(program, space)  # noqa: S102 - code that is shipped with this package, and mutants of it
        space["test"]()
    except _OutOfFuel:
        reason = "fuel"
    except Exception as error:  # noqa: BLE001 - whatever a mutant raises is its end, and told
        reason = type(error).__name__
    finally:
        # No result is made before this: its own lines would be counted too, and could be the ones too many.
        sys.settrace(before)
        sys.setrecursionlimit(limit)
    if left < 0:  # also where a program caught it, which ends the tracing
        return Trial(False, "fuel", fuel)
    return Trial(not reason, reason, fuel - left)
