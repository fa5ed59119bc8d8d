"""Standings: what every run scored in every column, with its interval and its counts.

A column is one task at one version, tier and set of items, in one arm. Nothing is ever pooled over runs, so neither
versions nor item sets nor greedy and sampled decoding can meet in one number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..suite.errors import StoreError
from ..suite.records import MAX_LOST, Level, Metric, Outcome, TaskChoice, TaskSheet
from ..suite.results import deciding_samples, unit_level
from ..suite.stats.at_k import pass_at_k_interval
from ..suite.stats.dyadic import dyadic_interval
from ..suite.stats.estimators import best_of_k, pass_at_k
from ..suite.stats.intervals import Interval, mean_interval
from .entries import Entry, Run, entries

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Standing", "ordered", "rows", "standings", "tabulate"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One number: one run's score by one metric in one column.

    Attributes:
        model: The run's name in the table.
        reference: Whether a scripted policy played.
        task: Task name.
        version: Task version.
        tier: Tier.
        arm: Arm.
        metric: Metric name, ``pass@k`` of the primary metric, or ``NAME@k``: the expected best of k samples.
        primary: Whether this metric decides.
        direction: ``higher``, ``lower`` or ``none``.
        mean: Mean over units of the mean within units; NaN where nothing was scored.
        low: Lower bound of the interval.
        high: Upper bound of the interval.
        confidence: Coverage that is aimed at.
        method: How the interval was made.
        sparse: Too few units or events for the coverage to be trusted.
        unit: What the units are: ``item`` unless the metric's cluster path and the data allow a higher level.
        units: Number of units.
        samples: Samples that this number rests on.
        ok: Samples played to their end.
        invalid: Samples whose output could not be used; scored as failures.
        refused: Samples that the model declined; scored as failures.
        error: Samples lost to our fault or the backend's; not scored.
        missing: Samples that should be there and are not.
        flag: What a reader must know before using the number; empty where all is well.
        note: What this number is restricted to; empty where it is not.
        treatment: What was done about samples that were not scored.
        worst: Mean if every unscored sample were at the lower end of the range; NaN where there is no such end.
        best: The same with the upper end.
        chance: Level of the random policy on these items.
        ceiling: Level of the oracle on these items.
        levels: Where these two come from: ``exact`` (computed), ``declared``, or nothing.
        decoding: ``greedy``, ``sampled T=…`` or ``scripted``.
        temperature: Sampling temperature.
        agent: Name of the agent.
        seed: The run's seed.
        items_kind: ``public``, ``regenerated``, ``private`` or ``data``: kinds never share a column.
        items_hash: Names the set of items.
        spec_hash: Names the run's specification.
        calls: Requests to the backend for all samples of the column, those lost to errors too; where there are
            streams, for all that their agents lived through and learnt as well.
        prompt_tokens: Tokens of their prompts.
        completion_tokens: Tokens of their replies.
        cost: What they cost, in US dollars.
        badge: ``self-reported``, ``replayed``, ``re-run by us`` or ``withdrawn``.
        attempts: How often the model was submitted; None where nobody counted.
    """

    model: str
    reference: bool
    task: str
    version: int
    tier: str
    arm: str
    metric: str
    primary: bool
    direction: str
    mean: float
    low: float
    high: float
    confidence: float
    method: str
    sparse: bool
    unit: str
    units: int
    samples: int
    ok: int
    invalid: int
    refused: int
    error: int
    missing: int
    flag: str
    note: str
    treatment: str
    worst: float
    best: float
    chance: float | None
    ceiling: float | None
    levels: str
    decoding: str
    temperature: float
    agent: str
    seed: int
    items_kind: str
    items_hash: str
    spec_hash: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    badge: str
    attempts: int | None


def standings(runs: Iterable[Run], *, confidence: float = 0.95) -> pd.DataFrame:
    """Make the standings of some runs.

    Args:
        runs: Stored runs, in any order.
        confidence: Coverage of the intervals, in (0, 1).

    Returns:
        One row a run, column and metric, with the fields of :class:`Standing`; sorted, whatever the order of ``runs``.

    Raises:
        UsageError: There is no run.
        StoreError: A run holds values that its manifest rules out.
    """
    return tabulate(row for entry in entries(runs) for row in rows(entry, confidence=confidence))


def ordered(made: Iterable[Standing]) -> list[Standing]:
    """Sort standings by column and model; metrics keep the order of their task."""
    return sorted(made, key=lambda r: (r.task, r.version, r.tier, r.items_kind, r.items_hash, r.arm, r.model))


