from __future__ import annotations

import numpy as np
import pytest

from finchmark.reports.endings import censored, complete, endings
from finchmark.reports.episodes import Gatherer, played_turns
from finchmark.reports.turns import courses
from finchmark.suite.records import Metric


def cell_of(run):
    gatherer = Gatherer(run.manifest.tasks.values())
    for sample in run.samples():
        gatherer.add(sample)
    (cell,) = gatherer.cells
    return cell


def test_questions_after_the_end_are_no_play(make_run):
    (sample,) = make_run({"a": [1]}).samples()
    asked = sample.turns[0].model_copy(update={"index": 3, "after": "The answer is yes.", "scores": {"right": 1.0}})
    longer = sample.model_copy(update={"turns": (*sample.turns, asked)})
    assert played_turns(longer) == 3


def test_an_episode_that_was_stopped_counts_its_turns(make_run):
    (sample,) = make_run({"a": [1]}).samples()
    stopped = sample.model_copy(update={"turns": sample.turns[:2]})
    assert played_turns(stopped) == 2


def test_shares_of_endings_sum_to_one(make_run):
    lengths = {("a", 0): 1, ("a", 1): 2, ("b", 0): 2, ("b", 1): 4}
    cell = cell_of(make_run({"a": [1, 0], "b": [1, 0]}, length=lambda i, s: lengths[i, s]))
    found = endings(cell)
    assert found.open.tolist() == [4, 3, 1, 1, 0]
    assert found.success.tolist() == [0, 0.25, 0.5, 0.5, 0.5]
    assert found.other.tolist() == [0, 0, 0.25, 0.25, 0.5]
    assert np.allclose(found.open / 4 + found.success + found.other, 1)


def test_the_interval_at_the_end_is_that_of_the_score(make_run):
    from finchmark.leaderboard.entries import entries
    from finchmark.leaderboard.standings import rows

    run = make_run({str(i): [i % 2, 1] for i in range(40)}, length=lambda i, s: 1 + (int(i) + s) % 5)
    found = endings(cell_of(run))
    score = next(s for s in rows(entries([run])[0]) if s.primary)
    assert found.success[-1] == pytest.approx(score.mean)
    assert (found.low[-1], found.high[-1]) == pytest.approx((score.low, score.high))


def test_errors_censor(make_run):
    lengths = {("a", 0): 1, ("a", 1): 1, ("b", 0): 2, ("b", 1): 2}
    run = make_run({"a": [1, "error"], "b": [0, 1]}, length=lambda i, s: lengths[i, s])
    found = endings(cell_of(run))
    assert found.open.tolist() == [4, 2, 0]
    # A quarter ended at turn 1; of the rest, half of those still there succeed.
    assert found.success == pytest.approx([0, 0.25, 0.625])
    assert found.other == pytest.approx([0, 0, 0.375])
    assert found.method.startswith("aalen-johansen")


def test_without_errors_both_ways_agree(make_run):
    run = make_run({str(i): [i % 2, 1, 0] for i in range(20)}, length=lambda i, s: 1 + (int(i) + s) % 4)
    cell = cell_of(run)
    one, other = complete(cell), censored(cell)
    assert one.success == pytest.approx(other.success)
    assert one.other == pytest.approx(other.other)
    assert one.open.tolist() == other.open.tolist()


def test_a_metric_without_success_has_endings_only(make_run):
    metric = Metric(name="growth", summary="g", failure=0.0, primary=True)
    found = endings(cell_of(make_run({"a": [0.5], "b": [0.1]}, metric=metric)))
    assert found.success is None
    assert found.other.tolist() == [0, 0, 0, 1]


def test_a_course_is_the_mean_over_those_who_get_there(make_run):
    lengths = {"a": 3, "b": 1}
    run = make_run(
        {"a": [1], "b": [0]}, length=lambda i, s: lengths[i], scores=[{"trust": 0.2}, {"trust": 0.4}, {"trust": 0.9}]
    )
    (course,) = courses(cell_of(run))
    assert course.measure == "trust"
    assert course.mean.tolist() == [0.2, 0.4, 0.9]
    assert course.episodes.tolist() == [2, 1, 1]
    assert course.open.tolist() == [2, 1, 1, 0]


def test_samples_of_an_item_are_one_unit_of_a_course(make_run):
    run = make_run({str(i): [1] * 4 for i in range(30)}, unusable=[1])
    (course,) = courses(cell_of(run))
    assert course.measure == "unusable actions"
    assert course.mean.tolist() == [0, 1, 0]
    # Clopper-Pearson at 30 units, not at 120 samples.
    assert course.low[1] == pytest.approx(0.025 ** (1 / 30))


def test_one_unit_bounds_nothing(make_run):
    (course,) = courses(cell_of(make_run({"a": [1] * 9}, unusable=[0])))
    assert np.isnan(course.low).all()


def test_many_turns_share_bins(make_run):
    run = make_run({"a": [1], "b": [1]}, length=lambda i, s: 100, unusable=[99])
    (course,) = courses(cell_of(run))
    assert len(course.mean) == 20
    assert (course.first[0], course.last[0], course.last[-1]) == (1, 5, 100)
    assert course.mean[-1] == pytest.approx(0.2)
