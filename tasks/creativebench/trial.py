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
        if left < 0:
            raise _OutOfFuel
        return trace

    before, limit = sys.gettrace(), sys.getrecursionlimit()
    space: dict[str, Any] = {"__name__": "candidate"}
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
        return Trial(False, "fuel", fuel)
    except Exception as error:  # noqa: BLE001 - whatever a mutant raises is its end, and told
        return Trial(False, type(error).__name__, fuel - left)
    finally:
        sys.settrace(before)
        sys.setrecursionlimit(limit)
    return Trial(True, "", fuel - left)
