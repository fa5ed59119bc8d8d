"""The sandbox as a caller sees it: open one, run programs, judge candidates."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from .execution import Execution, Verdict
from .inside.values import Codec, Unreadable
from .interpreter import examined
from .limits import Limits
from .tiers import SandboxUnavailable, available
from .worker import Report, Worker

__all__ = ["Sandbox", "open_sandbox"]

_REASONS = frozenset(("assertion", "exception", "syntax", "import", "exit", "tests"))


class Sandbox:
    """Runs programs and judges candidates; each in a fresh process that shares no state with another.

    Made by `open_sandbox`. Its methods may be awaited concurrently; `workers` of them run at once, the others wait.
    """

    def __init__(
        self,
        kind: Literal["bubblewrap", "process"],
        *,
        python: str | Path | None = None,
        limits: Limits | None = None,
        workers: int | None = None,
        packages: Sequence[str] = (),
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.kind: Literal["bubblewrap", "process"] = kind
        self.limits = limits or Limits()
        self.workers = workers or len(os.sched_getaffinity(0))
        self.packages = tuple(packages)
        self._python = None if python is None else str(python)
        self._slots: asyncio.Queue[dict[int, Worker]] = asyncio.Queue()
        self._all: list[dict[int, Worker]] = []

    async def __aenter__(self) -> Sandbox:
        self._interpreter = await asyncio.to_thread(examined, self._python)
        for _ in range(self.workers):
            slot: dict[int, Worker] = {}
            self._all.append(slot)
            self._slots.put_nowait(slot)
        return self

    async def __aexit__(self, *_: object) -> None:
        for slot in self._all:
            for worker in slot.values():
                await asyncio.to_thread(worker.stop)

    async def _do(self, mode: Literal["run", "judge"], limits: Limits | None, sources: str, *payloads: bytes) -> Report:
        # A process forks faster the less it holds, so what needs no package gets a parent without any.
        need = max(
            (n + 1 for n, name in enumerate(self.packages) if re.search(rf"\b{re.escape(name)}\b", sources)), default=0
        )
        slot = await self._slots.get()
        try:
            worker = slot.get(need)
            if worker is None:
                worker = slot[need] = Worker(self.kind, self._interpreter, self.limits, self.packages[:need])
            worker.start()
            job = asyncio.ensure_future(asyncio.to_thread(worker.do, mode, limits or self.limits, payloads))
            try:
                return await asyncio.shield(job)
            except asyncio.CancelledError:
                # The thread goes on until the job's limit; ending its parent ends it now.
                worker.abandon()
                await asyncio.wait([job])
                raise
        finally:
            self._slots.put_nowait(slot)

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
        codec = Codec(_refuse, _refuse)
        job = {
            "source": source,
            "call": call,
            "args": codec.encode(list(args)),
            "kwargs": codec.encode(dict(kwargs or {})),
            "files": dict(files or {}),
        }
        report = await self._do("run", limits, source, json.dumps(job).encode())
        return _execution(report)

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
        verdict = await self._judge_once(candidate, tests, limits, control=False)
        # Comparisons between plain values are made by the tests' process alone: no control could come out otherwise.
        if not verdict.passed or not control or not verdict.comparisons:
            return verdict
        again = await self._judge_once(candidate, tests, limits, control=True)
        both = {
            "executions": 2,
            "cpu_s": verdict.cpu_s + again.cpu_s,
            "wall_s": verdict.wall_s + again.wall_s,
        }
        if again.passed:
            return replace(verdict, **both)
        if again.tampered:
            return replace(again, **both)
        detail = f"it passed once; under the control: {again.reason} {again.error} {again.detail}".strip()
        return replace(again, reason="control", detail=detail[:2000], **both)

    async def _judge_once(self, candidate: str, tests: str, limits: Limits | None, *, control: bool) -> Verdict:
        payloads = ({"source": candidate}, {"tests": tests, "control": control})
        report = await self._do(
            "judge", limits, candidate + tests, *(json.dumps(payload).encode() for payload in payloads)
        )
        return _verdict(report)


def open_sandbox(
    kind: Literal["auto", "bubblewrap", "process"] = "auto",
    *,
    python: str | Path | None = None,
    limits: Limits | None = None,
    workers: int | None = None,
    packages: Sequence[str] = ("numpy", "scipy", "sklearn"),
) -> AbstractAsyncContextManager[Sandbox]:
    """Open a sandbox for the length of an ``async with``.

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
    if kind == "process":
        return Sandbox("process", python=python, limits=limits, workers=workers, packages=packages)
    if kind not in ("auto", "bubblewrap"):
        raise ValueError(f"the sandbox must be 'auto', 'bubblewrap' or 'process', got {kind!r}")
    return _Tried("bubblewrap", python=python, limits=limits, workers=workers, packages=packages)


