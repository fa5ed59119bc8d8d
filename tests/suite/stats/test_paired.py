import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.paired import difference, paired_test
from finchmark.suite.stats.paired_tests import mcnemar, paired_t, sign_flip, wilcoxon
from finchmark.suite.stats.pairs import Flips, pair_units, samples_of


def test_one_binary_sample_an_item():
    r = difference([1, 1, 0, 0, 0, 0, 0, 0], range(8), [1, 0, 1, 1, 1, 1, 1, 0], range(8))
    assert (r.estimate, r.mean_a, r.mean_b) == (0.5, 0.25, 0.75)
    assert (r.method, r.test, r.paired, r.sparse) == ("tango-t", "mcnemar-mid-p", True, True)
    assert r.pvalue == mcnemar(5, 1).pvalue
    assert r.flips == Flips(gained=5, lost=1, both=1, neither=1)
    assert r.low < 0 < 0.5 < r.high


def test_several_samples_an_item():
    rng = generator("several")
    p = rng.random(30)
    a, b, items = rng.binomial(1, p.repeat(4)), rng.binomial(1, p.repeat(4)), np.arange(30).repeat(4)
    r = difference(a, items, b, items, seed=3)
    d = b.reshape(30, 4).mean(1) - a.reshape(30, 4).mean(1)
    assert (r.units, r.items, r.samples_a, r.samples_b) == (30, 30, 120, 120)
    assert (r.method, r.test) == ("clustered-tango", "sign-flip-exact")
    assert r.estimate == pytest.approx(d.mean())
    assert r.standard_error == pytest.approx(d.std(ddof=1) / np.sqrt(30))
    assert r.pvalue == sign_flip(d, seed=3).pvalue


def test_graded_scores_and_a_named_test():
    a, b = generator("graded").random((2, 40))
    for test, expected in (("sign-flip", sign_flip), ("wilcoxon", wilcoxon), ("t", paired_t)):
        r = difference(a, range(40), b, range(40), kind="graded", test=test, method="t")
        assert r.pvalue == pytest.approx(expected(b - a).pvalue)
        assert (r.method, r.flips) == ("t", None)


def test_clusters_are_the_units():
    a, b = generator("clusters").integers(0, 2, (2, 40))
    r = difference(a, range(40), b, range(40), clusters={i: i // 4 for i in range(40)})
    assert (r.units, r.items, r.method) == (10, 40, "clustered-tango")
    assert r.flips.gained == ((1 - a) * b).sum()


def test_without_common_items_it_is_unpaired_and_says_so():
    r = difference([1, 0, 1], [0, 1, 2], [0, 0], [3, 4])
    assert (r.paired, r.units, r.items, r.flips, r.method, r.test) == (False, 2, 0, None, "newcombe", "newcombe")
    assert (r.mean_a, r.mean_b, r.only_a) == (pytest.approx(2 / 3), 0, 0)
    assert 0 < r.pvalue < 1


def test_one_common_item_is_paired():
    r = difference([1, 0], [0, 1], [0, 0], [1, 2])
    assert (r.paired, r.units, r.only_a, r.only_b) == (True, 1, 1, 1)
    assert (r.low, r.high, r.sparse) == (-1, 1, True)


def test_no_data_bounds_nothing():
    r = difference([], [], [1, 0], [0, 1], margin=0.1)
    assert (r.method, r.paired, r.units) == ("none", False, 0)
    assert np.isnan([r.estimate, r.low, r.high, r.pvalue]).all()
    assert not any(claim.holds for claim in r.claims.values())


def test_claims_only_where_a_margin_was_named():
    a = b = [1, 0] * 40
    assert not difference(a, range(80), b, range(80)).claims
    r = difference(a, range(80), b, range(80), margin=0.1)
    assert {c: t.holds for c, t in r.claims.items()} == {
        "superior": False,
        "non-inferior": True,
        "inferior": False,
        "equivalent": True,
    }


def test_lower_is_better_turns_the_claims_and_not_the_difference():
    a, b = [1] * 20 + [0] * 40, [0] * 20 + [0] * 40
    r = difference(a, range(60), b, range(60), margin=0.05, direction="lower")
    assert r.estimate == pytest.approx(-1 / 3)
    assert r.claims["superior"].holds
    assert not r.claims["inferior"].holds


def test_the_same_twice_is_the_same():
    a, b = generator("twice").random((2, 40))
    first, again = (difference(a, range(40), b, range(40), kind="graded", method="bca", seed=1) for _ in range(2))
    assert first == again


def test_a_difference_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        difference([1], [0], [1], [0]).low = 0.0


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_exchanging_the_sides_turns_every_sign(rows):
    items, a, b = zip(*rows, strict=True)
    there, back = difference(a, items, b, items, margin=0.1), difference(b, items, a, items, margin=0.1)
    assert back.estimate == pytest.approx(-there.estimate)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.pvalue == there.pvalue
    assert (back.flips.gained, back.flips.lost) == pytest.approx((there.flips.lost, there.flips.gained))
    assert there.claims["equivalent"].holds == back.claims["equivalent"].holds


@given(st.integers(1, 40), st.integers(1, 8))
def test_a_side_against_itself_differs_by_nothing(items, samples):
    values = generator("itself", items, samples).integers(0, 2, items * samples)
    labels = np.arange(items).repeat(samples)
    r = difference(values, labels, values, labels)
    assert r.estimate == 0
    assert r.pvalue == 1
    assert r.low < 0 < r.high


@pytest.mark.parametrize("test", ["mcnemar-exact", "mcnemar-mid-p"])
def test_mcnemar_is_refused_for_several_samples(test):
    with pytest.raises(ValueError, match="one binary sample an item and side; take 'sign-flip'"):
        difference([1, 0], [0, 0], [1, 0], [0, 0], test=test)


def test_bad_choices_are_named():
    pairs = pair_units(samples_of([1], [0]), samples_of([1], [0]))
    with pytest.raises(ValueError, match="not 'chi2'"):
        paired_test(pairs, "chi2")
    with pytest.raises(ValueError, match=r"confidence .* not 95"):
        difference([1], [0], [1], [0], confidence=95)
    with pytest.raises(ValueError, match="0 or 1, not 2"):
        difference([1], [0], [2], [0])


GRADED = {
    # d of shape (cases, 30) in [-1, 1], and its true mean
    "dense": (lambda r, s: r.normal(0.02, 0.1, s), 0.02),
    "spread over the range": (lambda r, s: r.beta(0.5, 0.5, s) - r.beta(0.5, 0.5, s), 0.0),
    "three of ten fall by a uniform score": (lambda r, s: -r.random(s) * (r.random(s) < 0.3), -0.15),
    "one of six falls by a uniform score": (lambda r, s: -r.random(s) * (r.random(s) < 1 / 6), -1 / 12),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", GRADED)
def test_coverage_of_graded_differences_at_30_units_is_at_least_935(case):
    # Validity, section 2: 20,000 simulations a case. t covers the last one in .90.
    from finchmark.suite.stats.tango import clustered_tango_bounds

    draw, true = GRADED[case]
    d = np.clip(draw(generator("graded coverage", case), (20_000, 30)), -1, 1)
    low, high = clustered_tango_bounds(np.maximum(d, 0), np.maximum(-d, 0))
    assert ((low <= true) & (true <= high)).mean() >= 0.935
