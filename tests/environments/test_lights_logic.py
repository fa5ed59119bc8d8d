"""Expressions: what the grammar takes and refuses, and that every reading of a tree agrees with Python's own."""

import pickle
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.odyssey.lights_rules import LightsRules, describe_rules
from finchmark.environments.odyssey.logic import (
    And,
    Bulb,
    Constant,
    ExpressionError,
    Not,
    Or,
    in_words,
    parse,
    to_text,
)
from finchmark.environments.odyssey.quotes import quote
from finchmark.suite.errors import UsageError

BULBS = 5

expressions = st.recursive(
    st.builds(Constant, st.booleans()) | st.builds(Bulb, st.integers(0, BULBS - 1)),
    lambda inner: st.builds(Not, inner) | st.builds(And, inner, inner) | st.builds(Or, inner, inner),
    max_leaves=12,
)


def config(*rules: object) -> dict:
    return {"level": len(rules), "custom_logic": {f"B{i}": rule for i, rule in enumerate(rules)}}


def by_python(text: str, mask: int) -> bool:
    """The oracle of these tests; the text comes from our own trees only."""
    names = {f"B{i}": bool(mask >> i & 1) for i in range(BULBS)}
    return eval(text, {"__builtins__": {}}, names)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "tree"),
        [
            ("True", Constant(True)),
            ("False", Constant(False)),
            ("B0", Bulb(0)),
            ("B12", Bulb(12)),
            ("not B3", Not(Bulb(3))),
            ("not not B3", Not(Not(Bulb(3)))),
            ("(B0 and B1)", And(Bulb(0), Bulb(1))),
            ("(B0 or not B1)", Or(Bulb(0), Not(Bulb(1)))),
            ("((not B3 or not B2) and B5)", And(Or(Not(Bulb(3)), Not(Bulb(2))), Bulb(5))),
            ("not (B0 and (B1 or True))", Not(And(Bulb(0), Or(Bulb(1), Constant(True))))),
            ("  ( B0\tand\nB1 ) ", And(Bulb(0), Bulb(1))),
            ("(B0 and(B1 or B2))", And(Bulb(0), Or(Bulb(1), Bulb(2)))),
        ],
    )
    def test_reads_the_grammar(self, text, tree):
        assert parse(text) == tree

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "B",
            "B01",
            "b0",
            "B0 and B1",
            "(B0)",
            "(B0 and B1",
            "(B0 and B1 and B2)",
            "B0 B1",
            "not",
            "notB0",
            "andB0",
            "()",
            "(and B0)",
            "true",
            "1",
            "B0 == B1",
            "__import__('os').system('true')",
            "B0.real",
            "(B0 & B1)",
            "B\uff11",
            "B0\x00",
            "\ud800",
            "B99999999999999999999",
        ],
    )
    def test_refuses_everything_else(self, text):
        with pytest.raises(ExpressionError):
            parse(text)

    def test_says_where_the_text_goes_wrong(self):
        with pytest.raises(ExpressionError, match=r'character 5 begins no word of the grammar: "xor B1\)"'):
            parse("(B0 xor B1)")

    def test_says_that_joined_parts_need_parentheses(self):
        with pytest.raises(ExpressionError, match="parentheses"):
            parse("B0 and B1")

    @pytest.mark.parametrize("text", ["not " * 100_000 + "B0", "(" * 100_000, "(" * 500 + "B0" + " and B0)" * 500])
    def test_refuses_deep_nesting_without_overflowing_the_stack(self, text):
        with pytest.raises(ExpressionError, match="100 deep"):
            parse(text)

    @given(st.text(max_size=30))
    def test_any_text_is_read_or_refused(self, text):
        try:
            tree = parse(text)
        except ExpressionError:
            return
        assert parse(to_text(tree)) == tree

    @given(st.text(alphabet="B012 ()notadrue", max_size=30))
    def test_text_near_the_grammar_is_read_as_python_reads_it_or_refused(self, text):
        try:
            tree = parse(text)
        except ExpressionError:
            return
        if max(tree.bulbs(), default=0) < BULBS:
            flat = " ".join(text.split())
            assert all(tree.holds(mask) == by_python(flat, mask) for mask in range(1 << BULBS))


class TestTrees:
    @given(expressions)
    def test_text_reads_back_to_the_same_tree(self, tree):
        assert parse(to_text(tree)) == tree

    @given(expressions)
    def test_holds_is_what_python_says(self, tree):
        text = to_text(tree)
        assert all(tree.holds(mask) is by_python(text, mask) for mask in range(1 << BULBS))

    @given(expressions)
    def test_bulbs_are_those_in_the_text(self, tree):
        text = to_text(tree)
        assert tree.bulbs() == {i for i in range(BULBS) if f"B{i}" in text}

    @given(expressions)
    def test_trees_pickle(self, tree):
        assert pickle.loads(pickle.dumps(tree)) == tree


