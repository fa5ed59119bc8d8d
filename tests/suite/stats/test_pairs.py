import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.stats.pairs import Flips, pair_units, samples_of


def sides(a, items_a, b, items_b, **kwargs):
    return samples_of(a, items_a, **kwargs), samples_of(b, items_b, **kwargs)


def test_only_common_items_are_paired_and_the_rest_is_counted():
    pairs = pair_units(*sides([1, 0, 1], ["x", "y", "z"], [1, 1, 0, 0], ["w", "y", "z", "v"]))
    assert pairs.units == ("y", "z")
    assert pairs.differences.tolist() == [1.0, -1.0]
    assert (pairs.only_a, pairs.only_b, pairs.items, pairs.samples_a, pairs.samples_b) == (1, 2, 2, 2, 2)


def test_order_and_place_of_samples_do_not_matter():
    pairs = pair_units(*sides([1, 0, 1, 1], [2, 1, 1, 2], [0, 1, 0], [1, 2, 2]))
    assert pairs.units == (1, 2)
    assert pairs.a.tolist() == [0.5, 1.0]
    assert pairs.b.tolist() == [0.0, 0.5]
    assert not pairs.single


def test_flips_of_single_samples_are_counts():
    pairs = pair_units(*sides([1, 1, 0, 0, 0], range(5), [1, 0, 1, 1, 0], range(5)))
    assert pairs.flips == Flips(gained=2, lost=1, both=1, neither=1)
    assert pairs.single


def test_flips_of_many_samples_are_expected_counts_over_sample_pairs():
    pairs = pair_units(*sides([1, 0, 0, 0], [7] * 4, [1, 1], [7] * 2))
    assert pairs.flips == Flips(gained=0.75, lost=0, both=0.25, neither=0)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1),
)
def test_flips_add_up_to_the_common_items_and_their_balance_is_the_difference(a, b):
    pairs = pair_units(*sides(*zip(*a, strict=True), *zip(*b, strict=True)))
    f = pairs.flips
    assert f.gained + f.lost + f.both + f.neither == pytest.approx(pairs.items)
    assert f.gained - f.lost == pytest.approx(pairs.differences.sum())
    assert np.allclose(pairs.gained - pairs.lost, pairs.differences)


def test_graded_gains_are_shares_of_the_range():
    pairs = pair_units(*sides([2.0, 8.0], [0, 1], [5.0, 6.0], [0, 1], kind="graded", low=0, high=10))
    assert pairs.gained.tolist() == [0.3, 0.0]
    assert pairs.lost.tolist() == [0.0, 0.2]
    assert (pairs.width, pairs.flips) == (10, None)


def test_an_open_range_has_no_shares():
    pairs = pair_units(*sides([2.0], [0], [5.0], [0], kind="graded", low=0, high=None))
    assert np.isnan(pairs.gained).all()
    assert pairs.width == np.inf


def test_items_count_alike_within_a_cluster_and_clusters_alike():
    a = [0, 0, 0, 0, 0], [0, 0, 0, 1, 2]
    b = [1, 1, 1, 0, 1], [0, 0, 0, 1, 2]
    pairs = pair_units(*sides(*a, *b), clusters={0: "world 1", 1: "world 1", 2: "world 2"})
    assert pairs.units == ("world 1", "world 2")
    assert pairs.differences.tolist() == [0.5, 1.0]
    assert (pairs.items, pairs.single) == (3, False)


def test_an_item_without_a_cluster_is_named():
    with pytest.raises(ValueError, match="'y' has none"):
        pair_units(*sides([1, 1], ["x", "y"], [1, 1], ["x", "y"]), clusters={"x": 1})


def test_nothing_in_common_pairs_nothing():
    pairs = pair_units(*sides([1], [0], [1], [1]))
    assert (pairs.units, pairs.only_a, pairs.only_b) == ((), 1, 1)


def test_differences_are_free_of_rounding():
    # .7 - .4 and .4 - .1 differ in the last bit.
    pairs = pair_units(*sides([0.4, 0.1, 0.3], range(3), [0.7, 0.4, 0.1 + 0.2], range(3), kind="graded"))
    d = pairs.differences
    assert d[0] == d[1]
    assert d[2] == 0


@pytest.mark.parametrize(
    ("values", "kwargs", "message"),
    [
        ([0.5], {}, "0 or 1, not 0.5"),
        ([np.nan], {"kind": "graded"}, "finite, not nan"),
        ([3.0], {"kind": "graded"}, r"range \[0, 1\], not 3"),
        ([1], {"kind": "ranked"}, "not 'ranked'"),
        ([1.0], {"kind": "graded", "low": 1, "high": 1}, "low must lie below high"),
    ],
)
def test_bad_samples_are_named(values, kwargs, message):
    with pytest.raises(ValueError, match=message):
        samples_of(values, [0], **kwargs)


def test_items_must_match_values():
    with pytest.raises(ValueError, match=r"shape \(2,\), not \(1,\)"):
        samples_of([1, 0], [0])


def test_metrics_must_be_the_same():
    with pytest.raises(ValueError, match="of one metric"):
        pair_units(samples_of([1], [0]), samples_of([1], [0], kind="graded"))
