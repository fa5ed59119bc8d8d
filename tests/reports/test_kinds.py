from __future__ import annotations

from collections import Counter

import pytest

from finchmark.reports.kinds import chosen, keys, kind_plot, with_kinds
from finchmark.suite.records import Metric


def frame_of(run):
    return with_kinds(run.frame(), run.manifest.tasks)


def test_kinds_are_outcome_reason_and_what_was_scored(make_run):
    frame = frame_of(make_run({"a": [1, 0, "invalid:cut", "refused", "error:down"]}))
    assert list(zip(frame["shade"], frame["kind"], strict=True)) == [
        ("success", "solved 1"),
        ("ok", "solved 0"),
        ("invalid", "cut"),
        ("refused", "no reason given"),
        ("error", "down"),
    ]


def test_a_metric_that_should_be_low_succeeds_at_0(make_run):
    metric = Metric(name="harm", summary="h", kind="binary", direction="lower", failure=1.0, primary=True)
    assert frame_of(make_run({"a": [1, 0]}, metric=metric))["shade"].tolist() == ["ok", "success"]


def test_what_the_deciding_metric_is_not_asked_of_is_neither(make_run):
    run = make_run({"a": [1, 0]})
    frame = run.frame().assign(solved=[1.0, float("nan")])
    made = with_kinds(frame, run.manifest.tasks)
    assert list(zip(made["shade"], made["kind"], strict=True)) == [
        ("success", "solved 1"),
        ("ok", "solved: not applicable"),
    ]


def test_graded_scores_come_in_thirds(make_run):
    metric = Metric(name="growth", summary="g", failure=0.0, primary=True)
    frame = frame_of(make_run({str(i): [i / 9] for i in range(9)}, metric=metric))
    assert Counter(frame["kind"]) == {f"growth: {w} third": 3 for w in ("lowest", "middle", "highest")}


def test_a_small_run_is_shown_whole(make_run):
    frame = frame_of(make_run({str(i): [1, 0] for i in range(20)}))
    assert len(chosen(frame)) == 40


@pytest.fixture(name="large")
def _large(make_run):
    results = {str(i): [1, 0, 0, 0] for i in range(60)}
    results["60"] = ["invalid:rare", "error:down", 1, "refused:no"]
    for i in range(61, 80):
        results[str(i)] = ["invalid:often"] * 4
    return frame_of(make_run(results, length=lambda item, sample: 1))


def test_a_choice_holds_every_kind(large):
    picked = chosen(large, failed=12, pages=20)
    assert Counter(picked["kind"]) == {"rare": 1, "down": 1, "no": 1, "often": 9, "solved 1": 4, "solved 0": 4}


def test_all_failures_are_shown_where_they_fit(large):
    picked = chosen(large, failed=100, pages=100)
    assert (picked["outcome"] != "ok").sum() == 79


def test_a_choice_is_bounded_and_in_order(large):
    picked = chosen(large, failed=5, pages=9)
    assert len(picked) == 9
    assert picked.index.is_monotonic_increasing


def test_a_choice_is_the_same_each_time_and_not_the_first_ones(large):
    ours = chosen(large, failed=5, pages=30)
    assert keys(ours) == keys(chosen(large.sample(frac=1, random_state=1).sort_index(), failed=5, pages=30))
    solved = ours[ours["kind"] == "solved 1"]
    assert solved["item"].tolist() != [str(i) for i in range(len(solved))]


def test_links_are_given_where_there_is_a_page(large):
    rows = kind_plot(large, lambda key: "x.html" if key.item == "60" else None).table.rows
    found = {row[3]: row[6] for row in rows}
    assert found["rare"][0].target == "x.html"
    assert found["often"] == "–"


def test_many_reasons_are_summed_up(make_run):
    run = make_run({"a": [f"invalid:reason {i}" for i in range(30)]})
    rows = kind_plot(frame_of(run), lambda key: None).table.rows
    assert len(rows) == 9
    assert rows[-1][3:5] == ("22 more kinds", "22")


def test_a_metric_may_be_called_score(make_run):
    metric = Metric(name="score", summary="s", primary=True)
    run = make_run({str(i): [i / 10] for i in range(6)}, metric=metric)
    found = with_kinds(run.frame(), run.manifest.tasks)
    assert found["score"].tolist() == [i / 10 for i in range(6)]
    assert not found["kind"].str.contains("not applicable").any()
