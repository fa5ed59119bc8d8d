"""Scores a stored run again from its transcripts: the same replies through today's parser, world and scorer."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from .backends.base import Backend, Capabilities, Completion, GenerateRequest, ScoreRequest, TokenScores
from .broker import Broker
from .errors import BackendError, UsageError
from .evaluation import Prepared, check_sandbox, prepare, run_prepared
from .model import ModelStopped, prompt_hash
from .player import Player
from .records import Call, Likelihood, Manifest, Outcome, Sample, storable
from .sandbox.shared import chosen_python
from .schedule import Unit
from .store import StoredRun
from .task import EpisodeResult, Task

__all__ = ["Replay", "ReplayBackend", "Rescored", "rescore"]

_Kept = TypeVar("_Kept", Call, Likelihood)
_STOPS = ("context_overflow", "time_limit", "token_limit")


class ReplayBackend(Backend):
    """Gives stored replies again, in their order, to the samples that :meth:`hold` was given.

    Args:
        manifest: Of the run that the replies are from.
    """

    name = "replay"

    def __init__(self, manifest: Manifest) -> None:
        scripted = manifest.spec.backend.name == "scripted"
        self.capabilities = Capabilities(
            scheduling="own",
            concurrency=64,
            logprobs="none" if scripted else "full",
            deterministic=True,
            scripted=scripted,
        )
        self.model = manifest.label
        self._identity = dict(manifest.model)
        self._replies: dict[str, deque[Call]] = {}
        self._likelihoods: dict[str, deque[Likelihood]] = {}
        self._errors: dict[str, str] = {}
        self.stops: dict[str, tuple[Outcome, str]] = {}
        self.changed_prompts = 0
        self._scored = False

    def hold(self, sample: Sample) -> None:
        """Keep the replies of a sample until its episode has been played again."""
        session = "/".join((sample.task, sample.arm, sample.item, str(sample.sample)))
        if sample.outcome is Outcome.ERROR:
            self._errors[session] = sample.reason
            return
        # A turn in which nothing was asked is where the model was stopped, also where the sample has another reason to
        # end.
        if sample.reason in _STOPS or not all(turn.calls or turn.likelihoods for turn in sample.turns):
            self.stops[session] = (sample.outcome, sample.reason)
        self._scored = self._scored or any(turn.likelihoods for turn in sample.turns)
        if self._scored or (sample.outcome is Outcome.OK and session not in self.stops):
            # Who can do without log-probabilities asks for none where the model that was played gave none.
            self.capabilities = replace(self.capabilities, logprobs="full" if self._scored else "none")
        for turn in sample.turns:
            self._replies.setdefault(f"{session}/{turn.seat}", deque()).extend(turn.calls)
            self._likelihoods.setdefault(f"{session}/{turn.seat}", deque()).extend(turn.likelihoods)

    def identity(self) -> dict[str, Any]:
        """The identity of the model that wrote the replies."""
        return self._identity

    async def generate(self, request: GenerateRequest) -> Completion:
        """Give the next stored reply of the session.

        Raises:
            BackendError: There is none: the sample was an error, or the episode now asks for more than was stored.
        """
        call = self._next(
            self._replies,
            request.session,
            "the transcript has no further reply: the episode goes on longer than it did when it was played",
        )
        self.changed_prompts += call.prompt_hash != prompt_hash(request.messages)
        return Completion(
            text=call.completion,
            finish_reason=call.finish_reason,  # pyright: ignore[reportArgumentType] - stored from the same literal
            prompt_tokens=call.usage.prompt_tokens,
            completion_tokens=call.usage.completion_tokens,
            reasoning=call.reasoning,
            reasoning_tokens=call.usage.reasoning_tokens,
            cached_tokens=call.usage.cached_tokens,
            cost=call.usage.cost,
            replayed=bool(call.usage.replayed),
            spared=call.usage.spared,
        )

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the next stored log-probabilities of the session; what the tokens were is not known any more (-1).

        Raises:
            BackendError: There are none, or they are of another continuation.
        """
        stored = self._next(
            self._likelihoods,
            request.session,
            "the transcript has no further log-probabilities: it was played before they were kept, or the task asks "
            "for more now. Play it again",
        )
        if stored.continuation != storable(request.continuation):
            raise BackendError(
                f"the stored log-probabilities are of {stored.continuation!r:.80}, the task asks for "
                f"{request.continuation!r:.80}"
            )
        self.changed_prompts += stored.prompt_hash != prompt_hash(request.messages)
        return TokenScores((-1,) * len(stored.logprobs), stored.logprobs, stored.greedy)

    def _next(self, kept: Mapping[str, deque[_Kept]], session: str, missing: str) -> _Kept:
        """The next of what is kept for a seat."""
        sample = session.rpartition("/")[0]
        error = self._errors.get(sample)
        if error is not None:
            raise BackendError(f"the stored sample is an error itself ({error}); run it again first")
        found = kept.get(session)
        if found:
            return found.popleft()
        if sample in self.stops:
            # The model was stopped here, by something that a replay does not meet again: its context, or the clock.
            # A sample that is ok all the same was stopped after its episode was settled.
            outcome, reason = self.stops[sample]
            raise ModelStopped(Outcome.INVALID if outcome is Outcome.OK else outcome, reason)
        raise BackendError(missing)

    def release(self, session: str) -> None:
        """Forget what is left of a seat's replies, and with them what is known of its sample."""
        self._replies.pop(session, None)
        self._likelihoods.pop(session, None)
        sample = session.rpartition("/")[0]
        self._errors.pop(sample, None)
        self.stops.pop(sample, None)


