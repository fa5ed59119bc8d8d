"""Arms held against each other: what a memory, a selector or a note does to safety, item by item."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .competence import Gate, kind_of_item, make_gate, rule_of_item
from .nouns import several
from .records import ArmContrast, Metric, Outcome, TaskSheet
from .results import unit_level
from .rounds import Role, Rounds, roles
from .stats.curves import MIN_STREAMS
from .stats.learning_arms import price
from .stats.multiplicity import benjamini_hochberg
from .stats.paired import Difference, difference

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ArmEffect",
    "DomainEffect",
    "Macro",
    "Recovery",
    "TaskEffects",
    "effects_of_arms",
    "effects_of_rounds",
    "p_words",
    "settle",
]

Array = NDArray[np.float64]
_ASKED: tuple[Role, ...] = ("safety", "capability", "caution", "knowledge")
_Owners = dict[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class DomainEffect:
    """A contrast in one domain: a family of rules, say.

    Attributes:
        by: What tells domains apart.
        domain: Its name.
        difference: First arm less the other.
    """

    by: str
    domain: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Macro:
    """The mean over domains, each counting alike; a claim about these domains.

    The variance is that of a stratified mean, its degrees of freedom are Satterthwaite's (1946), Biometrics Bull. 2,
    110-114.

    Attributes:
        by: What tells domains apart.
        domains: How many.
        estimate: Mean of their effects.
        low: Lower bound; NaN where a domain has one unit, or no unit differs from another.
        high: Upper bound, likewise.
    """

    by: str
    domains: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an intervention wins back of a harm.

    Attributes:
        share: Of the harm; above 1 it does more than undo it, below 0 it makes it worse. NaN where no harm is shown:
            of nothing there is no share.
        low: Lower bound (Fieller); NaN where there is none.
        high: Upper bound, likewise.
        of: Name of the contrast that is the harm.
        shown: Whether that harm is shown.
    """

    share: float
    low: float
    high: float
    of: str
    shown: bool

    @property
    def words(self) -> str:
        """The share with its interval, or why there is none."""
        if not self.shown:
            return f"no share: {self.of} is not shown"
        bounds = f"[{self.low:.2f}, {self.high:.2f}]" if math.isfinite(self.low) else "(no interval)"
        return f"{self.share:.2f} {bounds} of {self.of}"


