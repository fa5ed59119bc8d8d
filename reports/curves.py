"""Curves of arms over time, with bands that hold for a whole curve: a panel a measure, a line an arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..leaderboard.text import visible
from .drawing import COLOURS, WIDTH, Canvas, legend_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..suite.stats.curves import Curve

__all__ = ["LEGEND_LINE", "Lines", "curve_legend", "legend_lines", "paint_curves"]

LEGEND_LINE = 16.0
"""From one line of a legend to the next."""

_STYLES: dict[str, dict[str, Any]] = {
    "evolving": {"color": COLOURS["accent"], "linestyle": "-", "marker": "o", "linewidth": 2},
    "frozen": {"color": COLOURS["soft"], "linestyle": "--", "marker": "s"},
    "shuffled": {"color": COLOURS["chance"], "linestyle": "-.", "marker": "^"},
    "null": {"color": COLOURS["soft"], "linestyle": "--", "marker": "s"},
    "yoked": {"color": COLOURS["ceiling"], "linestyle": "-.", "marker": "D"},
    "placebo": {"color": COLOURS["chance"], "linestyle": ":", "marker": "v"},
    "compute-matched": {"color": COLOURS["soft"], "linestyle": "--", "marker": "s"},
}
_OTHERS: tuple[dict[str, Any], ...] = tuple(
    {"color": COLOURS[colour], "linestyle": line, "marker": marker}
    for colour, line, marker in (
        ("accent", "-", "o"), ("chance", "-.", "^"), ("ceiling", ":", "D"), ("ink", "-", "x"),
        ("accent", ":", "v"), ("chance", "--", "P"), ("ceiling", "-", "*"), ("ink", "-.", "<"),
    )
)  # fmt: skip
"""Arms without a style of their own take these in turn, those first that no named arm of the figure has."""


@dataclass(frozen=True)
class Lines:
    """Curves of some arms in one panel.

    Attributes:
        title: Of the panel.
        arms: Each arm's name and curve.
        low: Lower end of the range, None where it is open.
        high: Upper end, likewise.
        last: The last point in time.
        at: What time counts.
        names: All arms of the figure in order, which decides how unnamed ones are drawn; empty: those of the panel.
    """

    title: str
    arms: tuple[tuple[str, Curve], ...]
    low: float | None
    high: float | None
    last: float
    at: str = "episodes lived"
    names: tuple[str, ...] = ()


def _styles(arms: Sequence[str]) -> dict[str, dict[str, Any]]:
    names = list(dict.fromkeys(arms))
    taken = {(_STYLES[arm]["color"], _STYLES[arm]["linestyle"]) for arm in names if arm in _STYLES}
    free = [style for style in _OTHERS if (style["color"], style["linestyle"]) not in taken]
    others = [arm for arm in names if arm not in _STYLES]
    return {arm: _STYLES.get(arm) or free[others.index(arm) % len(free)] for arm in names}


def paint_curves(axes: Axes, lines: Lines) -> None:
    """Draw a panel."""
    from matplotlib.ticker import MaxNLocator

    seen = [np.array([0.0])]
    styles = _styles(lines.names or [arm for arm, _ in lines.arms])
    for arm, curve in lines.arms:
        style = styles[arm]
        known = np.isfinite(curve.band_low) & np.isfinite(curve.band_high)
        axes.fill_between(
            curve.points[known],
            curve.band_low[known],
            curve.band_high[known],
            color=style["color"],
            alpha=0.16,
            linewidth=0,
        )
        axes.plot(curve.points, curve.mean, markersize=3.5, clip_on=False, **style)
        seen += [curve.mean, curve.band_low[known], curve.band_high[known]]
    axes.set_xlim(-0.02 * lines.last, 1.02 * lines.last)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel(lines.at, labelpad=2)
    values = np.concatenate(seen)
    if lines.low == 0 and lines.high == 1 and values.min() >= 0 and values.max() <= 1:
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.5, 1])
    else:
        axes.locator_params(axis="y", nbins=4)


def curve_legend(canvas: Canvas, arms: Sequence[str], top: float = 12.0) -> None:
    """Name the lines, in as many lines as that takes; the first has its base at ``top``."""
    for k, entries in enumerate(_legend_lines(arms, canvas.width)):
        canvas.legend(top + k * LEGEND_LINE, entries)


def legend_lines(arms: Sequence[str], width: float = WIDTH) -> int:
    """How many lines the legend takes."""
    return len(_legend_lines(arms, width))


def _legend_lines(arms: Sequence[str], width: float) -> list[list[tuple[str, dict[str, Any]]]]:
    lines: list[list[tuple[str, dict[str, Any]]]] = [[]]
    left = 0.0
    for arm, own in _styles(arms).items():
        style = {key: value for key, value in own.items() if key != "marker"}
        name = visible(arm, 24)
        wide = legend_width(name)
        if lines[-1] and left + wide > width:
            lines.append([])
            left = 0.0
        lines[-1].append((name, {"linewidth": 1.5, **style}))
        left += wide
    return lines
