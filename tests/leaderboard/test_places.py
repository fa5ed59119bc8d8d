import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.leaderboard.overall import stratified_mean
from finchmark.leaderboard.places import Place, places, pooled
from finchmark.suite.seeds import generator

NAMES = ("a", "b", "c", "d")


def test_clear_differences_give_single_ranks_and_letters_of_their_own():
    rng = generator("places-clear")
    scores = np.array([[3.0], [2.0], [1.0], [0.0]]) + rng.normal(0, 0.2, (4, 50))
    found = places(NAMES, [scores], 0.95)
    assert [found[n] for n in NAMES] == [Place(i, i, "abcd"[i - 1]) for i in range(1, 5)]


def test_equal_models_share_all_ranks_and_one_letter():
    rng = generator("places-equal")
    found = places(NAMES, [rng.normal(0, 1, (4, 50))], 0.95)
    assert set(found.values()) == {Place(1, 4, "a")}
    assert found["a"].ranks == "1–4"


def test_one_task_is_taken_as_it_is():
    scores = np.arange(6.0).reshape(2, 3)
    assert pooled([scores]) is scores


@given(st.integers(0, 10_000), st.lists(st.integers(2, 30), min_size=2, max_size=4))
def test_pooled_units_have_the_mean_and_the_standard_error_of_the_strata(seed, sizes):
    rng = generator("pooled", seed)
    strata = [rng.normal(10 * t, 1 + t, (3, n)) for t, n in enumerate(sizes)]
    units = pooled(strata)
    expected = np.mean([s.mean(axis=1) for s in strata], axis=0)
    np.testing.assert_allclose(units.mean(axis=1), expected)
    variance = sum(s.var(axis=1, ddof=1) / n for s, n in zip(strata, sizes, strict=True)) / len(sizes) ** 2
    np.testing.assert_allclose(units.var(axis=1, ddof=1) / units.shape[1], variance)


def test_pooled_differences_are_those_of_the_strata():
    rng = generator("pooled-differences")
    strata = [rng.normal(0, 1, (2, 20)), rng.normal(5, 2, (2, 40))]
    units = pooled(strata)
    mean, low, high = stratified_mean([s[0] - s[1] for s in strata], 0.95)
    d = units[0] - units[1]
    assert d.mean() == pytest.approx(mean)
    # Degrees of freedom apart, the intervals are the same.
    assert d.std(ddof=1) / np.sqrt(d.size) == pytest.approx((high - low) / 2 / 2.0, rel=0.02)


def test_a_unit_that_a_model_lacks_stays_missing():
    strata = [np.array([[1.0, np.nan, 0.0], [1.0, 1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])]
    assert np.isnan(pooled(strata)).sum() == 1


@pytest.mark.slow
def test_equal_models_are_told_apart_in_few_boards():
    """Five equal models on three tasks of 30 yes-or-no items each: some pair is called different in at most .06."""
    rng, runs, wrong = generator("places-error"), 500, 0
    for _ in range(runs):
        rates = [rng.beta(2, 2, 30) for _ in range(3)]
        strata = [(rng.random((5, 30)) < p).astype(float) for p in rates]
        wrong += any(p.letters != "a" for p in places(("a", "b", "c", "d", "e"), strata, 0.95).values())
    assert wrong / runs <= 0.06


@pytest.mark.slow
def test_the_ranks_of_all_models_hold_together():
    """Truths .3, .4, .4, .6: ranks 4, 2 to 3, 2 to 3, 1. All intervals hold them in at least .94 of boards."""
    rng, runs, held = generator("places-ranks"), 400, 0
    truth = np.array([0.3, 0.4, 0.4, 0.6])
    best, worst = np.array([4, 2, 2, 1]), np.array([4, 3, 3, 1])
    for _ in range(runs):
        strata = [(rng.random((4, 40)) < truth[:, None]).astype(float) for _ in range(2)]
        found = places(NAMES, strata, 0.95)
        low, high = (np.array([getattr(found[n], end) for n in NAMES]) for end in ("low", "high"))
        held += bool(((low <= best) & (worst <= high)).all())
    assert held / runs >= 0.94
