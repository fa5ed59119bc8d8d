"""Names that tasks and reports of worlds share. Importing them imports nothing else."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BASE", "CHANGES", "FACTOR_TASK", "FAMILY", "Change", "core_of"]

FAMILY = "worlds"

FACTOR_TASK = f"{FAMILY}/factors"
"""The task of paired factor effects; it is no world, and no selector of worlds finds it."""

BASE = "base"
"""The arm that all others are compared with: all is seen, the words are right, all that is earned counts."""


class Change(NamedTuple):
    """What an arm changes of the base: one axis, from one kind to another."""

    axis: str
    before: str
    after: str

    @property
    def words(self) -> str:
        """As tables call it."""
        return f"{self.axis}: {self.before} → {self.after}"


CHANGES: dict[str, Change] = {
    "partial": Change("observation", "full", "partial"),
    "binary": Change("reward", "accumulative", "binary"),
    "inverse": Change("semantics", "aligned", "inverse"),
    "abstract": Change("semantics", "aligned", "abstract"),
}
"""The other arms by name."""


def core_of(item: str) -> str:
    """The core that an item of :data:`FACTOR_TASK` is of, by the item's name: ``wind-003``."""
    return item.rpartition("-")[0]
