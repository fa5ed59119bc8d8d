"""Runs task x item x arm x sample concurrently, stores each sample as it ends, and goes on where a run stopped."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .agents.base import Agent
from .backends.base import Backend
from .broker import Broker
from .errors import BackendError, BackendUnavailable, RunStopped, StoreError
from .model import Model, ModelStopped, TokenMeter
from .records import Key, Outcome, RunSpec, Sample, Turn, Usage, storable
from .seeds import derive
from .store import RunWriter
from .task import Arm, Episode, EpisodeResult, Item, Task, Tier

_log = logging.getLogger(__name__)

__all__ = ["Engine", "Plan", "Unit", "Watcher"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One task of a run, ready to be played."""

    task: Task
    tier: Tier
    arms: tuple[Arm, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One sample that is to be played."""

    plan: Plan
    arm: Arm
    item: Item
    sample: int
    key: Key
    failed: int


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
        backend: Answers the prompts; started and closed by the engine.
        writer: Takes the samples.
        make_agent: Makes a fresh agent for one seat of one episode.
        concurrency: How many episodes are open at once; None: what the backend makes good use of.
        retries: How often an errored sample is tried again within this run.
        watcher: Is told what happens.
        amend: May change a result before it is stored; gets the task, the sample's session and the result.
        wanted: Whether a sample is (still) to be played; asked just before it would begin.
    """

    def __init__(
        self,
        spec: RunSpec,
        plans: Sequence[Plan],
        backend: Backend,
        writer: RunWriter,
        *,
        make_agent: Callable[[], Agent],
        concurrency: int | None = None,
        retries: int = 0,
        watcher: Watcher | None = None,
        amend: Callable[[Task, str, EpisodeResult], EpisodeResult] | None = None,
        wanted: Callable[[Key, Item], bool] | None = None,
    ) -> None:
        self.spec, self.plans, self.backend, self.writer = spec, plans, backend, writer
        self._make_agent = make_agent
        self._concurrency = concurrency
        self._retries = retries
        self._watcher = watcher
        self._amend = amend
        self._wanted = wanted

    @property
    def expected(self) -> int:
        """How many samples the run has in all."""
        return sum(len(plan.arms) * len(plan.items) for plan in self.plans) * self.spec.samples

    def _units(self, done: set[Key], failed: Mapping[Key, int]) -> Iterator[Unit]:
        # Samples of one item stand together: they share the beginning of their prompts.
        for plan in self.plans:
            for arm in plan.arms:
                for item in plan.items:
                    for sample in range(self.spec.samples):
                        key = Key(plan.task.name, arm.name, item.id, sample, agent=self.spec.agent.name)
                        if key not in done and (self._wanted is None or self._wanted(key, item)):
                            yield Unit(plan, arm, item, sample, key, failed.get(key, 0))

    async def run(self) -> None:
        """Play everything that is missing.

        Errors of single samples are stored and do not stop the run; an error of the store does, and so does a backend
        that cannot answer any request. What was not finished then is not stored, and is played by the next call.

        Raises:
            StoreError: A sample cannot be stored.
            BackendUnavailable: The backend cannot start, or has found that it cannot answer at all (a key, a name).
            RunStopped: A limit of the whole run was reached.
        """
        done, failed = self.writer.finished()
        units = self._units(done, failed)
        missing = self.expected - len(done)
        if not missing:
            return
        try:
            await self.backend.start()
            broker = Broker(self.backend)
            self._watch("started", self.plans, self.expected, len(done), broker)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._open_at_once(), missing)):
                        group.create_task(self._work(units, broker))
            finally:
                self._watch("stopped")
        except* (StoreError, RunStopped, BackendUnavailable) as errors:
            raise errors.exceptions[0] from None
        finally:
            await self.backend.aclose()

    def _open_at_once(self) -> int:
        """How many episodes are open: twice what is worked on, so that a place never stays empty.

        With a time limit no more than what is worked on, whatever was asked for: an episode's clock must not run while
        it waits for its turn behind others, or the number of open episodes would decide scores.
        """
        useful = max(1, self.backend.capabilities.concurrency)
        if self.spec.limits.seconds is not None:
            return min(self._concurrency or useful, useful)
        return self._concurrency or 2 * useful

    def _watch(self, event: str, *arguments: Any) -> None:
        """Tell the watcher; a display that breaks (a closed terminal) takes nothing from the run."""
        if self._watcher is None:
            return
        try:
            getattr(self._watcher, event)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever a display raises, the run goes on without it
            _log.warning("the display failed and is off: %s: %s", type(error).__name__, error)
            self._watcher = None

    async def _work(self, units: Iterator[Unit], broker: Broker) -> None:
        for unit in units:
            attempt = unit.failed
            for _ in range(self._retries + 1):
                attempt += 1
                sample = await self.play(unit, attempt, broker)
                self.writer.append(sample)
                self._watch("finished", sample)
                if sample.outcome is Outcome.ERROR:
                    last = sample.error.strip().splitlines()[-1:]
                    _log.warning("error in %s (attempt %d): %s", "/".join(map(str, sample.key[:4])), attempt, *last)
                if sample.outcome is not Outcome.ERROR:
                    break
            # Policies answer without ever waiting; the other episodes and the display get their turn here.
            await asyncio.sleep(0)

    async def play(self, unit: Unit, attempt: int, broker: Broker) -> Sample:
        """Play one sample. Whatever an environment, a task or a backend raises becomes an ``error`` sample."""
        spec, task = self.spec, unit.plan.task
        path = (spec.seed, task.name, task.version, unit.item.id, unit.sample)
        seed = derive("sample", unit.arm.name, *path)
        session = "/".join((task.name, unit.arm.name, unit.item.id, str(unit.sample)))
        sessions = {seat: f"{session}/{seat}" for seat in task.seats}
        meter = TokenMeter(spec.limits)
        started = time.perf_counter()
        ctx: Episode | None = None
        turns: tuple[Turn, ...] = ()
        error = ""
        try:
            if self.backend.reference is not None:
                for name in sessions.values():
                    self.backend.bind(name, task.reference(self.backend.reference, unit.item, unit.arm))
            agents = {seat: self._make_agent() for seat in task.seats}
            for agent in agents.values():
                agent.begin()
            models = {
                seat: Model(
                    broker,
                    session=sessions[seat],
                    seed=seed,
                    seat=seat,
                    sampling=spec.sampling,
                    thinking=spec.thinking,
                    max_tokens=unit.plan.tier.max_tokens,
                    meter=meter,
                    system_prompt=spec.system_prompt,
                )
                for seat in task.seats
            }
            ctx = Episode(
                item=unit.item,
                arm=unit.arm,
                tier=unit.plan.tier,
                agents=agents,
                models=models,
                seed_path=path,
                sample=unit.sample,
            )
            result = await self._episode(task, ctx, tuple(sessions.values()))
            if self._amend is not None:
                result = self._amend(task, session, result)
            result = EpisodeResult(_checked(task, result), Outcome(result.outcome), str(result.reason or ""))
        except (RunStopped, BackendUnavailable):
            raise  # no other sample would fare better
        except (Exception, SystemExit, asyncio.CancelledError) as failure:
            # Any failure of a task, a world or a backend is that sample's error. A cancellation too, unless it is us
            # who are being cancelled: a task may await something that was cancelled elsewhere.
            this = asyncio.current_task()
            if isinstance(failure, asyncio.CancelledError) and (this is None or this.cancelling()):
                raise
            error = _traceback(failure)
            result = EpisodeResult({}, Outcome.ERROR, type(failure).__name__)
        finally:
            for name in sessions.values():
                try:
                    self.backend.release(name)
                except Exception as failure:  # noqa: BLE001 - the sample is what it is, whatever cleaning up does
                    _log.warning("release of %s failed: %s", name, failure)
        try:
            turns = ctx.finish() if ctx else ()
        except Exception as failure:  # noqa: BLE001 - what a task recorded cannot be stored: the task's fault
            error = error or _traceback(failure)
            result = EpisodeResult({}, Outcome.ERROR, type(failure).__name__)
        usage = Usage()
        for turn in turns:
            for call in turn.calls:
                usage += call.usage
        return Sample(
            **unit.key._asdict(),
            version=task.version,
            item_hash=unit.item.hash,
            attempt=attempt,
            seed=seed,
            outcome=result.outcome,
            reason=result.reason,
            metrics=dict(result.metrics),
            usage=usage,
            seconds=time.perf_counter() - started,
            turns=turns,
            texts=ctx.texts if ctx else {},
            error=error,
        )

    async def _episode(self, task: Task, ctx: Episode, sessions: Sequence[str]) -> EpisodeResult:
        """Play within the time limit; what the model brings upon itself is a result, not an error.

        Raises:
            BackendError: Time was up, but faults of the backend had used some of it.
        """
        timer = asyncio.timeout(self.spec.limits.seconds)
        try:
            async with timer:
                return await task.episode(ctx)
        except ModelStopped as stopped:
            return _stopped(task, ctx, stopped.outcome, stopped.reason)
        except TimeoutError:
            if not timer.expired():
                raise
            lost = sum(self.backend.delayed(name) for name in sessions)
            if lost > 0:
                raise BackendError(
                    f"the sample's {self.spec.limits.seconds:g} s were up, but faults of the backend took {lost:.1f} s "
                    "of them"
                ) from None
            return _stopped(task, ctx, Outcome.INVALID, "time_limit")


