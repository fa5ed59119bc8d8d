"""A course: which tasks an agent's streams are made of, and what probes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from ...suite.errors import UsageError
from ...suite.records import Metric
from ...suite.registry import TASKS
from ...suite.task import Arm, Item, Task, Tier

__all__ = ["COURSES", "Course", "Inner", "slug"]

_INNER_TIERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"smoke": ("smoke",), "lite": ("gate", "lite", "full"), "full": ("gate", "full", "lite")}
)
"""Which tier of a task a stream's episodes are of, the first that there is: ``gate`` has short episodes."""


def slug(task: str) -> str:
    """A task's name as part of an item's name."""
    return task.replace("/", "-")


@dataclass(frozen=True)
class Inner:
    """A task inside another, in one of its arms.

    Args:
        name: The task's name.
        chosen: The arm's name; empty for the task's first.
    """

    name: str
    chosen: str = ""

    @cached_property
    def task(self) -> Task:
        """The task."""
        return TASKS.load(self.name)()

    @cached_property
    def arm(self) -> Arm:
        """The arm that is played.

        Raises:
            UsageError: The task has none of this name.
        """
        if not self.chosen:
            return self.task.arms[0]
        for arm in self.task.arms:
            if arm.name == self.chosen:
                return arm
        known = ", ".join(arm.name for arm in self.task.arms)
        raise UsageError(f"{self.name} has no arm {self.chosen!r}; it has {known}.")

    @property
    def primary(self) -> Metric:
        """The metric that becomes the stream's score."""
        return next(metric for metric in self.task.metrics if metric.primary)

    @property
    def binary(self) -> bool:
        """Whether the task says of each episode if it succeeded."""
        return any(metric.name == "success" and metric.kind == "binary" for metric in self.task.metrics)

    def tier(self, outer: str) -> Tier:
        """The tier that the episodes of a stream's tier are of.

        Raises:
            UsageError: The task has none that would do.
        """
        for name in (*_INNER_TIERS.get(outer, ()), outer):
            if name in self.task.tiers:
                return self.task.tiers[name]
        known = ", ".join(self.task.tiers)
        raise UsageError(f"{self.name} has no tier for streams of the tier {outer!r}; it has {known}.")

    def wrap(self, item: Item, name: str, tier: Tier) -> Item:
        """Make an item of a stream of an item of this task.

        Args:
            item: Of this task.
            name: Of the item in the streams.
            tier: This task's.
        """
        data = {
            "task": self.name,
            "version": self.task.version,
            "tier": tier.name,
            "arm": self.arm.name,
            "item": dict(item.data),
        }
        levels = {"score": item.levels[self.primary.name]} if self.primary.name in item.levels else {}
        if self.binary and "success" in item.levels:
            levels["success"] = item.levels["success"]
        return Item(name, data, proof=item.proof, levels=levels)

    def unwrap(self, item: Item) -> Item:
        """The item of this task inside an item of a stream."""
        return Item(item.id, item.data["item"], proof=item.proof)


@dataclass(frozen=True)
class Course:
    """What streams are made of. The lived tasks come one after the other, so that what was first can be forgotten.

    Args:
        lived: Tasks whose episodes are lived through, in this order; other levels of them are probes.
        worlds: Tasks that are probed and never lived through.
        inverse: Tasks that look like lived ones and mean the opposite, probed likewise.
        summary: One line.
    """

    lived: tuple[str, ...]
    worlds: tuple[str, ...] = ()
    inverse: tuple[str, ...] = ()
    summary: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All tasks."""
        return (*self.lived, *self.worlds, *self.inverse)


COURSES: Mapping[str, Course] = MappingProxyType(
    {
        "odyssey": Course(
            ("odyssey/lights", "odyssey/trade"),
            ("odyssey/energy",),
            summary="Streams of Lights, then of Trade; other levels of both are probes, and Energy is what is new.",
        ),
        "worlds": Course(
            ("worlds/locks-steady", "worlds/alchemy-perfect", "worlds/orchard-open"),
            ("worlds/kiln-open", "worlds/foraging-open"),
            ("worlds/locks-frost", "worlds/alchemy-upside", "worlds/orchard-care"),
            summary="Streams of three generated worlds; probes are other levels, other worlds, misleading words.",
        ),
    }
)
"""The courses that ship; any other task's name is a course of that task alone."""
