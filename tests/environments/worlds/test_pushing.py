"""The core pushing: what yields, what slides, what is hidden, and that its plans and counts are true."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.audit.graph import explore, shortest
from finchmark.environments.worlds.cores import pushing
from finchmark.environments.worlds.cores.pushing import CORE
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

# A corridor of seven free cells, 8 to 14, in a map 9 wide and 3 high; row 1 is the corridor: cells 10 to 16.
WALK = {name: Action("walk", (name,)) for name in ("north", "east", "south", "west")}
WAIT = Action("wait")


def corridor(**changes):
    data = {
        "width": 9, "height": 3, "start": 10, "chute": 16, "walls": [], "slate": [], "glaze": [],
        "crates": [12, 15], "slick": "slate", "heavy": 1,
    } | changes  # fmt: skip
    return CORE.dynamics.load(data)


def after(level, *actions):
    state, events = CORE.dynamics.init(level, Key(0)), []
    for action in actions:
        transition = CORE.dynamics.step(level, state, action, Key(0))
        state = transition.state
        events += [event.name for event in transition.events]
    return state, events


def test_a_light_crate_yields_at_once():
    state, _ = after(corridor(start=11), WALK["east"])
    assert (state.player, state.light) == (12, (13,))


def test_a_crate_does_not_move_another_or_a_wall():
    blocked, _ = after(corridor(start=11, crates=[12, 13], heavy=1), WALK["east"])
    assert (blocked.player, blocked.light, blocked.heavy) == (11, (12,), 13)
    wall, _ = after(corridor(start=11, crates=[12, 15], walls=[13]), WALK["east"])
    assert (wall.player, wall.light) == (11, (12,))


def test_the_heavy_crate_yields_only_to_a_run_up():
    level = corridor(crates=[12, 15], heavy=0)
    standing, _ = after(corridor(crates=[12, 15], heavy=0, start=11), WALK["east"])
    assert (standing.player, standing.heavy) == (11, 12)
    running, _ = after(level, WALK["east"], WALK["east"])
    assert (running.player, running.heavy) == (12, 13)
    # Once it rolls it goes on rolling; a pause ends the run-up.
    assert after(level, WALK["east"], WALK["east"], WALK["east"])[0].heavy == 14
    assert after(level, WALK["east"], WAIT, WALK["east"])[0].heavy == 12
    assert after(level, WALK["east"], WALK["west"], WALK["east"], WALK["east"])[0].heavy == 13


@pytest.mark.parametrize(
    ("slate", "stops"), [([13], 14), ([13, 14], 15), ([14], 13)], ids=["one tile", "two tiles", "not yet on it"]
)
def test_crates_slide_over_the_slick_kind(slate, stops):
    state, _ = after(corridor(start=11, crates=[12, 16], chute=10, slate=slate), WALK["east"])
    assert state.light == (stops,)


def test_the_other_kind_of_tile_is_rough():
    state, _ = after(corridor(start=11, crates=[12, 16], chute=10, glaze=[13, 14]), WALK["east"])
    assert state.light == (13,)


def test_a_sliding_crate_stops_before_another():
    state, _ = after(corridor(start=11, crates=[12, 15], chute=10, slate=[13, 14]), WALK["east"])
    assert state.light == (14,)


def test_crates_fall_into_the_chute_and_the_last_one_clears_the_yard():
    level = corridor(start=11, chute=14, crates=[12, 13], heavy=0)
    # The light crate is beyond the heavy one: nothing moves until it is gone.
    assert after(level, *[WALK["east"]] * 3)[1] == []
    level = corridor(start=10, chute=15, crates=[12, 14], heavy=1)
    assert after(level, *[WALK["east"]] * 4)[1] == []
    level = corridor(start=10, chute=13, crates=[11, 16], heavy=1)
    state, events = after(level, WALK["east"], WALK["east"])
    assert events == ["delivered"]
    assert state.light == (-1,)
    level = corridor(start=12, chute=10, crates=[11, 14], heavy=1, width=9)
    state, events = after(level, WALK["west"])
    assert events == ["delivered"]


def test_clearing_ends_the_episode():
    level = corridor(start=11, chute=14, crates=[13], heavy=0)
    state = CORE.dynamics.init(level, Key(0))
    for _ in range(2):
        transition = CORE.dynamics.step(level, state, WALK["east"], Key(0))
        state = transition.state
    assert [event.name for event in transition.events] == ["hauled", "cleared"]
    assert transition.over


def test_unmarked_views_hide_weight_and_slick_kind():
    marks = CORE.observations["unmarked"]
    views = set()
    for heavy in (0, 1):
        for slick in ("slate", "glaze"):
            level = corridor(heavy=heavy, slick=slick, slate=[13], glaze=[14])
            views.add(marks.observe(level, CORE.dynamics.init(level, Key(0)), ()))
    assert len(views) == 1


def test_near_views_end_two_cells_away():
    level = corridor(start=12, crates=[13, 15])
    view = CORE.observations["near"].observe(level, CORE.dynamics.init(level, Key(0)), ())
    assert view.rows == ("?#####???", "?..@o.???", "?#####???")


@pytest.mark.parametrize("preset", ["yard", "hall"])
def test_plans_are_solutions_and_no_shorter_than_the_shortest(preset):
    world = World.combine(CORE, reward="binary", observation="full", skin="plain", horizon=60, preset=preset)
    names = {}
    for level in world.levels("train", 4):
        params = world.load(level)
        state = world.dynamics.init(params, Key(0))
        plan = pushing._plan(params, state)
        names = {delta: name for name, delta in params.deltas.items()}
        over = False
        for delta in plan:
            assert not over
            transition = world.dynamics.step(params, state, WALK[names[delta]], Key(0))
            state, over = transition.state, transition.over
        assert over
        graph = explore(world.dynamics, params, 60)
        least = shortest(graph, world.reward)
        assert 0 < least <= len(plan) <= CORE.generator.presets[preset].settings["most"]


def test_alternatives_are_the_levels_that_would_have_been_drawn():
    world = World.combine(CORE, reward="binary", observation="unmarked", skin="plain", horizon=40, preset="yard")
    preset = CORE.generator.presets["yard"].settings
    for level in world.levels("train", 10):
        others = CORE.generator.alternatives(preset, level.params, "unmarked")
        assert dict(level.params) in [dict(params) for _, params in others]
        assert sum(weight for weight, _ in others) == pytest.approx(1)
        assert all(pushing._fits(preset, params) for _, params in others)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["full", "near"]))
def test_crates_are_never_lost_and_never_share_a_cell(seed, observation):
    world = World.combine(CORE, reward="accumulative", observation=observation, skin="plain", horizon=40, preset="yard")
    level = world.levels("train", 6)[seed % 6]
    moment = world.begin(world.load(level), episode_key(level))
    delivered = 0
    while not moment.over:
        moment = world.advance(moment, world.dynamics.actions.sample(Key(seed).at(moment.time)))
        delivered += sum(event.name in ("delivered", "hauled") for event in moment.events)
        standing = [cell for cell in (*moment.state.light, moment.state.heavy) if cell != -1]
        assert len(standing) + delivered == 2
        assert len({*standing, moment.state.player}) == len(standing) + 1
        assert not any(moment.params.solid[cell] for cell in (*standing, moment.state.player))


@pytest.mark.parametrize(("observation", "least"), [("unmarked", 2.9), ("near", 2.5)])
def test_the_player_finds_out_and_delivers(observation, least):
    world = World.combine(CORE, reward="accumulative", observation=observation, skin="plain", horizon=50, preset="yard")
    levels = world.levels("train", 12)
    total = sum(play_views(world, world.load(level), episode_key(level)).total for level in levels)
    assert total / len(levels) >= least


def test_data_without_a_part_is_refused():
    with pytest.raises(UsageError, match="heavy"):
        CORE.dynamics.load({"width": 3, "height": 3, "crates": []})
    with pytest.raises(UsageError, match="slick"):
        corridor(slick="ice")
