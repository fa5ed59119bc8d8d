"""The updates of agents' states as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..leaderboard.text import visible
from ..suite.records import Update
from .terminal import draw, text_table

__all__ = ["states_text"]


def states_text(path: Path, updates: Iterable[Update], *, width: int | None = None) -> str:
    """A table of updates: where and after which episode, the parent, the state's size, and what was changed.

    Args:
        path: The run, for the case that there are none.
        updates: In the order to be shown.
        width: The terminal's width; None: as wide as needed.
    """
    table = text_table("update", "task", "arm", "stream", "episode>", "parent", "state", "bytes>", "change")
    count = 0
    for count, update in enumerate(updates, 1):  # noqa: B007 - the number of the last one is told below
        table.add_row(
            update.id,
            visible(update.task, 60),
            visible(update.arm, 40),
            visible(update.stream, 20),
            str(update.position),
            update.parent[:8] or "(newborn)",
            update.state[:8],
            f"{update.size:,}",
            visible(update.change, 60),
        )
    if not count:
        return f"{path}: no agent's state has changed here; tasks of streams have agents that learn."
    return f"{draw(table, width)}\n{count:,} updates. `finchmark branch {path} UPDATE` lives on from one."
