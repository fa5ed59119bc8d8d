import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.cores.colony import CORE, ColonyState
from finchmark.environments.worlds.keys import Key

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
