"""The gate: a baseline, a candidate and a policy in; pass, regression or inconclusive out.

Every demanded metric is held against the baseline's anchor and against the run that was accepted last. All must pass;
one regression that survives Holm's correction is enough for the whole (``suite/stats/decision.py`` has the rule).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .baseline import Baseline, Snapshot, SnapshotCell
from .errors import UsageError
from .policy import Policy
from .records import Metric
from .results import Cell, CellKey, Results
from .seeds import generator
from .stats.bounded_mean import FEW, cautious_pvalue
from .stats.decision import Decision, Gate, combine, decide, units_for_a_pass
from .stats.power import GateChance, detectable_effect, gate_chance
from .stats.prefix import FinishedPrefix, random_order
from .stats.sequential import SequentialGate, gate_paths

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = [
    "Check",
    "Exit",
    "Forecast",
    "GateReport",
    "Look",
    "SequentialCheck",
    "checks",
    "decide_gate",
    "forecast",
    "order_of_looks",
    "verdict_words",
]

Verdict = Literal["pass", "regression", "inconclusive", "could not run"]

_POWER = 0.8
_SIMULATIONS = 500
_UNEQUAL = 0.05
"""Level at which the sides' shares of lost samples are called unequal (Fisher's exact test)."""


class Exit(IntEnum):
    """What ``finchmark gate`` exits with."""

    PASS = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    COULD_NOT_RUN = 4


@dataclass(frozen=True)
class Check:
    """One demand: a metric of a task and arm, held against one of the baseline's runs.

    Attributes:
        name: As tables call it; unique within a gate.
        cell: Task, version and arm.
        metric: The metric.
        margin: Loss that is accepted, in the metric's unit.
        span: Length of the metric's range, None where it is open.
        against: ``anchor`` or ``accepted``.
        reference: The baseline's cell.
        label: The baseline run's label.
    """

    name: str
    cell: CellKey
    metric: Metric
    margin: float
    span: float | None
    against: Literal["anchor", "accepted"]
    reference: SnapshotCell
    label: str

    @cached_property
    def means(self) -> dict[str, float]:
        """The baseline's item means, by hash of the item."""
        return {item: entry[1] for item, entry in self.reference.items[self.metric.name].items()}

    @property
    def direction(self) -> Literal["higher", "lower"]:
        """Which way is better."""
        return "lower" if self.metric.direction == "lower" else "higher"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a check could find, known before anything is spent.

    Attributes:
        check: Name of the check.
        units: Common items.
        samples: Samples an item of the candidate.
        passes: P(pass | no change); NaN where the baseline does not tell (graded with one sample an item).
        detectable: The loss that is called a regression in 80 % of gates, in the metric's unit; NaN likewise, and where
            no loss is.
        least: Units under which no pass is possible where all agree.
        note: What the check cannot do.
    """

    check: str
    units: int
    samples: float
    passes: float
    detectable: float
    least: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A check decided.

    Attributes:
        check: The demand.
        decision: What the units say, with the verdict that Holm's correction leaves.
        adjusted: Corrected p-value of a regression.
        baseline_mean: Mean of the baseline's item means over the units used.
        candidate_mean: The candidate's.
        planned: Units that there are; a sequential gate may have used fewer.
        lost: Samples lost by baseline and candidate.
    """

    check: Check
    decision: Decision
    adjusted: float
    baseline_mean: float
    candidate_mean: float
    planned: int
    lost: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class GateReport:
    """A gate's decision.

    Attributes:
        verdict: ``could not run`` where samples are missing or unequally lost: nothing is decided then.
        candidate: The candidate's label.
        policy: The policy.
        alpha: Level of either verdict, after the lifetime's share.
        forecasts: What could be found, check by check.
        looks: The checks, decided.
        faults: Why it could not run.
        notes: What a reader must know.
    """

    verdict: Verdict
    candidate: str
    policy: Policy
    alpha: float
    forecasts: tuple[Forecast, ...]
    looks: tuple[Look, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """What the command exits with."""
        if self.verdict == "inconclusive":
            return Exit.INCONCLUSIVE if self.policy.inconclusive == "fail" else Exit.PASS
        return {"pass": Exit.PASS, "regression": Exit.REGRESSION}.get(self.verdict, Exit.COULD_NOT_RUN)

    @property
    def failed(self) -> bool:
        """Whether it stops a change."""
        return self.exit_code is not Exit.PASS


def checks(baseline: Baseline, policy: Policy) -> tuple[Check, ...]:
    """List what a policy demands of a candidate.

    Raises:
        UsageError: A demanded metric is not in the baseline, has no better side, or no margin can be named for it; or
            nothing is demanded at all.
    """
    found: list[Check] = []
    runs: list[tuple[Literal["anchor", "accepted"], Snapshot]] = [("anchor", baseline.anchor)]
    if baseline.accepted is not None and baseline.accepted.hash != baseline.anchor.hash:
        runs.append(("accepted", baseline.accepted))
    for against, run in runs:
        for cell in run.cells:
            if baseline.anchor.cell(cell.key) is None:
                continue
            for name, share in policy.demands(cell.task, cell.arm, cell.primary.name).items():
                found.append(_check(cell, name, share, against, run.label, len(runs) > 1))
    for rule in policy.rules:
        cells = [(cell.task, cell.arm) for cell in baseline.anchor.cells]
        if not any(rule.fits(*cell) for cell in cells):
            near = get_close_matches(rule.task, [task for task, _ in cells], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"The policy's rule for task {rule.task!r}"
                + (f", arm {rule.arm!r}" if rule.arm else "")
                + f" fits nothing that the baseline holds.{hint}"
            )
    if not found:
        raise UsageError("The policy leaves no task of the baseline to be gated. Remove a rule with gate = false.")
    return tuple(found)


def _check(
    cell: SnapshotCell, name: str, share: float, against: Literal["anchor", "accepted"], label: str, both: bool
) -> Check:
    where = f"{cell.task}@{cell.version}" + ("" if cell.arm in ("", "default") else f" · {cell.arm}")
    metric = next((m for m in cell.metrics if m.name == name), None)
    if metric is None:
        names = ", ".join(m.name for m in cell.metrics)
        raise UsageError(
            f"{where}: the baseline holds no metric {name!r}, only {names}. Mend the policy's rule, or declare the "
            f"baseline with --metric {name}."
        )
    if metric.direction == "none":
        raise UsageError(f"{where}: neither way is better of {name}, so that it cannot be gated.")
    if not cell.items.get(name):
        raise UsageError(f"{where}: the baseline has no value of {name}.")
    span = None if metric.low is None or metric.high is None else metric.high - metric.low
    whole = span
    if whole is None:
        chance, ceiling = cell.levels.get(name, (metric.chance, metric.ceiling))
        whole = None if chance is None or ceiling is None or chance == ceiling else abs(ceiling - chance)
    if whole is None:
        raise UsageError(f"{where}: {name} has no range and no known levels, so that a margin means nothing.")
    metric_part = "" if metric.primary else f" · {name}"
    against_part = f" (against the {against})" if both else ""
    return Check(f"{where}{metric_part}{against_part}", cell.key, metric, share * whole, span, against, cell, label)


def forecast(check: Check, units: int, samples: float, policy: Policy, alpha: float, *, among: int = 1) -> Forecast:
    """Say what a check could find with so many units, from the baseline alone.

    Args:
        check: The demand.
        units: Items that the candidate is to be paired on.
        samples: Samples an item of the candidate.
        policy: The policy.
        alpha: Level of the verdict.
        among: How many checks share the level of a regression.
    """
    import numpy as np

    entries = list(check.reference.items[check.metric.name].values())
    counts = np.array([e[0] for e in entries])
    means = np.array([e[1] for e in entries])
    span = check.span
    least = 0 if span is None else units_for_a_pass(check.margin, alpha, span)
    note = _blind(check, float(means.mean()))
    own = float(1 / np.mean(1 / counts))
    repeated = counts > 1
    sequential = policy.mode == "sequential" and span is not None
    if check.metric.kind == "binary":
        noise = means * (1 - means) * np.where(repeated, counts / np.maximum(counts - 1, 1), 1.0)
        # Without repeats nothing tells the noise within an item from the spread between items: take all as noise.
        within = float(noise[repeated].mean()) if repeated.any() else float(means.mean() * (1 - means.mean()))
        sd = math.sqrt(within * (1 / own + 1 / max(samples, 1)))
        rate = float(means.mean()) if check.direction == "higher" else 1 - float(means.mean())
        spread = float(means.var(ddof=1)) if len(means) > 1 else 0.0
        between = min(max(spread - within / own, 0.0), rate * (1 - rate))

        def chance(loss: float, level: float, simulations: int) -> GateChance:
            return gate_chance(
                rate,
                check.margin,
                units,
                max(1, round(samples)),
                between=between,
                change=-loss,
                alpha=level,
                sequential=sequential,
                sd=(sd or None) if sequential else None,
                simulations=simulations,
            )

        if not units:
            return Forecast(check.name, units, samples, 0.0, math.nan, least, note)
        passes = chance(0.0, alpha, 2000).passed
        caught = _smallest_loss(lambda loss: chance(loss, alpha / among, 400).regressed, check.margin, rate)
        return Forecast(check.name, units, samples, passes, caught, least, note)
    if repeated.any():
        variances = np.array([e[2] if n > 1 else math.nan for e, n in zip(entries, counts, strict=True)])
        variances = np.where(np.isnan(variances), np.nanmean(variances), variances)
    else:
        variances = np.full(len(entries), float(means.var(ddof=1)) if len(means) > 1 else math.nan)
    if units < 2 or not np.isfinite(variances).all():
        return Forecast(check.name, units, samples, math.nan, math.nan, least, note)
    each = np.sqrt(np.resize(variances, units) * (1 / own + 1 / max(samples, 1)))
    passes = _graded_chance(check, each, alpha, sequential)
    sd = float(np.sqrt(np.mean(each**2)))
    caught = check.margin + float(detectable_effect(sd, units, alpha=alpha / among, sides=1))
    if span is None and np.count_nonzero(each) < FEW:
        caught = math.nan
        note = note or (
            "no verdict is possible: the baseline's samples of an item agree, and without a range that says too little"
        )
    return Forecast(check.name, units, samples, passes, caught, least, note)


def _graded_chance(check: Check, each: np.ndarray, alpha: float, sequential: bool) -> float:
    """Simulated chance that a candidate without a change passes, item by item as noisy as the baseline says."""
    import numpy as np

    rng = generator("graded gate", check.name, each.size)
    d = rng.standard_normal((_SIMULATIONS, each.size)) * each
    if check.span is None:
        return sum(decide(row, check.margin, alpha=alpha, span=None).verdict == "pass" for row in d) / _SIMULATIONS
    d = np.clip(d, -check.span, check.span)
    if sequential:
        sd = float(np.sqrt(np.mean(each**2))) or None
        paths = gate_paths(d, check.margin, alpha=alpha, span=check.span, sd=sd)
        return float(paths.passed.mean())
    return float(np.mean(cautious_pvalue(d, -check.margin, -check.span) <= alpha))


def _blind(check: Check, mean: float) -> str:
    """Why a check cannot find a regression, where that is so: the baseline has nothing to lose beyond the margin."""
    m = check.metric
    worst = m.low if check.direction == "higher" else m.high
    chance = check.reference.levels.get(m.name, (m.chance, m.ceiling))[0]
    for name, end, words in (("the worst value", worst, "cannot"), ("chance", chance, "can hardly")):
        if end is None or check.span is None:
            continue
        room = mean - end if check.direction == "higher" else end - mean
        if room <= check.margin:
            return f"{words} find a regression: the baseline is within the margin of {name}"
    return ""


def _smallest_loss(found: Callable[[float], float], low: float, high: float) -> float:
    """The smallest loss that is found in 80 % of gates, by halving; NaN where not even the largest is."""
    if high <= low or found(high) < _POWER:
        return math.nan
    # Halving with few simulations each: a table shows two digits.
    for _ in range(6):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= _POWER else (middle, high)
    return high


def decide_gate(baseline: Baseline, candidate: Results, policy: Policy, *, foresee: bool = True) -> GateReport:
    """Decide whether a candidate may take the baseline's place.

    Args:
        baseline: The anchor and the run accepted last.
        candidate: What is to be judged.
        policy: What is demanded. What a run lacks that a sequential gate stopped early is not lost.
        foresee: Whether to simulate what could have been found; without, there are no forecasts.

    Returns:
        The decision. Where the candidate lacks a task or items of the baseline, or where more than ``max_errors`` of a
        side's samples are lost, or unequally many, it is ``could not run``.

    Raises:
        UsageError: The policy demands what the baseline does not hold.
    """
    demanded = checks(baseline, policy)
    alpha = baseline.level(policy.alpha, policy.lifetime_alpha)
    faults: list[str] = []
    sides: dict[str, _Side] = {}
    partial = candidate.stopped_early and policy.mode == "sequential"
    for check in demanded:
        cell = candidate.cell(check.cell)
        if cell is None:
            version = next((c.version for c in candidate.cells if c.task == check.cell[0]), None)
            why = "did not play it" if version is None else f"played version {version}, or not this arm"
            faults.append(f"{check.name}: {candidate.label} {why}.")
            continue
        side = _Side(check, cell, policy, partial, candidate.seed)
        faults += side.faults
        sides[check.name] = side
    notes = _notes(baseline, candidate, policy, alpha)
    forecasts = tuple(
        forecast(s.check, len(s.check.means), s.cell.repeats or s.per_item, policy, alpha, among=len(demanded))
        for s in sides.values()
        if foresee
    )
    if faults:
        return GateReport(
            "could not run", candidate.label, policy, alpha, forecasts, (), tuple(dict.fromkeys(faults)), notes
        )
    decisions = {name: side.decide(alpha) for name, side in sides.items()}
    gate = combine(decisions)
    return GateReport(gate.verdict, candidate.label, policy, alpha, forecasts, _looks(sides, gate), (), notes)


def _looks(sides: Mapping[str, _Side], gate: Gate) -> tuple[Look, ...]:
    return tuple(
        Look(
            side.check,
            gate.tasks[name],
            gate.adjusted[name],
            *side.averages(),
            len(side.check.means),
            (side.check.reference.lost, side.lost),
        )
        for name, side in sides.items()
    )


@dataclass
class _Side:
    """The candidate's samples for one check."""

    check: Check
    cell: Cell
    policy: Policy
    partial: bool
    seed: int
    used: list[str] = field(default_factory=list)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows that count."""
        scored = self.cell.scored
        return scored[scored[self.check.metric.name].notna()]

    @cached_property
    def means(self) -> dict[str, float]:
        """The candidate's item means, by hash of the item."""
        return {str(k): float(v) for k, v in self.rows.groupby("item_hash")[self.check.metric.name].mean().items()}

    @property
    def per_item(self) -> float:
        """Samples an item, where the harness does not tell how many were planned."""
        return len(self.rows) / len(self.means) if self.means else 1.0

    @property
    def lost(self) -> int:
        """Samples lost to errors; those not there as well, unless the run is stopped early by design."""
        if self.partial:
            return int((self.cell.frame["outcome"] == "error").sum())
        return self.cell.errors

    @property
    def faults(self) -> list[str]:
        """Why nothing can be decided."""
        reference, limit = self.check.reference, self.policy.max_errors
        expected = len(self.cell.frame) if self.partial else self.cell.expected
        found = []
        for label, lost, whole in (
            (f"the baseline {self.check.label}", reference.lost, reference.expected),
            ("the candidate", self.lost, expected),
        ):
            if whole and lost / whole > limit:
                found.append(
                    f"{self.check.name}: {label} lost {lost} of {whole} samples, over {100 * limit:g} %; what is lost "
                    "is not lost at random. Play them again."
                )
        if not found and _unequal(reference.lost, reference.expected, self.lost, expected):
            found.append(
                f"{self.check.name}: the sides lost unequally many samples ({reference.lost} of {reference.expected}, "
                f"{self.lost} of {expected}). Play them again."
            )
        if not self.partial:
            absent = [item for item in self.check.means if item not in self.means]
            if absent and not self.lost:
                found.append(
                    f"{self.check.name}: the candidate has no value on {len(absent)} of the baseline's "
                    f"{len(self.check.means)} items ({absent[0]}, for one). Play the items that the baseline played."
                )
        return found

    def decide(self, alpha: float) -> Decision:
        """Decide by the policy's mode."""
        if self.check.span is None and self.partial and len(self.cell.frame) < self.cell.expected:
            # Where to stop was decided by other checks' results: a test at one look does not hold there.
            return replace(
                decide([], self.check.margin, alpha=alpha, span=None, direction=self.check.direction),
                note="the run was stopped before this task was played to its end",
            )
        if self.policy.mode == "fixed" or self.check.span is None:
            self.used = [item for item in self.check.means if item in self.means]
            differences = [self.means[item] - self.check.means[item] for item in self.used]
            return decide(
                differences, self.check.margin, alpha=alpha, span=self.check.span, direction=self.check.direction
            )
        return self._sequential(alpha).decision

    def _sequential(self, alpha: float) -> SequentialGate:
        repeats = self.cell.repeats or 1
        run = SequentialCheck(self.check, repeats, alpha, self.seed)
        rows = self.cell.frame
        scored = rows["outcome"] != "error"
        values = rows[self.check.metric.name].where(scored)
        for item, value in zip(rows["item_hash"], values, strict=True):
            run.add(str(item), float(value))
        if not self.partial:
            run.close()
        self.used = list(run.used)
        return run.gate

    def averages(self) -> tuple[float, float]:
        """Means of both sides over the units used."""
        if not self.used:
            return math.nan, math.nan
        n = len(self.used)
        return sum(self.check.means[u] for u in self.used) / n, sum(self.means[u] for u in self.used) / n


class SequentialCheck:
    """A check that is looked at as samples come in, in whatever order they do.

    An item counts when all of its samples are in (its first ones alone would be the quick ones), and when all items
    before it in :func:`order_of_looks` count.

    Args:
        check: The demand.
        repeats: Samples an item.
        alpha: Level of either verdict.
        seed: The candidate's.
    """

    def __init__(self, check: Check, repeats: int, alpha: float, seed: int) -> None:
        self.check = check
        self.gate = SequentialGate(
            check.margin,
            alpha=alpha,
            span=_range(check),
            direction=check.direction,
            sd=_expected_sd(check, repeats),
        )
        self.used: list[str] = []
        self._repeats = repeats
        self._prefix = FinishedPrefix(order_of_looks(check, seed))
        self._there: dict[str, list[float]] = {item: [] for item in check.means}

    def add(self, item: str, value: float) -> None:
        """Take in a sample; NaN where it has no value (an error)."""
        there = self._there.get(item)
        if there is None or len(there) >= self._repeats:
            return
        there.append(value)
        if len(there) == self._repeats:
            self._hand_on(item)

    def close(self) -> None:
        """Say that no more samples come: items that lack some count with those that they have."""
        for item, there in self._there.items():
            if len(there) < self._repeats:
                self._hand_on(item)

    def _hand_on(self, item: str) -> None:
        scored = [v for v in self._there[item] if not math.isnan(v)]
        if scored:
            freed = self._prefix.finish(item, sum(scored) / len(scored) - self.check.means[item])
        else:
            freed = self._prefix.lose(item)
        for unit, difference in freed:
            self.gate.update(difference)
            self.used.append(unit)


def _range(check: Check) -> float:
    if check.span is None:
        raise ValueError(f"{check.name}: a metric without a range cannot be looked at after every item")
    return check.span


def order_of_looks(check: Check, seed: int) -> tuple[str, ...]:
    """The order in which a sequential gate takes a check's items: it follows from the candidate's seed alone.

    Arms and metrics of a task share it, so that a run that is driven by the gate plays items in one order.
    """
    return random_order(check.means, check.cell[0], check.cell[1], seed)


def _expected_sd(check: Check, samples: float) -> float | None:
    """Spread of a unit's difference if nothing has changed, from the baseline alone; None where it does not tell."""
    entries = [e for e in check.reference.items[check.metric.name].values() if e[0] > 1]
    if not entries:
        return None
    if check.metric.kind == "binary":
        within = sum(m * (1 - m) * n / (n - 1) for n, m in entries) / len(entries)
    else:
        within = sum(e[2] for e in entries) / len(entries)
    own = sum(e[0] for e in entries) / len(entries)
    sd = math.sqrt(within * (1 / own + 1 / max(samples, 1.0)))
    return sd or None


def _unequal(lost_a: int, whole_a: int, lost_b: int, whole_b: int) -> bool:
    from scipy.stats import fisher_exact

    if lost_a == lost_b == 0 or not whole_a or not whole_b:
        return False
    table = [[lost_a, max(whole_a - lost_a, 0)], [lost_b, max(whole_b - lost_b, 0)]]
    return float(fisher_exact(table).pvalue) < _UNEQUAL  # type: ignore[attr-defined]  # the stubs lack the result's field


def _notes(baseline: Baseline, candidate: Results, policy: Policy, alpha: float) -> tuple[str, ...]:
    notes: list[str] = list(candidate.notes)
    if same_scores(baseline.anchor, candidate):
        notes.append("The candidate scored exactly as the anchor did, sample for sample: is it the baseline's own run?")
    if candidate.decoding != baseline.anchor.decoding:
        notes.append(
            f"Decoding differs: the anchor is {baseline.anchor.decoding}, the candidate {candidate.decoding}; the gate "
            "is on both together."
        )
    if policy.lifetime_alpha is not None:
        notes.append(
            f"Gate {len(baseline.attempts) + 1} of this baseline's cycle, at level {alpha:.4g} of "
            f"{policy.lifetime_alpha:g}."
        )
    return tuple(notes)


def same_scores(anchor: Snapshot, candidate: Results) -> bool:
    """Whether every item's scores are those of the anchor, as of a run that is held against itself."""
    from .baseline import snapshot

    if candidate.label != anchor.label or candidate.stopped_early:
        return False
    try:
        taken = snapshot(candidate, {m.name for c in anchor.cells for m in c.metrics}, check=False)
    except UsageError:
        return False
    return taken.hash == anchor.hash


def verdict_words(report: GateReport) -> str:
    """The decision in one sentence."""
    count = len(report.looks)
    names: Sequence[str] = [look.check.name for look in report.looks if look.decision.verdict == "regression"]
    if report.verdict == "regression":
        return f"REGRESSION: {report.candidate} is worse by more than the margin in {', '.join(names)}."
    if report.verdict == "pass":
        worse = [look.check.name for look in report.looks if look.decision.worse_within_margin]
        warning = f" It is worse within the margin in {', '.join(worse)}." if worse else ""
        return f"PASS: {report.candidate} is not worse by the margin in any of {count} checks.{warning}"
    if report.verdict == "inconclusive":
        open_ = [look.check.name for look in report.looks if look.decision.verdict == "inconclusive"]
        return (
            f"INCONCLUSIVE: the data cannot tell in {', '.join(open_)}. `finchmark power RUN --margin M` says how many "
            "items and samples would; raise --samples, or take a tier with more items."
        )
    return f"COULD NOT RUN: {len(report.faults)} fault{'s' if len(report.faults) != 1 else ''}; nothing was decided."
