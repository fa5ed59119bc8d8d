"""Plays samples in this process: the executor that every run has unless another one is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..broker import Broker
from .base import Executor, open_at_once

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..plan import Plan
    from ..player import Played, Player
    from ..schedule import Unit

__all__ = ["LocalExecutor"]


class LocalExecutor(Executor):
    """Plays samples in this process, with one backend.

    Args:
        player: Plays them.
        backend: Answers the prompts; started and closed here.
        plans: What will be played.
    """

    def __init__(self, player: Player, backend: Backend, plans: Sequence[Plan]) -> None:
        self._player, self._backend, self._plans = player, backend, plans
        self._broker: Broker | None = None
        self._open = False

    @property
    def broker(self) -> Broker:
        """Of the backend."""
        assert self._broker is not None, "the executor has not been started"
        return self._broker

    async def locate(self) -> dict[str, Any]:
        """Find the weights, and see that the tasks can be played on this machine."""
        await asyncio.to_thread(self._backend.locate)
        for plan in self._plans:
            plan.task.ready()
        return self._backend.identity()

    async def start(self) -> None:
        """Start the backend."""
        self._open = True
        await self._backend.start()
        self._broker = Broker(self._backend)

    def open_at_once(self, asked: int | None) -> int:
        """By what the backend makes good use of."""
        return open_at_once(self._player.spec, self._backend.capabilities.concurrency, asked)

    def keep_in(self, folder: Path) -> None:
        """In the run's own folder: what is stored there in the end has room there before."""
        self._player.folder = folder

    async def play(self, unit: Unit, attempt: int) -> Played:
        """Play one sample here and now."""
        return await self._player.play(unit, attempt, self.broker)

    def describe(self) -> dict[str, Any]:
        """What the backend says."""
        return self._backend.describe()

    async def aclose(self) -> None:
        """Close the backend, if it was started."""
        if self._open:
            self._open = False
            await self._backend.aclose()
