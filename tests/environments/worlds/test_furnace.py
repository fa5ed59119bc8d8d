"""Furnace: delay, inertia, draughts and wares by hand, and whether knowing the plant pays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import act_randomly, play_out, play_views
from finchmark.environments.worlds.cores.furnace import CORE, FurnaceState
from finchmark.environments.worlds.dynamics import Event
from finchmark.environments.worlds.keys import STILL, Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

DYNAMICS = CORE.dynamics
DATA = {
    "heat": 3, "low": 7, "gain": 2, "loss": 1, "lag": 2, "draught": 0.25, "strength": 2, "warm": 9, "hold": 8,
}  # fmt: skip


def level(**changes):
    return DYNAMICS.load({**DATA, **changes})


def run(params, state, *powers):
    """States without draughts."""
    for power in powers:
        state = DYNAMICS.after(params, state, power, 0).state
    return state


def world(reward="accumulative", observation="gauge", skin="plain", horizon=60, preset="still"):
    return World.combine(CORE, reward=reward, observation=observation, skin=skin, horizon=horizon, preset=preset)


class TestPlant:
    @pytest.mark.parametrize("lag", [0, 1, 2])
    def test_a_setting_acts_after_its_lag(self, lag):
        params = level(lag=lag)
        state = DYNAMICS.init(params, STILL)
        glow = [run(params, state, *[2] * steps).element for steps in range(1, 6)]
        assert glow[:lag] == [0] * lag
        assert glow[lag] == 1

    def test_the_element_moves_one_unit_a_step(self):
        params = level(lag=0)
        assert run(params, FurnaceState(8, 0, 0, 0, 0), 2).element == 1
        assert run(params, FurnaceState(8, 2, 0, 0, 0), 0).element == 1

    def test_heat_is_gain_less_loss(self):
        assert run(level(lag=0), FurnaceState(8, 1, 0, 0, 0), 1).heat == 8 + 2 - 1

    def test_a_draught_takes_its_strength(self):
        (still, calm), (chance, cold) = DYNAMICS.outcomes(level(), FurnaceState(8, 1, 1, 1, 0), Action("set", ("low",)))
        assert (still, chance) == (0.75, 0.25)
        assert calm.state.heat - cold.state.heat == 2

    def test_heat_is_never_below_zero(self):
        assert run(level(), FurnaceState(0, 0, 0, 0, 0), 0).heat == 0

    def test_too_hot_ends_all(self):
        after = DYNAMICS.after(level(lag=0), FurnaceState(13, 2, 0, 0, 0), 2, 0)
        assert after.over
        assert after.events == (Event("cracked"),)

    def test_what_has_acted_is_forgotten(self):
        assert run(level(lag=0), FurnaceState(5, 0, 0, 0, 0), 2)[2:4] == (0, 0)
        assert run(level(lag=1), FurnaceState(5, 0, 1, 0, 0), 2)[2:4] == (2, 0)
        assert run(level(lag=2), FurnaceState(5, 0, 1, 0, 0), 2)[2:4] == (2, 1)

    def test_a_level_without_a_part_is_refused(self):
        with pytest.raises(UsageError, match="needs 'lag'"):
            DYNAMICS.load({name: value for name, value in DATA.items() if name != "lag"})
        with pytest.raises(UsageError, match="lag of 0 to 2"):
            level(lag=3)


class TestWares:
    def test_nothing_is_held_while_it_is_warmed(self):
        assert DYNAMICS.after(level(lag=0), FurnaceState(8, 1, 0, 0, 8), 1, 0).events == ()

    def test_in_the_band_it_is_held_and_outside_spoiled(self):
        params = level(lag=0)
        assert DYNAMICS.after(params, FurnaceState(8, 1, 0, 0, 9), 1, 0).events == (Event("held"),)
        assert DYNAMICS.after(params, FurnaceState(3, 1, 0, 0, 9), 1, 0).events == (Event("spoiled"),)

    def test_the_next_ware_comes_in_cold(self):
        after = DYNAMICS.after(level(lag=0), FurnaceState(8, 1, 0, 0, 16), 1, 0)
        assert after.events == (Event("held"), Event("fired"))
        assert (after.state.heat, after.state.clock) == (5, 0)

    def test_binary_ends_with_the_first_step_outside(self):
        one = world("binary")
        moment = one.begin(level(), STILL)
        while not moment.over:
            moment = one.advance(moment, Action("set", ("off",)))
        assert (moment.time, moment.total, moment.terminated) == (10, 0.0, True)

    @given(st.integers(0, 2**64 - 1), st.integers(0, 9))
    @settings(max_examples=40, deadline=None)
    def test_no_luck_pays_beyond_the_limits(self, seed, which):
        one = world()
        found = one.levels("test")[which]
        params, key = one.load(found), Key(seed)
        moment = one.begin(params, key)
        counts = dict.fromkeys(DYNAMICS.events, 0.0)
        while not moment.over:
            moment = one.advance(moment, DYNAMICS.actions.sample(key.at(1_000 + moment.time)))
            for event in moment.events:
                counts[event.name] += event.amount
        limits = DYNAMICS.limits(params, one.horizon)
        assert all(counts[name] <= limits[name] for name in counts)


class TestLevels:
    @pytest.mark.parametrize("preset", ["still", "windy"])
    def test_full_power_reaches_the_band_while_the_first_ware_is_warmed(self, preset):
        for found in world(preset=preset).levels("train", 40):
            params = DYNAMICS.load(found.params)
            state = DYNAMICS.init(params, STILL)
            hottest = [state.heat]
            for _ in range(params.warm):
                after = DYNAMICS.after(params, state, 2, 0)
                state = after.state
                hottest.append(state.heat)
                if after.over:
                    break
            assert max(hottest) >= params.low


class TestViews:
    def test_the_gauge_hides_law_and_element(self):
        view = CORE.observations["gauge"].observe(level(), FurnaceState(8, 1, 1, 1, 3), ())
        assert (view.law, view.element) == (None, None)
        assert (view.heat, view.band, view.warm, view.hold) == (8, (7, 11), 6, 8)

    def test_plants_of_another_law_look_alike_at_first(self):
        for skin in CORE.skins:
            one = world(skin=skin)
            assert (
                len({one.show(one.begin(level(gain=g, loss=b, lag=k), STILL)) for g, b, k in [(1, 1, 0), (3, 4, 2)]})
                == 1
            )


class TestSkill:
    def test_a_player_that_learns_the_plant_does_far_better_than_chance(self):
        one = world()
        clever, random = [], []
        for found in one.levels("validation"):
            params = one.load(found)
            for sample in range(4):
                key = episode_key(found, sample)
                clever.append(play_views(one, params, key).total)
                random.append(play_out(one, params, key, act_randomly).total)
        most = np.mean([DYNAMICS.limits(one.load(found), 60)["held"] for found in one.levels("validation")])
        assert np.mean(random) < 0.2 * most
        assert np.mean(clever) > 0.7 * most