class Replay:
    """Plays stored samples of one task again, one by one and without writing anything.

    No clock runs: a sample that its time limit ended then is ended by its record again.

    Args:
        manifest: Of the run that the samples are from; its specification says how the model was asked.
        prepared: The task as it is today, from :func:`.prepare`; its agent is the one that plays.
    """

    def __init__(self, manifest: Manifest, prepared: Prepared) -> None:
        spec = manifest.spec
        limits = spec.limits.model_copy(update={"seconds": None})
        (self._plan,) = prepared.plans
        self._backend = ReplayBackend(manifest)
        self._broker = Broker(self._backend)
        self._player = Player(spec.model_copy(update={"limits": limits}), prepared.make_agent, self._amend)
        self._arms = {arm.name: arm for arm in self._plan.arms}
        self._items = {item.id: item for item in self._plan.items}
        self._python = prepared.sandbox_python

    async def play(self, sample: Sample) -> Sample:
        """Play one sample again.

        Args:
            sample: With its turns; of an arm and an item of the task.

        Returns:
            What the same replies give today. ``error`` where they do not lead through the episode; ``error`` and the
            seconds are the only fields that a faithful transcript does not give again.
        """
        self._backend.hold(sample)
        unit = Unit(self._plan, self._arms[sample.arm], self._items[sample.item], sample.sample, sample.key, 0)
        with chosen_python(self._python):
            return (await self._player.play(unit, sample.attempt, self._broker)).sample

    def _amend(self, task: Task, session: str, result: EpisodeResult) -> EpisodeResult:
        outcome, reason = self._backend.stops.get(session, (Outcome.OK, ""))
        if reason == "time_limit" and outcome is not Outcome.OK:
            # The player's clock ends an episode from outside; a task that ends one by itself may score it otherwise.
            return EpisodeResult(task.failure(), outcome, reason)
        return result


@dataclass(frozen=True)
class Rescored:
    """What a rescoring found.

    Args:
        run: The new run.
        changed: One entry per sample whose outcome or a metric changed: its key, the metric, old and new value.
        changed_prompts: How many replies were given to a prompt that is another one today.
    """

    run: StoredRun
    changed: list[tuple[str, str, Any, Any]] = field(default_factory=list)
    changed_prompts: int = 0


