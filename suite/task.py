"""What a task is: items, arms, tiers, metrics, an episode, and references to play it with."""

from __future__ import annotations

import abc
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from .agents.base import Action, Agent, Observation
from .canonical import content_hash
from .errors import UsageError
from .model import Model, ModelStopped
from .records import ArmContrast, Grouping, Level, Metric, Outcome, TaskSheet, Turn, storable
from .seeds import generator
from .transcript import Transcript

if TYPE_CHECKING:
    import numpy as np

    from .backends.scripted import Policy

__all__ = ["Arm", "Episode", "EpisodeResult", "Estimate", "Item", "Task", "Tier"]


@dataclass(frozen=True)
class Item:
    """One instance of a task.

    Args:
        id: Name within the task, of letters, digits and ``-_.``; sorts in the order to be shown.
        data: All that defines it, as plain data; its hash is the item's hash.
        proof: What shows that it can be solved; outside the hash, never shown to an agent.
        levels: What the references reach on this very item, by metric, where it is known exactly.
    """

    id: str
    data: Mapping[str, Any]
    proof: Any = None
    levels: Mapping[str, Level] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def hash(self) -> str:
        """Content hash of ``data``, 16 hexadecimal digits."""
        return content_hash(dict(self.data), digits=16)


@dataclass(frozen=True, slots=True)
class Arm:
    """An experimental condition of a task.

    Args:
        name: As people type it.
        summary: One line.
        options: What the task's episode reads; plain data.
    """

    name: str
    summary: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Tier:
    """A size of a task.

    Args:
        name: ``smoke``, ``lite``, ``gate``, ``full`` or ``challenge``.
        items: How many items.
        max_turns: Cap on the turns of an episode.
        max_tokens: Cap on the tokens of one reply.
        summary: One line.
    """

    name: str
    items: int
    max_turns: int
    max_tokens: int
    summary: str = ""


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """How an episode ended, and its numbers.

    Args:
        metrics: One number per metric of the task; None where a metric does not apply.
        outcome: ``ok``, ``invalid`` or ``refused``; an ``error`` is raised, not returned.
        reason: Why it is not ``ok``, as a short stable name; with ``ok``, what cut short what followed the episode.
    """

    metrics: Mapping[str, float | None]
    outcome: Outcome = Outcome.OK
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Upper bounds on what one sample asks of a backend: calls, and tokens read and written."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class Episode:
    """What a task gets to play one sample: the item, the arm, seats with agents and models, random numbers.

    Args:
        item: The item.
        arm: The arm.
        tier: The tier, with its caps.
        agents: One agent a seat.
        models: One model a seat.
        seed_path: Names the sample's random numbers; arms of a task share it, so that arms are compared in pairs.
        sample: Which repeat of the item it is, from 0. For worlds whose luck depends on item and repeat alone: sample
            k of an item meets the same luck in every run, whatever its seed.
        brief: Whether what only follows an episode, such as questions about it, is left out: streams want the episode.
        transcript: Takes the turns; None: one in memory.
    """

    def __init__(
        self,
        *,
        item: Item,
        arm: Arm,
        tier: Tier,
        agents: Mapping[str, Agent],
        models: Mapping[str, Model],
        seed_path: tuple[str | int, ...],
        sample: int = 0,
        brief: bool = False,
        transcript: Transcript | None = None,
    ) -> None:
        self.item, self.arm, self.tier, self.sample, self.brief = item, arm, tier, sample, brief
        self.agents, self._models = agents, models
        self._seed_path = seed_path
        self.turns = Transcript() if transcript is None else transcript
        """What was recorded so far. A long episode's earlier turns are read from a file; going backwards is slow."""
        self._kept = ("", "")
        self._open: dict[str, tuple[Observation, str | None]] = {}
        self.settled: EpisodeResult | None = None
        self._reword: Callable[[Observation], Observation] | None = None

    @property
    def texts(self) -> Mapping[str, str]:
        """What turns refer to by hash."""
        return self.turns.texts

    @property
    def replies(self) -> Mapping[int, str]:
        """What agents answered, thinking removed, by the index of the turn."""
        return self.turns.replies

    @cached_property
    def rng(self) -> np.random.Generator:
        """The episode's own generator: the same alone, in a batch and in any order."""
        return generator("episode", *self._seed_path)

    def within(
        self, item: Item, arm: Arm, tier: Tier, reword: Callable[[Observation], Observation] | None = None
    ) -> Episode:
        """The same episode as a task inside this one sees it: its own item, arm and tier, all else shared.

        What it records is recorded here. Replies are no longer than the inner tier allows.

        Args:
            item: The inner task's.
            arm: Likewise.
            tier: Likewise.
            reword: Says in other words what the inner task shows to its seats; what is recorded are those words.
        """
        for model in self._models.values():
            model.lower_cap(tier.max_tokens)
        inner = copy.copy(self)
        inner.item, inner.arm, inner.tier = item, arm, tier
        inner._reword = reword or self._reword
        return inner

    def model(self, seat: str = "player") -> Model:
        """The model of a seat."""
        return self._models[seat]

    async def act(self, observation: Observation | str, seat: str = "player", *, remember: bool = True) -> Action:
        """Let the agent of a seat answer. Follow it with :meth:`judge` once the world has taken the action.

        Args:
            observation: What the seat sees.
            seat: Who answers.
            remember: If false, a fork of the agent answers and the agent itself learns nothing of it.

        Raises:
            ModelStopped: The model cannot go on; leave it to the caller, or end the episode with what there is.
        """
        self._close(seat)
        seen = observation if isinstance(observation, Observation) else Observation(observation)
        seen = seen if self._reword is None else self._reword(seen)
        self._open[seat] = (seen, None)
        agent = self.agents[seat] if remember else self.agents[seat].fork()
        action = await agent.act(seen, self._models[seat])
        self._open[seat] = (seen, action.text)
        return action

    def judge(
        self,
        action: str | None,
        *,
        seat: str | None = None,
        usable: bool = True,
        after: str = "",
        scores: Mapping[str, float] | None = None,
    ) -> None:
        """Record what became of the last answer.

        Args:
            action: The text that the world got, None where no action was found in the answer.
            seat: Whose answer; needed only where several seats act at the same time.
            usable: Whether the world could use it.
            after: What the world answered, where no further turn will show it.
            scores: Numbers of this turn.
        """
        if seat is None:
            if len(self._open) > 1:
                raise RuntimeError(f"judge() needs a seat: {', '.join(self._open)} have answered")
            seat = next(iter(self._open), None)
        if seat is None or seat not in self._open:
            raise RuntimeError("judge() follows act(): there is no answer to judge")
        seen, reply = self._open.pop(seat)
        self._record(seat, seen, action, usable=usable, after=after, scores=scores or {}, reply=reply)

    def record(
        self,
        observation: Observation | str,
        action: str | None = None,
        *,
        seat: str = "player",
        usable: bool = True,
        after: str = "",
        scores: Mapping[str, float] | None = None,
    ) -> None:
        """Record a turn that no agent took: what a task asked a seat's model itself, such as how likely a reply is.

        All calls and likelihoods of that model since its last turn belong to it.

        Args:
            observation: What was asked.
            action: What came of it, where anything did.
            seat: Whose model was asked.
            usable: Whether the world could use it.
            after: What the world answered, where no further turn will show it.
            scores: Numbers of this turn.

        Raises:
            RuntimeError: The seat's agent has answered, and :meth:`judge` has not followed yet.
        """
        if seat in self._open:
            raise RuntimeError(f"record() comes before an answer of {seat} was judged")
        seen = observation if isinstance(observation, Observation) else Observation(observation)
        self._record(seat, seen, action, usable=usable, after=after, scores=scores or {})

    def _record(
        self,
        seat: str,
        seen: Observation,
        action: str | None,
        *,
        usable: bool,
        after: str = "",
        scores: Mapping[str, float] = MappingProxyType({}),
        reply: str | None = None,
    ) -> None:
        calls, likelihoods = self._models[seat].drain()
        turn = Turn(
            index=len(self.turns),
            seat=seat,
            observation=storable(seen.text),
            instructions=self._keep(storable(seen.preamble)),
            calls=calls,
            action=None if action is None else storable(action),
            usable=usable,
            after=storable(after),
            scores=dict(scores),
            likelihoods=likelihoods,
        )
        self.turns.append(turn, reply)

    def settle(self, result: EpisodeResult) -> None:
        """Fix what the sample is worth if the model is stopped from now on, by its context, a limit or a filter.

        For what follows an episode, such as questions about it: what happens there takes nothing from the episode.
        The reason of the stop becomes the sample's, unless it has one.
        """
        self.settled = result

    async def ask(
        self, text: str, *, seat: str = "player", max_tokens: int | None = None, allow_cut: bool = False
    ) -> str:
        """Ask one question and get the reply as text: all that a single-turn task needs.

        Args:
            text: The question.
            seat: Who answers.
            max_tokens: A lower cap on the reply than the run's.
            allow_cut: Whether a reply that was cut off at its cap is as good as another.

        Raises:
            ModelStopped: The reply was cut off (``invalid``, reason ``cut_off``), or the model cannot go on.
        """
        action = await self.act(Observation(text, max_tokens=max_tokens), seat)
        usable = allow_cut or not action.cut_off
        self.judge(action.text, seat=seat, usable=usable)
        if not usable:
            raise ModelStopped(Outcome.INVALID, "cut_off", "the reply was cut off at its cap")
        return action.text

    def _close(self, seat: str) -> None:
        """Record a turn that was never judged, so that its calls are not lost."""
        if seat in self._open:
            seen, action = self._open.pop(seat)
            self._record(seat, seen, action, usable=False)

    def _keep(self, text: str) -> str:
        """Keep a text once and refer to it by its hash."""
        if not text:
            return ""
        if text != self._kept[1]:
            self._kept = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest(), text)
            self.turns.keep(*self._kept)
        return self._kept[0]

    def end(self) -> None:
        """Record what is open: the last turn even where the model stopped in its middle, and calls past the agents."""
        for seat in list(self._open):
            self._close(seat)
        for seat, model in self._models.items():
            if model.pending:
                # Calls that a task made past its agents belong to the sample too.
                self._record(seat, Observation(""), None, usable=True)

    def finish(self) -> tuple[Turn, ...]:
        """All turns, with what was open; all of them in memory."""
        self.end()
        return tuple(self.turns)


