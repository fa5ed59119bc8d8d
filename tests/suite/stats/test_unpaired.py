import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounds import wilson_bounds
from finchmark.suite.stats.intervals import korn_graubard
from finchmark.suite.stats.pairs import samples_of
from finchmark.suite.stats.unpaired import mover_bounds, unit_means, unpaired_inference


def binary(successes, n, first=0):
    return samples_of([1] * successes + [0] * (n - successes), np.arange(first, first + n))


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_one_sample_a_unit_agrees_with_statsmodels_newcombe(n, m, data):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    x, y = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    expected = proportion.confint_proportions_2indep(y, m, x, n, compare="diff", method="newcomb")
    r = unpaired_inference(binary(x, n), binary(y, m, 100))
    assert r.method == "newcombe"
    assert r.bounds(0.95) == pytest.approx(expected, abs=1e-9)


def test_agrees_with_newcombes_table():
    # Newcombe (1998), Stat. Med. 17, table II, method 10, cases (a) 56/70 - 48/80 and (f) 10/10 - 0/10.
    assert unpaired_inference(binary(48, 80), binary(56, 70, 100)).bounds(0.95) == pytest.approx(
        (0.0524, 0.3339), abs=5e-5
    )
    assert unpaired_inference(binary(0, 10), binary(10, 10, 100)).bounds(0.95) == pytest.approx((0.6075, 1.0), abs=5e-5)


def test_graded_scores_agree_with_scipys_welch():
    rng = generator("welch")
    a, b = rng.normal(0, 1, 20), rng.normal(0.5, 2, 33)
    r = unpaired_inference(
        samples_of(a, range(20), kind="graded", low=None, high=None),
        samples_of(b, range(100, 133), kind="graded", low=None, high=None),
    )
    expected = stats.ttest_ind(b, a, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (r.method, r.estimate) == ("welch-t", pytest.approx(b.mean() - a.mean()))
    assert r.bounds(0.95) == pytest.approx((interval.low, interval.high))
    assert 2 * min(r.tail(0.0), 1 - r.tail(0.0)) == pytest.approx(expected.pvalue)


def test_several_samples_a_unit_are_not_pooled():
    rng = generator("clustered")
    p = rng.beta(0.3, 0.3, (2, 30))
    x = rng.binomial(1, np.repeat(p, 8, axis=1))
    a, b = (samples_of(side, np.repeat(np.arange(30), 8) + 100 * i) for i, side in enumerate(x))
    r = unpaired_inference(a, b)
    of_a, of_b = (korn_graubard(s.values.reshape(30, 8).sum(1), 8) for s in (a, b))
    assert r.method == "mover"
    assert r.bounds(0.95) == pytest.approx(
        [float(v) for v in mover_bounds(of_a.estimate, of_a.low, of_a.high, of_b.estimate, of_b.low, of_b.high)]
    )
    pooled = unpaired_inference(binary(int(x[0].sum()), 240), binary(int(x[1].sum()), 240, 1000)).bounds(0.95)
    assert np.diff(r.bounds(0.95)) > 1.5 * np.diff(pooled)


@given(st.integers(2, 30), st.integers(2, 30), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_tail_belongs_to_the_bounds(n, m, alpha):
    r = unpaired_inference(binary(n // 3, n), binary(m // 2, m, 100))
    low, high = r.bounds(1 - 2 * alpha)
    assert r.tail(low) == pytest.approx(alpha, rel=1e-6)
    assert r.tail(high) == pytest.approx(1 - alpha, rel=1e-6)
    assert r.tail(r.estimate) == 0.5


def test_alike_on_both_sides_still_has_a_width():
    a, b = (samples_of([0.5] * 20, np.arange(20) + 100 * i, kind="graded") for i in (0, 1))
    r = unpaired_inference(a, b)
    low, high = r.bounds(0.95)
    assert (r.method, r.sparse) == ("mover", True)
    assert low < -0.1 < 0.1 < high


def test_a_side_without_samples_bounds_nothing():
    r = unpaired_inference(samples_of([], []), binary(3, 5))
    assert r.method == "none"
    assert np.isnan([*r.bounds(0.95), r.tail(0.0), r.estimate]).all()


def test_one_unit_of_an_open_metric_bounds_nothing():
    a, b = (samples_of([2.0], [i], kind="graded", low=None, high=None) for i in (0, 1))
    assert unpaired_inference(a, b).method == "none"


def test_clusters_make_units():
    side = samples_of([1, 0, 1, 1], [0, 1, 2, 3])
    assert unit_means(side, {0: "x", 1: "x", 2: "y", 3: "y"}).tolist() == [0.5, 1.0]
    with pytest.raises(ValueError, match="3 has none"):
        unit_means(side, {0: "x", 1: "x", 2: "y"})


def test_mover_of_equal_wilson_intervals_is_symmetric():
    low, high = wilson_bounds(4, 10)
    a, b = mover_bounds(0.4, low, high, 0.4, low, high)
    assert a == pytest.approx(-b)


def test_other_metrics_are_refused():
    with pytest.raises(ValueError, match="of one metric"):
        unpaired_inference(binary(1, 2), samples_of([0.5], [1], kind="graded"))
