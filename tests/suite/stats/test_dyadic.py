"""Means over items that each belong to two units: by brute force, by special cases, and by simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit

from finchmark.suite.seeds import generator
from finchmark.suite.stats.dyadic import dyadic_design, dyadic_inference, dyadic_interval, dyadic_mean
from finchmark.suite.stats.intervals import t_interval, wilson
from finchmark.suite.stats.paired import difference
from finchmark.suite.stats.pairs import pair_units, samples_of


def drawn(rng, items, units, most=6):
    """Distinct pairs of units, none of them in more than ``most``."""
    found, uses = [], np.zeros(units, dtype=int)
    every = list(combinations(range(units), 2))
    for k in rng.permutation(len(every)):
        a, b = every[k]
        if max(uses[a], uses[b]) < most and len(found) < items:
            found.append((a, b))
            uses[[a, b]] += 1
    assert len(found) == items
    return found


def scores(rng, dyads, units, alike, repeats, kind="normal"):
    """Items of variance 1, of correlation ``alike`` where they share a unit, shape (repeats, items)."""
    draw = rng.standard_normal if kind == "normal" else lambda shape: rng.exponential(size=shape) - 1
    own = draw((repeats, units)) * np.sqrt(alike)
    one, two = np.array(dyads).T
    return own[:, one] + own[:, two] + draw((repeats, len(dyads))) * np.sqrt(max(0.0, 1 - 2 * alike))


def test_items_that_share_a_unit_are_known():
    design = dyadic_design([("a", "b"), ("b", "c"), ("c", "d"), ("e", "f")])
    assert design.units == 6
    assert design.shares.tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert design.neighbours == 1.0
    assert design.least_size == pytest.approx(4 / 1.5)


def test_without_common_units_it_is_the_variance_of_independent_items():
    x = np.array([0.1, 0.4, 0.2, 0.9, 0.5])
    found = dyadic_mean(x, dyadic_design([(2 * k, 2 * k + 1) for k in range(5)]))
    assert found.variance == pytest.approx(x.var(ddof=1) / 5)
    assert found.df == pytest.approx(4)
    assert found.alike == 0


def test_without_common_units_the_interval_is_the_usual_t():
    x = np.linspace(0.1, 0.7, 12)
    dyads = {k: (2 * k, 2 * k + 1) for k in range(12)}
    found, usual = dyadic_interval(x, np.arange(12), dyads), t_interval(x, low=0, high=1)
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_sum_is_that_over_all_pairs_that_share_a_unit(seed):
    """Brute force over ordered pairs, i = j included, as the estimator is written by Aronow, Samii and Assenova."""
    rng = generator("test dyadic", seed)
    dyads = drawn(rng, 14, 9)
    x = rng.standard_normal(14)
    e = x - x.mean()
    design = dyadic_design(dyads)
    plain = sum(e[i] * e[j] for i in range(14) for j in range(14) if i == j or set(dyads[i]) & set(dyads[j]))
    # The same by units: all products within a unit, less the squares, which stand in two units each.
    by_unit = sum(sum(e[i] for i in range(14) if u in dyads[i]) ** 2 for u in range(9)) - (e**2).sum()
    assert plain == pytest.approx(by_unit)
    assert ((e @ design.shares) * e).sum() + (e**2).sum() == pytest.approx(plain)


def test_the_variance_is_unbiased_before_it_is_held_in_range():
    rng = generator("test dyadic", 3)
    dyads = drawn(rng, 40, 25)
    design = dyadic_design(dyads)
    x = scores(rng, dyads, 25, 0.3, 60_000)
    e = x - x.mean(axis=1, keepdims=True)
    own, common = design.weights
    estimates = own * (e * e).sum(axis=1) + common * ((e @ design.shares) * e).sum(axis=1)
    true = (40 + 0.3 * design.shares.sum()) / 40**2
    assert estimates.mean() == pytest.approx(true, rel=0.02)
    assert x.mean(axis=1).var() == pytest.approx(true, rel=0.03)


def test_degrees_of_freedom_are_those_of_the_squared_form():
    """Twice the squared expectation over the variance, by simulation of normal items of a known correlation."""
    rng = generator("test dyadic", 4)
    dyads = drawn(rng, 30, 18)
    design = dyadic_design(dyads)
    x = scores(rng, dyads, 18, 0.2, 60_000)
    e = x - x.mean(axis=1, keepdims=True)
    own, common = design.weights
    form = own * (e * e).sum(axis=1) + common * ((e @ design.shares) * e).sum(axis=1)
    t0, t1, t2, t3, t4 = design.traces
    expected = (t0 + 0.2 * t1) ** 2 / (t2 + 0.2 * t3 + 0.04 * t4)
    assert 2 * form.mean() ** 2 / form.var() == pytest.approx(expected, rel=0.05)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_variance_stays_between_independence_and_the_most_alike(seed):
    rng = generator("test dyadic", seed)
    design = dyadic_design(drawn(rng, 20, 12))
    x = rng.uniform(size=(5, 20)) ** 3
    found = dyadic_mean(x, design)
    independent = x.var(axis=1, ddof=1) / 20
    assert (found.variance >= independent * (1 - 1e-12)).all()
    assert (found.variance <= independent * (1 + 0.5 * design.neighbours) * (1 + 1e-12)).all()
    assert (found.df >= 1).all()


def test_arrays_of_cases_give_what_single_cases_give():
    rng = generator("test dyadic", 5)
    design = dyadic_design(drawn(rng, 20, 12))
    x = rng.standard_normal((3, 20))
    together = dyadic_mean(x, design)
    for k in range(3):
        alone = dyadic_mean(x[k], design)
        assert (alone.variance, alone.df) == pytest.approx((together.variance[k], together.df[k]))


def test_where_all_items_share_a_unit_nothing_can_be_said():
    star = dyadic_design([("hub", k) for k in range(8)])
    assert np.isnan(dyadic_mean(np.arange(8.0), star).variance)
    found = dyadic_interval(np.linspace(0.2, 0.8, 8), np.arange(8), {k: ("hub", k) for k in range(8)})
    assert found.sparse
    assert found.method == "clopper-pearson"
    assert found.low < 0.2
    assert found.high > 0.8


def test_where_all_items_agree_the_interval_is_that_of_what_they_are_worth():
    dyads = {k: (k, k + 1) for k in range(40)}
    found = dyadic_interval(np.zeros(40), np.arange(40), dyads, kind="binary")
    design = dyadic_design(list(dyads.values()))
    z2 = ndtri(0.975) ** 2
    assert (found.low, found.high) == pytest.approx((0.0, z2 / (design.least_size + z2)))
    assert found.high > wilson(0, 40).high
    assert found.sparse


def test_samples_of_an_item_are_averaged_first():
    dyads = {"x": (1, 2), "y": (2, 3), "z": (4, 5), "w": (6, 7)}
    twice = dyadic_interval([0, 1, 1, 1, 0, 0, 1, 1], list("xxyyzzww"), dyads)
    once = dyadic_interval([0.5, 1, 0, 1], list("xyzw"), dyads)
    assert (twice.low, twice.high, twice.estimate) == pytest.approx((once.low, once.high, once.estimate))
    assert (twice.samples, twice.units) == (8, 7)


def test_no_sample_bounds_nothing():
    found = dyadic_interval([], [], {})
    assert np.isnan(found.estimate)
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("said", "call"),
    [
        ("at least one item", lambda: dyadic_design([])),
        ("must differ", lambda: dyadic_design([("a", "a")])),
        ("4 items", lambda: dyadic_mean([1.0], dyadic_design([(k, k + 1) for k in range(4)]))),
        ("'y' has none", lambda: dyadic_interval([1.0, 0.0], ["x", "y"], {"x": (1, 2)})),
        ("0 or 1", lambda: dyadic_interval([0.5], ["x"], {"x": (1, 2)}, kind="binary")),
        ("range", lambda: dyadic_interval([1.5], ["x"], {"x": (1, 2)})),
        ("confidence", lambda: dyadic_interval([1.0], ["x"], {"x": (1, 2)}, confidence=1.0)),
        ("shape", lambda: dyadic_interval([1.0], ["x", "y"], {})),
        ("no dyads", lambda: dyadic_inference(pair_units(samples_of([1], ["x"]), samples_of([0], ["x"])))),
        (
            "'y' has none",
            lambda: pair_units(samples_of([1, 0], ["x", "y"]), samples_of([0, 1], ["x", "y"]), dyads={"x": (1, 2)}),
        ),
    ],
)
def test_wrong_input_is_named(said, call):
    with pytest.raises(ValueError, match=said):
        call()


def sides(rng, items=50, units=40, kind="binary"):
    dyads = dict(enumerate(drawn(rng, items, units)))
    names = np.arange(items)
    a, b = (rng.random(items) for _ in range(2))
    if kind == "binary":
        a, b = (a < 0.4).astype(float), (b < 0.6).astype(float)
    return names, a, b, dyads


@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_a_comparison_uses_its_dyads(kind):
    names, a, b, dyads = sides(generator("test dyadic", 6), kind=kind)
    found = difference(a, names, b, names, kind=kind, dyads=dyads, margin=0.1)
    plain = difference(a, names, b, names, kind=kind)
    assert found.method == found.test == "dyadic tango"
    assert found.estimate == plain.estimate
    assert found.high - found.low > plain.high - plain.low
    assert found.standard_error >= plain.standard_error * (1 - 1e-9)
    assert (found.pvalue <= 0.05) == (not found.low <= 0 <= found.high)
    assert found.claims


def test_an_open_metric_is_compared_by_t():
    names, a, b, dyads = sides(generator("test dyadic", 7), kind="graded")
    found = difference(10 * a, names, 10 * b, names, kind="graded", low=None, high=None, dyads=dyads)
    d = 10 * (b - a)
    mean = dyadic_mean(d, dyadic_design(list(dyads.values())))
    half = stdtrit(mean.df, 0.975) * np.sqrt(mean.variance)
    assert found.method == "dyadic t"
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))


def test_bounds_and_tail_of_a_comparison_agree():
    names, a, b, dyads = sides(generator("test dyadic", 8))
    inference = dyadic_inference(pair_units(samples_of(a, names), samples_of(b, names), dyads=dyads))
    low, high = inference.bounds(0.9)
    assert inference.tail(low) == pytest.approx(0.05, abs=1e-6)
    assert inference.tail(high) == pytest.approx(0.95, abs=1e-6)


def test_no_difference_at_all_still_has_a_width():
    names, a, _, dyads = sides(generator("test dyadic", 9))
    found = difference(a, names, a, names, dyads=dyads)
    assert found.low < 0 < found.high
    assert found.sparse


@pytest.mark.slow
@pytest.mark.parametrize(
    ("items", "units", "alike", "kind", "least"),
    [
        (60, 60, 0.0, "normal", 0.935),
        (60, 60, 0.25, "normal", 0.935),
        (60, 60, 0.5, "normal", 0.935),
        (60, 30, 0.25, "normal", 0.935),
        (60, 30, 0.5, "normal", 0.935),
        (30, 30, 0.25, "normal", 0.935),
        (60, 60, 0.25, "exponential", 0.935),
        (60, 30, 0.25, "exponential", 0.925),
    ],
)
def test_the_interval_of_a_mean_covers(items, units, alike, kind, least):
    """20,000 simulations a case. Intervals that take items for independent cover .57 to .86 where items are alike."""
    rng = generator("test dyadic", 10)
    dyads = drawn(rng, items, units)
    x = scores(rng, dyads, units, alike, 20_000, kind)
    found = dyadic_mean(x, dyadic_design(dyads))
    covered = np.abs(found.estimate) <= stdtrit(found.df, 0.975) * np.sqrt(found.variance)
    assert covered.mean() >= least
    naive = np.abs(found.estimate) <= stdtrit(items - 1, 0.975) * x.std(axis=1, ddof=1) / np.sqrt(items)
    assert alike == 0 or naive.mean() < 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("share", "alike"), [(0.1, 0.2), (0.3, 0.45), (0.5, 0.0)])
def test_the_interval_of_a_share_covers(share, alike):
    rng = generator("test dyadic", 11)
    dyads = drawn(rng, 60, 60)
    hits = (scores(rng, dyads, 60, alike, 1200) < ndtri(share)).astype(float)
    owned = dict(enumerate(dyads))
    found = [dyadic_interval(row, np.arange(60), owned, kind="binary") for row in hits]
    assert np.mean([i.low <= share <= i.high for i in found]) >= 0.935


@pytest.mark.slow
def test_equal_sides_are_rarely_told_apart():
    """Both sides have parents of their own strength; a test that takes items for independent is wrong too often."""
    rng = generator("test dyadic", 12)
    dyads = drawn(rng, 60, 30)
    owned, names = dict(enumerate(dyads)), np.arange(60)
    a, b = ((scores(rng, dyads, 30, 0.45, 600) < 0).astype(float) for _ in range(2))
    wrong = plain = 0
    for one, two in zip(a, b, strict=True):
        wrong += difference(one, names, two, names, dyads=owned).pvalue <= 0.05
        plain += difference(one, names, two, names).pvalue <= 0.05
    assert wrong / 600 <= 0.06
    assert plain / 600 > 0.12
