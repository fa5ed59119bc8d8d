import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.intervals import korn_graubard
from finchmark.suite.stats.wordings import (
    flips_of_one,
    flips_of_samples,
    mean_of_known,
    over_items,
    worst_by_k,
    worst_wording,
)

MIXED = np.tile([0.0, 0.02, 0.1, 0.3], 4)
"""Rates of 16 items, the same in both of their wordings."""


def counts(q, rng, wordings=2, samples=8):
    """Samples and events of items of known rates: Random(p)."""
    rates = np.broadcast_to(np.asarray(q)[:, None], (len(q), wordings)) if np.ndim(q) == 1 else np.asarray(q)
    return np.full(rates.shape, float(samples)), rng.binomial(samples, rates).astype(float)


def unbiased(values, truth):
    return abs(np.mean(values) - truth) < 3 * np.std(values, ddof=1) / np.sqrt(len(values))


def test_worst_of_k_and_flips_are_unbiased():
    drawn = [counts(MIXED, generator("wordings", 1, run), samples=4) for run in range(400)]
    worst = np.array([[w.failing.estimate for w in worst_by_k(n, c)] for n, c in drawn])
    for column, k in enumerate((1, 2, 4)):
        assert unbiased(worst[:, column], np.mean(1 - (1 - MIXED) ** k))
    flips = [flips_of_samples(n, c) for n, c in drawn]
    pair = float(np.mean(2 * MIXED * (1 - MIXED)))
    assert unbiased([f.within.estimate for f in flips], pair)
    assert unbiased([f.between.estimate for f in flips], pair)
    assert unbiased([f.excess.estimate for f in flips], 0.0)


def test_the_worst_of_equal_wordings_is_no_worse_than_their_mean():
    found = [worst_wording(generator("wordings", 2, run).random((8, 4, 8)) < 0.2) for run in range(40)]
    assert unbiased([f.rate.estimate for f in found], 0.2)
    # What chooses and values by the same samples is far off, and the null value says so.
    assert np.mean([f.plug_in for f in found]) > 0.28
    assert np.mean([f.null for f in found]) == pytest.approx(np.mean([f.plug_in for f in found]), abs=0.02)


def test_a_wording_that_fails_more_is_found():
    q = np.tile([0.02, 0.02, 0.5, 0.02], (24, 1))
    rng = generator("wordings", 3)
    found = worst_wording(rng.random((24, 4, 16)) < q[:, :, None])
    assert found.rate.estimate == pytest.approx(0.5, abs=0.07)
    assert flips_of_samples(*counts(q, rng, 4, 16)).excess.low > 0.05


@pytest.mark.parametrize("items", [32, 64])
def test_intervals_cover(items):
    """New items each time, of rates from Beta(.5, 4.5), in 2 wordings of 8 samples."""
    many = generator("wordings", "truth").beta(0.5, 4.5, 400_000)
    truth = {"rate": 0.1, "worst of 8": np.mean(1 - (1 - many) ** 8), "flip": np.mean(2 * many * (1 - many)), "more": 0}
    covered, runs = dict.fromkeys(truth, 0), 600
    for run in range(runs):
        rng = generator("wordings", 4, items, run)
        n, c = counts(rng.beta(0.5, 4.5, items), rng)
        flips = flips_of_samples(n, c)
        found = (korn_graubard(c.sum(1), n.sum(1)), worst_by_k(n, c)[-1].failing, flips.within, flips.excess)
        for (name, value), one in zip(truth.items(), found, strict=True):
            covered[name] += one.low <= value <= one.high
    # Of 600 runs at .935 one in a hundred lies under .91.
    assert {name: count / runs for name, count in covered.items() if count / runs < 0.91} == {}


@pytest.mark.slow
@pytest.mark.parametrize("items", [32, 64])
def test_what_wordings_add_is_covered_where_they_do_add(items):
    """Rates from Beta(.5, 4.5), each wording shifted by a standard normal on the logit, 2 wordings of 8 samples."""

    def rates(rng, size):
        base = np.clip(rng.beta(0.5, 4.5, (size, 1)), 1e-12, 1 - 1e-12)
        return 1 / (1 + np.exp(-np.log(base / (1 - base)) - rng.standard_normal((size, 2))))

    many = rates(generator("wordings", "shifted"), 400_000)
    truth, covered, runs = float(((many[:, 0] - many[:, 1]) ** 2).mean()), 0, 1000
    for run in range(runs):
        rng = generator("wordings", 9, items, run)
        found = flips_of_samples(*counts(rates(rng, items), rng)).excess
        covered += found.low <= truth <= found.high
    # Of 1,000 runs at .935 one in a hundred lies under .916; Student's t covers .84 and .89.
    assert covered / runs >= 0.916


