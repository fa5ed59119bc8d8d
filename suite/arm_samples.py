"""Samples by arm: arms held against each other item by item, in tasks that do not measure by round."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .arm_effects import ASKED, ArmEffect, DomainEffect, Macro, TaskEffects, with_recoveries
from .competence import Gate, Known, kind_of_item, make_gate, rule_of_item, stopped_kinds, was_stopped
from .leeway import Leeway, leeway_of
from .records import ArmContrast, Metric, Outcome, TaskSheet
from .results import unit_level
from .rounds import Role, roles
from .stats.intervals import mean_interval
from .stats.paired import Difference, difference
from .worst_cases import WorstCases, worst_cases

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArmSamples", "effects_of_arms"]

_Owners = dict[Hashable, Hashable]


def effects_of_arms(
    frame: pd.DataFrame, sheet: TaskSheet, arms: Sequence[str], *, confidence: float = 0.95, seed: int = 0
) -> TaskEffects | None:
    """Hold the arms of a task against each other, paired over the units of each metric's cluster path.

    Args:
        frame: The samples of the task.
        sheet: What the manifest says of it.
        arms: The arms that the run plays.
        confidence: Of the intervals, in (0.5, 1).
        seed: Of sign flips and bootstraps.

    Returns:
        None where the task declares no contrasts or no metric of safety, or has streams or none of these arms. Nothing
        is corrected over the run yet, see :func:`settle`.
    """
    found = roles(sheet)
    asked = [c for c in sheet.contrasts if c.arm in arms and c.against in arms]
    if sheet.streams is not None or "safety" not in found or not asked:
        return None
    table = ArmSamples(frame, sheet)
    effects = []
    for role in ASKED:
        for contrast in asked if role in found else ():
            made = table.effect(contrast, found[role], role, confidence, seed)
            if made is not None:
                effects.append(made)
    gate = table.gate(found.get("compliance"), arms, confidence)
    missing = [c.name for c in sheet.contrasts if c not in asked]
    notes = [f"not asked, since an arm of it was not played: {', '.join(missing)}"] if missing else []
    if gate is None:
        notes.append("no competence gate: no act was asked for in an arm where nothing pulls away from the rules")
    seen = {e.contrast.name for e in effects if e.role == "safety"}
    notes += [f"{c.name}: no claim, because no case has a decision in both arms" for c in asked if c.name not in seen]
    known = {arm: table.known(arm, found, confidence) for arm in arms}
    with_shares = with_recoveries(effects, lambda arm, role: table.by_unit(arm, found[role]), confidence)
    worst = [table.worst(arm, found["safety"], confidence, seed) for arm in arms]
    told = tuple(one for one in worst if one is not None)
    return TaskEffects(sheet.name, sheet.version, gate, tuple(with_shares), known, tuple(notes), told)


class ArmSamples:
    """The samples of a task by arm, with the units of its items."""

    def __init__(self, frame: pd.DataFrame, sheet: TaskSheet) -> None:
        self.frame, self.sheet = frame, sheet
        self.scored = frame[frame["outcome"] != Outcome.ERROR.value]
        self.groups = {g.name: g.groups for g in sheet.groupings if not g.dyadic}
        self._kept: dict[tuple[str, str], pd.DataFrame] = {}

    def effect(
        self, contrast: ArmContrast, metric: Metric, role: Role, confidence: float, seed: int
    ) -> ArmEffect | None:
        """Hold the arms against each other by one metric; None where no item has a value in both."""
        sides = [self._rows(arm, metric.name) for arm in (contrast.against, contrast.arm)]
        common = set(sides[0]["item"]) & set(sides[1]["item"])
        if not common:
            return None
        sides = [rows[rows["item"].isin(common)] for rows in sides]
        unit, owners = self._units(metric, common)
        found = self._difference(sides, metric, owners, confidence, seed)
        effect = ArmEffect(contrast, metric, role, found, unit)
        if role != "safety":
            return effect
        domains, macros = [], []
        for by in (name for name in self.groups if name not in metric.clusters):
            own = self._domains(sides, metric, by, owners, confidence, seed)
            domains += own
            macros += [] if len(own) < 2 else [self._macro(sides, metric, by, owners, confidence)]
        beside = {}
        for name in contrast.beside:
            rows = self._rows(contrast.arm, name)
            rows = rows[rows["item"].isin(common)]
            if len(rows):
                beside[name] = float(rows.groupby("item")[name].mean().mean())
        if contrast.worst_of:
            k = contrast.worst_of
            beside[f"worst of {k} independent answers of {contrast.against}"] = 1.0 - (1.0 - found.mean_a) ** k
        return replace(
            effect,
            leeway=self._leeway(contrast, metric, confidence),
            domains=tuple(domains),
            macro=tuple(macros),
            beside=beside or None,
        )

    def by_unit(self, arm: str, metric: Metric) -> pd.Series:
        """Unit means of one arm."""
        rows = self._rows(arm, metric.name)
        _, owners = self._units(metric, set(rows["item"]))
        return self._unit_means(rows, metric.name, owners)

    def worst(self, arm: str, metric: Metric, confidence: float, seed: int) -> WorstCases | None:
        """The worst cases of one arm; None where no item has two judged samples."""
        rows = self._rows(arm, metric.name)
        items = {str(item): [[value] for value in own.tolist()] for item, own in rows.groupby("item")[metric.name]}
        if all(len(own) < 2 for own in items.values()):
            return None
        _, owners = self._units(metric, set(items))
        named = {str(item): str(unit) for item, unit in owners.items()}
        return worst_cases(items, named, metric, arm=arm, confidence=confidence, seed=seed)

    def gate(self, metric: Metric | None, arms: Sequence[str], confidence: float) -> Gate | None:
        """Ask for competence in the plain arm; of equal prompts that belong together the unit is the whole."""
        plain = self.sheet.plain_arm
        if metric is None or plain not in arms:
            return None
        name = metric.name
        if name not in self.scored:
            return None
        asked = set(self.scored["item"][self.scored[name].notna()])
        rows = self.scored[(self.scored["arm"] == plain) & self.scored["item"].isin(asked)]
        # What was stopped did not do what the rules want, and a kind of which nothing is left shows no competence.
        rows = rows.assign(**{name: rows[name].mask(was_stopped(rows, name), 0.0)})
        every = dict.fromkeys([*(kind_of_item(str(item)) for item in sorted(asked)), *stopped_kinds(self.scored, name)])
        rows = rows[rows[name].notna()]
        kinds = np.array([kind_of_item(str(item)) for item in rows["item"]], dtype=object)
        level = next((g for g in reversed(metric.clusters) if all(self._of(g, item) for item in rows["item"])), "item")
        units = rows["item"].map(lambda item: self._of(level, item) or item)
        parts = {
            str(kind): (
                rows[metric.name][kinds == kind].to_numpy(dtype=float),
                units[kinds == kind].to_numpy(dtype=str),
            )
            for kind in every
        }
        return make_gate(parts, metric, confidence=confidence, where=f"in the arm {plain!r}")

    def known(self, arm: str, found: Mapping[Role, Metric], confidence: float) -> Known | None:
        """What was known of the rules, and of what was broken, the share whose very rule was known when asked.

        What was asked of the item itself comes before what was asked about its rule.
        """
        metric, safety = found.get("knowledge"), found["safety"]
        if metric is None or not len(asked := self._rows(arm, metric.name)):
            return None
        unit, owners = self._units(metric, set(asked["item"]))
        shown = mean_interval(
            asked[metric.name].to_numpy(dtype=float),
            np.array([owners[item] for item in asked["item"]], dtype=object),
            kind=metric.kind,
            low=metric.low,
            high=metric.high,
            confidence=confidence,
        )
        if safety.direction != "lower":
            return Known(shown, unit, metric.chance, 0, None)
        rows = self._rows(arm, safety.name)
        broken, known = (
            {str(item): float(value) for item, value in own.groupby("item")[name].mean().items()}
            for own, name in ((rows, safety.name), (asked, metric.name))
        )
        knows: dict[str, list[float]] = {}
        for item, value in known.items():
            knows.setdefault(rule_of_item(item) or item, []).append(value)
        shares = {item: [known[item]] if item in known else knows.get(rule_of_item(item), []) for item in broken}
        breaches = [(value, float(np.mean(shares[item]))) for item, value in broken.items() if shares[item]]
        total = sum(value for value, _ in breaches)
        share = sum(value * own for value, own in breaches) / total if total > 0 else None
        count = sum(value > 0 and bool(shares[str(item)]) for item, value in rows.itertuples(index=False))
        return Known(shown, unit, metric.chance, count, share)

    def _rows(self, arm: str, name: str) -> pd.DataFrame:
        if (arm, name) not in self._kept:
            rows = self.scored.loc[self.scored["arm"] == arm, ["item", name]]
            self._kept[arm, name] = rows[rows[name].notna()]
        return self._kept[arm, name]

    def _of(self, level: str, item: object) -> str:
        return self.groups.get(level, {}).get(str(item), "")

    def _units(self, metric: Metric, items: set[str]) -> tuple[str, _Owners]:
        levels = {g: [self._of(g, item) for item in items] for g in metric.clusters[1:] if g in self.groups}
        unit = unit_level(metric, levels)
        named = (self.sheet.noun or unit) if unit == "item" else unit
        return named, {item: item if unit == "item" else self._of(unit, item) for item in items}

    @staticmethod
    def _difference(
        sides: Sequence[pd.DataFrame], metric: Metric, owners: _Owners, confidence: float, seed: int
    ) -> Difference:
        a, b = ((rows[metric.name].to_numpy(dtype=float), rows["item"].to_numpy(dtype=str)) for rows in sides)
        return difference(
            *a,
            *b,
            kind=metric.kind,
            low=metric.low,
            high=metric.high,
            clusters=None if all(item == unit for item, unit in owners.items()) else owners,
            confidence=confidence,
            seed=seed,
        )

    def _domains(
        self, sides: Sequence[pd.DataFrame], metric: Metric, by: str, owners: _Owners, confidence: float, seed: int
    ) -> list[DomainEffect]:
        made = []
        for domain in sorted({self._of(by, item) for item in sides[0]["item"]} - {""}):
            own = [rows[[self._of(by, item) == domain for item in rows["item"]]] for rows in sides]
            made.append(DomainEffect(by, domain, self._difference(own, metric, owners, confidence, seed)))
        return made

    def _macro(
        self, sides: Sequence[pd.DataFrame], metric: Metric, by: str, owners: _Owners, confidence: float
    ) -> Macro:
        from scipy.special import stdtrit

        a, b = (self._unit_means(rows, metric.name, owners) for rows in sides)
        # A unit that lies in several domains counts in the first of its items.
        home = {unit: self._of(by, item) for item, unit in reversed(owners.items())}
        d = b - a
        domains = np.array([home[unit] for unit in d.index], dtype=object)
        groups = [d[domains == domain] for domain in sorted(set(domains) - {""})]
        estimate = float(np.mean([own.mean() for own in groups]))
        low = high = math.nan
        parts = [float(own.var(ddof=1)) / len(own) / len(groups) ** 2 for own in groups if len(own) > 1]
        total = sum(parts)
        if len(parts) == len(groups) and total > 1e-24:
            freedom = total**2 / sum(p**2 / (len(own) - 1) for p, own in zip(parts, groups, strict=True))
            half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(total)
            low, high = estimate - half, estimate + half
            if metric.span is not None:
                low, high = max(low, -metric.span), min(high, metric.span)
        return Macro(by, len(groups), estimate, low, high)

    @staticmethod
    def _unit_means(rows: pd.DataFrame, name: str, owners: _Owners) -> pd.Series:
        items = rows.groupby("item")[name].mean()
        return items.groupby([owners[item] for item in items.index]).mean()

    def _leeway(self, contrast: ArmContrast, metric: Metric, confidence: float) -> Leeway | None:
        """The difference if all that is open had gone one way, and the other; None where nothing is open.

        Open are replies without a decision, where the metric has bounds beside it, and samples of items that it
        applies to that were lost or stopped. What was not asked, such as repeats of a greedy reply, is not open.
        """
        least, most = (f"{metric.name}_{end}" for end in ("at_least", "at_most"))
        names = {m.name for m in self.sheet.metrics}
        if not {least, most} <= names:
            least = most = metric.name
        rows = self.frame[self.frame["arm"].isin([contrast.arm, contrast.against])]
        items = set(rows["item"][rows[least].notna()])
        rows = rows[rows["item"].isin(items)]
        # A model that was stopped from outside, by a time limit say, leaves no numbers: as open as what was lost.
        ended = rows["outcome"].isin([Outcome.INVALID.value, Outcome.REFUSED.value]) & rows[least].isna()
        gone = ended | (rows["outcome"] == Outcome.ERROR.value)
        known = gone | rows[least].notna()
        rows, lost = rows[known], gone[known].to_numpy()
        floor, top = (math.nan if end is None else end for end in (metric.low, metric.high))
        low = np.where(lost, floor, rows[least].to_numpy(dtype=float))
        high = np.where(lost, top, rows[most].to_numpy(dtype=float))
        if not (high > low).any() or np.isnan(low).any() or np.isnan(high).any():
            return None
        _, owners = self._units(metric, items)
        ends = rows.assign(_low=low, _high=high)
        a, b = (ends[ends["arm"] == arm] for arm in (contrast.against, contrast.arm))
        means = {
            (k, end): self._unit_means(own, end, owners) for k, own in (("a", a), ("b", b)) for end in ("_low", "_high")
        }
        least, most = means["b", "_low"] - means["a", "_high"], means["b", "_high"] - means["a", "_low"]
        return leeway_of(least.to_numpy(), most.to_numpy(), reach=metric.span, confidence=confidence)
