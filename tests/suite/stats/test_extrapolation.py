import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from finchmark.suite.seeds import generator
from finchmark.suite.stats.estimators import pass_at_k
from finchmark.suite.stats.extrapolation import FAMILIES, extrapolate, fit_rates


def events(name, items=60, n=16, a=0.3, b=3.0):
    rng = generator(name)
    return rng.binomial(n, rng.beta(a, b, items))


def test_the_beta_fit_has_scipys_likelihood_and_no_neighbour_beats_it():
    c = events("fit")
    fit = fit_rates(16, c)
    a, b = fit.parameters

    def theirs(a, b):
        return stats.betabinom(16, a, b).logpmf(c).sum() - stats.binom(16, 0.5).logpmf(c).sum() - 60 * 16 * np.log(2)

    assert fit.log_likelihood == pytest.approx(theirs(a, b), abs=1e-6)
    for da, db in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98), (1.02, 1.02), (0.98, 0.98)):
        assert theirs(a * da, b * db) < fit.log_likelihood


def test_the_logit_normal_fit_has_the_likelihood_of_a_quadrature():
    c = events("fit", items=20)
    fit = fit_rates(16, c, "logit-normal")
    mean, deviation = fit.parameters
    z = np.linspace(-9, 9, 20001)
    density = stats.norm.pdf(z) * (z[1] - z[0])
    q = expit(mean + deviation * z)
    by_count = [np.log(np.sum(density * q**x * (1 - q) ** (16 - x))) for x in c]
    assert fit.log_likelihood == pytest.approx(sum(by_count), abs=0.01)


def test_known_rates_are_found_again():
    rng = generator("again")
    a, b = fit_rates(16, rng.binomial(16, rng.beta(2, 5, 4000))).parameters
    assert (a, b) == pytest.approx((2, 5), rel=0.1)
    q = expit(rng.normal(-3, 1.5, 4000))
    assert fit_rates(16, rng.binomial(16, q), "logit-normal").parameters == pytest.approx((-3, 1.5), rel=0.1)


def test_within_the_samples_the_fit_agrees_with_the_unbiased_estimate():
    c = events("within", items=300)
    r = extrapolate(16, c, 4)
    assert not r.extrapolated
    assert r.low < pass_at_k(16, c, 4).mean() < r.high
    assert r.observed == pytest.approx(pass_at_k(16, c, 16).mean())


def test_beyond_the_samples_it_is_marked_and_spans_both_families():
    r = extrapolate(16, events("marked"), 64)
    assert r.extrapolated
    assert tuple(fit.family for fit in r.families) == FAMILIES
    assert r.low == min(fit.low for fit in r.families)
    assert r.high == max(fit.high for fit in r.families)
    assert all(fit.low <= fit.estimate <= fit.high for fit in r.families)


def test_all_of_k_is_none_of_k_of_the_opposite():
    c = events("mirror")
    any_, all_ = extrapolate(16, c, 32), extrapolate(16, 16 - c, 32, quantity="all")
    for ours, mirrored in zip(any_.families, all_.families, strict=True):
        assert ours.estimate == pytest.approx(1 - mirrored.estimate, abs=1e-3)
        assert (ours.low, ours.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=2e-3)


def test_no_event_at_all_leaves_an_upper_bound():
    r = extrapolate(16, np.zeros(64), 64)
    assert (r.low, r.estimate) == (0, 0)
    # A share s of items that always fail was missed 64 times: at most 1 - exp(-1.92 / 64); rates of 1e-3 add to it.
    assert 1 - np.exp(-1.92 / 64) < r.high < 0.2


def test_events_throughout_leave_a_lower_bound():
    r = extrapolate(8, np.full(40, 8), 32, quantity="all")
    assert (r.high, r.estimate) == (1, 1)
    assert 0.7 < r.low < 0.99


def test_items_that_do_not_differ_lie_at_the_edge():
    c = np.full(40, 4)  # less spread than chance alone would give
    r = fit_rates(16, c)
    assert r.edge
    assert r.estimate == pytest.approx(0.25, abs=1e-3)


def test_samples_may_differ_by_item():
    r = extrapolate([8, 16, 16, 12], [1, 2, 0, 3], 32)
    assert (r.samples, r.items) == (8, 4)


@pytest.mark.parametrize(
    ("n", "c", "k", "text"),
    [
        (16, [1, 2], 65, "from 1 to 64 .*not 65.*more samples"),
        (16, [1, 2], 0, "not 0"),
        (16, [17, 2], 4, "not 17"),
        (0, [0, 0], 4, "n must be a whole number from 1"),
        (16, [1], 4, "at least 2 items"),
    ],
)
def test_what_cannot_be_extrapolated_is_named(n, c, k, text):
    with pytest.raises(ValueError, match=text):
        extrapolate(n, c, k)


@pytest.mark.slow
@pytest.mark.parametrize("truth", FAMILIES)
def test_the_interval_covers_under_either_family(truth):
    rng = generator("cover", truth)

    def rates(size):
        return rng.beta(0.3, 3, size) if truth == "beta-binomial" else expit(rng.normal(-3, 1.5, size))

    target = (1 - (1 - rates(400_000)) ** 64).mean()
    found = [extrapolate(16, rng.binomial(16, rates(64)), 64) for _ in range(30)]
    assert np.mean([r.low <= target <= r.high for r in found]) >= 0.9
    by_its_own = [r.families[FAMILIES.index(truth)] for r in found]
    assert np.mean([fit.low <= target <= fit.high for fit in by_its_own]) >= 0.85
