"""Differences between two sides: each with interval, test and verdict, as a figure, a table and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..leaderboard.text import plural, visible
from ..suite.comparison import Overall, Row
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .tables import Plot, Table, interval, number, table

__all__ = ["difference_claim", "difference_plot", "difference_table", "overall_claim", "pvalue", "row_notes", "signed"]

_COLUMNS = (
    "task and arm",
    "metric",
    "baseline>",
    "candidate>",
    "difference>",
    "interval>",
    "verdict",
    "corrected p>",
    "p>",
    "units",
    "samples>",
    "lost>",
    "margin>",
    "interval by",
    "test",
    "correction",
    "notes",
)


def signed(value: float, digits: int = 3) -> str:
    """Write a difference with its sign."""
    text = number(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def difference_claim(row: Row) -> str:
    """Say one comparison in a sentence, the effect before the test."""
    d = row.difference
    text = f"{row.cell_name}, {row.metric}{'' if row.primary else ' (exploratory)'}: {row.words}. "
    if not math.isfinite(d.estimate):
        return visible(f"{text}There is nothing to compare.", 600)
    text += (
        f"{row.candidate} {number(d.mean_b)} against {number(d.mean_a)}, difference {signed(d.estimate)}, "
        f"{100 * d.confidence:g} % interval {interval(d.low, d.high)} over {plural(d.units, row.unit)}"
    )
    if d.only_a or d.only_b:
        text += f", on {plural(d.items, 'item')} where both sides have a value"
    if math.isfinite(row.adjusted):
        text += f", corrected p {pvalue(row.adjusted)}"
    if not d.paired:
        text += ", unpaired"
    if d.sparse:
        text += "; sparse"
    return visible(f"{text}.", 600)


def overall_claim(total: Overall) -> str:
    """Say the mean over a family of tasks in a sentence."""
    text = f"Over {plural(total.tasks, 'task')} of {total.family}, each alike and as a share of its range: "
    text += f"difference {signed(total.estimate)}"
    if math.isfinite(total.low):
        text += f", {100 * total.confidence:g} % interval {interval(total.low, total.high)}, p {pvalue(total.pvalue)}"
    text += " (positive: the candidate is better; describes, does not decide)"
    if total.left_out:
        text += f"; left out: {'; '.join(total.left_out)}"
    return visible(f"{text}.", 600)


def row_notes(rows: Sequence[Row]) -> list[tuple[tuple[str, ...], str]]:
    """What the rows say of themselves, each note once.

    Args:
        rows: The rows that are shown together.

    Returns:
        What the note is about, and the note: cells by name alone where all their rows have it, else with the metric,
        and with the candidate where several are shown.
    """
    by_cell: dict[str, list[Row]] = {}
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        by_cell.setdefault(row.cell_name, []).append(row)
        for note in dict.fromkeys(row.notes):
            found.setdefault(note, {}).setdefault(row.cell_name, []).append(row)
    several = len({row.candidate for row in rows}) > 1
    made = []
    for note, cells in found.items():
        names: list[str] = []
        for cell, own in cells.items():
            if len(own) == len(by_cell[cell]):
                names.append(cell)
            else:
                names += [
                    f"{cell} ({row.candidate}, {row.metric})" if several else f"{cell} ({row.metric})" for row in own
                ]
        made.append((tuple(names), note))
    return made


def pvalue(p: float) -> str:
    """Write a p-value; below one in a thousand only that."""
    return "–" if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def difference_plot(rows: Sequence[Row], overall: Sequence[Overall] = (), *, name: str = "differences") -> Plot:
    """Draw the deciding differences, with the margin within which one does not matter.

    Args:
        rows: Deciding rows of one candidate.
        overall: Means over families of tasks, drawn below.
        name: Anchor.
    """
    panels: dict[tuple[str, str, float | None], list[ForestRow]] = {}
    for row in rows:
        d = row.difference
        drawn = ForestRow(
            name=row.cell_name,
            mean=d.estimate,
            low=d.low,
            high=d.high,
            text=f"{signed(d.estimate)} {interval(d.low, d.high)}" + ("*" if d.sparse else ""),
            faint=d.sparse,
        )
        unit = all(abs(v) <= 1 for v in drawn.values)
        panels.setdefault((row.metric, "" if unit else row.cell[0], row.margin), []).append(drawn)
    shown = [
        ForestPanel(metric + (f" ({task})" if task else ""), tuple(found), zero=0.0, margin=margin)
        for (metric, task, margin), found in panels.items()
    ]
    means = [
        ForestRow(
            f"{t.family}, {plural(t.tasks, 'task')}",
            t.estimate,
            t.low,
            t.high,
            f"{signed(t.estimate)} {interval(t.low, t.high)}",
        )
        for t in overall
    ]
    if means:
        shown.append(ForestPanel("mean over tasks, as a share of the range", tuple(means), zero=0.0))
    notes = []
    if len(rows) > MOST_ROWS:
        notes.append(f"The figure shows the first {MOST_ROWS} of {len(rows)} differences; the table has all.")
    return Plot(
        name,
        "Differences",
        "Candidate less baseline by the primary metric of every task and arm, paired by item. The band marks "
        "differences within the margin, which do not matter; the line is no difference.",
        forest(
            shown,
            name=f"{name}-figure",
            title="Differences",
            description=f"Mean and interval of {plural(len(rows), 'difference')}, beside no difference and the margin.",
        ),
        difference_table(rows, "Primary metrics"),
        tuple(notes),
    )


def difference_table(rows: Sequence[Row], caption: str) -> Table:
    """List differences with everything that they must be read against."""
    body = []
    notes = []
    for row in rows:
        d = row.difference
        body.append(
            (
                row.cell_name,
                row.metric,
                number(d.mean_a),
                number(d.mean_b),
                signed(d.estimate),
                interval(d.low, d.high) + ("*" if d.sparse else ""),
                row.words,
                pvalue(row.adjusted),
                pvalue(d.pvalue),
                plural(d.units, row.unit) + ("" if d.paired else ", unpaired"),
                f"{d.samples_a:,} | {d.samples_b:,}",
                f"{row.lost[0]:,} | {row.lost[1]:,}",
                "–" if row.margin is None else f"{row.margin:g}",
                d.method,
                d.test,
                row.correction,
                "; ".join(row.notes),
            )
        )
        if math.isfinite(row.worst) or math.isfinite(row.best):
            notes.append(
                visible(
                    f"{row.cell_name}, {row.metric}: had every lost sample gone against the candidate, or for it, the "
                    f"difference would be {signed(row.worst)} or {signed(row.best)}.",
                    600,
                )
            )
    if any(row.difference.sparse for row in rows):
        notes.insert(0, "* sparse: under 30 units or 5 unit-level events; the interval is rough.")
    notes.append(
        "Verdicts are made by the corrected p-value, equivalence by its margin; the interval of each row stands alone "
        "and is not corrected. “Cannot tell” is no proof of no difference."
    )
    if not all(row.primary for row in rows):
        notes.insert(0, "Exploratory: only the primary metric decides. Corrected among themselves.")
    return table(caption, _COLUMNS, body, notes)
