from pathlib import Path

import pandas as pd

from finchmark.reports.comparison import comparison_text
from finchmark.suite.comparison import compare
from finchmark.suite.records import Metric
from finchmark.suite.results import COLUMNS, Cell, Results

SUCCESS = Metric(name="success", summary="it worked", kind="binary", primary=True)


def side(label, values, error=None):
    rows = [
        {**COLUMNS, "item": str(i), "item_hash": str(i), "success": v, "outcome": "error" if i == error else "ok"}
        for i, v in enumerate(values)
    ]
    frame = pd.DataFrame(rows)
    frame.loc[frame["outcome"] == "error", "success"] = float("nan")
    cell = Cell("demo/x", "1", "default", (SUCCESS,), frame, len(rows), repeats=1)
    return Results(label, "finchmark", Path(label), "greedy", (cell,))


def test_the_table_says_effect_interval_and_verdict():
    text = comparison_text(compare([side("old", [1.0] * 40 + [0.0] * 40), side("new", [1.0] * 80)]))
    assert "+0.500" in text
    assert "better" in text
    assert "+40.0 −0.0" in text
    assert "new (candidate) against old (baseline)." in text


def test_notes_name_their_cells_and_bounds_stand_where_samples_were_lost():
    text = comparison_text(compare([side("old", [1.0] * 20), side("new", [1.0] * 20, error=3)]))
    assert "demo/x@1 (success)" in text or "demo/x@1:" in text
    assert "had every lost sample gone against the candidate" in text
    assert "−0.050 or 0.000" in " ".join(text.split())


def test_hostile_labels_cannot_write_to_the_terminal():
    text = comparison_text(compare([side("old", [1.0] * 9), side("new\x1b[2J\n::error::x", [0.0] * 9)]))
    assert "\x1b" not in text
    assert not any(line.startswith("::error") for line in text.splitlines())
