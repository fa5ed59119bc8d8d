"""What differences say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from finchmark.reports.differences import row_notes
from finchmark.suite.comparison import Row, compare
from finchmark.suite.results import from_run


@pytest.fixture(name="row")
def _row(make_run):
    """A real row with some of its fields changed."""
    runs = [make_run({str(i): [i % 2] for i in range(8)}, label=name) for name in ("old", "new")]
    made = compare([from_run(run) for run in runs]).rows[0]
    fields = {name: getattr(made, name) for name in Row.__dataclass_fields__}

    def row(cell: str, metric: str, *notes: str, candidate: str = "new") -> Row:
        values: dict[str, Any] = {"cell_name": cell, "metric": metric, "notes": notes, "candidate": candidate}
        return Row(**(fields | values))

    return row


def test_a_note_of_all_metrics_of_a_cell_names_the_cell_once(row):
    assert row_notes([row("a", "m1", "few"), row("a", "m2", "few"), row("b", "m1", "few")]) == [(("a", "b"), "few")]


def test_a_note_of_one_metric_names_it(row):
    rows = [row("a", "m1", "few"), row("a", "m2"), row("b", "m1"), row("b", "m2", "few", "other")]
    assert row_notes(rows) == [(("a (m1)", "b (m2)"), "few"), (("b (m2)",), "other")]


def test_a_note_of_one_candidate_among_several_names_it(row):
    assert row_notes([row("a", "m1", "few", candidate="x"), row("a", "m1", candidate="y")]) == [(("a (x, m1)",), "few")]
