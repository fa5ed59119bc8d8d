import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finchmark.suite.seeds import generator
from finchmark.suite.stats.recurrence import displacement, fit, recurrence


def ar1(phi, trajectories, turns, *, level=5.0, start=None, seed=0, noise=1.0):
    """Trajectories drawn back to a level by 1 - phi a turn."""
    rng = generator("recurrence", "ar1", seed, int(1000 * phi), trajectories, turns, str(start))
    x = np.empty((trajectories, turns))
    wide = noise / np.sqrt(1 - phi**2) if phi < 1 else noise
    x[:, 0] = level + wide * rng.standard_normal(trajectories) if start is None else start
    for t in range(1, turns):
        x[:, t] = level + phi * (x[:, t - 1] - level) + noise * rng.standard_normal(trajectories)
    return x


def walk(trajectories, turns, seed=0):
    return generator("recurrence", "walk", seed).standard_normal((trajectories, turns)).cumsum(axis=1)


def displaced(phi, pairs=12, turns=8, seed=0):
    return ar1(phi, pairs, turns, start=15.0, seed=seed), ar1(phi, pairs, turns, start=-5.0, seed=seed + 1)


class TestFit:
    @pytest.mark.parametrize("phi", [0.2, 0.5, 0.8])
    def test_a_known_process_is_recovered_within_its_bounds(self, phi):
        inside = 0
        for seed in range(20):
            found = recurrence(ar1(phi, 60, 20, seed=seed), draws=400, seed=seed)
            inside += found.b[0] <= phi - 1 <= found.b[1]
        assert inside >= 16
        found = fit(ar1(phi, 400, 50))
        assert found.b == pytest.approx(phi - 1, abs=0.02)
        assert found.level == pytest.approx(5.0, abs=0.1)
        assert found.stable

    def test_noise_around_a_constant_has_slope_minus_one_and_half_the_variance(self):
        """As simulated in the specification: b -1.01, R² .50 with 30 trajectories of 8 turns."""
        found = [fit(generator("noise", s).standard_normal((30, 8))) for s in range(200)]
        assert np.mean([f.b for f in found]) == pytest.approx(-1.0, abs=0.02)
        assert np.mean([f.r2 for f in found]) == pytest.approx(0.5, abs=0.02)

    def test_it_is_least_squares(self):
        x = ar1(0.6, 7, 9)
        now, step = x[:, :-1].ravel(), np.diff(x, axis=1).ravel()
        b, a = np.polyfit(now, step, 1)
        found = fit(x)
        assert (found.a, found.b) == pytest.approx((a, b))
        assert found.level == pytest.approx(-a / b)

    @settings(max_examples=60, deadline=None)
    @given(arrays(np.float64, (4, 5), elements=st.floats(-50, 50, width=32)), st.floats(-9, 9), st.floats(0.1, 9))
    def test_moving_and_scaling_leaves_the_slope(self, x, shift, scale):
        if np.ptp(x[:, :-1]) < 1:
            return
        assert fit(x * scale + shift).b == pytest.approx(fit(x).b, rel=1e-6, abs=1e-6)

    @pytest.mark.parametrize("bad", [np.zeros((3, 2)), np.zeros(5), np.full((3, 4), np.nan)])
    def test_bad_input_is_named(self, bad):
        with pytest.raises(ValueError, match=r"shape|every turn"):
            fit(bad)


class TestVerdict:
    def test_what_is_drawn_back_is_restoring(self):
        found = recurrence(ar1(0.6, 24, 8), displaced(0.6), draws=800)
        assert found.verdict == "restoring"
        assert found.b[1] < 0
        assert found.level[0] < 5 < found.level[1]
        assert found.displacement.passed

    def test_without_displaced_starts_nothing_is_called_restoring(self):
        assert recurrence(ar1(0.6, 24, 8), draws=400).verdict == "no claim"

    def test_a_random_walk_wanders(self):
        high, low = walk(12, 8, 1) + 20, walk(12, 8, 2)
        found = recurrence(walk(24, 8), (high, low), draws=400)
        assert found.verdict == "wandering"
        assert not found.displacement.passed

    def test_few_trajectories_claim_nothing(self):
        assert recurrence(ar1(0.6, 5, 8), displaced(0.6), draws=200).verdict == "no claim"

    def test_offsets_between_trajectories_hide_a_force_that_demeaning_shows(self):
        x = ar1(0.2, 40, 8) + 8 * generator("offset", 1).standard_normal((40, 1))
        found = recurrence(x, draws=200)
        assert found.fit.b > -0.2
        assert found.demeaned < -0.8

    def test_a_trend_of_the_requests_is_taken_off_by_turn_effects(self):
        x = ar1(0.2, 200, 8, level=0.0) + 3 * np.arange(8)
        found = recurrence(x, draws=100)
        assert found.turn_effects == pytest.approx(-0.8, abs=0.1)
        assert found.fit.b > -0.3

    @pytest.mark.slow
    def test_white_noise_is_called_restoring_in_at_most_a_twentieth_of_runs(self):
        """Displaced starts of a memoryless process come together at once, so only its lack of memory tells it."""
        said = 0
        for seed in range(200):
            noise = generator("white", seed).standard_normal((24, 8))
            high, low = (generator("white", seed, k).standard_normal((12, 8)) for k in (1, 2))
            high[:, 0] += 10
            said += recurrence(noise, (high, low), draws=300, seed=seed).verdict == "restoring"
        # 200 runs at .05: beyond 20 is beyond 99.9 %.
        assert said <= 20

    @pytest.mark.slow
    @pytest.mark.parametrize("slope", [0.1, 0.3])
    def test_white_noise_under_requests_that_escalate_is_not_called_restoring_either(self, slope):
        said = 0
        for seed in range(100):
            noise = generator("trend", seed).standard_normal((24, 8)) + slope * np.arange(8)
            high, low = (generator("trend", seed, k).standard_normal((12, 8)) for k in (1, 2))
            high[:, 0] += 10
            said += recurrence(noise, (high, low), draws=200, seed=seed).verdict == "restoring"
        # 100 runs at .05: beyond 12 is beyond 99.9 %.
        assert said <= 12

    @pytest.mark.slow
    def test_random_walks_are_called_restoring_in_at_most_a_twentieth_of_runs(self):
        said = 0
        for seed in range(200):
            pair = (walk(12, 8, f"{seed}-h") + 10, walk(12, 8, f"{seed}-l"))
            said += recurrence(walk(24, 8, seed), pair, draws=300, seed=seed).verdict == "restoring"
        assert said <= 20


class TestDisplacement:
    def test_a_gap_that_stays_does_not_pass(self):
        high, low = np.full((12, 8), 9.0), np.zeros((12, 8))
        found = displacement(high, low)
        assert (found.passed, found.start, found.end) == (False, 9.0, 9.0)

    def test_a_gap_that_turns_round_does_not_pass(self):
        high = np.tile(np.linspace(1.0, -1.0, 8), (12, 1))
        assert not displacement(high, -high).passed

    def test_starts_that_were_not_displaced_show_nothing(self):
        assert not displacement(ar1(0.5, 12, 8, seed=3), ar1(0.5, 12, 8, seed=4)).passed

    def test_bad_input_is_named(self):
        with pytest.raises(ValueError, match="one shape"):
            displacement(np.zeros((3, 4)), np.zeros((3, 5)))
