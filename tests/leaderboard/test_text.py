import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.leaderboard.text import encode, slug, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain µ 漢字", "plain µ 漢字"),
        ("a\x00b", "a\\u0000b"),
        ("a\u202eb", "a\\u202eb"),  # turns the direction of writing
        ("a\u200bb", "a\\u200bb"),  # no width
        ("a\nb", "a\\u000ab"),
        ("a\ud800", "a\\ud800"),
        (3.5, "3.5"),
    ],
)
def test_what_the_eye_would_miss_is_shown(text, shown):
    assert visible(text) == shown


def test_long_text_is_cut_and_the_cut_is_shown():
    assert visible("x" * 500, 10) == "x" * 10 + "… (490 more characters)"


def test_lone_surrogates_do_not_stop_a_file():
    assert encode("a\ud800") == b"a?"


@given(st.text())
def test_a_slug_is_a_plain_file_name(text):
    assert re.fullmatch(r"model-([a-z0-9-]+-)?[0-9a-f]{16}", slug("model", text))
    assert len(slug("model", text)) <= 64


def test_slugs_of_texts_that_look_alike_differ():
    assert len({slug("model", text).casefold() for text in ("A", "a", "a ", "../a", "a\0", "\ud800")}) == 6
