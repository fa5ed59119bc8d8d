import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.paired_tests import mcnemar, mcnemar_pvalues, paired_t, sign_flip, sign_flips, wilcoxon

counts = st.integers(0, 60)
ALTERNATIVES = ["two-sided", "greater", "less"]


@given(counts, counts)
def test_mcnemar_exact_agrees_with_statsmodels(gained, lost):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    expected = tables.mcnemar([[5, lost], [gained, 5]], exact=True).pvalue
    assert mcnemar(gained, lost, method="exact").pvalue == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@given(counts, counts)
def test_mcnemar_exact_agrees_with_the_binomial_test(alternative, gained, lost):
    if gained + lost:
        expected = stats.binomtest(gained, gained + lost, alternative=alternative).pvalue
        assert mcnemar(gained, lost, method="exact", alternative=alternative).pvalue == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gained", "lost", "exact", "mid"),
    [
        (1, 7, 0.0703, 0.0391),  # Fagerland, Lydersen and Laake (2013), table 1: 18/256 and 10/256
        (6, 16, 0.0525, 0.0347),  # the same, complete response before and after consolidation therapy
    ],
)
def test_mcnemar_agrees_with_published_values(gained, lost, exact, mid):
    assert mcnemar(gained, lost, method="exact").pvalue == pytest.approx(exact, abs=5e-5)
    assert mcnemar(gained, lost).pvalue == pytest.approx(mid, abs=5e-5)


@given(counts, counts)
def test_mid_p_takes_half_of_the_observed_table_from_a_tail(gained, lost):
    n = gained + lost
    if n:
        expected = stats.binom.sf(gained - 1, n, 0.5) - stats.binom.pmf(gained, n, 0.5) / 2
        assert mcnemar(gained, lost, alternative="greater").pvalue == pytest.approx(expected, rel=1e-9)


@given(counts, counts)
def test_mcnemar_exchanges_with_the_sides(gained, lost):
    for method in ("mid-p", "exact"):
        p = mcnemar_pvalues([gained, lost], [lost, gained], method=method)
        assert p[0] == p[1]
        greater = mcnemar(gained, lost, method=method, alternative="greater").pvalue
        assert greater == mcnemar(lost, gained, method=method, alternative="less").pvalue


def test_no_discordant_pair_tells_nothing():
    assert mcnemar(0, 0).pvalue == 1
    assert mcnemar(0, 0, alternative="greater").pvalue == 1


@pytest.mark.parametrize("bad", [-1, 1.5, np.nan])
def test_mcnemar_names_a_bad_count(bad):
    with pytest.raises(ValueError, match=f"lost must be a count, not {bad}"):
        mcnemar(1, bad)


def test_mcnemars_size_is_at_most_alpha():
    # Exactly, for 40 pairs: the exact test by construction; mid-p as Fagerland et al. found.
    x, y = np.meshgrid(np.arange(41), np.arange(41), indexing="ij")
    possible = x + y <= 40
    x, y = x[possible], y[possible]
    mid, exact = mcnemar_pvalues(x, y) <= 0.05, mcnemar_pvalues(x, y, method="exact") <= 0.05
    for half in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
        chance = stats.multinomial.pmf(np.stack([x, y, 40 - x - y], -1), 40, [half, half, 1 - 2 * half])
        assert chance[exact].sum() <= chance[mid].sum() + 1e-12 <= 0.05


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_sign_flips_are_all_tried_when_few(alternative):
    d = generator("exact").normal(0.4, 1, 9)
    sums = np.array([np.dot(s, d) for s in itertools.product([1, -1], repeat=9)])
    observed = d.sum()
    expected = {
        "two-sided": np.mean(np.abs(sums) >= abs(observed) - 1e-12),
        "greater": np.mean(sums >= observed - 1e-12),
        "less": np.mean(sums <= observed + 1e-12),
    }[alternative]
    r = sign_flip(d, alternative=alternative)
    assert r.pvalue == pytest.approx(expected)
    assert (r.method, r.resamples, r.seed, r.units) == ("sign-flip-exact", 512, None, 9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_sign_flip_agrees_with_scipys_permutation_test(alternative):
    a, b = generator("scipy").normal(0, 1, (2, 12))
    expected = stats.permutation_test(
        (b, a), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", alternative=alternative
    ).pvalue
    assert sign_flip(b - a, alternative=alternative).pvalue == pytest.approx(expected)


def test_units_that_do_not_differ_cost_nothing():
    r = sign_flip([0.0] * 500 + [1, 1, 1, 1, 1, 1])
    assert r.pvalue == pytest.approx(2 / 64)
    assert (r.units, r.method) == (6, "sign-flip-exact")


def test_sign_flip_of_binary_pairs_is_mcnemar_exact():
    d = [1.0] * 11 + [-1.0] * 3
    assert sign_flip(d).pvalue == pytest.approx(mcnemar(11, 3, method="exact").pvalue)


def test_drawn_sign_flips_are_near_exact_and_repeat_with_their_seed():
    d = [1.0] * 20 + [-1.0] * 8
    r = sign_flip(d, resamples=40_000, seed=3)
    assert r == sign_flip(d, resamples=40_000, seed=3)
    assert (r.method, r.resamples, r.seed) == ("sign-flip-monte-carlo", 40_000, 3)
    assert r.pvalue == pytest.approx(mcnemar(20, 8, method="exact").pvalue, abs=0.003)
    assert r.pvalue != sign_flip(d, resamples=40_000, seed=4).pvalue


def test_a_drawn_p_value_is_never_zero():
    assert sign_flip(np.ones(100), resamples=999).pvalue == 1 / 1000


def test_many_cases_give_what_single_cases_give():
    d = generator("cases").normal(0.2, 1, (3, 4, 20))
    d[0, 0, 8:] = 0
    p, exact = sign_flips(d, resamples=500, seed=1)
    assert p.shape == exact.shape == (3, 4)
    assert exact.sum() == 1
    assert p[0, 0] == sign_flip(d[0, 0]).pvalue
    assert p[2, 1] == pytest.approx(sign_flip(d[2, 1], resamples=500, seed=1).pvalue)


def test_no_unit_differs():
    for r in (sign_flip(np.zeros(10)), wilcoxon(np.zeros(10)), paired_t(np.zeros(10))):
        assert r.pvalue == 1


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_paired_t_agrees_with_scipy(alternative):
    a, b = generator("t").normal(0, 1, (2, 25))
    expected = stats.ttest_rel(b, a, alternative=alternative)
    r = paired_t(b - a, alternative=alternative)
    assert (r.statistic, r.pvalue) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_wilcoxon_is_scipys(alternative):
    d = generator("wilcoxon").normal(0.3, 1, 25)
    expected = stats.wilcoxon(d, alternative=alternative)
    assert wilcoxon(d, alternative=alternative).pvalue == pytest.approx(expected.pvalue)


def test_t_cannot_tell_where_all_units_move_alike():
    assert np.isnan(paired_t([0.1] * 8).pvalue)
    assert np.isnan(paired_t([0.1]).pvalue)


@pytest.mark.parametrize("test", [sign_flip, wilcoxon, paired_t])
def test_bad_input_is_named(test):
    with pytest.raises(ValueError, match="finite"):
        test([1.0, np.nan])
    with pytest.raises(ValueError, match="'up'"):
        test([1.0, 2.0], alternative="up")


def test_resamples_must_be_some():
    with pytest.raises(ValueError, match="resamples must be at least 1, not 0"):
        sign_flip(np.arange(30), resamples=0)


@pytest.mark.slow
@pytest.mark.parametrize(("items", "samples"), [(30, 4), (30, 1), (12, 16)])
@pytest.mark.parametrize("spread", [0.1, 0.5, 20])
def test_type_i_error_holds_with_several_samples_an_item(items, samples, spread):
    # Two sides of one model: rates of the items follow Beta(spread, spread).
    rng = generator("type I", items, samples, str(spread))
    p = rng.beta(spread, spread, (4_000, items))
    a, b = rng.binomial(samples, p) / samples, rng.binomial(samples, p) / samples
    pvalue, _ = sign_flips(b - a, resamples=999, seed=items)
    assert (pvalue <= 0.05).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 4_000)