def words_hold(words: str | None, mask: int) -> bool:
    """Read the English back through Python's operators."""
    if words is None or words == "always":
        return words == "always"
    for i in range(BULBS):
        words = words.replace(f"B{i} is on", str(bool(mask >> i & 1))).replace(f"B{i} is off", str(not mask >> i & 1))
    return eval(words, {"__builtins__": {}})


class TestWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("True", "always"),
            ("not True", None),
            ("B2", "B2 is on"),
            ("not B2", "B2 is off"),
            ("not not B2", "B2 is on"),
            ("(B0 and (B1 and B2))", "B0 is on and B1 is on and B2 is on"),
            ("((B0 or not B1) and B2)", "(B0 is on or B1 is off) and B2 is on"),
            ("not (B0 and B1)", "B0 is off or B1 is off"),
            ("(B0 and True)", "B0 is on"),
            ("(B0 or True)", "always"),
            ("(False and B0)", None),
        ],
    )
    def test_says_a_condition_in_plain_words(self, text, words):
        assert in_words(parse(text)) == words

    @given(expressions)
    def test_words_mean_the_same_as_the_expression(self, tree):
        words = in_words(tree)
        assert all(words_hold(words, mask) == tree.holds(mask) for mask in range(1 << BULBS))

    def test_rules_are_described_in_the_order_of_numbers(self):
        world = {"level": 3, "custom_logic": {"B2": "True", "B0": "(B2 and not B1)", "B1": "False"}}
        assert describe_rules(world).splitlines() == [
            "The switch of B0 works only while B2 is on and B1 is off.",
            "The switch of B1 never works.",
            "The switch of B2 always works.",
        ]


class TestRules:
    def test_order_of_keys_and_further_keys_do_not_matter(self):
        a = {"level": 2, "custom_logic": {"B1": "B0", "B0": "True"}, "idx": 7}
        assert LightsRules.from_config(a) == LightsRules.from_config(config("True", "B0"))

    def test_config_round_trips(self):
        world = config("(B1 or not B2)", "True", "not (B0 and B1)")
        assert LightsRules.from_config(world).to_config() == world

    def test_press_toggles_exactly_where_the_condition_holds(self):
        rules = LightsRules.from_config(config("(B1 and not B2)", "True", "B0"))
        for mask, bulb in product(range(8), range(3)):
            on = [bool(mask >> i & 1) for i in range(3)]
            works = (on[1] and not on[2], True, on[0])[bulb]
            assert rules.press(bulb, mask) == (mask ^ (1 << bulb) if works else mask)

    @pytest.mark.parametrize(
        ("bad", "needle"),
        [
            (None, "a mapping is needed, not NoneType"),
            ([1], "a mapping is needed, not list"),
            ({}, "'level' is missing"),
            ({"level": 1}, "'custom_logic' is missing"),
            ({"level": 0, "custom_logic": {}}, "from 1 to 64"),
            ({"level": 65, "custom_logic": {}}, "from 1 to 64"),
            ({"level": True, "custom_logic": {}}, "from 1 to 64"),
            ({"level": "2", "custom_logic": {}}, "from 1 to 64"),
            ({"level": 2, "custom_logic": ["True", "True"]}, "maps bulbs to rules"),
            ({"level": 2, "custom_logic": {"B0": "True"}}, "no rule for B1"),
            ({"level": 1, "custom_logic": {"B0": "True", "B1": "B0"}}, 'a rule for "B1"'),
            ({"level": 1, "custom_logic": {"B0": "True", 3: "B0"}}, 'a rule for "3"'),
            (config("True", True), "the rule of B1 is text"),
            (config("True", "B0 and B0"), 'the rule of B1, "B0 and B0", cannot be read'),
            (config("True", "B2"), 'the rule of B1, "B2", names B2'),
        ],
    )
    def test_a_bad_config_is_refused_by_name(self, bad, needle):
        with pytest.raises(UsageError) as caught:
            LightsRules.from_config(bad)
        assert needle in str(caught.value)
        assert str(caught.value).startswith("Lights config: ")

    def test_a_huge_rule_is_quoted_short(self):
        with pytest.raises(UsageError) as caught:
            LightsRules.from_config(config("\x00" * 1_000_000))
        assert len(str(caught.value)) < 500


class TestQuote:
    def test_short_text_is_shown_whole(self):
        assert quote("B7") == '"B7"'

    def test_what_is_not_printable_ascii_is_escaped(self):
        assert quote("a\x00\n\ud800é") == '"a\\x00\\n\\ud800\\xe9"'

    def test_an_escape_is_never_cut_in_two(self):
        assert quote("\U0001f4a1" * 9, 25) == '"\\U0001f4a1\\U0001f4a1"...'

    @given(st.text(), st.integers(0, 60))
    def test_any_text_fits_the_limit_in_printable_ascii(self, text, limit):
        shown = quote(text, limit)
        assert len(shown) <= limit + 5
        assert shown.isascii()
        assert shown.isprintable()
