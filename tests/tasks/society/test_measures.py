"""What a society's words and choices come to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.tasks.society.measures import (
    COMMON,
    compression,
    distinct,
    letter_entropy,
    rule_words,
    rules_kept,
    self_bleu,
    value_kl,
    value_kl_exact,
    word_entropy,
    word_share,
)
from finchmark.tasks.society.questions import CLAIMS, EASY, VALUES, draw_form, form_told, question_told, read_form
from finchmark.tasks.society.rating import shares_of

ANSWERS = st.lists(st.tuples(*[st.sampled_from([None, 0, 1, 2])] * 3), min_size=1, max_size=9)


class TestDivergence:
    def test_by_hand(self):
        # Two of three answers are the reference's: P = 2.5/4.5, 1.5/4.5, .5/4.5.
        shares = [2.5 / 4.5, 1.5 / 4.5, 0.5 / 4.5]
        truth = sum(p * math.log(p / q) for p, q in zip((0.97, 0.015, 0.015), shares, strict=True))
        assert value_kl([(0,), (0,), (1,), (None,)], [0]) == pytest.approx(truth)

    def test_the_reference_stands_first(self):
        """What the reference hardly ever does costs little where it is rare, and all where nothing else is done."""
        assert value_kl([(1,)] * 50, [0]) > 4
        assert value_kl([(0,)] * 50, [0]) < 0.02

    @given(ANSWERS)
    def test_it_is_never_negative_and_what_was_not_read_changes_nothing(self, answers):
        goods = [0, 1, 2]
        value = value_kl(answers, goods)
        assert value is None or value >= 0
        assert value_kl([*answers, (None, None, None)], goods) == value

    @given(st.integers(0, 8), st.floats(0.05, 2.0))
    def test_more_answers_of_the_reference_never_lift_it(self, good, add):
        values = [value_kl([(0,)] * n + [(1,)] * (8 - n), [0], add=add) for n in (good, min(8, good + 1))]
        # From .97 on more of the same is too much of it, by less than the smoothing.
        assert values[1] <= values[0] + 0.03

    def test_nothing_answered_is_no_number(self):
        assert value_kl([(None,)], [0]) is None
        with pytest.raises(ValueError, match="add"):
            value_kl([(0,)], [0], add=0)


class TestExactDivergence:
    def test_by_hand(self):
        # Two agents: P = .5, .3, .2, and the reference's option is the second.
        truth = 0.97 * math.log(0.97 / 0.3) + 0.015 * math.log(0.015 / 0.5) + 0.015 * math.log(0.015 / 0.2)
        assert value_kl_exact([[(0.9, 0.1, 0.0)], [(0.1, 0.5, 0.4)]], [1]) == pytest.approx(truth)

    def test_it_is_0_at_the_reference_alone_and_bounded(self):
        assert value_kl_exact([[(0.015, 0.97, 0.015)]], [1]) == pytest.approx(0)
        assert value_kl_exact([[(0.97, 0.015, 0.015)]], [1]) > 3
        # Two options of no probability: the floor holds.
        assert value_kl_exact([[(0.0, 0.0, 1.0)]], [1]) == pytest.approx(26.8, abs=0.4)
        assert value_kl_exact([], [1]) is None

    def test_a_liking_for_a_letter_is_no_liking_for_an_option(self):
        assert shares_of([[-0.1, -5.0, -9.0]] * 3) == pytest.approx((1 / 3,) * 3)

    def test_what_is_liked_wherever_it_stands_is_found(self):
        rng = generator("tests", "rating")
        liked = rng.dirichlet((1, 1, 1))
        rows = [[math.log(liked[(place + turn) % 3]) - 7 for place in range(3)] for turn in range(3)]
        assert shares_of(rows) == pytest.approx(tuple(liked))

    def test_what_cannot_be_said_at_all_has_no_share(self):
        lowest = -1.7976931348623157e308
        assert shares_of([[0.0, lowest, lowest], [lowest, lowest, 0.0], [lowest, 0.0, lowest]]) == (1, 0, 0)

    def test_every_option_stands_once_at_each_place(self):
        (one, _) = draw_form(1, 0, CLAIMS[0], 0, generator("tests", "turned"))
        told = [question_told(one, turn) for turn in range(3)]
        for option in one.options:
            assert {text[text.index(option) - 3] for text in told} == set("ABC")


def test_a_rule_is_known_by_words_that_no_other_has():
    words = rule_words({"a": "tall trees grow slowly here", "b": "tall towers fall slowly there 40"})
    assert words["a"] == {"trees", "grow", "here"}
    assert rules_kept("Two trees grow.", words) == {"a"}
    assert rules_kept("tall slowly", words) == set()
    assert rules_kept("A tower there, towers fall: 40", words) == {"b"}


class TestTalk:
    def test_repetition_is_seen(self):
        same, other = ["the sky is blue"] * 6, [f"the {word} is new today" for word in ("cat", "day", "sea", "hat")]
        assert distinct(same) == pytest.approx(1 / 6)
        assert distinct(same) < distinct(other)
        assert compression(same * 9) < compression(other)

    def test_self_bleu_by_hand(self):
        assert self_bleu(["the sky is blue today"] * 3) == pytest.approx(1)
        assert self_bleu(["red", "blue"]) == 0
        assert self_bleu(["a message", "  "]) is None
        # "a b c d" against "a b x": 2 of 4 words, 1 + 1 of 3 + 1 pairs, 1 of 2 + 1, 1 of 1 + 1, no penalty; the other
        # way 2 of 3, 2 of 3, 1 of 2, 1 of 1 and the penalty of one word that is missing.
        one = (2 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25
        other = math.exp(1 - 4 / 3) * (2 / 3 * 2 / 3 * 1 / 2) ** 0.25
        assert self_bleu(["a b c d", "a b x"]) == pytest.approx((one + other) / 2)

    def test_entropy_of_words(self):
        assert word_entropy(["red Red red"]) == 0
        assert word_entropy(["a b", "c d"]) == pytest.approx(2)
        assert word_entropy([" "]) is None

    def test_private_words_are_in_no_dictionary(self):
        assert word_share(["We helped them yesterday, and they're happy."], COMMON | {"they're"}) == 1
        assert word_share(["qkxz vwjp kqzx"], COMMON) == 0
        assert word_share(["слово и дело"], COMMON) == 0
        assert word_share(["... 42 !"], COMMON) is None

    def test_entropy_of_letters(self):
        rng = generator("tests", "letters")
        text = "".join("abcdefghijklmnopqrstuvwxyz"[int(i)] for i in rng.integers(26, size=50_000))
        assert letter_entropy([text]) == pytest.approx(math.log2(26), abs=0.01)
        assert letter_entropy(["aaaa"]) == 0

    @given(st.lists(st.text(max_size=30), max_size=5))
    def test_any_text_has_shares_in_their_range(self, texts):
        for value in (distinct(texts), compression(texts), self_bleu(texts), word_share(texts, COMMON)):
            assert value is None or 0 <= value <= 1 + 1e-12
        letter_entropy(texts)


class TestForm:
    def test_what_is_asked_alone_and_with_a_peer_changes_places(self):
        rng = generator("tests", "form")
        alone, peer = [
            {one.text.partition(" Another")[0] for n in range(8) for one in draw_form(2, 2, CLAIMS[0], n, rng)
             if one.kind == kind} for kind in ("alone", "peer")
        ]  # fmt: skip
        assert alone == peer == {text for text, _ in EASY}

    def test_a_wrong_peer_names_a_wrong_option(self):
        rng = generator("tests", "peer")
        for n in range(8):
            for one in draw_form(8, 4, CLAIMS[n], n, rng):
                if one.kind == "peer":
                    truth = dict(EASY)[one.text.partition(" Another")[0]]
                    assert one.text.endswith(f"answered {'ABC'[one.bad]}.")
                    assert one.options[one.bad] == truth[1]
                    assert one.options[one.good] == truth[0]

    @pytest.mark.parametrize("text", ["1A 2C 3B", '{"1": "A", "2": "C", "3": "B"}', "1. a\n2) c\n3: b", "1B 1A 2C 3B"])
    def test_answers_are_read_in_many_forms(self, text):
        form = draw_form(2, 0, CLAIMS[0], 0, generator("tests", "read"))
        assert read_form(text, form) == (0, 2, 1)

    @pytest.mark.parametrize("text", ["", "A B C", "one a", "9A", "1D", "21A"])
    def test_what_is_no_answer_is_none(self, text):
        form = draw_form(2, 0, CLAIMS[0], 0, generator("tests", "read"))
        assert read_form(text, form) == (None, None, None)

    def test_options_are_shown_with_their_letters(self):
        form = draw_form(8, 0, CLAIMS[0], 0, generator("tests", "shown"))
        assert len(form) == len(VALUES) + 1
        assert "9. Where does the ferry leave from? A: pier" in form_told(form)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_false_fact_is_told_from_a_true_one(claim):
    assert claim.says_false(f"I heard: {claim.told(true=False)}")
    assert not claim.says_false(claim.told(true=True))
    assert not claim.says_false("Good morning to all.")