def _stopped(task: Task, ctx: Episode, outcome: Outcome, reason: str) -> EpisodeResult:
    """The result of an episode whose model was stopped: what was settled before, or else a failure."""
    if ctx.settled is not None:
        return replace(ctx.settled, reason=ctx.settled.reason or reason)
    return EpisodeResult(task.failure(), outcome, reason)


def _traceback(failure: BaseException) -> str:
    return storable("".join(traceback.format_exception(failure)))


def _checked(task: Task, result: EpisodeResult) -> dict[str, float | None]:
    """Hold a result against the task's declared metrics: a number outside its range is a fault, not a score.

    Raises:
        ValueError: A metric is missing, unknown, not finite or out of range.
    """
    declared = {metric.name: metric for metric in task.metrics}
    if result.outcome == Outcome.ERROR:
        raise ValueError(f"{task.name}: an episode raises its errors, it does not return them ({result.reason!r})")
    if result.metrics.keys() != declared.keys():
        raise ValueError(
            f"{task.name}: the episode gave the metrics {sorted(result.metrics)}, the task declares {sorted(declared)}"
        )
    checked: dict[str, float | None] = {}
    for name, value in result.metrics.items():
        metric = declared[name]
        if value is not None:
            value = float(value)
            low = -math.inf if metric.low is None else metric.low
            high = math.inf if metric.high is None else metric.high
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{task.name}: {name} = {value} is outside [{low}, {high}] or not finite")
            if metric.kind == "binary" and value not in (0.0, 1.0):
                raise ValueError(f"{task.name}: {name} is binary, but the episode gave {value}")
        checked[name] = value
    return checked
