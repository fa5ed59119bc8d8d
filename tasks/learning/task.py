"""Tasks of streams: ``learning/odyssey``, ``learning/worlds``, and ``learning/NAME`` for every other task."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar

from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName, UsageError
from ...suite.model import ModelStopped
from ...suite.records import Metric, Outcome
from ...suite.registry import TASKS
from ...suite.seeds import derive, generator
from ...suite.streams import ProbeSet, Stream, StreamTask
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from .course import COURSES, Course, Inner, slug

__all__ = ["LearningTask", "expand", "make_task"]

FAMILY = "learning"

_SHAPES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"smoke": (4, 2, 1), "lite": (20, 5, 4), "full": (40, 10, 8)}
)
"""By tier: episodes a stream, episodes from one checkpoint to the next, items a set of probes."""

_LEARNING_TOKENS: Mapping[str, int] = MappingProxyType({"smoke": 96, "lite": 384, "full": 768})


class LearningTask(StreamTask):
    """An agent lives through a stream of episodes, and frozen probes on the way say what it has gained.

    **Streams**: each has levels and an order of its own; no two streams share a level, and no level that is lived
    through ever probes. Where a course has several tasks they come one after the other, each with the same number of
    episodes, so that the first can be forgotten. The probes are the same for all streams, arms and checkpoints.

    **Score**: the primary metric of each episode's own task, on that task's scale; ``success`` where it has one.

    **Arms**: see :data:`.STREAM_ARMS`. A gain is a difference between arms on the same streams, and the stream is the
    unit of every claim.
    """

    course: ClassVar[Course]
    clusters: ClassVar[tuple[str, ...]] = ("sample", "item", "stream")

    @cached_property
    def inner(self) -> dict[str, Inner]:
        """The course's tasks by name."""
        return {name: Inner(name) for name in self.course.names}

    def streams(self, tier: Tier, seed: int, count: int) -> Sequence[Stream]:
        """Draw the levels of each stream; the probes are the tasks' own first items."""
        every, each = _SHAPES[tier.name][1:] if tier.name in _SHAPES else (max(1, tier.items // 4), 1)
        lived = [self.inner[name] for name in self.course.lived]
        lengths = [len(part) for part in _split(tier.items, len(lived))]
        probes: list[ProbeSet] = []
        ends = 0
        for inner, length in zip(lived, lengths, strict=True):
            ends += length
            left = ends if ends < tier.items else None
            # Streams that are cut short may end before a task of theirs begins.
            probes.append(self._probes(inner, "levels" if length else "worlds", tier, seed, each, left))
        probes += [self._probes(self.inner[name], "worlds", tier, seed, each) for name in self.course.worlds]
        probes += [self._probes(self.inner[name], "inverse", tier, seed, each) for name in self.course.inverse]
        taken = {item.hash for probe in probes for item in probe.items}
        checkpoints = tuple(sorted({*range(0, tier.items, every), tier.items}))
        made: list[Stream] = []
        for number in range(count):
            name = f"s{number:03d}"
            episodes: list[Item] = []
            for inner, length in zip(lived, lengths, strict=True):
                episodes += self._episodes(inner, name, tier, seed, length, taken)
            made.append(Stream(name, tuple(episodes), checkpoints, tuple(probes)))
        return made

    def _probes(
        self, inner: Inner, kind: str, tier: Tier, seed: int, count: int, learnt: int | None = None
    ) -> ProbeSet:
        own = inner.tier(tier.name)
        items = list(inner.task.items(replace(own, items=count), seed))[:count]
        wrapped = tuple(inner.wrap(item, f"{slug(inner.name)}.{item.id}", own) for item in items)
        return ProbeSet(slug(inner.name), kind, wrapped, learnt, inner.task.summary)  # pyright: ignore[reportArgumentType]

    def _episodes(self, inner: Inner, stream: str, tier: Tier, seed: int, count: int, taken: set[str]) -> list[Item]:
        """The levels of one block of one stream, in its own order.

        Raises:
            UsageError: The task has too few items.
        """
        own = inner.tier(tier.name)
        drawn_from = derive(FAMILY, inner.name, stream, seed) % 2**31 + 1
        found: dict[str, Item] = {}
        # More than are needed only where some are probes or equal: a task's items need not follow from the seed.
        for more in (0, _SHAPES.get(tier.name, (0, 0, 1))[2] + 8):
            found.clear()
            for item in inner.task.training_items(replace(own, items=count + more), drawn_from):
                wrapped = inner.wrap(item, f"{slug(inner.name)}.{stream}-{len(found):02d}", own)
                if wrapped.hash not in taken:
                    found.setdefault(wrapped.hash, wrapped)
            if len(found) >= count:
                break
        if len(found) < count:
            raise UsageError(
                f"{self.name}: a stream needs {count} items of {inner.name} besides its probes, and there are "
                f"{len(found)}. Choose fewer episodes (--limit)."
            )
        rng = generator(FAMILY, "order", inner.name, stream, seed)
        items = list(found.values())
        return [items[int(i)] for i in rng.permutation(len(items))[:count]]

    def played(self, item: Item) -> str:
        """The task inside."""
        return item.data["task"]

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Play an episode of the task inside."""
        inner = self.inner[ctx.item.data["task"]]
        within = ctx.within(inner.unwrap(ctx.item), inner.arm, inner.task.tiers[ctx.item.data["tier"]])
        # A time limit ends the episode from outside, where nobody knows what failing in this task is worth.
        failed = EpisodeResult(inner.task.failure(), Outcome.INVALID)
        ctx.settle(self._outer(inner, failed))
        try:
            result = await inner.task.episode(within)
        except ModelStopped as stop:
            kept = within.settled
            result = EpisodeResult(inner.task.failure(), stop.outcome, stop.reason)
            result = result if kept is None else replace(kept, reason=kept.reason or stop.reason)
        except asyncio.CancelledError:
            ctx.settle(self._outer(inner, within.settled or failed))
            raise
        return self._outer(inner, result)

    def _outer(self, inner: Inner, result: EpisodeResult) -> EpisodeResult:
        return EpisodeResult(self._metrics(inner, result), result.outcome, result.reason)

    def _metrics(self, inner: Inner, result: EpisodeResult) -> dict[str, float | None]:
        given = result.metrics
        failed = result.outcome is not Outcome.OK
        found = {"score": given[inner.primary.name], "success": given.get("success") if inner.binary else None}
        if failed and inner.primary.failure is not None and given[inner.primary.name] is None:
            found["score"] = inner.primary.failure
        found["unusable_rate"] = given.get("unusable_rate")
        return found

    def scale(self, item: Item) -> tuple[float | None, float | None]:
        """Those of the task inside: a course's own may be open where one of its tasks' is."""
        primary = self.inner[item.data["task"]].primary
        return primary.low, primary.high

    def learning_tokens(self, tier: Tier) -> int:
        """Cap on one reply while learning, by tier."""
        return _LEARNING_TOKENS.get(tier.name, 384)

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """The policy of the task inside."""
        inner = self.inner[item.data["task"]]
        return inner.task.reference(name, inner.unwrap(item), inner.arm)

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """Bound an episode as the task inside does; a memory in the prompt and learning are counted as the cap each."""
        inner = self.inner[item.data["task"]]
        own = replace(inner.task.tiers[item.data["tier"]], max_tokens=tier.max_tokens)
        base = inner.task.estimate(inner.unwrap(item), inner.arm, own)
        cap = self.learning_tokens(tier)
        return Estimate(base.calls + 2, base.prompt_tokens + base.calls * cap + 4096, base.completion_tokens + 2 * cap)


def _split(items: int, parts: int) -> list[range]:
    """Cut a number of episodes into parts as equal as can be, the earlier ones longer."""
    cuts = [-(-items * part // parts) for part in range(parts + 1)]
    return [range(a, b) for a, b in pairwise(cuts)]


def _metrics(inner: Sequence[Inner]) -> tuple[Metric, ...]:
    ranges = {(each.primary.low, each.primary.high) for each in inner}
    low, high = ranges.pop() if len(ranges) == 1 else (None, None)
    failures = {each.primary.failure for each in inner}
    direction = inner[0].primary.direction
    if any(each.primary.direction != direction for each in inner):
        raise UsageError("The tasks of one course must have primary metrics that point the same way.")
    kind = "binary" if all(each.primary.kind == "binary" for each in inner) else "graded"
    which = ", ".join(dict.fromkeys(f"{each.primary.name} of {each.name}" for each in inner))
    clusters = LearningTask.clusters
    found = [
        Metric(
            name="score",
            summary=f"the primary metric of the episode's own task: {which}",
            kind=kind,
            direction=direction,
            low=low,
            high=high,
            failure=failures.pop() if len(failures) == 1 else 0.0 if low is None else max(low, 0.0),
            clusters=clusters,
            primary=True,
        ),
        Metric(
            name="success",
            summary="share of episodes that reach their goal, where their task has one",
            kind="binary",
            failure=0.0 if any(each.binary for each in inner) else None,
            clusters=clusters,
        ),
        Metric(
            name="unusable_rate",
            summary="share of actions that the world could not use",
            direction="lower",
            clusters=clusters,
        ),
    ]
    return tuple(found)


def make_task(name: str) -> type[Task]:
    """Make the class of a course's task.

    Args:
        name: ``learning/odyssey``, ``learning/worlds``, or ``learning/`` and the name of any task of single episodes.

    Raises:
        UnknownName: There is no such course and no such task.
        UsageError: The task is one of streams itself.
    """
    own = name.partition("/")[2]
    course = COURSES.get(own)
    if course is None:
        if own not in TASKS:
            raise UnknownName("task", name, [f"{FAMILY}/{known}" for known in (*COURSES, *TASKS.names())])
        if own.startswith(f"{FAMILY}/"):
            raise UsageError(f"{name}: {own} has streams already.")
        course = Course((own,), summary=f"Streams of {own}.")
    inner = [Inner(each) for each in course.names]
    tiers = {}
    for tier, (episodes, every, probes) in _SHAPES.items():
        try:
            tiers_inside = [each.tier(tier) for each in inner]
        except UsageError:
            continue
        tiers[tier] = Tier(
            tier,
            items=episodes,
            max_turns=max(each.max_turns for each in tiers_inside),
            max_tokens=max(each.max_tokens for each in tiers_inside),
            summary=f"{episodes} episodes a stream, checkpoints every {every}, {probes} items a set of probes",
        )
    if not tiers:
        raise UsageError(f"{name}: {own} has none of the tiers that streams are made of.")
    references = [r for r in inner[0].task.references if all(r in each.task.references for each in inner)]
    return type(
        "Learning_" + re.sub(r"\W", "_", own),
        (LearningTask,),
        {
            "__doc__": f"{course.summary}\n\n" + (LearningTask.__doc__ or "").partition("\n\n")[2],
            "__module__": __name__,
            "name": name,
            "version": sum(each.task.version for each in inner) - len(inner) + 1,
            "summary": course.summary,
            "course": course,
            "tiers": MappingProxyType(tiers),
            "metrics": _metrics(inner),
            "references": tuple(references),
        },
    )


def expand(selector: str) -> list[str]:
    """The tasks that a selector stands for.

    Args:
        selector: ``learning``: the courses that ship; ``learning/`` and a course, or a selector of other tasks: a
            stream task for each.

    Raises:
        UnknownName: It finds nothing.
    """
    own = selector.partition("/")[2]
    if not own or own == "*":
        return [f"{FAMILY}/{name}" for name in COURSES]
    if own in COURSES:
        return [selector]
    return [f"{FAMILY}/{name}" for name in TASKS.select([own]) if not name.startswith(f"{FAMILY}/")]
