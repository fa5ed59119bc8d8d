from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.change import mean_change
from finchmark.suite.stats.intervals import t_interval
from finchmark.suite.stats.learning_arms import fall_share, measure_weights, paired_contrasts, price, window_weights

AT = np.array([0.0, 5.0, 10.0, 20.0])
curve = arrays(np.float64, 4, elements=st.floats(-1, 1, width=32))
differences = arrays(np.float64, st.integers(2, 14), elements=st.floats(-1, 1, width=32))


@given(curve)
def test_measures_are_the_last_score_the_least_squares_slope_and_the_trapezoids(scores):
    w = measure_weights(AT)
    assert scores @ w["end"] == scores[-1]
    assert scores @ w["slope"] == pytest.approx(np.polyfit(AT, scores, 1)[0], abs=1e-9)
    assert scores @ w["area"] == pytest.approx(np.trapezoid(scores, AT) / 20, abs=1e-12)


def test_one_checkpoint_has_an_end_and_no_slope():
    assert list(measure_weights([20])) == ["end"]


def test_the_end_of_a_window_is_its_last_quarter_and_its_area_the_plain_mean():
    w = window_weights(np.arange(20))
    assert np.arange(20) @ w["end"] == pytest.approx(17.0)
    assert np.arange(20) @ w["area"] == pytest.approx(9.5)
    assert np.arange(20) @ w["slope"] == pytest.approx(1.0)
    assert window_weights([0, 1])["end"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("points", [[], [1, 1], [2, 1], [0, np.nan]])
def test_points_must_ascend(points):
    with pytest.raises(ValueError, match="ascending"):
        measure_weights(points)


@given(differences)
def test_the_interval_is_students_t_cut_to_what_can_be(d):
    got = paired_contrasts(d, reach=1.0)
    wanted = t_interval(d, low=-1.0, high=1.0)
    assert (float(got.estimate), float(got.low), float(got.high)) == pytest.approx(
        (wanted.estimate, wanted.low, wanted.high), abs=1e-9
    )


def test_the_p_value_is_that_of_flipped_signs():
    d = generator("tests", "flips").normal(0.3, 1, 9)
    got = paired_contrasts(d)
    theirs = stats.permutation_test(
        (d,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", vectorized=True
    )
    assert float(got.p_value) == pytest.approx(theirs.pvalue)
    assert bool(got.exact)


def test_it_agrees_with_the_test_of_change_where_both_apply():
    rng = generator("tests", "agree")
    a, b = rng.normal(0.2, 1, (8, 2)), rng.normal(0, 1, (8, 2))
    change = mean_change(a, b, paired=True)
    got = paired_contrasts((a[:, 1] - a[:, 0]) - (b[:, 1] - b[:, 0]))
    assert (float(got.low), float(got.high), float(got.p_value)) == pytest.approx(
        (change.low, change.high, change.p_value)
    )


@given(st.integers(1, 4), differences)
def test_many_cases_are_read_as_one_by_one(cases, d):
    many = np.stack([np.roll(d, k) * (-1.0) ** k for k in range(cases)])
    got = paired_contrasts(many, reach=1.0)
    for k in range(cases):
        one = paired_contrasts(many[k], reach=1.0)
        for name in ("estimate", "low", "high", "p_value"):
            assert getattr(got, name)[k] == pytest.approx(float(getattr(one, name)))


@given(differences)
def test_exchanging_the_arms_turns_the_sign_and_nothing_else(d):
    a, b = paired_contrasts(d, reach=1.0), paired_contrasts(-d, reach=1.0)
    assert float(a.estimate) == pytest.approx(-float(b.estimate))
    assert float(a.low) == pytest.approx(-float(b.high))
    assert float(a.p_value) == float(b.p_value)


def test_streams_that_differ_alike_are_not_certain():
    bounded, open_ended = paired_contrasts(np.full(8, 0.2), reach=1.0), paired_contrasts(np.full(8, 0.2))
    assert float(bounded.low) < 0.2 < float(bounded.high)
    assert np.isnan(float(open_ended.low))


def test_one_stream_bounds_nothing():
    got = paired_contrasts([0.5], reach=1.0)
    assert float(got.p_value) == 1
    assert (float(got.low), float(got.high)) == (-1.0, 1.0)
    assert np.isnan(float(paired_contrasts([0.5]).low))


@pytest.mark.parametrize(
    ("d", "options"),
    [([np.nan], {}), ([], {}), ([0.5], {"reach": 0.1}), ([0.5], {"reach": -1.0}), ([0.5], {"confidence": 1.0})],
)
def test_bad_differences_are_refused(d, options):
    with pytest.raises(ValueError, match="must"):
        paired_contrasts(d, **options)


def test_falls_are_counted_between_neighbours():
    x = np.array([[0.1, 0.3, 0.2, 0.2, 0.1], [0.5, 0.5, 0.5, 0.5, 0.5]])
    assert fall_share(x).tolist() == [(2 + 0.5) / 4, 0.5]
    assert fall_share(x, direction=-1).tolist() == [(1 + 0.5) / 4, 0.5]


@given(curve)
def test_what_is_read_backwards_falls_where_it_rose(scores):
    assert float(fall_share(scores) + fall_share(scores[::-1])) == pytest.approx(1.0)


def test_a_rounding_is_no_fall():
    assert float(fall_share([0.1 + 0.2, 0.3])) == 0.5


@pytest.mark.parametrize(("x", "direction"), [([0.5], 1), ([0.5, np.nan], 1), ([0.5, 0.5], 0)])
def test_bad_falls_are_refused(x, direction):
    with pytest.raises(ValueError, match="must be"):
        fall_share(x, direction=direction)


def test_a_price_is_between_the_ratios_that_a_t_test_cannot_refute():
    rng = generator("tests", "price")
    gained = rng.normal(0.2, 0.05, 12)
    spent = 5000 + 2000 * gained + rng.normal(0, 300, 12)
    got = price(spent, gained)
    for r in (got.low, got.high):
        assert stats.ttest_1samp(spent - r * gained, 0).pvalue == pytest.approx(0.05, abs=1e-6)
    assert got.estimate == pytest.approx(spent.mean() / gained.mean())
    assert got.low < got.estimate < got.high


def test_what_is_not_told_from_no_gain_has_no_price():
    rng = generator("tests", "no price")
    got = price(rng.normal(5000, 100, 12), rng.normal(0.0, 0.1, 12))
    assert np.isnan(got.low)
    assert got.method == "none"


def test_a_price_needs_both_of_every_stream():
    with pytest.raises(ValueError, match="one number a stream each"):
        price([1.0, 2.0], [1.0])
