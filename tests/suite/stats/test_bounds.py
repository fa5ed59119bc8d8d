import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import beta, binomtest
from statsmodels.stats.proportion import proportion_confint

from finchmark.suite.seeds import generator
from finchmark.suite.stats import pass_at_k
from finchmark.suite.stats.bounds import (
    clopper_pearson_bounds,
    jeffreys_bounds,
    korn_graubard_bounds,
    wilson_bounds,
)

COUNTS = [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (1, 40), (20, 40), (399, 400)]


@pytest.mark.parametrize(("x", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_wilson_agrees_with_scipy(x, n, confidence):
    theirs = binomtest(x, n).proportion_ci(confidence, method="wilson")
    assert np.allclose(wilson_bounds(x, n, confidence), theirs, atol=1e-12)


@pytest.mark.parametrize(("x", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_clopper_pearson_agrees_with_scipy(x, n, confidence):
    theirs = binomtest(x, n).proportion_ci(confidence, method="exact")
    assert np.allclose(clopper_pearson_bounds(x, n, confidence), theirs, atol=1e-9)


@pytest.mark.parametrize(("x", "n"), [c for c in COUNTS if 0 < c[0] < c[1]])
def test_jeffreys_agrees_with_statsmodels_inside(x, n):
    theirs = np.array(proportion_confint(x, n, method="jeffreys"), dtype=float)
    assert np.allclose(jeffreys_bounds(x, n), theirs, atol=1e-12)


def test_jeffreys_reaches_the_end_where_all_samples_agree():
    assert jeffreys_bounds(0, 9)[0] == 0.0
    assert jeffreys_bounds(9, 9)[1] == 1.0


@pytest.mark.parametrize("bounds", [wilson_bounds, clopper_pearson_bounds, jeffreys_bounds])
def test_bounds_take_arrays(bounds):
    low, high = bounds(np.arange(11), 10)
    assert low.shape == high.shape == (11,)
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()
    assert np.allclose(low, 1 - high[::-1])  # failures are the mirror image of successes


@pytest.mark.parametrize("bounds", [wilson_bounds, clopper_pearson_bounds, jeffreys_bounds])
@pytest.mark.parametrize(
    ("x", "n", "message"),
    [(-1, 5, "not -1"), (6, 5, "not 6"), (1, 0, "not 0"), (float("nan"), 5, "not nan"), (1, float("inf"), "not inf")],
)
def test_bad_counts_are_named(bounds, x, n, message):
    with pytest.raises(ValueError, match=message):
        bounds(x, n)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.1, float("nan")])
def test_bad_confidence_is_named(confidence):
    with pytest.raises(ValueError, match=f"confidence .* not {confidence}"):
        wilson_bounds(1, 2, confidence)


def test_korn_graubard_by_hand():
    # Four items, two samples each: means 0, 0, .5, 1; p = .375, s2 = .2291667, v = s2/4, size = p(1-p)/v = 4.0909,
    # times the squared ratio of t quantiles (2 items hold a success: 1 degree of freedom) is under the 4 items, so
    # four trials it is.
    expected = beta.ppf(0.025, 1.5, 4 - 1.5 + 1), beta.ppf(0.975, 2.5, 4 - 1.5)
    assert np.allclose(korn_graubard_bounds([0, 0, 1, 2], 2), expected)


def test_korn_graubard_by_hand_between_its_ends():
    x, m = np.array([1, 0, 1, 2, 1, 2, 3, 1]), 4  # 7 items hold a success: 6 degrees of freedom
    p, v = 11 / 32, np.var(x / m, ddof=1) / 8
    size = p * (1 - p) / v * (stdtrit(31, 0.975) / stdtrit(6, 0.975)) ** 2
    assert 8 < size < 32
    expected = beta.ppf(0.025, p * size, size - p * size + 1), beta.ppf(0.975, p * size + 1, size - p * size)
    assert np.allclose(korn_graubard_bounds(x, m), expected)


def test_korn_graubard_with_one_sample_an_item_is_clopper_pearson():
    x = np.array([1, 0, 0, 1, 0, 1, 1, 0, 0, 0])
    assert np.allclose(korn_graubard_bounds(x, 1), clopper_pearson_bounds(4, 10))


def test_korn_graubard_of_perfectly_clustered_samples_counts_items():
    x = np.array([4, 0, 0, 4, 0, 4, 4, 0, 0, 0])
    assert np.allclose(korn_graubard_bounds(x, 4), clopper_pearson_bounds(4, 10))


def test_korn_graubard_of_items_that_are_all_alike_counts_at_most_every_sample():
    low, high = korn_graubard_bounds(np.full(10, 2), 4)
    floor, top = clopper_pearson_bounds(20, 40)
    assert low <= floor  # wider, by the ratio of t quantiles
    assert high >= top


@pytest.mark.parametrize("x", [0, 16])
def test_korn_graubard_without_spread_counts_items_not_samples(x):
    assert np.allclose(korn_graubard_bounds(np.full(12, x), 16), clopper_pearson_bounds(12 * x / 16, 12))


def test_korn_graubard_of_one_item_is_one_trial():
    assert np.allclose(korn_graubard_bounds([12], 16), clopper_pearson_bounds(0.75, 1))


def test_korn_graubard_weighs_items_alike():
    # The item with 100 samples must not outvote the other.
    low, high = korn_graubard_bounds([100, 0], [100, 1])
    assert np.isclose(low, 1 - high)


def test_korn_graubard_broadcasts_over_leading_axes():
    x = generator("kg").binomial(4, 0.3, (7, 5, 30))
    low, high = korn_graubard_bounds(x, 4)
    assert low.shape == (7, 5)
    assert np.isclose(high[3, 2], korn_graubard_bounds(x[3, 2], 4)[1])


def test_korn_graubard_without_items_is_refused():
    with pytest.raises(ValueError, match="at least one item"):
        korn_graubard_bounds(np.zeros((3, 0)), 4)


def coverage(k, m, a, b, reps):
    """Shares of simulated data sets whose t and Korn-Graubard intervals hold the true mean."""
    rng = generator("coverage", k, m)
    x, mu = rng.binomial(m, rng.beta(a, b, (reps, k))), a / (a + b)
    means = x / m
    half = stdtrit(k - 1, 0.975) * means.std(axis=-1, ddof=1) / np.sqrt(k)
    low, high = korn_graubard_bounds(x, m)
    return np.mean(abs(means.mean(axis=-1) - mu) <= half), np.mean((low <= mu) & (mu <= high))


def test_korn_graubard_covers_where_t_does_not():
    t, kg = coverage(30, 4, 0.1, 1.9, 4000)
    assert 0.85 < t < 0.90
    assert kg >= 0.93


def test_korn_graubard_covers_rare_clustered_events_better_than_t():
    t, kg = coverage(64, 16, 0.02, 1.98, 4000)
    assert 0.72 < t < 0.78
    assert kg >= 0.935


@pytest.mark.slow
@pytest.mark.parametrize("samples", [4, 16])
@pytest.mark.parametrize("concentration", [0.05, 0.5, 2, 20])
@pytest.mark.parametrize(("items", "rate"), [(30, 0.17), (30, 0.5), (100, 0.05), (100, 0.95)])
def test_coverage_goal_with_enough_units_and_events(items, rate, samples, concentration):
    _, kg = coverage(items, samples, rate * concentration, (1 - rate) * concentration, 20_000)
    assert kg >= 0.935


@pytest.mark.slow
@pytest.mark.parametrize("samples", [2, 16, 64])
@pytest.mark.parametrize("concentration", [0.1, 1, 5, 50])
@pytest.mark.parametrize(("items", "rate"), [(8, 0.1), (16, 0.05), (30, 0.02), (64, 0.01)])
def test_coverage_holds_where_the_cell_is_sparse(items, rate, samples, concentration):
    _, kg = coverage(items, samples, rate * concentration, (1 - rate) * concentration, 20_000)
    assert kg >= 0.93  # the law asks for .88; degrees of freedom from k - 1 items give .79 at 64 x 64


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(4, 2), (8, 4), (16, 4)])
@pytest.mark.parametrize(("a", "b"), [(0.1, 1.9), (1, 1), (25, 25), (0.006, 0.294)])
def test_estimates_of_pass_at_k_are_covered_as_fractional_counts(n, k, a, b):
    rng = generator("coverage of pass@k", n, k)
    each = pass_at_k(n, rng.binomial(n, rng.beta(a, b, (5000, 30))), k)
    low, high = korn_graubard_bounds(each * (n / k), n / k)
    truth = 1 - np.prod((b + np.arange(k)) / (a + b + np.arange(k)))  # E[(1 - p)^k] of a Beta
    assert np.mean((low <= truth) & (truth <= high)) >= 0.935


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.1, 0.17, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("n", [50, 120, 300])
def test_wilson_coverage_goal(n, p):
    x = np.arange(n + 1)
    low, high = wilson_bounds(x, n)
    from scipy.stats import binom

    assert binom.pmf(x, n, p)[(low <= p) & (p <= high)].sum() >= 0.93  # exact; the discrete dips stay above this
