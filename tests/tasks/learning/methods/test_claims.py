"""Claims of gains: about whom, how often they are wrong, how often their intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.claims import gain_interval, gains, population
from finchmark.tasks.learning.methods.result import Table


def table(
    seed: int,
    worlds: int,
    runs: int = 1,
    per_core: int = 1,
    *,
    methods: int = 4,
    levels: int = 10,
    gain: float = 0.0,
    binary: bool = False,
    spread: float = 0.1,
) -> Table:
    """Scores of methods that all gain ``gain`` on average.

    Cores, worlds and runs vary it, alike for all methods, so that nothing is gained by choosing one; levels and luck do
    the rest.
    """
    rng = generator("test_claims", seed)
    names, cores, rows, starts, validation = [], [], [], [], []
    core_effect = rng.normal(0, spread, (-(-worlds // per_core), 1))
    for w in range(worlds):
        effect = core_effect[w // per_core] + rng.normal(0, spread / 2, 1)
        hard = rng.normal(0, 0.2, (levels, 1)) + 0.3
        for _ in range(runs):
            mean = hard + gain + effect + rng.normal(0, spread / 2, 1) + np.zeros(methods)
            rows.append(_episodes(rng, mean, binary))
            starts.append(_episodes(rng, hard, binary)[:, 0])
            validation.append(_episodes(rng, mean[:5], binary).mean(axis=0))
            names.append(f"w{w}")
            cores.append(f"c{w // per_core}")
    return Table(
        tuple(f"m{m}" for m in range(methods)), tuple(names), tuple(cores), tuple([*range(runs)] * worlds),
        ({},) * len(names), np.array(validation), np.array([r.mean(axis=0) for r in rows]), np.zeros(len(names)),
        np.array([s.mean() for s in starts]), tuple(rows), tuple(starts),
    )  # fmt: skip


def _episodes(rng, mean, binary):
    return (rng.random(mean.shape) < mean) * 1.0 if binary else mean + rng.normal(0, 0.2, mean.shape)


@pytest.mark.parametrize(
    ("worlds", "runs", "per_core", "kind", "units"),
    [
        (36, 1, 3, "core", 12),
        (12, 1, 3, "world", 12),
        (2, 6, 1, "run", 12),
        (2, 1, 1, "level", 20),
        (4, 1, 1, "level", 40),
    ],
)
def test_claims_are_about_the_highest_level_with_ten_units(worlds, runs, per_core, kind, units):
    whom = population(table(0, worlds, runs, per_core))
    assert (whom.kind, whom.units) == (kind, units)


@pytest.mark.parametrize(("worlds", "runs", "per_core"), [(36, 1, 2), (12, 1, 3), (2, 6, 1), (2, 1, 1)])
@pytest.mark.parametrize("binary", [False, True])
def test_without_an_effect_gains_are_claimed_no_more_than_alpha(worlds, runs, per_core, binary):
    """At least one claim among all of five, in 300 experiments; .05 and three of its standard errors."""
    wrong = 0
    for seed in range(300):
        # What varies between cores is an effect of its own where the claim is about these very worlds.
        spread = 0.1 if worlds >= 36 else 0.0
        wrong += any(g.claimed for g in gains(table(seed, worlds, runs, per_core, binary=binary, spread=spread)))
    assert wrong / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_intervals_over_cores_cover_the_gain_for_new_cores():
    hits = [
        g.interval.low < 0.3 < g.interval.high
        for seed in range(400)
        for g in gains(table(seed, 36, per_core=3, gain=0.3, methods=1))[:1]
    ]
    assert np.mean(hits) >= 0.92


def test_a_gain_that_is_there_is_claimed():
    found = gains(table(0, 36, per_core=2, gain=0.5))
    assert all(g.claimed for g in found)


def test_a_loss_is_never_claimed_as_a_gain():
    assert not any(g.claimed for g in gains(table(0, 36, per_core=2, gain=-0.5)))


def test_nothing_that_differs_is_no_gain_and_has_no_interval():
    t = table(0, 12)
    still = Table(
        t.methods, t.worlds, t.cores, t.runs, t.features, t.validation, np.repeat(t.start_test[:, None], 4, 1),
        t.start_validation, t.start_test, tuple(np.repeat(s[:, None], 4, 1) for s in t.start_levels), t.start_levels,
    )  # fmt: skip
    for gain in gains(still):
        assert not gain.claimed
        assert gain.pvalue == 1


def test_the_greater_p_value_counts():
    """Where few units differ t is too sure; where gains are skewed the exchange of signs is."""
    few = np.array([1.0, 1.0, 1.0, *[0.0] * 9])
    assert stats.ttest_1samp(few, 0).pvalue == pytest.approx(0.0819, abs=1e-4)
    assert gains(_gaining(few))[0].pvalue == 0.25
    skewed = np.array([0.1] * 10 + [0.1, 3.0])
    assert gains(_gaining(skewed))[0].pvalue == pytest.approx(stats.ttest_1samp(skewed, 0).pvalue)


def _gaining(by_world: np.ndarray) -> Table:
    """One method, twelve worlds of cores of their own, and what it gains in each."""
    n = len(by_world)
    names = tuple(f"w{k}" for k in range(n))
    return Table(
        ("m",), names, names, (0,) * n, ({},) * n, np.zeros((n, 1)), by_world[:, None], np.zeros(n), np.zeros(n),
        tuple(np.full((2, 1), g) for g in by_world), (np.zeros(2),) * n,
    )  # fmt: skip


def test_one_stratum_is_students_interval():
    x = generator("test_claims", "t").normal(size=15)
    found = gain_interval(x, ("a",) * 15)
    low, high = stats.t.interval(0.95, 14, x.mean(), stats.sem(x))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_fixed_strata_add_only_what_varies_inside_them():
    x = np.array([0, 0.1, 0.2, 5, 5.1, 5.2])
    found = gain_interval(x, list("aaabbb"))
    assert found.estimate == pytest.approx(2.6)
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 4) * np.sqrt(2 * 0.01 / 3) / 2)


def test_units_that_all_agree_bound_nothing():
    assert np.isnan(gain_interval([0.5, 0.5, 0.7, 0.7], list("aabb")).low)
