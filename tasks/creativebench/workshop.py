"""One sandbox for all episodes of an event loop, and what they ask of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast
from weakref import WeakKeyDictionary

from ...suite.errors import UsageError
from .novelty import Bank, Novelty, make_bank, novelty
from .slices import driven_async

if TYPE_CHECKING:
    from ...suite.sandbox import Sandbox, Verdict

__all__ = ["Workshop", "workshop"]

_KINDS = ("auto", "bubblewrap", "process")
_VARIABLE = "FINCHMARK_SANDBOX"


class Workshop:
    """Judges programs and measures their novelty. Equal questions are asked of the sandbox once.

    Args:
        sandbox: Where programs run.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._verdicts: dict[tuple[str, str], asyncio.Future[Verdict]] = {}
        self._banks: dict[tuple[str, ...], asyncio.Future[Bank]] = {}

    async def judge(self, code: str, tests: str) -> Verdict:
        """The verdict on a program, its control included."""
        key = (code, tests)
        if key not in self._verdicts:
            self._verdicts[key] = asyncio.ensure_future(self.sandbox.judge(code, tests))
        return await asyncio.shield(self._verdicts[key])

    async def novelty(self, code: str, tests: str, bank: Bank) -> Novelty:
        """The novelty of a program that passed."""
        verdict = await self.judge(code, tests)
        return await driven_async(novelty(code, bank), self._asker(tests, verdict.cpu_s))

    async def bank(self, programs: Sequence[str], tests: str, entries: Sequence[str]) -> Bank:
        """The bank of programs that are not ours, made in the sandbox; once for each problem."""
        key = (tests, *programs)
        if key not in self._banks:
            self._banks[key] = asyncio.ensure_future(self._make_bank(programs, tests, entries))
        return await asyncio.shield(self._banks[key])

    async def _make_bank(self, programs: Sequence[str], tests: str, entries: Sequence[str]) -> Bank:
        spent = max([(await self.judge(code, tests)).cpu_s for code in programs])
        return await driven_async(make_bank(programs, entries), self._asker(tests, spent))

    def _asker(self, tests: str, spent: float) -> _Asker:
        return _Asker(self.sandbox, tests, spent)


class _Asker:
    """Whether parts of one program pass. They get little more time than the whole took: many of them run for ever.

    No control is run: a part that passes without being sound makes the slice smaller, and a novelty only lower.
    """

    def __init__(self, sandbox: Sandbox, tests: str, spent: float) -> None:
        from dataclasses import replace

        self._sandbox, self._tests = sandbox, tests
        cpu = min(sandbox.limits.cpu_s, 0.5 + 3.0 * spent)
        self._limits = replace(sandbox.limits, cpu_s=cpu, wall_s=min(sandbox.limits.wall_s, 2.0 + 4.0 * cpu))
        self._known: dict[str, bool] = {}

    async def __call__(self, code: str) -> bool:
        if code not in self._known:
            verdict = await self._sandbox.judge(code, self._tests, limits=self._limits, control=False)
            self._known[code] = verdict.passed
        return self._known[code]


_open: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[Workshop]] = WeakKeyDictionary()
_keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


async def workshop() -> Workshop:
    """The workshop of the running event loop; its sandbox closes when the loop ends its tasks, as ``asyncio.run`` does.

    The environment variable ``FINCHMARK_SANDBOX`` names the sandbox's tier: ``auto`` (a boundary or nothing),
    ``bubblewrap``, or ``process``, which is no boundary and must be asked for by name.

    Raises:
        UsageError: The variable names no tier, or there is none on this machine.
    """
    loop = asyncio.get_running_loop()
    if loop not in _open:
        ready: asyncio.Future[Workshop] = loop.create_future()
        _open[loop] = ready
        _keepers[loop] = loop.create_task(_keep(ready))
    return await asyncio.shield(_open[loop])


async def _keep(ready: asyncio.Future[Workshop]) -> None:
    """Hold the sandbox open until the loop cancels its tasks."""
    from ...suite.sandbox import open_sandbox

    kind = os.environ.get(_VARIABLE, "auto")
    try:
        if kind not in _KINDS:
            raise UsageError(f"{_VARIABLE}={kind}: there is no such sandbox; there are {', '.join(_KINDS)}.")
        async with open_sandbox(cast("Literal['auto', 'bubblewrap', 'process']", kind)) as sandbox:
            ready.set_result(Workshop(sandbox))
            await asyncio.Event().wait()
    except Exception as error:  # noqa: BLE001 - whoever waits gets it
        if not ready.done():
            ready.set_exception(error)
