"""Scales: how a metric's numbers are written and where they are drawn, alike on every page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..suite.records import Metric

__all__ = ["WIDTH", "Bar", "Scale", "metric_scale", "whole"]

WIDTH = 120.0
"""Length of a drawing in its own units; the page scales it."""
_PAD = 4.0


@dataclass(frozen=True)
class Bar:
    """A dot with its interval; positions in drawing units, None where there is nothing to draw.

    Attributes:
        low: Start of the interval.
        high: Its end.
        dot: The estimate.
        chance: Where chance is marked.
        ceiling: Where the ceiling is marked.
        zero: Where a line stands for no difference.
    """

    low: float | None
    high: float | None
    dot: float | None
    chance: float | None = None
    ceiling: float | None = None
    zero: float | None = None


@dataclass(frozen=True)
class Scale:
    """A range of numbers, and the digits that it deserves.

    Attributes:
        low: What the left end stands for.
        high: What the right end stands for.
        decimals: Digits after the point.
        signed: Whether a plus is written.
    """

    low: float
    high: float
    decimals: int
    signed: bool = False

    def write(self, value: float | None) -> str:
        """The number as text, with a true minus; an en dash where there is none."""
        if value is None or not math.isfinite(value):
            return "–"
        text = f"{value:,.{self.decimals}f}"
        if float(text.replace(",", "")) == 0:
            return text.removeprefix("-")
        return text.replace("-", "−") if value < 0 else ("+" if self.signed else "") + text

    def span(self, low: float | None, high: float | None) -> str:
        """An interval as text; empty where an end is missing."""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return ""
        return f"{self.write(low)} to {self.write(high)}"

    def place(self, value: float | None) -> float | None:
        """Where the number is drawn; what lies beyond an end is drawn at it."""
        if value is None or not math.isfinite(value) or self.high <= self.low:
            return None
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        x = round(_PAD + share * (WIDTH - 2 * _PAD), 1)
        return int(x) if x == int(x) else x

    def bar(
        self,
        mean: float | None,
        low: float | None,
        high: float | None,
        *,
        chance: float | None = None,
        ceiling: float | None = None,
        zero: bool = False,
    ) -> Bar | None:
        """The drawing of an estimate, None where there is no estimate."""
        dot = self.place(mean)
        if dot is None:
            return None
        ends = self.place(low), self.place(high)
        if None in ends:
            ends = None, None
        return Bar(*ends, dot, self.place(chance), self.place(ceiling), self.place(0.0) if zero else None)


def metric_scale(metric: Metric, shown: Iterable[float | None]) -> Scale:
    """The scale of a metric: its range, and at an open end the numbers that are shown.

    Args:
        metric: The metric.
        shown: All numbers that will be drawn.
    """
    known = [v for v in shown if v is not None and math.isfinite(v)]
    low = metric.low if metric.low is not None else min(known, default=0.0)
    high = metric.high if metric.high is not None else max([*known, low + 1e-9])
    largest = max(abs(low), abs(high))
    return Scale(low, high, 3 if largest <= 1 else 2 if largest <= 10 else 1 if largest <= 1000 else 0)


def whole(number: float) -> str:
    """A count as text, with commas."""
    return f"{round(number):,}"
