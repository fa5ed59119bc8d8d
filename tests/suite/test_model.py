"""What an agent talks through: capabilities, and likelihoods of given replies."""

from __future__ import annotations

import asyncio
import math
import sys

import pytest

from finchmark.suite.backends.base import (
    Backend,
    Capabilities,
    Completion,
    ContextOverflow,
    Divergence,
    Message,
    TokenScores,
)
from finchmark.suite.broker import Broker
from finchmark.suite.errors import BackendError, UsageError
from finchmark.suite.model import Model, ModelStopped, TokenMeter
from finchmark.suite.records import Limits, Outcome, Sampling, Thinking

ASKED = (Message("user", "2 + 2 ="),)


class Weigher(Backend):
    """Gives each continuation one log-probability a character, the first asked comes last."""

    capabilities = Capabilities(scheduling="own", concurrency=8, logprobs="full")

    def __init__(self, logprob=-0.5):
        self.logprob, self.asked = logprob, []

    def identity(self):
        return {"name": "weigher"}

    async def generate(self, request):
        return Completion("4", finish_reason="stop")

    async def score(self, request):
        self.asked.append(request)
        await asyncio.sleep(0.01 / len(self.asked))
        value = self.logprob(request) if callable(self.logprob) else self.logprob
        n = len(request.continuation)
        return TokenScores(tuple(range(n)), (value,) * n, (True,) * n)


def model(backend, **options):
    return Model(
        Broker(backend),
        session="t/player",
        seed=1,
        seat="player",
        sampling=Sampling(),
        thinking=Thinking(),
        max_tokens=8,
        meter=TokenMeter(Limits()),
        **options,
    )


def test_a_model_says_what_its_backend_can_do():
    backend = Weigher()
    assert model(backend).capabilities is backend.capabilities


def test_a_model_has_a_seed_for_those_who_draw_without_asking():
    one = model(Weigher())
    asyncio.run(one.generate(ASKED))
    assert one.seed == model(Weigher()).seed != one.drain()[0][0].seed


def test_likelihoods_are_recorded_in_the_order_in_which_they_were_asked():
    one = model(Weigher())
    scores = asyncio.run(one.score_all([(ASKED, " 4"), (ASKED, " five"), (ASKED, "")]))
    assert [len(s.logprobs) for s in scores] == [2, 5, 0]
    calls, kept = one.drain()
    assert calls == ()
    assert [(k.continuation, k.total) for k in kept] == [(" 4", -1.0), (" five", -2.5), ("", 0)]
    assert not one.pending


def test_the_runs_system_prompt_stands_before_what_is_scored():
    backend = Weigher()
    plain, told = model(backend), model(backend, system_prompt="Be brief.")
    asyncio.run(plain.score(ASKED, "4"))
    asyncio.run(told.score(ASKED, "4"))
    assert [m.content for m in backend.asked[1].messages] == ["Be brief.", "2 + 2 ="]
    assert plain.drain()[1][0].prompt_hash != told.drain()[1][0].prompt_hash


def test_scoring_draws_nothing_so_later_replies_keep_their_seeds():
    async def seeds(scores):
        one = model(Weigher())
        for _ in range(scores):
            await one.score(ASKED, "4")
        await one.generate(ASKED)
        return one.drain()[0][0].seed

    assert asyncio.run(seeds(0)) == asyncio.run(seeds(3))


def test_a_prompt_that_does_not_fit_is_the_models_failure_and_leaves_no_record():
    def long(request):
        if len(request.continuation) > 1:
            raise ContextOverflow(9, 8)
        return -1.0

    one = model(Weigher(long))
    with pytest.raises(ModelStopped) as stopped:
        asyncio.run(one.score_all([(ASKED, "4"), (ASKED, "44")]))
    assert (stopped.value.outcome, stopped.value.reason) == (Outcome.INVALID, "context_overflow")
    assert not one.pending


def test_of_several_faults_the_first_asked_is_told():
    def broken(request):
        raise BackendError(request.continuation)

    with pytest.raises(BackendError, match="first"):
        asyncio.run(model(Weigher(broken)).score_all([(ASKED, "first"), (ASKED, "second")]))


def test_an_impossible_token_has_the_lowest_float():
    one = model(Weigher(-math.inf))
    assert asyncio.run(one.score(ASKED, "4")).logprobs == (-sys.float_info.max,)


@pytest.mark.parametrize("value", [math.nan, 0.5, math.inf])
def test_a_log_probability_that_is_none_is_the_backends_fault(value):
    with pytest.raises(BackendError, match="log-probability"):
        asyncio.run(model(Weigher(value)).score(ASKED, "4"))


def test_rounding_past_one_is_let_through():
    assert asyncio.run(model(Weigher(1e-6)).score(ASKED, "4")).logprobs == (1e-6,)


def test_a_backend_without_log_probabilities_is_a_usage_error():
    class Mute(Weigher):
        score = Backend.score

    with pytest.raises(UsageError, match="no log-probabilities"):
        asyncio.run(model(Mute()).score(ASKED, "4"))


class Comparer(Weigher):
    """Answers 4, and says that any two prompts are apart by the number of their messages."""

    capabilities = Capabilities(scheduling="own", concurrency=8, divergence=True)

    async def diverge(self, request):
        self.asked.append(request)
        if request.reference[-1].content == "long":
            raise ContextOverflow(9, 8)
        return Divergence((float(len(request.reference)),), (0.1,))


def answered(backend, reply, reference=ASKED, **options):
    async def main():
        seat = model(backend, **options)
        await seat.generate(ASKED)
        return await seat.diverge(reply, reference)

    return asyncio.run(main())


def test_the_last_prompt_is_held_against_another_with_the_same_system_prompt():
    backend = Comparer()
    found = answered(backend, "4", [Message("user", "goal")], system_prompt="Be brief.")
    assert found == Divergence((2.0,), (0.1,))
    (request,) = backend.asked
    assert [m.content for m in request.messages] == ["Be brief.", "2 + 2 ="]
    assert [m.content for m in request.reference] == ["Be brief.", "goal"]
    assert request.continuation == "4"


@pytest.mark.parametrize(
    ("backend", "reply", "reference"),
    [
        (Weigher(), "4", ASKED),
        (Comparer(), "5", ASKED),
        (Comparer(), "", ASKED),
        (Comparer(), "4", [Message("user", "long")]),
    ],
)
def test_what_cannot_be_compared_is_none(backend, reply, reference):
    assert answered(backend, reply, reference) is None
