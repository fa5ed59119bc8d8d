from __future__ import annotations

import asyncio
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.bandit import BanditAgent, Purse, upper_bound
from finchmark.suite.agents.experience import Experience, Feedback
from finchmark.suite.agents.percept import Option, Percept
from finchmark.suite.canonical import canonical_json, content_hash
from finchmark.suite.seeds import generator, uniform

OPTIONS = tuple(Option(f"<action>{name}</action>", name) for name in "abc")


def learn(agent: BanditAgent, score: float | None) -> str:
    return asyncio.run(agent.learn(Experience("s/0", "demo", 0, "", (), "", Feedback(score)), None))


def played(agent: BanditAgent, pulls: int, pay=None) -> Counter[str]:
    """What it takes in an episode where ``pay`` tells what an option earns, if the task says so."""
    agent.begin()
    taken: Counter[str] = Counter()
    reward = None
    for turn in range(pulls):
        name = agent.choose(Percept("", OPTIONS, reward=reward)).name
        taken[name] += 1
        reward = None if pay is None else pay(name, turn)
    return taken


def bernoulli(name: str, turn: int) -> float:
    return float(uniform("arm", name, turn) < {"a": 0.2, "b": 0.8, "c": 0.4}[name])


def test_the_index_is_that_of_auer_et_al():
    # sqrt(2 ln 10 / 4) = 1.0730
    assert upper_bound(0.5, 4, 10) == pytest.approx(0.5 + 1.07298, abs=1e-5)
    assert upper_bound(0.5, 1, 1) == 0.5


def test_every_option_is_tried_first_in_the_order_of_the_percept():
    agent = BanditAgent()
    assert [agent.choose(Percept("", OPTIONS)).name for _ in range(3)] == ["a", "b", "c"]


def test_it_comes_to_take_the_best_option_and_the_others_rarely():
    taken = played(BanditAgent(), 2000, bernoulli)
    assert taken.most_common(1)[0][0] == "b"
    # Theorem 1: at most 8 ln n / gap**2 + 1 + pi**2 / 3 expected tries of each worse option.
    for name, gap in (("a", 0.6), ("c", 0.4)):
        assert taken[name] <= 8 * math.log(2000) / gap**2 + 1 + math.pi**2 / 3


def test_without_rewards_it_goes_round_within_an_episode():
    assert set(played(BanditAgent(), 30).values()) == {10}


def test_the_episode_s_score_is_credited_to_all_that_was_taken():
    agent = BanditAgent()
    played(agent, 3)
    assert learn(agent, 0.5) == "rewards of 3 options"
    assert agent.snapshot()["arms"] == {"a": [1, 0.5], "b": [1, 0.5], "c": [1, 0.5]}


def test_scores_of_episodes_decide_where_actions_tell_nothing():
    agent = BanditAgent()
    taken: Counter[str] = Counter()
    for _ in range(200):
        agent.begin()
        name = agent.choose(Percept("", OPTIONS)).name
        taken[name] += 1
        learn(agent, {"a": 0.0, "b": 1.0, "c": 0.0}[name])
    assert taken["b"] > 150


def test_rewards_that_were_told_are_not_credited_again_with_the_score():
    agent = BanditAgent()
    played(agent, 50, lambda name, turn: 1.0)
    learn(agent, 99.0)
    assert sum(total for _, total in agent.snapshot()["arms"].values()) == 49
    assert agent.snapshot()["seen"] == [1.0, 1.0]


def test_without_a_score_nothing_is_learnt():
    agent = BanditAgent()
    before = agent.snapshot()
    played(agent, 5)
    assert learn(agent, None) == ""
    assert agent.snapshot() == before


def test_acting_changes_no_state():
    agent = BanditAgent()
    played(agent, 9)
    learn(agent, 1.0)
    before = content_hash(agent.snapshot())
    played(agent, 9, bernoulli)
    assert content_hash(agent.snapshot()) == before


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_rewards_of_any_range_decide_as_those_between_0_and_1(low, width):
    def scaled(name, turn):
        return low + width * bernoulli(name, turn)

    assert played(BanditAgent(), 60, scaled) == played(BanditAgent(), 60, bernoulli)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(-1e9, 1e9), st.integers(1, 5)), max_size=20))
def test_a_purse_is_the_same_after_a_round_trip_and_its_means_are_in_range(rewards):
    purse = Purse()
    for arm, reward, tries in rewards:
        purse.add(arm, reward, tries)
    again = Purse.of(purse.data())
    canonical_json(purse.data())
    assert again.data() == purse.data()
    assert all(0 <= again.mean(arm) <= 1 for arm in "abcd")
    assert sum(purse.tries.values()) == sum(tries for _, _, tries in rewards)


@pytest.mark.parametrize("state", [None, [], {}, {"arms": {"a": 1}, "seen": []}, {"arms": {}, "seen": [1]}])
def test_a_state_of_another_kind_is_refused(state):
    with pytest.raises(ValueError, match="no record of rewards"):
        BanditAgent().restore(state)


def test_a_placebo_exchanges_the_options_records():
    agent = BanditAgent()
    played(agent, 300, bernoulli)
    learn(agent, None)
    state = agent.snapshot()
    other = agent.placebo(state, generator("placebo", 1))
    assert other["arms"].keys() == state["arms"].keys()
    assert sorted(other["arms"].values()) == sorted(state["arms"].values())
    assert other != state
    BanditAgent().restore(other)
