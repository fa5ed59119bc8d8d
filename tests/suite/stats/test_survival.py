import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from finchmark.suite.seeds import generator
from finchmark.suite.stats.survival import cumulative_incidence


def episodes(name, n=200, failure=0.05, success=0.10, cap=30):
    """Turn and cause (1 failure, 2 success, 0 cap) of episodes with constant hazards."""
    rng = generator(name)
    fails, succeeds = rng.geometric(failure, n), rng.geometric(success, n)
    # A turn on which both would fall goes to either at random: hazards stay as they are up to their product.
    cause = np.where(fails < succeeds, 1, np.where(succeeds < fails, 2, rng.integers(1, 3, n)))
    t = np.minimum(fails, succeeds)
    return np.minimum(t, cap), np.where(t > cap, 0, cause)


def test_success_competes_with_failure():
    # validity, section 4: failure truth .33 where 1 - Kaplan-Meier says .79.
    t, cause = episodes("compete", n=20_000)
    r = cumulative_incidence(t, cause)
    assert r.at(1, 30)[0] == pytest.approx(0.33, abs=0.01)
    wrong = SurvfuncRight(t, (cause == 1).astype(int))
    assert 1 - wrong.surv_prob[-1] == pytest.approx(0.79, abs=0.02)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2)), min_size=2, max_size=60))
def test_estimates_and_errors_agree_with_statsmodels(pairs):
    t, cause = (np.array(a) for a in zip(*pairs, strict=True))
    if not {1, 2} <= set(cause.tolist()):
        return
    r, theirs = cumulative_incidence(t, cause), CumIncidenceRight(t, cause)
    where = np.searchsorted(r.times, theirs.times)
    for k in (0, 1):
        assert r.estimate[k, where] == pytest.approx(theirs.cinc[k], abs=1e-10)
        # Where all that are left end at once statsmodels divides by 0.
        told = np.isfinite(theirs.cinc_se[k])
        assert r.standard_error[k, where][told] == pytest.approx(theirs.cinc_se[k][told], abs=1e-6)


def test_one_cause_is_one_minus_kaplan_meier():
    t, cause = episodes("single")
    cause = (cause == 1).astype(int)
    r, theirs = cumulative_incidence(t, cause), SurvfuncRight(t, cause)
    at = np.searchsorted(r.times, theirs.surv_times)
    assert r.estimate[0, at] == pytest.approx(1 - theirs.surv_prob)
    assert r.standard_error[0, at] == pytest.approx(theirs.surv_prob_se, rel=1e-6)


def test_without_censoring_it_is_a_plain_share():
    t, cause = episodes("plain", cap=10**6)
    r = cumulative_incidence(t, cause)
    for time in (3, 10, 20):
        assert r.at(1, time)[0] == pytest.approx(((cause == 1) & (t <= time)).mean())
    n = t.size
    p = (cause == 1).mean()
    assert r.standard_error[0, -1] == pytest.approx(np.sqrt(p * (1 - p) / n))


def test_the_causes_and_what_runs_sum_to_one():
    t, cause = episodes("sum")
    r = cumulative_incidence(t, cause)
    assert r.estimate.sum(axis=0) + r.running == pytest.approx(1)
    assert (np.diff(r.estimate, axis=1) >= -1e-12).all()
    assert r.at_risk[0] == 200


def test_bounds_lie_around_the_estimate_within_0_and_1():
    t, cause = episodes("bounds", n=20)
    r = cumulative_incidence(t, cause)
    assert (r.low >= 0).all()
    assert (r.high <= 1).all()
    assert (r.low <= r.estimate + 1e-12).all()
    assert (r.estimate <= r.high + 1e-12).all()


def test_nothing_seen_yet_is_not_certainty():
    r = cumulative_incidence([1, 2, 3, 4], [2, 2, 2, 1])
    assert r.at(1, 1)[0] == 0
    assert r.at(1, 1)[2] == pytest.approx(1 - 0.025 ** (1 / 4))
    every = cumulative_incidence([1, 1, 1], [1, 1, 1])
    assert every.at(1, 1) == pytest.approx((1, 0.025 ** (1 / 3), 1))


def test_before_the_first_time_nothing_has_ended():
    assert cumulative_incidence([2, 3], [1, 2]).at(1, 1) == (0, 0, 0)


def test_episodes_of_a_unit_hang_together():
    t, cause = episodes("units", n=40)
    repeated = [np.repeat(a, 5) for a in (t, cause)]
    alone = cumulative_incidence(t, cause)
    naive = cumulative_incidence(*repeated)
    grouped = cumulative_incidence(*repeated, units=np.repeat(np.arange(40), 5).tolist())
    assert grouped.units == 40
    late = alone.times >= 10
    assert grouped.standard_error[:, late] == pytest.approx(alone.standard_error[:, late], rel=0.2)
    assert (naive.standard_error[:, late] < 0.6 * alone.standard_error[:, late]).all()


@pytest.mark.parametrize(
    ("times", "causes", "text"),
    [
        ([], [], "one number an episode"),
        ([1, 2], [1], "one number an episode"),
        ([np.inf], [1], "cause 0"),
        ([1], [-1], "from 0"),
        ([1], [0.5], "from 0"),
    ],
)
def test_bad_input_is_named(times, causes, text):
    with pytest.raises(ValueError, match=text):
        cumulative_incidence(times, causes)


def test_what_was_not_followed_cannot_be_asked():
    r = cumulative_incidence([1, 2], [1, 2])
    with pytest.raises(ValueError, match="not lie after 2"):
        r.at(1, 5)
    with pytest.raises(ValueError, match="cause must be"):
        r.at(3, 1)


@pytest.mark.slow
def test_pointwise_intervals_cover():
    truth = 0.0
    running = 1.0
    for _ in range(10):  # exact incidence of failure by turn 10
        both = 0.05 * 0.10
        truth += running * (0.05 * 0.9 + both / 2)
        running *= 0.95 * 0.9
    hits = [cumulative_incidence(*episodes(f"cover {i}", n=60)).at(1, 10) for i in range(1500)]
    assert np.mean([low <= truth <= high for _, low, high in hits]) >= 0.935
