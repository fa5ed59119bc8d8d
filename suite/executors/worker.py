"""A worker: one backend in a process of its own, somewhere on the cluster, and the samples that are aboard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agents.making import agent_factory
from ..broker import Broker
from ..environment import describe_environment, version
from ..errors import BackendUnavailable, FinchmarkError, RunStopped, UsageError
from ..player import Played, Player
from ..records import RunSpec
from ..registry import BACKENDS, include_file
from ..sandbox.shared import chosen_python
from .base import open_at_once
from .order import Order, code_hash, unpack_included, unpack_work
from .ticket import Ticket, TicketReader

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..plan import Plan

__all__ = ["Harvest", "Located", "Trouble", "Worker"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a worker cannot go on, as plain data: an exception of its own may not be readable elsewhere.

    Args:
        kind: ``unavailable``: this worker cannot play; ``stopped``: the run is to end; ``fault``: ours.
        text: What to tell people.
    """

    kind: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Trouble:
        """Describe an error."""
        if isinstance(error, RunStopped):
            return cls("stopped", str(error))
        if isinstance(error, FinchmarkError):
            return cls("unavailable", str(error))
        return cls("fault", "".join(traceback.format_exception(error)).strip())


@dataclass(frozen=True, slots=True)
class Located:
    """What a worker found before anything was loaded.

    Args:
        identity: The backend's.
        environment: Versions and hardware, without names and paths.
    """

    identity: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Harvest:
    """What has been played since the last one.

    Args:
        results: By ticket number.
        counts: Of the backend, since it was made.
        stats: Of the backend, now.
        notice: Of the backend, now.
    """

    results: tuple[tuple[int, Played | Trouble], ...] = ()
    counts: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, float] = field(default_factory=dict)
    notice: str = ""


class Worker:
    """Plays samples with a backend of its own. One is an actor on the cluster; all calls come to one event loop.

    The calls are :meth:`hello`, :meth:`locate`, :meth:`start` in this order, then :meth:`give` and :meth:`take` at any
    time, also at once.
    """

    def __init__(self) -> None:
        self._files: tempfile.TemporaryDirectory[str] | None = None
        self._order: Order | None = None
        self._backend: Backend | None = None
        self._broker: Broker | None = None
        self._player: Player | None = None
        self._reader: TicketReader | None = None
        self._playing: set[asyncio.Task[None]] = set()
        self._results: list[tuple[int, Played | Trouble]] = []
        self._some = asyncio.Event()

    async def hello(self) -> dict[str, Any]:
        """Say who is there, in words that every version understands."""
        return {"version": version(), "code": code_hash(), "pid": os.getpid()}

    async def locate(self, order: Order) -> Located | Trouble:
        """Take up the order, and find what is needed."""
        try:
            os.environ.update(order.variables)
            self._files = tempfile.TemporaryDirectory(prefix="finchmark-worker-")
            for path in unpack_included(order.included, Path(self._files.name)):
                include_file(path)
            try:
                plans, backend = unpack_work(order.work)
            except (ImportError, AttributeError) as error:
                raise UsageError(
                    f"the tasks cannot be read: {error}. Install what they need on all machines, and put classes of "
                    "yours into a file for --include."
                ) from error
            if order.backend is not None:
                name, arguments = order.backend
                backend = BACKENDS.load(name)(**arguments)
            assert backend is not None
            _check_sandbox(order)
            await asyncio.to_thread(backend.locate)
            for plan in plans:
                plan.task.ready()
            self._take_up(order, plans, backend)
            return Located(backend.identity(), describe_environment())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to the driver
            return Trouble.of(error)

    def _take_up(self, order: Order, plans: Sequence[Plan], backend: Backend) -> None:
        spec = order.spec
        self._order, self._backend = order, backend
        self._player = Player(spec, agent_factory(spec.agent.name, spec.agent.args))
        assert self._files is not None
        self._player.folder = Path(self._files.name)
        self._reader = TicketReader(spec, plans)

    async def start(self) -> int | Trouble:
        """Load the model. Returns how many samples may be aboard at once."""
        assert self._backend is not None
        assert self._order is not None
        try:
            await self._backend.start()
        except Exception as error:  # noqa: BLE001 - likewise
            return Trouble.of(error)
        self._broker = Broker(self._backend)
        spec: RunSpec = self._order.spec
        return open_at_once(spec, self._backend.capabilities.concurrency, self._order.concurrency)

    async def give(self, tickets: Sequence[Ticket]) -> None:
        """Begin to play samples."""
        for ticket in tickets:
            task = asyncio.create_task(self._play(ticket))
            self._playing.add(task)
            task.add_done_callback(self._playing.discard)

    async def take(self, seconds: float) -> Harvest:
        """Hand over what has been played, as soon as there is something.

        Args:
            seconds: To wait at most; then there are only counts.
        """
        if not self._results:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._some.wait(), seconds)
        self._some.clear()
        results, self._results = tuple(self._results), []
        assert self._backend is not None
        described = self._backend.describe()
        return Harvest(results, dict(described.get("counts") or {}), self._backend.stats(), self._backend.notice())

    async def _play(self, ticket: Ticket) -> None:
        assert self._player is not None
        assert self._reader is not None
        assert self._broker is not None
        assert self._order is not None
        try:
            with chosen_python(self._order.sandbox_python):
                result = await self._player.play(self._reader.unit(ticket), ticket.attempt, self._broker)
        except (RunStopped, BackendUnavailable) as error:
            result = Trouble("stopped" if isinstance(error, RunStopped) else "unavailable", str(error))
        except Exception as error:  # noqa: BLE001 - likewise
            result = Trouble.of(error)
        self._results.append((ticket.number, result))
        self._some.set()

    async def close(self) -> None:
        """End all that is aboard, and free everything."""
        for task in self._playing:
            task.cancel()
        if self._playing:
            await asyncio.wait(self._playing, timeout=2)
        if self._backend is not None:
            await self._backend.aclose()
        if self._files is not None:
            self._files.cleanup()


def _check_sandbox(order: Order) -> None:
    """Make sure that the interpreter which was named is here what it is where the run was prepared.

    Raises:
        UsageError: It is not there, or is another.
    """
    if order.sandbox_python is None or order.spec.sandbox is None:
        return
    from ..sandbox.interpreter import inventory

    found = inventory(order.sandbox_python)
    if (found.python, dict(found.packages)) != (order.spec.sandbox.python, dict(order.spec.sandbox.packages)):
        raise UsageError(
            f"--sandbox-python {order.sandbox_python}: here it is {found.text()}, which differs from where the run was "
            "prepared. Make them equal."
        )
