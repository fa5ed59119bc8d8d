"""The place of one worker: brings a process up, and another one when that dies, until it is no use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from ..errors import BackendError, BackendUnavailable, FinchmarkError, UsageError
from .frames import Kind, as_error
from .worker_process import Death, WorkerProcess

__all__ = ["DEATHS", "Answer", "Owner", "Replica"]

DEATHS = 3
"""A worker that dies so often in a row without an answer in between is not started again."""

Answer = tuple[int, bool, Any]
"""Number of a request, whether it failed, and the answer or the error in plain form."""

_log = logging.getLogger(__name__)

_OF_NOW = frozenset(("batch_fill", "queue", "active", "tokens_per_second", "batch_limit"))  # do not add up over time


class Owner(Protocol):
    """Is told what happens at a place."""

    def fits(self, replica: Replica) -> None:
        """Look at a worker that has loaded; raises :class:`BackendUnavailable` where it must not be used."""

    def answered(self, replica: Replica, answers: Sequence[Answer]) -> None:
        """Answers have come."""

    def died(self, replica: Replica, death: Death) -> bool:
        """A worker that was ready has died; returns whether a request is known to be the reason."""
        ...

    def changed(self, replica: Replica) -> None:
        """The place's ``state`` is another now."""


class _Fallen(Exception):
    """A worker died before it was ready."""


class Replica:
    """One place and whoever fills it.

    Args:
        number: Which place.
        device: The device of its workers.
        owner: Is told.
        command: How a worker is started.
    """

    def __init__(self, number: int, device: str, owner: Owner, command: Sequence[str]) -> None:
        self.number, self.device = number, device
        self._owner, self._command = owner, tuple(command)
        self._settings: dict[str, Any] = {}
        self._environment: dict[str, str] = {}
        self._process: WorkerProcess | None = None
        self._greeting: asyncio.Future[dict[str, Any]] | None = None
        self._life: asyncio.Task[None] | None = None
        self._fallen = False
        self._past: dict[str, float] = {}  # counters of those that died here
        self._now: dict[str, float] = {}
        self._progress: tuple[float | None, ...] = ()
        self.state: Literal["new", "loading", "ready", "lost"] = "new"
        self.greeting: dict[str, Any] = {}
        self.description: dict[str, Any] = {}
        self.said = ""  # the notice of its backend
        self.row = 0  # deaths since its last answer
        self.why = ""  # what the last one died of, or why it is lost
        self.deaths: dict[str, int] = {}
        self.restarts = 0
        self.silent = 0  # looks of the watch without a word in between
        self.stuck = 0  # looks without progress, while there was work

    def __str__(self) -> str:
        return f"worker {self.number} ({self.device})"

    @property
    def pid(self) -> int:
        """Process id of the last worker here, 0 before the first."""
        return 0 if self._process is None else self._process.pid or 0

    @property
    def stats(self) -> dict[str, float]:
        """Counters of all that were here, and what the one that is here does now."""
        return {k: self._past.get(k, 0.0) + self._now.get(k, 0.0) for k in {**self._past, **self._now}}

    # -- life

    async def start(self, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """Bring the first worker up, as :meth:`bring_up` does.

        Args:
            settings: Arguments of its backend, without the device.
            environment: Variables for its process.
        """
        self._settings, self._environment = {**settings, "device": self.device}, dict(environment)
        await self.bring_up()

    async def bring_up(self) -> None:
        """Start workers until one is ready.

        Raises:
            BackendUnavailable: One cannot load, or ``DEATHS`` in a row died.
            UsageError: An argument does not fit this machine.
        """
        while True:
            try:
                await self._load()
            except _Fallen:
                self.row += 1
                if self.row >= DEATHS:
                    raise BackendUnavailable(
                        f"hf: {self} died {self.row} times in a row without an answer: {self.why}"
                    ) from None
                await asyncio.sleep(self.row - 1)
            else:
                return

    async def _load(self) -> None:
        self._put("loading")
        self._greeting, self._fallen = asyncio.get_running_loop().create_future(), False
        self._process = WorkerProcess(
            on_frame=self._on_frame, on_death=self._on_death, command=self._command, environment=self._environment
        )
        try:
            await self._process.start(self._settings)
            self.greeting = await self._greeting
            if self._fallen:
                raise _Fallen
            self._owner.fits(self)
        except BaseException:
            await self._process.close()
            raise
        self.description, self._now, self.said = self.greeting["description"], {}, ""
        self.silent = self.stuck = 0
        self._put("ready")

    def _put(self, state: Literal["loading", "ready", "lost"]) -> None:
        if state != self.state:
            self.state = state
            self._owner.changed(self)

    def lose(self, why: str) -> None:
        """Do without this place from now on."""
        self.why = why
        _log.error("%s is not started again: %s", self, why)
        self._put("lost")

    async def close(self) -> None:
        """End whatever runs here."""
        waits: list[Any] = []
        if self._life is not None:
            self._life.cancel()
            waits.append(self._life)
        if self._process is not None:
            waits.append(self._process.close())
        await asyncio.gather(*waits, return_exceptions=True)

    def finish(self) -> None:
        """Leave no process behind, without waiting; harmless after :meth:`close`."""
        if self._process is not None:
            self._process.finish()

    # -- talk

    def send(self, kind: Kind, body: Any) -> None:
        """Send the worker a message; without one it is lost.

        Raises:
            BackendError: It cannot be packed.
        """
        if self._process is not None:
            self._process.send(kind, body)

    def kill(self, verdict: Death) -> None:
        """Kill the worker that is here."""
        if self._process is not None:
            self._process.kill(verdict)

    def _on_frame(self, kind: Kind, body: Any) -> None:
        self.silent = 0
        if kind is Kind.ANSWERS:
            self.stuck = 0
            if any(not failed for _, failed, _ in body):
                self.row = 0
            self._owner.answered(self, body)
        elif kind is Kind.BEAT:
            self._now, description, self.said = body
            self.description = description or self.description
            progress = tuple(self._now.get(k) for k in ("steps", "prefilled_tokens", "generated_tokens"))
            if progress != self._progress:
                self._progress, self.stuck = progress, 0
        elif kind in (Kind.READY, Kind.REFUSED) and self._greeting is not None and not self._greeting.done():
            if kind is Kind.READY:
                self._greeting.set_result(body)
                return
            error = as_error(body)
            wrong = type(error) is UsageError  # BackendUnavailable is one too
            self._greeting.set_exception(error if wrong else BackendUnavailable(f"hf: {self}: {error}"))
        else:
            raise BackendError(f"a worker sent a message of the kind {kind.name} out of turn")

    def _on_death(self, death: Death) -> None:
        self.deaths[death.name] = self.deaths.get(death.name, 0) + 1
        self.why = str(death)
        for key, value in self._now.items():
            if key not in _OF_NOW:
                self._past[key] = self._past.get(key, 0.0) + value
        self._now = {}
        _log.warning("%s died: %s", self, death)
        if self.state != "ready":
            self._fallen = True
            if self._greeting is not None and not self._greeting.done():
                self._greeting.set_exception(_Fallen())
            return
        self.state = "loading"  # before the owner hears of it: nothing may be sent here any more
        if not self._owner.died(self, death):
            self.row += 1
        if self.row >= DEATHS:
            self.lose(f"it died {self.row} times in a row without an answer: {death}")
        else:
            self._life = asyncio.get_running_loop().create_task(self._revive())
            self._owner.changed(self)

    async def _revive(self) -> None:
        try:
            await self.bring_up()
        except FinchmarkError as error:
            self.lose(str(error))
        else:
            self.restarts += 1
            _log.warning("%s is back", self)
