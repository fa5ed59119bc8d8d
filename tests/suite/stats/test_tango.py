import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit
from scipy.stats import multinomial

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounds import wilson_bounds
from finchmark.suite.stats.tango import clustered_tango_bounds, clustered_tango_tail, tango_bounds, tango_statistic

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


shares = st.lists(
    st.tuples(st.sampled_from([0, 0.25, 0.5, 1]), st.sampled_from([0, 0.25, 0.5, 1])), min_size=2, max_size=40
)


def flips(a, b):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return (1 - a) * b, a * (1 - b)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60), st.sampled_from([0.9, 0.95]))
def test_one_sample_a_unit_is_tango_with_students_quantile(outcomes, confidence):
    a, b = np.array(outcomes, dtype=float).T
    k = a.size
    low, high = clustered_tango_bounds(*flips(a, b), confidence)
    gained, lost = ((1 - a) * b).sum(), (a * (1 - b)).sum()
    for bound in (low, high):
        if abs(bound) < 1 - 1e-9:
            assert abs(tango_statistic(gained, lost, k, float(bound))) == pytest.approx(
                stdtrit(k - 1, (1 + confidence) / 2), rel=1e-6
            )


def test_effective_pairs_by_hand():
    # Three units, rates 0 -> 1/2, 1/2 -> 1/2, 1 -> 1/2 ... gains .5, .25, 0, losses 0, .25, .5: G = L = .25, one pair a
    # unit would have the variance .5 * 3/2 = .75, the differences .5, 0, -.5 have .25: 9 pairs for 3 units.
    low, high = clustered_tango_bounds([0.5, 0.25, 0], [0, 0.25, 0.5], 0.95)
    assert tango_statistic(9 / 4, 9 / 4, 9, float(high)) == pytest.approx(-stdtrit(2, 0.975))
    assert low == pytest.approx(-high)


def test_dense_differences_give_the_t_interval():
    rng = generator("dense")
    d = rng.normal(0.02, 0.05, 400)
    low, high = clustered_tango_bounds(np.maximum(d, 0), np.maximum(-d, 0))
    half = stdtrit(399, 0.975) * d.std(ddof=1) / 20
    assert low == pytest.approx(d.mean() - half, abs=0.05 * half)
    assert high == pytest.approx(d.mean() + half, abs=0.05 * half)


def test_units_that_are_all_alike_count_as_one_pair_each():
    low, high = clustered_tango_bounds(np.zeros(30), np.zeros(30))
    t2 = stdtrit(29, 0.975) ** 2
    assert (low, high) == pytest.approx((-t2 / (30 + t2), t2 / (30 + t2)))
    low, high = clustered_tango_bounds(np.full(30, 0.1), np.zeros(30))
    assert low < 0.1 < high


@given(shares)
def test_clustered_bounds_hold_the_estimate_and_exchange_with_the_sides(rates):
    gained, lost = flips(*np.array(rates, dtype=float).T)
    low, high = clustered_tango_bounds(gained, lost)
    assert -1 <= low < high <= 1
    assert low <= (gained - lost).mean() <= high
    assert np.allclose((low, high), -np.array(clustered_tango_bounds(lost, gained))[::-1])


@given(shares, st.sampled_from([0.025, 0.05, 0.2]))
def test_the_tail_is_alpha_at_the_bound(rates, alpha):
    gained, lost = flips(*np.array(rates, dtype=float).T)
    low, high = clustered_tango_bounds(gained, lost, 1 - 2 * alpha)
    if low > -1 + 1e-9:
        assert clustered_tango_tail(gained, lost, low) == pytest.approx(alpha, rel=1e-4)
    if high < 1 - 1e-9:
        assert clustered_tango_tail(gained, lost, high) == pytest.approx(1 - alpha, rel=1e-4)


def test_one_unit_says_nothing():
    assert clustered_tango_bounds([0.5], [0.0]) == (-1, 1)
    assert clustered_tango_tail([0.5], [0.0]) == 0.5


def test_clustered_bounds_take_leading_axes():
    rng = generator("leading")
    a, b = rng.binomial(4, 0.4, (3, 5, 30)) / 4, rng.binomial(4, 0.5, (3, 5, 30)) / 4
    low, high = clustered_tango_bounds(*flips(a, b))
    assert low.shape == high.shape == (3, 5)
    assert (low[1, 2], high[1, 2]) == clustered_tango_bounds(*flips(a[1, 2], b[1, 2]))


@pytest.mark.parametrize(
    ("gained", "lost", "message"),
    [([-0.1], [0], "gained .* not -0.1"), ([0], [2], "both .* not 2"), ([], [], "at least one unit")],
)
def test_bad_shares_are_named(gained, lost, message):
    with pytest.raises(ValueError, match=message):
        clustered_tango_bounds(gained, lost)


def coverage(true, a, b):
    low, high = clustered_tango_bounds(*flips(a, b))
    return ((low <= true) & (true <= high)).mean()


CASES = {
    "rates spread widely": (lambda r, s: r.beta(0.5, 0.5, s), lambda p, r: p + 0.1 * (1 - p), 0.05),
    "all about half": (lambda r, s: r.beta(20, 20, s), lambda p, r: p, 0.0),
    "a ceiling, of which .3 breaks": (
        lambda r, s: np.ones(s),
        lambda p, r: (r.random(p.shape) >= 0.3).astype(float),
        -0.3,
    ),
    "a ceiling, of which .34 halves": (
        lambda r, s: np.ones(s),
        lambda p, r: np.where(r.random(p.shape) < 0.34, 0.5, 1),
        -0.17,
    ),
    "unrelated rates near 0": (lambda r, s: r.beta(0.1, 0.9, s), lambda p, r: r.beta(0.1, 0.9, p.shape), 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 4, 16])
@pytest.mark.parametrize("case", CASES)
def test_coverage_at_30_units_is_at_least_935(case, samples):
    # Validity, section 2: 20,000 simulations a case; 30 units, 5 or more expected discordant pairs.
    rates, change, true = CASES[case]
    rng = generator("coverage", case, samples)
    p = rates(rng, (20_000, 30))
    q = change(p, rng)
    assert coverage(true, rng.binomial(samples, p) / samples, rng.binomial(samples, q) / samples) >= 0.935
