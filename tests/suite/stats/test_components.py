import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.components import components, paired_components


def played(items, samples, rng, sd_between=0.3, sd_within=0.2):
    truth = rng.normal(0.5, sd_between, items)
    labels = np.repeat(np.arange(items), samples)
    return truth[labels] + rng.normal(0, sd_within, labels.size), labels


def test_balanced_components_are_those_of_statsmodels():
    sm = pytest.importorskip("statsmodels.formula.api")
    x, labels = played(40, 5, generator("components"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns of pandas
        fit = sm.mixedlm("x ~ 1", pd.DataFrame({"x": x, "item": labels}), groups="item").fit(reml=True)
    c = components(x, labels)
    assert c.within == pytest.approx(fit.scale, rel=1e-4)
    assert c.between == pytest.approx(float(fit.cov_re.iloc[0, 0]), rel=1e-3)
    assert c.mean == pytest.approx(float(fit.fe_params.iloc[0]), rel=1e-6)


def test_unbalanced_components_by_hand():
    # Items of 1, 2 and 3 samples: MSW = (0.02 + 0.02) / 3; n0 = (6 - 14/6) / 2.
    x, labels = [0.5, 0.1, 0.3, 0.8, 0.9, 1.0], list("abbccc")
    grand = 3.6 / 6
    between = (1 * (0.5 - grand) ** 2 + 2 * (0.2 - grand) ** 2 + 3 * (0.9 - grand) ** 2) / 2
    c = components(x, labels)
    assert c.within == pytest.approx(0.04 / 3)
    assert c.between == pytest.approx((between - 0.04 / 3) / ((6 - 14 / 6) / 2))
    assert c.mean == pytest.approx((0.5 + 0.2 + 0.9) / 3)
    assert c.per_item == pytest.approx(3 / (1 + 1 / 2 + 1 / 3))
    assert (c.items, c.samples) == (3, 6)


def test_components_are_unbiased():
    rng = generator("components bias")
    found = []
    for _ in range(300):
        x, labels = played(30, 4, rng)
        c = components(x, labels)
        found.append((c.within, c.between))
    assert np.mean(found, axis=0) == pytest.approx((0.04, 0.09), rel=0.05)


def test_one_sample_an_item_tells_the_sum_only():
    c = components([0, 1, 1, 0], list("abcd"))
    assert np.isnan(c.within)
    assert np.isnan(c.between)
    assert c.difference_sd() == pytest.approx(np.sqrt(2 * c.spread))


def test_a_negative_estimate_is_zero():
    assert components([0, 1, 0, 1, 0, 1], list("aabbcc")).between == 0


def test_the_spread_of_a_difference_has_the_noise_of_both_sides():
    c = components(*played(50, 4, generator("components sd")))
    assert c.difference_sd() == pytest.approx(np.sqrt(2 * c.within / 4))
    assert c.difference_sd(16, interaction=0.01) == pytest.approx(np.sqrt(0.01 + 2 * c.within / 16))


@given(st.permutations(range(12)))
def test_the_order_of_samples_does_not_matter(order):
    x, labels = played(4, 3, generator("components order"))
    a, b = components(x, labels), components(x[list(order)], labels[list(order)])
    assert (a.within, a.between) == pytest.approx((b.within, b.between))


def two_runs(rng, items=60, interaction=0.01):
    truth = rng.normal(0.5, 0.3, items)
    other = truth + rng.normal(0.1, np.sqrt(interaction), items)
    a, b = np.repeat(np.arange(items), 4), np.repeat(np.arange(items), 8)
    return truth[a] + rng.normal(0, 0.2, a.size), a, other[b] + rng.normal(0, 0.3, b.size), b


def test_paired_components_are_unbiased():
    rng = generator("paired components")
    found = [paired_components(*two_runs(rng)) for _ in range(300)]
    assert np.mean([p.interaction for p in found]) == pytest.approx(0.01, rel=0.1)
    assert np.mean([p.within for p in found], axis=0) == pytest.approx((0.04, 0.09), rel=0.05)
    assert np.mean([p.difference for p in found]) == pytest.approx(0.1, abs=0.005)


def test_the_spread_of_the_runs_themselves_is_the_observed_one():
    p = paired_components(*two_runs(generator("paired spread")))
    assert p.sd() == pytest.approx(np.sqrt(p.spread))
    assert p.sd(2) == pytest.approx(np.sqrt(p.interaction + p.within[0] / 2 + p.within[1] / 2))
    assert p.per_item == (4, 8)


def test_without_repeats_more_samples_promise_nothing():
    p = paired_components([0, 1, 1], list("abc"), [1, 1, 0], list("abc"))
    assert np.isnan(p.interaction)
    assert p.sd(16) == p.sd()


def test_only_common_items_count():
    p = paired_components([0, 1, 1, 5], list("abcx"), [1, 1, 0, 7], list("cbay"))
    assert (p.items, p.difference) == (3, 0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: components([], []), "at least one"),
        (lambda: components([1, 2], ["a"]), "shape"),
        (lambda: components([1, float("nan")], ["a", "b"]), "nan"),
        (lambda: components([0, 1], ["a", "a"]).difference_sd(0.5), "0.5"),
        (lambda: components([0, 1], ["a", "a"]).difference_sd(1, -1), "-1"),
        (lambda: paired_components([1], ["a"], [1], ["a"]), "at least two"),
        (lambda: paired_components([1, 2, 3], ["a", "b"], [1, 2], ["a", "b"]), "shape"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()
