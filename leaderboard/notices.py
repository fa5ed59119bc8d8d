"""Notices: what a reader must know before the numbers are used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .columns import Column
from .lineup import Lineup
from .standings import Standing

__all__ = ["MOST", "Notices", "notices"]

MOST = 12
"""So many of a kind are spelt out on one page; the others are counted."""


@dataclass(frozen=True)
class Notices:
    """Warnings about tasks and flags of single numbers; ``more`` counts those that are not spelt out."""

    warnings: tuple[str, ...]
    flags: tuple[str, ...]
    more: int


def notices(lineup: Lineup, columns: Sequence[Column], only: str = "") -> Notices:
    """Collect the notices about some columns.

    Args:
        lineup: The entries side by side.
        columns: The columns.
        only: Flags of this entry alone.
    """
    warnings = list(dict.fromkeys(_warnings(columns)))
    flags = list(
        dict.fromkeys(
            _flag(s, c.entries[s.model].stopped_early)
            for c in columns
            for s in c.standings.values()
            if s.primary and s.flag and only in ("", s.model)
        )
    )
    # Those who lost most, and tasks with the fewest items, are as many as there are: the order is the columns'.
    more = max(len(warnings) - MOST, 0) + max(len(flags) - MOST, 0)
    return Notices(tuple(warnings[:MOST]), tuple(flags[:MOST]), more)


def _warnings(columns: Iterable[Column]) -> Iterable[str]:
    for column in columns:
        sheet = column.key.sheet
        where = f"{sheet.task}@{sheet.version}, tier {sheet.tier}"
        units = [s.units for s in column.standings.values() if s.primary]
        if column.items == 1:
            yield f"{where}: one item was played. Nothing can be claimed beyond this item, however many samples it has."
        elif column.unit == "stream" and min(units, default=0) < 6:
            yield f"{where}: under 6 streams. The numbers describe these agent states only."
        elif column.items < 30:
            yield (
                f"{where}: {column.items} items. Differences that look large may be chance; intervals are wide and "
                "marked sparse."
            )


def _flag(s: Standing, stopped: bool) -> str:
    text = f"{s.model} in {s.task}@{s.version}, tier {s.tier}, arm {s.arm}: {s.flag}."
    if stopped:
        text += " It is not ranked: when a gate stops depends on the scores so far."
    if (s.error or s.missing) and math.isfinite(s.worst):
        text += (
            f" Unscored samples are left out; had all of them been at the lower or the upper end, the mean would lie "
            f"between {s.worst:.3f} and {s.best:.3f}."
        )
    return text
