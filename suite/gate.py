"""The gate: a baseline, a candidate and a policy in; pass, regression or inconclusive out.

Every demanded metric is held against the baseline's anchor and against the run that was accepted last. All must pass;
one regression that survives Holm's correction is enough for the whole (``suite/stats/decision.py`` has the rule).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .baseline import Baseline, Snapshot, snapshot
from .checks import Check, checks
from .errors import UsageError
from .forecast import Forecast, forecast
from .policy import Policy
from .results import Cell, Results, unit_level
from .sequential_check import SequentialCheck
from .stats.decision import Decision, Gate, combine, decide
from .stats.sequential import SequentialGate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Exit", "GateReport", "Look", "decide_gate", "same_scores", "verdict_words"]

Verdict = Literal["pass", "regression", "inconclusive", "could not run"]

_UNEQUAL = 0.05
"""Level at which the sides' shares of lost samples are called unequal (Fisher's exact test)."""


class Exit(IntEnum):
    """What ``finchmark gate`` exits with."""

    PASS = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    COULD_NOT_RUN = 4


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
    notes = (*_notes(baseline, candidate, policy, alpha), *(note for side in sides.values() for note in side.notes))
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
            found = self._by_unit({item: self.means[item] - self.check.means[item] for item in self.used})
            grouping = next((g for g in self.cell.groupings if g.name == self.unit and g.dyadic), None)
            return decide(
                list(found.values()),
                self.check.margin,
                alpha=alpha,
                span=self.check.span,
                direction=self.check.direction,
                dyads=None if grouping is None else [grouping.dyads[unit] for unit in found],
            )
        return self._sequential(alpha).decision

    @cached_property
    def unit(self) -> str:
        """The level of the metric's cluster path that a decision by the fixed mode is about."""
        above = {level: self.cell.groups(level, self.rows["item"]) for level in self.check.metric.clusters[1:]}
        return unit_level(self.check.metric, {n: own.tolist() for n, own in above.items() if own is not None})

    def _by_unit(self, differences: Mapping[str, float]) -> Mapping[str, float]:
        """Differences of items, averaged within their unit, by unit."""
        labels = self.cell.groups(self.unit, self.rows["item"])
        if labels is None:
            return differences
        owners = dict(zip(self.rows["item_hash"], labels, strict=True))
        found: dict[str, list[float]] = {}
        for item, difference in differences.items():
            found.setdefault(owners[item], []).append(difference)
        return {unit: sum(own) / len(own) for unit, own in found.items()}

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the units."""
        if self.unit == "item":
            return []
        if self.policy.mode == "fixed" or self.check.span is None:
            return [
                f"{self.check.name}: items are averaged within their {self.unit}, which is the unit of the decision; "
                "the forecast counts items, and promises too much."
            ]
        return [
            f"{self.check.name}: a sequential gate takes items one by one and is about these items only, not about new "
            f'ones of a {self.unit}; mode = "fixed" decides over units.'
        ]

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
