"""Streams: the ordered episodes that one evolving agent lives through, and the probes that measure it on the way."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal

from .agents.experience import Feedback
from .errors import UsageError
from .records import ProbeSheet, StreamSheet
from .seeds import generator
from .task import Arm, EpisodeResult, Item, Task, Tier

__all__ = [
    "DEFAULT_ARMS",
    "STREAMS",
    "STREAM_ARMS",
    "ProbeSet",
    "Stream",
    "StreamTask",
    "check_arms",
    "default_streams",
    "lived_order",
    "partners",
    "stream_items",
    "stream_sheet",
]

STREAMS: Mapping[str, int] = MappingProxyType({"smoke": 8})
"""Streams an arm by tier; 12 in all others (validity, section 1)."""
_STREAMS = 12

STREAM_ARMS = (
    Arm("evolving", "learns from every episode", {"learns": True}),
    Arm("frozen", "lives through the same episodes and learns nothing", {}),
    Arm("shuffled", "learns from the same episodes in another order", {"learns": True, "shuffled": True}),
    Arm(
        "yoked",
        "learns, but is told how another stream's episode was judged in the place of its own",
        {"learns": True, "needs": "partner"},
    ),
    Arm(
        "placebo", "learns nothing and carries unrelated memory of the size that evolving has by then", {"needs": "own"}
    ),
    Arm("compute-matched", "learns nothing and spends the tokens that evolving spends on votes", {"needs": "own"}),
)
"""What each arm does; ``needs`` names the stream of the arm ``evolving`` that must have been lived before."""

DEFAULT_ARMS = ("evolving", "frozen", "shuffled")


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """Items that are asked at every checkpoint and never lived through.

    Args:
        name: Letters, digits and ``-_``.
        kind: ``levels``, ``worlds``, ``inverse`` or ``beside``; see :class:`.ProbeSheet`.
        items: The same for all streams and arms: they are crossed with the streams.
        learnt: After how many episodes the streams leave what the set is about; None: never.
        summary: One line.
        metrics: Names of the metrics that its items have; empty: all of the task's.
    """

    name: str
    kind: Literal["levels", "worlds", "inverse", "beside"]
    items: tuple[Item, ...]
    learnt: int | None = None
    summary: str = ""
    metrics: tuple[str, ...] = ()

    @property
    def sheet(self) -> ProbeSheet:
        """What a manifest says of it."""
        return ProbeSheet(
            name=self.name,
            kind=self.kind,
            items=tuple(item.id for item in self.items),
            learnt=self.learnt,
            metrics=self.metrics,
            summary=self.summary,
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """One agent's episodes, in its own order.

    Args:
        id: ``s000``, ``s001`` …
        episodes: The items, in order; one may come more than once.
        checkpoints: After how many episodes the probes run, ascending, from 0 to all.
        probes: The sets that are asked then.
    """

    id: str
    episodes: tuple[Item, ...]
    checkpoints: tuple[int, ...]
    probes: tuple[ProbeSet, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse what cannot be lived.

        Raises:
            UsageError: No name, no episode, a checkpoint out of range, or a probe that is lived through or there twice.
        """
        if not self.id:
            raise UsageError("A stream needs a name, such as 's000'.")
        if not self.episodes:
            raise UsageError(f"The stream {self.id} has no episodes.")
        wrong = [c for c in self.checkpoints if not 0 <= c <= len(self.episodes)]
        if wrong or list(self.checkpoints) != sorted(set(self.checkpoints)):
            raise UsageError(
                f"The stream {self.id} of {len(self.episodes)} episodes has the checkpoints "
                f"{list(self.checkpoints)}; they must be different numbers from 0 to {len(self.episodes)}, ascending."
            )
        names = [probe.name for probe in self.probes]
        if len(set(names)) < len(names):
            raise UsageError(f"The stream {self.id} has two sets of probes of one name: {', '.join(names)}.")
        asked = [item.id for item in self.probe_items]
        twice = sorted({name for name in asked if asked.count(name) > 1}) if len(set(asked)) < len(asked) else []
        if twice:
            raise UsageError(
                f"The stream {self.id} has two probes of the id {twice[0]!r}: samples are told apart by it."
            )
        lived = {item.hash: item.id for item in self.episodes}
        for probe in self.probes:
            for item in probe.items:
                if item.hash in lived:
                    raise UsageError(
                        f"The item {item.id} of the probes {probe.name!r} is the episode {lived[item.hash]} of the "
                        f"stream {self.id}: what an agent has lived through cannot probe it."
                    )

    @property
    def probe_items(self) -> tuple[Item, ...]:
        """The items of all sets."""
        return tuple(item for probe in self.probes for item in probe.items)


