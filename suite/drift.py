"""What conversations say turn by turn: whether drift is drawn back to a level, and what a reminder does at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arm_effects import p_words
from .records import Manifest, Sample, TaskSheet
from .rounds import ROUND
from .stats.curves import MIN_STREAMS
from .stats.learning_arms import paired_contrasts
from .stats.multiplicity import benjamini_hochberg
from .stats.recurrence import Recurrence, recurrence
from .store import StoredRun

__all__ = ["DISPLACED", "ArmRecurrence", "DriftGatherer", "Reminder", "TaskDrift", "run_drift", "task_drift"]

Array = NDArray[np.float64]

DISPLACED = ("started-high", "started-low")
"""Arms that begin with much drift and with none, and go on as :data:`_PULLED` does."""

_PULLED = "plain"
_REMINDER, _PLACEBO = "reminder", "placebo"
_LEAST_TURNS = 3
_BOUND = "_at_least"
"""Ends the name of a metric that bounds another one from below, where a backend gives that alone."""

_WHY = {
    "memoryless": "it cannot be told from noise around a constant",
    "wandering": "it cannot be told from a random walk",
    "no claim": "displaced starts that come together are needed beside a slope below 0",
}


@dataclass(frozen=True, slots=True)
class ArmRecurrence:
    """One metric of one arm from turn to turn.

    Attributes:
        arm: The arm.
        metric: The metric.
        found: The fit with its nulls; None where there is none.
        why: Why nothing is called restoring; empty where it is.
        units: Conversations that have all turns, and how many there are.
    """

    arm: str
    metric: str
    found: Recurrence | None
    why: str
    units: tuple[int, int]

    @property
    def verdict(self) -> str:
        """``restoring`` or ``not shown``."""
        return "not shown" if self.why else "restoring"


@dataclass(frozen=True, slots=True)
class Reminder:
    """What a reminder does at the turns at which it is given: that arm less the placebo, conversation by conversation.

    Attributes:
        metric: The metric.
        estimate: Mean difference.
        low: Lower bound; NaN where no conversation differs from another.
        high: Upper bound, likewise.
        p_value: Two-sided, by exchanging the arms within conversations.
        units: Conversations with both.
        adjusted: The same, corrected over the metrics of the task (Benjamini and Hochberg).
    """

    metric: str
    estimate: float
    low: float
    high: float
    p_value: float
    units: int
    adjusted: float


@dataclass(frozen=True, slots=True)
class TaskDrift:
    """What a task's turns say.

    Attributes:
        task: Its name.
        version: Its version.
        turns: How many a conversation has.
        recurrences: By arm and metric.
        reminders: By metric.
        missing: Metrics that no turn has: the backend does not give what they need.
    """

    task: str
    version: int
    turns: int
    recurrences: tuple[ArmRecurrence, ...]
    reminders: tuple[Reminder, ...]
    missing: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each."""
        name = f"{self.task}@{self.version}"
        said = [f"{name}: {', '.join(self.missing)} not available with this backend."] if self.missing else []
        for one in self.recurrences:
            if one.found is not None and not one.why:
                low, high = one.found.level
                level = f"{one.found.fit.level:.3f} [{low:.3f}, {high:.3f}]"
                said.append(f"{name}, {one.arm}: {one.metric} is drawn back to {level}.")
        for one in self.reminders:
            if one.units >= MIN_STREAMS:
                bounds = f"[{one.low:.3f}, {one.high:.3f}]" if np.isfinite(one.low) else "(all conversations alike)"
                said.append(
                    f"{name}: at the turn of a reminder {one.metric} changes by {one.estimate:+.3f} {bounds} against "
                    f"the placebo, over {one.units} conversations (exploratory, corrected p {p_words(one.adjusted)})."
                )
        return tuple(said)


