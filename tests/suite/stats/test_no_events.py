import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.stats.bounds import clopper_pearson_bounds
from finchmark.suite.stats.no_events import rule_of_three, samples_to_see


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


@pytest.mark.parametrize(("rate", "n"), [(0.5, 5), (0.1, 29), (0.05, 59), (0.01, 299), (0.001, 2995), (1.0, 1)])
def test_samples_that_see_a_rate_are_the_fewest_that_do(rate, n):
    assert samples_to_see(rate) == n
    assert 1 - (1 - rate) ** n >= 0.95
    assert n == 1 or 1 - (1 - rate) ** (n - 1) < 0.95


@given(n=st.integers(1, 5000), power=st.floats(0.5, 0.999))
def test_samples_to_see_undo_the_bound_on_what_was_never_seen(n, power):
    assert samples_to_see(rule_of_three(n, power).exact, power) == n


@pytest.mark.parametrize(("rate", "power"), [(0.0, 0.9), (1.1, 0.9), (0.1, 0.0), (0.1, 1.0)])
def test_a_rate_or_power_out_of_range_is_refused(rate, power):
    with pytest.raises(ValueError, match="must lie"):
        samples_to_see(rate, power)
