"""The eight methods: how parents are selected, what the optimiser's signal is, and which component it edits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from types import MappingProxyType

from ....suite.errors import UnknownName, UsageError
from .candidate import Component
from .selection import Selection
from .signals import Signal

__all__ = ["METHODS", "Method", "find_methods"]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to learn.

    Source: the formulation of AutoEnv (Zhang et al. 2025, arXiv 2511.19304, section 4), whose code is not published;
    names, prompts and all that the paper leaves open are ours.

    Attributes:
        selection: How parents are chosen.
        signal: What the optimiser makes of trajectories before it edits.
        component: What it edits.
    """

    selection: Selection
    signal: Signal
    component: Component

    @property
    def name(self) -> str:
        """``best-dynamics-prompt`` and the like."""
        return f"{self.selection}-{self.signal}-{self.component}"


_SELECTIONS: tuple[Selection, ...] = ("best", "pareto")
_SIGNALS: tuple[Signal, ...] = ("dynamics", "instruction")
_COMPONENTS: tuple[Component, ...] = ("prompt", "agent")

METHODS: Mapping[str, Method] = MappingProxyType(
    {method.name: method for method in (Method(*parts) for parts in product(_SELECTIONS, _SIGNALS, _COMPONENTS))}
)


def find_methods(names: Iterable[str]) -> tuple[Method, ...]:
    """Methods by names or patterns, in the order of :data:`METHODS`.

    Args:
        names: Such as ``best-dynamics-prompt`` or ``pareto-*-prompt``.

    Raises:
        UnknownName: A name or pattern fits no method.
        UsageError: No name was given.
    """
    wanted: set[str] = set()
    for name in names:
        found = [known for known in METHODS if fnmatchcase(known, name)]
        if not found:
            raise UnknownName("method", name, METHODS)
        wanted.update(found)
    if not wanted:
        raise UsageError(f"An experiment needs a method. There are: {', '.join(METHODS)}.")
    return tuple(METHODS[name] for name in METHODS if name in wanted)
