"""Forest plots: estimates with their intervals, one a row, each with the levels it must be read against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .drawing import COLOURS, WIDTH, Canvas, draw, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_ROWS", "ForestPanel", "ForestRow", "forest"]

MOST_ROWS = 60
"""Rows that one figure shows; the table beside it has all."""

_ROW, _HEAD, _FOOT, _LEGEND = 21.0, 24.0, 36.0, 26.0


@dataclass(frozen=True)
class ForestRow:
    """One estimate.

    Attributes:
        name: What is estimated.
        mean: The estimate.
        low: Lower bound; NaN where there is none.
        high: Upper bound, likewise.
        text: The numbers as they are written beside the row.
        chance: Level of the random policy, None where it is not known.
        ceiling: Level of the oracle, likewise.
        faint: Whether the interval is rough, and drawn so.
    """

    name: str
    mean: float
    low: float
    high: float
    text: str
    chance: float | None = None
    ceiling: float | None = None
    faint: bool = False

    @property
    def values(self) -> list[float]:
        """All that is drawn of the row."""
        every = (self.mean, self.low, self.high, self.chance, self.ceiling)
        return [v for v in every if v is not None and math.isfinite(v)]


@dataclass(frozen=True)
class ForestPanel:
    """Rows on one axis.

    Attributes:
        title: What the axis measures.
        rows: From the top.
        low: Where the axis begins; None: where the rows do.
        high: Where it ends, likewise.
        zero: A level that all rows are read against, such as no difference.
        margin: Half the width of a band about ``zero`` within which a difference does not matter.
    """

    title: str
    rows: tuple[ForestRow, ...]
    low: float | None = None
    high: float | None = None
    zero: float | None = None
    margin: float | None = None


def forest(panels: Sequence[ForestPanel], *, name: str, title: str, description: str) -> str:
    """Draw a forest plot.

    Args:
        panels: One axis each, below one another; at most :data:`MOST_ROWS` rows in all are drawn.
        name: The figure's name in the page.
        title: For a screen reader.
        description: Likewise; None of the numbers need stand in it, the table has them.

    Returns:
        The SVG, empty where there is no row.
    """
    panels, left = list(panels), MOST_ROWS
    shown = []
    for panel in panels:
        rows, left = panel.rows[:left], max(left - len(panel.rows), 0)
        if rows:
            shown.append((panel, rows))
    if not shown:
        return ""
    height = _LEGEND + sum(_HEAD + _ROW * len(rows) + _FOOT for _, rows in shown)

    def paint(canvas: Canvas) -> None:
        every = [row for _, rows in shown for row in rows]
        names = 12 + min(6.3 * max(len(label(row.name)) for row in every), 262)
        texts = 12 + 6.3 * max(len(row.text) for row in every)
        _legend(canvas, every, shown)
        top = _LEGEND
        for panel, rows in shown:
            canvas.write(0, top + 14, label(panel.title, 90), weight="bold")
            axes = canvas.axes(names, top + _HEAD, WIDTH - names - texts, _ROW * len(rows))
            _panel(axes, panel, rows)
            for i, row in enumerate(rows):
                base = top + _HEAD + _ROW * (i + 0.5) + 4
                canvas.write(0, base, label(row.name))
                canvas.write(WIDTH, base, row.text, ha="right")
            top += _HEAD + _ROW * len(rows) + _FOOT

    return draw(paint, name=name, title=title, description=description, height=height)


def _legend(canvas: Canvas, rows: Sequence[ForestRow], shown: Sequence[tuple[ForestPanel, object]]) -> None:
    entries = [("estimate and interval", {"color": COLOURS["accent"], "linewidth": 3.5})]
    if any(row.faint for row in rows):
        entries.append(("rough: sparse", {"color": COLOURS["span"], "linewidth": 3.5}))
    if any(row.chance is not None for row in rows):
        entries.append(("chance", {"color": COLOURS["chance"], "marker": "|", "markersize": 11, "markeredgewidth": 2}))
    if any(row.ceiling is not None for row in rows):
        entries.append(
            ("ceiling", {"color": COLOURS["ceiling"], "marker": "|", "markersize": 11, "markeredgewidth": 2})
        )
    if any(panel.margin for panel, _ in shown):
        entries.append(("within the margin", {"color": COLOURS["band"], "linewidth": 9}))
    canvas.legend(12, entries)


def _panel(axes: Axes, panel: ForestPanel, rows: Sequence[ForestRow]) -> None:
    from matplotlib.ticker import MaxNLocator

    values = [v for row in rows for v in row.values]
    values += [] if panel.zero is None else [panel.zero - (panel.margin or 0), panel.zero + (panel.margin or 0)]
    low = min(values, default=0.0) if panel.low is None else panel.low
    high = max(values, default=1.0) if panel.high is None else panel.high
    pad = 0.02 * (high - low) or 0.5
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x")
    if panel.zero is not None:
        if panel.margin:
            axes.axvspan(panel.zero - panel.margin, panel.zero + panel.margin, color=COLOURS["band"], linewidth=0)
        axes.axvline(panel.zero, color=COLOURS["soft"], linewidth=1)
    for i, row in enumerate(rows):
        for level, colour in ((row.chance, "chance"), (row.ceiling, "ceiling")):
            if level is not None:
                axes.plot([level, level], [i - 0.32, i + 0.32], color=COLOURS[colour], linewidth=2, clip_on=False)
        if math.isfinite(row.low) and math.isfinite(row.high):
            colour = COLOURS["span" if row.faint else "accent"]
            axes.plot([row.low, row.high], [i, i], color=colour, linewidth=3.5, solid_capstyle="butt", clip_on=False)
        if math.isfinite(row.mean):
            style: dict[str, Any] = {
                "markerfacecolor": COLOURS["accent"],
                "markeredgecolor": COLOURS["paper"],
                "markersize": 6.5,
            }
            axes.plot([row.mean], [i], "o", clip_on=False, zorder=5, **style)
