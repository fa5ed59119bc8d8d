"""From a name to a core or a world."""

from __future__ import annotations

import importlib
from functools import cache
from importlib import resources

from ...suite.errors import UnknownName, UsageError
from .catalogue import CORES, WORLDS, Line
from .core import Core
from .world import World

__all__ = ["find_core", "find_line", "find_world", "world_names"]


def world_names() -> list[str]:
    """The names of all worlds of the catalogue, in its order."""
    return [line.name for line in WORLDS]


def find_line(name: str) -> Line:
    """A world's line in the catalogue.

    Raises:
        UnknownName: There is none.
    """
    for line in WORLDS:
        if line.name == name:
            return line
    raise UnknownName("world", name, world_names())


@cache
def find_core(name: str) -> Core:
    """A core, imported or read from its specification on first use. Cores are immutable, so one is enough.

    Raises:
        UnknownName: The catalogue has none of that name.
        UsageError: What it points to is no core, or is a core by another name.
    """
    if name not in CORES:
        raise UnknownName("core", name, CORES)
    home, _, attribute = CORES[name].partition(":")
    if attribute.endswith(".yaml"):
        from .spec.compile import compile_text

        core = compile_text(resources.files(home).joinpath(attribute).read_text(encoding="utf-8"), attribute)
    else:
        core = getattr(importlib.import_module(home), attribute)
    if not isinstance(core, Core) or core.name != name:
        raise UsageError(f"The catalogue says that {CORES[name]} is the core {name!r}, but it is {core!r}.")
    return core


@cache
def find_world(name: str) -> World:
    """A world of the catalogue.

    Raises:
        UnknownName: There is none of that name.
        UsageError: Its line names a part that its core lacks.
    """
    line = find_line(name)
    return World.combine(
        find_core(line.core),
        reward=line.reward,
        observation=line.observation,
        skin=line.skin,
        horizon=line.horizon,
        preset=line.preset,
        name=line.name,
        version=line.version,
    )
