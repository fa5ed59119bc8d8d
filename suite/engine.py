"""Runs task x item x arm x sample concurrently, stores each sample as it ends, and goes on where a run stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .broker import Broker
from .errors import BackendUnavailable, RunStopped, StoreError
from .executors.base import Executor
from .lives import Life, Lived
from .plan import Plan
from .player import lived_of
from .records import Key, Outcome, RunSpec, Sample
from .schedule import Schedule
from .store import RunWriter, StoredEpisode
from .streams import StreamTask
from .task import EpisodeResult, Item

_log = logging.getLogger(__name__)

__all__ = ["Engine", "Watcher"]


class Watcher(Protocol):
    """Is told what happens; a display. All calls come from the engine's loop."""

    def started(self, plans: Sequence[Plan], expected: int, done: int, broker: Broker) -> None:
        """The run begins: ``done`` of ``expected`` samples are there already."""

    def finished(self, sample: Sample) -> None:
        """A sample was stored."""

    def stopped(self) -> None:
        """The run ends, whatever the reason."""


class Engine:
    """Plays all samples of a run that are not there yet.

    Args:
        spec: The run's specification.
        plans: Its tasks.
        executor: Plays the samples; started and closed by the engine.
        writer: Takes the samples.
        concurrency: How many episodes are open at once; None: what the backend makes good use of.
        retries: How often an errored sample is tried again within this run.
        watcher: Is told what happens.
        wanted: Whether a sample is (still) to be played; asked just before it would begin.
    """

    def __init__(
        self,
        spec: RunSpec,
        plans: Sequence[Plan],
        executor: Executor,
        writer: RunWriter,
        *,
        concurrency: int | None = None,
        retries: int = 0,
        watcher: Watcher | None = None,
        wanted: Callable[[Key, Item], bool] | None = None,
    ) -> None:
        self.spec, self.plans, self.executor, self.writer = spec, plans, executor, writer
        self._concurrency = concurrency
        self._retries = retries
        self._watcher = watcher
        self._wanted = wanted

    @property
    def expected(self) -> int:
        """How many samples the run has in all."""
        return sum(plan.expected(self.spec.samples) for plan in self.plans)

    async def run(self) -> None:
        """Play everything that is missing.

        Errors of single samples are stored and do not stop the run; an error of the store does, and so does a backend
        that cannot answer any request. What was not finished then is not stored, and is played by the next call.

        Raises:
            StoreError: A sample cannot be stored, or the turns of one that is played.
            BackendUnavailable: The backend cannot start, or has found that it cannot answer at all (a key, a name).
            RunStopped: A limit of the whole run was reached.
        """
        done, failed = self.writer.finished()
        missing = self.expected - len(done)
        if not missing:
            return
        schedule = Schedule(self.spec, self.plans, done, failed, self._resume(), self._wanted)
        self.executor.keep_in(self.writer.path)
        try:
            await self.executor.start()
            self._watch("started", self.plans, self.expected, len(done), self.executor.broker)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.executor.open_at_once(self._concurrency), missing)):
                        group.create_task(self._work(schedule))
            finally:
                self._watch("stopped")
        except* (StoreError, RunStopped, BackendUnavailable) as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.executor.aclose()

    def _watch(self, event: str, *arguments: Any) -> None:
        """Tell the watcher; a display that breaks (a closed terminal) takes nothing from the run."""
        if self._watcher is None:
            return
        try:
            getattr(self._watcher, event)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever a display raises, the run goes on without it
            _log.warning("the display failed and is off: %s: %s", type(error).__name__, error)
            self._watcher = None

    def _resume(self) -> Callable[[Life], None]:
        """Make what lets lives take up what earlier calls have stored of them."""
        lived: dict[Key, StoredEpisode] = {}
        for plan in self.plans:
            if plan.streams:
                self.writer.expect_streams()
                if plan.birth is not None:
                    self.writer.keep(plan.birth)
                lived.update(self.writer.lived(plan.task.name))

        def resume(life: Life) -> None:
            task = life.plan.task
            assert isinstance(task, StreamTask)

            def known(key: Key, item: Item) -> Lived | None:
                found = lived.get(key)
                if found is None:
                    return None
                result = EpisodeResult(found.metrics, found.outcome, found.reason)
                return lived_of(task, item, result, found.usage, found.turns)

            life.take_up(known, self.writer.updates(task.name, life.arm.name, life.stream.id))

        return resume

    async def _work(self, schedule: Schedule) -> None:
        while (unit := await schedule.take()) is not None:
            attempt, played = unit.failed, None
            for _ in range(self._retries + 1):
                attempt += 1
                played = await self.executor.play(unit, attempt)
                sample = played.sample
                try:
                    self.writer.append(sample, played.update, played.state)
                    self._watch("finished", sample)
                finally:
                    if not isinstance(sample.turns, tuple):
                        sample.turns.close()
                if sample.outcome is Outcome.ERROR:
                    last = sample.error.strip().splitlines()[-1:]
                    _log.warning("error in %s (attempt %d): %s", "/".join(map(str, sample.key[:4])), attempt, *last)
                if sample.outcome is not Outcome.ERROR:
                    break
            if played is not None and played.lived is not None and unit.moment is not None:
                unit.moment.life.advance(played.lived, played.update, played.state)
            schedule.finished(unit, lived=played is not None and played.lived is not None)
            # Policies answer without ever waiting; the other episodes and the display get their turn here.
            await asyncio.sleep(0)
