import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multinomial

from finchmark.suite.stats.bounds import wilson_bounds
from finchmark.suite.stats.tango import tango_bounds, tango_statistic

counts = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)).filter(lambda c: sum(c) > 0)


@pytest.mark.parametrize(
    ("gained", "lost", "n", "confidence", "low", "high"),
    [
        (9, 3, 32, 0.95, -0.027, 0.390),  # Tango (1998), section 6.2, sleeping difficulties of hopefuls
        (0, 1, 44, 0.90, -0.096, None),  # Tango (1998), section 6.1, disinfection of soft contact lenses
        (
            1,
            7,
            21,
            0.95,
            -0.517,
            -0.026,
        ),  # Fagerland, Lydersen and Laake (2014), Stat. Med. 33, 2850, table V
        (16, 8, 86, 0.95, -0.020, 0.207),  # Agresti and Min (2005), Stat. Med. 24, 729, as R's ratesci tests it
    ],
)
def test_bounds_agree_with_published_ones(gained, lost, n, confidence, low, high):
    a, b = tango_bounds(gained, lost, n, confidence)
    assert a == pytest.approx(low, abs=5e-4)
    assert high is None or b == pytest.approx(high, abs=5e-4)


def test_statistic_agrees_with_the_published_one():
    assert tango_statistic(0, 1, 44, -0.1) == pytest.approx(1.709, abs=5e-4)  # Tango (1998), section 6.1


@given(counts)
def test_statistic_at_zero_is_mcnemars_without_correction(c):
    gained, lost, same = c
    if gained + lost:
        z = tango_statistic(gained, lost, gained + lost + same, 0.0)
        assert z == pytest.approx((gained - lost) / np.sqrt(gained + lost))


@given(counts, st.floats(-0.99, 0.99))
def test_restricted_variance_is_that_of_maximum_likelihood(c, hypothesis):
    # By hand: the likelihood x log(q + D) + y log(q) + (n - x - y) log(1 - 2q - D) over a fine grid of q.
    gained, lost, same = c
    n = gained + lost + same
    q = np.linspace(max(0.0, -hypothesis), (1 - hypothesis) / 2, 20_001)[1:-1]
    likelihood = gained * np.log(q + hypothesis) + lost * np.log(q) + same * np.log(1 - 2 * q - hypothesis)
    best = q[likelihood.argmax()]
    variance = 2 * best + hypothesis - hypothesis**2
    gap = (gained - lost) / n - hypothesis
    if abs(gap) > 1e-6:
        z = tango_statistic(gained, lost, n, hypothesis)
        assert n * gap**2 / z**2 == pytest.approx(variance, abs=2e-4)


@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_bounds_are_where_the_test_stops_to_reject(c, confidence):
    gained, lost, same = c
    n, z, d = gained + lost + same, ndtri((1 + confidence) / 2), (gained - lost) / (gained + lost + same)
    low, high = tango_bounds(gained, lost, n, confidence)
    for bound, end, sign in ((low, -1 + 1e-12, 1), (high, 1 - 1e-12, -1)):
        if abs(d) < 1:
            root = brentq(lambda h, s=sign: s * tango_statistic(gained, lost, n, h) - z, end, d, xtol=1e-13)
            assert bound == pytest.approx(root, abs=1e-9)


@given(counts)
def test_exchanged_sides_turn_the_sign(c):
    gained, lost, same = c
    n = gained + lost + same
    assert np.allclose(tango_bounds(gained, lost, n), -np.array(tango_bounds(lost, gained, n))[::-1], atol=1e-14)


@given(counts)
def test_bounds_hold_the_estimate_stay_in_range_and_have_a_width(c):
    gained, lost, same = c
    n = gained + lost + same
    low, high = tango_bounds(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert high - low > 1 / (n + 1)


@pytest.mark.parametrize("n", [1, 5, 30, 59, 1000])
def test_no_discordant_pair_gives_wilsons_bound_of_no_event(n):
    low, high = tango_bounds(0, 0, n)
    expected = wilson_bounds(0, n)[1]
    assert high == pytest.approx(expected, abs=1e-14)
    assert low == pytest.approx(-expected, abs=1e-14)


@pytest.mark.parametrize("n", [1, 5, 30, 1000])
def test_all_pairs_gained_reach_one(n):
    z2 = ndtri(0.975) ** 2
    low, high = tango_bounds(n, 0, n)
    assert high == 1
    assert low == pytest.approx((n - z2) / (n + z2), abs=1e-12)


def test_arrays_give_what_single_cases_give():
    gained, lost, n = np.array([[0], [3], [7]]), np.array([0, 5]), np.array([12, 30])
    low, high = tango_bounds(gained, lost, n)
    assert low.shape == high.shape == (3, 2)
    assert (low[2, 1], high[2, 1]) == tango_bounds(7, 5, 30)


def test_one_bound_at_alpha_is_that_of_confidence_less_two_alpha():
    low, _ = tango_bounds(4, 9, 120, 0.90)
    assert tango_statistic(4, 9, 120, float(low)) == pytest.approx(ndtri(0.95))


@pytest.mark.parametrize("confidence", [0, 1, 95, float("nan")])
def test_bad_confidence_is_named(confidence):
    with pytest.raises(ValueError, match=f"confidence .* not {confidence}"):
        tango_bounds(1, 1, 5, confidence)


@pytest.mark.parametrize(
    ("gained", "lost", "n", "message"),
    [
        (-1, 0, 5, "gained must be a count, not -1"),
        (0, float("nan"), 5, "lost must be a count, not nan"),
        (3, 3, 5, "at most n, not 6"),
        (0, 0, 0, "n must be above 0, not 0"),
    ],
)
def test_bad_counts_are_named(gained, lost, n, message):
    with pytest.raises(ValueError, match=message):
        tango_bounds(gained, lost, n)


def test_a_bad_hypothesis_is_named():
    with pytest.raises(ValueError, match=r"difference must lie between -1 and 1, not 1\.5"):
        tango_statistic(1, 1, 5, 1.5)


@pytest.mark.parametrize(("gain", "loss"), [(0.10, 0.10), (0.2, 0.05), (0.02, 0.15), (0.3, 0.3)])
def test_exact_coverage_with_60_pairs_is_near_nominal(gain, loss):
    n = 60
    x, y = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = x + y <= n
    x, y = x[possible], y[possible]
    chance = multinomial.pmf(np.stack([x, y, n - x - y], axis=-1), n, [gain, loss, 1 - gain - loss])
    low, high = tango_bounds(x, y, n)
    covered = chance[(low <= gain - loss) & (gain - loss <= high)].sum()
    assert 0.935 <= covered <= 0.97
