"""Columns: what may be compared. One task at one version and tier, on one set of items, in one arm."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..suite.records import Metric, Outcome, TaskSheet
from ..suite.stats.dyadic import dyadic_design
from ..suite.stats.pairs import Samples, samples_of
from .entries import Entry
from .standings import Standing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "ColumnKey", "Scores", "SheetKey", "columns"]


class SheetKey(NamedTuple):
    """A task as a set of models met it: what stands on one page."""

    task: str
    version: int
    tier: str
    items_kind: str
    items_hash: str

    @property
    def family(self) -> str:
        """The part of the task's name before the first slash."""
        return self.task.partition("/")[0]


class ColumnKey(NamedTuple):
    """Names a column: nothing that differs in any of these is ever put into one."""

    sheet: SheetKey
    arm: str

    @property
    def name(self) -> str:
        """The column as a board's file names it: ``TASK@VERSION/TIER/ITEMS-KIND/ITEMS-HASH/ARM``."""
        task, version, *rest = self.sheet
        return "/".join((f"{task}@{version}", *rest, self.arm))


@dataclass(frozen=True, eq=False)
class Scores:
    """Unit means of one metric, all entries of a column side by side.

    Attributes:
        names: The entries, in the order of the rows.
        units: The units, in the order of the columns: hashes of items, or names of streams.
        labels: What people call the units.
        values: Mean by entry and unit, shape (entries, units); NaN where an entry scored no sample of the unit.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    labels: tuple[str, ...]
    values: NDArray[np.float64]

    def row(self, name: str) -> NDArray[np.float64]:
        """The unit means of one entry."""
        return self.values[self.names.index(name)]

    def of(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The unit means of some entries, in their order."""
        return self.values[[self.names.index(name) for name in names]]


@dataclass(frozen=True, eq=False)
class Column:
    """One task at one version and tier, on one set of items, in one arm.

    Attributes:
        key: What it is.
        sheet: What the task says about itself.
        items: Items in the set.
        entries: Who is in it, by name.
        standings: Their numbers by name and metric.
        unit: What the units of claims are: ``item``, ``stream``, or a grouping of the task's items.
        scores: Unit means of the primary metric.
        by_item: The same by item, where units are larger; else ``scores`` itself.
        samples: The scored samples of the entries, by name.
    """

    key: ColumnKey
    sheet: TaskSheet
    items: int
    entries: Mapping[str, Entry]
    standings: Mapping[tuple[str, str], Standing]
    unit: str
    scores: Scores
    by_item: Scores
    samples: Mapping[str, pd.DataFrame]

    @cached_property
    def primary(self) -> Metric:
        """The metric that decides."""
        return self.sheet.primary

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is, 0 where neither is."""
        return {"higher": 1, "lower": -1, "none": 0}[self.primary.direction]

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        """Names of the models with a score that were neither withdrawn nor stopped early by a gate, best first."""
        found = [
            (name, s.mean)
            for name, e in self.entries.items()
            if e.ranked and (s := self.primary_of(name)) is not None and math.isfinite(s.mean)
        ]
        return tuple(name for name, _ in sorted(found, key=lambda pair: (-(self.sign or 1) * pair[1], pair[0])))

    def primary_of(self, name: str) -> Standing | None:
        """The deciding number of an entry, None where it has none."""
        return self.standings.get((name, self.primary.name))

    def side(self, name: str) -> Samples:
        """The samples of an entry as one side of a paired comparison, made once.

        Items are named by their content; where units are larger, samples are averaged within them.
        """
        if name not in self._sides:
            metric, rows = self.primary, self.samples[name]
            by = "item_hash" if self.unit == "item" else self.unit
            # Numbers of units in place of names: whole columns of texts are slow to sort over and over.
            place = {code: i for i, code in enumerate(self.scores.units)}
            values = rows[metric.name].to_numpy(dtype=np.float64)
            known = ~np.isnan(values)
            items = np.array([place[code] for code in rows[by].to_numpy(dtype=object)[known]], dtype=np.int64)
            self._sides[name] = samples_of(values[known], items, kind=metric.kind, low=metric.low, high=metric.high)
        return self._sides[name]

    @cached_property
    def dyads(self) -> dict[Hashable, tuple[Hashable, Hashable]] | None:
        """The two larger units of each unit, as sides name it, where units are pairs; None where they are not."""
        found = next((g.dyads for g in self.sheet.groupings if g.name == self.unit and g.dyadic), None)
        return None if found is None else {place: found[unit] for place, unit in enumerate(self.scores.units)}

    def spread(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The unit means of some entries, for intervals and ranks that take units for independent.

        Where units are pairs of larger ones they are not. Then deviations from an entry's mean are stretched, so that
        the standard error of every mean, and of every difference of means, is what it would be if units that share a
        larger one were as alike as can be: too large rather than too small.
        """
        values = self.scores.of(names)
        if self.dyads is None or not len(self.scores.units):
            return values
        design = dyadic_design([self.dyads[place] for place in range(len(self.scores.units))])
        means = np.nanmean(values, axis=1, keepdims=True)
        return means + (values - means) * math.sqrt(design.items / design.least_size)

    @cached_property
    def _sides(self) -> dict[str, Samples]:
        return {}

    def level(self, what: str) -> tuple[float | None, str]:
        """Chance or ceiling of the primary metric, and where it comes from.

        What a task computed goes before what it declares, that before what a reference played here reached.

        Args:
            what: ``chance`` or ``ceiling``.
        """
        if what not in self._levels:
            self._levels[what] = self._find_level(what)
        return self._levels[what]

    @cached_property
    def _levels(self) -> dict[str, tuple[float | None, str]]:
        return {}

    def _find_level(self, what: str) -> tuple[float | None, str]:
        stated = {(getattr(s, what), s.levels) for n in self.entries if (s := self.primary_of(n)) is not None}
        for source in ("exact", "declared"):
            values = {v for v, levels in stated if levels == source and v is not None}
            if len(values) == 1:
                return values.pop(), source
            if values:
                return None, "entries state different values"
        played = self.played(what)
        return (None, "not known") if played is None else (played, "played here")

    def played(self, what: str) -> float | None:
        """What the random policy (``chance``) or the oracle (``ceiling``) reached here, None if it was not run."""
        policy = {"chance": "random", "ceiling": "oracle"}[what]
        for name, entry in self.entries.items():
            s = self.primary_of(name)
            theirs = entry.reference and entry.run.manifest.spec.backend.model == policy
            if theirs and s is not None and math.isfinite(s.mean):
                return s.mean
        return None