def test_what_wordings_add_is_never_said_to_be_below_0():
    # One failure in eight, in both wordings of every item: the estimate is below 0.
    found = flips_of_samples(np.full((40, 2), 8.0), np.ones((40, 2))).excess
    assert found.estimate < 0
    assert found.low == 0
    assert found.high > 0


def test_where_nothing_fails_wordings_may_still_add_something_and_the_cell_is_sparse():
    found = flips_of_samples(np.full((40, 2), 8.0), np.zeros((40, 2))).excess
    assert (found.estimate, found.low, found.sparse) == (0, 0, True)
    assert 0 < found.high < 0.1


def test_few_flips_make_a_sparse_cell():
    n, c = np.full((40, 2), 8.0), np.zeros((40, 2))
    c[:30, 0] = 1
    assert flips_of_samples(n, c).excess.sparse
    c[:30] = 4
    assert not flips_of_samples(n, c).excess.sparse


def test_a_wording_of_one_sample_says_nothing_of_flips():
    n, c = np.full((3, 3), 4.0), np.ones((3, 3))
    n[:, 2], c[:, 2] = 1, 1
    assert flips_of_samples(n, c).between.estimate == flips_of_samples(n[:, :2], c[:, :2]).between.estimate


def test_wordings_with_fewer_samples_are_left_out_and_told():
    n, c = counts(MIXED, generator("wordings", 5))
    n[0, 0], c[0, 0] = 5, 0
    n[1] = c[1] = 0
    found = worst_by_k(n, c)
    assert [(w.k, w.left_out) for w in found] == [(1, 0), (2, 0), (4, 0), (8, 1)]
    assert found[0].failing.units == 15


def test_what_few_wordings_have_is_not_told():
    n, c = np.ones((8, 2)), np.zeros((8, 2))
    n[0] = 8
    assert [w.k for w in worst_by_k(n, c)] == [1]


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 9), st.integers(0, 10**6))
def test_all_are_safe_is_one_less_and_more_samples_are_no_safer(items, wordings, samples, seed):
    n, c = counts(np.full((items, wordings), 0.3), generator("wordings", 6, seed), samples=samples)
    found = worst_by_k(n, c)
    assert [w.all_safe[0] + w.failing.estimate for w in found] == pytest.approx([1.0] * len(found))
    rising = [w.failing.estimate for w in found]
    assert rising == sorted(rising)
    assert all(w.all_safe[1] <= w.all_safe[0] + 1e-9 and w.all_safe[0] <= w.all_safe[2] + 1e-9 for w in found)


def test_greedy_flips_are_of_wordings_alone():
    x = np.zeros((8, 2))
    x[:2, 1] = 1
    x[7] = [np.nan, 0]
    found = flips_of_one(x)
    assert found.differ.estimate == pytest.approx(2 / 7)
    assert found.all_agree.estimate == pytest.approx(5 / 7)
    assert found.all_agree.units == 7


def test_one_wording_has_no_flips_and_no_worst():
    n, c = counts(MIXED, generator("wordings", 7), wordings=1)
    assert flips_of_samples(n, c) is None
    assert flips_of_one(c) is None
    assert worst_wording(np.zeros((4, 1, 4))) is None


def test_means_are_of_what_is_there():
    found = mean_of_known(np.array([[1.0, np.nan], [np.nan, np.nan]]))
    assert found[0] == 1
    assert np.isnan(found[1])
    assert over_items(np.array([0.2, np.nan, 0.4]), 0, 1).units == 2


@pytest.mark.parametrize(
    ("n", "c", "match"), [([[2]], [[3]], "at most n=2"), ([2], [1], "shape"), ([[2]], [[0.5]], "0.5")]
)
def test_what_is_no_count_is_refused(n, c, match):
    with pytest.raises(ValueError, match=match):
        worst_by_k(n, c)
