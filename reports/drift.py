"""Drift: the way from turn to turn with the nulls that explain it, and what a reminder does at once."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np

from ..leaderboard.text import visible
from ..suite.arm_effects import p_words
from ..suite.drift import ArmRecurrence, Reminder, TaskDrift, run_drift
from ..suite.store import StoredRun
from .tables import Table, interval, number, table

__all__ = ["drift_claims", "drift_sections", "drift_text"]

_FITS = (
    "metric",
    "arm",
    "restoring",
    "slope b>",
    "D*>",
    "permuted turns>",
    "random walk>",
    "R²>",
    "b, demeaned>",
    "b, turn effects>",
    "gap, start to end>",
    "units>",
)


def drift_claims(drift: Sequence[TaskDrift]) -> tuple[str, ...]:
    """What can be said of drift, in sentences fit to be seen."""
    return tuple(visible(text, 2000) for one in drift for text in one.words)


def drift_sections(drift: Sequence[TaskDrift]) -> list[Table]:
    """The sections of a report on drift: for every task the recurrence of its turns, and the effect of reminders."""
    found = list[Table]()
    for one in drift:
        if one.recurrences:
            found.append(_fit_table(one))
        if one.reminders:
            found.append(_reminder_table(one))
    return found


def drift_text(run: StoredRun, *, width: int | None = None) -> list[str]:
    """The same for a terminal, a line a claim.

    Args:
        run: The run.
        width: Columns; None: 120.
    """
    lines = list[str]()
    for one in run_drift(run):
        restoring = [f for f in one.recurrences if not f.why]
        lines += ["", visible(f"Drift: {one.task}@{one.version}")]
        lines += [fill(visible(text, 2000), width or 120) for text in one.words]
        if one.recurrences and not restoring:
            lines.append("A force that draws back is not shown in any arm.")
    return lines


def _fit_table(one: TaskDrift) -> Table:
    notes = [
        "From each turn to the next, without the first: D[t+1] − D[t] = a + b D[t]. A slope below 0 is no evidence of "
        "a force: values without any memory give about −1 and R² about .5, a short random walk one below 0 too. So b "
        "stands beside that of permuted turns and of random walks made of the same steps (mean and middle 95 %), and "
        "beside b with each conversation's mean taken off, and with each turn's. D*, the level that it would be drawn "
        "to, is given only where the interval of b holds no 0.",
        "Restoring is said only where random walks and permuted turns do not explain the slope, also without turn "
        "effects, and conversations that were started high and low come together (arms started-high and started-low). "
        "The gap is that between the two, at the "
        "first turn and at the last. All of this is exploratory.",
        *(f"{f.metric}, {f.arm}: {f.why}." for f in one.recurrences if f.why),
    ]
    if one.missing:
        notes.append(f"Not available with this backend: {', '.join(one.missing)}.")
    return table(f"From turn to turn: {visible(one.task)}@{one.version}", _FITS, map(_fit_row, one.recurrences), notes)


def _fit_row(one: ArmRecurrence) -> tuple[str, ...]:
    units = f"{one.units[0]} of {one.units[1]}"
    found = one.found
    if found is None:
        return (one.metric, one.arm, one.verdict, *["–"] * 8, units)
    moved = found.displacement
    level = "–"
    if np.isfinite(found.level[0]):
        level = f"{number(found.fit.level)} {interval(*found.level)}"
    return (
        one.metric,
        one.arm,
        one.verdict,
        f"{number(found.fit.b)} {interval(*found.b)}",
        level,
        f"{number(found.permuted[0])} {interval(*found.permuted[1:])}",
        f"{number(found.wandering[0])} {interval(*found.wandering[1:])}",
        number(found.fit.r2),
        number(found.demeaned),
        number(found.turn_effects),
        "–" if moved is None else f"{number(moved.start)} to {number(moved.end)}",
        units,
    )


def _reminder_table(one: TaskDrift) -> Table:
    return table(
        f"At the turn of a reminder: {visible(one.task)}@{one.version}",
        ("metric", "reminder less placebo>", "corrected p>", "units>"),
        map(_reminder_row, one.reminders),
        [
            "The same turns of the same conversations with the reminder and with as many neutral words in its place; p "
            "by exchanging the two within conversations, corrected over the metrics (Benjamini and Hochberg). The "
            "lasting effect is in the tables on safety.",
        ],
    )


def _reminder_row(one: Reminder) -> tuple[str, ...]:
    bounds = interval(one.low, one.high) if np.isfinite(one.low) else "(all alike)"
    return (one.metric, f"{number(one.estimate)} {bounds}", p_words(one.adjusted).removeprefix("= "), str(one.units))
