"""Gain against the number of environments, and why it is never drawn over sorted ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.growth import growth


def noise(seed: int, environments: int = 36, methods: int = 4):
    rng = generator("test_growth", seed)
    shape = (environments, methods)
    return rng.normal(0, 0.2, shape), rng.normal(0, 0.2, shape), [f"c{n % 12}" for n in range(environments)]


def test_a_curve_over_environments_sorted_by_their_gain_falls_for_pure_noise():
    """What the source draws: the mean gain of the k environments that gained most. Without any effect it falls."""
    for seed in range(50):
        _, test, _ = noise(seed)
        gained = np.sort(test[:, 0])[::-1]
        curve = np.cumsum(gained) / np.arange(1, 37)
        assert np.all(np.diff(curve) < 0)
        assert curve[5] > 0.1


def test_our_curve_is_flat_for_pure_noise():
    curves = np.mean([[p.honest for p in growth(*noise(s), subsets=200, resamples=1)] for s in range(60)], axis=0)
    assert np.abs(curves).max() < 0.03


def test_the_optimistic_curve_falls_for_pure_noise():
    curves = np.mean([[p.optimistic for p in growth(*noise(s), subsets=200, resamples=1)] for s in range(20)], axis=0)
    assert np.all(np.diff(curves) < 0)
    assert curves[0] == pytest.approx(0.2 * 1.029, rel=0.1)  # expected maximum of 4 normals


def test_the_order_of_environments_changes_nothing():
    validation, test, cores = noise(1, 6)
    order = [3, 1, 5, 0, 2, 4]
    one = growth(validation, test, cores)
    two = growth(validation[order], test[order], [cores[n] for n in order])
    assert [p.honest for p in one] == pytest.approx([p.honest for p in two])
    assert [p.optimistic for p in one] == pytest.approx([p.optimistic for p in two])


def test_one_method_gains_the_same_on_any_number():
    validation, test, cores = noise(2, 8, 1)
    found = growth(validation, test, cores)
    assert [p.honest for p in found] == pytest.approx([test.mean()] * len(found))


def test_environments_that_want_different_methods_make_the_curve_fall():
    """Half of the environments profit from one method, half from the other."""
    rng = generator("test_growth", "mixed")
    worth = np.where((np.arange(24)[:, None] % 2) == np.arange(2), 1.0, 0.0)
    validation, test = (worth + rng.normal(0, 0.05, worth.shape) for _ in range(2))
    found = growth(validation, test, [f"c{n}" for n in range(24)])
    assert found[0].honest > 0.95
    assert found[-1].honest == pytest.approx(0.5, abs=0.1)


def test_few_cores_have_no_interval():
    validation, test, _ = noise(3, 10)
    assert all(np.isnan(p.low) for p in growth(validation, test, ["a", "b"] * 5))


def test_the_interval_of_one_method_on_all_is_students_over_cores():
    rng = generator("test_growth", "t")
    cores = [f"c{n // 3}" for n in range(36)]
    test = np.repeat(rng.normal(0, 0.3, 12), 3)[:, None] + rng.normal(0, 0.05, (36, 1))
    (found,) = growth(test, test, cores, numbers=[36], resamples=2_000)
    means = test[:, 0].reshape(12, 3).mean(axis=1)
    low, high = stats.t.interval(0.95, 11, means.mean(), stats.sem(means))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="same environments"):
        growth(np.zeros((3, 2)), np.zeros((3, 2)), ["a"])
    with pytest.raises(ValueError, match="from 1 to 3"):
        growth(np.zeros((3, 2)), np.zeros((3, 2)), list("abc"), numbers=[4])
