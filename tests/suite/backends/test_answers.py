import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.answers import answer_key, decode_answer, encode_answer, exact
from finchmark.suite.backends.base import (
    Completion,
    GenerateRequest,
    Message,
    ScoreRequest,
    Steering,
    TokenLogprob,
    TokenScores,
)

TEXTS = st.text(st.characters(), max_size=8)  # with lone surrogates
FLOATS = st.floats(0, 2, allow_nan=False)
MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant"]),
        TEXTS,
        st.none() | st.lists(st.integers(0, 9), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
STEERINGS = st.lists(
    st.builds(lambda layer, x: Steering(layer, np.array([x, 1.0])), st.integers(0, 3), st.floats(0, 1)), max_size=1
).map(tuple)
FIELDS = {
    "messages": MESSAGES,
    "session": TEXTS,
    "seed": st.integers(0, 2**63 - 1),
    "max_tokens": st.integers(1, 99),
    "temperature": FLOATS,
    "top_p": FLOATS,
    "stop": st.lists(TEXTS, max_size=2).map(tuple),
    "think_budget": st.none() | st.integers(0, 9),
    "keep_thinking": st.booleans(),
    "steering": STEERINGS,
    "continuation": TEXTS,
}


def fields_of(kind):
    return {field.name: FIELDS[field.name] for field in dataclasses.fields(kind)}


KINDS = pytest.mark.parametrize("kind", [GenerateRequest, ScoreRequest])


@KINDS
@given(data=st.data())
def test_any_change_of_any_field_changes_the_key(kind, data):
    fields = fields_of(kind)  # a new field without a strategy fails here
    request = data.draw(st.builds(kind, **fields))
    name = data.draw(st.sampled_from(sorted(fields)))
    value = data.draw(fields[name])
    other = dataclasses.replace(request, **{name: value})
    same = exact(getattr(request, name)) == exact(value)
    assert (answer_key("scope", request) == answer_key("scope", other)) == same


@KINDS
@given(data=st.data())
def test_equal_requests_have_equal_keys(kind, data):
    request = data.draw(st.builds(kind, **fields_of(kind)))
    copy = dataclasses.replace(request)
    assert answer_key("s", request) == answer_key("s", copy) != answer_key("t", request)


REQUEST = GenerateRequest((Message("user", "Which lamp?"),), "task/arm/item/0/player", 1, 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 1.0 + sys.float_info.epsilon},
        {"seed": 2},
        {"session": "task/arm/item/1/player"},
        {"session": "task/other/item/0/player"},
        {"messages": (Message("user", "Which lamp? "),)},
        {"messages": (Message("assistant", "Which lamp?"),)},
        {"messages": (Message("user", "Which lamp?", (1, 2)),)},
        {"messages": (Message("user", "Which "), Message("user", "lamp?"))},
        {"stop": ("a", "b")},
        {"stop": ("ab",)},
        {"keep_thinking": True},
        {"think_budget": 0},
    ],
)
def test_the_smallest_change_is_another_request(changes):
    assert answer_key("s", dataclasses.replace(REQUEST, **changes)) != answer_key("s", REQUEST)


def test_where_one_text_ends_and_the_next_begins_is_part_of_the_key():
    one, two = (dataclasses.replace(REQUEST, stop=stop) for stop in (("a", "bc"), ("ab", "c")))
    assert answer_key("s", one) != answer_key("s", two)


def test_a_steering_vector_is_told_by_its_content():
    steered = [
        dataclasses.replace(REQUEST, steering=(Steering(1, np.array(v)),)) for v in ([1.0, 2.0], [1.0, 2.0], [1.0, 3.0])
    ]
    keys = [answer_key("s", each) for each in steered]
    assert keys[0] == keys[1] != keys[2]


def test_numbers_of_numpy_are_numbers():
    odd = dataclasses.replace(REQUEST, max_tokens=np.int64(8), temperature=np.float64(1.0))
    assert answer_key("s", odd) == answer_key("s", REQUEST)


def test_what_has_no_fixed_form_has_no_key():
    with pytest.raises(TypeError, match="cannot tell object"):
        answer_key("s", dataclasses.replace(REQUEST, stop=(object(),)))


LOGPROBS = st.floats(max_value=0, allow_nan=False)
COMPLETIONS = st.builds(
    Completion,
    text=TEXTS,
    finish_reason=st.sampled_from(["stop", "length", "content_filter"]),
    prompt_tokens=st.integers(0, 9),
    completion_tokens=st.integers(0, 9),
    reasoning=TEXTS,
    token_ids=st.none() | st.lists(st.integers(0, 9), max_size=3).map(tuple),
    cost=FLOATS,
    logprobs=st.none()
    | st.lists(
        st.builds(TokenLogprob, TEXTS, LOGPROBS, st.lists(st.tuples(TEXTS, LOGPROBS), max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
)


@given(COMPLETIONS)
def test_a_completion_comes_back_as_it_was(completion):
    assert decode_answer(encode_answer(completion), Completion) == completion


@given(st.lists(st.tuples(st.integers(-1, 9), LOGPROBS, st.booleans()), min_size=1, max_size=3))
def test_scores_come_back_as_they_were(rows):
    scores = TokenScores(*(tuple(column) for column in zip(*rows, strict=True)))
    assert decode_answer(encode_answer(scores), TokenScores) == scores


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"7", b'{"text": "a"}', b"\xff\xfe"])
def test_what_is_no_answer_is_not_read(payload):
    for kind in (Completion, TokenScores):
        with pytest.raises((TypeError, ValueError, KeyError)):
            decode_answer(payload, kind)


def test_an_answer_of_the_other_kind_is_not_read():
    with pytest.raises(TypeError, match="TokenScores"):
        decode_answer(encode_answer(Completion("a", "stop")), TokenScores)
