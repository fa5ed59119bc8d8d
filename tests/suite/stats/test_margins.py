import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bootstrap import bootstrap_bounds
from finchmark.suite.stats.inference import paired_inference
from finchmark.suite.stats.margins import equivalence, inferiority, margin_tests, noninferiority, superiority
from finchmark.suite.stats.paired_tests import sign_flips
from finchmark.suite.stats.pairs import pair_units, samples_of


def graded_pairs(a, b, **kwargs):
    return pair_units(*(samples_of(x, range(len(x)), kind="graded", low=None, high=None, **kwargs) for x in (a, b)))


def binary_pairs(gained, lost, same):
    a = [0] * gained + [1] * lost + [1] * same
    b = [1] * gained + [0] * lost + [1] * same
    return pair_units(samples_of(a, range(len(a))), samples_of(b, range(len(b))))


def test_tost_agrees_with_statsmodels():
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    a, b = generator("tost").normal(0, 1, (2, 50))
    expected, (_, lower, _), (_, upper, _) = weightstats.ttost_paired(b, a, -0.4, 0.4)
    inference = paired_inference(graded_pairs(a, b))
    assert equivalence(inference, 0.4).pvalue == pytest.approx(expected)
    assert noninferiority(inference, 0.4).pvalue == pytest.approx(lower)
    assert noninferiority(inference, 0.4, direction="lower").pvalue == pytest.approx(upper)


def test_superiority_and_inferiority_are_one_sided_t_tests():
    a, b = generator("sided").normal(0.2, 1, (2, 50))
    inference = paired_inference(graded_pairs(a, b))
    assert superiority(inference, 0.1).pvalue == pytest.approx(
        stats.ttest_1samp(b - a, 0.1, alternative="greater").pvalue
    )
    assert inferiority(inference, 0.1).pvalue == pytest.approx(
        stats.ttest_1samp(b - a, -0.1, alternative="less").pvalue
    )


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 80), st.sampled_from([0.02, 0.05, 0.1, 0.3]))
def test_claims_are_made_where_the_bounds_lie_on_their_side(gained, lost, same, margin):
    inference = paired_inference(binary_pairs(gained, lost, same))
    low, high = inference.bounds(0.9)
    claims = margin_tests(inference, margin)
    assert claims["superior"].holds == (low >= 0)
    assert claims["non-inferior"].holds == (low >= -margin)
    assert claims["inferior"].holds == (high <= -margin)
    assert claims["equivalent"].holds == (low >= -margin and high <= margin)
    assert (claims["non-inferior"].low, claims["non-inferior"].high) == (low, high)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 80))
def test_lower_is_better_exchanges_the_sides(gained, lost, same):
    there, back = (
        margin_tests(paired_inference(p), 0.1, direction=d, pairs=p)
        for p, d in (
            (binary_pairs(gained, lost, same), "higher"),
            (binary_pairs(lost, gained, same), "lower"),
        )
    )
    for claim, test in there.items():
        assert back[claim].pvalue == pytest.approx(test.pvalue, abs=1e-12)


@pytest.mark.parametrize(("margin", "units"), [(0.05, 59), (0.10, 29)])
def test_no_loss_passes_from_the_units_that_validity_asks_for(margin, units):
    for n in (units - 1, units):
        pairs = binary_pairs(0, 0, n)
        test = noninferiority(paired_inference(pairs), margin, pairs=pairs)
        assert test.holds == (n >= units)
        assert test.pvalue == pytest.approx((1 - margin) ** n)


@given(st.integers(1, 20), st.integers(20, 200))
def test_with_losses_alone_it_is_never_surer_than_the_exact_binomial_test(lost, same):
    pairs = binary_pairs(0, lost, same)
    p = noninferiority(paired_inference(pairs), 0.1, pairs=pairs).pvalue
    assert p >= stats.binom.cdf(lost, lost + same, 0.1) * (1 - 1e-9)


def test_where_something_is_gained_the_exact_test_does_not_speak():
    pairs = binary_pairs(1, 0, 57)
    inference = paired_inference(pairs)
    assert noninferiority(inference, 0.05, pairs=pairs).pvalue == noninferiority(inference, 0.05).pvalue


def test_what_cannot_be_told_is_not_claimed():
    inference = paired_inference(graded_pairs([0.5] * 40, [0.5] * 40))
    for test in margin_tests(inference, 0.1).values():
        assert np.isnan(test.pvalue)
        assert not test.holds


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (noninferiority, {"margin": 0.0}, r"above 0, not 0\.0"),
        (superiority, {"margin": -0.1}, r"at least 0, not -0\.1"),
        (equivalence, {"margin": 0.1, "alpha": 0.5}, r"alpha .* not 0\.5"),
        (inferiority, {"margin": 0.1, "direction": "up"}, "not 'up'"),
        (noninferiority, {"margin": 0.1, "direction": "none"}, "not 'none'"),
    ],
)
def test_bad_input_is_named(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(paired_inference(binary_pairs(3, 4, 20)), **arguments)


def test_t_bootstrap_and_sign_flip_pass_a_broken_ceiling_and_this_does_not():
    # Validity, section 3: baseline 1.0, 5 % of items broken, m = .05, 30 items; the known defect is .22.
    rng = generator("ceiling")
    d = -(rng.random((4_000, 30)) < 0.05).astype(float)
    mean, error = d.mean(axis=1), d.std(axis=1, ddof=1) / np.sqrt(30)
    by_t = (mean - stats.t.ppf(0.95, 29) * error > -0.05).mean()
    by_bootstrap = (bootstrap_bounds(d, confidence=0.9, resamples=500)[0] > -0.05).mean()
    by_flips = (sign_flips(d + 0.05, alternative="greater", resamples=399)[0] <= 0.05).mean()
    for known in (by_t, by_bootstrap, by_flips):
        assert known == pytest.approx(0.22, abs=0.02)
    passed = {
        lost: noninferiority(paired_inference(binary_pairs(0, lost, 30 - lost)), 0.05).holds for lost in range(31)
    }
    assert not any(passed.values())


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 59, 120, 300])
@pytest.mark.parametrize("gain", [0.0, 0.01, 0.05, 0.2])
def test_false_pass_of_single_samples_is_at_most_06(n, gain):
    # Exactly, by enumeration: the candidate loses .05 more than it gains, right at the margin.
    x, y = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    chance = stats.multinomial.pmf(np.stack([x, y, n - x - y], -1)[x + y <= n], n, [gain, gain + 0.05, 0.95 - 2 * gain])
    likely = chance > 1e-7
    counts = np.stack([x, y], -1)[x + y <= n][likely]
    passes = 0.0
    for (gained, lost), p in zip(counts, chance[likely], strict=True):
        if (gained - lost) / n > -0.05:  # below it nothing passes
            pairs = binary_pairs(gained, lost, n - gained - lost)
            passes += p * noninferiority(paired_inference(pairs), 0.05, pairs=pairs).holds
    assert passes <= 0.06
