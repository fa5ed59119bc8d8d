from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.best_of_n import BestOfAgent
from finchmark.suite.backends.base import Backend, Capabilities, Completion, ContextOverflow, TokenScores
from finchmark.suite.broker import Broker
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.model import Model, TokenMeter
from finchmark.suite.records import Limits, Sampling, Thinking


def judged(verdict, *texts):
    """Replies one after the other, and a verdict where one is asked for."""
    replies = itertools.cycle(texts)
    return lambda request: verdict if "Before you act, choose" in request.messages[-1].content else next(replies)


def test_the_model_takes_one_of_its_own_actions(talk):
    model = talk(judged("<action>2</action>", "<action>a</action>", "<action>b</action>", "<action>a</action>"))
    assert model.turn(BestOfAgent(n=3)) == "<action>b</action>"
    asked = model.requests[-1]
    assert asked.temperature == 0
    assert "1. a\n2. b\n" in asked.messages[-1].content
    assert "3." not in asked.messages[-1].content


def test_where_all_agree_nothing_is_asked(talk):
    model = talk(judged("1", "<action>a</action>", "<action> A</action>"))
    assert model.turn(BestOfAgent(n=2)) == "<action>a</action>"
    assert len(model.requests) == 2


@pytest.mark.parametrize("verdict", ["", "the last", "<action>9</action>", "0", "-", "9" * 5000, "<action></action>"])
def test_a_verdict_that_names_none_leaves_it_to_the_votes(talk, verdict):
    assert talk(judged(verdict, "a", "b", "b")).turn(BestOfAgent(n=3)) == "b"


def test_history_keeps_the_choice_alone(talk):
    model = talk(judged("1", "a", "b"))
    agent = BestOfAgent(n=2)
    model.turn(agent)
    model.turn(agent, "next")
    assert [m.content for m in model.requests[-2].messages if m.role == "assistant"] == ["a"]


def test_a_long_proposal_is_shown_cut(talk):
    model = talk(judged("1", "a" * 5000, "b"))
    model.turn(BestOfAgent(n=2))
    assert len(model.requests[-1].messages[-1].content) < 1000


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), min_size=1, max_size=5))
def test_any_replies_give_one_of_them(talk, verdict, replies):
    agent = BestOfAgent(n=len(replies))
    assert talk(judged(verdict, *replies)).turn(agent) in replies


class Weigher(Backend):
    """Proposes what it is given, and finds some tokens likelier than others."""

    capabilities = Capabilities(scheduling="own", concurrency=8, logprobs="full")

    def __init__(self, likely, room=10**9):
        self.texts, self.likely, self.room, self.scored = list(likely), likely, room, []

    def identity(self):
        return {"name": "weigher"}

    async def generate(self, request):
        if sum(len(m.content) for m in request.messages) > self.room:
            raise ContextOverflow(9, 8)
        return Completion(self.texts.pop(0), finish_reason="stop")

    async def score(self, request):
        self.scored.append(request)
        logprobs = tuple(self.likely[request.continuation])
        return TokenScores(tuple(range(len(logprobs))), logprobs, (False,) * len(logprobs))


def turn(agent, backend):
    model = Model(
        Broker(backend), session="s", seed=1, seat="p", sampling=Sampling(), thinking=Thinking(), max_tokens=9,
        meter=TokenMeter(Limits()),
    )  # fmt: skip
    return asyncio.run(agent.act(Observation("A lamp.", "Rules."), model)).text, model


def test_by_likelihood_the_mean_over_tokens_decides_not_their_sum():
    backend = Weigher({"short": [-1.0], "longer one": [-0.4, -0.5, -0.6], "none": []})
    text, model = turn(BestOfAgent(n=3, by="likelihood"), backend)
    assert text == "longer one"
    assert len(model.drain()[1]) == 3
    assert all(r.messages[-1].content == "Rules.\n\nA lamp." for r in backend.scored)


def test_without_room_for_the_question_the_votes_decide():
    backend = Weigher({"a": [-1.0], "b": [-1.0]}, room=60)
    assert turn(BestOfAgent(n=2), backend)[0] == "a"


def test_by_likelihood_needs_a_backend_that_has_one(talk):
    with pytest.raises(UsageError, match=r"best-of-n by likelihood needs log-probabilities.*by=asking"):
        talk(judged("1", "a")).turn(BestOfAgent(by="likelihood"))


@pytest.mark.parametrize("arguments", [{"n": 0}, {"by": "size"}])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(UsageError, match="best-of-n"):
        BestOfAgent(**arguments)


def test_it_passes_the_conformance_checks():
    check_agent(BestOfAgent)
