"""What a gate demands: a metric of a task and arm, held against a run of the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from .baseline import Baseline, Snapshot, SnapshotCell
from .errors import UsageError
from .policy import Policy
from .records import Metric
from .results import CellKey, cell_name

__all__ = ["Check", "checks"]


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
    where = cell_name(*cell.key)
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
    whole = metric.scale(*cell.levels.get(name, (metric.chance, metric.ceiling)))
    if whole is None:
        raise UsageError(f"{where}: {name} has no range and no known levels, so that a margin means nothing.")
    metric_part = "" if metric.primary else f" · {name}"
    against_part = f" (against the {against})" if both else ""
    return Check(
        f"{where}{metric_part}{against_part}", cell.key, metric, share * whole, metric.span, against, cell, label
    )