class _Tried(Sandbox):
    """A sandbox that refuses to open where its tier does not work."""

    async def __aenter__(self) -> Sandbox:
        tier = (await asyncio.to_thread(available))[0]
        if not tier.usable:
            raise SandboxUnavailable(
                f"code that a model wrote is not run here without a boundary: bubblewrap is {tier.detail}. "
                "The sandbox 'process' has limits only and must be asked for by name."
            )
        return await super().__aenter__()


def _refuse(value: object) -> Any:
    raise ValueError(f"{value!r} is not plain data, and cannot go into the sandbox or out of it")


def _refuse_unread(value: object) -> Any:
    raise Unreadable(f"{value!r} is not plain data")


def _limits_hit(facts: dict[str, Any], error: str) -> tuple[str, ...]:
    hit = [name for name in facts.get("limits", ()) if isinstance(name, str)]
    if error == "MemoryError" and "memory_mb" not in hit:
        hit.append("memory_mb")
    return tuple(hit)


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        return f"its process was ended by signal {-status}"
    return f"its process ended by itself with status {status}"


def _said(report: Report) -> dict[str, Any]:
    try:
        said = json.loads(report.said)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _execution(report: Report) -> Execution:
    said, facts = _said(report), report.facts
    outcome, value, detail = said.get("outcome"), None, str(said.get("detail", ""))[:2000]
    error = str(said.get("error", ""))[:200]
    limits = _limits_hit(facts, error)
    if limits:
        outcome = "limit"
    elif outcome not in ("ok", "error") or facts.get("status") != 0:
        outcome, error, detail = "killed", "", _ending(facts.get("status"))
    elif outcome == "ok":
        try:
            value = Codec(_refuse_unread, _refuse_unread).decode(said.get("value"))
        except Unreadable as fault:
            outcome, detail = "killed", f"what it sent back is no value: {fault}"
    return Execution(
        outcome,
        error,
        detail,
        report.stdout,
        report.stderr,
        value,
        round(facts.get("cpu_s", 0.0), 6),
        round(report.wall_s, 6),
        limits,
    )


def _verdict(report: Report) -> Verdict:
    said, facts = _said(report), report.facts
    status, reason = said.get("status"), said.get("reason", "")
    error, detail = str(said.get("error", "")), str(said.get("detail", ""))
    limits = _limits_hit(facts, error)
    if status == "tampered":
        reason = ""
    elif limits:
        status, reason = "failed", "limit"
    elif status != "passed":
        if status != "failed" or reason not in _REASONS:
            detail = f"the tests did not end: {_ending(facts.get('tests_status'))}"
        status, reason = "failed", reason if reason in _REASONS else "exit"
        if reason == "exit" and "is gone" in detail:
            detail = _ending(facts.get("status"))
    return Verdict(
        status,
        reason,
        error,
        detail[:2000],
        str(said.get("test", "")) if status == "failed" else "",
        int(said.get("line", 0)),
        int(said.get("tests", 0)),
        int(said.get("comparisons", 0)),
        1,
        report.stdout,
        report.stderr,
        round(facts.get("cpu_s", 0.0), 6),
        round(report.wall_s, 6),
        limits,
    )
