"""Means of skewed numbers."""

import numpy as np
import pytest

from finchmark.suite.seeds import generator
from finchmark.suite.stats.intervals import t_interval
from finchmark.suite.stats.skewness import excess_interval, skewed_interval


def test_without_skew_it_is_students():
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    found, plain = skewed_interval(x), t_interval(x)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_of_what_is_skewed_the_bound_on_the_long_side_is_farther_and_turns_with_it():
    x = generator("skewness", 0).exponential(size=40)
    plain, right, left = t_interval(x), skewed_interval(x), skewed_interval(-x)
    assert right.low == plain.low
    assert right.high > plain.high + 0.05
    assert (-left.high, -left.low) == pytest.approx((right.low, right.high))
    assert right.method == "t and hall"


def test_it_covers_the_mean_of_what_is_skewed_where_t_does_not():
    runs, held, plain = 600, 0, 0
    for run in range(runs):
        x = generator("skewness", 1, run).lognormal(0, 1, 40)
        found, other = skewed_interval(x), t_interval(x)
        held += found.low <= np.exp(0.5) <= found.high
        plain += other.low <= np.exp(0.5) <= other.high
    assert plain / runs < 0.91 < held / runs


def test_it_stays_within_the_range_and_rates_of_few_events_are_sparse():
    x = np.zeros(40)
    x[:8] = np.linspace(0.1, 1, 8)
    found = skewed_interval(x, low=0.0, high=1.0)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.sparse
    assert not skewed_interval(np.clip(x + 0.3, 0, 1), low=0.0, high=1.0).sparse


@pytest.mark.parametrize("values", [[0.3], [0.2, 0.2, 0.2]])
def test_one_item_or_alike_ones_are_not_certain(values):
    found = excess_interval(values, 0.2)
    assert found.sparse
    assert found.low == 0
    assert found.high > max(values) + 0.05
