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


def test_twins_are_drawn_together():
    # Scenes flagged with both twins, or with neither: pairs tell nothing apart, however they are drawn.
    pairs = np.repeat([1.0, 0.0] * 20, 2)
    signal = np.tile([True, False], 40)
    paired = detection(pairs, signal, np.repeat(np.arange(40), 2))
    alone = detection(pairs, signal)
    assert np.isnan(paired.d_prime.low)
    assert alone.d_prime.low < 0 < alone.d_prime.high


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
