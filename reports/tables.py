"""Tables of a report as plain data, and how numbers are written in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..leaderboard.text import visible

__all__ = ["Column", "Link", "Plot", "Table", "interval", "number", "share", "table"]


@dataclass(frozen=True)
class Column:
    """A column: its head, and whether it holds numbers."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Link:
    """A word that leads to a page of the report."""

    text: str
    target: str


Entry = str | tuple[Link, ...]


@dataclass(frozen=True)
class Table:
    """A table; its text is not escaped yet, but all of it is fit to be seen.

    Attributes:
        caption: What it holds.
        columns: Heads.
        rows: One entry a column.
        notes: What stands below.
        whole: Whether it is shown however long it is; else a page folds a long one.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class Plot:
    """A figure with its numbers.

    Attributes:
        name: Its anchor in the page.
        title: Its heading.
        lead: What it shows and how to read it.
        svg: The drawing; empty where there is nothing to draw.
        table: The numbers in it.
        notes: What a reader must know besides.
        reading: How to read it at length, folded.
    """

    name: str
    title: str
    lead: str
    svg: str
    table: Table
    notes: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | tuple[Link, ...]]],
    notes: Iterable[str] = (),
    longest: int = 120,
) -> Table:
    """Make a table.

    Args:
        caption: What it holds.
        columns: Heads; one that ends with ``>`` is of numbers.
        rows: One entry a column: anything that reads well as text, or links.
        notes: What stands below.
        longest: Characters of an entry that are kept.
    """
    heads = tuple(Column(c.removesuffix(">"), c.endswith(">")) for c in columns)
    return Table(
        caption,
        heads,
        tuple(tuple(e if isinstance(e, tuple) else visible(e, longest) for e in row) for row in rows),
        tuple(notes),
    )


def number(value: float | None, digits: int = 3) -> str:
    """Write a number; an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def interval(low: float, high: float, digits: int = 3) -> str:
    """Write an interval as ``[0.100, 0.300]``."""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def share(part: float, whole: float) -> str:
    """Write a share in per cent; an en dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"
