import pytest

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.cores.wind import CORE
from finchmark.environments.worlds.keys import STILL

LEVEL = {
    "size": 5, "start": 12, "goal": 24, "pits": [0, 4], "crystals": [13, 14], "way": "east", "period": 2, "phase": 1,
}  # fmt: skip


def walk(level, *moves):
    dynamics = CORE.dynamics
    params = dynamics.load({**LEVEL, **level})
    state, found = dynamics.init(params, STILL), []
    for move in moves:
        action = Action("wait") if move == "wait" else Action("move", (move,))
        after = dynamics.step(params, state, action, STILL)
        state = after.state
        found.append((state.x, state.y, [event.name for event in after.events], after.over))
    return found


class TestMoves:
    def test_gusts_come_in_their_rhythm(self):
        assert [row[:2] for row in walk({}, "wait", "wait", "wait")] == [(2, 2), (3, 2), (3, 2)]

    def test_borders_stop_the_player_and_the_gust(self):
        assert [row[:2] for row in walk({"start": 14}, "east", "east")] == [(4, 2), (4, 2)]

    def test_a_pit_ends_the_episode(self):
        assert walk({"start": 3, "phase": 0}, "wait")[-1] == (4, 0, ["fell"], True)

    def test_a_pit_on_the_way_is_a_pit(self):
        row = walk({"start": 7, "pits": [2], "phase": 0}, "north")[-1]
        assert (row[0], row[1], row[3]) == (2, 0, True)

    def test_crystals_are_gathered_once(self):
        rows = walk({}, "east", "west", "wait")
        assert [row[2] for row in rows] == [["gathered"], [], []]

    def test_two_can_be_gathered_in_a_step(self):
        assert walk({"phase": 0}, "east")[0][2] == ["gathered", "gathered"]

    def test_the_goal_is_reached_once(self):
        rows = walk({"start": 19, "way": "north", "period": 3, "phase": 2}, "south", "wait")
        assert [row[2] for row in rows] == [["arrived"], []]


class TestViews:
    def test_what_is_hidden_is_hidden(self):
        params = CORE.dynamics.load(LEVEL)
        state = CORE.dynamics.init(params, STILL)
        full, windless, near = (CORE.observations[n].observe(params, state, ()) for n in ("full", "windless", "near"))
        assert full.gust == ("east", 2, 1)
        assert windless == full._replace(gust=None)
        assert near.cells == ("?????", "?...?", "?..*?", "?...?", "?????")

    @pytest.mark.parametrize("number", range(5))
    def test_alternatives_look_alike_and_hold_the_truth(self, number):
        rng_level = CORE.levels("breeze", "train", 5)[number]
        settings = CORE.generator.presets["breeze"].settings
        found = CORE.generator.alternatives(settings, rng_level.params, "windless")
        assert found is not None
        assert rng_level.params in [params for _, params in found]
        views = set()
        for _, data in found:
            params = CORE.dynamics.load(data)
            views.add(CORE.observations["windless"].observe(params, CORE.dynamics.init(params, STILL), ()))
        assert len(views) == 1
