"""Upper bounds: choices, their averages over method spaces, and the optimism of a maximum."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.bounds import choice_weights, method_space, optimism, subset_weights, upper_bound


def draw(seed: int, rows: int = 36, methods: int = 8, levels: int = 10, truth=0.0, luck: float = 0.5):
    """Validation on 5 levels and test on ``levels``, for methods of known worth."""
    rng = generator("test_bounds", seed)
    hard = rng.normal(0, 0.3, (rows, 1))
    test = [truth + rng.normal(0, 0.2, (levels, 1)) + rng.normal(0, luck, (levels, methods)) + h for h in hard]
    validation = truth + hard + rng.normal(0, luck / np.sqrt(5), (rows, methods))
    return validation, np.array([x.mean(axis=0) for x in test]), test, hard[:, 0]


def test_equal_methods_make_the_optimistic_bound_exceed_the_honest_one_which_covers_the_truth():
    """400 tables of 36 worlds and 8 methods that are all alike: the truth is each world's own mean."""
    excess, honest, simulated = [], [], []
    for seed in range(400):
        validation, test, levels, hard = draw(seed)
        found = upper_bound(validation, test, levels, draws=1, seed=seed)
        # The levels' own difficulty is everybody's: the truth of these levels is what is left without luck.
        truth = hard.mean()
        honest.append((found.honest.mean() - truth) / (np.std(found.honest - hard, ddof=1) / 6))
        excess.append(found.optimistic.mean() - truth)
        if seed < 20:
            simulated.append(optimism(levels, draws=200, seed=seed))
    assert np.mean(excess) == pytest.approx(0.5 / np.sqrt(10) * 1.4236, rel=0.03)  # expected maximum of 8 normals
    assert min(excess) > 0.1
    assert np.mean(np.abs(honest) < 2.03) >= 0.93  # Student's t with 35 degrees of freedom
    assert abs(np.mean(honest)) < 0.2
    assert np.mean(simulated) == pytest.approx(np.mean(excess), rel=0.05)


def test_simulated_optimism_is_right_with_few_levels():
    """With 3 levels the methods' own means take a third of the luck with them: it is given back."""
    tables = [draw(seed, levels=3) for seed in range(60)]
    excess = [test.max(axis=1).mean() - test.mean() for _, test, _, _ in tables]
    simulated = [optimism(levels, draws=100, seed=seed) for seed, (_, _, levels, _) in enumerate(tables)]
    assert np.mean(simulated) == pytest.approx(np.mean(excess), rel=0.05)


def test_simulated_optimism_is_of_luck_and_not_of_worth():
    """Methods of very different worth, the same luck: what equal methods would gain by chance is the same."""
    _, _, alike, _ = draw(1)
    _, _, apart, _ = draw(1, truth=np.arange(8.0))
    assert optimism(apart, draws=300) == pytest.approx(optimism(alike, draws=300), rel=1e-9)


def test_methods_that_score_alike_throughout_have_no_optimism():
    assert optimism([np.tile(np.arange(10.0)[:, None], 4)]) == pytest.approx(0, abs=1e-12)


def test_one_level_tells_nothing_of_luck():
    assert np.isnan(optimism([np.array([[0.1, 0.4]])]))


def test_one_method_leaves_no_choice():
    found = upper_bound([[0.3], [0.1]], [[0.5], [0.2]], [np.array([[0.5], [0.5]])] * 2)
    assert found.honest.tolist() == found.optimistic.tolist() == [0.5, 0.2]
    assert found.by_chance == pytest.approx(0, abs=1e-12)


def test_ties_share_the_choice():
    assert choice_weights([[1, 1, 0], [0, 2, 1]]).tolist() == [[0.5, 0.5, 0], [0, 1, 0]]


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_weights_of_spaces_are_the_mean_over_all_subsets(seed, size):
    rng = generator("test_bounds", "subsets", seed)
    preference, score = rng.integers(0, 4, (3, 5)).astype(float), rng.normal(size=(3, 5))
    listed = [
        (choice_weights(preference[:, list(s)]) * score[:, list(s)]).sum(axis=1) for s in combinations(range(5), size)
    ]
    weights = subset_weights(preference, size)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert (weights * score).sum(axis=1) == pytest.approx(np.mean(listed, axis=0))


def test_the_optimistic_curve_rises_for_alike_methods_and_the_honest_one_does_not():
    rising, flat = np.zeros(8), np.zeros(8)
    for seed in range(100):
        validation, test, _, hard = draw(seed)
        points = method_space(validation, test)
        rising += [float((p.optimistic - hard).mean()) / 100 for p in points]
        flat += [float(((p.weights * test).sum(axis=1) - hard).mean()) / 100 for p in points]
    assert np.all(np.diff(rising) > 0.003)
    assert np.abs(flat).max() < 0.03


def test_the_honest_curve_rises_where_validation_can_tell():
    validation, test, _, _ = draw(3, truth=np.linspace(0, 1, 8), luck=0.1)
    scores = [(p.weights * test).sum(axis=1).mean() for p in method_space(validation, test)]
    assert np.all(np.diff(scores) > 0)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="size must be from 1 to 2"):
        subset_weights([[1, 2]], 3)
    with pytest.raises(ValueError, match="finite"):
        choice_weights([[np.nan, 1]])
    with pytest.raises(ValueError, match="same rows"):
        upper_bound([[1, 2]], [[1, 2, 3]], [])
    with pytest.raises(ValueError, match="at least one row"):
        optimism([])
