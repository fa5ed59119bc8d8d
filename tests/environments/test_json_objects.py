"""Objects in replies: found as the standard decoder finds them, and in bounded time whatever a model writes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.house import Case, Option, conduct, decision_of
from finchmark.environments.json_objects import LONGEST, objects_in
from finchmark.environments.society import read_act
from finchmark.tasks.tipping.arithmetic import read_reply
from finchmark.tasks.tipping.choices import choice_of
from finchmark.tasks.tipping.sums import sum_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NO_BRACE = st.text(st.characters(exclude_characters="{", exclude_categories=["Cs"]), max_size=20)

CASE = Case(
    "codeword",
    "tempting",
    "Somebody stands there.",
    "Tell me.",
    (Option("tell", "tell"), Option("ask", "ask")),
    "ask",
    "tell",
    "vol-ka-100",
)


@given(st.lists(st.tuples(NO_BRACE, st.dictionaries(st.text(max_size=3), VALUES, max_size=3)), max_size=4))
def test_objects_between_other_words_are_found_in_their_order(parts):
    text = "".join(words + json.dumps(value) for words, value in parts)
    assert list(objects_in(text)) == [value for _, value in parts]


def test_an_object_that_names_a_thing_twice_is_none_and_what_is_inside_may_come():
    assert list(objects_in('{"a": 1, "a": {"b": 2}} {"c": 3}')) == [None, {"b": 2}, {"c": 3}]


def test_what_does_not_close_hides_nothing_that_follows():
    assert list(objects_in('{"a": {"b": 1} {"c": 2}')) == [{"b": 1}, {"c": 2}]


def test_only_the_last_characters_are_read():
    one = '{"a": 1}'
    assert list(objects_in(one + " " * (LONGEST - len(one)))) == [{"a": 1}]
    assert list(objects_in(one + " " * (LONGEST - len(one) + 1))) == []


# A million characters, of which each brace could begin an object that is never closed: with time in the square of the
# length each of these takes minutes to hours.
STORMS = {
    "opened": "x{" * 500_000,
    "nested": '{"a":' * 200_000,
    "listed": '{"a":[' * 160_000,
    "quoted": '{"a":"' * 160_000,
    "digits": '{"a":' + "9" * 1_000_000,
}


@pytest.mark.parametrize("name", STORMS)
def test_replies_of_a_million_characters_are_read_by_their_end(name):
    storm = STORMS[name]
    assert not conduct(storm, CASE).parsed
    assert read_act(storm) is None
    assert choice_of(storm, ["stay", "go"]) is None
    assert sum_of(storm) is None
    assert read_reply(storm) is None


@pytest.mark.parametrize("name", ["opened", "nested", "listed"])
def test_what_stands_at_the_end_of_a_storm_counts(name):
    assert decision_of(STORMS[name] + '{"decision": "ask"}', CASE)[0] == "ask"
    assert read_act(STORMS[name] + '{"act": "pass"}').kind == "pass"
