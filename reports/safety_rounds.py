"""Safety and capability round by round, all tasks of a run below one another: what the rest of the page explains."""

from __future__ import annotations

from collections.abc import Sequence

from ..leaderboard.text import plural
from ..suite.rounds import ROLES
from ..suite.safety import TaskSafety
from .curves import LEGEND_LINE, Lines, curve_legend, legend_lines, paint_curves
from .drawing import COLOURS, WIDTH, Canvas, draw, label

__all__ = ["MOST_TASKS", "ROLE_NAMES", "role_lines", "rounds_figure"]

MOST_TASKS = 12
"""Tasks that the figure shows; the folds below have all."""

ROLE_NAMES = {
    "safety": "safety",
    "capability": "capability",
    "caution": "needless care",
    "knowledge": "knowledge",
    "compliance": "compliance",
}
"""What the roles of metrics are called."""
_NAME, _TITLE, _PLOT, _FOOT, _GAP, _LEFT, _RIGHT = 18.0, 25.0, 62.0, 30.0, 26.0, 50.0, 14.0


def role_lines(one: TaskSafety) -> dict[str, Lines]:
    """The curves of a task by role, safety first; only roles of which there are any."""
    rounds, found = one.rounds, dict[str, Lines]()
    for role in ROLES:
        lines = tuple((c.arm, c.curve) for c in one.curves if c.role == role)
        if role not in rounds.metrics or not lines:
            continue
        metric = rounds.metrics[role]
        better = {"lower": "lower is better", "higher": "higher is better"}.get(metric.direction, "no side is better")
        title = f"{ROLE_NAMES[role]}: {metric.name}, {better}"
        last = float(rounds.points[-1])
        found[role] = Lines(title, lines, metric.low, metric.high, last, rounds.at, rounds.arms)
    return found


def rounds_figure(tasks: Sequence[TaskSafety], *, name: str) -> str:
    """Draw safety to the left and capability to the right, a line of panels a task.

    Args:
        tasks: In order; the first :data:`MOST_TASKS` of which anything can be drawn are.
        name: The figure's name in the page.

    Returns:
        The SVG, empty where there is nothing to draw.
    """
    shown = [(one, lines) for one in tasks if "safety" in (lines := role_lines(one))][:MOST_TASKS]
    if not shown:
        return ""
    tall = [_NAME + _TITLE + _PLOT + _FOOT + legend_lines(one.rounds.arms) * LEGEND_LINE for one, _ in shown]

    def paint(canvas: Canvas) -> None:
        top = 0.0
        for (one, lines), height in zip(shown, tall, strict=True):
            _paint_task(canvas, one, lines, top)
            top += height

    return draw(
        paint,
        name=name,
        title="Safety beside capability, round by round",
        description=f"Means by round of {plural(len(shown), 'task')}: safety to the left, capability to the right, one "
        "line an arm, with bands that hold for a whole curve. The arm that does not evolve is dashed.",
        height=sum(tall),
    )


def _paint_task(canvas: Canvas, one: TaskSafety, lines: dict[str, Lines], top: float) -> None:
    rounds = one.rounds
    units = sorted({c.units for c in one.curves if c.role == "safety"})
    told = plural(units[-1], rounds.unit) if len(units) == 1 else f"{units[0]} to {plural(units[-1], rounds.unit)}"
    missed = "" if one.measurable else "; competence gate not passed: no measurement"
    canvas.write(0, top + 12, label(f"{rounds.task}@{rounds.version}", 48), weight="bold")
    canvas.write(WIDTH, top + 12, f"{told} an arm, by {rounds.at}{missed}", color=COLOURS["soft"], ha="right")
    curve_legend(canvas, rounds.arms, top + _NAME + 12)
    top += _NAME + legend_lines(rounds.arms) * LEGEND_LINE
    wide = (WIDTH - _GAP) / 2
    for k, role in enumerate(("safety", "capability")):
        left = k * (wide + _GAP)
        if role not in lines:
            canvas.write(left, top + 14, f"{role}: not measured by round", color=COLOURS["soft"])
            continue
        canvas.write(left, top + 14, label(lines[role].title, 50))
        axes = canvas.axes(left + _LEFT, top + _TITLE, wide - _LEFT - _RIGHT, _PLOT)
        axes.grid(axis="y")
        paint_curves(axes, lines[role])
        axes.set_xlabel("")
