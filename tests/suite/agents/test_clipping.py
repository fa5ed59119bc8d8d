from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.clipping import clip


@given(st.text(), st.integers(0, 60))
def test_a_clip_is_a_beginning_that_fits(text, most):
    short = clip(text, most)
    assert len(short) <= most
    assert text.encode("utf-8", "replace").decode().strip().startswith(short)


def test_what_fits_stays():
    assert clip("  one two \n", 7) == "one two"


def test_a_line_a_sentence_or_a_word_ends_it():
    assert clip("one two\nthree four", 12) == "one two"
    assert clip("One two. Three four", 12) == "One two."
    assert clip("one two three", 11) == "one two"


def test_a_long_word_is_cut():
    assert clip("a" * 20, 5) == "aaaaa"


def test_what_no_store_can_hold_is_replaced():
    assert clip("a\ud800b", 5) == "a?b"
