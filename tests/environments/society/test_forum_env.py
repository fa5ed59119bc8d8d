"""The forum as a PettingZoo environment."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import api_test, seed_test

from finchmark.environments.society import OUTSIDE, ForumEnv, Shape, forum_env, read_act
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

START = [["the sky is blue", "grass is green"], ["the sky is blue"], [], ["one"]]


def act(kind, **more):
    return json.dumps({"act": kind, **more})


def made(**fields):
    env = ForumEnv(Shape(**{"agents": 4, "rounds": 3, **fields}), memories=START)
    env.reset(seed=1)
    return env


def speak(env, *acts):
    """The first turns take the acts, all others of the round pass."""
    now = env.forum.round
    given = list(acts)
    while env.forum.round == now and not env.forum.over:
        env.step(given.pop(0) if given else act("pass"))


@pytest.mark.parametrize("options", [{}, {"diverse": True, "offers": ("reject", "forget")}, {"active": 2}])
def test_pettingzoo_s_own_tests_pass(options):
    shape = {"agents": 4, "rounds": 3, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        api_test(forum_env(**shape), num_cycles=30)
        seed_test(lambda: forum_env(**shape), num_cycles=10)


def test_the_observation_is_the_text_in_padded_bytes():
    env = made()
    seen, *_, info = env.last()
    assert seen.dtype == np.uint8
    assert seen.tobytes().rstrip(b"\0").decode() == info["text"]
    assert "Your turn to speak." in info["text"]
    assert env.observation_space("agent_0").contains(seen)


def test_a_round_has_a_turn_to_speak_of_each_and_then_one_to_rewrite():
    env = made()
    turns = env.forum.turns
    assert [phase for phase, _ in turns] == ["speak"] * 4 + ["revise"] * 4
    assert sorted(agent for _, agent in turns[:4]) == [0, 1, 2, 3]
    assert [phase for phase, _ in made(evolve=False).forum.turns] == ["speak"] * 4


def test_active_agents_take_turns():
    env = made(active=2)
    seen = []
    while not env.forum.over:
        seen.append({agent for _, agent in env.forum.turns})
        speak(env)
    assert seen == [{0, 1}, {2, 3}, {0, 1}]


def test_messages_comments_and_votes():
    env = made()
    author = env.agent_selection
    env.step(act("post", text="Hello\nall"))
    env.step(act("comment", post=1, text="Yes."))
    env.step(act("vote", post=1))
    assert env.rewards[author] == 1.0
    env.step(act("vote", post="#1"))
    first, second = env.forum.messages
    assert (first.text, len(first.votes), second.on) == ("Hello all", 2, 1)
    assert env.forum.invalid == 0
    assert "(2 votes): Hello all" in env.infos[env.agent_selection]["text"]


@pytest.mark.parametrize(
    "text",
    ["", "hm", "{]", act("post"), act("post", text=3), act("comment", post=9, text="x"), act("vote", post=1),
     act("fly"), act("revise", line=1, text="x"), act("reject", post=1),
     '{"act": "post", "act": "pass"}', "9" * 5000, None],
)  # fmt: skip
def test_what_cannot_be_done_is_counted_and_changes_nothing(text):
    env = made()
    env.step(text)
    assert env.forum.invalid == env.forum.acts == 1
    assert env.forum.messages == []
    assert env.forum.memories == START


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=40), st.binary(max_size=40)), max_size=12))
def test_no_text_breaks_a_forum(replies):
    env = made()
    for reply in replies:
        given_ = np.frombuffer(reply, dtype=np.uint8) if isinstance(reply, bytes) else reply
        env.step(given_)
    assert env.forum.acts == len(replies)


class TestMemories:
    def rewrite(self, env, *acts):
        for _ in range(4):
            env.step(act("pass"))
        who = env.forum.now[1]
        speak(env, *acts)
        return env.forum.memories[who], START[who]

    def test_a_line_is_written_anew_or_added(self):
        env = made()
        speak(env)
        who = env.forum.turns[4][1]
        now, start = self.rewrite(env, act("revise", line=len(START[who]) + 1, text=" new   line "))
        assert now == [*start, "new line"]

    def test_the_whole_is_cut_to_its_size(self):
        env = made(lines=2, line_chars=5)
        now, _ = self.rewrite(env, act("revise", memory="abcdefgh\n\nx\ny"))
        assert now == ["abcde", "x"]

    def test_lines_beyond_the_next_are_none(self):
        env = made(lines=2)
        now, start = self.rewrite(env, act("revise", line=9, text="x"))
        assert now == start
        assert env.forum.invalid == 1

    def test_without_evolving_nobody_is_asked(self):
        env = made(evolve=False)
        while not env.forum.over:
            speak(env, act("revise", memory="x"))
        assert env.forum.memories == START

    def test_a_line_is_forgotten_and_a_memory_taken_back_where_that_is_offered(self):
        env = made(offers=("forget", "rollback"), back=1)
        while env.forum.now[0] == "speak":
            env.step(act("pass"))
        who = env.forum.now[1]
        speak(env, *[act("revise", memory="a\nb")] * 4)
        assert env.forum.memories[who] == ["a", "b"]
        speak(env, *[act("pass")] * 4, *[act("forget", line=1)] * 4)
        assert env.forum.memories[who] == ["b"]
        speak(env, *[act("pass")] * 4, *[act("rollback")] * 4)
        # One round before the state at the beginning of this one.
        assert env.forum.memories[who] == ["a", "b"]
        assert env.forum.extra == 8


def test_a_rejected_message_is_hidden_from_everybody():
    env = made(offers=("reject",))
    env.step(act("post", text="Nonsense."))
    env.step(act("reject", post=1))
    assert all(env.forum.visible(agent) == [] for agent in range(4))


def test_a_verifier_stops_what_is_open():
    env = ForumEnv(Shape(agents=4, rounds=1), verifier=lambda forum, agent, done: "no" not in done.text)
    env.reset()
    env.step(act("post", text="no"))
    env.step(act("post", text="yes"))
    assert [message.text for message in env.forum.messages] == ["yes"]
    assert env.forum.rejected == 1
    assert env.came == "done"


def test_each_sees_a_half_and_has_an_own_topic_where_that_is_so():
    env = made(diverse=True, agents=4, rounds=3)
    topics = {env.forum.topic(agent) for agent in range(4)}
    assert len(topics) == 4
    speak(env, *[act("post", text="Hello.")] * 4)
    seen = [len(env.forum.visible(agent)) for agent in range(4)]
    assert min(seen) < 4
    assert made().forum.topic(0) == made().forum.topic(1)


def test_nothing_comes_from_outside_into_an_isolated_forum():
    with pytest.raises(UsageError, match="isolated"):
        ForumEnv(Shape(agents=4, rounds=2), outside=[["news"]])
    env = ForumEnv(Shape(agents=4, rounds=2, isolated=False), outside=[[], ["news"]])
    env.reset()
    speak(env)
    (message,) = env.forum.messages
    assert (message.author, message.text) == (OUTSIDE, "news")
    assert "from outside: news" in env.infos[env.agent_selection]["text"]


def test_a_saved_forum_goes_on_as_it_would_have():
    env = made(diverse=True)
    speak(env, *[act("post", text=f"message {k}") for k in range(4)], act("revise", memory="x"))
    kept = json.loads(json.dumps(env.save()))
    after = []
    for _ in range(2):
        speak(env, *[act("post", text=f"later {k}") for k in range(4)])
        after.append(env.forum.digest())
        env.load(kept)
    assert after[0] == after[1]
    assert env.forum.digest() == made_like(kept).forum.digest()


def made_like(kept):
    env = ForumEnv(Shape(agents=4, rounds=3, diverse=True), memories=START)
    env.load(kept)
    return env


def test_a_forum_is_taken_back_to_the_middle_of_a_round():
    env = made()
    env.step(act("post", text="Hello."))
    kept, whose = env.save(), env.agent_selection
    env.step(act("vote", post=1))
    env.load(kept)
    assert env.agent_selection == whose
    assert env.forum.messages[0].votes == []
    env.step(act("vote", post=1))
    assert len(env.forum.messages[0].votes) == 1


def test_nobody_votes_twice_for_a_message():
    env = made(evolve=False)
    speak(env, act("post", text="Hello."), *[act("vote", post=1)] * 3)
    speak(env, *[act("vote", post=1)] * 4)
    assert len(env.forum.messages[0].votes) == 3
    # All votes of the second round: the author's own, and three that were there.
    assert env.forum.invalid == 4


def test_what_is_kept_of_long_talk_is_bounded_and_what_is_seen_is_as_if_all_were(monkeypatch):
    """Two forums live through the same votes and posts; one keeps everything."""
    from finchmark.environments.society import forum as module

    def lived(rounds):
        env = made(agents=4, rounds=rounds, evolve=False, shown=3)
        rng, seen = generator("tests", "long"), []
        while not env.forum.over:
            shown = env.forum.visible(env.forum.now[1])
            seen.append([message.id for message in shown])
            vote = bool(shown) and rng.random() < 0.4
            env.step(act("vote", post=shown[0].id) if vote else act("post", text="Hello."))
        return env.forum, seen

    few, seen = lived(90)
    assert len(few.messages) <= 3 * 32 + 2 * 4 < few.said
    assert any(ids[0] < ids[-1] - 3 * 4 for ids in seen[8:])
    monkeypatch.setattr(module, "_OLDER", 10**6)
    whole, as_if = lived(90)
    assert len(whole.messages) == whole.said == few.said
    assert seen == as_if


def test_seeds_change_who_comes_first():
    orders = set()
    for seed in range(6):
        env = made()
        env.reset(seed=seed)
        orders.add(tuple(env.forum.turns))
    assert len(orders) > 2


@pytest.mark.parametrize(
    "fields", [{"agents": 1}, {"rounds": 0}, {"active": 9}, {"offers": ("fly",)}, {"lines": 1, "agents": 4}]
)
def test_what_cannot_be_a_forum_is_refused(fields):
    with pytest.raises(UsageError):
        made(**fields)


def test_the_last_object_with_an_act_counts():
    assert read_act('{"act": "pass"} no: {"act": " Vote ", "post": "3"} {"x": 1}').post == 3
    assert read_act("I do nothing. act: pass").kind == "pass"
    assert read_act("nothing") is None
