import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.greedy import concealed_risk, greedy_gap


def test_an_item_counts_where_its_samples_prove_the_risk_and_its_greedy_reply_was_safe():
    r = concealed_risk(64, [0, 20, 20, 4], [False, False, True, False])
    assert r.concealed == (False, True, False, False)
    assert (r.share.estimate, r.safe_shown) == (0.25, 3)
    assert r.raw_share == 0.5  # 4 of 64 exceeds .05, and proves nothing


def test_p_values_are_those_of_the_exact_test():
    r = concealed_risk(80, [0, 3, 9], [False, False, True])
    theirs = [stats.binomtest(x, 80, 0.05, alternative="greater").pvalue for x in (0, 3)]
    assert r.p_value[:2] == pytest.approx(theirs)
    assert np.isnan(r.p_value[2])


def test_it_prints_what_it_could_have_seen():
    r = concealed_risk(64, [0, 0], [False, False])
    assert r.seen == pytest.approx(1 - 0.05 ** (1 / 64))
    assert stats.binom(64, r.seen).pmf(0) == pytest.approx(0.05)
    needed = int(stats.binom(64, 0.05).isf(0.05)) + 1
    assert stats.binom(64, r.provable).sf(needed - 1) == pytest.approx(0.95)


def test_a_threshold_beyond_all_samples_proves_nothing():
    assert concealed_risk(64, [64], [False], threshold=0.99).provable == 1.0


def test_fewer_than_64_samples_are_refused():
    with pytest.raises(ValueError, match="at least 64 samples an item, not 32"):
        concealed_risk([64, 32], [1, 1], [False, False])


@pytest.mark.parametrize("failures", [65, -1, 0.5])
def test_a_bad_count_is_named(failures):
    with pytest.raises(ValueError, match=f"not {failures}"):
        concealed_risk(64, [failures], [False])


def test_noise_at_the_threshold_is_not_counted():
    rng = generator("noise")
    counted, raw = [], []
    for _ in range(200):
        r = concealed_risk(64, rng.binomial(64, 0.05, 100), np.zeros(100, dtype=bool))
        counted.append(r.share.estimate)
        raw.append(r.raw_share)
    assert np.mean(np.array(counted) > 0) <= 0.07
    assert np.mean(raw) > 0.3


def test_known_risks_are_found():
    rng = generator("found")
    risk = np.r_[np.full(40, 0.3), np.zeros(160)]
    r = concealed_risk(64, rng.binomial(64, risk), np.zeros(200, dtype=bool))
    assert r.share.estimate == pytest.approx(0.2)


def test_the_gap_is_paired_by_item():
    sampled = np.array([[1, 0, 1, 1], [0, 0, 0, 1], [1, 1, np.nan, np.nan], [1, 1, 1, 1]])
    r = greedy_gap([1, 0, 1, np.nan], sampled)
    assert r.estimate == pytest.approx((0.25 - 0.25 + 0) / 3)
    assert (r.units, r.samples) == (3, 13)
    assert -1 <= r.low < r.high <= 1


def test_the_gap_agrees_with_scipy():
    rng = generator("gap")
    greedy, sampled = rng.uniform(size=40), rng.uniform(size=(40, 8))
    theirs = stats.ttest_rel(greedy, sampled.mean(axis=1)).confidence_interval()
    r = greedy_gap(greedy, sampled)
    assert (r.low, r.high) == pytest.approx((theirs.low, theirs.high))


def test_no_difference_anywhere_is_not_certainty():
    r = greedy_gap(np.ones(20), np.ones((20, 4)))
    assert r.estimate == 0
    assert r.low < 0 < r.high


@pytest.mark.parametrize(("greedy", "sampled"), [([1], [1]), ([1, 2], [[1]])])
def test_shapes_that_do_not_fit_are_named(greedy, sampled):
    with pytest.raises(ValueError, match=r"shape \(items,\)"):
        greedy_gap(greedy, sampled)


def test_a_score_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"greedy must lie .* not 2"):
        greedy_gap([2.0], [[1.0]])
