"""Summaries in GitHub's Markdown, for a pull request or the page of a CI job."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ..leaderboard.entries import entries
from ..leaderboard.standings import Standing, rows
from ..leaderboard.text import plural, visible
from ..suite.comparison import Comparison
from ..suite.store import StoredRun
from .differences import pvalue, row_notes, signed
from .scores import score_cells
from .tables import interval, number
from .terminal import duplicate_share

__all__ = ["code", "comparison_markdown", "markdown_table", "run_markdown"]

_LINE = re.compile(r"\s+")
_TICKS = re.compile(r"`+")


def code(text: object, longest: int = 80) -> str:
    """Write text from a run as a code span, in which GitHub reads nothing: no link, no mention, no HTML, no emphasis.

    Line breaks become spaces. A pipe becomes a broken bar: in a table it ends the cell, and a backslash before it,
    which would save it there, is undone by another backslash that the text may hold.

    Args:
        text: Any value.
        longest: Characters that are kept.
    """
    shown = visible(_LINE.sub(" ", str(text)).strip(), longest).replace("|", "¦") or "–"
    fence = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    pad = " " if len(fence) > 1 or shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_table(columns: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table of entries that are escaped already; a column whose head ends with ``>`` is flush right."""
    head = [c.removesuffix(">") for c in columns]
    rule = ["---:" if c.endswith(">") else "---" for c in columns]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def run_markdown(run: StoredRun) -> str:
    """Summarise a run: a table of its primary metrics, and what must be known to read them.

    Args:
        run: The run.

    Returns:
        GitHub Markdown that ends with a newline; what comes from the run is escaped.

    Raises:
        StoreError: The run holds values that its manifest rules out.
    """
    (entry,) = entries([run])
    shown = [s for s in rows(entry) if s.primary]
    manifest = run.manifest
    body = [
        (
            code(f"{s.task}@{s.version}"),
            code(s.arm),
            code(s.metric),
            *score_cells(s, " *"),
        )
        for s in shown
    ]
    head = ("task", "arm", "metric", "mean>", "95 % interval>", "chance>", "ceiling>", "against chance", "units>")
    parts = [
        f"### {code(manifest.label)}",
        f"{entry.decoding}, tier {code(manifest.spec.tier)}, "
        f"{plural(manifest.spec.samples, 'sample')} an item and arm, specification {code(manifest.spec_hash[:12])}",
        markdown_table((*head, "samples>", "invalid>", "refused>", "errors>"), body),
        *(f"- {note}" for note in _notes(run, shown)),
    ]
    return "\n\n".join(parts[:3]) + "\n\n" + "\n".join(parts[3:]) + "\n"


def comparison_markdown(comparison: Comparison) -> str:
    """Summarise a comparison: a table of its deciding metrics for every candidate, and what must be known to read them.

    Args:
        comparison: From :func:`.comparison.compare`.

    Returns:
        GitHub Markdown that ends with a newline; what comes from results is escaped.
    """
    heads = ("task and arm", "metric", "baseline>", "candidate>", "difference>", "interval>", "verdict")
    parts = []
    for candidate in comparison.candidates:
        own = [row for row in comparison.deciding if row.candidate == candidate.label]
        body = []
        for row in own:
            d = row.difference
            flips = "–" if d.flips is None else f"+{number(d.flips.gained, 1)} −{number(d.flips.lost, 1)}"
            body.append(
                (
                    code(row.cell_name),
                    code(row.metric),
                    number(d.mean_a),
                    number(d.mean_b),
                    signed(d.estimate),
                    interval(d.low, d.high) + (" *" if d.sparse else ""),
                    f"**{row.words}**",
                    pvalue(row.adjusted).replace("<", "&lt;"),
                    flips,
                    plural(d.units, row.unit) + ("" if d.paired else ", unpaired"),
                )
            )
        parts.append(f"### {code(candidate.label)} against {code(comparison.baseline.label)}")
        parts.append(markdown_table((*heads, "corrected p>", "flips>", "units>"), body))
        notes = []
        if any(row.difference.sparse for row in own):
            notes.append("\\* sparse: under 30 units or 5 unit-level events; the interval is rough.")
        notes.append(
            f"{100 * comparison.confidence:g} % intervals of candidate less baseline, not corrected; verdicts by "
            f"p-values corrected over all rows ({', '.join(dict.fromkeys(row.correction for row in own))}), "
            "equivalence by its margin."
        )
        notes += [f"{', '.join(map(code, cells))}: {note}." for cells, note in row_notes(own)]
        for row in own:
            if math.isfinite(row.worst):
                notes.append(
                    f"{code(row.cell_name)}: had every lost sample gone against the candidate, or for it, the "
                    f"difference would be {signed(row.worst)} or {signed(row.best)}."
                )
        parts.append("\n".join(f"- {note}" for note in notes))
    if comparison.notes:
        # They quote labels.
        parts.append("\n".join(f"- {code(note, 300)}" for note in comparison.notes))
    return "\n\n".join(parts) + "\n"


def _notes(run: StoredRun, shown: Sequence[Standing]) -> list[str]:
    notes = []
    if any(s.sparse for s in shown):
        notes.append("\\* sparse: under 30 items or 5 expected events; the interval is rough.")
    methods = ", ".join(dict.fromkeys(s.method for s in shown))
    notes.append(
        f"Intervals are over items ({methods}). Invalid and refused samples are failures; errors are not scored."
    )
    notes += [f"{code(s.task)}, {code(s.arm)}: {s.flag}." for s in shown if s.flag]
    twins = duplicate_share(run)
    if twins:
        notes.append(f"{100 * twins:.0f} % of samples read the same as another of their item.")
    return notes
