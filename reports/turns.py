"""Numbers by turn: what turns are worth as an episode goes on, over the episodes that get there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..suite.stats.intervals import mean_interval
from .drawing import COLOURS
from .endings import mark_open
from .episodes import Episodes
from .panels import MOST_PANELS, panels
from .tables import Plot, interval, number, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Course", "courses", "turn_plot"]

_BINS = 20
_ROWS = 8


@dataclass(frozen=True, eq=False)
class Course:
    """One number by turn, or by bins of turns; arrays have one entry a bin.

    Attributes:
        cell: Task and arm.
        measure: What the number is.
        first: First turn of each bin.
        last: Last turn of each bin.
        episodes: Episodes that give a number in the bin.
        mean: Mean over units of the mean within units.
        low: Lower bound, pointwise, clustered by unit.
        high: Upper bound.
        open: Episodes open after each turn, from turn 0 on.
    """

    cell: str
    task: str
    arm: str
    measure: str
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    episodes: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    open: NDArray[np.int64]


def courses(cell: Episodes) -> list[Course]:
    """Every number of a cell by turn: what tasks scored turn by turn, then the share of unusable actions.

    None of a cell whose episodes have one turn: there is no course.
    """
    found = []
    if int(cell.length().max(initial=0)) < 2:
        return found
    for (seat, name), (episode, turn, value) in sorted(cell.scores.items()):
        measure = name if seat == "player" else f"{name} ({seat})"
        found.append(_course(cell, measure, np.asarray(episode), np.asarray(turn), np.asarray(value)))
    episode, turn, value = cell.unusable_turns()
    if value.any():
        found.append(_course(cell, "unusable actions", episode, turn, value))
    return found


def _course(
    cell: Episodes, measure: str, episode: NDArray[np.int64], turn: NDArray[np.int64], value: NDArray[np.float64]
) -> Course:
    length = cell.length()
    last = int(length.max(initial=0))
    # Bins of whole turns, alike in width: up to 20 turns each has its own.
    width = max(math.ceil(last / _BINS), 1)
    index = (turn - 1) // width
    units = np.asarray(cell.units, dtype=object)
    binary = bool(np.isin(value, (0, 1)).all())
    rows = []
    for b in np.unique(index):
        here = index == b
        got = mean_interval(
            value[here], units[episode[here]], kind="binary" if binary else "graded", low=None, high=None
        )
        ends = (b * width + 1, min((b + 1) * width, last))
        # One unit bounds nothing.
        bounds = (got.low, got.high) if got.units > 1 else (np.nan, np.nan)
        rows.append((*ends, len(np.unique(episode[here])), got.estimate, *bounds))
    first, final, count, mean, low, high = map(np.asarray, zip(*rows, strict=True))
    still = len(length) - np.bincount(length, minlength=last + 1).cumsum()
    return Course(cell.name, cell.task, cell.arm, measure, first, final, count, mean, low, high, still)


def turn_plot(cells: Sequence[Episodes], *, name: str = "turns") -> Plot | None:
    """Draw what turns were worth.

    Returns:
        The figure; None where no turn carries a number and no action was unusable.
    """
    shown = [course for cell in cells for course in courses(cell)]
    # The same number of all cells side by side.
    order = list(dict.fromkeys(course.measure for course in shown))
    shown.sort(key=lambda course: order.index(course.measure))
    if not shown:
        return None
    svg = panels(
        shown,
        _paint,
        lambda course: f"{course.measure} — {course.cell}",
        name=f"{name}-figure",
        title="Numbers by turn",
        description="Mean by turn with a pointwise interval, and the number of episodes still open.",
        extra=16,
    )
    rows = []
    for c in shown:
        for i in sorted({int(i) for i in np.linspace(0, len(c.mean) - 1, _ROWS).round()}):
            turns = f"{c.first[i]:,}" if c.first[i] == c.last[i] else f"{c.first[i]:,}–{c.last[i]:,}"
            numbers = number(float(c.mean[i])), interval(c.low[i], c.high[i])
            rows.append((c.task, c.arm, c.measure, turns, f"{c.episodes[i]:,}", *numbers))
    notes = []
    if len(shown) > MOST_PANELS:
        notes.append(f"The figure shows the first {MOST_PANELS} of {len(shown)} courses; the table has all.")
    return Plot(
        name,
        "Numbers by turn",
        "Mean over items of what each turn was worth, with a pointwise 95 % interval clustered by item. Late turns see "
        "the episodes that are still open, and no others: a course that rises may only say who was left.",
        svg,
        table(
            "Numbers by turn",
            ("task", "arm", "number", "turns>", "episodes>", "mean>", "95 % interval>"),
            rows,
        ),
        tuple(notes),
    )


def _paint(axes: Axes, course: Course) -> None:
    x = (course.first + course.last) / 2
    axes.set_xlim(0, max(len(course.open) - 1, 1))
    known = np.isfinite(course.low) & np.isfinite(course.high)
    axes.fill_between(x[known], course.low[known], course.high[known], color=COLOURS["span"], alpha=0.5, linewidth=0)
    axes.plot(x, course.mean, "o-", color=COLOURS["accent"], markersize=3.5, clip_on=False)
    values = np.concatenate([course.mean, course.low[known], course.high[known]])
    if values.min() >= 0 and values.max() <= 1:
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.5, 1])
    else:
        axes.locator_params(axis="y", nbins=4)
    mark_open(axes, course.open)