def test_pooled_samples_break_type_i_error_where_items_do_not():
    # The known defect: a candidate that moves items at random, by no amount on average, judged by pooled samples.
    rng = generator("pooled")
    p = rng.uniform(0.2, 0.8, (2_000, 30))
    q = p + rng.choice([-0.2, 0.2], p.shape)
    a, b = rng.binomial(16, p), rng.binomial(16, q)
    rate_a, rate_b = a.sum(1) / 480, b.sum(1) / 480
    pooled = np.abs(rate_b - rate_a) / np.sqrt((rate_a * (1 - rate_a) + rate_b * (1 - rate_b)) / 480)
    assert (2 * stats.norm.sf(pooled) <= 0.05).mean() > 0.08
    assert (sign_flips((b - a) / 16, resamples=399)[0] <= 0.05).mean() <= 0.065


def test_paired_power_on_the_specs_case():
    # peers.md, section 6: 200 items, +6 points, correlated. Here .30 to .36, .13 gained and .07 lost.
    rng = generator("power")
    gained, lost, both = rng.multinomial(200, [0.13, 0.07, 0.23, 0.57], 20_000).T[:3]
    paired = (mcnemar_pvalues(gained, lost) <= 0.05).mean()
    a, b = (both + lost) / 200, (both + gained) / 200
    error = np.sqrt((a * (1 - a) + b * (1 - b)) / 200)
    unpaired = (2 * stats.norm.sf(np.abs(b - a) / error) <= 0.05).mean()
    assert paired >= 0.45
    assert 0.10 <= unpaired <= 0.20


def test_few_sizes_of_differences_are_flipped_by_their_counts():
    d = generator("sizes").choice([-1.0, -0.5, 0.0, 0.5, 1.0], 200, p=[0.1, 0.2, 0.3, 0.25, 0.15])
    noisy = d + 1e-12 * generator("noise").random(200)
    for alternative in ALTERNATIVES:
        few, many = (sign_flip(x, alternative=alternative, resamples=40_000).pvalue for x in (d, noisy))
        assert few == pytest.approx(many, abs=0.01)


def test_sign_flip_is_no_test_of_a_mean_of_skewed_differences():
    """The docstring's figure: of 30 items .05 break to 0, the rest rise, and the mean difference is 0."""
    rng, cases, items, samples = generator("sign flip, skewed"), 600, 30, 64
    breaks = rng.random((cases, items)) < 0.05
    after = rng.binomial(samples, np.where(breaks, 0.0, 0.9 / 0.95)) / samples
    before = rng.binomial(samples, np.full((cases, items), 0.9)) / samples
    p, _ = sign_flips(after - before, alternative="greater", resamples=499)
    assert (p <= 0.05).mean() == pytest.approx(0.21, abs=0.05)