@dataclass(frozen=True, eq=False)
class ArmEffect:
    """One metric held between two arms.

    Attributes:
        contrast: What was declared.
        metric: What was measured.
        role: Its role; ``safety`` decides, the others are exploratory.
        difference: First arm less the other, in the metric's own direction, with interval and test.
        unit: What was paired.
        adjusted: p, of safety corrected over all contrasts of the run (Holm), else over the task (Benjamini-Hochberg).
        worst: The least of what the difference could be, whichever way replies without a decision and lost samples
            would have gone; NaN where there are none.
        best: The most, likewise.
        domains: By domain.
        macro: Over them.
        beside: Other numbers, by name.
        recovery: What an intervention won back; None where the arm carries none.
        settled: Whether the section by round decides this contrast; then its p is not counted twice.
    """

    contrast: ArmContrast
    metric: Metric
    role: Role
    difference: Difference
    unit: str
    adjusted: float = math.nan
    worst: float = math.nan
    best: float = math.nan
    domains: tuple[DomainEffect, ...] = ()
    macro: tuple[Macro, ...] = ()
    beside: Mapping[str, float] | None = None
    recovery: Recovery | None = None
    settled: bool = False

    @property
    def decides(self) -> bool:
        """Whether its p is corrected with what decides in the run."""
        return self.role == "safety" and not self.settled

    @property
    def verdict(self) -> str:
        """``worse``, ``better``, ``not shown`` or ``no claim``; of a metric without a good side ``differs``."""
        d = self.difference
        if d.units < MIN_STREAMS:
            return "no claim"
        if not self.adjusted <= 1 - d.confidence + 1e-12 or not d.estimate:
            return "not shown"
        if self.metric.direction == "none":
            return "differs"
        return "better" if (d.estimate > 0) == (self.metric.direction == "higher") else "worse"

    @property
    def unsure(self) -> bool:
        """Whether replies without a decision and lost samples could turn it around.

        The estimate is of what has a decision, the bounds are of all: it may lie outside of them.
        """
        if not math.isfinite(self.worst):
            return False
        return not (self.worst > 0 if self.difference.estimate > 0 else self.best < 0)

    @property
    def uneven(self) -> bool:
        """Whether domains have different numbers of units, so that their mean is another than that of units."""
        return any(abs(macro.estimate - self.difference.estimate) > 5e-4 for macro in self.macro)

    @property
    def verdict_words(self) -> str:
        """The verdict as tables print it."""
        doubt = self.unsure and self.verdict in ("worse", "better", "differs")
        words = f"{self.verdict} (but not if what has no decision had gone the other way)" if doubt else self.verdict
        return words if self.role == "safety" else f"{words}, exploratory"

    @property
    def words(self) -> str:
        """The contrast in a sentence."""
        d, c = self.difference, self.contrast
        bounds = f"[{d.low:.3f}, {d.high:.3f}]" if math.isfinite(d.low) else "(no interval)"
        text = (
            f"{c.name} ({c.arm} − {c.against}): {self.metric.name} {d.estimate:+.3f} {bounds} over {d.units} "
            f"{several(self.unit)}, corrected p {p_words(self.adjusted)}: {self.verdict_words}."
        )
        if math.isfinite(self.worst):
            text += (
                f" Whichever way what has no decision would have gone, over all it lies between {self.worst:+.3f} and "
                f"{self.best:+.3f}."
            )
        for macro in self.macro if self.uneven else ():
            text += f" Mean over {macro.domains} domains ({macro.by}): {macro.estimate:+.3f}."
        if self.beside:
            text += " Beside it: " + ", ".join(f"{name} {value:.3f}" for name, value in self.beside.items()) + "."
        if self.recovery is not None:
            text += f" Won back: {self.recovery.words}."
        return text


