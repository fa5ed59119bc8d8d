"""Bars of shares: what a whole is made of, one bar a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .drawing import COLOURS, WIDTH, Canvas, draw, label

__all__ = ["MOST_BARS", "Part", "bars"]

MOST_BARS = 60
"""Bars that one figure shows; the table beside it has all."""

_ROW, _LEGEND, _FOOT = 21.0, 26.0, 30.0


@dataclass(frozen=True)
class Part:
    """One part of every bar: its name, its colour (of :data:`.drawing.COLOURS`), and how much of each bar it is."""

    name: str
    colour: str
    amounts: Sequence[float]


def bars(names: Sequence[str], parts: Sequence[Part], *, name: str, title: str, description: str) -> str:
    """Draw bars that fill the width, each part its share.

    Args:
        names: One a bar; the first :data:`MOST_BARS` are drawn.
        parts: From the left, with as many amounts as there are names; amounts of a bar may sum to anything.
        name: The figure's name in the page.
        title: For a screen reader.
        description: Likewise.

    Returns:
        The SVG, empty without bars.
    """
    shown = list(names)[:MOST_BARS]
    if not shown:
        return ""
    left = 12 + min(6.3 * max(len(label(n)) for n in shown), 262)
    rows = range(len(shown))
    totals = [sum(part.amounts[i] for part in parts) or 1.0 for i in rows]

    def paint(canvas: Canvas) -> None:
        present = [part for part in parts if any(part.amounts[i] for i in rows)]
        canvas.legend(12, [(part.name, {"color": COLOURS[part.colour], "linewidth": 9}) for part in present])
        axes = canvas.axes(left, _LEGEND, WIDTH - left - 24, _ROW * len(shown))
        axes.set_xlim(0, 100)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_yticks([])
        axes.grid(axis="x")
        axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        start = [0.0] * len(shown)
        for part in present:
            width = [100 * part.amounts[i] / totals[i] for i in rows]
            axes.barh(rows, width, left=start, height=0.62, color=COLOURS[part.colour], linewidth=0)
            start = [s + w for s, w in zip(start, width, strict=True)]
        for i, text in enumerate(shown):
            canvas.write(0, _LEGEND + _ROW * (i + 0.5) + 4, label(text))

    height = _LEGEND + _ROW * len(shown) + _FOOT
    return draw(paint, name=name, title=title, description=description, height=height)
