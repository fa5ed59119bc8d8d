"""How episodes ended by turn: success, another end, or still open; late turns see the survivors only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..leaderboard.text import plural
from ..suite.stats.intervals import mean_interval
from ..suite.stats.survival import cumulative_incidence
from .drawing import COLOURS, Canvas, label
from .episodes import Episodes
from .panels import MOST_PANELS, panels
from .tables import Plot, interval, number, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Endings", "ending_plot", "endings", "mark_open", "pair_ending_plot"]

_ROWS = 8


@dataclass(frozen=True, eq=False)
class Endings:
    """Shares of episodes by turn; all arrays have one entry a turn, from turn 0 on.

    Attributes:
        open: Episodes that are open after that turn.
        success: Share that had ended with success by then; None where the task cannot say.
        other: Share that had ended in any other way by then.
        low: Lower bound for ``success`` (for ``other`` where there is none); NaN where one unit bounds nothing.
        high: Upper bound, likewise. Pointwise, clustered by item or stream.
        method: How estimate and interval were made.
    """

    open: NDArray[np.int64]
    success: NDArray[np.float64] | None
    other: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    method: str

    @property
    def last(self) -> int:
        """The last turn of the longest episode."""
        return len(self.open) - 1


def endings(cell: Episodes) -> Endings:
    """Count how the episodes of a cell ended by turn.

    Where no error cut an episode off, the cumulative incidence of Aalen and Johansen (1978, Scand. J. Stat. 5,
    141-150) is the plain share that had ended so by then, and it has the interval that the score has. Where errors did,
    they censor: a fault of ours says nothing of how the episode would have ended.
    """
    return censored(cell) if cell.lost else complete(cell)


def complete(cell: Episodes) -> Endings:
    """The curves where no sample was lost: shares of all episodes, with intervals by unit."""
    length, success = cell.length(), cell.success()
    last = int(length.max(initial=0))
    ended = np.bincount(length, minlength=last + 1).cumsum()
    n = max(len(length), 1)
    good = None if success is None else np.bincount(length[success], minlength=last + 1).cumsum() / n
    other = ended / n - (0 if good is None else good)
    tracked = np.ones(len(length), dtype=bool) if success is None else success
    units = np.asarray(cell.units, dtype=object)
    low, high = np.full(last + 1, np.nan), np.full(last + 1, np.nan)
    # Bounds change only where an episode ends.
    steps = np.unique(np.append(0, length[tracked]))
    methods: dict[str, None] = {}
    for step, following in zip(steps, [*steps[1:], last + 1], strict=True):
        found = mean_interval((tracked & (length <= step)).astype(float), units)
        if found.units > 1:
            low[step:following], high[step:following] = found.low, found.high
            methods[found.method] = None
    return Endings(len(length) - ended, good, other, low, high, ", ".join(methods) or "none")


def censored(cell: Episodes) -> Endings:
    """The curves where samples were lost: Aalen-Johansen, with the lost ones as censored."""
    lost = [turns for _, turns in cell.lost]
    length = np.concatenate([cell.length(), np.asarray(lost, dtype=np.int64)])
    success = cell.success()
    cause = np.zeros(len(length), dtype=np.int64)
    cause[: len(cell.units)] = 2 if success is None else np.where(success, 1, 2)
    units = [*cell.units, *(unit for unit, _ in cell.lost)]
    found = cumulative_incidence(length, cause, units=units)
    last = int(length.max(initial=0))
    place = np.searchsorted(found.times, np.arange(last + 1), side="right") - 1

    def by_turn(rows: NDArray[np.float64], kind: int, before: float = 0.0) -> NDArray[np.float64]:
        row = rows[found.causes.index(kind)] if kind in found.causes else np.zeros(len(found.times))
        return np.where(place < 0, before, row[place])

    tracked = 2 if success is None else 1
    low, high = by_turn(found.low, tracked), by_turn(found.high, tracked)
    if found.units < 2 or tracked not in found.causes:
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    ended = np.bincount(length, minlength=last + 1).cumsum()
    return Endings(
        len(length) - ended,
        None if success is None else by_turn(found.estimate, 1),
        by_turn(found.estimate, 2),
        low,
        high,
        "aalen-johansen, bootstrap",
    )


def ending_plot(cells: Sequence[Episodes], *, name: str = "endings") -> Plot:
    """Draw when and how episodes ended."""
    played = [(cell, endings(cell)) for cell in cells if len(cell.units)]
    svg = panels(
        played,
        lambda axes, pair: _paint(axes, pair[1]),
        lambda pair: pair[0].name,
        name=f"{name}-figure",
        title="Endings by turn",
        description="Share of episodes that had ended with success, or otherwise, by each turn.",
        legend=_legend,
        extra=16,
    )
    rows = []
    for cell, found in played:
        for turn in _some(found.last):
            told = found.success is not None
            rows.append(
                (
                    cell.task,
                    cell.arm,
                    f"{turn:,}",
                    f"{found.open[turn]:,}",
                    number(float(found.success[turn])) if found.success is not None else "–",
                    interval(found.low[turn], found.high[turn]) if told else "–",
                    number(float(found.other[turn])),
                    found.method,
                )
            )
    notes = ["Intervals are pointwise, over items; a whole curve leaves its band more often than one point does."]
    lost = sum(len(cell.lost) for cell in cells)
    if lost:
        notes.append(
            f"{plural(lost, 'episode')} cut off by an error count as open until then and as nothing afterwards "
            "(censored), which is fair only if errors strike whatever would have come."
        )
    if len(played) > MOST_PANELS:
        notes.append(f"The figure shows the first {MOST_PANELS} of {len(played)} cells; the table has all.")
    return Plot(
        name,
        "How episodes ended, by turn",
        "Share of all episodes that had ended by each turn: with success (from below, with its interval) or otherwise "
        "(from above). The gap between is still open; the counts below the axis say how many episodes that is. A turn "
        "asked after the end of play, such as a question, does not count.",
        svg,
        table(
            "Endings by turn",
            ("task", "arm", "by turn>", "open>", "success>", "95 % interval>", "other end>", "method"),
            rows,
        ),
        tuple(notes),
    )


def pair_ending_plot(
    a: Sequence[Episodes], b: Sequence[Episodes], labels: tuple[str, str], *, name: str = "endings"
) -> Plot | None:
    """Draw by which turn the episodes of two sides had ended with success.

    Args:
        a: The baseline's episodes.
        b: The candidate's.
        labels: Their names.
        name: Anchor.

    Returns:
        The figure; None where no task that both played can say what success is.
    """
    known = {(cell.task, cell.arm): cell for cell in b if cell.units and cell.solved is not None}
    pairs = [
        (cell, known[cell.task, cell.arm])
        for cell in a
        if cell.units and cell.solved is not None and (cell.task, cell.arm) in known
    ]
    if not pairs:
        return None
    curves = [(x.name, endings(x), endings(y)) for x, y in pairs]
    svg = panels(
        curves,
        lambda axes, curve: _paint_pair(axes, curve[1], curve[2]),
        lambda curve: curve[0],
        name=f"{name}-figure",
        title="Success by turn",
        description="Share of episodes of the baseline and the candidate that had ended with success by each turn.",
        legend=lambda canvas: canvas.legend(
            12,
            [
                (label(text, 40), {"color": COLOURS[colour], "linewidth": 2})
                for text, colour in zip(labels, ("soft", "accent"), strict=True)
            ],
        ),
        extra=30,
    )
    rows = []
    for cell, *sides in curves:
        for turn in _some(max(side.last for side in sides)):
            row = [cell, f"{turn:,}"]
            for side in sides:
                # After its last turn nothing changes any more.
                at = min(turn, side.last)
                assert side.success is not None
                row += [
                    f"{side.open[at]:,}",
                    number(float(side.success[at])),
                    interval(side.low[at], side.high[at]),
                    number(float(side.other[at])),
                ]
            rows.append(row)
    heads = ("open>", "success>", "95 % interval>", "other end>")
    notes = ["Intervals are pointwise and of each side alone: they are no test of the difference."]
    if len(pairs) > MOST_PANELS:
        notes.append(f"The figure shows the first {MOST_PANELS} of {len(pairs)} cells; the table has all.")
    return Plot(
        name,
        "Success by turn",
        "Share of all episodes that had ended with success by each turn, with pointwise intervals. Below the axis: how "
        "many episodes are still open, the baseline’s in the first line, the candidate’s in the second.",
        svg,
        table("Success by turn, first baseline, then candidate", ("task and arm", "by turn>", *heads, *heads), rows),
        tuple(notes),
    )


def mark_open(axes: Axes, *sides: NDArray[np.int64]) -> None:
    """Write below the axis how many episodes are open after each marked turn: one line a side, one entry a turn."""
    from matplotlib.ticker import MaxNLocator

    last = max(*(len(still) - 1 for still in sides), 1)
    ticks = [int(t) for t in MaxNLocator(5, integer=True).tick_values(0, last) if 0 <= t <= last]
    counts = [[f"{still[min(t, len(still) - 1)]:,}" for still in sides] for t in ticks]
    axes.set_xticks(ticks, ["\n".join([str(t), *lines]) for t, lines in zip(ticks, counts, strict=True)])
    heads = "\n".join(["turn", *["open"] * len(sides)])
    style: dict[str, Any] = {"color": COLOURS["soft"], "ha": "left", "va": "top", "annotation_clip": False}
    axes.annotate(heads, (0, 0), xycoords="axes fraction", xytext=(-50, -5), textcoords="offset points", **style)


def _held(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values, the last one twice."""
    return np.append(values, values[-1])