class Task(abc.ABC):
    """Base of all tasks: a named, versioned experiment.

    A change to any item, prompt, parser or scorer raises ``version``: versions never share a column.
    ``tiers``, ``arms`` and ``metrics`` have defaults that suit a single-turn task with one binary score.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    summary: ClassVar[str] = ""
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", items=2, max_turns=1, max_tokens=64),
            "full": Tier("full", items=1_000_000, max_turns=1, max_tokens=512, summary="all items"),
        }
    )
    arms: ClassVar[tuple[Arm, ...]] = (Arm("default", "the only condition"),)
    default_arms: ClassVar[tuple[str, ...] | None] = None
    """The arms that are played where none is named; None: all."""
    seats: ClassVar[tuple[str, ...]] = ("player",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="success", summary="share solved", kind="binary", failure=0.0, ceiling=1.0, primary=True),
    )
    references: ClassVar[tuple[str, ...]] = ()
    aliases: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Further names of references, each with the one that it stands for: a group of tasks has names that all know."""
    contrasts: ClassVar[tuple[ArmContrast, ...]] = ()
    """Arms that reports hold against each other, by the metric of the role ``safety``."""
    plain_arm: ClassVar[str] = ""
    """The arm in which nothing pulls away from what is wanted: who does not do it there cannot be measured."""
    recurrence: ClassVar[tuple[str, ...]] = ()
    """Metrics of turns whose way from turn to turn reports tell: drawn back, wandering, or without memory."""
    noun: ClassVar[str] = ""
    """What an item is where reports of safety name the unit: ``society``, ``conversation``; empty: an item."""

    @abc.abstractmethod
    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """The items of a tier. Same tier, seed and version: same items, on every machine.

        Args:
            tier: One of ``tiers``; ``tier.items`` is the most that will be used.
            seed: 0 for the public items; another number regenerates them.
        """

    def training_items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Items to learn from, of the same distribution as those of :meth:`items` and none of them.

        Default: the items of another seed. A task whose items do not follow from the seed gives the same ones; who
        draws from them leaves out what is kept for probes.

        Args:
            tier: As for :meth:`items`; ``tier.items`` is how many are wanted.
            seed: Above 0.
        """
        return self.items(tier, seed)

    def read_items(self, path: Path, tier: Tier) -> Sequence[Item]:
        """Items from files of the user's (``--data``), for tasks whose original data is others' to give.

        Args:
            path: A file or folder.
            tier: Gives the caps; the number of items is what the files hold.

        Raises:
            UsageError: The task reads no files, or not these.
        """
        raise UsageError(f"The task {self.name} has items of its own only; it reads no --data {path}.")

    @abc.abstractmethod
    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Play one sample."""

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """Make a policy that plays an item in the place of a model.

        Args:
            name: One of ``references``: usually ``random``, ``heuristic``, ``oracle``.
            item: The item, proof included.
            arm: The arm.
        """
        raise UsageError(f"The task {self.name} has no reference {name!r}.")

    @classmethod
    def reference_called(cls, name: str) -> str | None:
        """The reference that a name stands for; None where the task has none such."""
        name = cls.aliases.get(name, name)
        return name if name in cls.references else None

    def levels(self, items: Sequence[Item], arm: Arm, tier: Tier, samples: int) -> dict[str, Level]:
        """What random policy and oracle reach on these items, by column (metric names and ``pass@k``).

        The default averages the items' own levels, or gives what the metrics declare; ``pass@k`` of a binary primary
        metric follows from each item's own chance p as 1 - (1 - p)**k.
        """
        levels: dict[str, Level] = {}
        for metric in self.metrics:
            own = [item.levels.get(metric.name) for item in items]
            if own and all(level is not None for level in own):
                known = [level for level in own if level is not None]
                levels[metric.name] = _mean_level(known)
                if metric.primary and metric.kind == "binary":
                    for k in ks(samples):
                        levels[f"pass@{k}"] = _mean_level([_at_k(level, k) for level in known])
            elif metric.chance is not None or metric.ceiling is not None:
                level = Level(chance=metric.chance, ceiling=metric.ceiling)
                levels[metric.name] = level
                if metric.primary and metric.kind == "binary":
                    for k in ks(samples):
                        levels[f"pass@{k}"] = _at_k(level, k)
        return levels

    def ready(self) -> None:  # noqa: B027 - most tasks need nothing
        """See that this machine can play the task; called before anything is spent. The default asks for nothing.

        Raises:
            UsageError: It cannot; the message names the ways out.
        """

    def groupings(self, items: Sequence[Item]) -> tuple[Grouping, ...]:
        """Which of a run's items belong together: units above the item, and groups that reports show apart.

        A level of the metrics' cluster paths above ``item`` has no meaning without the grouping of its name. The
        default is none.
        """
        return ()

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """Bound what one sample asks of a backend. Prompts are bounded by a full history of full replies."""
        opening = 400
        calls = tier.max_turns * len(self.seats)
        turn = tier.max_tokens + 60
        return Estimate(calls, calls * opening + turn * calls * (calls - 1) // 2, calls * tier.max_tokens)

    def failure(self) -> dict[str, float | None]:
        """The metrics of a sample that ended as ``invalid`` or ``refused`` and has no numbers of its own."""
        return {metric.name: metric.failure for metric in self.metrics}

    def sheet(self, levels: dict[str, dict[str, Level]]) -> TaskSheet:
        """What a manifest says about the task."""
        return TaskSheet(
            name=self.name,
            version=self.version,
            summary=self.summary,
            metrics=self.metrics,
            arms={arm.name: arm.summary for arm in self.arms if arm.name in levels},
            levels=levels,
            contrasts=self.contrasts,
            plain_arm=self.plain_arm,
            recurrence=self.recurrence,
            noun=self.noun,
        )

    @classmethod
    def arm(cls, name: str) -> Arm:
        """The arm of a name.

        Raises:
            UsageError: There is none.
        """
        for arm in cls.arms:
            if arm.name == name:
                return arm
        raise UsageError(
            f"The task {cls.name} has no arm {name!r}; it has {', '.join(repr(a.name) for a in cls.arms)}."
        )


def ks(samples: int) -> list[int]:
    """The k of ``pass@k`` columns: powers of two from 2 up to the number of samples."""
    return [2**i for i in range(1, samples.bit_length()) if 2**i <= samples]


def _at_k(level: Level, k: int) -> Level:
    def up(p: float | None) -> float | None:
        return None if p is None else 1.0 - (1.0 - p) ** k

    return Level(chance=up(level.chance), ceiling=up(level.ceiling), exact=level.exact)


def _mean_level(levels: Sequence[Level]) -> Level:
    def mean(values: list[float | None]) -> float | None:
        known = [v for v in values if v is not None]
        return sum(known) / len(known) if len(known) == len(values) else None

    return Level(
        chance=mean([level.chance for level in levels]),
        ceiling=mean([level.ceiling for level in levels]),
        exact=all(level.exact for level in levels),
    )
