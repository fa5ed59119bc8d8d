"""What came of running a program, and of testing one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Execution", "Outcome", "Reason", "Verdict"]

Outcome = Literal["ok", "error", "killed", "limit"]

Reason = Literal["", "assertion", "exception", "syntax", "import", "exit", "limit", "tests", "control"]


@dataclass(frozen=True, slots=True)
class Execution:
    """What came of running one program.

    Args:
        outcome: ``ok``: it ran to its end; ``error``: it raised an exception, which ``error`` and ``detail`` name;
            ``killed``: its process ended in another way (``os._exit``, a signal, a crash of the interpreter), whatever
            the exit status was; ``limit``: it hit one of the limits, which ``limits`` names.
        error: The exception's class, such as ``"ZeroDivisionError"``; empty without one.
        detail: The exception's message, or how the process ended; at most 2,000 characters.
        stdout: Standard output, the first `Limits.output_kb` of it.
        stderr: Standard error, likewise.
        value: What the called function returned, as plain data, or None. It is the program's own claim: nothing checks
            that it is true.
        cpu_s: Processor seconds of the process tree.
        wall_s: Seconds elapsed.
        limits: The limits hit, by their names in `Limits`.
    """

    outcome: Outcome
    error: str = ""
    detail: str = ""
    stdout: str = ""
    stderr: str = ""
    value: Any = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    limits: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it ran to its end."""
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of testing one candidate. Only ``passed`` scores.

    Args:
        status: ``passed``: all tests ran to their end, and the control confirmed it; ``failed``: ``reason`` says how;
            ``tampered``: the candidate passed the tests, and passed a comparison too that nothing can pass, so it is
            scored 0 and reported.
        reason: Why it did not pass; empty if it did. ``assertion``: a test's assertion did not hold; ``exception``:
            the candidate raised one that a test did not expect; ``syntax``: it does not parse; ``import``: it wants a
            module that is not there; ``exit``: its process ended before the tests did, with whatever exit status;
            ``limit``: ``limits`` names them; ``tests``: the tests themselves are at fault (they do not parse, hold no
            test, or fail before they reach the candidate); ``control``: the candidate passed once, and failed when
            the same tests ran again for the control, so that it cannot be confirmed.
        error: The exception's class, where there was one.
        detail: Its message, or how the process ended; at most 2,000 characters.
        test: The test function that did not pass (``"test"``, ``"test_empty"``); empty if it passed.
        line: The line of the tests that did not hold, from 1; 0 where there is none.
        tests: Test functions that ran to their end.
        comparisons: Comparisons that the control put to the candidate's own objects; with 0 all of them were between
            plain values, on which a candidate has no influence.
        executions: Executions made: 1, or 2 with the control.
        stdout: The candidate's standard output in the run that decided, the first `Limits.output_kb` of it.
        stderr: Its standard error, likewise.
        cpu_s: Processor seconds of the candidate and its tests, over all executions.
        wall_s: Seconds elapsed, over all executions.
        limits: The limits hit, by their names in `Limits`.
    """

    status: Literal["passed", "failed", "tampered"]
    reason: Reason = ""
    error: str = ""
    detail: str = ""
    test: str = ""
    line: int = 0
    tests: int = 0
    comparisons: int = 0
    executions: int = 0
    stdout: str = ""
    stderr: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    limits: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether it passed the tests and the control."""
        return self.status == "passed"

    @property
    def tampered(self) -> bool:
        """Whether it passed what nothing can pass."""
        return self.status == "tampered"