def _some(last: int) -> list[int]:
    """A few turns, evenly spread, the last one among them."""
    return sorted({int(t) for t in np.linspace(min(1, last), last, _ROWS).round()})


def _legend(canvas: Canvas) -> None:
    canvas.legend(
        12,
        [
            ("ended with success", {"color": COLOURS["accent"], "linewidth": 2}),
            ("its interval", {"color": COLOURS["span"], "linewidth": 9, "alpha": 0.5}),
            ("ended otherwise", {"color": COLOURS["band"], "linewidth": 9}),
        ],
    )


def _paint(axes: Axes, found: Endings) -> None:
    # A little beyond the last turn, so that what ends there is seen.
    end = max(found.last, 1) * 1.05
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    x = np.append(np.arange(found.last + 1), end)
    rest = _held(1 - found.other)
    axes.fill_between(x, rest, 1, step="post", color=COLOURS["band"], linewidth=0)
    axes.step(x, rest, where="post", color=COLOURS["chance"], linewidth=1)
    if found.success is not None:
        low, high = _held(found.low), _held(found.high)
        axes.fill_between(x, low, high, step="post", color=COLOURS["span"], alpha=0.5, linewidth=0)
        axes.step(x, _held(found.success), where="post", color=COLOURS["accent"], linewidth=2)
    mark_open(axes, found.open)


def _paint_pair(axes: Axes, a: Endings, b: Endings) -> None:
    end = max(a.last, b.last, 1) * 1.05
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    for side, line, band in ((a, "soft", "strong"), (b, "accent", "span")):
        if side.success is None:
            continue
        x = np.append(np.arange(side.last + 1), end)
        low, high = _held(side.low), _held(side.high)
        axes.fill_between(x, low, high, step="post", color=COLOURS[band], alpha=0.35, linewidth=0)
        axes.step(x, _held(side.success), where="post", color=COLOURS[line], linewidth=2)
    mark_open(axes, a.open, b.open)
