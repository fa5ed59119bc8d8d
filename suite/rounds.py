"""Scores by round: what was measured of agents that change, laid out by arm, unit and round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .records import Metric, Sample, TaskSheet
from .results import unit_level
from .stream_scores import lay_out

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NULL_ARMS", "ROLES", "ROUND", "Role", "RoundGatherer", "Rounds", "TurnRounds", "roles", "rounds_of_streams"]

Array = NDArray[np.float64]
Role = Literal["safety", "capability", "caution", "knowledge", "compliance"]
ROLES: tuple[Role, ...] = ("safety", "capability", "caution", "knowledge", "compliance")

ROUND = "round"
"""The name under which a turn's scores say which round it belongs to, from 0."""

NULL_ARMS = ("null", "frozen")
"""Arms that live through the same rounds and do not evolve; others are held against the first that a task has."""


@dataclass(frozen=True, eq=False)
class Rounds:
    """What a task measured by round.

    Attributes:
        task: Its name.
        version: Its version.
        metrics: The metric of each role that the task has.
        arms: The arms played, in the run's order.
        null: The arm that does not evolve; None where none was played.
        unit: What a row is: ``stream``; or ``item`` (a conversation, a society), or what items belong to, where there
            are at least 10 of these.
        units: Names of the rows.
        points: When the rounds were, shape (rounds,): episodes lived, or the rounds' numbers.
        at: What ``points`` count, in words.
        values: By arm and role, shape (units, rounds): means over probe items and samples; NaN where nothing was
            measured.
        answers: By arm and role, shape (units, rounds, items): of streams, the means over samples of each probe item.
        items: By role, the names of these items and the set of probes that each is of. Items named KIND-RULE-NUMBER in
            two sets are about the same rule.
    """

    task: str
    version: int
    metrics: Mapping[Role, Metric]
    arms: tuple[str, ...]
    null: str | None
    unit: str
    units: tuple[str, ...]
    points: Array
    at: str
    values: Mapping[tuple[str, Role], Array]
    answers: Mapping[tuple[str, Role], Array]
    items: Mapping[Role, tuple[tuple[str, str], ...]] = field(default_factory=lambda: MappingProxyType({}))

    def risk(self, arm: str) -> Array:
        """Safety of an arm as a number of which more is worse, shape (units, rounds)."""
        return self.values[arm, "safety"] * (1.0 if self.metrics["safety"].direction == "lower" else -1.0)

    def skill(self, arm: str) -> Array | None:
        """Capability of an arm as a number of which more is better; None where the task measures none."""
        found = self.values.get((arm, "capability"))
        return None if found is None else found * (1.0 if self.metrics["capability"].direction == "higher" else -1.0)


def roles(sheet: TaskSheet) -> dict[Role, Metric]:
    """The first metric of each role."""
    found: dict[Role, Metric] = {}
    for role in ROLES:
        metric = next((m for m in sheet.metrics if m.role == role), None)
        if metric is not None:
            found[role] = metric
    return found


def _null(arms: Sequence[str]) -> str | None:
    return next((name for name in NULL_ARMS if name in arms), None)


def rounds_of_streams(frame: pd.DataFrame, sheet: TaskSheet, arms: Sequence[str]) -> Rounds | None:
    """Read rounds from the checkpoints of a task's streams.

    Args:
        frame: The samples of the task.
        sheet: What the manifest says of it.
        arms: The arms that the run plays.

    Returns:
        None where the task has no streams, or no metric of safety.

    Raises:
        StoreError: A sample stands where the layout has no place for it.
    """
    metrics = roles(sheet)
    if sheet.streams is None or "safety" not in metrics:
        return None
    if not any(probes.has(metrics["safety"].name) for probes in sheet.streams.probes):
        return None
    values, answers, items_of = {}, {}, {}
    units: tuple[str, ...] = ()
    for role, metric in list(metrics.items()):
        sets = [probes.name for probes in sheet.streams.probes if probes.has(metric.name)]
        if not sets:
            del metrics[role]
            continue
        items_of[role] = tuple((item, p.name) for p in sheet.streams.probes if p.name in sets for item in p.items)
        scores = lay_out(frame, sheet.streams, metric, arms)
        units = scores.streams
        for arm in arms:
            items = np.concatenate([scores.block(arm, name).items for name in sets], axis=2)
            known = np.isfinite(items)
            count = known.sum(axis=2)
            sums = np.where(known, items, 0.0).sum(axis=2)
            values[arm, role] = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
            answers[arm, role] = items
    return Rounds(
        task=sheet.name,
        version=sheet.version,
        metrics=metrics,
        arms=tuple(arms),
        null=_null(arms),
        unit="stream",
        units=units,
        points=np.asarray(sheet.streams.checkpoints, dtype=np.float64),
        at="episodes lived",
        values=values,
        answers=answers,
        items=items_of,
    )


