"""What a baseline tells of the noise of a difference: the formula against simulation, with unequal counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite import forecast as forecast_module
from finchmark.suite import sequential_check
from finchmark.suite.baseline import make_baseline
from finchmark.suite.checks import checks
from finchmark.suite.policy import Policy
from finchmark.suite.records import Metric
from finchmark.suite.seeds import generator
from finchmark.suite.spread import Spread, expected_sd, spread_of

GRADED = Metric(name="score", summary="", primary=True)
UNEQUAL = np.resize([2, 3, 40], 90)


@pytest.fixture
def check(make_cell, make_results):
    """The one check of a baseline of item -> values."""

    def make(items, **options):
        (one,) = checks(make_baseline(make_results("old", make_cell(items, **options))), Policy())
        return one

    return make


def differences(rng, counts, samples, runs, *, binary):
    """Mean differences of runs that have not changed, per unit: ``[runs]``, times the root of the units."""
    levels = rng.uniform(0.1, 0.9, counts.size)
    spread = 0.02 + 0.2 * (counts / counts.max())  # the noisy items are those that were sampled often

    def means(n):
        if binary:
            return rng.binomial(n, levels, (runs, counts.size)) / n
        return levels + rng.normal(0, spread, (runs, counts.size)) / np.sqrt(n)

    within = levels * (1 - levels) if binary else spread**2
    return (means(samples) - means(counts)).mean(axis=1) * math.sqrt(counts.size), within


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("samples", [1, 4, 20])
def test_the_formula_is_the_spread_of_simulated_differences(binary, samples):
    found, within = differences(generator("spread", samples, binary), UNEQUAL, samples, 20_000, binary=binary)
    told = Spread(UNEQUAL.astype(float), within, True).sd(samples)
    # 20,000 runs tell a standard deviation to 0.5 %; this is four times that.
    assert told == pytest.approx(found.std(ddof=1), rel=0.02)


def test_the_arithmetic_mean_of_the_counts_promises_too_little_noise():
    """What stood in one of two places before: here it is 40 % too small."""
    found, within = differences(generator("arithmetic"), UNEQUAL, 20, 20_000, binary=True)
    wrong = math.sqrt(within.mean() * (1 / UNEQUAL.mean() + 1 / 20))
    assert wrong < 0.7 * found.std(ddof=1)


def test_of_one_variance_it_is_the_harmonic_mean_that_counts():
    told = Spread(UNEQUAL.astype(float), np.full(90, 0.2), True)
    assert told.sd(5) == pytest.approx(math.sqrt(0.2 * (1 / 5 + 1 / stats.hmean(UNEQUAL))))


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0, 4)), min_size=1, max_size=30),
    st.integers(1, 50),
    st.floats(0, 9),
)
def test_more_samples_never_make_it_larger_and_equal_counts_give_millers_formula(items, samples, w):
    counts, within = (np.array(column, dtype=float) for column in zip(*items, strict=True))
    one = Spread(counts, within, True)
    assert one.sd(samples + 1) <= one.sd(samples) + 1e-12
    assert Spread(counts + 1, within, True).sd(samples) <= one.sd(samples) + 1e-12
    equal = Spread(np.full(counts.size, float(samples)), np.full(counts.size, w), True)
    assert equal.sd(samples) == pytest.approx(math.sqrt(2 * w / samples), abs=1e-12)


@pytest.mark.parametrize("binary", [True, False])
def test_read_from_baselines_it_is_right_on_average(check, binary):
    """Each baseline estimates its own noise; the mean of the estimated variances is the variance."""
    rng = generator("baselines", binary)
    counts = np.resize([2, 3, 10], 60)
    levels = rng.uniform(0.2, 0.8, 60)
    told = []
    for _ in range(60):
        if binary:
            values = [(rng.random(n) < p).astype(float) for n, p in zip(counts, levels, strict=True)]
        else:
            values = [p + rng.normal(0, 0.05, n) for n, p in zip(counts, levels, strict=True)]
        items = {f"i{k:02}": list(map(float, v)) for k, v in enumerate(values)}
        told.append(spread_of(check(items, **({} if binary else {"metrics": (GRADED,)}))).sd(4) ** 2)
    within = levels * (1 - levels) if binary else np.full(60, 0.05**2)
    truth = np.mean(within * (1 / counts + 1 / 4))
    assert np.mean(told) == pytest.approx(truth, rel=0.05)


def test_an_item_with_one_sample_takes_the_others_noise_and_keeps_its_own_count(check):
    found = spread_of(check({"a": [0.0, 1.0], "b": [1.0]}))
    assert found.counts.tolist() == [2, 1]
    assert found.within.tolist() == [0.5, 0.5]
    assert found.sd(1) == pytest.approx(math.sqrt((0.5 * 1.5 + 0.5 * 2) / 2))


def test_without_repeats_all_of_the_spread_is_an_upper_bound(check):
    found = spread_of(check({"a": [0.0], "b": [1.0], "c": [1.0], "d": [1.0]}))
    assert (found.repeated, set(found.within)) == (False, {0.75 * 0.25})


def test_one_graded_sample_tells_nothing(check):
    found = spread_of(check({"a": [0.3]}, metrics=(GRADED,)))
    assert not found.repeated
    assert np.isnan(found.within).all()


@pytest.mark.parametrize("items", [{"a": [0.0], "b": [1.0]}, {"a": [1.0, 1.0], "b": [0.0, 0.0]}])
def test_bets_are_planned_only_where_the_baseline_tells(check, items):
    assert expected_sd(check(items), 4) is None


def test_the_gate_plans_its_bets_by_this_spread(check, monkeypatch):
    one = check({f"i{k}": [0.0, 1.0] if k % 3 else [1.0] * 9 for k in range(30)})
    planned = {}
    monkeypatch.setattr(sequential_check, "SequentialGate", lambda *_, **given: planned.update(given))
    sequential_check.SequentialCheck(one, 4, 0.05, seed=0)
    assert planned["sd"] == expected_sd(one, 4) == spread_of(one).sd(4)


@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_the_forecast_plays_the_bets_that_the_gate_will_make(check, monkeypatch, kind):
    items = {f"i{k:02}": [0.0, 1.0] if k % 3 else [1.0] * 9 for k in range(60)}
    one = check(items, **({} if kind == "binary" else {"metrics": (GRADED,)}))
    planned = []
    module, name = (forecast_module, "gate_chance") if kind == "binary" else (forecast_module, "gate_paths")
    play = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **given: (planned.append(given["sd"]), play(*a, **given))[1])
    forecast_module.forecast(one, 60, 4, Policy(mode="sequential"), 0.05)
    assert set(planned) == {expected_sd(one, 4)}
