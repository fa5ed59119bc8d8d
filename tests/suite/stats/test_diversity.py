import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.diversity import reply_diversity


def test_identical_replies_have_no_entropy():
    r = reply_diversity(["a"] * 8, [0] * 4 + [1] * 4)
    assert (r.entropy.estimate, r.normalised.estimate, r.duplicate.estimate, r.collision.estimate) == (0, 0, 0.75, 1)
    assert (r.items, r.identical, r.samples) == (2, 2, 8)


def test_distinct_replies_have_no_duplicate():
    r = reply_diversity(range(8), [0] * 4 + [1] * 4)
    assert (r.normalised.estimate, r.duplicate.estimate, r.collision.estimate) == (pytest.approx(1), 0, 0)
    assert r.identical == 0


def test_the_same_reply_to_two_items_is_no_duplicate():
    assert reply_diversity(["a", "b", "a", "b"], [0, 0, 1, 1]).duplicate.estimate == 0


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30))
def test_one_item_agrees_with_scipy(replies):
    r = reply_diversity(replies, [0] * len(replies))
    counts = np.bincount(replies)
    counts = counts[counts > 0]
    n = len(replies)
    assert r.entropy.estimate == pytest.approx(stats.entropy(counts) + (counts.size - 1) / (2 * n), abs=1e-12)
    pairs = [(a, b) for i, a in enumerate(replies) for b in replies[:i]]
    assert r.collision.estimate == pytest.approx(np.mean([a == b for a, b in pairs]))


def test_items_with_one_sample_tell_nothing():
    r = reply_diversity(["a", "b", "b"], [0, 1, 1])
    assert (r.items, r.samples) == (1, 2)
    assert np.isnan(reply_diversity(["a"], [0]).entropy.estimate)


def test_collision_is_unbiased_and_the_corrected_entropy_nearer_than_the_plug_in():
    rng = generator("entropy")
    p = np.array([0.5, 0.3, 0.2])
    replies = rng.choice(3, p=p, size=(4000, 16))
    r = reply_diversity(replies.ravel().tolist(), np.repeat(np.arange(4000), 16).tolist())
    assert r.collision.estimate == pytest.approx((p**2).sum(), abs=0.01)
    truth = -(p * np.log(p)).sum()
    assert abs(r.entropy.estimate - truth) < 0.02
    assert r.normalised.estimate * np.log(16) < truth - 0.04


def test_unequal_lengths_are_named():
    with pytest.raises(ValueError, match="2 of them, not 1"):
        reply_diversity(["a", "b"], [0])
