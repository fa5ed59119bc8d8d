import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.audit import beliefs, information
from finchmark.environments.worlds.audit.beliefs import informed_value, informed_values
from finchmark.environments.worlds.audit.subject import Subject
from finchmark.environments.worlds.level import Level
from finchmark.environments.worlds.lookup import find_core
from finchmark.environments.worlds.spec.compile import compile_text
from finchmark.environments.worlds.world import World
from finchmark.suite.errors import UsageError

WIND = find_core("wind")
CARDS = find_core("cards")


def unseen(horizon):
    return World.combine(WIND, reward="binary", observation="windless", skin="plain", horizon=horizon, preset="breeze")


def open_cards():
    return World.combine(CARDS, reward="accumulative", observation="turned", skin="plain", horizon=8, preset="open")


COINS = """
format: finchmark-world/1
name: coins
summary: Two coins, of which one may be loaded.
levels:
  parameters: {loaded: {whole: [0, 2]}, noise: {whole: [0, 9999]}}
  hidden: [loaded]
  presets: {p: {summary: one}}
variables: {heads: {kind: whole, low: 0, high: 2, start: 0}}
actions:
  toss:
    parameters: {coin: {kind: whole, low: 0, high: 1}}
    effects:
      - {set: heads, to: "1 if (luck and coin == loaded) or fair else 2"}
      - {emit: head, when: heads == 1}
chance:
  luck: {values: [true, false], weights: [0.8, 0.2]}
  fair: {values: [true, false], weights: [0.3, 0.7]}
events: {head: a head}
limits: {head: horizon}
rewards: {r: {kind: accumulative, goal: Toss heads., pays: {head: 1}}}
observations: {o: {kind: partial, shows: [heads]}}
skins: {s: {kind: aligned, setting: Two coins.}}
"""


def coins():
    """A world with chance in its steps."""
    return World.combine(compile_text(COINS), reward="r", observation="o", skin="s", horizon=4, preset="p")


def twins(world, level):
    generator = world.core.generator
    settings = generator.preset(world.preset).settings
    return [
        (weight, Level(level.core, level.version, level.preset, dict(params)))
        for weight, params in generator.alternatives(settings, level.params, world.observation.name)
    ]


class TestBelief:
    @given(st.lists(st.floats(1e-15, 1e6), min_size=1, max_size=30))
    def test_probabilities_sum_to_one_and_none_is_lost(self, weights):
        found = beliefs._belief(dict(enumerate(weights)))
        assert sum(weight for _, weight in found) == pytest.approx(1, abs=1e-14)
        assert [hidden for hidden, _ in found] == list(range(len(weights)))
        assert all(weight > 0 for _, weight in found)

    def test_what_differs_by_rounding_alone_is_one_belief(self):
        assert beliefs._belief({2: 0.1 + 0.2, 1: 0.3}) == beliefs._belief({1: 0.3, 2: 0.3})


class TestOnTheLevels:
    @pytest.mark.parametrize(("world", "index"), [(unseen(11), 0), (open_cards(), 1), (coins(), 0)])
    def test_the_mean_over_all_levels_that_look_alike_is_the_expected_value(self, world, index):
        level = world.levels("test")[index]
        alike = twins(world, level)
        found = informed_values(world, [other for _, other in alike])
        assert found is not None
        mean = sum(weight * value.here for (weight, _), value in zip(alike, found, strict=True))
        assert mean == pytest.approx(found[0].expected, abs=1e-9)
        assert len({round(value.here, 6) for value in found}) > 1  # luck differs from level to level
        assert {round(value.expected, 9) for value in found} == {round(found[0].expected, 9)}

    @pytest.mark.slow
    def test_no_level_earns_more_than_its_maximum(self):
        world = open_cards()
        subject = Subject(world, splits={"test": 2})
        found = informed_values(world, subject.test_levels)
        assert found is not None
        assert all(value.here <= fact.maximum + 1e-9 for value, fact in zip(found, subject.facts, strict=True))
        assert any(value.here < fact.maximum - 0.1 for value, fact in zip(found, subject.facts, strict=True))

    @pytest.mark.slow
    def test_where_time_is_ample_both_are_the_maximum(self):
        world = unseen(30)
        found = informed_values(world, world.levels("test", 2))
        assert found is not None
        assert [(value.expected, value.here) for value in found] == [(pytest.approx(1), pytest.approx(1))] * 2


class TestSearch:
    def test_levels_that_look_alike_are_searched_once(self, monkeypatch):
        searched = []
        explore = beliefs.explore
        monkeypatch.setattr(beliefs, "explore", lambda *a: searched.append(a) or explore(*a))
        world = unseen(6)
        first, second = world.levels("test", 2)
        assert informed_values(world, [first, *(other for _, other in twins(world, first))]) is not None
        assert len(searched) == 1
        assert informed_values(world, [first, second]) is not None
        assert len(searched) == 3

    def test_too_many_beliefs_give_no_value(self, monkeypatch):
        monkeypatch.setattr(beliefs, "MOST_BELIEFS", 20)
        world = unseen(12)
        assert informed_value(world, world.levels("test", 1)[0]) is None

    def test_a_level_that_its_alternatives_leave_out_is_named(self, monkeypatch):
        world = unseen(6)
        level, other = world.levels("test", 2)
        monkeypatch.setattr(type(WIND.generator), "alternatives", lambda *a: ((1.0, other.params),))
        with pytest.raises(UsageError, match=level.hash):
            informed_value(world, level)


class TestReference:
    def test_more_than_the_maximum_is_an_error_that_names_the_world(self):
        with pytest.raises(UsageError, match=r"wind-binary-windless-plain: .* more than the maximum"):
            information._held(unseen(6), 1.001, 1.0)

    def test_rounding_makes_no_reference_above_hindsight(self):
        assert information._held(unseen(6), 1.0 + 1e-13, 1.0) == 1.0
