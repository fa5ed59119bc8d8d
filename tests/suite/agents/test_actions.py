from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.actions import in_tags, plain, spoken_action


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<action>3</action>", "3"),
        ("<action> 3 </action>", "I think so. <ACTION>3</ACTION>"),
        ("<action>North</action>", "<action>north"),
        ('<action>{"buy": {"S0": 3}}</action>', '<action>{ "buy":{"S0":3} }</action>'),
        ("<action>1</action> no, <action>2</action>", "<action>2</action>"),
        ("move  north\n", "Move north"),
    ],
)
def test_the_same_action_in_other_dress_is_the_same(one, other):
    assert spoken_action(one) == spoken_action(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("move 1 2", "move 12"), ("set -1", "set 1"), ("<action></action>", "<action>0</action>"), ("a b", "b a")],
)
def test_other_actions_are_others(one, other):
    assert spoken_action(one) != spoken_action(other)


def test_all_tags_are_found_in_order_and_the_last_may_be_open():
    assert in_tags("<tool>a(1)</tool> and <TOOL>b(2)</Tool> <tool> c(3", "tool") == ["a(1)", "b(2)", "c(3"]
    assert in_tags("none here", "tool") == []


@given(st.text())
def test_plain_is_idempotent(text):
    assert plain(plain(text)) == plain(text)


@given(st.text())
def test_any_reply_has_an_action(text):
    assert isinstance(spoken_action(text), str)
