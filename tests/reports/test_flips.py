from __future__ import annotations

import pytest

from finchmark.reports.flips import change_table, changes, flip_plot, most_changed
from finchmark.reports.tables import Link
from finchmark.suite.records import Metric
from finchmark.suite.results import from_run
from finchmark.suite.stats.pairs import Flips


def cells(make_run, a, b, **options):
    return tuple(from_run(make_run(side, **options)).cells[0] for side in (a, b))


def test_flips_are_a_bar_and_a_row_each():
    plot = flip_plot([("one", Flips(3, 1, 5, 1)), ("two", Flips(0.5, 0.25, 0, 0))])
    assert [row[1:] for row in plot.table.rows] == [("3", "1", "5", "1"), ("0.5", "0.2", "0", "0")]
    assert plot.svg.count("<svg") == 1
    for word in ("gained", "lost", "both", "neither"):
        assert f">{word}</text>" in plot.svg


def test_without_flips_there_is_no_figure():
    assert flip_plot([]) is None


def test_items_are_paired_by_content_the_largest_change_first(make_run):
    a, b = cells(make_run, {"x": [1, 1], "y": [0, 1], "only-a": [1, 1]}, {"x": [0, 0], "y": [1, 1], "only-b": [0, 0]})
    found = changes(a, b)
    assert [(c.item, c.a, c.b, c.difference) for c in found] == [("x", 1, 0, -1), ("y", 0.5, 1, 0.5)]


def test_errors_change_nothing(make_run):
    a, b = cells(make_run, {"x": [1, "error"], "y": ["error"]}, {"x": [1, 1], "y": [1, 1]})
    assert [(c.item, c.difference) for c in changes(a, b)] == [("x", 0)]


def test_only_the_most_changed_are_listed(make_run):
    first = {f"{i:02}": [i / 30] for i in range(30)}
    second = {f"{i:02}": [1 - i / 30] for i in range(30)}
    a, b = cells(make_run, first, second, metric=Metric(name="g", summary="g", failure=0.0, primary=True))
    assert [c.item for c in most_changed(changes(a, b))] == ["29", "28", "27", "26", "25", "00", "01", "02", "03", "04"]
    table = change_table([(a, b)], lambda cell, item: (), lambda cell, item: (Link("t", f"{item}.html"),))
    assert len(table.rows) == 10
    assert table.rows[0][2:5] == ("0.967", "0.033", "−0.933")
    assert table.rows[0][6] == (Link("t", "29.html"),)
    assert "19 more items changed." in table.notes


def test_nothing_changed_is_no_table(make_run):
    pair = cells(make_run, {"x": [1]}, {"x": [1]})
    assert change_table([pair], lambda cell, item: (), lambda cell, item: ()) is None


@pytest.mark.parametrize("name", ["<script>", "a|b", "x" * 500])
def test_hostile_names_stay_text(name):
    svg = flip_plot([(name, Flips(1, 1, 1, 1))]).svg
    assert "<script" not in svg
    assert "x" * 100 not in svg