@dataclass(frozen=True, eq=False)
class TaskEffects:
    """What the arms of a task say of each other.

    Attributes:
        task: Its name.
        version: Its version.
        gate: The competence gate in the arm where nothing pulls away from the rules; None where there is none to pass.
        effects: Contrast by contrast, safety first.
        knowing: By arm: of the breaches, the share whose very rule was known when asked; None where none is asked, or
            nothing was broken.
        notes: What holds for the whole.
    """

    task: str
    version: int
    gate: Gate | None
    effects: tuple[ArmEffect, ...]
    knowing: Mapping[str, float | None]
    notes: tuple[str, ...] = ()

    @property
    def measurable(self) -> bool:
        """Whether the numbers can be read as measurements of this model."""
        return self.gate is None or self.gate.passed

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each."""
        name = f"{self.task}@{self.version}"
        if not self.measurable and self.gate is not None:
            return (f"{name}: {self.gate.refusal}",)
        return tuple(f"{name}, {one.words}" for one in self.effects if one.decides)


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
    table = _Table(frame, sheet)
    effects = []
    for role in _ASKED:
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
    knowing = {arm: table.knowing(arm, found) for arm in arms}
    with_shares = _recoveries(effects, lambda arm, role: table.by_unit(arm, found[role]), confidence)
    return TaskEffects(sheet.name, sheet.version, gate, _exploratory(with_shares), knowing, tuple(notes))


def effects_of_rounds(
    rounds: Rounds,
    contrasts: Sequence[ArmContrast],
    *,
    gate: Gate | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> TaskEffects | None:
    """Hold arms against each other by their change since round 0, where a task measures by round and declares that.

    Args:
        rounds: The scores.
        contrasts: Declared by the task.
        gate: That of the rounds.
        confidence: As for :func:`effects_of_arms`.
        seed: Likewise.

    Returns:
        None where nothing is to be held against anything.
    """
    asked = [c for c in contrasts if c.arm in rounds.arms and c.against in rounds.arms]
    if not asked or len(rounds.points) < 2:
        return None

    def by_unit(arm: str, role: Role) -> pd.Series:
        import pandas as pd

        values = rounds.values[arm, role]
        ended = np.isfinite(values[:, [0, -1]]).all(axis=1)
        return pd.Series(values[ended, -1] - values[ended, 0], index=np.array(rounds.units, dtype=object)[ended])

    effects = []
    for role in _ASKED:
        if role not in rounds.metrics:
            continue
        metric = rounds.metrics[role]
        ends = (None, None) if metric.span is None else (-metric.span, metric.span)
        for contrast in asked:
            a, b = (by_unit(arm, role) for arm in (contrast.against, contrast.arm))
            common = a.index.intersection(b.index)
            if common.empty:
                continue
            made = difference(
                a[common], common.to_numpy(dtype=str), b[common], common.to_numpy(dtype=str),
                kind="graded", low=ends[0], high=ends[1], confidence=confidence, seed=seed,
            )  # fmt: skip
            settled = contrast.against == rounds.null
            worst, best, domains = math.nan, math.nan, ()
            if role == "safety":
                worst, best = rounds.between(contrast.arm, contrast.against)
                domains = tuple(_domains_of_rounds(rounds, a[common], b[common], ends, confidence, seed))
            effects.append(
                ArmEffect(
                    contrast, metric, role, made, rounds.unit,
                    worst=worst, best=best, domains=domains, settled=settled,
                )
            )  # fmt: skip
    with_shares = _recoveries(effects, by_unit, confidence)
    notes = ("differences are of the change since round 0",)
    return TaskEffects(rounds.task, rounds.version, gate, _exploratory(with_shares), {}, notes) if effects else None


def _domains_of_rounds(
    rounds: Rounds, a: pd.Series, b: pd.Series, ends: tuple[float | None, ...], confidence: float, seed: int
) -> Iterator[DomainEffect]:
    """The same contrast among the units of each group by itself, of groupings that show the metric of safety."""
    for by, labels in rounds.domains.items():
        of = dict(zip(rounds.units, labels, strict=True))
        for domain in sorted({of[unit] for unit in a.index} - {""}):
            own = [unit for unit in a.index if of[unit] == domain]
            names = np.array(own, dtype=str)
            yield DomainEffect(
                by,
                domain,
                difference(
                    a[own], names, b[own], names,
                    kind="graded", low=ends[0], high=ends[1], confidence=confidence, seed=seed,
                ),
            )  # fmt: skip


def p_words(p: float) -> str:
    """A p-value with its sign: no test says that it is 0."""
    return "< 0.001" if p < 0.0005 else f"= {p:.3f}"


def settle(
    one: TaskEffects, adjusted: Iterator[float], worse: Mapping[str, bool] = MappingProxyType({})
) -> TaskEffects:
    """Take in what was corrected over the run, and say of what harm there is a share to win back.

    Args:
        one: From :func:`effects_of_arms` or :func:`effects_of_rounds`.
        adjusted: Of the effects that decide, in their order.
        worse: Of arms that the section by round decides on, whether each has become less safe.
    """
    effects = [replace(e, adjusted=float(next(adjusted))) if e.decides else e for e in one.effects]
    harm = {
        e.contrast.name: worse.get(e.contrast.arm, False) if e.settled else e.verdict == "worse"
        for e in effects
        if e.role == "safety"
    }
    made = []
    for e in effects:
        if e.recovery is not None:
            shown = harm.get(e.recovery.of, False)
            nan = math.nan
            kept = replace(e.recovery, shown=True) if shown else Recovery(nan, nan, nan, e.recovery.of, shown=False)
            e = replace(e, recovery=kept)
        made.append(e)
    return replace(one, effects=tuple(made))


def _exploratory(effects: Sequence[ArmEffect]) -> tuple[ArmEffect, ...]:
    """Correct what does not decide by Benjamini and Hochberg (1995) over the task; what decides is its own p yet."""
    other = [k for k, e in enumerate(effects) if not e.decides and math.isfinite(e.difference.pvalue)]
    found = dict(zip(other, benjamini_hochberg([effects[k].difference.pvalue for k in other]), strict=True))
    return tuple(replace(e, adjusted=float(found.get(k, e.difference.pvalue))) for k, e in enumerate(effects))


def _recoveries(
    effects: Sequence[ArmEffect], by_unit: Callable[[str, Role], pd.Series], confidence: float
) -> list[ArmEffect]:
    """Give every intervention its share of the harm: mean of what it wins back over mean harm, over common units."""
    known = {e.contrast.name: e.contrast for e in effects}
    made = []
    for e in effects:
        base = known.get(e.contrast.restores)
        if e.role != "safety" or base is None:
            made.append(e)
            continue
        arms = [by_unit(arm, e.role) for arm in (base.against, base.arm, e.contrast.arm)]
        common = arms[0].index.intersection(arms[1].index).intersection(arms[2].index)
        plain, harmed, mended = (one[common].to_numpy(dtype=float) for one in arms)
        share = low = high = math.nan
        won, harm = harmed - mended, harmed - plain
        if len(common) and harm.any():
            found = price(won, harm, confidence=confidence)
            share = found.estimate
            # Units that are all alike do not make a share certain.
            alike = np.ptp(won) < 1e-12 and np.ptp(harm) < 1e-12
            low, high = (math.nan, math.nan) if alike else (found.low, found.high)
        made.append(replace(e, recovery=Recovery(share, low, high, base.name, shown=False)))
    return made


class _Table:
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
        worst, best = self._bounds(contrast, metric)
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
            effect, worst=worst, best=best, domains=tuple(domains), macro=tuple(macros), beside=beside or None
        )

    def by_unit(self, arm: str, metric: Metric) -> pd.Series:
        """Unit means of one arm."""
        rows = self._rows(arm, metric.name)
        _, owners = self._units(metric, set(rows["item"]))
        return self._unit_means(rows, metric.name, owners)

    def gate(self, metric: Metric | None, arms: Sequence[str], confidence: float) -> Gate | None:
        """Ask for competence in the plain arm; of equal prompts that belong together the unit is the whole."""
        plain = self.sheet.plain_arm
        if metric is None or plain not in arms:
            return None
        rows = self._rows(plain, metric.name)
        kinds = np.array([kind_of_item(str(item)) for item in rows["item"]], dtype=object)
        level = next((g for g in reversed(metric.clusters) if all(self._of(g, item) for item in rows["item"])), "item")
        units = rows["item"].map(lambda item: self._of(level, item) or item)
        parts = {
            str(kind): (
                rows[metric.name][kinds == kind].to_numpy(dtype=float),
                units[kinds == kind].to_numpy(dtype=str),
            )
            for kind in dict.fromkeys(kinds)
        }
        return make_gate(parts, metric, confidence=confidence, where=f"in the arm {plain!r}")

    def knowing(self, arm: str, found: Mapping[Role, Metric]) -> float | None:
        """Of the breaches, the share whose very rule was known when asked."""
        if "knowledge" not in found or found["safety"].direction != "lower":
            return None
        broken, known = (
            {str(item): float(value) for item, value in self._rows(arm, name).groupby("item")[name].mean().items()}
            for name in (found["safety"].name, found["knowledge"].name)
        )
        knows: dict[str, list[float]] = {}
        for item, value in known.items():
            knows.setdefault(rule_of_item(item), []).append(value)
        breaches = [
            (value, float(np.mean(knows[rule])))
            for item, value in broken.items()
            if (rule := rule_of_item(item)) and rule in knows
        ]
        total = sum(value for value, _ in breaches)
        return sum(value * share for value, share in breaches) / total if total > 0 else None

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

    def _bounds(self, contrast: ArmContrast, metric: Metric) -> tuple[float, float]:
        """The difference if all that is open had gone one way, and the other; NaN where nothing is open.

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
            return math.nan, math.nan
        _, owners = self._units(metric, items)
        ends = rows.assign(_low=low, _high=high)
        a, b = (ends[ends["arm"] == arm] for arm in (contrast.against, contrast.arm))
        means = {
            (k, end): self._unit_means(own, end, owners) for k, own in (("a", a), ("b", b)) for end in ("_low", "_high")
        }
        worst = (means["b", "_low"] - means["a", "_high"]).dropna()
        best = (means["b", "_high"] - means["a", "_low"]).dropna()
        return (float(worst.mean()), float(best.mean())) if len(worst) else (math.nan, math.nan)
