"""The sandbox as a caller sees it: open one, run programs, judge candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal

from .execution import Execution, Verdict
from .limits import Limits
from .tiers import SandboxUnavailable

__all__ = ["Sandbox", "open_sandbox"]


class Sandbox:
    """Runs programs and judges candidates; each in a fresh process that shares no state with another.

    Made by `open_sandbox`. Its methods may be awaited concurrently; `workers` of them run at once, the others wait.
    """

    kind: Literal["bubblewrap", "process"]
    """The tier that it runs on."""

    limits: Limits
    """The limits of an execution that names none of its own."""

    async def run(
        self,
        source: str,
        *,
        call: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Execution:
        """Run a program, and optionally call one of its functions.

        Args:
            source: Python source; runs as a module named ``candidate``, so a ``__main__`` guard does not fire.
            call: A function that the source defines, called once the module has run; its return value comes back.
            args: Its positional arguments: plain data (None, numbers, text, bytes, lists, tuples, sets, dicts, arrays).
            kwargs: Its keyword arguments, likewise.
            files: Files by relative name to find in the working directory.
            limits: Other limits than the sandbox's.

        Returns:
            What came of it. A program that fails, or hits a limit, is an `Execution` and never an exception.

        Raises:
            SandboxFailure: The sandbox itself failed, which says nothing about the program.
            ValueError: An argument is not plain data.
        """
        raise NotImplementedError

    async def judge(
        self,
        candidate: str,
        tests: str,
        *,
        limits: Limits | None = None,
        control: bool = True,
    ) -> Verdict:
        """Test a candidate.

        The candidate and its tests run in two processes that cannot see each other: the tests hold stand-ins for the
        candidate's names, arguments and results travel as plain data, and the verdict comes from the tests' process,
        which the candidate has no way to write to. A pass is run once more as a control: every comparison that the
        candidate's own objects answer is put to them with a wrong value of the expected type, and with a fresh object
        that equals nothing. One that holds makes the candidate ``tampered``.

        Args:
            candidate: Python source, run as a module named ``candidate``.
            tests: Python source that uses the candidate's names without importing them. Its functions ``test`` and
                ``test_*`` without parameters run in order of their definition; without one, the module itself is the
                test. Names that only the candidate imports (``np``, ``math``) are found too.
            limits: Other limits than the sandbox's.
            control: Whether a pass is run again as a control. Off only to measure what the control costs: a pass
                without it is no verdict to publish.

        Returns:
            The verdict. Whatever a candidate does is a `Verdict` and never an exception.

        Raises:
            SandboxFailure: The sandbox itself failed, which says nothing about the candidate.
        """
        raise NotImplementedError


def open_sandbox(
    kind: Literal["auto", "bubblewrap", "process"] = "auto",
    *,
    python: str | Path | None = None,
    limits: Limits | None = None,
    workers: int | None = None,
    packages: Sequence[str] = ("numpy", "scipy", "sklearn"),
) -> AbstractAsyncContextManager[Sandbox]:
    """Open a sandbox: ``async with open_sandbox() as sandbox``.

    Args:
        kind: ``auto`` takes ``bubblewrap`` or refuses. ``process`` is no boundary (limits only) and is never taken
            unless it is named.
        python: The interpreter that runs candidates and tests (3.9 or later), by its path or its virtual
            environment's; default this one. The scientific packages are those that it has.
        limits: The limits of an execution that names none of its own.
        workers: Executions at once; default the number of usable processors.
        packages: Packages imported once in the warm parent, where the interpreter has them, for candidates that name
            them.

    Returns:
        A context manager whose value is the `Sandbox`; leaving it ends all its processes.

    Raises:
        SandboxUnavailable: On entering: the tier cannot be had on this machine; the message says why and what to do.
    """
    raise SandboxUnavailable(f"the sandbox {kind} is not built yet")
