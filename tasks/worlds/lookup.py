"""From a selector to the names of tasks: a world, a core, a factor, a pattern."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ...environments.worlds.catalogue import WORLDS
from ...environments.worlds.scale import has_scale
from ...suite.errors import UnknownName
from .names import FACTOR_TASK, FAMILY

__all__ = ["FACTORS", "expand", "registered"]

FACTORS: dict[str, tuple[str, ...]] = {
    "observation": ("full", "partial"),
    "reward": ("binary", "accumulative"),
    "semantics": ("aligned", "inverse", "abstract", "other"),
}
"""What the parts of a world may be, by axis: each value selects the worlds that have it."""


def registered() -> list[str]:
    """The worlds that have passed their audit, in the catalogue's order."""
    return [line.name for line in WORLDS if has_scale(line.name)]


def expand(selector: str) -> list[str]:
    """The tasks that a selector stands for, in the catalogue's order.

    Args:
        selector: ``worlds`` or ``worlds/*``: all worlds; ``worlds/NAME``: one, or ``worlds/factors``; ``worlds/CORE``:
            those of a core; ``worlds/partial`` and the other values of :data:`FACTORS`; or a pattern of names.

    Raises:
        UnknownName: It finds no world that has passed its audit.
    """
    _, _, name = selector.partition("/")
    if selector == FACTOR_TASK:
        return [FACTOR_TASK]
    worlds = registered()
    if name in worlds:
        return [f"{FAMILY}/{name}"]
    axis = next((axis for axis, values in FACTORS.items() if name in values), None)
    if axis is not None:
        # Only here a core is imported: what kind a part is, the part knows.
        from ...environments.worlds.lookup import find_world

        found = [world for world in worlds if find_world(world).factors[axis] == name]
    else:
        cores = {line.name: line.core for line in WORLDS}
        found = [world for world in worlds if cores[world] == name or fnmatchcase(world, name or "*")]
    if not found:
        known = [*worlds, *dict.fromkeys(line.core for line in WORLDS), *(v for vs in FACTORS.values() for v in vs)]
        raise UnknownName("task", selector, [f"{FAMILY}/{one}" for one in (*known, "factors")])
    return [f"{FAMILY}/{world}" for world in found]
