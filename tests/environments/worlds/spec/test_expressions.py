import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.spec.expressions import ExpressionError, Frame, Scope, compile_expression

SCOPE = Scope(
    variables={"heat": (0, "number"), "lit": (1, "flag"), "law": (2, "word")},
    entities={"valve": (3, {"open": (3, "flag"), "flow": (6, "number")})},
    params={"goal": "number"},
    args={"amount": "number"},
    chance={"gust": "flag"},
    words=frozenset({"red", "blue"}),
)
FRAME = Frame([5, True, "red", True, False, False, 1, 2, 4], {"goal": 7}, 3, {"amount": 2}, {"gust": False})


def value(text):
    return compile_expression(text, SCOPE).run(FRAME)


def attempt(text):
    """The value, or what is wrong."""
    try:
        return compile_expression(text, SCOPE).run(FRAME)
    except ExpressionError as error:
        return str(error)


class TestValues:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-heat + 1", -4), ("7 // 2", 3), ("7 % 4", 3), ("7 / 2", 3.5),
            ("1 / 0", 0), ("1 // 0", 0), ("1 % 0", 0), ("2.5", 2.5), ("heat >= 5 and not gust", True),
            ("lit or gust", True), ("law == 'red'", True), ("law != 'blue'", True), ("goal - amount * 2", 3),
            ("heat if lit else goal", 5), ("1 if gust else 2 if lit else 3", 2), ("clock", 3), ("abs(-3)", 3),
            ("min(heat, goal, 1)", 1), ("max(1, 2)", 2), ("floor(2.7)", 2), ("round(2.345, 1)", 2.3),
            ("clip(9, 0, 5)", 5), ("valve[0].flow", 1), ("valve[amount].flow", 4), ("valve[99].flow", 4),
            ("valve[-1].flow", 1), ("sum(valve.flow)", 7), ("least(valve.flow)", 1), ("most(valve.flow)", 4),
            ("count(valve.open)", 1), ("any(valve.open)", True), ("all(valve.open)", False), ("true and false", False),
            ("lit == (heat > 3)", True), ("1 - 1 - 1", -1), ("8 / 4 / 2", 1),
        ],
    )  # fmt: skip
    def test_are_what_they_say(self, text, expected):
        assert value(text) == expected

    @given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 50))
    def test_arithmetic_is_pythons(self, a, b, c):
        text = f"({a}) * ({b}) - ({a}) // ({c}) + ({b}) % ({c})"
        assert value(text) == a * b - a // c + b % c

    @given(st.text(max_size=40))
    def test_any_text_compiles_or_says_why_not(self, text):
        found = attempt(text)
        assert isinstance(found, (bool, str)) or math.isfinite(found)

    @given(st.lists(st.sampled_from(
        ["heat", "lit", "law", "'red'", "1", "0", "+", "-", "*", "/", "(", ")", "and", "or", "not", "==", "<", "if",
         "else", "valve", "[", "]", ".", "flow", "open", "sum", ",", "min", "clock"]), max_size=14))  # fmt: skip
    def test_any_row_of_tokens_compiles_or_says_why_not(self, tokens):
        assert attempt(" ".join(tokens)) != ""


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("heet", "Did you mean 'heat'"), ("law == 'green'", "no word 'green'"), ("heat and lit", "must be a flag"),
            ("heat + lit", "must be a number"), ("law < 'red'", "compares numbers"),
            ("heat == 'red'", "compares a number"),
            ("1 < 2 < 3", "two comparisons"), ("1 if lit", "'else' is missing"), ("1 if lit else law", "one kind"),
            ("valve", "is an entity"), ("valve[0]", "'.' is missing"), ("valve[0].shut", "no variable 'shut'"),
            ("pump[0].flow", "no entity 'pump'"), ("sqrt(2)", "no function 'sqrt'"), ("min(1)", "takes 2 to 9"),
            ("sum(valve.open)", "takes numbers"), ("count(valve.flow)", "takes flags"), ("1 +", "ends too early"),
            ("1 2", "left over"), ("import os", "no name 'import'"), ("heat.__class__", "left over"),
            ("__import__('os')", "no function"), ("2 ** 8", "stands where a value"), ("heat = 1", "cannot read"),
            ("", "ends too early"), ("(" * 60 + "1" + ")" * 60, "nested"), ("not " * 40 + "lit", "nested"),
            ("- " * 40 + "1", "nested"), ("1 + " * 200 + "1", "characters long"), ("lambda: 1", "cannot read"),
        ],
    )  # fmt: skip
    def test_say_what_is_wrong(self, text, message):
        with pytest.raises(ExpressionError, match=message.replace("*", r"\*").replace("[", r"\[")):
            compile_expression(text, SCOPE)

    def test_a_value_of_another_kind_than_needed_is_refused(self):
        with pytest.raises(ExpressionError, match="a flag is needed"):
            compile_expression("heat", SCOPE, "flag")
