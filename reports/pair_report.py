"""A report of two results compared: differences, flips, what changed most, how samples ended, what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..leaderboard.text import visible
from ..suite.comparison import Comparison, Row
from ..suite.errors import UsageError
from ..suite.records import Key, Outcome
from ..suite.results import Cell, Results, from_run
from ..suite.store import StoredRun
from .costs import pair_cost_plot
from .differences import difference_claim, difference_plot, difference_table, overall_claim, row_notes
from .document import Document, Facts, place, write
from .endings import pair_ending_plot
from .episodes import Episodes, Gatherer
from .flips import change_table, changes, flip_plot, most_changed
from .group_differences import group_difference_plot, group_differences
from .groups import shown_apart
from .kinds import keys
from .tables import Link, Plot, Table, share, table
from .transcripts import Transcripts, page_name

__all__ = ["report_pair"]

_PAGES = 100
"""Transcripts of each side."""
_PER_ITEM = 2


def report_pair(a: Results | StoredRun, b: Results | StoredRun, out: Path, comparison: Comparison) -> Path:
    """Write a report of a candidate beside its baseline.

    Args:
        a: The baseline. A stored run gives transcripts and endings by turn as well.
        b: The candidate, likewise.
        out: A file that ends with ``.html``, or a folder, in which the report is ``index.html``. Transcripts of the
            items that changed most stand beside it in ``NAME-samples``, at most 100 a side. The same results give the
            same bytes.
        comparison: What :func:`.comparison.compare` says of them; it may hold other candidates too.

    Returns:
        The path of the page.

    Raises:
        UsageError: The comparison is of other results, or ``out`` is in the way of something.
        StoreError: A run is damaged.
    """
    sides = [_Side(s, from_run(s)) if isinstance(s, StoredRun) else _Side(None, s) for s in (a, b)]
    candidate = next((c for c in comparison.candidates if c.path == sides[1].results.path), None)
    if candidate is None or comparison.baseline.path != sides[0].results.path:
        raise UsageError(
            f"The comparison is not of {sides[0].results.path} and {sides[1].results.path}, but of "
            f"{comparison.baseline.path} and {', '.join(str(c.path) for c in comparison.candidates)}."
        )
    labels = comparison.baseline.label, candidate.label
    page, folder = place(Path(out))
    rows = [row for row in comparison.rows if row.candidate == candidate.label]
    overall = [total for total in comparison.overall if total.candidate == candidate.label]
    deciding = [row for row in rows if row.primary]
    pairs = [(x, y) for x in sides[0].results.cells if (y := sides[1].results.cell(x.key)) is not None]
    picked = [(x, y, most_changed(changes(x, y))) for x, y in pairs]
    wanted = (
        {(x.task, x.arm, c.item) for x, _, found in picked for c in found},
        {(x.task, x.arm, c.item_b) for x, _, found in picked for c in found},
    )
    gathered: list[list[Episodes]] = []
    links: list[Callable[[Cell, str], tuple[Link, ...]]] = []
    for side, label, name, items in zip(sides, labels, ("baseline", "candidate"), wanted, strict=True):
        chosen = _chosen(side.run, items) if side.run else []
        if side.run:
            gathered.append(_walk(side.run, chosen, folder / name, label, f"../../{page.name}"))
        links.append(_linker(chosen, f"{folder.name}/{name}"))
    others = [row for row in rows if not row.primary]
    beside = {(cell.key, name) for cell in comparison.baseline.cells for name in shown_apart(cell.groupings)}
    said = [row for row in rows if row.primary or (row.cell, row.metric) in beside]
    sections: list[Plot | Table | None] = [
        difference_plot(deciding, overall),
        group_difference_plot(group_differences(comparison.baseline, candidate, confidence=comparison.confidence)),
        flip_plot([(row.cell_name, row.difference.flips) for row in deciding if row.difference.flips is not None]),
        change_table(pairs, *links),
        pair_ending_plot(gathered[0], gathered[1], labels) if len(gathered) == 2 else None,
        _outcomes(pairs, labels),
        pair_cost_plot(pairs, labels),
        difference_table(others, "Other metrics") if others else None,
    ]
    document = Document(
        title=visible(f"{labels[1]} against {labels[0]}", 200),
        lead=visible(
            f"Baseline: {labels[0]} ({sides[0].results.decoding}). Candidate: {labels[1]} "
            f"({sides[1].results.decoding}). Differences are candidate less baseline.",
            600,
        ),
        claims=(*(difference_claim(row) for row in said), *(overall_claim(total) for total in overall)),
        notices=tuple(dict.fromkeys(visible(note, 600) for note in [*comparison.notes, *_notes(deciding)])),
        sections=tuple(section for section in sections if section is not None),
        facts=tuple(_facts(side, label) for side, label in zip(sides, labels, strict=True)),
        versions=tuple(dict.fromkeys(visible(s.run.manifest.finchmark) for s in sides if s.run)),
    )
    return write(document, page)


@dataclass(frozen=True)
class _Side:
    run: StoredRun | None
    results: Results


def _chosen(run: StoredRun, items: set[tuple[str, str, str]]) -> list[Key]:
    """A few samples of each item that changed."""
    frame = run.frame()
    changed = [key in items for key in zip(frame["task"], frame["arm"], frame["item"], strict=True)]
    return keys(frame[changed].groupby(["task", "arm", "item"]).head(_PER_ITEM).head(_PAGES))


def _walk(run: StoredRun, chosen: Sequence[Key], folder: Path, label: str, back: str) -> list[Episodes]:
    """Read a stored run once: its episodes, and the transcripts that were chosen."""
    transcripts = Transcripts(folder, chosen, title=label, back=back, text=run.text)
    gatherer = Gatherer(run.manifest.tasks.values())
    for sample in run.samples():
        gatherer.add(sample)
        transcripts.add(sample)
    transcripts.close()
    return gatherer.cells


def _linker(chosen: Sequence[Key], folder: str) -> Callable[[Cell, str], tuple[Link, ...]]:
    pages: dict[tuple[str, str, str], list[Link]] = {}
    for key in chosen:
        link = Link(f"sample {key.sample}", f"{folder}/{page_name(key)}")
        pages.setdefault((key.task, key.arm, key.item), []).append(link)
    return lambda cell, item: tuple(pages.get((cell.task, cell.arm, item), ()))


def _outcomes(pairs: Sequence[tuple[Cell, Cell]], labels: tuple[str, str]) -> Table:
    """How the samples of both sides ended."""
    body = []
    for cells in pairs:
        for cell, label in zip(cells, labels, strict=True):
            counts = cell.frame["outcome"].value_counts()
            known = [int(counts.get(o.value, 0)) for o in Outcome]
            missing = max(cell.expected - len(cell.frame), 0)
            shares = share(cell.errors, cell.expected)
            body.append((cell.name, label, *(f"{n:,}" for n in (*known, missing)), shares))
    note = (
        "Invalid and refused samples are failures. Errors and missing samples are not scored: where their shares "
        "differ between the sides, or exceed 2 %, the bounds above count, not the estimate."
    )
    heads = ("task and arm", "side", "ok>", "invalid>", "refused>", "error>", "missing>", "lost>")
    return table("How samples ended", heads, body, [note])


def _notes(rows: Sequence[Row]) -> list[str]:
    return [f"{', '.join(cells)}: {note}." for cells, note in row_notes(rows)]


def _facts(side: _Side, label: str) -> Facts:
    results = side.results
    facts = {
        "made by": results.origin,
        "folder": results.path.name,
        "decoding": results.decoding,
        "samples": f"{sum(len(c.frame) for c in results.cells):,}",
    }
    if side.run:
        manifest, spec = side.run.manifest, side.run.manifest.spec
        facts |= {
            "model": str(spec.backend),
            "identity": spec.model_identity or "not recorded",
            "agent": spec.agent.name,
            "tier": spec.tier,
            "seed": str(spec.seed),
            **{f"{t.name}@{t.version}": f"set {t.items_hash}" for t in spec.tasks},
            "Finchmark": manifest.finchmark,
            "specification": manifest.spec_hash,
            "state": "complete" if manifest.complete else "not complete",
        }
    return Facts(
        visible(label),
        tuple((visible(name), visible(value)) for name, value in facts.items()),
        tuple(visible(note) for note in results.notes),
    )
