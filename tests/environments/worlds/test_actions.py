import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action, ActionKind, ActionSchema, Choice, Integer, Real, Several
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.parsing import ActionReader
from finchmark.environments.worlds.skin import Vocabulary
from finchmark.suite.errors import UsageError

SCHEMA = ActionSchema(
    (
        ActionKind("move", "one cell", (Choice("direction", ("north", "south")),)),
        ActionKind("trade", "", (Choice("good", ("ore", "food")), Integer("amount", 1, 3))),
        ActionKind("order", "", (Several("parts", ("a", "b", "c"), 1, 2),)),
        ActionKind("wait"),
    )
)
WIDE = ActionSchema((*SCHEMA.kinds, ActionKind("set", "", (Real("level", -1.0, 2.5),))))
PLAIN = Vocabulary("plain", "aligned", {})


class TestSchema:
    def test_lists_all_actions_once(self):
        assert len(SCHEMA.all) == len(set(SCHEMA.all)) == 2 + 6 + 9 + 1

    def test_chances_are_those_of_sampling(self):
        assert sum(SCHEMA.chances) == pytest.approx(1)
        drawn = [SCHEMA.sample(Key.of("s", n)) for n in range(8_000)]
        for action, chance in zip(SCHEMA.all, SCHEMA.chances, strict=True):
            assert abs(drawn.count(action) / 8_000 - chance) < 4.5 * (chance * (1 - chance) / 8_000) ** 0.5

    def test_a_real_number_makes_it_infinite_but_searchable(self):
        assert not WIDE.finite
        assert {a.values[0] for a in WIDE.tried if a.name == "set"} == {-1.0, -0.125, 0.75, 1.625, 2.5}
        with pytest.raises(UsageError, match="too many actions"):
            _ = WIDE.all

    @given(st.integers(0, 2**64 - 1))
    def test_samples_are_of_the_schema(self, value):
        assert WIDE.problem(WIDE.sample(Key(value))) is None

    @pytest.mark.parametrize(
        "action",
        [
            Action("fly"),
            Action("move"),
            Action("move", ("up",)),
            Action("trade", ("ore", 4)),
            Action("trade", ("ore", True)),
            Action("trade", ("ore", 1.0)),
            Action("order", (("a", "a"),)),
            Action("order", (("a", "b", "c"),)),
            Action("set", (float("nan"),)),
            Action("set", (2.6,)),
            Action("wait", (1,)),
        ],
    )
    def test_what_is_not_of_the_schema_is_said_to_be_wrong(self, action):
        assert isinstance(WIDE.problem(action), str)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Choice("x", ()),
            lambda: Choice("x", ("a", "a")),
            lambda: Integer("x", 2, 1),
            lambda: Real("x", 0.0, float("inf")),
            lambda: Several("x", ("a",), 1, 2),
            lambda: ActionSchema(()),
            lambda: ActionSchema((ActionKind("a"), ActionKind("a"))),
        ],
    )
    def test_impossible_parameters_are_refused(self, make):
        with pytest.raises(UsageError):
            make()


class TestReading:
    @pytest.mark.parametrize(
        ("text", "action"),
        [
            ("move north", Action("move", ("north",))),
            ("  Move NORTH \n", Action("move", ("north",))),
            ("move direction=north", Action("move", ("north",))),
            ("trade amount=2 good=food", Action("trade", ("food", 2))),
            ('{"action": "trade", "good": "ore", "amount": 3}', Action("trade", ("ore", 3))),
            ('{"action": "trade", "params": {"good": "ore", "amount": 3}}', Action("trade", ("ore", 3))),
            ('{"action": "order", "parts": ["c", "a"]}', Action("order", (("c", "a"),))),
            ("order c,a", Action("order", (("c", "a"),))),
            ("wait", Action("wait")),
            ("set 0.5", Action("set", (0.5,))),
            ("set -1", Action("set", (-1.0,))),
            ('{"action": "set", "level": 2}', Action("set", (2.0,))),
        ],
    )
    def test_reads_what_it_says_it_reads(self, text, action):
        assert ActionReader(WIDE, PLAIN).read(text) == action

    @pytest.mark.parametrize(
        "text",
        [
            "", "fly", "move", "move up", "move north north", "I move north", "trade ore 4", "trade ore 2.0",
            "trade ore 02", "trade ore +2", "trade ore ٣", "trade ore=2", "trade good=ore good=food", "order a,a",
            "order a, b", "set nan", "set 1e0", "set .5", "{", "[]", '{"action": "wait", "action": "wait"}',
            '{"action": 1}', '{"action": "trade", "good": "ore", "amount": "3"}',
            '{"action": "move", "direction": null}',
            '{"action": "trade", "good": "ore", "amount": true}', "wait wait", "move " * 2_000, "{" * 5_000,
            '{"action": "set", "level": 1e999}', '{"action": "set", "level": NaN}', "\ud800",
        ],
    )  # fmt: skip
    def test_says_what_is_wrong_with_the_rest(self, text):
        problem = ActionReader(WIDE, PLAIN).read(text)
        assert isinstance(problem, str)
        assert problem.endswith((".", '"...'))
        assert problem.isascii()

    @given(st.text(max_size=60))
    def test_survives_any_text(self, text):
        read = ActionReader(WIDE, PLAIN).read(text)
        assert isinstance(read, str) or WIDE.problem(read) is None

    @given(st.integers(0, 2**64 - 1))
    def test_reads_back_what_it_writes(self, value):
        reader = ActionReader(WIDE, PLAIN)
        action = WIDE.sample(Key(value))
        assert reader.read(reader.show(action)) == action

    def test_speaks_the_words_of_the_skin(self):
        reader = ActionReader(SCHEMA, Vocabulary("odd", "inverse", {"north": "south", "south": "north", "move": "go"}))
        assert reader.read("go north") == Action("move", ("south",))
        assert isinstance(reader.read("move north"), str)
        assert "go DIRECTION" in reader.describe()

    def test_a_vocabulary_with_one_word_for_two_actions_is_refused(self):
        with pytest.raises(UsageError, match="one word for two"):
            ActionReader(SCHEMA, Vocabulary("odd", "other", {"move": "wait"}))

    def test_a_word_with_a_space_is_refused(self):
        with pytest.raises(UsageError, match="without spaces"):
            ActionReader(SCHEMA, Vocabulary("odd", "other", {"move": "go on"}))

    def test_a_word_for_two_concepts_is_refused(self):
        with pytest.raises(UsageError, match="two concepts"):
            Vocabulary("odd", "other", {"a": "x", "b": "x"})
