from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats import pass_at_k, pass_hat_k
from finchmark.suite.stats.estimators import best_of_k, worst_of_k


@st.composite
def n_c_k(draw):
    n = draw(st.integers(1, 60))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


def subsets(n, c, k):
    """All k-subsets of n samples, of which the first c succeed, as tuples of booleans."""
    return list(combinations([i < c for i in range(n)], k))


@pytest.mark.parametrize("n", range(1, 8))
def test_both_equal_the_enumeration_of_all_subsets(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            draws = subsets(n, c, k)
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-12)
            assert pass_hat_k(n, c, k) == pytest.approx(sum(map(all, draws)) / len(draws), abs=1e-12)


@given(n_c_k())
def test_both_equal_the_formula_in_whole_numbers(args):
    n, c, k = args
    assert pass_at_k(n, c, k) == pytest.approx(1 - comb(n - c, k) / comb(n, k), abs=1e-12)
    assert pass_hat_k(n, c, k) == pytest.approx(comb(c, k) / comb(n, k), rel=1e-9, abs=1e-300)


@given(n_c_k())
def test_both_stay_within_0_and_1_and_in_order(args):
    n, c, k = args
    assert 0 <= pass_hat_k(n, c, k) <= c / n + 1e-12
    assert c / n - 1e-12 <= pass_at_k(n, c, k) <= 1


@given(n_c_k())
def test_more_tries_never_hurt_one_and_never_help_all(args):
    n, c, _ = args
    k = np.arange(1, n + 1)
    assert (np.diff(pass_at_k(n, c, k)) >= -1e-12).all()
    assert (np.diff(pass_hat_k(n, c, k)) <= 1e-12).all()


@given(n_c_k())
def test_at_least_one_success_is_not_all_failures(args):
    n, c, k = args
    assert pass_at_k(n, c, k) == pytest.approx(1 - pass_hat_k(n, n - c, k), abs=1e-12)


def test_one_try_is_the_mean():
    assert np.allclose(pass_at_k(8, np.arange(9), 1), np.arange(9) / 8)
    assert np.allclose(pass_hat_k(8, np.arange(9), 1), np.arange(9) / 8)


def test_too_few_samples_do_not_tell():
    assert np.isnan(pass_at_k([2, 4], [1, 1], 4)).tolist() == [True, False]
    assert np.isnan(pass_hat_k([2, 4], [2, 4], 4)).tolist() == [True, False]


def test_no_success_is_exactly_zero_and_positive():
    assert not np.signbit(pass_at_k(10, 0, 3))
    assert pass_at_k(10, 0, 3) == 0
    assert pass_hat_k(10, 2, 3) == 0


def test_large_numbers_keep_their_digits():
    n = 10**6
    assert pass_at_k(n, 1, 1000) == pytest.approx(1e-3, rel=1e-12)
    assert pass_at_k(n, n // 2, 3) == pytest.approx(1 - comb(n // 2, 3) / comb(n, 3), rel=1e-12)
    assert pass_at_k(n, 3, n // 2) == pytest.approx(1 - comb(n // 2, 3) / comb(n, 3), rel=1e-12)


def test_large_k_and_c_do_not_overflow():
    assert pass_at_k(20_000, 5_000, 10_000) == 1.0
    assert pass_hat_k(20_000, 19_999, 10_000) == pytest.approx(0.5)


def test_arrays_are_broadcast():
    assert pass_at_k([[4], [8]], [0, 1, 2], 2).shape == (2, 3)


@pytest.mark.parametrize(
    ("n", "c", "k", "text"),
    [
        (4, 5, 1, "c .* not 5"),
        (4, -1, 1, "c .* not -1"),
        (4, 1, 0, "k .* not 0"),
        (4.5, 1, 1, "n .* not 4.5"),
        (4, 0.5, 1, "0.5"),
    ],
)
def test_bad_numbers_are_named(n, c, k, text):
    with pytest.raises(ValueError, match=text):
        pass_at_k(n, c, k)


def test_pass_at_k_is_unbiased_where_the_plug_in_is_not():
    p, n, k = 0.2, 8, 4
    c = generator("pass@k").binomial(n, p, 40_000)
    truth = 1 - (1 - p) ** k
    assert pass_at_k(n, c, k).mean() == pytest.approx(truth, abs=0.005)
    assert (1 - (1 - c / n) ** k).mean() < truth - 0.02


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.integers(1, 8))
def test_best_and_worst_equal_the_enumeration_of_all_subsets(values, k):
    if k > len(values):
        assert np.isnan(best_of_k(values, k))
        return
    draws = list(combinations(values, k))
    assert best_of_k(values, k) == pytest.approx(np.mean([max(d) for d in draws]), abs=1e-12)
    assert worst_of_k(values, k) == pytest.approx(np.mean([min(d) for d in draws]), abs=1e-12)


@given(n_c_k())
def test_best_and_worst_of_0_and_1_are_pass_at_k_and_pass_hat_k(args):
    n, c, k = args
    values = np.arange(n) < c
    assert best_of_k(values, k) == pytest.approx(pass_at_k(n, c, k), abs=1e-12)
    assert worst_of_k(values, k) == pytest.approx(pass_hat_k(n, c, k), abs=1e-12)


def test_items_may_have_fewer_samples():
    nan = np.nan
    values = [[0.2, nan, 0.8], [0.5, nan, nan], [0.1, 0.4, 0.9], [nan, nan, nan]]
    assert best_of_k(values, 2) == pytest.approx([0.8, nan, (0.4 + 0.9 + 0.9) / 3, nan], nan_ok=True)
    assert worst_of_k(values, 1) == pytest.approx([0.5, 0.5, 1.4 / 3, nan], nan_ok=True)


def test_best_of_many_keeps_its_digits():
    values = np.arange(2000.0)
    assert best_of_k(values, 1) == pytest.approx(values.mean())
    assert best_of_k(values, 2000) == 1999
    # The highest of k of 0..n-1: k (n + 1) / (k + 1) - 1.
    assert best_of_k(values, 7) == pytest.approx(7 * 2001 / 8 - 1, rel=1e-12)


def test_worst_of_k_is_unbiased_where_the_plug_in_is_not():
    x = generator("worst of k").uniform(size=(20_000, 6))
    assert worst_of_k(x, 4).mean() == pytest.approx(0.2, abs=0.003)
    assert x.min(axis=1).mean() < 0.15


@pytest.mark.parametrize("k", [0, 1.5, -1])
def test_a_bad_k_of_best_of_k_is_named(k):
    with pytest.raises(ValueError, match=f"not {k}"):
        best_of_k([0.1, 0.2], k)
