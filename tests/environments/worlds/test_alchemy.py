"""Alchemy: its flask and reactions by hand, what its books hide, and its player."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.cores.alchemy import CORE, AlchemyLevel, AlchemyState
from finchmark.environments.worlds.keys import STILL
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

_DYNAMICS = CORE.dynamics
_COLD, _MILD, _HOT = range(3)
# salt + ash -> tincture when hot, tincture + oil -> elixir when cold, salt + oil -> dross when mild
_LEVEL = _DYNAMICS.load({"recipes": [[0, 1, _HOT, 4], [4, 2, _COLD, 5], [0, 2, _MILD, 6]], "start": _MILD})


def _act(*texts: str, state: AlchemyState | None = None, level: AlchemyLevel = _LEVEL):
    state = state or _DYNAMICS.init(level, STILL)
    events = []
    for text in texts:
        name, *values = text.split()
        state, happened, over = _DYNAMICS.step(level, state, Action(name, tuple(values)), STILL)
        events += happened
        assert not over
    return state, events


def _world(**parts: str) -> World:
    return World.combine(
        CORE, **{"reward": "accumulative", "observation": "full", "skin": "plain"} | parts, horizon=40, preset="bench"
    )


def test_a_pair_reacts_at_its_heat_alone() -> None:
    mild, _ = _act("add salt", "add ash")
    assert mild == ((1, 1, 0, 0, 0, 0, 0), _MILD)
    hot, _ = _act("heat", state=mild)
    assert hot == ((0, 0, 0, 0, 2, 0, 0), _HOT)


def test_the_chain_fills_a_bottle_that_is_worth_four() -> None:
    state, events = _act("heat", "add salt", "add ash", "add oil", "cool", "cool", "add oil", "bottle")
    assert [(e.name, e.amount) for e in events] == [("worth", 4.0), ("perfect", 1.0)]
    assert state == ((0,) * 7, _COLD)


def test_what_is_no_elixir_takes_off_the_worth() -> None:
    _, events = _act("heat", "add salt", "add ash", "cool", "cool", "add oil", "bottle")
    assert [(e.name, e.amount) for e in events] == [("worth", 1.0)]


def test_dross_is_a_dead_end() -> None:
    state, events = _act("add salt", "add oil", "heat", "add ash", "add ash", "cool", "cool", "bottle")
    assert not events
    assert state.flask == (0,) * 7


def test_one_reaction_takes_place_in_a_step() -> None:
    state, _ = _act("add salt", "add salt", "add ash", "add ash", "heat")
    assert state.flask == (1, 1, 0, 0, 2, 0, 0)
    state, _ = _act("stir", state=state)
    assert state.flask == (0, 0, 0, 0, 4, 0, 0)


def test_of_two_reactions_at_one_heat_the_first_in_the_book_takes_place() -> None:
    level = _DYNAMICS.load({"recipes": [[0, 1, _HOT, 4], [4, 2, _COLD, 5], [0, 2, _HOT, 6]], "start": _MILD})
    state, _ = _act("add salt", "add salt", "add ash", "add oil", "heat", level=level)
    assert state.flask == (1, 0, 1, 0, 2, 0, 0)
    assert _act("stir", state=state, level=level)[0].flask == (0, 0, 0, 0, 2, 0, 2)


def test_a_full_flask_takes_no_more_and_heat_has_ends() -> None:
    state, _ = _act("add lye", "add lye", "add lye", "add lye", "add ash", "cool", "cool", "cool")
    assert state == ((0, 0, 0, 4, 0, 0, 0), _COLD)
    assert _act("heat", "heat", "heat")[0].heat == _HOT


def test_an_empty_bottle_is_no_event() -> None:
    assert _act("bottle")[1] == []


@given(st.lists(st.sampled_from(_DYNAMICS.actions.all), max_size=40), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_reactions_conserve_measures(actions: list[Action], number: int) -> None:
    world = _world()
    params = world.load(world.levels("test")[number])
    state = _DYNAMICS.init(params, STILL)
    for action in actions:
        before = sum(state.flask)
        state = _DYNAMICS.step(params, state, action, STILL).state
        if action.name == "bottle":
            assert sum(state.flask) == 0
        else:
            assert sum(state.flask) == min(4, before + (action.name == "add"))
        assert min(state.flask) >= 0


@pytest.mark.parametrize("data", [{}, {"recipes": [[0, 1]], "start": 0}, {"recipes": [[0, 0, 1, 4]], "start": 0}])
def test_what_is_no_level_is_refused(data: dict) -> None:
    with pytest.raises(UsageError, match="alchemy level"):
        _DYNAMICS.load(data)


def test_torn_books_hide_the_heats_of_the_chain_and_list_all_that_go_with_them() -> None:
    world = _world(observation="torn")
    level = world.levels("test")[0]
    view = world.view(world.begin(world.load(level), episode_key(level)))
    assert [entry[2] is None for entry in view.book] == [True, True, False]
    listed = CORE.generator.alternatives({"fouls": 1}, level.params, "torn")
    assert len(listed) == 6
    assert sum(p for p, _ in listed) == pytest.approx(1)
    assert dict(level.params) in [dict(other) for _, other in listed]
    looks = {world.view(world.begin(_DYNAMICS.load(other), episode_key(level))) for _, other in listed}
    assert looks == {view}


def test_a_blank_book_tells_nothing_but_what_comes_out() -> None:
    world = _world(observation="blank")
    looks = {world.view(world.begin(world.load(x), episode_key(x))).book for x in world.levels("test")}
    assert looks == {((None, None, None, 4), (None, None, None, 5), (None, None, None, 6))}


def test_the_inverse_skin_exchanges_heating_and_cooling() -> None:
    world = _world(skin="inverse")
    level = world.levels("test")[0]
    moment = world.begin(world.load(level), episode_key(level))
    moment = moment._replace(state=AlchemyState((0,) * 7, _MILD))
    assert world.act(moment, "cool").state.heat == _HOT
    assert "dross pays 1" in world.instructions()


@pytest.mark.parametrize(("observation", "least"), [("full", 17), ("torn", 16), ("blank", 13)])
def test_the_player_brews_with_what_it_sees(observation: str, least: float) -> None:
    world = _world(observation=observation)
    levels = world.levels("test")
    totals = [play_views(world, world.load(level), episode_key(level)).total for level in levels]
    assert sum(totals) / len(totals) >= least


def test_the_cellar_has_two_pairs_that_give_dross() -> None:
    level = CORE.generator.levels("alchemy", "cellar", "test", 1)[0]
    assert [recipe[3] for recipe in level.params["recipes"]] == [4, 5, 6, 6]
