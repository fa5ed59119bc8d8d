import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from finchmark.suite.stats import Interval, clopper_pearson, jeffreys, korn_graubard, mean_interval, t_interval, wilson
from finchmark.suite.stats.bounds import clopper_pearson_bounds, wilson_bounds


def test_an_interval_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        wilson(1, 2).low = 0.0  # type: ignore[misc]  # that it cannot be set is the point


@pytest.mark.parametrize(
    ("function", "name"), [(wilson, "wilson"), (clopper_pearson, "clopper-pearson"), (jeffreys, "jeffreys")]
)
def test_a_proportion_names_its_method_and_counts(function, name):
    r = function(3, 12)
    assert (r.estimate, r.method, r.units, r.samples, r.confidence) == (0.25, name, 12, 12, 0.95)
    assert 0 < r.low < 0.25 < r.high < 1


@pytest.mark.parametrize("function", [wilson, clopper_pearson, jeffreys])
def test_no_data_bounds_nothing(function):
    r = function(0, 0)
    assert math.isnan(r.estimate)
    assert (r.low, r.high, r.method, r.sparse) == (0.0, 1.0, "none", True)


@pytest.mark.parametrize(("x", "n", "value"), [(-1, 4, "-1"), (5, 4, "5"), (1.5, 4, "1.5"), (1, -4, "-4")])
def test_a_bad_count_is_named(x, n, value):
    with pytest.raises(ValueError, match=value):
        wilson(x, n)


@pytest.mark.parametrize(
    ("x", "n", "sparse"),
    [(15, 30, False), (15, 29, True), (5, 30, False), (4, 30, True), (25, 30, False), (26, 30, True), (0, 500, True)],
)
def test_sparse_means_under_30_units_or_5_events_either_way(x, n, sparse):
    assert wilson(x, n).sparse is sparse


def test_sparse_counts_unit_level_events_not_samples():
    # 30 items x 100 samples at .1: 300 successes, but only 3 units' worth.
    assert korn_graubard(np.full(30, 10), 100).sparse
    assert not korn_graubard(np.full(30, 20), 100).sparse


def test_korn_graubard_reports_items_and_samples():
    r = korn_graubard([1, 2, 3], [4, 4, 5])
    assert (r.units, r.samples, r.method) == (3, 13, "korn-graubard")
    assert r.estimate == pytest.approx((1 / 4 + 2 / 4 + 3 / 5) / 3)


def test_korn_graubard_without_items_bounds_nothing():
    assert korn_graubard([], []).method == "none"


def test_korn_graubard_wants_one_number_an_item():
    with pytest.raises(ValueError, match="one dimension"):
        korn_graubard([[1, 2]], 4)


def test_t_agrees_with_scipy():
    x = [0.1, 0.4, 0.35, 0.8, 0.2]
    theirs = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    r = t_interval(x, confidence=0.9)
    assert (r.low, r.high) == pytest.approx((theirs.low, theirs.high))
    assert (r.method, r.units, r.sparse) == ("t", 5, True)


def test_t_is_clipped_to_the_range():
    r = t_interval([0, 0, 0, 1.0], low=0, high=1)
    assert r.low == 0.0
    assert t_interval([0, 0, 0, 1.0]).low < 0


def test_t_without_units_is_the_range():
    r = t_interval([], low=0)
    assert math.isnan(r.estimate)
    assert r.low == 0
    assert math.isnan(r.high)


def test_t_of_one_unit_is_the_range():
    r = t_interval([0.4], low=0, high=1)
    assert (r.estimate, r.low, r.high, r.method, r.sparse) == (0.4, 0, 1, "none", True)


def test_equal_units_do_not_make_a_bounded_mean_certain():
    r = t_interval(np.full(8, 0.75), low=0.5, high=1.0)
    low, high = clopper_pearson_bounds(4, 8)
    assert (r.low, r.high) == pytest.approx((0.5 + low / 2, 0.5 + high / 2))
    assert (r.method, r.sparse) == ("clopper-pearson", True)


def test_equal_units_of_an_open_metric_have_no_interval():
    r = t_interval([7.0, 7.0, 7.0], low=0)
    assert r.estimate == 7.0
    assert math.isnan(r.low)
    assert math.isnan(r.high)


def test_graded_units_that_nearly_all_agree_are_sparse():
    assert t_interval([0.0] * 60 + [0.5] * 4, low=0, high=1).sparse
    assert not t_interval([0.0] * 60 + [0.5] * 5, low=0, high=1).sparse


@pytest.mark.parametrize(
    ("values", "text"), [([0.1, float("nan")], "nan"), ([0.1, float("inf")], "inf"), ([0.1, 1.5], "1.5")]
)
def test_t_names_a_bad_value(values, text):
    with pytest.raises(ValueError, match=text):
        t_interval(values, low=0, high=1)


def test_one_binary_sample_a_unit_gets_wilson():
    r = mean_interval([1, 0, 0, 1, 0], ["a", "b", "c", "d", "e"])
    low, high = wilson_bounds(2, 5)
    assert (r.method, r.low, r.high) == ("wilson", float(low), float(high))


def test_several_binary_samples_a_unit_get_korn_graubard():
    r = mean_interval([1, 0, 0, 1, 0, 0], ["a", "a", "b", "c", "b", "c"])
    assert r == korn_graubard([1, 0, 1], 2)


def test_graded_samples_get_t_on_unit_means():
    r = mean_interval([0.0, 1.0, 0.2, 0.4], ["a", "a", "b", "b"], kind="graded")
    expected = t_interval([0.5, 0.3], low=0, high=1)
    assert (r.estimate, r.low, r.high, r.method) == (expected.estimate, expected.low, expected.high, "t")
    assert (r.units, r.samples) == (2, 4)


def test_the_mean_is_over_units_not_samples():
    assert mean_interval([1, 1, 1, 0], ["a", "a", "a", "b"]).estimate == 0.5


def test_the_order_of_samples_does_not_matter():
    values, units = [1, 0, 0, 1, 1, 0], list("aabbcc")
    assert mean_interval(values, units) == mean_interval(values[::-1], units[::-1])


@pytest.mark.parametrize(
    ("values", "units", "kwargs", "text"),
    [
        ([0.5], ["a"], {}, "0.5"),
        ([float("nan")], ["a"], {}, "nan"),
        ([1, 0], ["a"], {}, "shape"),
        ([2.0], ["a"], {"kind": "graded"}, "not 2"),
        ([1], ["a"], {"kind": "ordinal"}, "'ordinal'"),
        ([1], ["a"], {"confidence": 95}, "95"),
        ([], [], {"confidence": 95}, "95"),
    ],
)
def test_mean_interval_names_what_is_wrong(values, units, kwargs, text):
    with pytest.raises(ValueError, match=text):
        mean_interval(values, units, **kwargs)


def test_mean_interval_without_samples_is_the_range():
    r = mean_interval([], [], kind="graded", low=-1, high=3)
    assert (r.low, r.high, r.units, r.samples) == (-1, 3, 0, 0)


def test_equal_graded_samples_stay_within_the_range():
    # Thirds that are summed and divided again may exceed 1 by a rounding.
    r = mean_interval([1.0] * 21, list("abc") * 7, kind="graded")
    assert r.estimate == 1.0
    assert r.high == 1.0


def test_all_fields_are_plain_numbers():
    r = mean_interval(np.array([1, 0, 1]), np.array(["a", "a", "b"]))
    assert {type(v) for v in dataclasses.astuple(r)} == {float, str, int, bool}
    assert isinstance(r, Interval)