class DriftGatherer:
    """Gathers turns' scores, sample by sample: nothing that grows with transcripts is held.

    Args:
        manifest: Of the run. Tasks that name no metric in ``recurrence`` are left out.
    """

    def __init__(self, manifest: Manifest) -> None:
        played = [(manifest.tasks[task.name], task.arms) for task in manifest.spec.tasks if task.name in manifest.tasks]
        self._tasks: dict[str, tuple[TaskSheet, Sequence[str]]] = {
            sheet.name: (sheet, arms) for sheet, arms in played if sheet.recurrence
        }
        self._turns: dict[tuple[str, str, str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._ends: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)

    def __bool__(self) -> bool:
        """Whether there is anything to gather."""
        return bool(self._tasks)

    def add(self, sample: Sample) -> None:
        """Take in a sample of any task; errors count for nothing."""
        if sample.task not in self._tasks or sample.outcome == "error":
            return
        names = self._tasks[sample.task][0].recurrence
        for turn in sample.turns:
            at = turn.scores.get(ROUND)
            for name in names:
                value = turn.scores.get(name)
                if at is not None and value is not None:
                    self._turns[sample.task, sample.arm, name, sample.item][int(at)].append(value)
        for name in names:
            value = sample.metrics.get(f"{name}_reminded")
            if value is not None:
                self._ends[sample.task, sample.arm, name, sample.item].append(value)

    def drift(self, *, confidence: float = 0.95, seed: int = 0) -> list[TaskDrift]:
        """What was gathered says, task by task.

        Args:
            confidence: Of intervals.
            seed: Of resamples.
        """
        found = []
        for task, (sheet, arms) in self._tasks.items():
            values = {
                (arm, name): {
                    item: {at: float(np.mean(v)) for at, v in turns.items()}
                    for (t, a, n, item), turns in self._turns.items()
                    if (t, a, n) == (task, arm, name)
                }
                for arm in arms
                for name in sheet.recurrence
            }
            reminded = {
                (arm, name): {
                    item: float(np.mean(v))
                    for (t, a, n, item), v in self._ends.items()
                    if (t, a, n) == (task, arm, name)
                }
                for arm in arms
                for name in sheet.recurrence
            }
            if any(values.values()):
                found.append(task_drift(sheet, arms, values, reminded, confidence=confidence, seed=seed))
        return found


def run_drift(
    run: StoredRun, gathered: DriftGatherer | None = None, *, confidence: float = 0.95, seed: int = 0
) -> list[TaskDrift]:
    """Read what a run says of drift from turn to turn.

    Args:
        run: The run.
        gathered: With all samples of the run; None: read them.
        confidence: Of intervals.
        seed: Of resamples.

    Returns:
        One for each task that names metrics in ``recurrence`` and has turns with them.
    """
    if gathered is None:
        gathered = DriftGatherer(run.manifest)
        if gathered:
            for sample in run.samples(lazy=True):
                gathered.add(sample)
    return gathered.drift(confidence=confidence, seed=seed)


def task_drift(
    sheet: TaskSheet,
    arms: Sequence[str],
    values: Mapping[tuple[str, str], Mapping[str, Mapping[int, float]]],
    reminded: Mapping[tuple[str, str], Mapping[str, float]],
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> TaskDrift:
    """Read what the turns of one task say.

    The first turn is left out of fits: nothing pulls at it, and its divergence is 0 because both prompts are the same.
    Displaced starts are followed from the first turn on.

    Args:
        sheet: What the manifest says of the task.
        arms: The arms played.
        values: By arm and metric, then by conversation, the scores of its turns.
        reminded: By arm and metric, then by conversation, the mean at the turns of reminders.
        confidence: Of intervals.
        seed: Of resamples.
    """
    turns = 1 + max(at for found in values.values() for scores in found.values() for at in scores)
    pairs = {name: _displaced(values, name, turns) for name in sheet.recurrence}
    fits = []
    for name in sheet.recurrence:
        for arm in arms:
            if arm in DISPLACED or not values[arm, name]:
                continue
            displaced = pairs[name] if arm == _PULLED else None
            fits.append(_fit(arm, name, values[arm, name], turns, displaced, confidence, seed))
    made = []
    for name in sheet.recurrence:
        a, b = (reminded.get((arm, name), {}) for arm in (_REMINDER, _PLACEBO))
        common = sorted(a.keys() & b.keys())
        if common:
            got = paired_contrasts([a[k] - b[k] for k in common], confidence=confidence, seed=seed)
            made.append((name, got, len(common)))
    # What has no p (no conversation differs from another) shows nothing, and counts as a question that was asked.
    p = [1.0 if np.isnan(got.p_value) else float(got.p_value) for _, got, _ in made]
    effects = [
        Reminder(name, float(got.estimate), float(got.low), float(got.high), float(got.p_value), units, float(adjusted))
        for (name, got, units), adjusted in zip(made, benjamini_hochberg(p) if p else (), strict=True)
    ]
    there = {name for name in sheet.recurrence if any(values[arm, name] for arm in arms)}
    return TaskDrift(
        task=sheet.name,
        version=sheet.version,
        turns=turns,
        recurrences=tuple(fits),
        reminders=tuple(effects),
        missing=_missing(sheet.recurrence, there),
    )


def _missing(asked: Sequence[str], there: Collection[str]) -> tuple[str, ...]:
    """What no turn has. A backend gives a number or a bound of it, so that either stands for both."""
    known = {name.removesuffix(_BOUND) for name in there}
    return tuple(dict.fromkeys(base for name in asked if (base := name.removesuffix(_BOUND)) not in known))


def _whole(found: Mapping[str, Mapping[int, float]], turns: int, items: Sequence[str] | None = None) -> Array:
    """Conversations that have every turn, shape (conversations, turns)."""
    names = sorted(found) if items is None else items
    rows = [[found[item][at] for at in range(turns)] for item in names if len(found[item]) == turns]
    return np.array(rows, dtype=np.float64).reshape(len(rows), turns)


def _displaced(
    values: Mapping[tuple[str, str], Mapping[str, Mapping[int, float]]], name: str, turns: int
) -> tuple[Array, Array] | None:
    high, low = (values.get((arm, name), {}) for arm in DISPLACED)
    both = [item for item in sorted(high.keys() & low.keys()) if len(high[item]) == len(low[item]) == turns]
    return (_whole(high, turns, both), _whole(low, turns, both)) if both else None


def _fit(
    arm: str,
    name: str,
    found: Mapping[str, Mapping[int, float]],
    turns: int,
    displaced: tuple[Array, Array] | None,
    confidence: float,
    seed: int,
) -> ArmRecurrence:
    rows = _whole(found, turns)[:, 1:]
    units = (len(rows), len(found))
    if rows.shape[1] < _LEAST_TURNS:
        return ArmRecurrence(arm, name, None, f"{rows.shape[1]} turns after the first are too few", units)
    if not len(rows):
        return ArmRecurrence(arm, name, None, "no conversation has every turn", units)
    if not np.ptp(np.diff(rows, axis=1)):
        return ArmRecurrence(arm, name, None, "every step is the same: nothing is drawn anywhere", units)
    made = recurrence(rows, displaced, confidence=confidence, seed=seed)
    why = "" if made.verdict == "restoring" else _WHY[made.verdict]
    if len(rows) < MIN_STREAMS:
        why = f"under {MIN_STREAMS} conversations nothing is claimed"
    return ArmRecurrence(arm, name, made, why, units)
