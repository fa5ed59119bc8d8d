"""Questions that are being asked: who asks the same meanwhile waits for that answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable
from typing import Generic, TypeVar

__all__ = ["InFlight"]

_Answer = TypeVar("_Answer")


class InFlight(Generic[_Answer]):
    """Makes one of equal questions that are asked at once."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Future[_Answer | None]] = {}

    async def answer(self, key: Hashable) -> _Answer | None:
        """Wait for whoever asks this already. None: nobody does any more, and there is no answer; ask for yourself."""
        while (asked := self._asked.get(key)) is not None:
            await asyncio.wait([asked])
            if (answer := asked.result()) is not None:
                return answer
        return None

    async def ask(self, key: Hashable, question: Awaitable[_Answer]) -> _Answer:
        """Ask, where :meth:`answer` has just given None. Raises what the question raises; who waits then asks anew."""
        self._asked[key] = asked = asyncio.get_running_loop().create_future()
        answer = None
        try:
            answer = given = await question
        finally:
            del self._asked[key]
            asked.set_result(answer)
        return given
