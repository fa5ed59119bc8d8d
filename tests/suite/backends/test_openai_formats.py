"""What the answers of many servers mean, each in the form that server sends it in."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.base import Completion, ContextOverflow, GenerateRequest, Message
from finchmark.suite.backends.openai_client import _read
from finchmark.suite.backends.openai_http import Answer, Secret, read_url
from finchmark.suite.backends.openai_refusal import FieldRefused, RequestRefused, refusal
from finchmark.suite.backends.openai_reply import Reply, _restore, merge_stream, parse
from finchmark.suite.backends.openai_request import Shape
from finchmark.suite.backends.retry import Transient
from finchmark.suite.errors import BackendUnavailable, UsageError

SHAPE = Shape("m")
ASKED = GenerateRequest((Message("user", "x"),), "s", 1, 20, stop=("</action>",))


def payload(content="hello", finish="stop", **message):
    return {"choices": [{"finish_reason": finish, "message": {"content": content, **message}}]}


def read(value, shape=SHAPE):
    return parse(value, ASKED, shape).completion


def refused(status, error, *, context=None, **header):
    body = json.dumps(error if isinstance(error, dict) else {"error": {"message": error}}).encode()
    return refusal(
        Answer(status, body, **header), shape=SHAPE, clean=str, context=context, key_env="K", url="http://h/v1"
    )


# -- requests


@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), min_size=1, max_size=3),
    st.integers(0, 2**63 - 1),
    st.sampled_from([(), ("</action>",), ("\n", '"')]),
    st.sampled_from([{}, {"omit": frozenset({"seed", "stop"})}, {"api": "completions"}, {"stream": True}]),
    st.sampled_from([None, 30]),
)
def test_the_body_is_written_as_json_would_be(messages, seed, stop, settings, budget):
    shape = Shape("m", extra={"top_k": -1}, **settings)
    asked = GenerateRequest(tuple(Message(*m) for m in messages), "s", seed, 9, stop=stop, think_budget=budget)
    for _ in range(2):  # the second time from memory
        assert json.loads(shape.encode(asked)) == shape.body(asked)


def test_what_is_remembered_of_settings_is_not_taken_for_others():
    shape = Shape("m")
    for temperature in (0.0, 0.5):
        asked = GenerateRequest((Message("user", "x"),), "s", 1, 9, temperature=temperature)
        assert json.loads(shape.encode(asked))["temperature"] == temperature


# -- replies


@pytest.mark.parametrize(
    ("given_reason", "reason"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("SAFETY", "content_filter"),
    ],
)
def test_reasons_of_many_servers_are_understood(given_reason, reason):
    assert read(payload(finish=given_reason)).finish_reason == reason


@pytest.mark.parametrize("reason", [None, "abort", "error", "", 3])
def test_a_reply_that_did_not_end_is_no_reply(reason):
    with pytest.raises(Transient):
        read(payload(finish=reason))


def test_a_refusal_is_a_filter_and_its_text_is_kept():
    answer = read(payload(None, refusal="I cannot."))
    assert (answer.text, answer.finish_reason) == ("I cannot.", "content_filter")


@pytest.mark.parametrize(
    "message",
    [
        {"content": "yes", "reasoning_content": "hm"},
        {"content": "yes", "reasoning": "hm"},
        {"content": "<think>hm</think>\n\nyes"},
        {"content": "hm</think>yes"},
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]},
    ],
)
def test_thinking_is_found_in_all_its_places(message):
    answer = read({"choices": [{"finish_reason": "stop", "message": message}]})
    assert (answer.text, answer.reasoning) == ("yes", "hm")


def test_a_stop_string_inside_a_thinking_part_does_not_end_the_reply():
    answer = read(payload("<think>say <action>1</action> or 2?</think>\n<action>2</action>"))
    assert answer.text == "<action>2</action>"


def test_a_thinking_part_that_was_cut_off_leaves_no_reply():
    answer = read(payload("<think>well, <action>", finish="stop"))
    assert (answer.text, answer.reasoning) == ("", "well, <action>")


def test_an_empty_reply_after_a_thinking_part_gets_no_stop_string():
    choice = {"finish_reason": "stop", "stop_reason": "</action>", "message": {"content": "", "reasoning": "a"}}
    assert read({"choices": [choice]}).text == ""


@pytest.mark.parametrize("named", ["stop_reason", "matched_stop"])
@pytest.mark.parametrize(
    ("value", "text"), [("</action>", "<action>1</action>"), (None, "<action>1"), (151645, "<action>1")]
)
def test_a_server_that_names_the_stop_string_is_believed(named, value, text):
    choice = {"finish_reason": "stop", named: value, "message": {"content": "<action>1"}}
    assert read({"choices": [choice]}).text == text


@pytest.mark.parametrize(
    ("text", "stops", "restored"),
    [
        ("<action>1", ("</action>",), "<action>1</action>"),
        ("<action>1</action> <action>2", ("</action>",), "<action>1</action> <action>2</action>"),
        ("<action>1</action>", ("</action>",), "<action>1</action>"),
        ("no tag", ("</action>",), "no tag"),
        ("a line", ("\n",), "a line"),
        ("<a>1", ("</b>", "</a>"), "<a>1</a>"),
        ("", ("</action>",), ""),
    ],
)
def test_closing_tags_are_put_back_where_their_opening_tag_stands_open(text, stops, restored):
    assert _restore(text, stops) == restored


@given(st.text(alphabet="<>/action1 \n", max_size=60))
def test_putting_back_twice_is_putting_back_once(text):
    once = _restore(text, ("</action>",))
    assert once.startswith(text)
    assert _restore(once, ("</action>",)) == once


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 3}}, 3),
        ({"prompt_cache_hit_tokens": 4}, 4),
        ({"prompt_tokens_details": {"cached_tokens": 99}}, 10),
        ({"prompt_tokens_details": None}, 0),
    ],
)
def test_cached_tokens_are_found_and_never_more_than_the_prompt(usage, cached):
    value = {**payload(), "usage": {"prompt_tokens": 10, "completion_tokens": 2, **usage}}
    assert read(value).cached_tokens == cached


@pytest.mark.parametrize("content", [3, {"a": 1}, True])
def test_a_text_that_is_no_text_is_no_reply(content):
    with pytest.raises(Transient, match="type"):
        read(payload(content))


def test_tokens_of_thinking_are_counted_within_the_reply():
    usage = {"prompt_tokens": 1, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 7}}
    answer = read({**payload(), "usage": usage})
    assert (answer.completion_tokens, answer.reasoning_tokens) == (9, 7)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    ("choices",),
    ("choices", 0),
    ("choices", 0, "finish_reason"),
    ("choices", 0, "message"),
    ("choices", 0, "message", "content"),
    ("choices", 0, "message", "reasoning_content"),
    ("choices", 0, "stop_reason"),
    ("choices", 0, "logprobs"),
    ("choices", 0, "logprobs", "content"),
    ("usage",),
    ("usage", "completion_tokens"),
    ("usage", "prompt_tokens_details"),
    ("model",),
]


@given(st.sampled_from(PLACES), ANY)
def test_json_of_any_form_is_a_reply_or_a_fault_that_is_tried_again(place, value):
    whole = {
        "model": "m",
        "choices": [{"finish_reason": "stop", "message": {"content": "a"}, "logprobs": {"content": []}}],
        "usage": {"completion_tokens": 1, "prompt_tokens": 1},
    }
    inner = whole
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    answer = Answer(200, json.dumps(whole).encode())
    try:
        reply = _read(lambda a: parse(json.loads(a.body), ASKED, Shape("m", logprobs=True)), answer)
    except Transient:
        return
    assert isinstance(reply, Reply)
    assert reply.completion.completion_tokens >= 0


@given(
    st.binary(max_size=60)
    | st.lists(ANY, max_size=3).map(lambda v: b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in v))
)
def test_a_stream_of_any_bytes_is_a_reply_or_a_fault_that_is_tried_again(body):
    try:
        _read(lambda a: parse(merge_stream(a.body), ASKED, SHAPE), Answer(200, body))
    except Transient:
        return
    pytest.fail("a reply was made of nothing")


def test_a_stream_that_ends_early_is_no_reply():
    event = {"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": None}]}
    with pytest.raises(Transient, match="ended before"):
        merge_stream(b"data: " + json.dumps(event).encode() + b"\n\n")


# -- refusals


@pytest.mark.parametrize(
    ("status", "error", "needed", "available"),
    [
        (
            400,
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the "
            "messages, 1000 in the completion).",
            5000,
            4096,
        ),
        (400, "The input (516368 tokens) is longer than the model's context length (262144 tokens).", 516368, 262144),
        (
            400,
            {
                "error": {
                    "type": "exceed_context_size_error",
                    "message": "request (9412 tokens) exceeds the available context size (8192 tokens)",
                    "n_prompt_tokens": 9412,
                    "n_ctx": 8192,
                }
            },
            9412,
            8192,
        ),
        (400, {"error": {"code": "context_length_exceeded", "message": "Too much."}}, 1001, 1000),
        (400, {"object": "error", "message": "This model's maximum context length is 2048 tokens."}, 2049, 2048),
        (400, "Input length (265330) exceeds model's maximum context length (262144).", 265330, 262144),
        (500, "the request exceeds the available context size, try increasing it", 1001, 1000),
    ],
)
def test_an_overflow_is_known_in_the_words_of_many_servers(status, error, needed, available):
    found = refused(status, error, context=1000)
    assert isinstance(found, ContextOverflow)
    assert (found.needed, found.available) == (needed, available)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, "temperature must be positive", RequestRefused),
        (422, {"detail": "Unexpected fields in the request: {'seed'}"}, RequestRefused),
        (501, "no", RequestRefused),
        (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", FieldRefused),
        (400, {"error": {"code": "content_filter", "message": "no"}}, Completion),
        (400, {"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "no"}}, Completion),
        (403, "Your input was flagged by moderation", Completion),
        (401, "bad key", BackendUnavailable),
        (402, "pay", BackendUnavailable),
        (403, "no", BackendUnavailable),
        (404, "no such model", BackendUnavailable),
        (307, "elsewhere", BackendUnavailable),
        (429, {"error": {"code": "insufficient_quota", "message": "pay"}}, BackendUnavailable),
        (429, "slowly", Transient),
        (500, "oh", Transient),
        (529, "busy", Transient),
        (200, {"error": {"message": "upstream", "code": 502}}, Transient),
        (200, {"error": {"message": "slowly", "code": 429}}, Transient),
        (200, {"error": "odd"}, Transient),
    ],
)
def test_each_refusal_is_of_its_kind(status, error, kind):
    assert type(refused(status, error)) is kind


def test_a_reply_is_no_refusal_even_where_it_speaks_of_errors():
    value = payload('say "error" now')
    assert refused(200, {**value, "error": None}) is None
    assert refused(200, value) is None


def test_how_long_to_wait_is_taken_from_the_header():
    assert refused(429, "slowly", retry_after="7").wait == 7


# -- the key and the address


def test_a_key_hides_itself():
    key = Secret("sk-abc")
    assert "sk-abc" not in f"{key} {key!r}"
    assert key.hide("Bearer sk-abc!") == "Bearer [key]!"
    assert Secret(None).hide("text") == "text"


def test_a_key_cannot_be_pickled():
    import pickle

    with pytest.raises(TypeError):
        pickle.dumps(Secret("sk-abc"))


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_refused(text):
    with contextlib.suppress(UsageError):
        assert read_url(text).lower().startswith(("http://", "https://"))
