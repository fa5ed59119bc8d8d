import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.stats.bounds import clopper_pearson_bounds
from finchmark.suite.stats.no_events import rule_of_three


@given(st.integers(1, 10_000))
def test_the_exact_bound_is_clopper_pearsons_one_sided_one(n):
    assert rule_of_three(n).exact == pytest.approx(float(clopper_pearson_bounds(0, n, 0.90)[1]), rel=1e-9)


def test_three_over_n():
    assert rule_of_three(100).approximate == 0.03
    assert rule_of_three(2).approximate == 1


@given(st.integers(1, 10_000), st.floats(0.5, 0.999))
def test_the_rule_is_above_the_exact_bound(n, confidence):
    r = rule_of_three(n, confidence)
    assert r.exact <= r.approximate + 1e-12


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_a_bad_number_of_trials_is_named(n):
    with pytest.raises(ValueError, match=f"not {n}"):
        rule_of_three(n)


def test_a_bad_confidence_is_named():
    with pytest.raises(ValueError, match="not 95"):
        rule_of_three(10, 95)
