"""The openai backend against a server that behaves."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from finchmark.suite.backends.base import ContextOverflow, GenerateRequest, Message, ScoreRequest
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.conformance import check_backend
from finchmark.suite.errors import BackendError, BackendUnavailable, UsageError

_spec = importlib.util.spec_from_file_location("finchmark_faulty_server", Path(__file__).with_name("faulty_server.py"))
assert _spec is not None
assert _spec.loader is not None
faulty = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faulty)
FaultyServer, ask = faulty.FaultyServer, faulty.ask


def one(backend, request):
    (answer,) = ask(backend, request)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def request(text="Say something.", **changes):
    given = {"messages": (Message("user", text),), "session": "s", "seed": 7, "max_tokens": 12, **changes}
    return GenerateRequest(**given)


def make(server, **arguments):
    return OpenAIBackend("toy", base_url=server.url, **{"tries": 3, **arguments})


@pytest.mark.parametrize(
    "arguments", [{}, {"api": "completions"}, {"stream": True}, {"api": "completions", "score": "echo"}]
)
def test_it_passes_the_conformance_suite(arguments):
    with FaultyServer() as server:
        check_backend(lambda: make(server, **arguments))


def test_a_seed_goes_out_with_every_request_and_no_n():
    with FaultyServer() as server:
        ask(make(server), *(request(seed=s) for s in (1, 2**40 + 5)))
        assert sorted(b["seed"] for b in server.bodies) == [1, 5]
        assert all("n" not in b for b in server.bodies)


def test_sampling_and_stop_strings_go_out_as_they_are():
    with FaultyServer() as server:
        one(make(server), request(temperature=0.25, top_p=0.5, stop=("</action>",), max_tokens=9))
        (body,) = server.bodies
    assert (body["temperature"], body["top_p"], body["stop"], body["max_tokens"]) == (0.25, 0.5, ["</action>"], 9)


def test_greedy_requests_say_so():
    with FaultyServer() as server:
        one(make(server), request(temperature=0.0))
        assert server.bodies[0]["temperature"] == 0


@pytest.mark.parametrize("stops", ["tell", "drop", "keep", "ignore"])
@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_stop_string_stands_at_the_end_whatever_the_server_does_with_it(stops, api, stream):
    with FaultyServer(policy=lambda b: "I press <action>3</action> and more", stops=stops) as server:
        backend = make(server, api=api, stream=stream)
        answer = one(backend, request(stop=("</action>",)))
    assert answer.text == "I press <action>3</action>"
    assert answer.finish_reason == "stop"
    name = {"tell": "told", "drop": "rule", "keep": "kept", "ignore": "cut"}[stops]
    assert backend.describe()["stops"] == {name: 1}


@pytest.mark.parametrize("stops", ["tell", "drop"])
def test_no_stop_string_is_put_where_none_was_met(stops):
    with FaultyServer(policy=lambda b: "I press nothing", stops=stops) as server:
        assert one(make(server), request(stop=("</action>",))).text == "I press nothing"


def test_a_reply_cut_off_is_not_closed():
    with FaultyServer(policy=lambda b: "<action>1 2 3 4 5 6 7", stops="drop") as server:
        answer = one(make(server), request(stop=("</action>",), max_tokens=3))
    assert (answer.text, answer.finish_reason) == ("<action>1 2 3", "length")


@pytest.mark.parametrize("apart", [True, False])
def test_the_thinking_part_is_told_from_the_reply(apart):
    with FaultyServer(policy=lambda b: "yes", reasoning=("hm, yes", apart)) as server:
        answer = one(make(server), request())
    assert (answer.text, answer.reasoning) == ("yes", "hm, yes")


def test_a_thinking_part_that_the_template_opened_is_found():
    with FaultyServer(policy=lambda b: "hm, yes</think>\n\nyes") as server:
        answer = one(make(server), request())
    assert (answer.text, answer.reasoning) == ("yes", "hm, yes")


def test_a_thinking_budget_is_added_to_the_cap():
    with FaultyServer() as server:
        one(make(server), request(max_tokens=10, think_budget=30))
        assert server.bodies[0]["max_tokens"] == 40


def test_tokens_are_counted_as_the_server_counts_them():
    with FaultyServer(policy=lambda b: "a b c") as server:
        answer = one(make(server), request("one two three"))
    assert (answer.prompt_tokens, answer.cached_tokens, answer.completion_tokens) == (5, 2, 3)


def test_a_server_that_counts_nothing_is_noticed():
    with FaultyServer(policy=lambda b: "a b c d e", features=()) as server:
        backend = make(server)
        assert one(backend, request()).completion_tokens == 3
    assert backend.describe()["counts"]["uncounted_replies"] == 1


def test_log_probabilities_of_the_reply_come_with_it():
    with FaultyServer(policy=lambda b: "a b") as server:
        answer = one(make(server, logprobs=True, top_logprobs=2), request())
    assert [(t.token, t.logprob) for t in answer.logprobs] == [("a", -0.25), (" b", -0.25)]
    assert answer.logprobs[0].top == (("x", -1.0), ("y", -2.0))


def test_an_overflow_names_the_servers_figures():
    with FaultyServer(context=100) as server, pytest.raises(ContextOverflow) as caught:
        one(make(server), request("word " * 200))
    assert (caught.value.needed, caught.value.available) == (214, 100)


def test_a_server_that_cuts_prompts_in_silence_is_noticed(caplog):
    with FaultyServer(context=100, features=("cuts", "usage")) as server:
        backend = make(server)
        assert one(backend, request("word " * 400)).text
    assert backend.describe()["counts"]["short_prompts"] == 1
    assert "may cut prompts in silence" in caplog.text


def test_long_words_are_no_cut_prompt():
    with FaultyServer(features=("usage",)) as server:
        backend = make(server)
        one(backend, request("x" * 5000))
    assert "short_prompts" not in backend.describe()["counts"]


def test_what_the_provider_declines_is_no_fault():
    with FaultyServer(faults=faulty.schedule(["filter"])) as server:
        assert one(make(server), request()).finish_reason == "content_filter"
        assert server.count == 1


def test_a_server_that_wants_the_other_name_of_the_cap_gets_it():
    with FaultyServer(faults=lambda n: "cap-name") as server:
        backend = make(server)
        assert one(backend, request()).text
        assert [("max_tokens" in b, "max_completion_tokens" in b) for b in server.bodies] == [
            (True, False),
            (False, True),
        ]
    assert backend.describe()["cap_field"] == "max_completion_tokens"


def test_fields_can_be_left_out_and_added_and_both_are_part_of_the_identity():
    with FaultyServer() as server:
        backend = make(server, omit="seed+top_p", extra_body='{"top_k": -1}')
        one(backend, request())
        (body,) = server.bodies
    assert not {"seed", "top_p"} & body.keys()
    assert body["top_k"] == -1
    assert backend.identity()["omit"] == ["seed", "top_p"]
    assert not backend.capabilities.seeds
    assert backend.identity() != make(server).identity()


def test_where_the_model_runs_is_no_part_of_its_identity():
    with FaultyServer() as first, FaultyServer() as second:
        backends = [make(first), make(second, concurrency=3, timeout=9)]
        for backend in backends:
            backend.locate()
    assert backends[0].identity() == backends[1].identity()
    assert backends[0].describe()["url"] != backends[1].describe()["url"]


@pytest.mark.parametrize(
    ("arguments", "logprobs"),
    [({}, "full"), ({"api": "completions", "score": "echo"}, "full"), ({"score": "none"}, "none")],
)
def test_what_can_be_scored_is_said(arguments, logprobs):
    with FaultyServer() as server:
        backend = make(server, **arguments)
        backend.locate()
    assert backend.capabilities.logprobs == logprobs


@pytest.mark.parametrize("arguments", [{"score": "prompt_logprobs"}, {"api": "completions", "score": "echo"}])
def test_a_given_reply_is_scored_token_by_token(arguments):
    async def go(backend):
        await backend.start()
        try:
            return await backend.score(ScoreRequest((Message("user", "Count."),), " one two three"))
        finally:
            await backend.aclose()

    pieces = [" one", " two", " three"]
    with FaultyServer() as server:
        scores = asyncio.run(go(make(server, **arguments)))
    assert scores.logprobs == tuple(-0.5 - faulty.token_id(p) % 3 for p in pieces)
    assert scores.greedy == tuple(faulty.token_id(p) % 3 == 0 for p in pieces)
    assert len(scores.token_ids) == 3


def test_a_server_that_ignores_echo_is_found_out():
    async def go(backend):
        await backend.start()
        try:
            await backend.score(ScoreRequest((Message("user", "Count."),), " one"))
        finally:
            await backend.aclose()

    with FaultyServer(features=("logprobs",)) as server, pytest.raises(BackendError, match="echo"):
        asyncio.run(go(make(server, api="completions", score="echo")))


def test_completions_get_the_plain_format_and_end_at_the_next_speaker():
    with FaultyServer(policy=lambda b: "four.\n\nUser: and 3 + 3?", stops="drop") as server:
        answer = one(make(server, api="completions"), request("2 + 2?"))
        assert server.bodies[0]["prompt"] == "User: 2 + 2?\n\nAssistant:"
        assert "\n\nUser:" in server.bodies[0]["stop"]
    assert answer.text == "four."


def test_completions_take_a_template_of_the_users(tmp_path):
    file = tmp_path / "t.jinja"
    file.write_text("{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}[bot]")
    with FaultyServer() as server:
        one(make(server, api="completions", chat_template=str(file)), request("hi"))
        assert server.bodies[0]["prompt"] == "[user] hi [bot]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": "http://me:pw@127.0.0.1:1/v1"}, "user or password"),
        ({"base_url": "http://127.0.0.1:1/v1?key=pw"}, "no \\?query"),
        ({"base_url": "127.0.0.1:1"}, "http://"),
        ({"api_key": "pw"}, "environment"),
        ({"api": "responses"}, "chat or completions"),
        ({"omit": "messages"}, "cannot name"),
        ({"extra_body": {"seed": 3}}, "cannot set 'seed'"),
        ({"extra_body": "{"}, "no JSON"),
        ({"max_cost": 1}, "prices"),
        ({"prices": {"input": 1}}, "'output'"),
        ({"concurrency": 0}, "at least 1"),
        ({"top_logprobs": 3}, "logprobs=true"),
        ({"score": "echo"}, "api=completions"),
        ({"colour": "red"}, "there are model"),
    ],
)
def test_a_wrong_argument_is_named_and_no_secret_is_shown(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        OpenAIBackend("toy", **{"base_url": "http://127.0.0.1:1/v1", **arguments})
    assert "pw" not in str(caught.value)


def test_the_address_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")
    assert OpenAIBackend("toy").describe()["url"] == "http://127.0.0.1:1/v1"
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(UsageError, match="base_url"):
        OpenAIBackend("toy")


def test_nobody_listening_is_said_before_anything_is_written():
    with FaultyServer() as server:
        pass
    with pytest.raises(BackendUnavailable, match="Is the server running"):
        make(server).locate()


@pytest.mark.parametrize("features", [(), ("broken-models",)])
def test_a_server_whose_list_of_models_is_not_there_or_broken_can_be_used(features):
    with FaultyServer(features=features) as server:
        backend = make(server)
        assert one(backend, request()).text
    assert backend.capabilities.logprobs == "none"


def test_a_wrong_key_and_an_unset_one_are_said_at_once(monkeypatch):
    with FaultyServer(key="right-key") as server:
        monkeypatch.setenv("OPENAI_API_KEY", "wrong-key")
        with pytest.raises(BackendUnavailable, match="OPENAI_API_KEY") as caught:
            make(server).locate()
        assert "wrong-key" not in str(caught.value)
        with pytest.raises(BackendUnavailable, match="SOME_KEY"):
            make(server, api_key_env="SOME_KEY").locate()
        monkeypatch.setenv("SOME_KEY", "right-key")
        assert one(make(server, api_key_env="SOME_KEY"), request()).text


def test_a_model_that_is_not_there_ends_it_at_the_first_request():
    with FaultyServer() as server:
        backend = OpenAIBackend("other", base_url=server.url)
        (answer,) = ask(backend, request())
        assert isinstance(answer, BackendUnavailable)
        assert "'other'" in str(answer)
        assert server.count == 1


def test_no_more_requests_are_under_way_than_allowed():
    with FaultyServer(latency=0.02) as server:
        ask(make(server, concurrency=3), *(request(seed=s) for s in range(30)))
        assert server.most_active == 3


def test_nothing_is_asked_before_the_start_or_after_the_end():
    with FaultyServer() as server:
        backend = make(server)
        with pytest.raises(BackendError, match="not running"):
            asyncio.run(backend.generate(request()))
        one(backend, request())
        with pytest.raises(BackendError, match="not running"):
            asyncio.run(backend.generate(request()))
