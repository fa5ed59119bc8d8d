import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounded_mean import (
    cautious_bound,
    cautious_pvalue,
    dirichlet_pvalue,
    few_differ,
    score_pvalue,
    t_pvalue,
)
from finchmark.suite.stats.tango import tango_statistic

TESTS = (lambda x, m, low: t_pvalue(x, m), score_pvalue, dirichlet_pvalue, cautious_pvalue)
differences = st.lists(st.sampled_from(np.linspace(-1, 1, 9)), min_size=5, max_size=60).map(np.array)


def units(zeros, lost, gained=0):
    return np.concatenate([np.zeros(zeros), np.full(lost, -1.0), np.ones(gained)])


def test_t_agrees_with_scipy():
    x = generator("margin t").normal(0, 0.3, 25)
    assert t_pvalue(x, -0.05) == pytest.approx(stats.ttest_1samp(x, -0.05, alternative="greater").pvalue)


def test_t_without_spread_is_certain():
    assert t_pvalue(np.zeros(8), -0.05) == 0
    assert t_pvalue(np.zeros(8), 0.0) == 1


@given(st.integers(1, 60), st.integers(0, 20), st.integers(0, 20), st.sampled_from([0.02, 0.05, 0.2]))
def test_score_of_binary_pairs_is_tangos(zeros, lost, gained, m):
    n = zeros + lost + gained
    z = tango_statistic(gained, lost, n, -m)
    assume(z > 0)
    assert score_pvalue(units(zeros, lost, gained), -m, -1.0) == pytest.approx(stats.norm.sf(float(z)), abs=1e-9)


def test_score_of_one_sided_units_is_wilsons():
    n, lost, m = 120, 2, 0.05
    z = (m - lost / n) / np.sqrt(m * (1 - m) / n)
    assert score_pvalue(units(n - lost, lost), -m, -1.0) == pytest.approx(stats.norm.sf(z))


@pytest.mark.parametrize(("n", "lost"), [(59, 0), (58, 0), (59, 1), (120, 3), (300, 9), (25, 5)])
def test_dirichlet_of_one_sided_units_is_the_exact_binomial(n, lost):
    p = dirichlet_pvalue(units(n - lost, lost), -0.05, -1.0)
    assert p == pytest.approx(stats.binom.cdf(lost, n, 0.05), rel=0.003)


@pytest.mark.parametrize("n", [5, 20, 80])
def test_dirichlet_is_the_chance_that_random_weights_reach_the_level(n):
    rng = generator("margin dirichlet", n)
    x = rng.choice([-1, -0.5, 0, 0.25, 1], n, p=[0.1, 0.2, 0.4, 0.2, 0.1])
    level = x.mean() - 0.1
    means = rng.dirichlet(np.ones(n + 1), 200_000) @ np.append(x, -1.0)
    assert dirichlet_pvalue(x, level, -1.0) == pytest.approx(np.mean(means <= level), abs=0.004)


@pytest.mark.parametrize(("m", "n"), [(0.05, 59), (0.10, 29), (0.02, 149), (0.01, 299)])
def test_units_that_all_agree_pass_from_the_laws_number_on(m, n):
    assert n == int(np.ceil(np.log(0.05) / np.log(1 - m)))
    assert cautious_pvalue(np.zeros(n), -m, -1.0) <= 0.05
    assert cautious_pvalue(np.zeros(n - 1), -m, -1.0) > 0.05


def test_the_cautious_test_is_never_below_its_parts():
    x = generator("margin parts").choice([-1, 0, 0.5, 1], (200, 40), p=[0.1, 0.6, 0.2, 0.1])
    p = cautious_pvalue(x, -0.05, -1.0)
    assert (p >= t_pvalue(x, -0.05)).all()
    assert (p >= score_pvalue(x, -0.05, -1.0)).all()


def test_with_many_different_units_it_is_near_t():
    x = generator("margin near t").normal(0.02, 0.2, (50, 300)).clip(-1, 1)
    assert np.allclose(cautious_pvalue(x, -0.02, -1.0), t_pvalue(x, -0.02), atol=0.01)


@pytest.mark.parametrize("test", TESTS)
def test_cases_are_answered_alike_alone_and_together(test):
    x = generator("margin cases").choice([-1, 0, 1], (4, 3, 40), p=[0.05, 0.85, 0.1])
    p = test(x, -0.05, -1.0)
    assert p.shape == (4, 3)
    assert p[2, 1] == pytest.approx(float(test(x[2, 1], -0.05, -1.0)))


@pytest.mark.parametrize("test", TESTS)
@given(x=differences)
def test_pvalues_rise_with_the_level(test, x):
    levels = np.linspace(-0.9, 0.9, 13)
    p = test(np.broadcast_to(x, (13, x.size)), levels, -1.0)
    assert ((p >= 0) & (p <= 1)).all()
    # 2e-3: the saddlepoint formula jumps to one half at the average.
    assert (np.diff(p[levels < x.mean() - 1e-3]) >= -2e-3).all()


@settings(max_examples=25)
@given(differences)
def test_bound_is_where_the_pvalue_crosses_alpha(x):
    bound = float(cautious_bound(x, -1.0))
    assert -1 <= bound <= x.mean()
    if bound > -1 + 1e-6:
        assert cautious_pvalue(x, bound - 1e-6, -1.0) <= 0.05 + 1e-6
    if bound < x.mean() - 1e-5:
        assert cautious_pvalue(x, bound + 1e-6, -1.0) >= 0.05 - 1e-6


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("x", [np.zeros(12), np.append(np.zeros(11), 1.0), np.full(12, 1e-310), np.ones(12)])
def test_bounds_next_to_the_end_of_the_range_raise_no_warning(x):
    assert 0 <= cautious_bound(x, 0.0) <= x.mean()
    assert -1 <= cautious_bound(-x, -1.0) <= -x.mean()


def test_bound_of_the_worst_is_the_worst():
    assert cautious_bound(np.full(40, -1.0), -1.0) == -1


def test_few_differ_counts_against_the_most_common_value():
    assert few_differ(units(50, 5, 4))
    assert not few_differ(units(50, 5, 5))
    assert few_differ(np.full(30, 1 / 3) + generator("few").normal(0, 1e-13, 30))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: score_pvalue([], 0, -1), "at least one unit"),
        (lambda: score_pvalue([0.0, -1.5], 0, -1), "not -1.5"),
        (lambda: score_pvalue([0.0, float("nan")], 0, -1), "nan"),
        (lambda: dirichlet_pvalue([0.0], -1, -1), "above -1"),
        (lambda: cautious_bound([0.0, -2], -1), "not -2"),
        (lambda: cautious_bound([0.0], -1, 0.6), "0.6"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
