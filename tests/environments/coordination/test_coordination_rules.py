"""The payoffs of the coordination game against their closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.coordination import COLLECTIVE, INDEPENDENT, SILENT, Rules, grow, threshold_of
from finchmark.suite.errors import UsageError


def play(rules, collective):
    """The first ``collective`` agents choose together in every round."""
    choices = np.array([COLLECTIVE] * collective + [INDEPENDENT] * (rules.agents - collective))
    capital, won = np.ones(rules.agents), []
    for _ in range(rules.rounds):
        capital, success = grow(rules, capital, choices)
        won.append(bool(success))
    return capital, won


def test_all_together_reach_the_cube_of_the_high_factor():
    capital, won = play(Rules(), 8)
    assert capital == pytest.approx(np.full(8, 1.728))
    assert won == [True] * 3


def test_all_alone_keep_what_they_have():
    capital, won = play(Rules(), 0)
    assert capital == pytest.approx(np.ones(8))
    assert not any(won)


@pytest.mark.parametrize("threshold", [2, 4, 6, 8])
@pytest.mark.parametrize("rounds", [1, 3, 7])
def test_one_too_few_costs_those_who_tried_alone(threshold, rounds):
    capital, won = play(Rules(threshold=threshold, rounds=rounds), threshold - 1)
    assert capital[: threshold - 1] == pytest.approx(0.8**rounds)
    assert capital[threshold - 1 :] == pytest.approx(1.0)
    assert not any(won)


@pytest.mark.parametrize("threshold", [2, 4, 6, 8])
def test_just_enough_is_a_success_of_everybody(threshold):
    capital, won = play(Rules(threshold=threshold), threshold)
    assert capital == pytest.approx(1.728)
    assert all(won)


def test_where_a_success_is_not_shared_the_others_get_the_normal_factor():
    capital, _ = play(Rules(threshold=4, normal=1.1, all_share=False), 4)
    assert capital[:4] == pytest.approx(1.728)
    assert capital[4:] == pytest.approx(1.1**3)


@pytest.mark.parametrize(("collective", "expected"), [(8, 1 + 3 * 0.2 * 0.5), (0, 1.0), (3, 1 - 3 * 0.2 * 0.5)])
def test_added_rewards_sum_up(collective, expected):
    capital, _ = play(Rules(additive=True, base=0.5), collective)
    assert capital[0] == pytest.approx(expected)


def test_the_silent_count_for_nothing_and_keep_their_capital():
    choices = np.array([COLLECTIVE] * 4 + [SILENT] * 4)
    capital, success = grow(Rules(threshold=4), np.ones(8), choices)
    assert success
    assert capital.tolist() == [1.2] * 4 + [1.0] * 4
    capital, success = grow(Rules(threshold=5), np.ones(8), choices)
    assert not success
    assert capital.tolist() == [0.8] * 4 + [1.0] * 4


GRID = list(
    itertools.product([2, 4, 6, 8], [(1.2, 0.8), (1.2, 0.2), (1.2, 0.6), (1.4, 0.8), (1.8, 0.8)], [False, True])
)


@pytest.mark.parametrize(("threshold", "row", "additive"), GRID)
def test_capital_stays_within_the_stated_bounds_in_every_cell(threshold, row, additive):
    rules = Rules(threshold=threshold, high=row[0], low=row[1], additive=additive)
    every = np.array(list(itertools.product([-1, 0, 1], repeat=8)), dtype=np.int8)
    capital = np.ones(every.shape)
    for _ in range(rules.rounds):
        capital, _ = grow(rules, capital, every)
    low, high = rules.bounds
    assert low - 1e-9 <= capital.min()
    assert capital.max() == pytest.approx(high)


@given(
    st.integers(2, 9).flatmap(
        lambda n: st.tuples(st.integers(1, n), st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n))
    )
)
def test_many_games_at_once_are_as_each_alone(game):
    threshold, choices = game
    rules = Rules(agents=len(choices), threshold=threshold)
    stack = np.array([choices, choices[::-1]], dtype=np.int8)
    capital, success = grow(rules, np.ones(stack.shape), stack)
    for row, line in enumerate(stack):
        alone, won = grow(rules, np.ones(len(line)), line)
        assert capital[row].tolist() == alone.tolist()
        assert success[row] == won == (choices.count(1) >= threshold)


@pytest.mark.parametrize(
    ("ratio", "agents", "count"), [(0.5, 8, 4), (0.51, 8, 5), (0.3, 10, 3), (1.0, 7, 7), (0.01, 8, 1)]
)
def test_a_share_is_rounded_up_to_whole_agents(ratio, agents, count):
    assert threshold_of(ratio, agents) == count


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.1, float("nan")])
def test_what_is_no_share_is_refused(ratio):
    with pytest.raises(UsageError, match="ratio"):
        threshold_of(ratio, 8)


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 0},
        {"threshold": 9},
        {"agents": 1, "threshold": 1},
        {"rounds": 0},
        {"low": -0.1},
        {"high": float("inf")},
    ],
)
def test_rules_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        Rules(**options)


def test_choices_of_another_shape_or_value_are_refused():
    with pytest.raises(ValueError, match="columns"):
        grow(Rules(), np.ones(7), np.ones(7, dtype=np.int8))
    with pytest.raises(ValueError, match="choices are"):
        grow(Rules(), np.ones(8), np.full(8, 2, dtype=np.int8))
