import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.reflection import ReflectionAgent
from finchmark.suite.errors import UsageError


def model(prompt: str) -> str:
    return "Next time say blue." if "what went wrong" in prompt else "<action>red</action>"


def test_the_second_episode_shows_what_was_thought_of_the_first(stream):
    life = stream(ReflectionAgent, model)
    assert life.live(solved=False) == "reflected: Next time say blue."
    assert "after earlier episodes that failed:\n- Next time say blue." in life.probe()


def test_nothing_is_learnt_from_success(stream):
    life = stream(ReflectionAgent, model)
    assert life.live(solved=True) == ""
    assert life.asked == []
    assert life.state == {"kept": []}


def test_the_episode_and_its_verdict_are_told(stream):
    life = stream(ReflectionAgent, model)
    life.live("green", solved=False, after="Shut.")
    (asked,) = life.asked
    for part in ("Open the door", "a green door", "<action>red</action>", "Shut.", "not solved, score 0"):
        assert part in asked


def test_only_the_last_reflections_are_kept(stream):
    thoughts = iter(["one", "two", "three"])
    life = stream(
        lambda: ReflectionAgent(reflections=2),
        lambda prompt: next(thoughts) if "what went wrong" in prompt else "x",
    )
    for _ in range(3):
        life.live(solved=False)
    assert life.probe().count("\n- ") == 2
    assert life.state["kept"] == [{"episode": "s000/1", "text": "two"}, {"episode": "s000/2", "text": "three"}]


def test_an_empty_answer_changes_nothing(stream):
    life = stream(ReflectionAgent, lambda prompt: "  ")
    assert life.live(solved=False) == ""
    assert life.state == {"kept": []}


@settings(max_examples=30)
@given(st.text(max_size=900), st.integers(1, 5), st.integers(200, 700))
def test_the_memory_is_never_over_its_cap(stream, text, count, cap):
    life = stream(lambda: ReflectionAgent(reflections=count, cap=cap), lambda prompt: text)
    for _ in range(count + 1):
        life.live(solved=False)
    assert len(life.agent.memory(None)) <= cap


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=20), st.integers(200, 3000))
def test_the_question_is_bounded(stream, text, sight):
    text = text * 5000
    life = stream(lambda: ReflectionAgent(sight=sight), model)
    life.live(solved=False, after=text, rules=text)
    assert len(life.asked[0]) <= sight + 1100


def test_at_least_one_reflection_is_kept():
    with pytest.raises(UsageError, match="reflections"):
        ReflectionAgent(reflections=0)