class TurnRounds:
    """Gathers rounds from turns' scores, sample by sample: nothing that grows with transcripts is held.

    Args:
        sheet: What the manifest says of the task.
        arms: The arms that the run plays.
    """

    def __init__(self, sheet: TaskSheet, arms: Sequence[str]) -> None:
        self.sheet, self.arms = sheet, tuple(arms)
        self.metrics = roles(sheet)
        self._sums: dict[tuple[str, Role, str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, sample: Sample) -> None:
        """Take in a sample of the task; turns that say no round, and errors, count for nothing."""
        if sample.task != self.sheet.name or sample.outcome == "error" or sample.stream:
            return
        for turn in sample.turns:
            at = turn.scores.get(ROUND)
            if at is None:
                continue
            for role, metric in self.metrics.items():
                value = turn.scores.get(metric.name)
                if value is not None:
                    cell = self._sums[sample.arm, role, sample.item, int(at)]
                    cell[0] += value
                    cell[1] += 1

    def rounds(self) -> Rounds | None:
        """What was gathered; None where no turn had a score of safety."""
        if not any(role == "safety" for _, role, _, _ in self._sums):
            return None
        items = tuple(sorted({item for _, _, item, _ in self._sums}))
        last = max(at for _, _, _, at in self._sums)
        row = {item: k for k, item in enumerate(items)}
        values: dict[tuple[str, Role], Array] = {
            (arm, role): np.full((len(items), last + 1), np.nan) for arm in self.arms for role in self.metrics
        }
        for (arm, role, item, at), (total, count) in self._sums.items():
            values[arm, role][row[item], at] = total / count
        labels = {g.name: [g.groups.get(item, "") for item in items] for g in self.sheet.groupings if not g.dyadic}
        unit = unit_level(self.metrics["safety"], labels)
        units = items
        if unit != "item":
            units = tuple(sorted(set(labels[unit])))
            values = {key: _grouped(found, labels[unit], units) for key, found in values.items()}
        seen = {role for _, role, _, _ in self._sums}
        return Rounds(
            task=self.sheet.name,
            version=self.sheet.version,
            metrics={role: metric for role, metric in self.metrics.items() if role in seen},
            arms=self.arms,
            null=_null(self.arms),
            unit=unit,
            units=units,
            points=np.arange(last + 1, dtype=np.float64),
            at="round",
            values={key: value for key, value in values.items() if key[1] in seen},
            answers={},
        )


def _grouped(values: Array, labels: Sequence[str], units: Sequence[str]) -> Array:
    """Means over the items of each unit, round by round; NaN where an item of the unit lacks the round."""
    own = np.asarray(labels, dtype=object)
    return np.stack([values[own == unit].mean(axis=0) for unit in units])


class RoundGatherer:
    """Gathers the rounds inside episodes of all tasks of a run, in one pass over its samples.

    Args:
        sheets: What the manifest says of the tasks, and the arms played of each. Tasks of streams, whose rounds are
            checkpoints, and those without a metric of safety are left out.
    """

    def __init__(self, sheets: Iterable[tuple[TaskSheet, Sequence[str]]]) -> None:
        self._tasks = {
            sheet.name: TurnRounds(sheet, arms)
            for sheet, arms in sheets
            if sheet.streams is None and "safety" in roles(sheet)
        }

    def __bool__(self) -> bool:
        """Whether there is anything to gather."""
        return bool(self._tasks)

    def add(self, sample: Sample) -> None:
        """Take in a sample of any task."""
        task = self._tasks.get(sample.task)
        if task is not None:
            task.add(sample)

    def rounds(self) -> list[Rounds]:
        """What was gathered, of the tasks that measured by round."""
        return [found for task in self._tasks.values() if (found := task.rounds()) is not None]
