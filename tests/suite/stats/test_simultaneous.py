import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.simultaneous import largest_error


def drawn(influence, draws=20_000):
    return largest_error(influence, rng=generator("largest"), draws=draws)


def test_independent_columns_need_sidaks_level():
    level = drawn(np.eye(10)).level(0.95)
    assert level == pytest.approx(1 - 0.95 ** (1 / 10), rel=0.1)


def test_equal_columns_count_as_one():
    x = np.repeat(generator("equal").normal(size=(40, 1)), 10, axis=1)
    assert drawn(x).level(0.95) == pytest.approx(0.05, rel=0.1)


def test_three_equally_correlated_pairs_agree_with_tukey():
    # Differences of three independent means: the studentised range with many degrees of freedom.
    x = generator("tukey").normal(size=(10_000, 3))
    d = x[:, [0, 0, 1]] - x[:, [1, 2, 2]]
    reach = -stats.norm.ppf(drawn(d / len(d), draws=1000).level(0.95) / 2)
    assert reach == pytest.approx(stats.studentized_range.ppf(0.95, 3, np.inf) / np.sqrt(2), abs=0.12)


def test_adjusted_p_lies_between_single_and_bonferroni_and_agrees_with_the_level():
    r = drawn(np.eye(10))
    p = np.array([1e-9, 1e-4, 0.003, 0.02, 0.4, 1.0, np.nan])
    adjusted = r.adjust(p)
    assert np.isnan(adjusted[-1])
    assert (adjusted[:-1] >= p[:-1]).all()
    assert (adjusted[:-1] <= np.minimum(10 * p[:-1], 1)).all()
    assert (np.diff(adjusted[:-1]) >= 0).all()
    level = r.level(0.95)
    assert r.adjust([level * 0.95])[0] <= 0.05 < r.adjust([level * 1.05])[0]


def test_one_column_needs_no_correction():
    r = drawn(np.ones((5, 1)))
    assert r.level(0.9) == pytest.approx(0.1)
    assert r.adjust([0.03]).tolist() == [0.03]


def test_a_column_without_spread_does_not_count():
    assert drawn(np.c_[np.ones(5), np.zeros(5)]).columns == 1
    assert drawn(np.zeros((5, 2))).level() == pytest.approx(0.05)


def test_few_units_do_not_pass_chance_for_correlation():
    # Six units cannot show that 20 independent columns are independent; the level must not profit from that.
    levels = [drawn(generator("few units", i).normal(size=(6, 20)), 2000).level(0.95) for i in range(10)]
    assert np.mean(levels) == pytest.approx(1 - 0.95 ** (1 / 20), rel=0.15)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="finite"):
        drawn([[np.nan]])
    with pytest.raises(ValueError, match="confidence"):
        drawn(np.eye(2)).level(1.0)
