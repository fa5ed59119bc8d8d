import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bootstrap import bootstrap
from finchmark.suite.stats.inference import paired_inference
from finchmark.suite.stats.pairs import pair_units, samples_of
from finchmark.suite.stats.tango import clustered_tango_bounds, tango_bounds


def binary_pairs(gained, lost, same, samples=1):
    a = [0] * gained + [1] * lost + [1] * same
    b = [1] * gained + [0] * lost + [1] * same
    items = np.repeat(np.arange(gained + lost + same), samples)
    return pair_units(samples_of(np.repeat(a, samples), items), samples_of(np.repeat(b, samples), items))


def graded_pairs(a, b, low=0.0, high=1.0):
    return pair_units(*(samples_of(x, range(len(x)), kind="graded", low=low, high=high) for x in (a, b)))


def test_one_binary_sample_an_item_gets_tango_with_students_quantile():
    pairs = binary_pairs(9, 3, 20)
    r = paired_inference(pairs)
    assert r.method == "tango-t"
    assert r.bounds(0.95) == pytest.approx(tuple(map(float, clustered_tango_bounds(pairs.gained, pairs.lost))))


def test_plain_tango_on_request():
    assert paired_inference(binary_pairs(9, 3, 20), "tango").bounds(0.95) == pytest.approx((-0.027, 0.390), abs=5e-4)


def test_students_quantile_widens_tango_little():
    plain, ours = (np.diff(paired_inference(binary_pairs(6, 5, 49), m).bounds(0.95)) for m in ("tango", "auto"))
    assert 1 < ours / plain < 1.03


def test_several_samples_get_the_effective_number_of_pairs():
    assert paired_inference(binary_pairs(9, 3, 20, samples=4)).method == "clustered-tango"


def test_a_graded_metric_scales_with_its_range():
    a, b = generator("graded").random((2, 40))
    unit, wide = paired_inference(graded_pairs(a, b)), paired_inference(graded_pairs(100 * a, 100 * b, 0, 100))
    assert unit.method == wide.method == "clustered-tango"
    assert np.allclose(100 * np.array(unit.bounds(0.95)), wide.bounds(0.95))
    assert wide.tail(-10.0) == pytest.approx(unit.tail(-0.1))


def test_an_open_metric_gets_t():
    a, b = generator("open").normal(0, 1, (2, 40))
    r = paired_inference(graded_pairs(a, b, None, None))
    expected = stats.ttest_rel(b, a)
    assert r.method == "t"
    assert r.bounds(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert r.tail(0.0) == pytest.approx(stats.ttest_rel(b, a, alternative="greater").pvalue)


@pytest.mark.parametrize("method", ["auto", "t", "bca", "percentile"])
def test_no_difference_anywhere_is_no_certainty(method):
    r = paired_inference(graded_pairs([0.5] * 40, [0.5] * 40), method)
    low, high = r.bounds(0.95)
    assert low < -0.05 < 0.05 < high
    assert r.sparse


@pytest.mark.parametrize("method", ["auto", "t", "bca", "percentile"])
def test_no_difference_anywhere_of_an_open_metric_bounds_nothing(method):
    r = paired_inference(graded_pairs([0.5] * 40, [0.5] * 40, None, None), method)
    assert r.method == "none"
    assert np.isnan([*r.bounds(0.95), r.tail(0.0)]).all()


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_the_bootstrap_is_that_of_unit_differences(method):
    a, b = generator("bootstrap").random((2, 35))
    ours = paired_inference(graded_pairs(a, b), method, seed=9).bounds(0.95)
    expected = bootstrap(b - a, method=method, seed=9)
    assert ours == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("method", ["auto", "tango", "t", "bca"])
@pytest.mark.parametrize("alpha", [0.025, 0.05, 0.2])
def test_the_tail_belongs_to_the_bounds(method, alpha):
    # Resampled differences of counts come in steps, so the bootstrap gets graded scores.
    graded = graded_pairs(*generator("tails").random((2, 40)))
    r = paired_inference(graded if method == "bca" else binary_pairs(12, 5, 23), method)
    low, high = r.bounds(1 - 2 * alpha)
    rel = 0.05 if method == "bca" else 1e-6
    assert r.tail(low) == pytest.approx(alpha, rel=rel)
    assert 1 - r.tail(high) == pytest.approx(alpha, rel=rel)


def test_a_hypothesis_out_of_range_is_as_sure_as_its_end():
    r = paired_inference(binary_pairs(12, 5, 23))
    assert r.tail(-3.0) == r.tail(-1.0) < 1e-6
    assert r.tail(3.0) > 1 - 1e-6


@pytest.mark.parametrize(
    ("pairs", "sparse"),
    [
        (binary_pairs(3, 2, 25), False),
        (binary_pairs(3, 1, 26), True),
        (binary_pairs(3, 2, 24), True),
        (binary_pairs(3, 2, 25, samples=4), False),
        (graded_pairs([0.0] * 30, [0.1] * 5 + [0.0] * 25), False),
        (graded_pairs([0.0] * 30, [0.1] * 4 + [0.0] * 26), True),
    ],
)
def test_sparse_means_under_30_units_or_5_that_tell(pairs, sparse):
    assert paired_inference(pairs).sparse is sparse


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_one_sample_pairs_agree_with_plain_tango_but_for_the_quantile(gained, lost, same):
    n = gained + lost + same
    low, high = paired_inference(binary_pairs(gained, lost, same)).bounds(0.95)
    plain = tango_bounds(gained, lost, n)
    assert low <= plain[0] + 1e-9
    assert high >= plain[1] - 1e-9


def test_methods_that_do_not_suit_are_refused():
    with pytest.raises(ValueError, match="'tango' needs one binary sample"):
        paired_inference(binary_pairs(1, 1, 1, samples=2), "tango")
    with pytest.raises(ValueError, match="'clustered-tango' needs a metric with a range"):
        paired_inference(graded_pairs([1.0], [2.0], None, None), "clustered-tango")
    with pytest.raises(ValueError, match="not 'wald'"):
        paired_inference(binary_pairs(1, 1, 1), "wald")
    with pytest.raises(ValueError, match="share no unit"):
        paired_inference(pair_units(samples_of([1], [0]), samples_of([1], [1])))
