"""A station: the driver's side of one worker, from the asking for a place on the cluster to its loss."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from .cluster import explain, need_ray
from .dispatch import Dispatch, Seat
from .order import code_hash
from .worker import Harvest, Located, Trouble, Worker

__all__ = ["SILENT_S", "TAKE_S", "Station", "Unfit", "WorkerLost", "differs"]

TAKE_S = 5.0
"""Seconds between two signs of life of a worker that has nothing to hand over."""
SILENT_S = 300.0
"""Seconds of silence after which a worker is killed: its process is stopped, or its node cannot be reached."""


class WorkerLost(Exception):
    """The worker's process or node is gone."""


class Unfit(Exception):
    """The worker is there and cannot play.

    Args:
        trouble: Why.
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.text)
        self.trouble = trouble


class Station:
    """One worker, as the driver sees it. A lost worker is replaced by a new one in the same station.

    Args:
        number: Names it in messages.
        resources: What the worker gets, as ``options`` of an actor.
        order: The object of the order on the cluster.
    """

    def __init__(self, number: int, resources: dict[str, Any], order: Any) -> None:
        self.number = number
        self.seat = Seat(number)
        self.pid = 0
        self.hiring = False
        """Whether it waits for a place on the cluster."""
        self.fruitless = 0
        """Workers in a row that were lost before they had played anything."""
        self.counts: dict[str, Any] = {}
        self.stats: dict[str, float] = {}
        self.notice = ""
        self._resources, self._order = resources, order
        self._actor: Any = None

    async def hire(self) -> dict[str, Any]:
        """Get a worker; waits until the cluster has a place.

        Returns:
            What it says of itself.

        Raises:
            WorkerLost: It ended before it said anything.
        """
        self.hiring = True
        remote = need_ray().remote(Worker).options(max_restarts=0, max_task_retries=0, **self._resources)
        self._actor = remote.remote()
        found = await self._call(self._actor.hello.remote())
        self.hiring = False
        self.pid = found["pid"]
        return found

    async def locate(self) -> Located:
        """Let the worker find what it needs.

        Raises:
            Unfit: It cannot.
            WorkerLost: It is gone.
        """
        return _needed(await self._call(self._actor.locate.remote(self._order)))

    async def start(self) -> int:
        """Let the worker load the model. Returns how many samples may be aboard.

        Raises:
            Unfit: It cannot.
            WorkerLost: It is gone.
        """
        return _needed(await self._call(self._actor.start.remote()))

    async def serve(self, dispatch: Dispatch) -> AsyncIterator[Harvest]:
        """Tell the worker what it is to play, and give what it has played, until it is lost.

        Raises:
            WorkerLost: It is gone.
        """
        telling = asyncio.create_task(self._tell(dispatch))
        try:
            while True:
                taking = asyncio.ensure_future(self._call(self._actor.take.remote(TAKE_S), SILENT_S))
                try:
                    await asyncio.wait({taking, telling}, return_when=asyncio.FIRST_COMPLETED)
                    if telling.done():
                        telling.result()
                    harvest: Harvest = await taking
                finally:
                    taking.cancel()
                self.stats, self.notice, self.counts = harvest.stats, harvest.notice, harvest.counts
                if harvest.results:
                    self.fruitless = 0
                yield harvest
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, WorkerLost):
                await telling

    async def _tell(self, dispatch: Dispatch) -> None:
        while True:
            await self.seat.wake.wait()
            told = dispatch.take(self.seat)
            if told:
                # One message at a time: what comes meanwhile goes with the next.
                await self._call(self._actor.give.remote(told), SILENT_S)

    async def _call(self, reference: Any, seconds: float | None = None) -> Any:
        try:
            return await asyncio.wait_for(_answer(reference), seconds)
        except TimeoutError:
            raise WorkerLost(f"it has been silent for {seconds:g} s: stopped, or its node cannot be reached") from None
        except need_ray("ray.exceptions").RayError as error:
            raise WorkerLost(explain(error)) from error

    async def close(self) -> None:
        """Let the worker go in peace, if it does so soon."""
        if self._actor is not None and not self.hiring:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(_answer(self._actor.close.remote()), 5)
        self.kill()

    def kill(self) -> None:
        """End the worker, whatever it does; a place on the cluster that is waited for is waited for no more."""
        if self._actor is None:
            return
        actor, self._actor, self.stats, self.notice = self._actor, None, {}, ""
        with contextlib.suppress(Exception):
            need_ray().kill(actor)


async def _answer(reference: Any) -> Any:
    return await reference


def _needed(found: Any) -> Any:
    if isinstance(found, Trouble):
        raise Unfit(found)
    return found


def differs(found: dict[str, Any], version: str) -> str:
    """Say how the code of a worker differs from ours; empty where it does not.

    Args:
        found: What the worker said of itself.
        version: Ours.
    """
    if found["version"] != version:
        return f"it runs Finchmark {found['version']}, and this process {version}: install one version on all machines"
    if found["code"] != code_hash():
        return (
            f"it runs other code of Finchmark {version} (hash {found['code']}, here {code_hash()}): bring all machines "
            "to one state, and change nothing while a run goes on"
        )
    return ""
