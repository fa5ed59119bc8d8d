"""Games as PettingZoo environments."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("pyspiel")

from pettingzoo.test import api_test, seed_test

from finchmark.environments.openspiel.aec import SEATS, GameAEC, aec_env
from finchmark.environments.openspiel.games import GAMES
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

NAMES = [line.name for line in GAMES]


@pytest.mark.parametrize("name", NAMES)
def test_pettingzoo_s_own_test_passes(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of spaces without bounds and of missing docstrings of wrappers
        api_test(aec_env(name), num_cycles=60)


def test_equal_seeds_deal_alike():
    seed_test(aec_env, num_cycles=20)


def play(env, rng):
    """A hand at random: what was seen in turn, and what was won."""
    seen, won = [], dict.fromkeys(SEATS, 0.0)
    for agent in env.agent_iter():
        view, reward, terminated, truncated, info = env.last()
        won[agent] += reward
        if terminated or truncated:
            env.step(None)
            continue
        assert list(np.flatnonzero(view["action_mask"])) == sorted(info["options"].values())
        seen.append((agent, info["text"]))
        env.step(int(rng.choice(np.flatnonzero(view["action_mask"]))))
    return seen, won


@pytest.mark.parametrize("name", NAMES)
def test_a_hand_ends_with_zero_sum_and_every_state_in_words(name):
    env, rng = aec_env(name), generator("aec", name)
    for hand in range(10):
        env.reset(seed=hand)
        seen, won = play(env, rng)
        assert won[SEATS[0]] == -won[SEATS[1]]
        for agent, text in seen:
            assert f"You are the {('first', 'second')[SEATS.index(agent)]} player" in text


def test_nobody_sees_the_other_s_card():
    """Over all deals of Kuhn poker what a seat sees before the first move has one value for each card of its own."""
    env = GameAEC("kuhn")
    views = {seat: set() for seat in SEATS}
    deals = set()
    for seed in range(200):
        env.reset(seed=seed)
        deals.add(tuple(env._state.history()))
        for seat in SEATS:
            views[seat].add(env.observe(seat)["observation"].tobytes())
    assert len(deals) == 6
    assert [len(found) for found in views.values()] == [3, 3]


def test_out_of_turn_no_move_can_be_made():
    env = GameAEC("kuhn")
    env.reset(seed=1)
    assert env.observe(SEATS[0])["action_mask"].tolist() == [1, 1]
    assert env.observe(SEATS[1])["action_mask"].tolist() == [0, 0]


def test_an_illegal_move_is_refused_and_through_the_wrapper_loses():
    env = GameAEC("goofspiel3")
    env.reset(seed=1)
    env.step(0)
    env.step(0)
    with pytest.raises(UsageError, match="no move"):
        env.step(0)  # that card is gone
    wrapped = aec_env("goofspiel3")
    wrapped.reset(seed=1)
    for _ in range(3):
        wrapped.step(0)
    assert wrapped.terminations[SEATS[0]]
    assert wrapped.rewards[SEATS[0]] == -1


def test_an_unknown_game_is_refused():
    with pytest.raises(UsageError, match="there are kuhn"):
        aec_env("chess")
