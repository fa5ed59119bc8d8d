"""Frames: whole or not at all, and every damage is named."""

from __future__ import annotations

import asyncio
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends import Completion, ContextOverflow, GenerateRequest, Message
from finchmark.suite.backends import frames as wire
from finchmark.suite.backends.frames import LIMIT, VERSION, Kind, as_error, as_plain, pack, receive
from finchmark.suite.errors import BackendError, BackendUnavailable, UsageError


def read(content: bytes, count: int = 1) -> list[tuple[Kind, object] | None]:
    async def main() -> list[tuple[Kind, object] | None]:
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return [await receive(reader) for _ in range(count)]

    return asyncio.run(main())


def head(version: int = VERSION, kind: int = Kind.ASK, length: int = 0) -> bytes:
    return struct.pack("!HHI", version, kind, length)


@given(
    st.sampled_from(list(Kind)),
    st.recursive(
        st.none() | st.text() | st.integers() | st.floats(allow_nan=False), lambda x: st.lists(x) | st.tuples(x, x)
    ),
)
def test_what_is_sent_arrives(kind, body):
    assert read(pack(kind, body) * 2, 3) == [(kind, body), (kind, body), None]


def test_requests_and_answers_keep_their_tokens():
    request = GenerateRequest((Message("assistant", "a", (1, 2)),), "s", 2**63 - 1, 5, 0.3, 0.9, ("x",), 4, True)
    answer = Completion("b", "length", 1, 2, "c", 3, 4, (5, 6), 0.5)
    [frame] = read(pack(Kind.ASK, [(7, request, answer)]))
    assert frame is not None
    [(number, sent, told)] = frame[1]
    assert (number, sent, told) == (7, request, answer)
    assert sent.messages[0].token_ids == (1, 2)


@given(st.integers(0, 200))
def test_a_frame_that_was_cut_off_is_the_end(kept):
    frame = pack(Kind.BEAT, "x" * 200)
    assert read(frame[:kept]) == [None]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (head(version=VERSION + 1), "version"),
        (head(kind=99), "unknown kind 99"),
        (head(length=LIMIT + 1), "announced"),
        (head(length=3) + b"abc", "damaged"),
        (head(length=4) + pickle.dumps([1, 2])[:4], "damaged"),
    ],
)
def test_damage_is_an_error_that_names_it(content, match):
    with pytest.raises(BackendError, match=match):
        read(content)


def test_what_is_too_large_is_not_sent(monkeypatch):
    monkeypatch.setattr(wire, "LIMIT", 1000)
    with pytest.raises(BackendError, match="more than the 1000"):
        pack(Kind.ASK, b"x" * 1000)


def test_what_cannot_be_pickled_is_refused():
    with pytest.raises(BackendError, match="cannot be sent"):
        pack(Kind.ASK, lambda: None)


@pytest.mark.parametrize(
    "error",
    [BackendError("a"), BackendUnavailable("b"), UsageError("c"), ContextOverflow(9, 5), ContextOverflow(2, 1, "d")],
)
def test_our_errors_come_back_as_they_were(error):
    [frame] = read(pack(Kind.ANSWERS, as_plain(error)))
    assert frame is not None
    back = as_error(frame[1])
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_other_errors_come_back_with_their_names():
    back = as_error(as_plain(ZeroDivisionError("by zero")))
    assert type(back) is BackendError
    assert str(back) == "ZeroDivisionError: by zero"
