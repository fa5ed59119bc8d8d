from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.draws import draw, most_given
from finchmark.suite.backends.base import Backend, Capabilities, Completion, ContextOverflow, Message
from finchmark.suite.broker import Broker
from finchmark.suite.errors import BackendError
from finchmark.suite.model import Model, ModelStopped, TokenMeter
from finchmark.suite.records import Limits, Sampling, Thinking


class Slow(Backend):
    """Answers with the prompt, the first asked last; some prompts fail."""

    capabilities = Capabilities(scheduling="own", concurrency=8)

    def __init__(self):
        self.open = 0
        self.most = 0
        self.seeds = {}

    def identity(self):
        return {"name": "slow"}

    async def generate(self, request):
        said = request.messages[-1].content
        self.seeds[said] = request.seed
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.02 / (1 + len(self.seeds)))
        self.open -= 1
        if said == "long":
            raise ContextOverflow(9, 8)
        if said == "broken":
            raise BackendError("the server is down")
        return Completion(said, finish_reason="content_filter" if said == "rude" else "stop", completion_tokens=1)


def ask(backend, *said, limits=None):
    model = Model(
        Broker(backend), session="s", seed=1, seat="p", sampling=Sampling(), thinking=Thinking(), max_tokens=9,
        meter=TokenMeter(limits or Limits()),
    )  # fmt: skip
    return asyncio.run(draw(model, [[Message("user", text)] for text in said])), model


def test_replies_come_in_the_order_of_the_prompts_and_at_once():
    backend = Slow()
    replies, model = ask(backend, "a", "b", "c")
    assert [r.text for r in replies] == ["a", "b", "c"]
    assert backend.most == 3
    assert [call.completion for call in model.drain()[0]] == ["a", "b", "c"]


def test_seeds_differ_and_depend_on_the_order_of_asking_alone():
    one, other = Slow(), Slow()
    ask(one, "a", "b", "c")
    ask(other, "a", "b", "c")
    assert one.seeds == other.seeds
    assert len(set(one.seeds.values())) == 3


@pytest.mark.parametrize("bad", ["long", "rude"])
def test_a_stopped_reply_is_none_as_long_as_another_came(bad):
    replies, _ = ask(Slow(), bad, "b")
    assert replies[0] is None
    assert replies[1].text == "b"


def test_if_all_were_stopped_the_first_says_why():
    with pytest.raises(ModelStopped) as stopped:
        ask(Slow(), "rude", "long")
    assert stopped.value.reason == "content_filter"


def test_a_used_up_limit_stops():
    _, model = ask(Slow(), "a", "b", limits=Limits(tokens=2))
    with pytest.raises(ModelStopped, match="used up"):
        asyncio.run(draw(model, [[Message("user", "c")]]))


def test_a_fault_of_the_backend_is_no_reply():
    with pytest.raises(BackendError, match="down"):
        ask(Slow(), "a", "broken", "rude")


def test_no_reply_is_still_open_when_a_fault_is_told():
    backend = Slow()
    with pytest.raises(BackendError):
        ask(backend, "broken", "a", "b")
    assert backend.open == 0


def replies(*texts):
    return [Completion(text, finish_reason="stop") for text in texts]


def test_the_most_frequent_action_wins_with_its_first_reply():
    assert most_given(replies("1", "well, <action>2</action>", "<action> 2</action>")).text.startswith("well")


def test_a_reply_without_an_action_has_no_vote_while_others_have_one():
    assert most_given(replies("[x]", "[x]", "<action>2</action>")).text == "<action>2</action>"
    assert most_given(replies("3", "[x]", "[x]")).text == "[x]"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_of_equally_frequent_ones_the_first_wins(said):
    winner = most_given(replies(*said)).text
    most = max(said.count(text) for text in said)
    assert winner == next(text for text in said if said.count(text) == most)
