from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.tools import Tool, find_numbers, parse_tools, use


def test_numbers_of_a_text_are_found_in_order_and_names_are_none():
    text = "Day 3: S0 costs 12.50, -4 held, +0.5; v1.2.3 and F1 -0.25. Total 99."
    assert find_numbers(text) == (3, 12.5, -4, 0.5, -0.25, 99)


def test_a_difference_is_two_numbers():
    assert find_numbers("5-3") == (5, 3)


@given(st.text())
def test_any_text_has_a_bounded_list_of_numbers(text):
    assert len(find_numbers(text * 50)) <= 200


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("tool rise(a, b) = (b - a) / a  # growth of a price", "rise(a, b) = (b - a) / a  # growth of a price"),
        ("rise(a,b) = b - a", "rise(a, b) = b - a"),
        ("- `tool Rise(a) = a`", "rise(a) = a"),
        ("1. tool rise(a): return a + 1", "rise(a) = a + 1"),
        ("def rise(a): return a", "rise(a) = a"),
        ("tool best() = max(numbers)", "best() = max(numbers)"),
        ("tool half(a) = a // 2", "half(a) = a // 2"),
    ],
)
def test_definitions_are_read_in_the_dress_that_models_give_them(line, shown):
    (tool,), bad = parse_tools(f"Here it is:\n{line}\nThat helps.")
    assert tool.line == shown
    assert bad == 0


@pytest.mark.parametrize(
    "line",
    [
        "tool rise(a) = b",
        "tool rise(a, a) = a",
        "tool rise(A) = A",
        "tool max(a) = a",
        "tool lambda(a) = a",
        "tool rise(numbers) = 1",
        "tool rise(a) = __import__('os')",
        "tool rise(a) =",
        "tool rise(a=1) = a",
        "tool rise(a, b, c, d, e, f, g) = a",
        "tool " + "r" * 35 + "(a) = a",
        "tool _x(a) = a",
        "def rise(a): print(a)",
    ],
)
def test_what_looks_like_a_definition_and_is_none_is_counted(line):
    assert parse_tools(line) == ([], 1)


@pytest.mark.parametrize("line", ["", "none", "rise(1, 2) == 3", "I would like a tool.", "a = b", "if (x): y", "\0"])
def test_other_lines_are_passed_over(line):
    tools, _ = parse_tools(line)
    assert tools == []


@settings(deadline=None)
@given(st.text(), st.lists(st.sampled_from(["tool ", "f", "(", ")", "a", ",", " = ", "1", "#", "\n", ":", "=", "*"])))
def test_any_text_gives_tools_that_can_be_kept(text, pieces):
    for said in (text, "".join(pieces)):
        tools, bad = parse_tools(said)
        assert bad >= 0
        for tool in tools:
            assert Tool.model_validate(tool.model_dump(mode="json")) == tool


RISE = Tool(name="rise", parameters=("a", "b"), expression="(b - a) / a")
BEST = Tool(name="best", parameters=(), expression="[max(numbers), len(numbers)]")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("rise(4, 5)", ("rise", True, "rise(4, 5) = 0.25")),
        ("Rise(b=5, a=4)", ("rise", True, "Rise(b=5, a=4) = 0.25")),
        ("rise(4, b=numbers[0])", ("rise", True, "rise(4, b=numbers[0]) = 1")),
        ("best()", ("best", True, "best() = [9, 2]")),
        ("rise(0, 5)", ("rise", False, "rise(0, 5): it divides by 0")),
        ("rise(1)", ("rise", False, "rise(1): rise takes a, b")),
        ("rise(1, 2, 3)", ("rise", False, "rise(1, 2, 3): rise takes a, b")),
        ("rise(1, a=2)", ("rise", False, "rise(1, a=2): rise takes a, b")),
        ("best(1)", ("best", False, "best(1): best takes no arguments")),
        ("rise(numbers, 1)", ("rise", False, "rise(numbers, 1): a list stands where a number is wanted")),
        ("fall(1)", (None, False, "fall(1): there is no such tool; there is rise, best")),
        ("rise", (None, False, "rise: a call is a name with arguments in brackets, such as name(1, 2)")),
    ],
)
def test_a_call_says_what_came_of_it(text, answer):
    assert use(text, (RISE, BEST), (8.0, 9.0)) == answer


@given(st.text())
def test_any_call_is_answered(text):
    name, worked, said = use(text, (RISE, BEST), (1.0,))
    assert isinstance(said, str)
    assert name in (None, "rise", "best")
    assert not worked or name
    assert len(said) < 1000


def test_a_tool_that_cannot_be_read_is_no_tool():
    with pytest.raises(ValueError, match="no price"):
        Tool(name="rise", parameters=(), expression="price + 1")
