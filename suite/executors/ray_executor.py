"""Plays samples on a Ray cluster: workers with a backend each; this process decides, stores and forgets nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..broker import Broker
from ..canonical import canonical_json
from ..environment import version
from ..errors import BackendUnavailable, FinchmarkError, RunStopped, UsageError
from ..player import Played, failed_sample
from ..sandbox.shared import VARIABLE
from .base import Executor, open_at_once
from .cluster import Cluster, connect, need_ray
from .crew import CrewBackend
from .dispatch import COMPANY, Dispatch, Job
from .options import RayOptions
from .order import Order, pack_included, pack_work
from .station import Station, Unfit, WorkerLost, differs
from .ticket import write_ticket
from .worker import Harvest, Trouble

if TYPE_CHECKING:
    from ..backends.base import Backend
    from ..plan import Plan
    from ..records import RunSpec
    from ..schedule import Unit

__all__ = ["FRUITLESS", "PATIENCE_S", "RayExecutor"]

PATIENCE_S = 120.0
"""Seconds that a run waits for a place on the cluster while it has not one worker."""
FRUITLESS = 3
"""Workers in a row that may be lost at one station before anything was played; then it gets no other."""
_WATCH_S = 1.0

_log = logging.getLogger(__name__)


class RayExecutor(Executor):
    """Plays samples on a Ray cluster.

    A worker is an actor that gets a share of the cluster (a GPU, or cores), and loads a backend of its own. Samples go
    to it in groups, as many as have become ready since the last message, and come back as they end; the engine, which
    is in this process alone, stores each at once. Worker and place decide no number: all random numbers of a sample
    follow from its name.

    A worker that is lost (killed, out of memory, with its node) is replaced, and what was aboard is played again
    elsewhere. Nothing of it was stored, so nothing is there twice. A sample that was aboard two lost workers is played
    alone; when two such are lost too, it is an ``error`` of reason ``WorkerLost``, and the next call tries it again.
    Three workers that are lost in a row at one station before they played anything close the station; the run ends
    when none is left.

    Args:
        spec: The run's specification, without the model's identity.
        plans: Its tasks.
        backend: The backend, never started here.
        options: Where and how many.
        made: Name and arguments that workers make the backend of; None: it is pickled.
        include: Files and folders that the tasks, backend or agent are from.
        sandbox_python: As for :func:`.prepare`.
        concurrency: Samples open at once on all workers together.

    Raises:
        UsageError: Something cannot be sent to other processes.
        BackendUnavailable: Ray is not installed.
    """

    def __init__(
        self,
        spec: RunSpec,
        plans: Sequence[Plan],
        backend: Backend,
        options: RayOptions,
        *,
        made: tuple[str, Mapping[str, Any]] | None = None,
        include: Sequence[Path] = (),
        sandbox_python: str | None = None,
        concurrency: int | None = None,
    ) -> None:
        self._spec, self._plans, self._options = spec, plans, options
        self._made, self._include, self._python = made, include, sandbox_python
        self._concurrency = concurrency
        self.crew = CrewBackend(backend)
        self._broker = Broker(self.crew)
        self._dispatch = Dispatch()
        self._jobs: set[Job] = set()
        self._numbers = itertools.count()
        self._cluster: Cluster | None = None
        self._lives: list[asyncio.Task[None]] = []
        self._located: dict[Station, bool] = {}
        self._identity: dict[str, Any] | None = None
        self._fatal: BaseException | None = None
        self._trouble = ""
        self._played = 0
        self._go = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def stations(self) -> Sequence[Station]:
        """The workers that there are or shall be."""
        return self.crew.stations

    @property
    def broker(self) -> Broker:
        """Counts what workers have played."""
        return self._broker

    # -- beginning

    async def locate(self) -> dict[str, Any]:
        """Connect, get workers, and let each find what it needs; they must agree on who the model is.

        Raises:
            UsageError: There is no such cluster, too little on it, other versions, or other models.
            BackendUnavailable: No worker can play.
        """
        order = self._order()
        self._cluster = cluster = connect(self._options)
        ray = need_ray()
        self.crew.ray = ray.__version__
        resources, count = self._resources(cluster)
        if self._concurrency is not None:
            order = dataclasses.replace(order, concurrency=max(1, -(-self._concurrency // count)))
        shared = ray.put(order)
        self.crew.stations = [Station(number, resources, shared) for number in range(count)]
        self._located = dict.fromkeys(self.stations, False)
        self._lives = [asyncio.create_task(self._live(station)) for station in self.stations]
        self._lives.append(asyncio.create_task(self._watch()))
        began = time.monotonic()
        # Who comes later than all patience, while another is there, joins the run when it comes.
        await self._until(
            lambda: (
                all(self._located.values()) or (any(self._located.values()) and time.monotonic() - began > PATIENCE_S)
            )
        )
        assert self._identity is not None
        return self._identity

    def _order(self) -> Order:
        made = self._made
        variables = {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}
        return Order(
            self._spec,
            made,
            pack_included(self._include),
            pack_work(self._plans, None if made is not None else self.crew.inner),
            sandbox_python=self._python,
            variables=variables,
        )

    def _resources(self, cluster: Cluster) -> tuple[dict[str, Any], int]:
        """What a worker gets, and how many there are.

        Raises:
            UsageError: So many do not fit.
        """
        asked = self._options
        gpus = asked.gpus
        if gpus is None:
            gpus = 1.0 if self.crew.name == "hf" and cluster.gpus >= 1 else 0.0
        fit = cluster.fits(asked.cpus, gpus)
        each = f"{asked.cpus:g} cores" + (f" and {gpus:g} GPUs" if gpus else "")
        if fit < (asked.workers or 1):
            raise UsageError(
                f"--executor ray: {asked.workers or 1} workers of {each} each do not fit on the cluster "
                f"{cluster.name}, which has {cluster.cpus:g} cores and {cluster.gpus:g} GPUs. Ask for fewer by "
                "--ray-workers, or for less by --ray-cpus and --ray-gpus."
            )
        return {"num_cpus": asked.cpus, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}, asked.workers or fit

    async def start(self) -> None:
        """Let all workers load the model; the run begins with the first that has."""
        self._go.set()
        await self._until(lambda: any(station.seat.open for station in self.stations))

    async def _until(self, ready: Callable[[], bool]) -> None:
        while self._fatal is None and not ready():
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _WATCH_S)
            except TimeoutError:
                continue
        if self._fatal is not None:
            raise self._fatal

    def open_at_once(self, asked: int | None) -> int:
        """By what all workers together make good use of; those that are not there yet count as the others."""
        if asked is not None:
            return open_at_once(self._spec, asked, asked)
        there = [station.seat.places for station in self.stations if station.seat.open]
        return max(1, max(there, default=1) * len(self.stations))

    # -- playing

    async def play(self, unit: Unit, attempt: int) -> Played:
        """Let a worker play a sample.

        Raises:
            BackendUnavailable: No worker is left.
            RunStopped: A worker reached a limit of the whole run.
        """
        if self._fatal is not None:
            raise self._fatal
        future: asyncio.Future[Played] = asyncio.get_running_loop().create_future()
        job = Job(write_ticket(next(self._numbers), unit, attempt), unit, future)
        self._jobs.add(job)
        self._dispatch.add(job)
        try:
            played = await future
        finally:
            self._jobs.discard(job)
            if not future.done() or future.cancelled():
                self._dispatch.forget(job)
        usage = played.sample.usage
        self._broker.calls += usage.calls
        self._broker.completion_tokens += usage.completion_tokens
        return played

    # -- workers

    async def _live(self, station: Station) -> None:
        """Keep one station manned."""
        while self._fatal is None:
            try:
                if await self._man(station):
                    return
            except WorkerLost as lost:
                if await self._lost(station, lost):
                    return
            except Unfit as unfit:
                if unfit.trouble.kind == "stopped":
                    return self._fail(RunStopped(unfit.trouble.text))
                if unfit.trouble.kind == "fault":
                    return self._fail(FinchmarkError(f"worker {station.number} failed:\n{unfit.trouble.text}"))
                return self._retire(station, unfit.trouble.text)
            except FinchmarkError as error:
                return self._fail(error)
            except Exception as error:  # noqa: BLE001 - a fault of ours must end the run, not leave it waiting
                return self._fail(error)

    async def _man(self, station: Station) -> bool:
        """Get a worker and let it play; whether the station is closed afterwards."""
        found = await station.hire()
        if other := differs(found, version()):
            text = f"worker {station.number}: {other}."
            if self._identity is None:
                raise UsageError(text)
            self._retire(station, text)
            return True
        located = await station.locate()
        if self._identity is None:
            self._identity = located.identity
        elif canonical_json(located.identity) != canonical_json(self._identity):
            text = (
                f"worker {station.number} has another model than the first: "
                f"{_difference(self._identity, located.identity)}. "
                "Give all machines the same weights, and the same kind of device by --ray-gpus."
            )
            if not self._go.is_set():
                raise UsageError(text)
            self._retire(station, text)
            return True
        self.crew.environments[canonical_json(located.environment)] += 1
        self._located[station] = True
        self._changed.set()
        await self._go.wait()
        places = await station.start()
        self._dispatch.open(station.seat, places)
        self._changed.set()
        async for harvest in station.serve(self._dispatch):
            self._take_in(station, harvest)
        return False

    def _take_in(self, station: Station, harvest: Harvest) -> None:
        trouble: Trouble | None = None
        for number, result in harvest.results:
            if isinstance(result, Trouble):
                trouble = trouble or result  # the sample stays aboard: it is played elsewhere, or the run ends
                continue
            job = self._dispatch.finished(station.seat, number)
            if job is not None and not job.future.done():
                self._played += 1
                job.future.set_result(result)
        if trouble is not None:
            raise Unfit(trouble)

    def _free(self, station: Station, *, blame: bool) -> None:
        """Take back what was aboard; it waits again, or is given up."""
        aboard = len(station.seat.aboard)
        given_up = self._dispatch.lost(station.seat, blame=blame)
        self.crew.again += aboard - len(given_up)
        self.crew.given_up += len(given_up)
        self.crew.keep(station)
        station.kill()
        for job in given_up:
            # The last line is exported, and says nothing of machines.
            error = (
                f"The last of them: {self._trouble}.\nWorkerLost: {job.losses} workers were lost with this sample "
                f"aboard, {job.losses - COMPANY} of them with no other."
            )
            sample = failed_sample(self._spec, job.unit, job.ticket.attempt, "WorkerLost", error)
            job.future.set_result(Played(sample))

    async def _lost(self, station: Station, lost: WorkerLost) -> bool:
        """A worker is gone; whether its station is closed."""
        self._trouble = str(lost)
        self.crew.lost += 1
        aboard = list(station.seat.aboard.values())
        # An idle worker died of something else, and where samples can be played, one that was alone is the suspect.
        suspect = bool(self._played) and any(job.alone for job in aboard)
        if not station.seat.open or (aboard and not suspect):
            station.fruitless += 1
        _log.warning(
            "worker %d (process %d) is lost: %s; %d samples are played again elsewhere",
            station.number,
            station.pid,
            lost,
            len(aboard),
        )
        self._free(station, blame=True)
        if station.fruitless >= FRUITLESS:
            self._retire(station, f"{FRUITLESS} workers in a row were lost before they played anything: {lost}")
            return True
        return False

    def _retire(self, station: Station, why: str) -> None:
        """Close a station; the last one ends the run."""
        self._free(station, blame=False)
        self.crew.stations = [each for each in self.stations if each is not station]
        self._located.pop(station, None)
        if not self.stations:
            self._fail(BackendUnavailable(f"--executor ray: no worker is left. {why}"))
            return
        _log.warning("worker %d is left out: %s; %d are left", station.number, why, len(self.stations))
        self._changed.set()

    def _fail(self, error: BaseException) -> None:
        """End the run."""
        if self._fatal is None:
            self._fatal = error
        self._changed.set()
        for job in list(self._jobs):
            if not job.future.done():
                job.future.set_exception(self._fatal)

    async def _watch(self) -> None:
        """End a run that waits for a place on the cluster while nothing else goes on."""
        since = time.monotonic()
        while self._fatal is None:
            await asyncio.sleep(_WATCH_S)
            if not all(station.hiring for station in self.stations):
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                cluster = self._cluster
                assert cluster is not None
                self._fail(
                    BackendUnavailable(
                        f"--executor ray: the cluster {cluster.name} had no place for a worker for {PATIENCE_S:g} s. "
                        "Something else takes it, or nodes were lost; `ray status` shows what. The same command goes "
                        "on where this one stopped."
                    )
                )

    def describe(self) -> dict[str, Any]:
        """What workers are and have counted, for the manifest."""
        return self.crew.describe()

    async def aclose(self) -> None:
        """Let all workers go, and leave the cluster."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        self._lives = []
        await asyncio.gather(*(station.close() for station in self.stations))
        if self._cluster is not None:
            cluster, self._cluster = self._cluster, None
            await asyncio.to_thread(cluster.close)


def _difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    return ", ".join(f"{name} {two.get(name)!r} there, {one.get(name)!r} with the first" for name in names)
