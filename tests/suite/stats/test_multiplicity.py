import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.multiplicity import benjamini_hochberg, holm, max_t
from finchmark.suite.stats.paired_tests import sign_flip, sign_flips

pvalues = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(pvalues)
@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_adjusted_p_values_agree_with_statsmodels(ours, theirs, p):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    assert np.allclose(ours(p), multitest.multipletests(p, method=theirs)[1], atol=1e-15)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_was_not_asked_is_not_counted(adjust):
    adjusted = adjust([0.01, np.nan, 0.04, np.nan])
    assert np.isnan(adjusted[[1, 3]]).all()
    assert np.array_equal(adjusted[[0, 2]], adjust([0.01, 0.04]))


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_adjusts_along_the_last_axis(adjust):
    p = generator("adjust").random((3, 4, 7))
    p[1, 2, 3:] = np.nan
    adjusted = adjust(p)
    assert adjusted.shape == p.shape
    assert np.array_equal(adjusted[1, 2], adjust(p[1, 2]), equal_nan=True)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_nothing_asked_gives_nothing(adjust):
    assert adjust([]).shape == (0,)
    assert np.isnan(adjust([np.nan, np.nan])).all()


@given(pvalues)
def test_adjusting_never_lowers_nor_reorders(p):
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert (adjusted >= np.array(p)).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_a_bad_p_value_is_named(adjust, bad):
    with pytest.raises(ValueError, match=f"not {bad}"):
        adjust([0.5, bad])


def naive_max_t(d):
    """Westfall and Young's step-down by the letter, over all flips, two-sided."""
    z = np.nan_to_num(d) / np.sqrt(np.nansum(d**2, axis=0))
    observed = np.abs(z.sum(axis=0))
    order = list(np.argsort(-observed, kind="stable"))
    flips = [np.abs(np.array(s) @ z) for s in itertools.product([1, -1], repeat=len(z))]
    out, worst = np.empty(len(order)), 0.0
    for i, column in enumerate(order):
        share = np.mean([max(f[c] for c in order[i:]) >= observed[column] - 1e-9 for f in flips])
        worst = max(worst, share)
        out[column] = worst
    return out


@pytest.mark.parametrize("seed", range(5))
def test_max_t_is_the_step_down_procedure(seed):
    d = generator("max-t", seed).normal(0.4, 1, (7, 4))
    d[5:, 0] = np.nan
    r = max_t(d)
    assert r.exact
    assert (r.resamples, r.seed) == (128, None)
    assert np.allclose(r.pvalues, naive_max_t(d))


def test_max_t_of_one_column_is_the_sign_flip_test():
    d = generator("one column").normal(0.3, 1, 12)
    for alternative in ("two-sided", "greater", "less"):
        assert max_t(d[:, None], alternative=alternative).pvalues[0] == pytest.approx(
            sign_flip(d, alternative=alternative).pvalue
        )


def test_max_t_of_equal_columns_costs_nothing():
    d = generator("equal").normal(0.5, 1, 12)
    assert np.allclose(max_t(np.column_stack([d, d, d])).pvalues, sign_flip(d).pvalue)


def test_max_t_gains_over_holm_where_columns_move_together():
    rng = generator("together")
    d = rng.normal(1.2, 1, (14, 1)) + rng.normal(0, 0.2, (14, 8))
    single = np.array([sign_flip(column).pvalue for column in d.T])
    assert (max_t(d).pvalues < holm(single) * 0.6).all()


def test_max_t_drawn_is_near_exact_and_repeats_with_its_seed():
    d = generator("drawn").normal(0.3, 1, (15, 3))
    drawn = max_t(d, resamples=20_000, seed=4)
    assert (drawn.exact, drawn.resamples, drawn.seed) == (False, 20_000, 4)
    assert np.array_equal(drawn.pvalues, max_t(d, resamples=20_000, seed=4).pvalues)
    assert np.allclose(drawn.pvalues, naive_max_t(d), atol=0.015)


def test_max_t_never_gives_zero():
    d = np.abs(generator("never zero").normal(3, 1, (40, 2)))
    assert (max_t(d, resamples=999).pvalues == 1 / 1000).all()


def test_max_t_of_columns_that_tell_nothing():
    d = np.array([[np.nan, 0.0, 1.0], [np.nan, 0.0, 2.0], [np.nan, 0.0, 3.0]])
    r = max_t(d)
    assert np.isnan(r.pvalues[0])
    assert r.pvalues[1] == 1
    assert r.pvalues[2] == 0.25
    assert np.isnan(r.statistics[:2]).all()
    assert max_t(d[:, :2]).pvalues[1] == 1


def test_max_t_does_not_let_a_tiny_column_drown_the_others():
    d = np.full((14, 2), np.nan)
    d[:, 0] = np.abs(generator("tiny").normal(1, 0.3, 14))
    d[:2, 1] = 1.0
    assert max_t(d).pvalues[0] <= 0.001


@pytest.mark.parametrize(
    ("d", "message"), [([1.0, 2.0], r"not \(2,\)"), ([[np.inf, 1.0]], "finite")], ids=["shape", "infinite"]
)
def test_max_t_names_bad_differences(d, message):
    with pytest.raises(ValueError, match=message):
        max_t(d)


def test_max_t_names_bad_choices():
    with pytest.raises(ValueError, match=r"alternative .* 'up'"):
        max_t([[1.0]], alternative="up")
    with pytest.raises(ValueError, match=r"resamples .* 0"):
        max_t([[1.0]], resamples=0)


@pytest.mark.slow
def test_any_false_rejection_is_held_among_dependent_tasks():
    # 20 units, 8 tasks that share half of their spread, no difference anywhere.
    rng = generator("family-wise")
    reject = []
    for seed in range(1_000):
        d = rng.standard_t(4, (20, 1)) + rng.standard_t(4, (20, 8))
        reject.append(
            [
                max_t(d, resamples=399, seed=seed).pvalues.min() <= 0.05,
                holm(sign_flips(d.T, resamples=399)[0]).min() <= 0.05,
            ]
        )
    anywhere = np.mean(reject, axis=0)
    assert anywhere[0] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1_000)
    assert anywhere[0] >= 0.03  # it spends what it may
    assert anywhere[1] <= anywhere[0]
