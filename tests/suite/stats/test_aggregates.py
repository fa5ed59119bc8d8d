import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.aggregates import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    task_mean,
)


def scores(name, units=10, tasks=6):
    return generator(name).normal(0.5, 0.3, (units, tasks))


@given(st.integers(1, 12), st.integers(1, 7), st.integers(0, 10_000))
def test_point_estimates_equal_the_published_formulas(units, tasks, seed):
    x = generator("formulas", seed).normal(0.5, 0.3, (units, tasks))
    y = np.round(generator("others", seed).normal(0.4, 0.3, (units + 1, tasks)), 1)
    few = {"resamples": 2}
    assert interquartile_mean(x, **few).estimate == pytest.approx(stats.trim_mean(x, 0.25, axis=None))
    assert optimality_gap(x, **few).estimate == pytest.approx(1 - np.minimum(x, 1).mean())
    assert task_mean(x, **few).estimate == pytest.approx(x.mean())
    x = np.round(x, 1)
    theirs = [stats.mannwhitneyu(x[:, t], y[:, t])[0] / (units * (units + 1)) for t in range(tasks)]
    assert probability_of_improvement(x, y, **few).estimate == pytest.approx(np.mean(theirs))


def test_the_profile_equals_the_share_above():
    x = scores("profile")
    at = np.linspace(-0.2, 1.2, 8)
    r = performance_profile(x, at)
    assert r.share == pytest.approx([(x > t).mean() for t in at])
    assert (r.low <= r.share).all()
    assert (r.share <= r.high).all()


def test_the_bootstrap_agrees_with_a_plain_loop():
    x = scores("loop")
    rng = generator("plain loop")
    loop = []
    for _ in range(4000):
        drawn = np.stack([rng.choice(x[:, t], size=10) for t in range(6)], axis=1)
        loop.append(stats.trim_mean(drawn, 0.25, axis=None))
    r = interquartile_mean(x, resamples=4000)
    assert (r.low, r.high) == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.008)


def test_a_task_is_resampled_within_itself():
    # Between tasks there is all the spread, within none: strata leave nothing to chance.
    r = task_mean(np.tile([0.0, 1.0], (10, 1)))
    assert (r.low, r.estimate, r.high) == (0.5, 0.5, 0.5)


def test_tasks_weigh_alike_whatever_their_units():
    r = interquartile_mean({"big": np.full(300, 0.2), "small": np.full(10, 0.8)})
    assert r.estimate == pytest.approx(0.5)
    assert task_mean({"big": np.full(300, 0.2), "small": np.full(10, 0.8)}).estimate == pytest.approx(0.5)
    assert (r.tasks, r.units, r.fewest) == (2, 310, 10)


def test_weights_that_differ_meet_the_plain_formula_where_they_are_equal():
    # Doubling every unit of one task changes no weight of a task: nothing may move.
    x = scores("doubled", units=8, tasks=2)
    doubled = {"a": x[:, 0], "b": np.repeat(x[:, 1], 2)}
    assert interquartile_mean(doubled).estimate == pytest.approx(stats.trim_mean(x, 0.25, axis=None))


def test_missing_units_are_left_out():
    x = scores("missing")
    x[7:, 2] = np.nan
    assert task_mean(x).estimate == pytest.approx(np.nanmean(x, axis=0).mean())
    assert task_mean(x).fewest == 7


def test_one_lucky_task_cannot_move_the_interquartile_mean():
    x = scores("lucky")
    y = x.copy()
    y[:, 0] = 1000
    assert abs(interquartile_mean(y).estimate - interquartile_mean(x).estimate) < 0.2
    assert task_mean(y).estimate > 100


def test_one_unit_a_task_has_no_interval():
    r = interquartile_mean(scores("one", units=1))
    assert np.isnan(r.low)
    assert np.isnan(performance_profile(scores("one", units=1)).high).all()
    assert r.sparse


def test_improvement_is_one_half_against_itself_and_one_against_worse():
    x = scores("itself")
    assert probability_of_improvement(x, x).estimate == pytest.approx(0.5)
    assert probability_of_improvement(x + 10, x).estimate == 1
    many = {"t": generator("many").normal(size=300)}
    assert probability_of_improvement(many, many, resamples=3).estimate == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_numbers():
    x = scores("seed")
    assert interquartile_mean(x, seed=1) == interquartile_mean(x, seed=1)
    assert interquartile_mean(x, seed=1) != interquartile_mean(x, seed=2)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: interquartile_mean([0.1, 0.2]), r"shape \(units, tasks\)"),
        (lambda: interquartile_mean([[np.nan, 1.0]]), "at least one unit"),
        (lambda: interquartile_mean([[np.inf, 1.0]]), "finite"),
        (lambda: probability_of_improvement([[1.0]], [[1.0, 2.0]]), "same tasks"),
        (lambda: probability_of_improvement({"a": [1.0]}, {"b": [1.0]}), "same order"),
        (lambda: performance_profile([[1.0]], [1.0, 0.0]), "ascending"),
        (lambda: task_mean([[1.0]], confidence=1.0), "confidence"),
        (lambda: task_mean([[1.0]], resamples=0), "resamples"),
        (lambda: optimality_gap([[1.0]], target=np.nan), "target"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.slow
def test_the_interval_covers_with_ten_units_a_task():
    rng = generator("aggregate cover")
    centres = np.linspace(0.2, 0.8, 8)
    big = rng.beta(4 * centres, 4 * (1 - centres), (50_000, 8))
    truth = stats.trim_mean(big, 0.25, axis=None)
    found = [
        interquartile_mean(rng.beta(4 * centres, 4 * (1 - centres), (10, 8)), resamples=400, seed=i) for i in range(400)
    ]
    assert np.mean([r.low <= truth <= r.high for r in found]) >= 0.92
