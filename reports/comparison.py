"""A comparison as text for the terminal."""

from __future__ import annotations

import math
from textwrap import fill

from ..leaderboard.text import visible
from ..suite.comparison import Comparison
from .differences import overall_claim, pvalue, row_notes, signed
from .group_differences import difference_text, group_differences
from .groups import shown_apart
from .tables import interval, number
from .terminal import draw, text_table
from .worlds import world_difference

__all__ = ["comparison_text"]


def comparison_text(comparison: Comparison, *, all_metrics: bool = False, width: int | None = None) -> str:
    """One table of differences: effect, interval, corrected p, verdict in words, flips, for every task and arm.

    Args:
        comparison: From :func:`.comparison.compare`.
        all_metrics: All metrics, not only those that decide, and those that a task shows beside them.
        width: The terminal's width; None: as wide as needed.
    """
    several = len(comparison.candidates) > 1
    heads = ["task and arm", "metric", "baseline>", "candidate>", "difference>", "95 % interval", "p>", "verdict"]
    heads[5] = f"{100 * comparison.confidence:g} % interval"
    heads += ["flips", "units>"]
    out = text_table(*(["candidate"] if several else []), *heads)
    beside = {(c.key, name) for c in comparison.baseline.cells for name in shown_apart(c.groupings)}
    shown = [row for row in comparison.rows if row.primary or all_metrics or (row.cell, row.metric) in beside]
    for row in shown:
        d = row.difference
        flips = "–" if d.flips is None else f"+{number(d.flips.gained, 1)} −{number(d.flips.lost, 1)}"
        cells = [
            row.cell_name,
            row.metric + ("" if row.primary else " (exploratory)"),
            number(d.mean_a),
            number(d.mean_b),
            signed(d.estimate),
            interval(d.low, d.high) + ("*" if d.sparse and math.isfinite(d.low) else ""),
            pvalue(row.adjusted),
            row.words,
            flips,
            f"{d.units}" + ("" if d.paired else " unpaired"),
        ]
        out.add_row(*(visible(cell, 80) for cell in ([row.candidate, *cells] if several else cells)))
    notes = []
    if not several:
        notes.append(f"{comparison.candidates[0].label} (candidate) against {comparison.baseline.label} (baseline).")
    notes += [overall_claim(total) for total in comparison.overall]
    for candidate in comparison.candidates:
        together = world_difference(comparison.baseline, candidate, confidence=comparison.confidence)
        notes += [] if together is None else [together.words]
    corrections = ", ".join(dict.fromkeys(row.correction for row in shown if row.correction))
    methods = ", ".join(dict.fromkeys(row.difference.method for row in shown))
    tests = ", ".join(dict.fromkeys(row.difference.test for row in shown))
    notes.append(
        f"Intervals of candidate less baseline ({methods}), each for itself; p-values ({tests}) corrected over all "
        f"rows ({corrections}). Flips: items that only one side solves, in expectation over its samples."
    )
    if any(row.difference.sparse for row in shown):
        notes.append("* sparse: under 30 units or 5 unit-level events; the interval is rough.")
    for cells, note in row_notes(shown):
        notes.append(f"{', '.join(cells) if len(cells) < 7 else f'{len(cells)} of them'}: {note}.")
    for row in shown:
        if math.isfinite(row.worst) and any(row.lost):
            notes.append(
                f"{row.cell_name}, {row.metric}: had every lost sample gone against the candidate, or for it, the "
                f"difference would be {signed(row.worst)} or {signed(row.best)}."
            )
    notes += comparison.notes
    lines = [draw(out, width), *(fill(visible(note, 600), width or 120) for note in notes)]
    for candidate in comparison.candidates:
        found = difference_text(group_differences(comparison.baseline, candidate, confidence=comparison.confidence))
        if found is not None:
            lines += ["", visible(f"By group: {candidate.label} less {comparison.baseline.label}", 200)]
            lines += [draw(found[0], width), *(fill(note, width or 120) for note in found[1])]
    return "\n".join(lines)
