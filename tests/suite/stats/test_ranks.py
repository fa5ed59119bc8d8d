import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.ranks import pairwise, rank_models


def scores(name, means, units=60, noise=0.1):
    rng = generator(name)
    return np.asarray(means)[:, None] + rng.normal(0, 0.3, units) + rng.normal(0, noise, (len(means), units))


def test_clear_models_have_one_rank_and_a_letter_each():
    r = rank_models(scores("clear", [0.2, 0.9, 0.5]))
    assert r.rank.tolist() == [3, 1, 2]
    assert r.low.tolist() == r.high.tolist() == [3, 1, 2]
    assert r.letters == ("c", "a", "b")


def test_models_that_cannot_be_told_apart_share_ranks_and_a_letter():
    r = rank_models(scores("same", [0.5, 0.5, 0.1]))
    assert r.low.tolist() == [1, 1, 3]
    assert r.high.tolist() == [2, 2, 3]
    assert r.letters == ("a", "a", "b")


def test_low_scores_may_be_good():
    x = scores("low", [0.2, 0.9, 0.5])
    up, down = rank_models(x), rank_models(-x, higher_is_better=False)
    assert (up.rank == down.rank).all()
    assert (up.low == down.low).all()
    assert up.letters == down.letters


def test_equal_means_share_the_best_of_their_ranks():
    assert rank_models([[0.1, 0.3], [0.3, 0.1], [0, 0]]).rank.tolist() == [1, 1, 3]


def test_two_models_agree_with_the_paired_t_test_up_to_the_two_units_added():
    x = scores("t", [0.5, 0.52], units=400)
    p = pairwise(x).p_value[0, 1]
    assert p == pytest.approx(stats.ttest_rel(x[0], x[1]).pvalue, rel=0.1)


@pytest.mark.parametrize("lost", [4, 5, 6, 7])
def test_few_unequal_pairs_come_near_the_exact_sign_test(lost):
    a = np.ones(30)
    b = a.copy()
    b[:lost] = 0
    p = pairwise([a, b]).p_value[0, 1]
    exact = 2 * 0.5**lost
    assert 0.7 * exact < p < 1.25 * exact
    assert stats.ttest_rel(a, b).pvalue < 0.6 * exact


def test_intervals_and_p_values_decide_alike():
    r = pairwise(scores("agree", [0.5, 0.53, 0.56, 0.6], units=40))
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        assert r.different[i, j] == (r.low[i, j] > 0 or r.high[i, j] < 0)
        assert (r.low[i, j], r.high[i, j]) == (-r.high[j, i], -r.low[j, i])


def test_models_that_never_differ_are_not_different_and_not_certain():
    x = scores("never", [0.5, 0.5, 0.2])
    x[1] = x[0]
    r = pairwise(x)
    assert (r.difference[0, 1], r.p_value[0, 1]) == (0, 1)
    assert r.low[0, 1] < 0 < r.high[0, 1]
    assert np.isnan(pairwise([[1.0, 1.0], [1.0, 1.0]]).low[0, 1])


def test_only_common_units_are_compared():
    x = scores("common", [0.2, 0.9, 0.5])
    x[0, :30] = np.nan
    x[1, 30:] = np.nan
    r = rank_models(x)
    assert r.pairs.units.tolist() == [[0, 0, 30], [0, 0, 30], [30, 30, 0]]
    assert r.pairs.p_value[0, 1] == 1
    # Both are told from the third alone; yet no letter joins models that were told apart.
    assert r.low.tolist() == [2, 1, 2]
    assert r.high.tolist() == [3, 2, 2]


def test_a_single_model_is_first():
    r = rank_models([[0.3, 0.4]])
    assert (r.rank[0], r.low[0], r.high[0], r.letters) == (1, 1, 1, ("a",))


def test_the_same_seed_gives_the_same_numbers():
    x = scores("seed", [0.5, 0.52, 0.54])
    assert (pairwise(x, seed=1).p_value == pairwise(x, seed=1).p_value)[0, 1:].all()


@pytest.mark.parametrize(
    ("x", "text"),
    [([1.0, 2.0], "shape"), ([[np.nan, np.nan], [1, 2]], "number 0 has no unit"), ([[np.inf], [1]], "finite")],
)
def test_bad_input_is_named(x, text):
    with pytest.raises(ValueError, match=text):
        rank_models(x)


def covers(r, truth):
    low = 1 + (truth > truth[:, None]).sum(axis=1)
    high = truth.size - (truth < truth[:, None]).sum(axis=1)
    return bool((r.low <= low).all() and (high <= r.high).all())


@pytest.mark.slow
@pytest.mark.parametrize("case", ["graded", "binary near the ceiling"])
def test_all_ranks_are_covered_at_once_with_ties_in_the_truth(case):
    rng = generator("rank cover", case)
    truth = np.r_[np.full(5, 0.55), np.full(5, 0.5)] if case == "graded" else np.full(10, 0.9)
    covered = []
    for i in range(400):
        if case == "graded":
            x = truth[:, None] + rng.normal(0, 0.2, 60) + rng.normal(0, 0.1, (10, 60))
        else:
            x = (rng.random((10, 60)) < truth[:, None]).astype(float)
        covered.append(covers(rank_models(x, draws=1000, seed=i), truth))
    assert np.mean(covered) >= 0.935
