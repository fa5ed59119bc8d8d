"""Trials of what a model wrote: the same as of shipped programs, line for line, but inside the sandbox's boundary."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

from .. import trial as trial_module
from ..checks import Run
from ..trial import Trial

if TYPE_CHECKING:
    from ....suite.sandbox import Sandbox

__all__ = ["bounded_run", "bounded_trial"]

_CALL = """

def _tried(code, tests, fuel):
    ran = trial(code, tests, fuel)
    return [ran.passed, ran.reason, ran.steps]
"""


async def bounded_trial(sandbox: Sandbox, code: str, tests: str, fuel: int) -> Trial:
    """Run a program and its tests within a bound on their lines, in a fresh process of the sandbox.

    What :func:`.trial.trial` would say, without its danger. Program and tests share the process, so a program that
    means to can pass by deceit; whoever publishes a verdict asks :meth:`.Sandbox.judge` as well.

    Args:
        sandbox: Where.
        code: The program.
        tests: A program that defines ``test()``.
        fuel: Lines that both may execute.

    Raises:
        SandboxFailure: The sandbox itself failed.
    """
    source = inspect.getsource(trial_module) + _CALL
    ran = await sandbox.run(source, call="_tried", args=(code, tests, fuel))
    value = ran.value
    if not ran.ok or not isinstance(value, list) or len(value) != 3:
        return Trial(False, ran.error or ran.outcome, 0)
    passed, reason, steps = value
    return Trial(passed is True, str(reason), steps if isinstance(steps, int) else 0)


def bounded_run(sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> Run:
    """What checks call to run programs, from a thread beside the event loop of the sandbox.

    Equal questions are asked once.
    """
    known: dict[tuple[str, str, int], Trial] = {}

    def run(code: str, tests: str, fuel: int) -> Trial:
        key = (code, tests, fuel)
        if key not in known:
            asked = bounded_trial(sandbox, code, tests, fuel)
            known[key] = asyncio.run_coroutine_threadsafe(asked, loop).result()
        return known[key]

    return run
