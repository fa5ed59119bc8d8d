"""A lineup: all that the pages and tables are made of, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

from .columns import Column, ColumnKey, SheetKey, columns
from .entries import Badges, Entry, Run, entries
from .overall import Overall, overalls
from .places import Place, places
from .scale import Scale, metric_scale
from .standings import Standing, rows
from .text import slug

__all__ = ["TOP", "Lineup", "lineup"]

TOP = 10
"""Among so many of the best, every two models get a page; below only neighbours do."""


@dataclass(frozen=True, eq=False)
class Lineup:
    """Many runs side by side.

    Attributes:
        entries: All entries, in the order of their names.
        standings: All their numbers.
        columns: What may be compared, sorted.
        overalls: Rankings over tasks.
        places: Ranks and letters by column and model, in the columns that rank two models or more.
        confidence: Coverage of the intervals, and of the ranks of one column together.
    """

    entries: tuple[Entry, ...]
    standings: tuple[Standing, ...]
    columns: tuple[Column, ...]
    overalls: tuple[Overall, ...]
    places: Mapping[ColumnKey, Mapping[str, Place]]
    confidence: float

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The families of tasks."""
        return tuple(sorted({c.key.sheet.family for c in self.columns}))

    @cached_property
    def sheets(self) -> tuple[SheetKey, ...]:
        """The tasks, each as it has a page."""
        return tuple(dict.fromkeys(c.key.sheet for c in self.columns))

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        """The entries by name."""
        return {entry.name: entry for entry in self.entries}

    @cached_property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """Orders of models, best first: of every ranking over tasks; of a family without one its fullest column."""
        found = [tuple(o.averages) for o in self.overalls]
        for family in self.families:
            if not any(o.family == family for o in self.overalls):
                own = [c.ranked for c in self.columns if c.key.sheet.family == family]
                found.append(max(own, key=len))
        return tuple(found)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of models that get a page, the better one first: the best among one another, and neighbours."""
        found: dict[frozenset[str], tuple[str, str]] = {}
        for order in self.orders:
            for pair in (*combinations(order[:TOP], 2), *pairwise(order)):
                found.setdefault(frozenset(pair), pair)
        return tuple(found.values())

    def place(self, column: Column, name: str) -> Place | None:
        """The place of a model in a column, None where it has none."""
        return self.places.get(column.key, {}).get(name)

    @cached_property
    def _scales(self) -> dict[tuple[SheetKey, str], Scale]:
        shown: dict[tuple[SheetKey, str], list[float | None]] = {}
        for column in self.columns:
            for (_, metric), s in column.standings.items():
                shown.setdefault((column.key.sheet, metric), []).extend((s.mean, s.low, s.high, s.chance, s.ceiling))
        return {
            (c.key.sheet, m.name): metric_scale(m, shown.get((c.key.sheet, m.name), ()))
            for c in self.columns
            for m in c.sheet.metrics
        }

    def scale(self, column: Column, metric: str = "") -> Scale:
        """How a metric is written and drawn, alike for all arms of a task; ``pass@k`` as the primary metric is."""
        found = self._scales.get((column.key.sheet, metric or column.primary.name))
        return found or self._scales[column.key.sheet, column.primary.name]

    @cached_property
    def files(self) -> Mapping[tuple[str, ...], str]:
        """File names of the pages: of ``("task", …)``, ``("model", name)`` and ``("pair", better, other)``."""
        wanted: list[tuple[tuple[str, ...], str]] = []
        for sheet in self.sheets:
            text = f"{sheet.task}@{sheet.version} {sheet.tier} {sheet.items_kind} {sheet.items_hash}"
            wanted.append((("task", *map(str, sheet)), text))
        wanted += [(("model", entry.name), entry.name) for entry in self.entries]
        wanted += [(("pair", *pair), "\0".join(pair)) for pair in self.pairs]
        taken: set[str] = set()
        found = {}
        for key, text in wanted:
            name, number = slug(key[0], text), 2
            while name in taken:  # someone went to the length of making two names with one hash
                name, number = slug(key[0], f"{text} {number}"), number + 1
            taken.add(name)
            found[key] = name + ".html"
        return found

    def file_of(self, sheet: SheetKey) -> str:
        """The file name of a task's page."""
        return self.files[("task", *map(str, sheet))]


def lineup(runs: Iterable[Run], badges: Badges | None = None, confidence: float = 0.95) -> Lineup:
    """Read runs and compute all that a board shows.

    Args:
        runs: Stored runs, in any order.
        badges: Badges by run folder.
        confidence: Coverage of the intervals, in (0, 1).

    Raises:
        UsageError: There is no run.
        StoreError: A run holds values that its manifest rules out.
    """
    listed = entries(runs, badges)
    made = tuple(row for entry in listed for row in rows(entry, confidence=confidence))
    found = columns(listed, made)
    ranks: dict[ColumnKey, Mapping[str, Place]] = {}
    for column in found:
        names = column.ranked if column.sign else ()
        # Places are by what is better; the sign turns metrics of which less is better.
        if len(names) > 1:
            ranks[column.key] = places(names, [column.sign * column.spread(names)], confidence)
    return Lineup(tuple(listed), made, tuple(found), tuple(overalls(found, confidence)), ranks, confidence)
