"""Bargain: each temper by hand, what the party names, what a level promises, and whether modelling it pays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_out, play_views
from finchmark.environments.worlds.audit.beliefs import informed_value
from finchmark.environments.worlds.cores.bargain import CORE, BargainState
from finchmark.environments.worlds.dynamics import Event
from finchmark.environments.worlds.keys import STILL, Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

DYNAMICS = CORE.dynamics
# The heap is worth 3 + 6 + 2 = 11 to the party and 3 + 2 + 6 = 11 to the player.
DATA = {
    "own": [1, 1, 6], "theirs": [1, 3, 2], "temper": "stubborn", "heaps": [[3, 2, 1], [1, 2, 0]], "share": 7,
}  # fmt: skip


def level(temper="stubborn", **changes):
    return DYNAMICS.load({**DATA, "temper": temper, **changes})


def ask(books, hats, balls):
    return Action("ask", (books, hats, balls))


def step(params, state, action):
    return DYNAMICS.step(params, state, action, STILL)


def world(reward="accumulative", observation="guarded", skin="plain", preset="market"):
    return World.combine(CORE, reward=reward, observation=observation, skin=skin, horizon=30, preset=preset)


class TestAnswers:
    def test_an_offer_that_leaves_enough_is_a_deal(self):
        after = step(level(), BargainState(0, 0, 6, 0), ask(0, 0, 1))
        assert after.events == (Event("gained", 6.0),)
        assert after.state == BargainState(1, 0, 6, 0)

    def test_a_deal_of_the_wanted_share_is_an_event_of_its_own(self):
        after = step(level(), BargainState(0, 0, 5, 0), ask(3, 0, 1))
        assert after.events == (Event("gained", 9.0), Event("struck"))

    def test_what_is_not_there_cannot_be_asked_for(self):
        params = level()
        second = BargainState(1, 0, 6, 0)
        assert step(params, second, ask(1, 0, 1)) == step(params, second, ask(1, 0, 0))

    def test_the_third_refusal_loses_the_heap(self):
        params, state = level(), BargainState(0, 0, 6, 0)
        for refused in (1, 2):
            state = step(params, state, ask(3, 2, 1)).state
            assert state.refused == refused
        after = step(params, state, ask(3, 2, 1))
        assert after.state.heap == 1
        assert after.events == (Event("refused"),)

    def test_leaving_goes_on_without_pay(self):
        assert step(level(), BargainState(0, 1, 5, 0), Action("leave")) == (BargainState(1, 0, 6, 0), (), False)

    def test_after_the_last_heap_all_is_over(self):
        assert step(level(), BargainState(1, 0, 6, 0), Action("leave")).over

    def test_accepting_gives_what_was_named(self):
        params, state = level(), BargainState(0, 0, 6, 0)
        named = CORE.observations["guarded"].observe(params, state, ()).named
        worth = sum(a * b for a, b in zip(named, DATA["own"], strict=True))
        assert step(params, state, Action("accept")).events[0] == Event("gained", float(worth))

    def test_what_is_named_leaves_the_party_two_tenths_above_its_demand(self):
        for demand in range(2, 9):
            named = CORE.observations["guarded"].observe(level(), BargainState(0, 0, demand, 0), ()).named
            rest = 11 - sum(a * b for a, b in zip(named, DATA["theirs"], strict=True))
            assert 10 * rest >= min(10, demand + 2) * 11

    def test_levels_that_are_none_are_refused(self):
        with pytest.raises(UsageError, match="temper"):
            level("angry")
        with pytest.raises(UsageError, match="needs 'own'"):
            DYNAMICS.load({"heaps": []})


class TestTempers:
    @pytest.mark.parametrize(("temper", "demand"), [("yielding", 7), ("stubborn", 6), ("mirror", 7), ("proud", 4)])
    def test_each_opens_with_a_demand_of_its_own(self, temper, demand):
        assert DYNAMICS.init(level(temper), STILL) == BargainState(0, 0, demand, 0)

    def test_yielding_gives_in_with_each_refusal(self):
        assert step(level("yielding"), BargainState(0, 0, 7, 0), ask(3, 2, 1)).state.demand == 5

    def test_stubborn_gives_in_once_and_a_little(self):
        params = level("stubborn")
        first = step(params, BargainState(0, 0, 6, 0), ask(3, 2, 1)).state
        assert first.demand == 6
        assert step(params, first, ask(3, 2, 1)).state.demand == 5

    def test_mirror_gives_in_to_who_gives_in(self):
        params = level("mirror")
        first = step(params, BargainState(0, 0, 7, 0), ask(3, 2, 1)).state
        assert (first.demand, first.offered) == (7, 0)
        assert step(params, first, ask(3, 2, 1)).state.demand == 7
        assert step(params, first, ask(3, 1, 1)).state == BargainState(0, 2, 4, 2)

    def test_proud_takes_offence_at_stinginess(self):
        after = step(level("proud"), BargainState(0, 0, 4, 0), ask(3, 2, 1)).state
        assert (after.refused, after.demand) == (2, 6)

    def test_proud_does_not_mind_a_fair_refusal(self):
        # It is left 4 of 11, three tenths and more, which is less than it demands.
        after = step(level("proud", theirs=[2, 2, 1]), BargainState(0, 0, 4, 0), ask(2, 1, 1)).state
        assert (after.refused, after.demand) == (1, 4)


class TestLevels:
    @given(st.integers(0, 10_000))
    @settings(max_examples=15, deadline=None)
    def test_naming_alone_never_wins(self, seed):
        found = CORE.generator.levels("bargain", "court", "train", 1, seed)[0]
        one = world("binary", preset="court")
        params = one.load(found)
        moment = one.begin(params, STILL)
        while not moment.over:
            moment = one.advance(moment, Action("accept"))
        assert moment.total == 0

    def test_alternatives_contain_the_level_and_sum_to_one(self):
        generator = CORE.generator
        for found in generator.levels("bargain", "market", "validation"):
            pairs = generator.alternatives(generator.preset("market").settings, found.params, "guarded")
            assert sum(weight for weight, _ in pairs) == pytest.approx(1)
            assert dict(found.params) in [dict(params) for _, params in pairs]

    def test_no_view_of_the_guarded_kind_holds_what_the_party_thinks(self):
        view = CORE.observations["guarded"].observe(level(), BargainState(0, 0, 6, 0), ())
        assert view.theirs is view.temper is view.demand is None


class TestSkill:
    def test_a_player_that_models_the_party_does_far_better_than_chance(self):
        one = world()
        clever, random, exact = [], [], []
        for found in one.levels("validation"):
            params = one.load(found)
            clever.append(play_views(one, params, episode_key(found)).total)
            exact.append(informed_value(one, found))
            for sample in range(20):
                key = episode_key(found, sample)
                sampled = Key.of("test", sample)
                random.append(
                    play_out(one, params, key, lambda w, m, k, s=sampled: w.dynamics.actions.sample(s.at(m.time))).total
                )
        assert np.mean(clever) > 3 * np.mean(random)
        assert np.mean(clever) > 0.85 * np.mean(exact)