def tabulate(made: Iterable[Standing]) -> pd.DataFrame:
    """Put standings into a frame, sorted by column and model; metrics keep the order of their task."""
    import pandas as pd

    frame = pd.DataFrame([asdict(row) for row in ordered(made)], columns=[field.name for field in fields(Standing)])
    frame["attempts"] = frame["attempts"].astype("Int64")
    return frame.astype(dict.fromkeys(("mean", "low", "high", "worst", "best", "chance", "ceiling"), float))


def rows(entry: Entry, *, confidence: float = 0.95) -> Iterator[Standing]:
    """Make the standings of one run.

    Args:
        entry: The run.
        confidence: Coverage of the intervals, in (0, 1).

    Yields:
        Task by task, arm by arm, metric by metric, in the manifest's order.

    Raises:
        StoreError: The run holds values that its manifest rules out.
    """
    manifest = entry.run.manifest
    for choice in manifest.spec.tasks:
        sheet = manifest.tasks.get(choice.name)
        if sheet is None or sheet.version != choice.version:
            raise StoreError(
                f"{entry.run.path}: the manifest does not describe {choice.name}@{choice.version}, "
                "which the run played."
            )
        for arm in choice.arms:
            samples = entry.samples_of(choice.name, arm)
            odd = set(samples["version"].tolist()) - {choice.version}
            if odd:
                where = f"{entry.run.path}: samples of {choice.name}@{min(odd)}"
                raise StoreError(f"{where} stand among those of version {choice.version}.")
            cell = _Cell(entry, choice, sheet, arm, samples, confidence)
            for metric in sheet.metrics:
                yield cell.standing(metric)
                if metric.primary:
                    yield from cell.passes(metric)
                elif metric.best_of:
                    yield from cell.bests(metric)


