import numpy as np
import pytest

from finchmark.leaderboard.badges import column_names
from finchmark.leaderboard.columns import columns
from finchmark.leaderboard.entries import entries
from finchmark.leaderboard.standings import rows
from finchmark.suite.records import STOPPED_EARLY, BackendChoice, Level, Metric


def make(*runs):
    listed = entries(runs)
    return columns(listed, [row for entry in listed for row in rows(entry)])


@pytest.mark.parametrize(
    "other",
    [{"version": 2}, {"tier": "full"}, {"items_hash": "items1"}, {"task": "family/other"}],
)
def test_whatever_differs_in_the_task_makes_another_column(make_run, other):
    assert len(make(make_run({"a": [1]}, folder="1"), make_run({"a": [1]}, folder="2", **other))) == 2


def test_arms_are_columns_of_their_own(make_run):
    assert [c.key.arm for c in make(make_run({"one": {"a": [1]}, "two": {"a": [0]}}))] == ["one", "two"]


def test_decoding_makes_no_column_but_rows(make_run):
    (column,) = make(make_run({"a": [1]}, folder="1"), make_run({"a": [1]}, folder="2", temperature=0))
    assert len(column.ranked) == 2


def test_a_column_is_named_as_a_board_names_it(make_run):
    run = make_run({"one": {"a": [1]}, "two": {"a": [0]}})
    assert tuple(c.key.name for c in make(run)) == column_names(run.manifest)


def test_scores_are_unit_means_side_by_side_with_gaps(make_run):
    (column,) = make(
        make_run({"a": [1, 0], "b": [1, 1]}, label="x", folder="1"),
        make_run({"b": [0, "error"], "c": [1, 1]}, label="y", folder="2"),
    )
    assert column.scores.labels == ("a", "b", "c")
    np.testing.assert_array_equal(column.scores.values, [[0.5, 1, np.nan], [np.nan, 0, 1]])


def test_items_are_the_same_if_their_content_is(make_run):
    first, second = make_run({"a": [1]}, label="x", folder="1"), make_run({"b": [0]}, label="y", folder="2")
    second.table["item_hash"] = "ha"
    (column,) = make(first, second)
    assert column.scores.values.shape == (2, 1)
    assert column.scores.labels == ("a",)


def test_streams_are_the_units_where_there_are_any(make_run):
    metric = Metric(name="solved", summary="", kind="binary", primary=True, clusters=("sample", "item", "stream"))
    run = make_run({"a": [1, 0], "b": [1, 1]}, metrics=(metric,))
    run.table["stream"] = [f"s{i}" for i in run.table["sample"]]
    (column,) = make(run)
    assert column.unit == "stream"
    np.testing.assert_array_equal(column.scores.row("model"), [1.0, 0.5])
    np.testing.assert_array_equal(column.by_item.row("model"), [0.5, 1.0])


def test_models_are_ranked_best_first_and_references_not_at_all(make_run):
    scripted = make_run({"a": [1]}, folder="o", backend=BackendChoice(name="scripted", model="oracle"))
    (column,) = make(scripted, *(make_run({"a": [v]}, label=f"m{v}", folder=str(v)) for v in (0, 1)))
    assert column.ranked == ("m1", "m0")


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([None], (None, "not known")),
        ([Level(chance=0.1)], (0.1, "declared")),
        ([Level(chance=0.1), Level(chance=0.3, exact=True)], (0.3, "exact")),
        ([Level(chance=0.1), Level(chance=0.3)], (None, "entries state different values")),
    ],
)
def test_chance_is_what_was_computed_before_what_was_declared(make_run, levels, expected):
    runs = [
        make_run({"a": [1]}, folder=str(i), levels={"default": {"solved": level}} if level else None)
        for i, level in enumerate(levels)
    ]
    (column,) = make(*runs)
    assert column.level("chance") == expected


def test_a_run_that_a_gate_stopped_has_no_rank_and_keeps_its_row(make_run, site):
    results = {str(i): [i % 2] for i in range(6)}
    best = {str(i): [1] for i in range(4)}
    runs = [make_run(results, label=name, folder=name) for name in ("x", "y")]
    runs.append(make_run(best, label="z", folder="z", items=6, complete=False, notes=(STOPPED_EARLY,)))
    (column,) = make(*runs)
    assert column.ranked == ("x", "y")
    pages = site(*runs)
    for words in (pages.read("index.html").words, pages.one("task").words):
        assert "stopped early by a gate: 2 of 6 samples missing. It is not ranked" in words
    assert all(f"model-{name}" in " ".join(pages.one("task").links) for name in "xyz")
