import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.replay import ReplayAgent
from finchmark.suite.errors import UsageError


def test_the_most_alike_episode_is_shown(stream):
    life = stream(lambda: ReplayAgent(examples=1), lambda prompt: "I push")
    for door in ("red", "green", "blue"):
        life.live(door)
    shown = life.probe("green")
    assert "An episode that ended as: solved, score 1 (from 0 to 1)\nTurn 0: a green door.\n> I push" in shown
    assert "a red door" not in shown


def test_what_all_beginnings_share_does_not_count(stream):
    life = stream(lambda: ReplayAgent(examples=1), lambda prompt: "I push")
    life.live("red (old oak carved by hand with brass hinges two locks one bell and a mat)")
    life.live("blue")
    assert "old oak" in life.probe("red")


def test_successes_come_before_more_alike_failures(stream):
    life = stream(lambda: ReplayAgent(examples=1), lambda prompt: "I push")
    life.live("green", solved=False)
    life.live("red", solved=True)
    assert "a red door" in life.probe("green")


def test_failures_fill_up_and_say_so(stream):
    life = stream(lambda: ReplayAgent(examples=2), lambda prompt: "I push")
    life.live("green", solved=False)
    life.live("red", solved=True)
    shown = life.probe("green")
    assert shown.index("ended as: not solved") < shown.index("ended as: solved")


def test_examples_are_shown_however_unlike_they_are(stream):
    life = stream(lambda: ReplayAgent(examples=1), lambda prompt: "I push")
    life.live("red", rules="One.")
    assert "a red door" in life.probe("", rules="☃")


def test_the_oldest_failure_goes_first(stream):
    life = stream(lambda: ReplayAgent(most=2), lambda prompt: "I push")
    life.live("red", solved=True)
    life.live("green", solved=False)
    assert "dropped" in life.live("blue", solved=True)
    assert ["red" in kept["text"] or "blue" in kept["text"] for kept in life.state["kept"]] == [True, True]
    assert life.live("white", solved=False) == ""
    assert "dropped" in life.live("black", solved=True)
    assert ["blue" in life.state["kept"][0]["text"], "black" in life.state["kept"][1]["text"]] == [True, True]


def test_an_embedder_takes_the_place_of_tfidf(stream, monkeypatch):
    module = types.ModuleType("fake_lengths")
    module.embed = lambda texts: [[text.count("z"), 1 - text.count("z")] for text in texts]
    monkeypatch.setitem(sys.modules, "fake_lengths", module)
    life = stream(lambda: ReplayAgent(examples=1, embedder="fake_lengths:embed"), lambda prompt: "I push")
    life.live("z")
    life.live("red")
    assert "a z door" in life.probe("amber z")


def test_a_share_too_small_for_an_episode_is_refused():
    with pytest.raises(UsageError, match="examples"):
        ReplayAgent(examples=9, cap=400)


@settings(max_examples=30)
@given(st.text(max_size=500), st.integers(1, 3), st.integers(400, 900))
def test_the_memory_is_never_over_its_cap(stream, text, examples, cap):
    life = stream(lambda: ReplayAgent(examples=examples, cap=cap, most=4), lambda prompt: text)
    for solved in (True, False, True, True, False):
        life.live(solved=solved, after=text)
    assert 0 < len(life.agent.memory(Observation(text, text))) <= cap
    assert len(life.state["kept"]) <= 4
