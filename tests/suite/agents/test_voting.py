from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.voting import TURNS, VotingAgent
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.records import Limits


def in_turn(*texts):
    """Replies one after the other, round and round."""
    replies = itertools.cycle(texts)
    return lambda request: next(replies)


def test_the_action_that_most_replies_give_is_taken(talk):
    model = talk(in_turn("<action>a</action>", "<action>b</action>", "so <action>B </action>"))
    assert model.turn(VotingAgent(votes=3)) == "<action>b</action>"
    assert len(model.requests) == 3


def test_every_vote_answers_the_same_prompt_with_a_seed_of_its_own(talk):
    model = talk(in_turn("x"))
    model.turn(VotingAgent())
    assert len(model.requests) == 5
    assert len({request.messages for request in model.requests}) == 1
    assert len({request.seed for request in model.requests}) == 5


def test_history_keeps_the_winner_and_nothing_of_the_others(talk):
    model = talk(in_turn("a", "b", "b"))
    agent = VotingAgent(votes=3)
    model.turn(agent)
    model.turn(agent, "next")
    said = [m.content for m in model.requests[-1].messages if m.role == "assistant"]
    assert said == ["b"]


def test_every_call_is_counted(talk):
    model = talk(in_turn("one two three"))
    model.turn(VotingAgent(votes=4))
    assert sum(call.usage.completion_tokens for call in model.model.drain()[0]) == 12


def test_a_budget_is_spread_evenly_over_the_turns_that_are_told(talk):
    model = talk(in_turn("one two three four five"))
    agent = VotingAgent(votes=64, tokens=100)
    counts = []
    for turn in range(4):
        before = len(model.requests)
        model.turn(agent, f"Turn {turn + 1} of 4.")
        counts.append(len(model.requests) - before)
    assert counts == [5, 5, 5, 5]


def test_what_a_turn_leaves_is_spread_over_the_next(talk):
    model = talk(in_turn("one two three"))
    agent = VotingAgent(votes=64, tokens=40)
    for turn in range(4):
        model.turn(agent, f"Turn {turn + 1} of 4.")
    # 10 a turn: 3 votes of 3, then what was left over makes room for more.
    assert len(model.requests) == 13


def test_after_the_expected_turns_there_is_one_vote_a_turn(talk):
    model = talk(in_turn("one"))
    agent = VotingAgent(votes=64, tokens=10)
    for _ in range(3):
        model.turn(agent, "Step 0 of 1. A lamp.")
    assert len(model.requests) == 10 + 1 + 1


def test_an_episode_that_does_not_say_its_length_is_taken_to_have_twenty(talk):
    model = talk(in_turn("one"))
    model.turn(VotingAgent(votes=64, tokens=5 * TURNS), "A lamp.")
    assert len(model.requests) == 5


def test_a_turn_has_one_vote_without_any_budget_and_never_more_than_the_most(talk):
    for tokens, calls in ((0, 1), (10**6, 7)):
        model = talk(in_turn("one"))
        model.turn(VotingAgent(votes=7, tokens=tokens))
        assert len(model.requests) == calls


def test_a_new_episode_has_the_whole_budget(talk):
    model = talk(in_turn("one"))
    agent = VotingAgent(votes=64, tokens=8)
    for _ in range(2):
        agent.begin()
        model.turn(agent, "Turn 1 of 1.")
    assert len(model.requests) == 16


def test_a_question_beside_the_episode_takes_one_vote_of_a_budget(talk):
    model = talk(in_turn("one"))
    agent = VotingAgent(votes=64, tokens=40)
    model.turn(agent)
    before = len(model.requests)
    model.turn(agent.fork(), "A question.")
    assert len(model.requests) == before + 1
    model.turn(agent)
    assert len(model.requests) == before + 1 + 10


def test_a_limit_that_is_reached_among_the_votes_lets_those_count_that_came(talk):
    model = talk(in_turn("one"), Limits(tokens=3))
    assert model.turn(VotingAgent(votes=64, tokens=10**6), "Turn 1 of 1.") == "one"
    # The first vote, then a wave that is asked for at once while two tokens are left.
    assert len(model.requests) >= 3


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 400), st.integers(1, 9))
def test_a_budget_is_kept_but_for_one_vote_a_turn_and_the_last_wave(talk, lengths, tokens, votes):
    longest = max(lengths)
    model = talk(in_turn(*("x " * (n - 1) + "x" for n in lengths)))
    agent = VotingAgent(votes=votes, tokens=tokens)
    turns = 5
    for turn in range(turns):
        before = len(model.requests)
        model.turn(agent, f"Turn {turn + 1} of {turns}.")
        assert 1 <= len(model.requests) - before <= votes
    spent = sum(call.usage.completion_tokens for call in model.model.drain()[0])
    # Votes are drawn at their mean cost so far: a wave overruns by at most its votes' longest replies.
    assert spent <= tokens + (turns + votes) * longest


@pytest.mark.parametrize(
    "arguments", [{"votes": 0}, {"votes": "many"}, {"tokens": -1}, {"tokens": 1.5}, {"window": -1}]
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(UsageError, match=next(iter(arguments))):
        VotingAgent(**arguments)


@pytest.mark.parametrize("arguments", [{}, {"votes": 1}, {"votes": 9, "tokens": 60}])
def test_it_passes_the_conformance_checks(arguments):
    check_agent(lambda: VotingAgent(**arguments))
