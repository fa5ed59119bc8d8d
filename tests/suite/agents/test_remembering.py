from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.agents.remembering import RememberingAgent
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.errors import UsageError
from finchmark.suite.model import Model, TokenMeter
from finchmark.suite.records import Limits, Record, Sampling, Thinking
from finchmark.suite.seeds import generator


class Note(Record):
    text: str = ""
    id: str = "n1"


class Noting(RememberingAgent[Note]):
    """Keeps one note."""

    name = "noting"
    marks = frozenset({"id"})

    def __init__(self, text: str = "", **options):
        super().__init__(Note(text=text), **options)
        self.read = 0

    def memory(self, observation):
        self.read += 1
        return self.state.text


def prompts(agent, turns=3, practice=()):
    seen = []

    def reply(request):
        seen.append([(m.role, m.content) for m in request.messages])
        return f"reply {len(seen)}"

    async def go():
        model = Model(
            Broker(ScriptedBackend(function=reply)),
            session="s", seed=1, seat="player", sampling=Sampling(), thinking=Thinking(), max_tokens=9,
            meter=TokenMeter(Limits()),
        )  # fmt: skip
        agent.begin()
        for turn in range(turns):
            await agent.act(Observation(f"see {turn}", "Rules.", practice), model)

    asyncio.run(go())
    return seen


def test_the_memory_stands_between_instructions_and_practice():
    assert prompts(Noting("It is red."), 1, practice=(("How?", "so"),))[0] == [
        ("user", "Rules.\n\nWhat you know from earlier episodes:\nIt is red.\n\nHow?"),
        ("assistant", "so"),
        ("user", "see 0"),
    ]


def test_a_prompt_only_ever_grows_at_its_end():
    for before, after in pairwise(prompts(Noting("It is red."), 4)):
        assert after[: len(before)] == before


def test_the_memory_is_read_once_an_episode():
    agent = Noting("It is red.")
    prompts(agent, 4)
    assert agent.read == 1
    prompts(agent, 4)
    assert agent.read == 2


def test_an_empty_memory_shows_what_history_shows():
    assert prompts(Noting(), 3, practice=(("How?", "so"),)) == prompts(HistoryAgent(), 3, practice=(("How?", "so"),))


def test_a_state_that_is_taken_up_is_shown():
    agent = Noting("old")
    prompts(agent, 1)
    agent.restore({"text": "new", "id": "n1"})
    assert "new" in prompts(agent, 1)[0][0][1]


@pytest.mark.parametrize("state", [None, 3, {"tex": "x"}, {"text": 3}, [1]])
def test_a_foreign_state_is_refused(state):
    with pytest.raises(ValueError, match="Note"):
        Noting().restore(state)


@pytest.mark.parametrize("options", [{"cap": 10}, {"cap": "9"}, {"cap": True}, {"sight": 0}, {"window": -1}])
def test_an_argument_that_makes_no_sense_is_refused(options):
    with pytest.raises(UsageError, match=f"agent noting: {next(iter(options))}"):
        Noting(**options)


@given(st.text(min_size=1, max_size=20), st.integers(200, 400))
def test_no_more_than_the_cap_is_shown(text, cap):
    (prompt,) = prompts(Noting(text * 400, cap=cap), 1)
    assert len(prompt[0][1]) <= cap + len(f"Rules.\n\n{Noting.heading}\n\n\nsee 0")


def test_a_placebo_keeps_marks_and_sizes_and_no_word():
    state = Noting("It is red.").snapshot()
    other = Noting("It is red.").placebo(state, generator("test"))
    assert other["id"] == "n1"
    assert len(other["text"]) == len(state["text"])
    assert "red" not in other["text"]
    Noting().restore(other)
