"""Intervals of pass@k: by item as before, and over units of several items that resemble each other."""

from __future__ import annotations

import numpy as np
import pytest

from finchmark.suite.seeds import generator
from finchmark.suite.stats.at_k import pass_at_k_interval
from finchmark.suite.stats.estimators import pass_at_k
from finchmark.suite.stats.intervals import korn_graubard, wilson


def test_one_group_an_item_is_wilson():
    found = pass_at_k_interval([4, 4, 4], [0, 1, 4], 4, ["a", "b", "c"])
    expected = wilson(2, 3)
    assert (found.low, found.high, found.method) == (expected.low, expected.high, "wilson")
    assert found.samples == 12


def test_several_groups_an_item_are_korn_graubard():
    n, c = np.array([8, 8, 8]), np.array([1, 4, 8])
    found = pass_at_k_interval(n, c, 4, ["a", "b", "c"])
    expected = korn_graubard(pass_at_k(n, c, 4) * 2, 2)
    assert (found.estimate, found.low, found.high) == (expected.estimate, expected.low, expected.high)


def test_items_of_a_unit_count_as_one():
    n, c = np.full(40, 4), np.tile([0, 0, 4, 4], 10)
    alone = pass_at_k_interval(n, c, 4, np.arange(40))
    pairs = pass_at_k_interval(n, c, 4, np.arange(40) // 2)
    assert (alone.units, pairs.units) == (40, 20)
    assert pairs.high - pairs.low > 1.3 * (alone.high - alone.low)
    assert pairs.estimate == alone.estimate == 0.5


def test_units_count_alike():
    found = pass_at_k_interval([2, 2, 2], [2, 0, 0], 2, ["a", "b", "b"])
    assert found.estimate == pytest.approx(0.5)


def test_without_items_nothing_is_known():
    found = pass_at_k_interval([], [], 2, [])
    assert np.isnan(found.estimate)
    assert (found.low, found.high, found.units) == (0.0, 1.0, 0)


@pytest.mark.parametrize(
    ("n", "units", "said"), [([1, 4], ["a", "b"], "at least k = 2"), ([4, 4], ["a"], "the unit of each item")]
)
def test_wrong_input_is_refused(n, units, said):
    with pytest.raises(ValueError, match=said):
        pass_at_k_interval(n, [1, 1], 2, units)


def covered(units, k, by_unit, runs=400, items=4, samples=4):
    """Share of runs whose interval holds the truth: items of a unit share most of their chance."""
    rng = generator("tests", "pass-at-k", units, k, by_unit)
    base = rng.beta(0.6, 0.9, 200_000)
    chances = np.clip(base[:, None] * np.linspace(1.0, 0.5, items), 0, 1)
    truth = float((1 - (1 - chances) ** k).mean())
    owners = np.repeat(np.arange(units), items)
    hits = 0
    for _ in range(runs):
        drawn = chances[rng.integers(len(base), size=units)]
        c = rng.binomial(samples, drawn).ravel()
        found = pass_at_k_interval(np.full(c.size, samples), c, k, owners if by_unit else np.arange(c.size))
        hits += found.low <= truth <= found.high
    return hits / runs


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 4])
def test_intervals_over_problems_cover_and_those_over_their_levels_do_not(k):
    assert covered(40, k, by_unit=True) >= 0.925
    assert covered(40, k, by_unit=False) < 0.85
