"""Small figures of one kind side by side: one panel a task and arm, with the episodes still open below the axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from .curves import LEGEND_LINE
from .drawing import WIDTH, Canvas, draw, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_PANELS", "panels"]

MOST_PANELS = 16
"""Panels that one figure shows; the table beside it has all."""

_LEGEND, _TITLE, _FOOT, _GAP, _LEFT, _RIGHT = 26.0, 26.0, 46.0, 26.0, 50.0, 14.0

T = TypeVar("T")


def panels(
    cells: Sequence[T],
    paint: Callable[[Axes, T], None],
    titles: Callable[[T], str],
    *,
    name: str,
    title: str,
    description: str,
    legend: Callable[[Canvas], None] | None = None,
    height: float = 130.0,
    extra: float = 0.0,
    legend_lines: int = 1,
) -> str:
    """Draw one panel a cell, two in a row.

    Args:
        cells: What the panels show; the first :data:`MOST_PANELS` are drawn.
        paint: Paints one.
        titles: Names one.
        name: The figure's name in the page.
        title: For a screen reader.
        description: Likewise.
        legend: Draws a legend above all.
        height: Of one panel, without its title and its axis.
        extra: Room below each axis, for more than the numbers of the axis and its name.
        legend_lines: Lines that the legend takes.

    Returns:
        The SVG, empty without cells.
    """
    shown = list(cells)[:MOST_PANELS]
    if not shown:
        return ""
    above = _LEGEND + (legend_lines - 1) * LEGEND_LINE if legend else 0.0
    tall = _TITLE + height + _FOOT + extra
    lines = (len(shown) + 1) // 2
    wide = (WIDTH - _GAP) / 2

    def paint_all(canvas: Canvas) -> None:
        if legend:
            legend(canvas)
        for i, cell in enumerate(shown):
            left, top = (i % 2) * (wide + _GAP), above + (i // 2) * tall
            canvas.write(left, top + 14, label(titles(cell), 46), weight="bold")
            axes = canvas.axes(left + _LEFT, top + _TITLE, wide - _LEFT - _RIGHT, height)
            axes.grid(axis="y")
            paint(axes, cell)

    return draw(paint_all, name=name, title=title, description=description, height=above + lines * tall)
