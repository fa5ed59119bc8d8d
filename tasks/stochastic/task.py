"""``stochastic/NAME``: a task of single episodes at several temperatures, with several samples, in several wordings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar, Protocol, runtime_checkable

from ...suite.agents.base import Observation
from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName, UsageError
from ...suite.model import ModelStopped
from ...suite.records import ArmContrast, Grouping, Level, Metric, Outcome
from ...suite.registry import TASKS
from ...suite.seeds import generator
from ...suite.streams import StreamTask
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from ..learning.course import Inner
from .arms import FAMILY, GREEDY, TEMPERATURES, arm_at
from .frames import FRAMES, framed

__all__ = ["Rewords", "StochasticTask", "expand", "make_task"]

_KNOWN: Mapping[str, str] = MappingProxyType({"house": "house/probes"})
"""Short names of tasks that are wrapped."""

_VERSION = 2
"""Of the frames and of what an arm does; a change raises it, and with it the versions of all wrapped tasks."""

_STREAMS = (
    "{name}: {own} has streams, whose episodes depend on those before them; only tasks of single episodes can be "
    "wrapped."
)

_SHAPES: Mapping[str, tuple[int, int]] = MappingProxyType({"smoke": (24, 2), "lite": (64, 4), "full": (256, 4)})
"""By tier: items of the task inside, and wordings of each. In smoke twelve probes of the house tempt and six are
allowed: claims are about ten items at least (with fewer, wordings would count as if they were items), and with five the
interval of what is allowed could not lie above one half, whatever an agent does."""


@runtime_checkable
class Rewords(Protocol):
    """A task that can ask its items in words of its own."""

    wordings: int

    def reworded(self, item: Item, wording: int) -> Item:
        """The item in other words; 0 is the item itself."""
        ...


class StochasticTask(Task):
    """A model is a distribution over replies, and one greedy reply is one point of it.

    **Arms** are temperatures: ``greedy`` (0) and ``t0.3``, ``t0.7``, ``t1.0``, whatever the run's own. By default
    ``greedy`` and ``t1.0`` are played; ``--arm`` names others. A greedy reply is asked for once: its further samples
    ask nothing and have no numbers. Greedy and sampled are arms apart and are never pooled.

    **Items** are those of the task inside, each in several wordings with the same facts, acts and right answer:
    ``ITEM.w0`` is the task's own. Tasks without wordings get a sentence before their own that asks for nothing. The
    unit is the item inside (``parent``): its wordings and samples say little about other items.

    **Samples** are the run's (``--samples``). Concealed risk needs 64 an item over its wordings: 16 with four wordings,
    32 with the two of smoke.

    **Metrics** are those of the task inside; a report of the run adds worst of k, tails, concealed risk, flips and the
    share of the spread that wordings have.
    """

    inside: ClassVar[Inner]

    @property
    def inner(self) -> Task:
        """The task inside."""
        return self.inside.task

    def _own(self, tier: Tier) -> Tier:
        return self.inside.tier(tier.name)

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Items of the task inside, each in all wordings."""
        wordings = _SHAPES[tier.name][1]
        own = replace(self._own(tier), items=-(-tier.items // wordings))
        parents = list(self.inner.items(own, seed))
        if len(parents) > own.items:
            # Its first ones may all be of one kind.
            chosen = generator(FAMILY, self.inside.name, seed).permutation(len(parents))[: own.items]
            parents = [parents[int(i)] for i in chosen]
        found = []
        for parent in parents:
            for wording in range(wordings):
                item = self.inner.reworded(parent, wording) if isinstance(self.inner, Rewords) else parent
                data = {
                    "task": self.inside.name,
                    "version": self.inner.version,
                    "tier": own.name,
                    "arm": self.inside.arm.name,
                    "wording": wording,
                    "parent": parent.id,
                    "item": dict(item.data),
                }
                found.append(Item(f"{parent.id}.w{wording}", data, proof=item.proof, levels=parent.levels))
        return sorted(found, key=lambda item: item.id)

    def unwrap(self, item: Item) -> Item:
        """The item of the task inside."""
        return Item(item.data["parent"], item.data["item"], proof=item.proof, levels=item.levels)

    def groupings(self, items: Sequence[Item]) -> tuple[Grouping, ...]:
        """Wordings of one item, all items in one wording, and what the task inside groups by."""
        parents = {item.id: item.data["parent"] for item in items}
        inside = {item.data["parent"]: self.unwrap(item) for item in reversed(items)}
        own = [
            grouping.model_copy(
                update={"groups": {name: grouping.groups.get(parent, "") for name, parent in parents.items()}}
            )
            for grouping in self.inner.groupings(list(inside.values()))
        ]
        wordings = {item.id: f"w{item.data['wording']}" for item in items}
        return (Grouping(name="parent", groups=parents), Grouping(name="wording", groups=wordings), *own)

    def levels(self, items: Sequence[Item], arm: Arm, tier: Tier, samples: int) -> dict[str, Level]:
        """Those of the task inside: no wording changes what a reference reaches."""
        inside = {item.data["parent"]: self.unwrap(item) for item in items}
        return self.inner.levels(list(inside.values()), self.inside.arm, self._own(tier), samples)

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Play the task inside at the arm's temperature, in the item's wording."""
        temperature = float(ctx.arm.options["temperature"])
        if temperature == 0 and ctx.sample > 0 and not ctx.brief:
            return EpisodeResult(dict.fromkeys(metric.name for metric in self.metrics), reason="greedy_once")
        for seat in self.seats:
            ctx.model(seat).at_temperature(temperature)
        wording = int(ctx.item.data["wording"])
        worded = 0

        def reword(observation: Observation) -> Observation:
            nonlocal worded
            worded += 1
            return framed(observation, wording)

        own = not isinstance(self.inner, Rewords)
        inner = ctx.within(
            self.unwrap(ctx.item),
            self.inside.arm,
            self.inner.tiers[ctx.item.data["tier"]],
            reword if own and wording else None,
        )
        # A time limit ends the episode from outside, where nobody knows what failing in this task is worth.
        failed = EpisodeResult(self.inner.failure(), Outcome.INVALID)
        ctx.settle(failed)
        try:
            result = await self.inner.episode(inner)
        except ModelStopped as stop:
            kept = inner.settled
            if kept is None or kept is failed:
                kept = EpisodeResult(self.inner.failure(), stop.outcome)
            return replace(kept, reason=kept.reason or stop.reason)
        except asyncio.CancelledError:
            ctx.settle(inner.settled or failed)
            raise
        if own and wording and not worded:
            raise RuntimeError(
                f"{self.inside.name} asks its model past its agents, so that no wording reaches it: {self.name} cannot "
                "wrap it."
            )
        return result

    def failure(self) -> dict[str, float | None]:
        """As the task inside."""
        return self.inner.failure()

    def ready(self) -> None:
        """As the task inside."""
        self.inner.ready()

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """As the task inside; the repeats of a greedy reply, which ask nothing, are counted too."""
        own = replace(self._own(tier), max_tokens=tier.max_tokens)
        return self.inner.estimate(self.unwrap(item), self.inside.arm, own)

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """The policy of the task inside."""
        return self.inner.reference(name, self.unwrap(item), self.inside.arm)


def _arms() -> tuple[Arm, ...]:
    sampled = (Arm(arm_at(t), f"sampled at temperature {t:.1f}", {"temperature": t}) for t in TEMPERATURES)
    return (Arm(GREEDY, "the most likely reply, asked for once", {"temperature": 0.0}), *sampled)


def _contrasts(inner: type[Task]) -> tuple[ArmContrast, ...]:
    """What sampling adds to a greedy reply, where safety is measured."""
    if not any(metric.role == "safety" for metric in inner.metrics):
        return ()
    return tuple(ArmContrast(name=f"sampling at {t:.1f}", arm=arm_at(t), against=GREEDY) for t in TEMPERATURES)


def _metric(metric: Metric) -> Metric:
    level, *above = metric.clusters[1:] or ("item",)
    return metric.model_copy(update={"clusters": ("sample", level, "parent", *above)})


def make_task(name: str) -> type[Task]:
    """Make the class of a wrapped task.

    Args:
        name: ``stochastic/house``, or ``stochastic/`` and the name of any task of single episodes, after which a colon
            may name one of its arms; without it, its first arm is played.

    Raises:
        UnknownName: There is no such task.
        UsageError: It cannot be wrapped.
    """
    own, _, arm = name.partition("/")[2].partition(":")
    inside = Inner(_KNOWN.get(own, own), arm)
    if inside.name not in TASKS:
        raise UnknownName("task", name, [f"{FAMILY}/{known}" for known in (*_KNOWN, *TASKS.names())])
    if inside.name.startswith(f"{FAMILY}/"):
        raise UsageError(f"{name}: {own} has temperatures already.")
    cls: type[Task] = TASKS.load(inside.name)
    if issubclass(cls, StreamTask):
        raise UsageError(_STREAMS.format(name=name, own=own))
    _ = inside.arm
    most = inside.task.wordings if isinstance(inside.task, Rewords) else len(FRAMES)
    within = f", in the arm {arm!r}" if arm else ""
    tiers = {}
    for tier, (items, wordings) in _SHAPES.items():
        try:
            each = inside.tier(tier)
        except UsageError:
            continue
        said = f"{items} items in {wordings} wordings"
        tiers[tier] = Tier(tier, items * wordings, each.max_turns, each.max_tokens, said)
    if not tiers or most < max(wordings for _, wordings in _SHAPES.values()):
        raise UsageError(f"{name}: {own} has none of the tiers, or too few wordings, to be wrapped.")
    return type(
        "Stochastic_" + re.sub(r"\W", "_", own),
        (StochasticTask,),
        {
            "__doc__": f"{cls.summary}\n\n" + (StochasticTask.__doc__ or ""),
            "__module__": __name__,
            "name": name,
            "version": cls.version + _VERSION - 1,
            "summary": f"At several temperatures, in several wordings{within}: {cls.summary}",
            "inside": inside,
            "tiers": MappingProxyType(tiers),
            "arms": _arms(),
            "default_arms": (GREEDY, arm_at(1.0)),
            "contrasts": _contrasts(cls),
            "plain_arm": GREEDY if _contrasts(cls) else "",
            "seats": cls.seats,
            "metrics": tuple(map(_metric, cls.metrics)),
            "references": cls.references,
            "aliases": cls.aliases,
        },
    )


def expand(selector: str) -> list[str]:
    """The tasks that a selector stands for.

    Args:
        selector: ``stochastic``: those with a short name; ``stochastic/`` and a short name, or a selector of other
            tasks: one for each that can be wrapped. After a colon stands the arm that is played.

    Raises:
        UnknownName: It finds nothing.
        UsageError: What it finds cannot be wrapped.
    """
    own, colon, arm = selector.partition("/")[2].partition(":")
    if not own or own == "*":
        return [f"{FAMILY}/{name}" for name in _KNOWN]
    if own in _KNOWN:
        return [selector]
    found = [name for name in TASKS.select([own]) if not name.startswith(f"{FAMILY}/")]
    single = [name for name in found if not issubclass(TASKS.load(name), StreamTask)]
    if found and not single:
        raise UsageError(_STREAMS.format(name=selector, own=own))
    if not single:
        raise UnknownName("task", selector, [f"{FAMILY}/{name}" for name in _KNOWN])
    return [f"{FAMILY}/{name}{colon}{arm}" for name in single]
