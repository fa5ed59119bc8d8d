"""The openai backend where the server holds no context of its own."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from finchmark.suite.backends.base import Completion, ContextOverflow, GenerateRequest, Message, ScoreRequest
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.backends.openai_context import Context
from finchmark.suite.conformance import check_backend
from finchmark.suite.errors import UsageError

_spec = importlib.util.spec_from_file_location("finchmark_faulty_server", Path(__file__).with_name("faulty_server.py"))
assert _spec is not None
assert _spec.loader is not None
faulty = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faulty)
FaultyServer, ask = faulty.FaultyServer, faulty.ask

BOUNDLESS = 10**9


def request(text, **changes):
    given = {"messages": (Message("user", text),), "session": "s", "seed": 7, "max_tokens": 12, **changes}
    return GenerateRequest(**given)


def make(server, **arguments):
    return OpenAIBackend("toy", base_url=server.url, **{"tries": 2, **arguments})


def test_a_prompt_with_more_words_than_the_context_has_tokens_is_never_sent():
    with FaultyServer(context=BOUNDLESS) as server:
        backend = make(server, context=100)
        (answer,) = ask(backend, request("word " * 101))
        assert server.count == 0
    assert isinstance(answer, ContextOverflow)
    assert (answer.needed, answer.available) == (101, 100)


def test_the_words_of_all_messages_count():
    messages = (Message("user", "word " * 60), Message("assistant", "x"), Message("user", "word " * 60))
    with pytest.raises(ContextOverflow, match="121 words"):
        Context(100).before(request("", messages=messages))


def test_a_prompt_that_may_fit_is_sent():
    with FaultyServer(context=BOUNDLESS) as server:
        (answer,) = ask(make(server, context=100), request("word " * 60 + "l" * 500))
    assert isinstance(answer, Completion)


def test_a_reply_that_went_past_the_context_is_an_overflow():
    with FaultyServer(context=BOUNDLESS, policy=lambda b: "one two three four five six") as server:
        backend = make(server, context=100)
        (answer,) = ask(backend, request("word " * 97))
        assert server.count == 1
    assert isinstance(answer, ContextOverflow)
    assert (answer.needed, answer.available) == (99 + 6, 100)


@pytest.mark.parametrize(("used", "fits"), [(100, True), (101, False)])
def test_a_context_that_is_just_full_is_no_overflow(used, fits):
    completion = Completion("x", "stop", prompt_tokens=used - 10, completion_tokens=10)
    if fits:
        assert Context(100).after(completion) is completion
    else:
        with pytest.raises(ContextOverflow):
            Context(100).after(completion)


def test_without_a_context_the_server_is_trusted():
    with FaultyServer(context=BOUNDLESS) as server:
        (answer,) = ask(make(server), request("word " * 5000))
    assert isinstance(answer, Completion)


def test_a_reply_past_the_context_is_paid_for():
    with FaultyServer(context=BOUNDLESS, policy=lambda b: "one two three four five six") as server:
        backend = make(server, context=100, prices={"input": 1.0, "output": 1.0})
        ask(backend, request("word " * 97))
    assert backend.purse.spent == pytest.approx((99 + 6) / 1e6)


def test_what_is_scored_is_bounded_too():
    async def go(backend):
        await asyncio.to_thread(backend.locate)
        await backend.start()
        try:
            await backend.score(ScoreRequest((Message("user", "word " * 101),), " one"))
        finally:
            await backend.aclose()

    with FaultyServer(context=BOUNDLESS) as server, pytest.raises(ContextOverflow):
        asyncio.run(go(make(server, context=100)))


def test_the_context_is_part_of_the_identity_only_where_it_is_given():
    with FaultyServer() as server:
        assert make(server, context="8192").identity()["context"] == 8192
        assert "context" not in make(server).identity()


@pytest.mark.parametrize("context", [0, "many", 1.5])
def test_a_context_is_a_whole_number_of_tokens(context):
    with pytest.raises(UsageError, match="context must be"):
        OpenAIBackend("toy", base_url="http://127.0.0.1:1/v1", context=context)


def test_a_server_without_bounds_passes_the_conformance_suite_with_a_context():
    with FaultyServer(context=BOUNDLESS) as server:
        check_backend(lambda: make(server, context=4096))


@pytest.mark.parametrize("name", ["toy,base_url=http://127.0.0.1:1/v1", "org/toy,concurrency=3,timeout=5"])
def test_arguments_behind_the_models_name_are_told_where_to_go(name):
    with pytest.raises(UsageError, match=r"--backend openai:[a-z/]+ --model-args (base_url|concurrency)="):
        OpenAIBackend(name)


def test_a_name_with_a_comma_or_an_equals_sign_is_a_name():
    assert OpenAIBackend("ft:a,b=c", base_url="http://127.0.0.1:1/v1").model == "ft:a,b=c"
