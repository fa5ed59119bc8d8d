import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.detection import detection, sensitivity


def test_the_correction_is_log_linear():
    from statistics import NormalDist

    z = NormalDist().inv_cdf
    d, c = sensitivity(20, 25, 10, 25)
    assert float(d) == pytest.approx(z(20.5 / 26) - z(10.5 / 26))
    assert float(c) == pytest.approx(-(z(20.5 / 26) + z(10.5 / 26)) / 2)


def test_extreme_rates_are_finite_and_chance_is_zero():
    d, _ = sensitivity([24, 0, 24, 0], 24, [0, 24, 24, 0], 24)
    assert d.tolist() == pytest.approx([4.1075, -4.1075, 0, 0], abs=1e-4)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_swapping_flags_turns_the_sign(n, m, data):
    h, f = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    one, other = sensitivity(h, n, f, m), sensitivity(n - h, n, m - f, m)
    assert float(one[0]) == pytest.approx(-float(other[0]), abs=1e-12)
    assert float(one[1]) == pytest.approx(-float(other[1]), abs=1e-12)


def test_who_flags_everything_has_no_sensitivity_and_a_low_criterion():
    found = detection(np.ones(40), np.arange(40) % 2 == 0)
    assert found.d_prime.estimate == 0
    assert found.criterion < -1
    assert (found.hits, found.false_alarms) == (1, 1)


def test_few_units_and_rates_near_the_ends_are_sparse():
    signal, units = np.repeat([True, False], 40), np.tile(np.arange(40), 2)
    mixed = np.tile([1.0, 0.0], 40)
    assert not detection(mixed, signal, units, resamples=10).sparse
    assert detection(mixed[:40], signal[20:60], np.tile(np.arange(20), 2), resamples=10).sparse
    assert detection(np.where(signal, 1.0, mixed), signal, units, resamples=10).sparse


def test_answers_of_a_unit_are_drawn_together():
    rng = generator("tests", "detection", "units")
    flagged = (rng.random((40, 2)) < (0.7, 0.3)).astype(float)
    signal = np.tile([True, False], 40)
    once = detection(flagged.ravel(), signal, np.repeat(np.arange(40), 2)).d_prime
    copies = detection(np.tile(flagged, 5).ravel(), np.tile(signal, 5), np.repeat(np.arange(40), 10)).d_prime
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.1)
    apart = detection(np.tile(flagged, 5).ravel(), np.tile(signal, 5)).d_prime
    assert apart.high - apart.low < 0.6 * (copies.high - copies.low)


def test_who_makes_no_mistake_may_still_make_one():
    found = detection(np.repeat([1.0, 0.0], 40), np.repeat([True, False], 40), np.tile(np.arange(40), 2))
    assert found.sparse
    assert found.d_prime.low < found.d_prime.estimate - 0.5
    assert found.d_prime.high > found.d_prime.estimate + 0.5


def test_near_the_ends_the_interval_covers_where_percentiles_do_not():
    covered, runs = 0, 300
    truth = float(sensitivity(0.98e9, 1e9, 0.02e9, 1e9)[0])
    for k in range(runs):
        flagged = (generator("tests", "detection", "ends", k).random((2, 24)) < [[0.98], [0.02]]).astype(float)
        found = detection(flagged.ravel(), np.repeat([True, False], 24), resamples=200, seed=k).d_prime
        covered += found.low <= truth <= found.high
    # Percentiles alone: .59. Of 300 runs at .935 one in a hundred lies under .90.
    assert covered / runs >= 0.90


def test_intervals_cover_the_corrected_sensitivity():
    hits, false, scenes, runs = 0.7, 0.3, 48, 300
    rng = generator("tests", "detection")
    drawn = rng.random((runs, 2, scenes)) < np.array([hits, false])[:, None]
    truth = float(sensitivity(hits * scenes, scenes, false * scenes, scenes)[0])
    signal, units = np.repeat([True, False], scenes), np.tile(np.arange(scenes), 2)
    covered = 0
    for k in range(runs):
        found = detection(drawn[k].reshape(-1), signal, units, resamples=400).d_prime
        covered += found.low <= truth <= found.high
    # 300 runs: three standard errors of .95 are .038.
    assert covered / runs >= 0.91


@pytest.mark.parametrize(
    ("flagged", "signal", "message"),
    [
        ([1, 0], [True, True], "signals and noise"),
        ([1, 0.5], [True, False], "0 or 1"),
        ([1, 0, 1], [True, False], "alike"),
    ],
)
def test_what_cannot_be_read_is_refused(flagged, signal, message):
    with pytest.raises(ValueError, match=message):
        detection(flagged, signal)
    with pytest.raises(ValueError, match="hits"):
        sensitivity(3, 2, 0, 1)