class _Cell:
    """One run's samples in one column, and what every number of them shares."""

    def __init__(
        self, entry: Entry, choice: TaskChoice, sheet: TaskSheet, arm: str, samples: pd.DataFrame, confidence: float
    ) -> None:
        self.entry, self.choice, self.sheet, self.arm, self.confidence = entry, choice, sheet, arm, confidence
        self.spec = entry.run.manifest.spec
        outcomes = samples["outcome"].to_numpy(dtype=object)
        self.counts = {str(o): int((outcomes == o.value).sum()) for o in Outcome}
        self.scored = samples[outcomes != Outcome.ERROR.value] if self.counts["error"] else samples
        self.labels: dict[str, NDArray[np.int64]] = {}
        self.groups = {grouping.name: grouping.groups for grouping in sheet.groupings}
        self.dyads = {grouping.name: grouping.dyads for grouping in sheet.groupings if grouping.dyadic}
        tier, kind = self.spec.tier, self.spec.items.kind
        self.column = f"{choice.name}@{choice.version}/{tier}/{kind}/{choice.items_hash}/{arm}"
        played = entry.played_of(choice.name, arm)
        self.used: dict[str, Any] = {n: int(played[n].sum()) for n in ("calls", "prompt_tokens", "completion_tokens")}
        self.used["cost"] = float(played["cost"].sum())
        self.streamed = sheet.streams is not None or bool((samples["stream"].to_numpy(dtype=object) != "").any())
        # How long streams are that no sheet describes is not known: of them only what is there counts.
        told = not self.streamed or sheet.streams is not None
        self.expected = deciding_samples(sheet, choice.items, self.spec.samples) if told else len(samples)
        self.missing = max(self.expected - len(samples), 0)

    def standing(self, metric: Metric) -> Standing:
        """The mean of one metric."""
        every = self._values(metric)
        known = ~np.isnan(every)
        values = every[known]
        unit = self._unit(metric, known)
        try:
            paired = self.scored[unit].to_numpy(dtype=object) if unit in self.dyads else self._labels(unit)
            interval = self._interval(metric, metric.kind, values, unit, paired[known])
        except ValueError as error:
            raise StoreError(f"{self.entry.run.path}: {self.choice.name}, metric {metric.name!r}: {error}.") from error
        worst = best = math.nan
        # A metric that does not apply to some scored samples may not apply to the lost ones either.
        if unit != "stream" and known.all() and None not in (metric.low, metric.high):
            ends = (metric.low, metric.high)
            worst, best = (self._if_all_were(end, unit, values) for end in ends if end is not None)
        notes = self._scope(metric, unit)
        if not known.all():
            notes.append(f"applies to {len(values)} of {len(self.scored)} scored samples")
        return self._make(metric.name, metric, metric.primary, interval, unit, (worst, best), notes)

    def _interval(
        self,
        metric: Metric,
        kind: Literal["binary", "graded"],
        values: NDArray[np.float64],
        unit: str,
        owners: NDArray[np.object_] | NDArray[np.int64],
    ) -> Interval:
        """The interval of a mean over units; dyadic where these are pairs of larger units, by their names."""
        low, high = metric.low, metric.high
        if unit in self.dyads:
            dyads = self.dyads[unit]
            return dyadic_interval(values, owners, dyads, kind=kind, low=low, high=high, confidence=self.confidence)
        return mean_interval(values, owners, kind=kind, low=low, high=high, confidence=self.confidence)

    def passes(self, metric: Metric) -> Iterator[Standing]:
        """The primary metric's pass@k for k = 1, 2, 4, … up to the number of samples."""
        if metric.kind != "binary" or metric.direction != "higher" or self.streamed:
            return
        values = self._values(metric)
        known = ~np.isnan(values)
        unit = self._unit(metric, known)
        items, index = self._items(known)
        n = np.bincount(index, minlength=len(items))
        c = np.bincount(index, weights=values[known], minlength=len(items))
        wanted = self.spec.samples
        for k in (2**i for i in range(wanted.bit_length())):
            each = pass_at_k(n, c, k)
            enough = ~np.isnan(each)
            each, owners = each[enough], self._owners(unit, items[enough])
            if unit in self.dyads:
                kind = "binary" if np.isin(each, (0.0, 1.0)).all() else "graded"
                interval = self._interval(metric, kind, each, unit, owners)
            else:
                interval = pass_at_k_interval(n[enough], c[enough], k, owners.astype(str), self.confidence)
            full, lost = np.maximum(n, wanted), np.maximum(wanted - n, 0)
            ends = (
                self._mean_over(unit, items, pass_at_k(full, c, k), 0.0),
                self._mean_over(unit, items, pass_at_k(full, c + lost, k), 1.0),
            )
            short = int((~enough).sum())
            plural = "" if short == 1 else "s"
            notes = [f"{short} item{plural} with under {k} scored samples left out"] if short else []
            counted = Interval(**{**asdict(interval), "samples": int(n[enough].sum())})
            yield self._make(f"pass@{k}", metric, False, counted, unit, ends, [*notes, *self._scope(metric, unit)])

    def bests(self, metric: Metric) -> Iterator[Standing]:
        """The expected best of k samples of a metric, for k = 2, 4, … up to the number of samples; 1 is its mean.

        By item :func:`.estimators.best_of_k`, averaged over units, with Student's t on the means of the units.
        """
        if metric.direction != "higher" or self.streamed:
            return
        values = self._values(metric)
        known = ~np.isnan(values)
        unit = self._unit(metric, known)
        items, index = self._items(known)
        counts = np.bincount(index, minlength=len(items))
        each = np.full((len(items), int(counts.max(initial=0))), np.nan)
        order = np.argsort(index, kind="stable")
        each[index[order], np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)] = values[known][order]
        for k in (2**i for i in range(1, self.spec.samples.bit_length())):
            best = best_of_k(each, k)
            enough = ~np.isnan(best)
            interval = self._interval(metric, "graded", best[enough], unit, self._owners(unit, items[enough]))
            counted = Interval(**{**asdict(interval), "samples": int(counts[enough].sum())})
            short = int((~enough).sum())
            plural = "" if short == 1 else "s"
            notes = [f"{short} item{plural} with under {k} scored samples left out"] if short else []
            none = (math.nan, math.nan)
            yield self._make(
                f"{metric.name}@{k}", metric, False, counted, unit, none, [*notes, *self._scope(metric, unit)]
            )

    def _items(self, known: NDArray[np.bool_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
        """Names of the items of some scored samples, and which of them each is of."""
        codes, index = np.unique(self._labels("item")[known], return_inverse=True)
        names = self.scored["item"].drop_duplicates().to_numpy(dtype=object)  # in the order of their codes
        return names[codes], index

    def _owners(self, unit: str, items: NDArray[np.object_]) -> NDArray[np.object_]:
        """The unit that each of some items belongs to."""
        groups = self.groups.get(unit)
        return items if groups is None else np.array([groups.get(item, "") for item in items], dtype=object)

    def _mean_over(self, unit: str, items: NDArray[np.object_], values: NDArray[np.float64], absent: float) -> float:
        """Mean over units of the mean over their items; items without a scored sample have the value ``absent``."""
        lacking = max(self.choice.items - len(items), 0)
        owners = self._owners(unit, items)
        if unit in self.groups:
            gone = np.array(sorted(self.groups[unit].keys() - set(items)), dtype=object)
            owners = np.concatenate([owners, self._owners(unit, gone)])
            lacking = len(gone)
        else:
            owners = np.concatenate([owners, np.array([f"\0{i}" for i in range(lacking)], dtype=object)])
        if not len(owners):
            return math.nan
        _, place = np.unique(owners, return_inverse=True)
        values = np.append(values, np.full(lacking, absent))
        return float((np.bincount(place, values) / np.bincount(place)).mean())

    def _values(self, metric: Metric) -> NDArray[np.float64]:
        if metric.name not in self.scored.columns:
            return np.full(len(self.scored), np.nan)
        return self.scored[metric.name].to_numpy(dtype=np.float64)

    def _labels(self, level: str) -> NDArray[np.int64]:
        """Which unit of a level each scored sample belongs to, as numbers; -1 where the label is empty."""
        if level not in self.labels:
            import pandas as pd

            codes, names = pd.factorize(self.scored[level].to_numpy(dtype=object))
            self.labels[level] = (
                np.where(np.asarray(names == "", dtype=bool)[codes], -1, codes) if len(codes) else codes
            )
        return self.labels[level]

    def _unit(self, metric: Metric, known: NDArray[np.bool_]) -> str:
        """The unit of a claim: streams where episodes form them, else the highest level with enough units."""
        if self.streamed and known.any() and (self._labels("stream")[known] >= 0).all():
            return "stream"  # whatever the task declares: of agents that change nothing else is independent
        above = [level for level in metric.clusters[1:] if level != "item" and level in self.scored.columns]
        return unit_level(metric, {level: self.scored[level].to_numpy(dtype=object)[known].tolist() for level in above})

    def _scope(self, metric: Metric, unit: str) -> list[str]:
        """What a reader must not take the number for."""
        notes = []
        higher = metric.clusters[metric.clusters.index(unit) + 1 :] if unit in metric.clusters else ()
        if higher:
            notes.append(f"a claim about these {unit}s only, not about any {higher[-1]}")
        checkpoints = len(np.unique(self.scored["checkpoint"].to_numpy()))
        if checkpoints > 1:
            notes.append(f"mean over {checkpoints} checkpoints")
        return notes

    def _if_all_were(self, end: float, unit: str, values: NDArray[np.float64]) -> float:
        """Mean over units with every unscored sample at one end of the range."""
        names, index = self._items(np.ones(len(values), dtype=bool))
        n = np.bincount(index, minlength=len(names))
        sums = np.bincount(index, weights=values, minlength=len(names))
        full = np.maximum(n, self.spec.samples)
        return self._mean_over(unit, names, (sums + (full - n) * end) / full, end)

    def _level(self, name: str, metric: Metric) -> tuple[Level, str]:
        level = self.sheet.levels.get(self.arm, {}).get(name)
        if level is None and name in (metric.name, "pass@1"):
            level = self.sheet.levels.get(self.arm, {}).get(metric.name)
            level = level or Level(chance=metric.chance, ceiling=metric.ceiling)
        level = level or Level()
        known = level.chance is not None or level.ceiling is not None
        return level, ("exact" if level.exact else "declared") if known else ""

    def _flags(self) -> list[str]:
        flags = []
        lost = self.counts["error"]
        if self.expected and lost / self.expected > MAX_LOST:
            flags.append(f"{100 * lost / self.expected:.1f} % of samples lost to errors")
        missing = f": {self.missing} of {self.expected} samples missing" if self.missing else ""
        if self.entry.stopped_early:
            flags.append(f"stopped early by a gate{missing}")
        elif missing:
            flags.append(f"incomplete{missing}")
        elif self.streamed and not self.entry.run.manifest.complete:
            flags.append("incomplete run")
        return flags

    def _make(
        self,
        name: str,
        metric: Metric,
        primary: bool,
        interval: Interval,
        unit: str,
        ends: tuple[float, float],
        notes: list[str],
    ) -> Standing:
        level, source = self._level(name, metric)
        unscored = self.counts["error"] + self.missing
        return Standing(
            model=self.entry.name,
            reference=self.entry.reference,
            task=self.choice.name,
            version=self.choice.version,
            tier=self.spec.tier,
            arm=self.arm,
            metric=name,
            primary=primary,
            direction=metric.direction,
            mean=interval.estimate,
            low=interval.low,
            high=interval.high,
            confidence=interval.confidence,
            method=interval.method,
            sparse=interval.sparse,
            unit=unit,
            units=interval.units,
            samples=interval.samples,
            ok=self.counts["ok"],
            invalid=self.counts["invalid"],
            refused=self.counts["refused"],
            error=self.counts["error"],
            missing=self.missing,
            flag="; ".join(self._flags()),
            note="; ".join(notes),
            treatment="left out (complete cases)" if unscored else "all scored",
            worst=ends[0],
            best=ends[1],
            chance=level.chance,
            ceiling=level.ceiling,
            levels=source,
            decoding=self.entry.decoding,
            temperature=self.spec.sampling.temperature,
            agent=self.spec.agent.name,
            seed=self.spec.seed,
            items_kind=self.spec.items.kind,
            items_hash=self.choice.items_hash,
            spec_hash=self.entry.run.manifest.spec_hash,
            **self.used,
            badge=self.entry.standing,
            attempts=None if (badge := self.entry.badge(self.column)) is None else badge.attempts,
        )