class StreamTask(Task):
    """Base of tasks whose unit is the stream: a subclass says which streams there are and plays one episode.

    Every arm lives through the same streams. ``evolving``, ``frozen`` and ``shuffled`` are played by default; the
    others of :data:`STREAM_ARMS` on request, together with ``evolving``, from which they take what they need. Gains are
    differences between arms on the same streams; the unit of a claim is the stream (validity, section 1).
    """

    arms: ClassVar[tuple[Arm, ...]] = STREAM_ARMS
    default_arms: ClassVar[tuple[str, ...] | None] = DEFAULT_ARMS

    @abc.abstractmethod
    def streams(self, tier: Tier, seed: int, count: int) -> Sequence[Stream]:
        """Make streams, the same on every machine; the first of a larger ``count`` are those of a smaller one.

        Args:
            tier: One of ``tiers``; ``tier.items`` is the number of episodes a stream.
            seed: 0 for the public ones.
            count: How many.
        """

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """All items of the default number of streams, probes included, each once."""
        return stream_items(self.streams(tier, seed, default_streams(tier)))

    def played(self, item: Item) -> str:
        """What an agent is told that it plays. Default: the task's own name; where worlds are mixed, the world's."""
        return self.name

    def feedback(self, item: Item, result: EpisodeResult) -> Feedback:
        """What an agent is told of how its episode was judged: the primary metric, and ``success`` where there is one.

        Args:
            item: What was played.
            result: How it ended.
        """
        primary = next(metric.name for metric in self.metrics if metric.primary)
        success = result.metrics.get("success")
        return Feedback(
            score=result.metrics[primary],
            solved=None if success is None else success >= 1.0,
            outcome=str(result.outcome),
            reason=result.reason,
        )

    def scale(self, item: Item) -> tuple[float | None, float | None]:
        """Ends of the scale of an item's score, None where it is open. Default: those of the primary metric."""
        primary = next(metric for metric in self.metrics if metric.primary)
        return primary.low, primary.high

    def learning_tokens(self, tier: Tier) -> int:
        """Cap on one reply while learning: reflections are longer than actions. Default: 256, or the tier's if more."""
        return max(256, tier.max_tokens)


def default_streams(tier: Tier) -> int:
    """How many streams an arm has where nothing is said."""
    return STREAMS.get(tier.name, _STREAMS)


def stream_items(streams: Sequence[Stream]) -> list[Item]:
    """The items of streams, each once, sorted by name.

    Raises:
        UsageError: Two different items have one name.
    """
    found: dict[str, Item] = {}
    for items in (*(stream.episodes for stream in streams), *(stream.probe_items for stream in streams)):
        for item in items:
            known = found.setdefault(item.id, item)
            if known.hash != item.hash:
                raise UsageError(f"Two different items of the streams have the id {item.id!r}.")
    return [found[name] for name in sorted(found)]


def stream_sheet(task: str, streams: Sequence[Stream]) -> StreamSheet:
    """What a manifest says of streams.

    Raises:
        UsageError: They are not alike, and arms and checkpoints could not be averaged over them; or two have one name.
    """
    first = streams[0]
    if len({stream.id for stream in streams}) < len(streams):
        raise UsageError(f"Two streams of {task} have one name: {', '.join(stream.id for stream in streams)[:80]}.")
    for stream in streams:
        same = (
            len(stream.episodes) == len(first.episodes)
            and stream.checkpoints == first.checkpoints
            and [p.sheet for p in stream.probes] == [p.sheet for p in first.probes]
        )
        if not same:
            raise UsageError(
                f"The streams {first.id} and {stream.id} of {task} differ in length, checkpoints or probes; all "
                "streams of a task have the same."
            )
    return StreamSheet(
        streams=len(streams),
        episodes=len(first.episodes),
        checkpoints=first.checkpoints,
        probes=tuple(probe.sheet for probe in first.probes),
    )


def check_arms(task: str, arms: Sequence[Arm], streams: int, *, limited: bool = False) -> None:
    """Refuse arms that cannot be played together.

    Args:
        task: For messages.
        arms: What is to be played.
        streams: How many streams an arm.
        limited: Whether a sample's time or tokens are.

    Raises:
        UsageError: An arm needs ``evolving`` and it is not played, or needs another stream and there is one only; or
            it spends on an episode what ``evolving`` spends outside, and a limit would cut it short for that.
    """
    names = [arm.name for arm in arms]
    for arm in arms:
        if arm.name == "compute-matched" and limited:
            raise UsageError(
                f"The arm {arm.name!r} of {task} votes with what evolving spends on learning, so that --time-limit and "
                "--token-limit would end its episodes and not those of evolving. Leave the limits out, or the arm."
            )
        needs = arm.options.get("needs")
        if needs and "evolving" not in names:
            raise UsageError(
                f"The arm {arm.name!r} of {task} takes what it needs from the arm 'evolving': play both "
                f"(--arm evolving --arm {arm.name})."
            )
        if needs == "partner" and streams < 2:
            raise UsageError(f"The arm {arm.name!r} of {task} needs at least 2 streams, not {streams}.")


def lived_order(stream: Stream, arm: Arm, *path: str | int) -> list[int]:
    """In which order an arm lives through a stream's episodes: indices of ``stream.episodes``.

    Args:
        stream: The stream.
        arm: Shuffled or not.
        path: Names the shuffle besides the stream.
    """
    order = list(range(len(stream.episodes)))
    if arm.options.get("shuffled") and len(order) > 1:
        rng = generator("streams", "shuffle", stream.id, *path)
        while True:
            order = [int(i) for i in rng.permutation(len(order))]
            if order != sorted(order):
                return order
    return order


def partners(streams: Sequence[Stream], *path: str | int) -> dict[str, str]:
    """Whose feedback each stream gets in the arm ``yoked``: one cycle through all, so that none gets its own.

    Args:
        streams: At least two.
        path: Names the draw.
    """
    ids = [stream.id for stream in streams]
    order = [ids[int(i)] for i in generator("streams", "yoked", *path).permutation(len(ids))]
    return dict(zip(order, [*order[1:], order[0]], strict=True))
