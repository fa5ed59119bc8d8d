import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.audit.subject import Subject
from finchmark.environments.worlds.cores.colony import CORE, ColonyPlan, ColonyPlayer, ColonyState, ColonyView
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.world import World, episode_key

LEVEL = {"food": 5, "workers": 2, "failure": 0.0, "barren": 1, "start": 0, "target": 9}


def after(action, values, state=None, **level):
    dynamics = CORE.dynamics
    params = dynamics.load({**LEVEL, **level})
    begin = dynamics.init(params, Key(0)) if state is None else state
    return dynamics.step(params, begin, Action(action, values), Key(1))


class TestEconomy:
    @pytest.mark.parametrize(
        ("action", "values", "expected"),
        [
            ("work", ("farm",), ColonyState(7, 0, 2, 0, 1, 0)),
            ("work", ("mine",), ColonyState(3, 2, 2, 0, 1, 0)),
            ("work", ("forge",), ColonyState(3, 0, 2, 0, 1, 0)),
            ("work", ("settle",), ColonyState(0, 0, 2, 0, 1, 0)),
            ("sell", (2,), ColonyState(3, 0, 2, 0, 1, 0)),
        ],
    )
    def test_work_then_eat(self, action, values, expected):
        if values == ("settle",):  # three workers eat what is left, and one more than there is
            assert after(action, values).state == ColonyState(0, 0, 2, 0, 1, 0)
        assert after(action, values).state == expected

    def test_nothing_grows_in_the_barren_season(self):
        assert after("work", ("farm",), barren=0).state.food == 3

    def test_hunger_costs_a_worker_and_the_last_one_ends_it(self):
        step = after("sell", (1,), ColonyState(0, 0, 1, 0, 0, 0))
        assert ([event.name for event in step.events], step.over) == (["starved"], True)

    def test_selling_needs_the_ore(self):
        assert after("sell", (3,), ColonyState(5, 2, 1, 0, 0, 0)).events == ()
        assert after("sell", (2,), ColonyState(5, 2, 1, 0, 0, 0)).events[0].amount == 2

    def test_the_charter_is_met_once(self):
        first = after("sell", (3,), ColonyState(5, 5, 1, 0, 0, 7))
        assert [event.name for event in first.events] == ["sold", "chartered"]
        again = after("sell", (2,), first.state)
        assert [event.name for event in again.events] == ["sold"]

    def test_a_harvest_may_fail_and_both_outcomes_are_listed(self):
        dynamics = CORE.dynamics
        params = dynamics.load({**LEVEL, "failure": 0.2})
        listed = dynamics.outcomes(params, dynamics.init(params, Key(0)), Action("work", ("farm",)))
        assert listed is not None
        assert [(p, t.state.food) for p, t in listed] == [(0.8, 7), (0.2, 3)]

    @given(st.integers(0, 2**64 - 1))
    def test_stocks_stay_in_their_ranges(self, seed):
        key = Key(seed)
        dynamics = CORE.dynamics
        params = dynamics.load({**LEVEL, "failure": 0.3})
        state = dynamics.init(params, key)
        for time in range(30):
            step = dynamics.step(params, state, dynamics.actions.sample(key.at(time)), key.at(100 + time))
            state = step.state
            assert 0 <= state.food <= 8
            assert 0 <= state.ore <= 5
            assert 0 <= state.workers <= 3
            if step.over:
                break


class TestPlayer:
    def world(self, reward):
        return World.combine(CORE, reward=reward, observation="seasonless", skin="plain", horizon=40, preset="valley")

    def test_a_plan_knows_what_exact_search_knows(self):
        """The value of a level's start by its luck and phase is the level's maximum."""
        world = self.world("accumulative")
        plan = ColonyPlan(world)
        subject = Subject(world, splits={"test": 1})
        level = subject.test_levels[0].params
        phase = (level["start"] - 2 * level["barren"]) % 6
        luck = list(plan.failures).index(level["failure"])
        start = plan.stock(level["food"], 0, level["workers"], 0, 0)
        graph = subject.graph(subject.test_levels[0])
        assert graph is not None
        exact = graph.start_value(graph.optimum(world.reward, world.horizon)[-1])
        assert plan.values[-1, luck, phase, start] == pytest.approx(exact, abs=1e-9)

    @pytest.mark.parametrize(("reward", "least"), [("accumulative", 23.0), ("binary", 0.9)])
    def test_it_earns_most_of_what_can_be_earned(self, reward, least):
        world = self.world(reward)
        levels = world.levels("validation")
        totals = [play_views(world, world.load(level), episode_key(level, n)).total for level in levels for n in (0, 1)]
        assert np.mean(totals) > least

    def test_a_harvest_that_comes_rules_a_season_out(self):
        world = self.world("accumulative")
        player = ColonyPlayer(world)
        player._farmed = player._plan.stock(3, 0, 2, 0, 0)
        player._left -= 1
        player.act(ColonyView(5, 0, 2, 0, 0, None), 0.0, Key(0))
        # The harvest came a step ago: now is not the second step of the barren season, nor the one after it.
        assert player._belief[:, 1:3].sum() == 0
        assert player._belief.sum() == pytest.approx(1)
