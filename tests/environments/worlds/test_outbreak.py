from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.cores.outbreak import CORE, OutbreakLevel, OutbreakPlayer, OutbreakState
from finchmark.environments.worlds.keys import STILL, Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

# A ring of six towns, numbered around it, with a spoke from 0 to 3. Road 1 joins towns 1 and 2 as the player counts.
DATA = {
    "roads": [[0, 1], [0, 3], [0, 5], [1, 2], [2, 3], [3, 4], [4, 5]],
    "seeds": [0],
    "percent": 25,
    "closures": 2,
}
DYNAMICS = CORE.dynamics
WAIT = Action("wait")


def treat(town: int) -> Action:
    return Action("treat", (town,))


def close(road: int) -> Action:
    return Action("close", (road,))


@pytest.fixture(scope="module")
def level() -> OutbreakLevel:
    return DYNAMICS.load(DATA)


def spread(level: OutbreakLevel, state: OutbreakState, action: Action = WAIT) -> dict[int, float]:
    found: dict[int, float] = {}
    for chance, after in DYNAMICS.outcomes(level, state, action):
        found[after.state.sick] = found.get(after.state.sick, 0.0) + chance
    return found


def world(observation: str, reward: str = "accumulative", preset: str = "delta", skin: str = "plain") -> World:
    return World.combine(CORE, reward=reward, observation=observation, skin=skin, horizon=30, preset=preset)


def test_each_neighbour_falls_sick_on_its_own(level):
    found = spread(level, OutbreakState(0b000001, 0))
    assert len(found) == 8
    assert found[0b000001] == pytest.approx(0.75**3)
    assert found[0b101011] == pytest.approx(0.25**3)


def test_two_sick_neighbours_infect_more_likely(level):
    found = spread(level, OutbreakState(0b001010, 0))  # towns 1 and 3: both beside 0 and 2
    falls = sum(chance for sick, chance in found.items() if sick & 1)
    assert falls == pytest.approx(1 - 0.75**2)


def test_nothing_passes_along_a_closed_road(level):
    state = OutbreakState(0b000001, 0)
    closed = DYNAMICS.outcomes(level, state, close(1))[0][1].state.closed
    assert closed == 1
    assert not any(sick & 0b10 for sick in spread(level, OutbreakState(1, closed)))


def test_no_more_roads_close_than_may(level):
    state = OutbreakState(1, 0b11)
    assert DYNAMICS.outcomes(level, state, close(3))[0][1].state.closed == 0b11


def test_closing_a_road_that_is_not_there_does_nothing(level):
    assert DYNAMICS.outcomes(level, OutbreakState(1, 0), close(8))[0][1].state.closed == 0


def test_a_treated_town_is_well_but_may_fall_sick_again(level):
    found = spread(level, OutbreakState(0b000011, 0), treat(1))
    assert found[0b000010] == pytest.approx(0.75**2)  # neither 0 nor 2 caught it from 1
    assert any(sick & 1 for sick in found)


def test_the_last_healing_contains_it_and_nothing_comes_back(level):
    ((chance, after),) = DYNAMICS.outcomes(level, OutbreakState(1, 0), treat(1))
    assert chance == 1
    assert [event.name for event in after.events] == ["cured", "well", "contained"]
    ((_, later),) = DYNAMICS.outcomes(level, after.state, WAIT)
    assert [event.name for event in later.events] == ["well"]


def test_probabilities_of_outcomes_sum_to_one(level):
    for sick in range(64):
        assert sum(p for p, _ in DYNAMICS.outcomes(level, OutbreakState(sick, 0), WAIT)) == pytest.approx(1)


def test_a_test_tells_of_a_town_and_its_neighbours_and_of_no_other(level):
    _, events, _ = DYNAMICS.step(level, OutbreakState(0b000010, 0), Action("test", (3,)), STILL)
    view = CORE.observations["tested"].observe(level, OutbreakState(0b000010, 0), events)
    assert view.sick == (None, True, False, False, None, None)
    assert view.percent is None
    assert CORE.observations["tested"].observe(level, OutbreakState(2, 0), ()).sick == (None,) * 6


@pytest.mark.parametrize(("sick", "treated"), [(0b000010, 2), (0b000100, -2)])
def test_a_treatment_tells_whether_it_was_needed(level, sick, treated):
    after = DYNAMICS.outcomes(level, OutbreakState(sick, 0), treat(2))[0][1]
    view = CORE.observations["tested"].observe(level, after.state, after.events)
    assert view.treated == treated
    assert f"town 2 was {'sick' if treated > 0 else 'healthy'}" in CORE.skins["plain"].text(view)


@pytest.mark.parametrize(
    "change", [{"roads": [[1, 0]]}, {"percent": 0}, {"roads": [[0, 1]] * 9}, {"seeds": None}, {"closures": None}]
)
def test_a_level_that_is_none_is_refused(change):
    data = {**DATA, **change}
    if change == {"closures": None}:
        del data["closures"]
    with pytest.raises(UsageError):
        DYNAMICS.load(data)


def test_every_town_of_a_drawn_map_can_be_reached():
    for level in world("full").levels("validation"):
        part = list(range(6))
        for a, b in level.params["roads"]:
            part = [part[b] if p == part[a] else p for p in part]
        assert len(set(part)) == 1
        assert len({tuple(road) for road in level.params["roads"]}) == 8


def test_the_players_spread_is_the_worlds(level):
    own = world("full")
    player = OutbreakPlayer(own)
    moment = own.begin(level, STILL)
    player.act(own.view(moment), 0.0, STILL)
    matrix = player._spread(0b1)
    for sick in (1, 0b1010, 0b111000, 63):
        found = spread(level, OutbreakState(sick, 1))
        wanted = np.zeros(64)
        wanted[list(found)] = list(found.values())
        np.testing.assert_allclose(matrix[sick], wanted, atol=1e-12)


def test_the_player_keeps_many_towns_well_though_it_sees_few():
    own = world("tested")
    level = own.levels("validation", 1)[0]
    totals = [play_views(own, own.load(level), episode_key(level, n)).total for n in range(5)]
    assert sum(totals) / 5 > 80  # a random player gets about 15 of 180


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 63), st.integers(0, 127), st.integers(0, 20), st.integers(0, 2**32))
def test_a_step_is_one_of_the_listed_outcomes(sick, closed, number, seed):
    action = DYNAMICS.actions.all[number]
    params = DYNAMICS.load(DATA)
    after = DYNAMICS.step(params, OutbreakState(sick, closed), action, Key(seed))
    assert after in [found for _, found in DYNAMICS.outcomes(params, OutbreakState(sick, closed), action)]
