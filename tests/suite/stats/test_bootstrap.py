import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bootstrap import bootstrap, bootstrap_bounds, bootstrap_difference, bootstrap_draws


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("shape", ["normal", "skewed", "binary"])
def test_agrees_with_scipys_bootstrap(method, shape):
    rng = generator("scipy", shape)
    x = {"normal": rng.normal(0, 1, 40), "skewed": rng.exponential(1, 40), "binary": rng.binomial(1, 0.3, 40)}[shape]
    theirs = stats.bootstrap(
        (x,), np.mean, n_resamples=60_000, batch=2_000, method=method.upper() if method == "bca" else method, rng=rng
    )
    ours = bootstrap(x, method=method, resamples=60_000)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.02 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.02 * width)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.02)


def test_acceleration_of_the_mean_is_that_of_the_jackknife():
    x = generator("jackknife").exponential(1, 25)
    of_mean = bootstrap_draws(x, resamples=50)
    by_jackknife = bootstrap_draws(x, statistic=lambda w: w @ x / 25, resamples=50)
    assert of_mean.acceleration == pytest.approx(by_jackknife.acceleration)
    u = x - x.mean()
    # Efron and Tibshirani (1993), eq. 14.15
    assert of_mean.acceleration == pytest.approx((u**3).sum() / (6 * (u**2).sum() ** 1.5))


def test_any_statistic_of_weights_agrees_with_scipy():
    rng = generator("ratio")
    x, y = rng.gamma(2, 1, (2, 30))

    def ratio(i):
        return y[i].sum() / x[i].sum()

    theirs = stats.bootstrap(
        (np.arange(30),), ratio, n_resamples=5_000, method="BCa", vectorized=False, rng=rng
    ).confidence_interval
    ours = bootstrap(x, statistic=lambda w: (w @ y) / (w @ x), resamples=20_000)
    assert ours.estimate == pytest.approx(y.sum() / x.sum())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05 * (theirs.high - theirs.low))


def test_whole_units_are_drawn():
    # Ten units of 50 equal samples are ten numbers.
    means = generator("units").normal(0, 1, 10)
    ours = bootstrap(np.repeat(means, 50), np.repeat(np.arange(10), 50), seed=1)
    assert (ours.low, ours.high) == pytest.approx((lambda r: (r.low, r.high))(bootstrap(means, seed=1)))
    assert ours.units == 10


def test_units_count_alike_whatever_their_samples():
    assert bootstrap([1, 1, 1, 0], ["a", "a", "a", "b"]).estimate == 0.5


def test_a_seed_repeats_and_another_differs():
    x = generator("seed").normal(0, 1, 30)
    assert bootstrap(x, seed=5) == bootstrap(x, seed=5)
    assert bootstrap(x, seed=5).low != bootstrap(x, seed=6).low
    assert bootstrap(x, seed=5).seed == 5


def test_chunks_leave_no_trace_in_the_number_of_resamples():
    assert bootstrap_draws(np.arange(1500), resamples=1_301).values.size == 1_301


def test_the_difference_is_that_of_common_units():
    a, b = generator("difference").normal(0, 1, (2, 31))
    ours = bootstrap_difference(a, range(31), b[::-1], range(30, -1, -1), seed=2)
    alone = bootstrap(b - a, seed=2)
    assert (ours.low, ours.high) == pytest.approx((alone.low, alone.high))
    assert bootstrap_difference([*a, 99], range(32), b, range(31), seed=2).units == 31


def test_a_difference_without_common_units_is_refused():
    with pytest.raises(ValueError, match="share no unit"):
        bootstrap_difference([1], ["x"], [1], ["y"])


@pytest.mark.parametrize("values", [[0.4], [0.3] * 20])
@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_resampling_units_that_are_all_alike_cannot_tell(values, method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        r = bootstrap(values, method=method, resamples=200)
    assert np.isnan([r.low, r.high]).all()
    assert r.estimate == pytest.approx(values[0])


@given(st.integers(2, 25), st.floats(-50, 50), st.floats(0.01, 100))
def test_moves_and_stretches_with_the_data(k, shift, scale):
    x = generator("equivariant", k).normal(0, 1, k)
    base, moved = bootstrap(x, resamples=300), bootstrap(shift + scale * x, resamples=300)
    assert moved.low == pytest.approx(shift + scale * base.low, abs=1e-6 * (scale + abs(shift)))
    assert moved.high == pytest.approx(shift + scale * base.high, abs=1e-6 * (scale + abs(shift)))


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_the_tail_belongs_to_the_bounds(method):
    draws = bootstrap_draws(generator("tail").exponential(1, 40), resamples=20_000)
    for alpha in (0.01, 0.05, 0.2):
        low, high = draws.bounds(1 - 2 * alpha, method)
        assert draws.tail(low, method) == pytest.approx(alpha, rel=0.02)
        assert draws.tail(high, method) == pytest.approx(1 - alpha, rel=0.02)


def test_a_tail_is_never_zero():
    assert 0 < bootstrap_draws(generator("far").normal(5, 1, 30), resamples=100).tail(-5.0, "percentile") < 0.01


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_many_cases_give_what_single_cases_give(method):
    x = generator("many").exponential(1, (4, 35))
    low, high = bootstrap_bounds(x, method=method, resamples=3_000, seed=7)
    one = bootstrap(x[2], method=method, resamples=3_000, seed=7)
    assert (low[2], high[2]) == pytest.approx((one.low, one.high))


def test_many_cases_show_the_zero_width_of_units_that_are_all_alike():
    low, high = bootstrap_bounds(np.full((2, 30), 0.0))
    assert (low == 0).all()
    assert (high == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1, np.nan]}, "finite"),
        ({"values": []}, "at least one unit"),
        ({"values": [1, 2], "units": [1]}, r"shape \(2,\), not \(1,\)"),
        ({"values": [1, 2], "confidence": 95}, "not 95"),
        ({"values": [1, 2], "method": "basic"}, "not 'basic'"),
        ({"values": [1, 2], "resamples": 0}, "at least 1, not 0"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(**arguments)


@pytest.mark.slow
def test_bca_covers_the_mean_of_60_skewed_units_better_than_percentile():
    # Of 60 units .3 fall by a uniform score: coverage .94 to .95, percentile below it on the long side.
    rng = generator("coverage")
    x = -np.where(rng.random((4_000, 60)) < 0.3, rng.random((4_000, 60)), 0)
    missed = {}
    for method in ("bca", "percentile"):
        low, high = bootstrap_bounds(x, method=method, resamples=1_000, seed=3)
        missed[method] = (high < -0.15).mean(), (low > -0.15).mean()
    assert 1 - sum(missed["bca"]) >= 0.93
    assert abs(missed["bca"][1] - missed["bca"][0]) < abs(missed["percentile"][1] - missed["percentile"][0])


def test_few_distinct_means_are_drawn_by_their_counts():
    # 400 units of three means take another way than 400 different ones; scaled noise makes them differ.
    x = generator("few").choice([0.0, 0.25, 1.0], 400)
    noisy = x + 1e-9 * generator("noise").random(400)
    few, many = bootstrap(x, resamples=40_000), bootstrap(noisy, resamples=40_000)
    assert few.standard_error == pytest.approx(x.std() / 20, rel=0.02)
    assert few.standard_error == pytest.approx(many.standard_error, rel=0.02)
    assert (few.low, few.high) == pytest.approx((many.low, many.high), abs=0.03 * few.standard_error)
