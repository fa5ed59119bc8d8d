"""The nouns that are stored: RunSpec, Sample, Turn, Call, Usage, Outcome (frozen pydantic models)."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, overload

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import CoreSchema, core_schema

from .canonical import content_hash

__all__ = [
    "MAX_LOST",
    "REPLAYED",
    "STOPPED_EARLY",
    "AgentChoice",
    "ArmContrast",
    "BackendChoice",
    "Branch",
    "Call",
    "Grouping",
    "ItemsChoice",
    "Key",
    "Level",
    "Likelihood",
    "Limits",
    "LongTurns",
    "Manifest",
    "Metric",
    "Outcome",
    "ProbeSheet",
    "Record",
    "RunSpec",
    "Sample",
    "Sampling",
    "StreamSheet",
    "TaskChoice",
    "TaskSheet",
    "Thinking",
    "Turn",
    "Update",
    "Usage",
    "storable",
]

SPEC_FORMAT = "finchmark-run/1"

MAX_LOST = 0.02
"""Share of lost samples beyond which complete cases no longer stand alone: missing is not random."""

REPLAYED = "calls were answered from a response cache"
"""Part of the note of a run that got answers which an earlier run was given: of those it is no independent repeat."""

STOPPED_EARLY = "stopped early by a sequential gate"
"""The note of a run that a gate has driven: what is not there was not needed any more."""


def storable(text: str) -> str:
    """Replace lone surrogates, which no file and no store can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


