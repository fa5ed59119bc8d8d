"""Verdicts of one run, remembered: the same program under the same tests is judged once."""

from __future__ import annotations

import asyncio
import hashlib
import json

from .execution import Verdict
from .limits import Limits
from .sandbox import Sandbox

__all__ = ["Verdicts"]

_MOST = 20_000
_MOST_OUTPUT = 2**14


class Verdicts:
    """Judges candidates and remembers the verdicts, for as long as it lives: one run.

    A verdict is given again for the same candidate, tests, limits and control, known by a hash of their content. Equal
    questions that are open at the same time are asked once. What came of a limit is not kept, because another time it
    might not be hit; nor is a failure of the sandbox; nor a verdict with much output. A program that draws at random
    has one verdict therefore, and not one for each time that it was written.

    Args:
        sandbox: Where candidates run.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.asked = 0
        """Questions so far."""
        self.spared = 0
        """Those of them that were answered without running anything."""
        self._known: dict[bytes, Verdict] = {}
        self._running: dict[bytes, asyncio.Future[None]] = {}

    async def judge(self, candidate: str, tests: str, *, limits: Limits | None = None, control: bool = True) -> Verdict:
        """The verdict on a candidate; arguments and errors as for :meth:`.Sandbox.judge`."""
        self.asked += 1
        key = _key(candidate, tests, limits or self.sandbox.limits, control)
        while key in self._running:
            await asyncio.wait([self._running[key]])
        if key in self._known:
            self.spared += 1
            return self._known[key]
        done = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            verdict = await self.sandbox.judge(candidate, tests, limits=limits, control=control)
            if _lasts(verdict):
                self._known[key] = verdict
                if len(self._known) > _MOST:
                    del self._known[next(iter(self._known))]
            return verdict
        finally:
            del self._running[key]
            done.set_result(None)


def _key(candidate: str, tests: str, limits: Limits, control: bool) -> bytes:
    content = json.dumps([candidate, tests, limits.as_message(), control])
    return hashlib.sha256(content.encode()).digest()


def _lasts(verdict: Verdict) -> bool:
    small = len(verdict.stdout) + len(verdict.stderr) <= _MOST_OUTPUT
    return small and not verdict.limits and verdict.reason != "limit"
