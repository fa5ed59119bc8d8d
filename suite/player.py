"""Plays one sample: its agents and models, the task's episode, the lesson, and the record of it all."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .agents.base import Agent
from .agents.matched import MatchedAgent
from .backends.base import Backend
from .broker import Broker
from .clock import within
from .errors import BackendUnavailable, RunStopped
from .lessons import Lesson, Speechless, learn, lesson_turn
from .lives import Lived, Moment
from .model import Model, ModelStopped, TokenMeter
from .records import Outcome, RunSpec, Sample, Update, Usage, storable
from .schedule import Unit
from .sealing import SealedTask, sealed_sample
from .seeds import derive, generator
from .states import State
from .store import LEARNING_SEAT
from .streams import StreamTask
from .task import Episode, EpisodeResult, Item, Task
from .transcript import Transcript, TranscriptLost, usage_of

_log = logging.getLogger(__name__)

__all__ = ["Played", "Player", "failed_sample", "lived_of"]


@dataclass(frozen=True, slots=True)
class Played:
    """A sample that was played, and what it did to the agent's state.

    Attributes:
        sample: As it is stored.
        lived: What is kept of an episode of a stream; None for all others, and for an error.
        update: The change of the state, None where there is none.
        state: The state after it.
    """

    sample: Sample
    lived: Lived | None = None
    update: Update | None = None
    state: State | None = None


class Player:
    """Plays the samples of a run, one at a time or many at once, in one event loop.

    Args:
        spec: The run's specification.
        make_agent: Makes a fresh agent for one seat of one episode.
        amend: May change a result before it is stored; gets the task, the sample's session and the result.

    Attributes:
        folder: Where turns of open samples may lie that are too many for memory; None: they stay there.
    """

    def __init__(
        self,
        spec: RunSpec,
        make_agent: Callable[[], Agent],
        amend: Callable[[Task, str, EpisodeResult], EpisodeResult] | None = None,
    ) -> None:
        self.spec = spec
        self._make_agent, self._amend = make_agent, amend
        self._newborn: State | None = None
        self.folder: Path | None = None

    def _agent(self, moment: Moment | None, backend: Backend) -> tuple[Agent, State | None]:
        """Make the agent of an episode, in the state that its stream has come to; None: it is of no stream.

        Raises:
            RuntimeError: It is in another state than it should be.
        """
        agent = self._make_agent()
        if moment is None:
            return agent, None
        wanted = moment.state
        if wanted is not None:
            if moment.life.arm.name == "placebo":
                # The words belong to the state: as long as it stays, so do they.
                rng = generator("placebo", self.spec.seed, moment.life.stream.id, wanted.hash)
                wanted = State.of(agent.placebo(wanted.data(), rng))
            agent.restore(wanted.data())
        state = State.of(agent.snapshot())
        if wanted is None:
            wanted = self._newborn = self._newborn or state
        _check_taken_up(agent, wanted, state, moment)
        # A policy keeps its place in an episode; asked twice a turn it would lose it, and has no other answer to give.
        allowance = moment.allowance if backend.reference is None else None
        return (agent if allowance is None else MatchedAgent(agent, tokens_a_turn=allowance)), state

    async def play(self, unit: Unit, attempt: int, broker: Broker) -> Played:
        """Play one sample. Whatever an environment, a task or a backend raises becomes an ``error`` sample.

        Args:
            unit: What is played.
            attempt: From 1.
            broker: Of the backend that answers.

        Raises:
            BackendUnavailable: No sample could be played with this backend.
            RunStopped: A limit of the whole run was reached.
            StoreError: The turns of a long sample cannot be kept on disk.
        """
        # What is sealed is sealed at its end, and must not reach a disk before.
        transcript = Transcript(None if isinstance(unit.plan.task, SealedTask) else self.folder)
        try:
            return await self._play(unit, attempt, broker, transcript)
        except BaseException:
            transcript.close()
            raise

    async def _play(self, unit: Unit, attempt: int, broker: Broker, transcript: Transcript) -> Played:
        spec, task, moment, backend = self.spec, unit.plan.task, unit.moment, broker.backend
        path, seed = _path(spec, unit)
        session = _session(unit)
        sessions = {seat: f"{session}/{seat}" for seat in task.seats}
        meter = TokenMeter(spec.limits)

        def model(seat: str, name: str, cap: int, meter: TokenMeter) -> Model:
            return Model(
                broker,
                session=name,
                seed=seed,
                seat=seat,
                sampling=spec.sampling,
                thinking=spec.thinking,
                max_tokens=cap,
                meter=meter,
                system_prompt=spec.system_prompt,
                limits=spec.limits,
            )

        started = time.perf_counter()
        ctx: Episode | None = None
        acted = 0
        own: Model | None = None
        lesson: Lesson | None = None
        before: State | None = None
        error = ""
        try:
            if backend.reference is not None:
                called = task.reference_called(backend.reference) or backend.reference
                for name in sessions.values():
                    backend.bind(name, task.reference(called, unit.item, unit.arm))
            made = [self._agent(moment if number == 0 else None, backend) for number in range(len(task.seats))]
            agents = {seat: agent for seat, (agent, _) in zip(task.seats, made, strict=True)}
            learner, before = agents[task.seats[0]], made[0][1]
            for agent in agents.values():
                agent.begin()
            ctx = Episode(
                item=unit.item,
                arm=unit.arm,
                tier=unit.plan.tier,
                agents=agents,
                models={seat: model(seat, sessions[seat], unit.plan.tier.max_tokens, meter) for seat in task.seats},
                seed_path=path,
                sample=unit.sample if moment is None else derive("luck", *path) >> 32,
                brief=moment is not None,
                transcript=transcript,
            )
            result = await self._episode(task, ctx, backend, tuple(sessions.values()))
            if self._amend is not None:
                result = self._amend(task, session, result)
            result = EpisodeResult(_checked(task, result), Outcome(result.outcome), str(result.reason or ""))
            if moment is not None and before is not None and isinstance(task, StreamTask):
                ctx.end()
                _check_untouched(learner, before, moment)
                if moment.learns:
                    sessions[LEARNING_SEAT] = f"{session}/{LEARNING_SEAT}"
                    if backend.reference is not None:
                        backend.bind(sessions[LEARNING_SEAT], Speechless(backend.reference))
                    own = model(
                        LEARNING_SEAT,
                        sessions[LEARNING_SEAT],
                        task.learning_tokens(unit.plan.tier),
                        TokenMeter(spec.limits),
                    )
                    lesson = await learn(task, learner, own, backend, ctx, moment, result, before)
        except (RunStopped, BackendUnavailable, TranscriptLost):
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
                    backend.release(name)
                except Exception as failure:  # noqa: BLE001 - the sample is what it is, whatever cleaning up does
                    _log.warning("release of %s failed: %s", name, failure)
        try:
            if ctx is not None:
                ctx.end()
            acted = len(transcript)
        except TranscriptLost:
            raise
        except Exception as failure:  # noqa: BLE001 - what a task recorded cannot be stored: the task's fault
            error = error or _traceback(failure)
            result = EpisodeResult({}, Outcome.ERROR, type(failure).__name__)
            broken, transcript = transcript, Transcript()
            for digest, text in broken.texts.items():
                transcript.keep(digest, text)
            broken.close()
        asked = lesson.turn if lesson is not None else None
        if lesson is None and own is not None:
            # Learning failed; what it cost is the sample's all the same.
            asked = lesson_turn(own, acted)
        if asked is not None:
            transcript.append(asked)
        turns, texts = transcript.ended()
        usage = usage_of(turns)
        sample = Sample(
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
            texts=texts,
            error=error,
        )
        if isinstance(task, SealedTask):
            sample = sealed_sample(sample, task.labels)
        if moment is None or moment.probe or error or not isinstance(task, StreamTask):
            return Played(sample)
        lived = lived_of(task, unit.item, result, usage, acted)
        if lesson is None or before is None or lesson.state == before:
            return Played(sample, lived)
        return Played(sample, lived, moment.life.update(moment, lesson.state, lesson.change), lesson.state)

    async def _episode(self, task: Task, ctx: Episode, backend: Backend, sessions: Sequence[str]) -> EpisodeResult:
        """Play within the time limit; what the model brings upon itself is a result, not an error.

        Raises:
            BackendError: Time was up, but faults of the backend had used some of it.
        """
        try:
            return await within(
                self.spec.limits.seconds,
                task.episode(ctx),
                what="the sample's {:g} s",
                delayed=lambda: sum(backend.delayed(name) for name in sessions),
            )
        except ModelStopped as stopped:
            return _stopped(task, ctx, stopped.outcome, stopped.reason)


def failed_sample(spec: RunSpec, unit: Unit, attempt: int, reason: str, error: str) -> Sample:
    """The ``error`` sample of a unit that could not be played to its end.

    Args:
        spec: The run's specification.
        unit: What was to be played.
        attempt: From 1.
        reason: A short name of what went wrong.
        error: What happened.
    """
    return Sample(
        **unit.key._asdict(),
        version=unit.plan.task.version,
        item_hash=unit.item.hash,
        attempt=attempt,
        seed=_path(spec, unit)[1],
        outcome=Outcome.ERROR,
        reason=reason,
        error=storable(error),
    )


def _path(spec: RunSpec, unit: Unit) -> tuple[tuple[str | int, ...], int]:
    """Name a sample's random numbers, and derive its seed.

    Arms of a task share the worlds' numbers. In streams they share the model's too: as long as two arms' agents are in
    the same state they answer alike, and only what learning changes tells them apart.
    """
    if unit.moment is not None:
        return unit.moment.path, derive("sample", *unit.moment.path)
    path = (spec.seed, unit.plan.task.name, unit.plan.task.version, unit.item.id, unit.sample)
    return path, derive("sample", unit.arm.name, *path)


def _session(unit: Unit) -> str:
    """Name a sample for the backend's cache."""
    moment, parts = unit.moment, (unit.plan.task.name, unit.arm.name, unit.item.id, str(unit.sample))
    if moment is None:
        return "/".join(parts)
    return "/".join((*parts, moment.life.stream.id, str(moment.position), str(moment.checkpoint)))