def rescore(
    path: str | Path,
    out: str | Path | None = None,
    include: Sequence[str | Path] = (),
    *,
    items_secret: str | Path | None = None,
    data: str | Path | None = None,
    sandbox_python: str | Path | None = None,
) -> Rescored:
    """Score a run again from its stored replies. The old run stays as it is.

    Args:
        path: The run.
        out: Folder of the new run; by default the old name with ``.rescored``.
        include: Python files with the tasks, as for :func:`.evaluate`.
        items_secret: The secret's file, for a run on private items.
        data: The files, for a run on items from files.
        sandbox_python: The interpreter of its sandbox, for a run that chose one: of the same version and packages.

    Raises:
        UsageError: The run is not complete, its items or its interpreter are others today, or the target is there
            already.
    """
    old = StoredRun(path)
    spec = old.manifest.spec
    # A name ends in a dot-dot or a dot only as long as it is not resolved.
    target = Path(out) if out is not None else old.path.resolve().with_name(old.path.resolve().name + ".rescored")
    if target.exists():
        raise UsageError(
            f"{target} is there already, scored by what was the code then. Remove it or give another --out."
        )
    streamed = next((task.name for task in spec.tasks if task.streams), None)
    if streamed is not None:
        raise UsageError(
            f"{path}: the agents of {streamed} learnt from their scores, so other scores would have made other agents. "
            "A run of streams is played again, not scored again."
        )
    stored = sum(old.counts().values())
    if stored < old.manifest.expected:
        raise UsageError(f"{path} has {stored} of {old.manifest.expected} samples. Finish the run first.")
    replay = ReplayBackend(old.manifest)
    for sample in old.samples():
        replay.hold(sample)
    prepared = prepare(
        [t.name for t in spec.tasks],
        replay,
        arms={t.name: t.arms for t in spec.tasks},
        tier=spec.tier,
        samples=spec.samples,
        limit=spec.limit,
        seed=spec.seed,
        items_seed=spec.items.seed or 0,
        items_secret=items_secret,
        data=data,
        include=include,
        label=old.manifest.label,
        sandbox_python=sandbox_python,
    )
    check_sandbox(old.path, spec, prepared.spec)
    for was, now in zip(spec.tasks, prepared.spec.tasks, strict=True):
        if was.items_hash != now.items_hash:
            raise UsageError(
                f"{was.name}: the run played the items {was.items_hash} (version {was.version}), today's are "
                f"{now.items_hash} (version {now.version}). Replies to other items cannot be scored again."
            )
    # What was chosen for the run stands in its specification; only the tasks' versions may have moved on.
    # No clock: a replay takes no time, and what was stopped by it then is stopped again by its record.
    limits = spec.limits.model_copy(update={"seconds": None})
    new_spec = spec.model_copy(update={"tasks": prepared.spec.tasks, "limits": limits})
    note = f"rescored from the replies of run {old.manifest.spec_hash} with finchmark {prepared.manifest.finchmark}"
    manifest = prepared.manifest.model_copy(update={"notes": (*old.manifest.notes, note)})

    def amend(task: Task, session: str, result: EpisodeResult) -> EpisodeResult:
        """Keep what the clock decided: a replay that ends by itself did not have to hurry.

        A stop after the episode was settled decided nothing about it.
        """
        stop = replay.stops.get(session)
        if stop is None or stop[0] is Outcome.OK or result.outcome is not Outcome.OK:
            return result
        return EpisodeResult(task.failure(), *stop)

    new = run_prepared(replace(prepared, spec=new_spec, manifest=manifest), target, amend=amend)
    before = {s.key: s for s in old.samples(turns=False)}
    changed: list[tuple[str, str, Any, Any]] = []
    for sample in new.samples(turns=False):
        was_sample = before.get(sample.key)
        if was_sample is None:
            continue
        name = "/".join(map(str, sample.key[:4]))
        if was_sample.outcome != sample.outcome:
            changed.append((name, "outcome", str(was_sample.outcome), str(sample.outcome)))
        for metric in sorted(was_sample.metrics.keys() | sample.metrics.keys()):
            a, b = was_sample.metrics.get(metric), sample.metrics.get(metric)
            if a != b:
                changed.append((name, metric, a, b))
    return Rescored(new, changed, replay.changed_prompts)