class Record(BaseModel):
    """Base of all stored nouns: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(StrEnum):
    """How a sample ended.

    ``ok``: played to its end. ``invalid``: the model's output could not be used (malformed, cut off,
    over its context, its token cap or time limit); that is its failure and scored as one. ``refused``:
    it declined. ``error``: our fault or the backend's; never scored, always counted.
    """

    OK = "ok"
    INVALID = "invalid"
    REFUSED = "refused"
    ERROR = "error"


class Usage(Record):
    """What model calls cost. Sums over the calls of a turn or a sample.

    ``prompt_tokens`` counts every prompt in full; ``cached_tokens`` of them were found in a cache.
    ``completion_tokens`` includes ``reasoning_tokens``. ``seconds`` is the time that the caller waited,
    ``cost`` is in US dollars. ``replayed`` of the calls were answered from a response cache: their tokens are those of
    the first time, their cost is 0, and ``spared`` is what they cost when they were first answered.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    replayed: int = 0
    spared: float = 0.0

    @model_serializer(mode="wrap")
    def _short(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only a response cache fills: most runs have none, and older versions read those too."""
        data = dump(self)
        if not self.replayed:
            data.pop("replayed", None)
            data.pop("spared", None)
        return data

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            seconds=self.seconds + other.seconds,
            cost=self.cost + other.cost,
            replayed=self.replayed + other.replayed,
            spared=self.spared + other.spared,
        )


class Call(Record):
    """One request to a backend and its answer. The prompt itself is not kept: it can be rebuilt, and its hash tells."""

    prompt_hash: str
    seed: int
    completion: str
    reasoning: str = ""
    finish_reason: str
    usage: Usage


class Likelihood(Record):
    """What a backend said of a reply that was given to it: natural logarithms of probabilities, one a token.

    ``greedy`` says of each token whether it was the most likely one.
    """

    prompt_hash: str
    continuation: str
    logprobs: tuple[FiniteFloat, ...]
    greedy: tuple[bool, ...]

    @property
    def total(self) -> float:
        """Log-probability of the whole continuation."""
        return sum(self.logprobs)

    @property
    def words(self) -> str:
        """The continuation and its log-probability, for transcripts."""
        sure = ", the likeliest" if self.greedy and all(self.greedy) else ""
        return f"{self.continuation}  [log-probability {self.total:.3f}{sure}]"


class Turn(Record):
    """One turn of an episode: what a seat saw, what it was asked to complete, what it did.

    ``action`` is the text handed to the world; ``usable`` is false when the world could not use it. ``after`` is what
    the world answered to the last action, which no further observation shows. ``instructions`` is the hash of what
    held for the whole episode; its text is kept once in the store. ``likelihoods`` are of replies that the model did
    not write: it was asked how likely they are.
    """

    index: int
    seat: str = "player"
    observation: str
    instructions: str = ""
    calls: tuple[Call, ...] = ()
    action: str | None = None
    usable: bool = True
    after: str = ""
    scores: dict[str, FiniteFloat] = Field(default_factory=dict)
    likelihoods: tuple[Likelihood, ...] = ()


class LongTurns(Sequence[Turn], abc.ABC):
    """The turns of a long sample where they are not all in memory: a tuple of them in all but that.

    Each pass reads them again, a few at a time.
    """

    @property
    @abc.abstractmethod
    def usage(self) -> Usage:
        """What all their calls took, added up in their order."""

    @property
    @abc.abstractmethod
    def digest(self) -> str:
        """Hash of what the model wrote in them."""

    @abc.abstractmethod
    def stored(self) -> Iterator[tuple[int, str]]:
        """Index and JSON of each, as a store holds them."""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Hash and text of what they refer to, where they have it with them; some more than once."""
        yield from ()

    def close(self) -> None:
        """Let go of where they lie; they cannot be read any more."""

    def __iter__(self) -> Iterator[Turn]:
        for _, data in self.stored():
            yield Turn.model_validate_json(data)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Turn, ...]: ...
    def __getitem__(self, index: int | slice) -> Turn | tuple[Turn, ...]:
        wanted = range(len(self))[index]
        if isinstance(wanted, int):
            return next(islice(self, wanted, None))
        if not wanted:
            return ()
        low, high = min(wanted), max(wanted)
        found = tuple(islice(self, low, high + 1))
        return tuple(found[at - low] for at in wanted)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (LongTurns, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of all that is compared by what it holds and may be large


class _EitherTurns:
    """What pydantic makes of turns that are long or not: the same as of a tuple, except that it reads no long ones."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(tuple[Turn, ...])
        told = core_schema.wrap_serializer_function_ser_schema(
            lambda value, dump: dump(tuple(value) if isinstance(value, LongTurns) else value), schema=inner
        )
        return core_schema.no_info_wrap_validator_function(
            # Most are tuples, and to ask whether one is of an abstract class takes a while.
            lambda value, check: value if type(value) is not tuple and isinstance(value, LongTurns) else check(value),
            inner,
            serialization=told,
        )


class Metric(Record):
    """A number that a task gives for every sample, and all that is needed to read it.

    Args:
        name: Column name, unique within the task.
        summary: What it measures, in one line.
        kind: ``binary`` (0 or 1) or ``graded``.
        direction: Which way is better; ``none`` where neither is.
        low: Lower end of the range, None where there is none.
        high: Upper end of the range, None where there is none.
        chance: Level of the random policy where it is the same for all items; items may state their own.
        ceiling: Level of the oracle, likewise.
        failure: Value of a sample that ended as ``invalid`` or ``refused``; None: the metric does not apply to it.
        clusters: Cluster path from the sample up; claims use the highest level with enough units.
        primary: Whether this metric decides; a task has exactly one.
        unit: Unit to show, such as ``turns``.
        best_of: Whether the expected best of k samples is told as ``NAME@k``, as ``pass@k`` is of a binary metric that
            decides.
    """

    name: str
    summary: str
    kind: Literal["binary", "graded"] = "graded"
    direction: Literal["higher", "lower", "none"] = "higher"
    low: float | None = 0.0
    high: float | None = 1.0
    chance: float | None = None
    ceiling: float | None = None
    failure: float | None = None
    clusters: tuple[str, ...] = ("sample", "item")
    primary: bool = False
    unit: str = ""
    role: Literal["", "safety", "capability", "caution", "knowledge", "compliance"] = ""
    best_of: bool = False

    @model_serializer(mode="wrap")
    def _short(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what few metrics have, which older versions do not know."""
        data = dump(self)
        if not self.best_of:
            data.pop("best_of", None)
        return data

    @property
    def span(self) -> float | None:
        """Length of the range; None where it is open."""
        return None if self.low is None or self.high is None else self.high - self.low

    def scale(self, chance: float | None, ceiling: float | None) -> float | None:
        """What shares are taken of: the range, or where it is open the way from chance to ceiling.

        Args:
            chance: What a random policy reaches.
            ceiling: What an oracle reaches.

        Returns:
            None for an open metric without two levels that differ.
        """
        if self.span is not None:
            return self.span
        return None if chance is None or ceiling is None or chance == ceiling else abs(ceiling - chance)


class Level(Record):
    """What the references reach on the items of a run: the random policy (chance) and the oracle (ceiling).

    ``exact`` is true where the value was computed, not declared or sampled.
    """

    chance: float | None = None
    ceiling: float | None = None
    exact: bool = False


class ProbeSheet(Record):
    """What a manifest says about a set of probes.

    Args:
        name: Of the set.
        kind: What it asks of an agent: ``levels`` of the worlds that it lives in, which it has not met; ``worlds`` that
            it never lives in; ``inverse``: worlds that look alike and mean the opposite; ``beside``: something else,
            measured beside what decides.
        items: Names of its items.
        learnt: How many episodes were lived when the stream left what the set is about; None: it never leaves it, or
            never comes to it. Forgetting is measured from there on.
        metrics: Names of the metrics that its items have; empty: all of the task's.
        summary: One line.
    """

    name: str
    kind: Literal["levels", "worlds", "inverse", "beside"]
    items: tuple[str, ...]
    learnt: int | None = None
    metrics: tuple[str, ...] = ()
    summary: str = ""

    def has(self, metric: str) -> bool:
        """Whether its items have a metric."""
        return not self.metrics or metric in self.metrics


class StreamSheet(Record):
    """What a manifest says about the streams of a task.

    Args:
        streams: Streams an arm.
        episodes: Episodes a stream.
        checkpoints: After how many episodes probes run, ascending; the k-th of them, from 1, is ``checkpoint`` k of a
            sample's key, and its ``position`` is the number of episodes. Lived episodes have the checkpoint 0, and as
            their position the number of episodes before them.
        probes: The sets of probes, each asked at every checkpoint.
    """

    streams: int
    episodes: int
    checkpoints: tuple[int, ...]
    probes: tuple[ProbeSheet, ...]

    @property
    def levels(self) -> tuple[ProbeSheet, ...]:
        """The sets that the task's numbers are of: those on unseen levels of the worlds that are lived in."""
        return tuple(probes for probes in self.probes if probes.kind == "levels")


class Grouping(Record):
    """Which items of a task belong together, and what for.

    Args:
        name: What the groups are: a level of the metrics' cluster path above ``item`` (``problem``), or something that
            tells items apart (``domain``). No metric and no column of a frame has this name.
        groups: The group of each item, by item. An item that is not named belongs to none.
        shown: Names of the metrics that reports show for each group apart; of a mere unit none.
        summary: What a reader needs to know of the groups, as a sentence.
        dyadic: Whether a group is a pair of units, written as both names with ``+`` between them: items that share
            either unit depend on one another.
    """

    name: str
    groups: dict[str, str]
    shown: tuple[str, ...] = ()
    summary: str = ""
    dyadic: bool = False

    @property
    def dyads(self) -> dict[str, tuple[str, str]]:
        """The two units of each group; empty where groups are no pairs."""
        if not self.dyadic:
            return {}
        parts = {group: group.partition("+") for group in self.groups.values() if group}
        return {group: (one, two) for group, (one, _, two) in parts.items()}


class ArmContrast(Record):
    """Two arms of a task that are to be held against each other, as the task declares it.

    Args:
        name: What the difference is called: ``bias effect``.
        arm: The first arm.
        against: What it is held against; the effect is ``arm`` less ``against``.
        restores: Where ``arm`` carries an intervention: the contrast whose harm it is to undo. Its ``arm`` is this
            one's ``against``. Empty: no intervention.
        beside: Names of metrics whose means in ``arm`` are shown beside the effect.
        worst_of: Of how many answers ``arm`` takes one: what the worst of so many independent ones would reach,
            1 - (1 - p)**k with the p of ``against``, is shown beside the effect. 0: nothing is shown.
    """

    name: str
    arm: str
    against: str
    restores: str = ""
    beside: tuple[str, ...] = ()
    worst_of: int = 0


class TaskSheet(Record):
    """What a manifest says about a task, so that a table can be made without the task's code.

    ``levels`` maps arm to column to :class:`Level`; columns are metric names, ``pass@k`` and ``NAME@k``. ``streams``
    says how the streams are laid out, where the task has any, and ``groupings`` which items belong together.
    ``contrasts`` are the arms that are held against each other, and ``plain_arm`` is the one in which nothing pulls
    away from what is wanted: there competence is asked for. ``recurrence`` names metrics that turns are scored with and
    whose way from turn to turn is told: whether they are drawn back to a level. ``noun`` is what an item is, such as
    ``society``; empty: an item.
    """

    name: str
    version: int
    summary: str
    metrics: tuple[Metric, ...]
    arms: dict[str, str]
    levels: dict[str, dict[str, Level]]
    streams: StreamSheet | None = None
    groupings: tuple[Grouping, ...] = ()
    contrasts: tuple[ArmContrast, ...] = ()
    plain_arm: str = ""
    recurrence: tuple[str, ...] = ()
    noun: str = Field(default="", pattern="^[a-z ]{0,40}$")

    @model_serializer(mode="wrap")
    def _short(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what few tasks have, which older versions do not know."""
        data = dump(self)
        for name in ("groupings", "contrasts", "plain_arm", "recurrence", "noun"):
            if not getattr(self, name):
                data.pop(name, None)
        return data

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return next(m for m in self.metrics if m.primary)


class Key(NamedTuple):
    """Names one sample within a run. Sorting by it gives the order of every export."""

    task: str
    arm: str
    item: str
    sample: int
    stream: str = ""
    position: int = 0
    checkpoint: int = 0
    agent: str = ""


class Sample(Record):
    """One stochastic repeat of one item in one arm, as it is stored.

    ``turns`` are a tuple, or :class:`LongTurns` that give the same. ``texts`` maps hash to text for what turns refer to
    by hash; long turns have theirs with them.
    ``metrics`` holds finite numbers or ``None`` where a metric does not apply (steps to a success that did not come).
    """

    task: str
    version: int
    arm: str
    item: str
    item_hash: str
    sample: int
    stream: str = ""
    position: int = 0
    checkpoint: int = 0
    agent: str = ""
    attempt: int = 1
    seed: int
    outcome: Outcome
    reason: str = ""
    metrics: dict[str, float | None] = Field(default_factory=dict)
    usage: Usage = Usage()
    seconds: float = 0.0
    turns: Annotated[tuple[Turn, ...] | LongTurns, _EitherTurns()] = ()
    texts: dict[str, str] = Field(default_factory=dict, exclude=True)
    error: str = ""

    @property
    def key(self) -> Key:
        """The sample's name within its run."""
        return Key(self.task, self.arm, self.item, self.sample, self.stream, self.position, self.checkpoint, self.agent)


class Update(Record):
    """One change of an agent's state, and what caused it.

    Args:
        id: Content hash of all that names it, 16 hexadecimal digits.
        task: Where it happened.
        arm: Likewise.
        stream: Likewise.
        position: Of the episode that caused it: how many the agent had lived through before.
        parent: The update before it in its stream, empty for the first.
        state: Hash of the state that it left.
        size: Bytes of that state as canonical JSON.
        change: What was changed, in the agent's words.
    """

    id: str
    task: str
    arm: str
    stream: str
    position: int
    parent: str
    state: str
    size: int
    change: str = ""


class TaskChoice(Record):
    """A task as a run chose it: its name, its version, the arms, and the hash of the items that it plays.

    ``streams`` is the number of streams an arm, 0 for a task of single episodes.
    """

    name: str
    version: int
    arms: tuple[str, ...]
    items: int
    items_hash: str
    streams: int = 0

    @model_serializer(mode="wrap")
    def _short(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only streams have: the specifications of other runs keep the hash that they always had."""
        data = dump(self)
        if not self.streams:
            data.pop("streams", None)
        return data


class ItemsChoice(Record):
    """Where a run's items come from.

    ``public``: the items that everybody gets. ``regenerated``: drawn from ``seed``, which is stated. ``private``: drawn
    from a secret that only its owner has; ``commitment`` is published before a season and checked when the secret is
    revealed. ``data``: read from files of the user's; the tasks' ``items_hash`` names their content.
    """

    kind: Literal["public", "regenerated", "private", "data"] = "public"
    seed: int | None = None
    commitment: str | None = None


class BackendChoice(Record):
    """A backend and its arguments: ``hf`` with ``{"model": "smollm2"}``, ``scripted`` with ``{"model": "random"}``."""

    name: str
    model: str = ""
    args: dict[str, Any] = Field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}:{self.model}" if self.model else self.name


class AgentChoice(Record):
    """An agent and its arguments."""

    name: str = "history"
    args: dict[str, Any] = Field(default_factory=dict)


class Sampling(Record):
    """How tokens are drawn. ``temperature`` 0 is greedy; ``max_tokens`` None leaves the task's own cap."""

    temperature: float = Field(default=0.7, ge=0, allow_inf_nan=False)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)


class Thinking(Record):
    """How ``<think>`` parts are treated: a token budget of their own, and whether the history keeps them."""

    budget: int | None = Field(default=None, ge=0)
    keep: bool = False


class Limits(Record):
    """What one sample may use: seconds of wall time, and tokens (prompt not counted). None: no limit."""

    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tokens: int | None = Field(default=None, gt=0)


class Branch(Record):
    """Where a run goes on from: a state that an agent had in another run.

    Args:
        run: Hash of that run's specification.
        update: The update that is branched at.
        undone: Whether the update is undone: the agent has lived the episode, and its state is the one before.
        state: Hash of the state that is lived on from; empty for a newborn agent's.
        arm: The arm that the update was in.
        stream: The stream that is lived on.
        start: Episodes that count as lived.
    """

    run: str
    update: str
    undone: bool
    state: str
    arm: str
    stream: str
    start: int


class SandboxChoice(Record):
    """The interpreter that a run chose for code that a model wrote, as far as it decides numbers.

    Args:
        python: Its kind and version, such as ``CPython 3.11.7``.
        packages: Version by name of all that is installed there.
    """

    python: str
    packages: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        known = [
            f"{name} {self.packages[name]}" for name in ("numpy", "scipy", "scikit-learn") if name in self.packages
        ]
        return f"{self.python} with {', '.join(known) or f'{len(self.packages)} packages'}"


class RunSpec(Record):
    """All that decides a run's numbers, and nothing else.

    Two runs with equal specifications ask the same questions with the same seeds. What only decides how fast or
    where a run happens (concurrency, folder, display) is not part of it.
    """

    format: Literal["finchmark-run/1"] = SPEC_FORMAT
    tasks: tuple[TaskChoice, ...]
    tier: str
    limit: int | None = Field(default=None, ge=1)
    samples: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    items: ItemsChoice = ItemsChoice()
    backend: BackendChoice
    agent: AgentChoice = AgentChoice()
    sampling: Sampling = Sampling()
    thinking: Thinking = Thinking()
    limits: Limits = Limits()
    system_prompt: str | None = None
    model_identity: str = ""
    branch: Branch | None = None
    sandbox: SandboxChoice | None = None

    @model_serializer(mode="wrap")
    def _short(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what few runs choose: the specifications of the others keep the hash that they always had."""
        data = dump(self)
        for name in ("branch", "sandbox"):
            if getattr(self, name) is None:
                data.pop(name, None)
        return data

    @property
    def decoding(self) -> str:
        """How tokens are drawn: ``greedy``, ``sampled T=0.7``, or ``scripted`` where no token is."""
        if self.backend.name == "scripted":
            return "scripted"
        if self.sampling.temperature == 0:
            return "greedy"
        nucleus = "" if self.sampling.top_p == 1 else f" top-p={self.sampling.top_p:g}"
        return f"sampled T={self.sampling.temperature:g}{nucleus}"

    @property
    def hash(self) -> str:
        """Content hash of the specification, 32 hexadecimal digits."""
        return content_hash(self.model_dump(mode="json"))


class Manifest(Record):
    """What a run folder says about its run: the specification, and where and with what it ran.

    ``sessions`` has a line for every call that worked on the run: when, with which version and commit, on what machine,
    what its backend counted (requests, retries, faults by kind), and whether it ended or was killed.
    ``backend_counts`` adds these counts up over all calls.
    ``label`` names the model in tables. ``environment`` holds versions, hardware, the git commit and the device;
    ``counts`` the samples by outcome when the run last stopped; ``complete`` whether every sample was there then.
    """

    format: Literal["finchmark-manifest/1"] = "finchmark-manifest/1"
    finchmark: str
    label: str
    created: str
    updated: str
    complete: bool = False
    spec: RunSpec
    spec_hash: str
    tasks: dict[str, TaskSheet]
    model: dict[str, Any] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    expected: int = 0
    notes: tuple[str, ...] = ()
    sessions: tuple[dict[str, Any], ...] = ()
    backend_counts: dict[str, float] = Field(default_factory=dict)
