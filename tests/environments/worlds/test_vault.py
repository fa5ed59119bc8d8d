from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.cores.vault import CORE, VaultLevel, VaultState
from finchmark.environments.worlds.keys import STILL, Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

# Rooms 0 1 2 / 3 4 5 / 6 7 8. In 4: a lever (a, wired to door 2), door 1 to the north, door 2 to the east, the lock to
# the south, one way to the west.
DATA = {
    "width": 3,
    "height": 3,
    "start": 4,
    "treasure": 7,
    "key": 5,
    "levers": [4, 0, 8],
    "coins": [1, 3],
    "doors": [[1, 4], [4, 5], [5, 8]],
    "lock": [4, 7],
    "open": [[0, 1], [0, 3]],
    "one_way": [[4, 3]],
    "wiring": [1, 0, 2],
    "delay": 3,
}
DYNAMICS = CORE.dynamics
PULL, WAIT = Action("pull"), Action("wait")


def move(way: str) -> Action:
    return Action("move", (way,))


@pytest.fixture(scope="module")
def level() -> VaultLevel:
    return DYNAMICS.load(DATA)


def play(level: VaultLevel, *actions: Action) -> tuple[VaultState, list[str]]:
    state, events = DYNAMICS.init(level, STILL), []
    for action in actions:
        state, happened, over = DYNAMICS.step(level, state, action, STILL)
        events += [event.name for event in happened]
        assert not over
    return state, events


def world(observation: str = "plan", reward: str = "binary", preset: str = "cellar", skin: str = "plain") -> World:
    return World.combine(CORE, reward=reward, observation=observation, skin=skin, horizon=40, preset=preset)


@pytest.mark.parametrize("way", ["north", "east", "south"])
def test_shut_doors_and_the_lock_stop(level, way):
    assert play(level, move(way))[0].room == 4


def test_a_lever_opens_the_door_that_it_is_wired_to_and_no_other(level):
    assert play(level, PULL)[0].timers == (0, 3, 0)
    assert play(level, PULL, move("east"))[0].room == 5
    assert play(level, PULL, move("north"))[0].room == 4


@pytest.mark.parametrize(("waits", "room"), [(0, 5), (1, 5), (2, 5), (3, 4)])
def test_a_door_stays_open_for_the_delay_and_then_shuts(level, waits, room):
    assert play(level, PULL, *[WAIT] * waits, move("east"))[0].room == room


def test_pulling_again_starts_the_time_anew(level):
    assert play(level, PULL, WAIT, WAIT, PULL, WAIT, WAIT, move("east"))[0].room == 5


def test_pulling_where_no_lever_is_does_nothing(level):
    before = play(level, PULL, move("east"))[0]
    assert DYNAMICS.step(level, before, PULL, STILL).state == DYNAMICS.step(level, before, WAIT, STILL).state


def test_the_lock_opens_to_the_key(level):
    state, events = play(level, PULL, move("east"), move("west"), move("south"))
    assert state.room == 7
    assert events == ["equipped", "won"]


def test_a_passage_of_one_way_lets_through_one_way(level):
    state, events = play(level, move("west"), move("east"))
    assert state.room == 3
    assert events == ["looted"]


def test_things_are_taken_once(level):
    _, events = play(level, move("west"), move("north"), move("south"), move("north"), move("east"), move("west"))
    assert events == ["looted", "looted"]


def test_the_own_room_shows_its_sides_and_nothing_further(level):
    state = play(level, PULL)[0]
    view = CORE.observations["room"].observe(level, state, ())
    assert view.rows == ("???????", "???????", "??#1#??", "??<a/??", "??#L#??", "???????", "???????")
    assert (view.timers, view.wiring, view.delay) == (None, None, None)


def test_the_plan_hides_the_wiring_alone(level):
    state = DYNAMICS.init(level, STILL)
    plan, full = (CORE.observations[name].observe(level, state, ()) for name in ("plan", "full"))
    assert plan.wiring is None
    assert full._replace(wiring=None) == plan
    assert plan.rows == ("#######", "#b:*#.#", "#:#1###", "#*<a2k#", "###L#3#", "#.#G#c#", "#######")


def test_a_side_that_lets_only_in_is_shown_as_a_wall(level):
    state = play(level, move("west"))[0]
    text = CORE.skins["plain"].text(CORE.observations["room"].observe(level, state, ()))
    assert "north passage; east wall; south wall; west wall" in text


def test_the_inverse_skin_exchanges_directions():
    own = world(skin="inverse")
    assert own.reader.read("move north") == move("south")


@pytest.mark.parametrize("change", [{"wiring": [0, 0, 1]}, {"doors": [[1, 4]]}, {"levers": [4]}])
def test_a_level_that_is_none_is_refused(change):
    with pytest.raises(UsageError):
        DYNAMICS.load({**DATA, **change})


@pytest.mark.parametrize("preset", ["cellar", "keep"])
def test_levels_need_a_lever_or_the_key(preset):
    for level in world(preset=preset).levels("validation"):
        params = DYNAMICS.load(level.params)
        seen, queue = {params.start}, [params.start]
        while queue:
            for to, gate in params.ways[queue.pop()]:
                if to >= 0 and gate == 0 and to not in seen:
                    seen.add(to)
                    queue.append(to)
        assert level.params["treasure"] not in seen


def test_alternatives_are_wirings_with_the_level_among_them():
    generator = CORE.generator
    level = world().levels("test", 1)[0]
    found = generator.alternatives(generator.preset("cellar").settings, level.params, "plan")
    assert dict(level.params) in [dict(params) for _, params in found]
    assert sum(weight for weight, _ in found) == pytest.approx(1)
    assert len({tuple(params["wiring"]) for _, params in found}) == len(found) > 1


def test_the_player_finds_the_treasure_in_the_dark():
    own = world("room")
    wins = [play_views(own, own.load(level), episode_key(level)).total for level in own.levels("validation")]
    assert sum(wins) >= 4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(DYNAMICS.actions.all) - 1), max_size=40), st.integers(0, 4))
def test_rooms_timers_and_bits_stay_in_range_and_nothing_comes_back(numbers, which):
    params = DYNAMICS.load(LEVELS[which].params)
    state = DYNAMICS.init(params, STILL)
    for number in numbers:
        after = DYNAMICS.step(params, state, DYNAMICS.actions.all[number], Key(number)).state
        assert 0 <= after.room < 9
        assert all(0 <= timer <= params.delay for timer in after.timers)
        assert after.left & ~state.left == 0
        state = after


LEVELS = world().levels("train", 5)