def columns(entries: Sequence[Entry], made: Iterable[Standing]) -> list[Column]:
    """Sort entries and their standings into columns.

    Args:
        entries: The entries.
        made: Their standings.

    Returns:
        The columns, sorted by key.
    """
    numbers: dict[ColumnKey, dict[tuple[str, str], Standing]] = {}
    for s in made:
        key = ColumnKey(SheetKey(s.task, s.version, s.tier, s.items_kind, s.items_hash), s.arm)
        numbers.setdefault(key, {})[s.model, s.metric] = s
    members: dict[ColumnKey, dict[str, Entry]] = {}
    sheets: dict[SheetKey, tuple[TaskSheet, int]] = {}
    frames: dict[tuple[str, str, str], pd.DataFrame] = {}
    for entry in entries:
        spec = entry.run.manifest.spec
        for choice in spec.tasks:
            sheet = SheetKey(choice.name, choice.version, spec.tier, spec.items.kind, choice.items_hash)
            sheets.setdefault(sheet, (entry.run.manifest.tasks[choice.name], choice.items))
            for arm in choice.arms:
                rows = entry.samples_of(choice.name, arm)
                scored = rows["outcome"].to_numpy(dtype=object) != Outcome.ERROR.value
                frames[entry.name, choice.name, arm] = rows if scored.all() else rows[scored]
                members.setdefault(ColumnKey(sheet, arm), {})[entry.name] = entry
    found = []
    for key in sorted(members):
        sheet, items = sheets[key.sheet]
        metric, own = sheet.primary.name, numbers.get(key, {})
        units = {s.unit for s in own.values() if s.primary}
        # Where some lost so much that their claims are about items only, all are compared by item.
        unit = "stream" if "stream" in units else units.pop() if len(units) == 1 else "item"
        task, arm = key.sheet.task, key.arm
        samples = {name: frames[name, task, arm] for name in members[key]}
        by_item = _scores(tuple(members[key]), samples, metric, "item")
        scores = by_item if unit == "item" else _scores(tuple(members[key]), samples, metric, unit)
        found.append(Column(key, sheet, items, members[key], own, unit, scores, by_item, samples))
    return found


def _scores(names: tuple[str, ...], samples: Mapping[str, pd.DataFrame], metric: str, unit: str) -> Scores:
    """Means by entry and unit. Items are the same if and only if their content hashes are; streams go by name."""
    by = "item_hash" if unit == "item" else unit
    cells: dict[str, tuple[NDArray[np.object_], NDArray[np.float64]]] = {}
    labels: dict[str, str] = {}
    for name, rows in samples.items():
        if metric not in rows.columns:
            continue
        values = rows[metric].to_numpy(dtype=np.float64)
        known = ~np.isnan(values)
        keys, shown = (rows[level].to_numpy(dtype=object)[known] for level in (by, unit))
        codes, first, index, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        cells[name] = codes, np.bincount(index, values[known], len(codes)) / counts
        for code, label in zip(codes, shown[first], strict=True):
            labels[code] = min(label, labels.get(code, label))
    units = tuple(sorted(labels, key=lambda code: (labels[code], code)))
    found = np.full((len(names), len(units)), np.nan)
    place = {code: i for i, code in enumerate(units)}
    for row, name in zip(found, names, strict=True):
        if name in cells:
            codes, means = cells[name]
            row[[place[code] for code in codes]] = means
    return Scores(names, units, tuple(labels[code] for code in units), found)
