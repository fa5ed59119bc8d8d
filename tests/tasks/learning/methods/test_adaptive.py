"""The bandit that chooses a method by an environment's features."""

from __future__ import annotations

import numpy as np
import pytest

from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.adaptive import adaptive_choice, design

CORES = [f"c{n // 3}" for n in range(36)]
KINDS = [{"reward": "binary" if n % 2 else "accumulative"} for n in range(36)]


def gains(worth: np.ndarray, seed: int = 0):
    rng = generator("test_adaptive", seed)
    return worth + rng.normal(0, 0.1, worth.shape), worth + rng.normal(0, 0.1, worth.shape)


@pytest.mark.parametrize("policy", ["thompson", "ucb"])
def test_features_that_decide_are_learnt(policy):
    worth = np.array([[0.4, 0.0] if kind["reward"] == "binary" else [0.0, 0.4] for kind in KINDS])
    found = adaptive_choice(*gains(worth), design(KINDS), CORES, policy=policy)
    assert found.bandit.mean() > 0.33
    assert found.single.mean() == pytest.approx(0.2, abs=0.05)
    assert found.own.mean() > 0.33


def test_where_all_methods_are_alike_no_choice_gains():
    means = [
        [x.mean() for x in (found.bandit, found.single, found.own)]
        for found in (adaptive_choice(*gains(np.zeros((36, 4)), s), design(KINDS), CORES, orders=3) for s in range(20))
    ]
    assert np.abs(np.mean(means, axis=0)).max() < 0.02


def test_one_method_that_is_best_everywhere_is_found_by_all():
    found = adaptive_choice(*gains(np.tile([0.5, 0.0, 0.0], (36, 1))), design(KINDS), CORES)
    assert min(found.bandit.mean(), found.single.mean(), found.own.mean()) > 0.45


def test_the_core_that_is_left_out_has_no_say():
    """What is chosen for a core stays the same whatever that core's own validation says."""
    validation, test = gains(np.zeros((36, 3)))
    other = validation.copy()
    other[:3] += np.array([0, 5.0, 0])
    one, two = (adaptive_choice(v, test, design(KINDS), CORES, orders=3) for v in (validation, other))
    assert one.bandit[:3].tolist() == two.bandit[:3].tolist()
    assert one.single[:3].tolist() == two.single[:3].tolist()
    assert one.own[:3].tolist() != two.own[:3].tolist()


def test_it_runs_one_method_an_environment():
    found = adaptive_choice(*gains(np.zeros((36, 3))), design(KINDS), CORES, passes=2, orders=1)
    assert found.pulls == 66


def test_a_design_has_an_intercept_and_one_column_a_further_value():
    x = design([{"a": "x", "b": "u"}, {"a": "y", "b": "u"}, {"a": "z", "b": "v"}])
    assert x.tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 1]]


def test_bad_input_is_told():
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match="two cores"):
        adaptive_choice(x, x, np.ones((4, 1)), ["a"] * 4)
    with pytest.raises(ValueError, match="do not fit"):
        adaptive_choice(x, x, np.ones((3, 1)), list("abcd"))
    with pytest.raises(ValueError, match="policy"):
        adaptive_choice(x, x, np.ones((4, 1)), list("abcd"), policy="greedy")  # type: ignore[arg-type]  # on purpose
