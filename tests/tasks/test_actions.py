from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.tasks.actions import find_action


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("<action>3</action>", ("3", True)),
        ("I think <action> 3 </action> is best", ("3", True)),
        ("<action>1</action> no, <action>2</action>", ("2", True)),
        ("<ACTION>3</Action>", ("3", True)),
        ("<action>3", ("3", True)),
        ("<action>a\nb</action>", ("a\nb", True)),
        (" 3\n", ("3", False)),
        ("", ("", False)),
        ("</action>", ("</action>", False)),
    ],
)
def test_the_action_is_found(reply, action):
    assert find_action(reply) == action


@given(st.text(), st.text(alphabet="0123456789", min_size=1))
def test_a_tagged_action_is_found_after_any_text(before, number):
    assert find_action(f"{before}<action>{number}</action>") == (number, True)
