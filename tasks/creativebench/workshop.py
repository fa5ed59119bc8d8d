"""One sandbox for all episodes of an event loop, and what they ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ...suite.errors import StoreError
from .banks import BANKS, load_bank
from .novelty import Bank, Novelty, make_bank, novelty
from .problem import Problem
from .slices import driven_async

if TYPE_CHECKING:
    from ...suite.sandbox import Sandbox, Verdict

__all__ = ["Workshop", "workshop"]


class Workshop:
    """Judges programs and measures their novelty. Equal questions are asked of the sandbox once.

    Args:
        sandbox: Where programs run.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        from ...suite.sandbox.verdicts import Verdicts

        self.sandbox = sandbox
        self._verdicts = Verdicts(sandbox)
        self._banks: dict[tuple[str, ...], asyncio.Future[Bank]] = {}

    async def judge(self, code: str, tests: str) -> Verdict:
        """The verdict on a program, its control included."""
        return await self._verdicts.judge(code, tests)

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

    async def bank_of(self, problem: Problem, folder: Path = BANKS) -> Bank:
        """The stored bank of one of our problems; made here where there is none, as of one that was just added."""
        try:
            return load_bank(problem, folder)
        except StoreError:
            return await self.bank(problem.bank, problem.tests, problem.entries)

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


_shops: WeakKeyDictionary[asyncio.AbstractEventLoop, Workshop] = WeakKeyDictionary()


async def workshop() -> Workshop:
    """The workshop of the running event loop, over the loop's one sandbox; see :mod:`.sandbox.shared`.

    Raises:
        UsageError: ``FINCHMARK_SANDBOX`` names no tier, or there is none on this machine.
    """
    from ...suite.sandbox.shared import shared_sandbox

    sandbox = await shared_sandbox()
    loop = asyncio.get_running_loop()
    if loop not in _shops or _shops[loop].sandbox is not sandbox:
        _shops[loop] = Workshop(sandbox)
    return _shops[loop]