def lived_of(task: StreamTask, item: Item, result: EpisodeResult, usage: Usage, turns: int) -> Lived:
    """What is kept of an episode that was lived.

    Args:
        task: Its task.
        item: What was played.
        result: How it ended.
        usage: What it took, learning included.
        turns: Of the agent.
    """
    return Lived(task.feedback(item, result), usage.prompt_tokens + usage.completion_tokens, turns)


def _check_taken_up(agent: Agent, wanted: State, found: State, moment: Moment) -> None:
    """Hold the state that an agent is in before an episode against the one that it should be in.

    Raises:
        RuntimeError: It is another: what is stored would not be what acts.
    """
    if found.hash == wanted.hash:
        return
    name = type(agent).__name__
    if moment.state is None:
        raise RuntimeError(
            f"a newborn {name} is in the state {found.hash}, and the first of this run was in {wanted.hash}: agents "
            "share something, such as an attribute of the class or a default that is changed in place, or draw lots at "
            "birth."
        )
    raise RuntimeError(
        f"{name} was given the state {wanted.hash} and is in {found.hash}: restore() must take up all that snapshot() "
        "gave, with floats as they are kept, to 6 decimals."
    )


def _check_untouched(agent: Agent, before: State, moment: Moment) -> None:
    """Hold an agent's state after it has acted, and before it learns, against the state before.

    Raises:
        RuntimeError: It is another: what was measured would depend on having been measured.
    """
    after = State.of(agent.snapshot())
    if after.hash != before.hash:
        what = "a probe" if moment.probe else f"acting in an episode of the arm {moment.life.arm.name!r}"
        raise RuntimeError(
            f"the state of {type(agent).__name__} was changed by {what}: {before.hash} before, {after.hash} after. "
            "Only learn() may change what snapshot() gives."
        )


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
