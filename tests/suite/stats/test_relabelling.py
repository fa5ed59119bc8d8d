from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.relabelling import relabel, share_at_least, welch_freedom


def arms(name, n=4, m=3, columns=2):
    rng = generator(name)
    return rng.normal(size=(n, columns)), rng.normal(size=(m, columns))


def test_every_labelling_has_scipys_welch_t():
    a, b = arms("welch")
    r = relabel(a, b, False, 10, 0)
    pooled = np.concatenate([a, b])
    for row, chosen in zip(r.t, combinations(range(7), 4), strict=True):
        rest = [i for i in range(7) if i not in chosen]
        assert row == pytest.approx(stats.ttest_ind(pooled[list(chosen)], pooled[rest], equal_var=False)[0])
    assert r.exact


def test_flipped_signs_have_scipys_t():
    a, b = arms("signs", 4, 4)
    r = relabel(a, b, True, 10, 0)
    assert r.t.shape == (16, 2)
    assert r.t[0] == pytest.approx(stats.ttest_rel(a, b)[0])
    assert relabel(a - b, None, False, 10, 0).t == pytest.approx(r.t)


def test_the_observed_labelling_stands_first_among_random_ones():
    a, b = arms("random", 20, 20)
    r = relabel(a, b, False, 50, 0)
    assert r.t.shape == (51, 2)
    assert not r.exact
    assert r.t[0] == pytest.approx(stats.ttest_ind(a, b, equal_var=False)[0])
    assert r.error == pytest.approx((a.mean(axis=0) - b.mean(axis=0)) / r.t[0])


def test_the_observed_one_always_counts():
    assert share_at_least(np.array([3.0, 1, 2, 3])) == 0.5
    assert share_at_least(np.array([9.0, 1, 2, 3])) == 0.25
    assert share_at_least(np.array([1.0, 1.0 - 1e-12])) == 1


def test_degrees_of_freedom_are_scipys():
    a, b = arms("freedom", 9, 5)
    assert welch_freedom(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).df)
    assert welch_freedom(np.ones((4, 1)), np.ones((3, 1))).tolist() == [5]


def test_bad_permutations_are_named():
    with pytest.raises(ValueError, match="not 0"):
        relabel(*arms("bad"), False, 0, 0)
