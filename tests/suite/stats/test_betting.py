import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.betting import betting_bounds, betting_interval, betting_sequence

unit_values = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def wealths(x, m, alpha):
    """Both gamblers' wealth at candidate ``m`` after each observation, straight from the paper, for n fixed."""
    up, down, ups, downs = 1.0, 1.0, [], []
    n, seen, variance = len(x), [], 0.25
    deviations = 0.25
    for value in x:
        bet = np.sqrt(2 * np.log(2 / alpha) / (n * variance))
        up *= 1 + min(bet, 0.5 / m) * (value - m)
        down *= 1 - min(bet, 0.5 / (1 - m)) * (value - m)
        ups.append(up)
        downs.append(down)
        seen.append(value)
        mean = (0.5 + sum(seen)) / (len(seen) + 1)
        deviations += (value - mean) ** 2
        variance = deviations / (len(seen) + 1)
    return ups, downs


def test_bounds_are_where_the_papers_wealth_reaches_one_over_alpha():
    x = generator("betting oracle").beta(2, 5, 60)
    low, high = betting_bounds(x, 0.9)
    ups, downs = wealths(x, float(low), 0.1)
    assert max(ups) / 2 == pytest.approx(10, rel=1e-6)
    assert max(downs) / 2 < 10
    ups, downs = wealths(x, float(high), 0.1)
    assert max(downs) / 2 == pytest.approx(10, rel=1e-6)
    assert max(ups) / 2 < 10


@given(unit_values)
def test_bounds_lie_in_the_range_in_order(x):
    low, high = betting_bounds(x)
    assert 0 <= low <= high <= 1


@given(unit_values)
def test_bounds_mirror_with_the_data(x):
    low, high = betting_bounds(x)
    mirrored = betting_bounds(1 - np.array(x))
    assert np.allclose(mirrored, (1 - high, 1 - low), atol=1e-9)


@given(unit_values)
def test_bounds_scale_with_the_range(x):
    low, high = betting_bounds(x)
    scaled = betting_bounds(np.array(x) * 4 - 2, low=-2, high=2)
    assert np.allclose(scaled, (low * 4 - 2, high * 4 - 2), atol=1e-9)


def test_bounds_broadcast_over_leading_axes():
    x = generator("betting shape").random((3, 4, 20))
    low, high = betting_bounds(x)
    assert low.shape == high.shape == (3, 4)
    assert np.isclose(high[2, 1], betting_bounds(x[2, 1])[1])


def test_more_observations_narrow_the_interval():
    x = generator("betting width").random(2000)
    widths = [float(np.subtract(*betting_bounds(x[:n])[::-1])) for n in (20, 200, 2000)]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.06  # t: .025


def test_no_event_in_300_is_bounded_near_the_rule_of_three():
    low, high = betting_bounds(np.zeros(300))
    assert low == 0
    assert 3 / 300 < high < 8 / 300


def test_interval_does_not_depend_on_the_order_of_units():
    x = generator("betting order").random(30)
    assert betting_interval(x) == betting_interval(x[::-1])


def test_interval_depends_on_the_seed():
    x = generator("betting order").random(30)
    assert betting_interval(x, seed=1) != betting_interval(x, seed=2)


def test_interval_names_its_method_and_is_made_of_plain_numbers():
    r = betting_interval(np.array([0, 1, 1, 0.5]))
    assert (r.estimate, r.method, r.units, r.sparse) == (0.625, "betting", 4, False)
    assert {type(v) for v in dataclasses.astuple(r)} == {float, str, int, bool}


@given(unit_values)
def test_sequence_never_widens(x):
    low, high = betting_sequence(x, grid=50)
    assert low.shape == high.shape == (len(x),)
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()


def test_sequence_is_rounded_outwards_to_its_grid():
    x = generator("betting grid").random(80)
    coarse, fine = betting_sequence(x, grid=100), betting_sequence(x, grid=2000)
    assert (coarse[0] <= fine[0] + 1e-12).all()
    assert (coarse[1] >= fine[1] - 1e-12).all()
    assert np.allclose(coarse, fine, atol=0.0101)


def test_sequence_of_many_paths_is_that_of_each():
    x = generator("betting paths").random((5, 30))
    low, high = betting_sequence(x, grid=200)
    one = betting_sequence(x[3], grid=200)
    assert np.array_equal(low[3], one[0])
    assert np.array_equal(high[3], one[1])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: betting_bounds([]), "at least one"),
        (lambda: betting_bounds([0.5, 1.5]), "not 1.5"),
        (lambda: betting_bounds([0.5, float("nan")]), "not nan"),
        (lambda: betting_bounds([0.5], 95), "95"),
        (lambda: betting_bounds([0.5], low=1, high=0), "low below high"),
        (lambda: betting_sequence([0.5], grid=1), "grid"),
        (lambda: betting_interval([[0.5]]), "shape"),
    ],
)
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def covers(bounds, truth):
    return float(np.mean((bounds[0] <= truth) & (truth <= bounds[1])))


@pytest.mark.parametrize(("items", "samples", "a", "b"), [(30, 4, 0.1, 1.9), (64, 16, 0.02, 1.98), (16, 1, 0.5, 9.5)])
def test_sparse_cells_are_covered(items, samples, a, b):
    # validity, section 2: t covers .87 and .75 of the first two.
    rng = generator("betting coverage", items)
    means = rng.binomial(samples, rng.beta(a, b, (2000, items))) / samples
    assert covers(betting_bounds(means), a / (a + b)) >= 0.95


@pytest.mark.parametrize("mean", [0.02, 0.5, 0.9])
def test_a_sequence_covers_at_every_look_at_once(mean):
    x = generator("betting peeking", round(mean * 100)).binomial(1, mean, (1000, 200))
    low, high = betting_sequence(x, grid=100)
    ever_missed = ((low > mean + 1e-9) | (high < mean - 1e-9)).any(axis=1)
    assert ever_missed.mean() <= 0.055
