"""Packages as tasks: ``generated/WORLD``, played and scored as the worlds of the catalogue are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from ...environments.worlds.audit.certificate import read_certificate
from ...environments.worlds.scale import Scale
from ...environments.worlds.world import World
from ...tasks.worlds.numbers import Known, collect
from ...tasks.worlds.players import references
from ...tasks.worlds.prompt import PROMPTS
from ...tasks.worlds.task import WorldTask, declared
from ..errors import UsageError
from ..registry import TASKS, Entry
from ..task import Item, Tier
from .package import Package, find_packages

__all__ = ["FAMILY", "PackagedTask", "include_packages", "make_tasks"]

FAMILY = "generated"

_SIZES = {"smoke": (1, 24), "lite": (5, 256), "full": (10, 1024)}


class PackagedTask(WorldTask):
    """A generated world as a task; all else is as in the tasks of the catalogue's worlds (``worlds/NAME``).

    Its name holds the hash of its content, so that another content is another task.
    """

    package: ClassVar[Package]

    @property
    def world(self) -> World:
        """The world."""
        return self.package.worlds[self.world_name]

    @property
    def scale(self) -> Scale:
        """What it is scored against."""
        return self.package.scales[self.world_name]

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """The first test levels of the world, with what its certificate knows of them."""
        known: dict[str, Known] = {}
        if not seed:
            rows = collect(read_certificate(self.world_name, self.package.path / "certificates"))
            known = {name: Known(*row) for name, row in rows.items()}
        levels = self.world.levels("test", tier.items, seed)
        return [self._item(n, level, self.scale, known.get(level.hash)) for n, level in enumerate(levels)]


def make_tasks(package: Package) -> list[type[PackagedTask]]:
    """A task class for each world of a package."""
    made = []
    for name, world in package.worlds.items():
        scale = package.scales[name]
        factors = ", ".join(world.factors.values())
        tiers = {
            tier: Tier(tier, items, world.horizon, tokens, f"{items} of the {scale.levels} levels of its scale")
            for tier, (items, tokens) in _SIZES.items()
        }
        made.append(
            type(
                "Generated_" + re.sub(r"\W", "_", name),
                (PackagedTask,),
                {
                    "__doc__": f"{world.core.summary} ({factors}; {world.horizon} steps; generated: {package.theme})",
                    "__module__": __name__,
                    "name": f"{FAMILY}/{name}",
                    "version": world.version + PROMPTS - 1,
                    "summary": world.core.summary,
                    "world_name": name,
                    "package": package,
                    "tiers": MappingProxyType(tiers),
                    "metrics": declared(world, scale),
                    "references": references(world),
                },
            )
        )
    return made


def include_packages(home: Path) -> list[str]:
    """Register the tasks of all packages of a folder.

    Args:
        home: A folder of packages, or a package.

    Returns:
        The names registered.

    Raises:
        StoreError: There is none, or one is damaged.
        UsageError: Two packages hold worlds of one name.
    """
    names: list[str] = []
    for package in find_packages(home):
        for task in make_tasks(package):
            if task.name in names:
                raise UsageError(f"{home}: two packages hold a world {task.world_name!r}: remove one.")
            names.append(task.name)
            # One name is one content: whoever included it before meant the same.
            TASKS.forget(task.name)
            TASKS.add(Entry(task.name, f"{__name__}:PackagedTask", task.summary, tuple(task.tiers)), task)
    return names
