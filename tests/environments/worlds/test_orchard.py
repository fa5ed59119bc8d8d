from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.keys import STILL
from finchmark.environments.worlds.lookup import find_core
from finchmark.environments.worlds.world import World

CORE = find_core("orchard")
LEVEL = {"first": 2, "second": 3, "brim": 4, "target": 3, "phase": 0, "roots": 3}
LEAVE = Action("leave")


def cut(tree: int) -> Action:
    return Action("cut", (tree,))


def pick(tree: int) -> Action:
    return Action("pick", (tree,))


def play(*actions: Action, **level: int) -> tuple[dict[str, Any], list[tuple[str, float]]]:
    """What is seen at the end with all shown, and all events."""
    params = CORE.dynamics.load({**LEVEL, **level})
    state, events = CORE.dynamics.init(params, STILL), []
    for action in actions:
        state, happened, over = CORE.dynamics.step(params, state, action, STILL)
        events += [(event.name, event.amount) for event in happened]
        assert not over
    return dict(CORE.observations["full"].observe(params, state, ()).shown), events


def test_trees_left_alone_gain_sap():
    assert play(LEAVE)[0]["tree.sap"] == (3, 4)


def test_the_frost_takes_from_every_tree():
    assert play(LEAVE, phase=3)[0]["tree.sap"] == (1, 2)


def test_care_costs_the_tree_its_growth_and_more():
    assert play(cut(0), second=0)[0]["tree.sap"] == (1, 1)


@pytest.mark.parametrize(("roots", "after"), [(3, (2, 5)), (-2, (2, 1))])
def test_the_roots_act_on_the_other_tree_one_step_later(roots, after):
    assert play(cut(0), LEAVE, second=0, brim=5, roots=roots)[0]["tree.sap"] == after


def test_cutting_a_bare_tree_feeds_nobody():
    assert play(cut(0), LEAVE, first=0, second=0)[0]["tree.sap"] == (1, 2)


def test_more_sap_is_more_fruit_and_most_at_the_brim():
    assert play(pick(0))[1] == [("picked", 1.0)]
    assert play(pick(1))[1] == [("picked", 2.0)]
    assert play(LEAVE, pick(1))[1] == [("picked", 4.0)]


def test_picking_too_early_gets_nothing_and_costs_sap():
    seen, events = play(pick(0), first=1)
    assert events == []
    assert seen["tree.sap"][0] == 0


def test_above_the_brim_a_tree_rots_and_the_count_begins_anew():
    seen, events = play(pick(1), LEAVE, LEAVE, second=4)
    assert events == [("picked", 4.0), ("rotted", 1.0)]
    assert seen["full"] == 0
    assert seen["tree.sap"] == (0, 2)


def test_the_last_full_harvest_is_told_once():
    grow = [LEAVE] * 4
    sequence = [pick(1), *grow, pick(1), *grow, pick(1), *grow, pick(1)]
    names = [name for name, _ in play(*sequence, first=0, second=4, phase=0)[1]]
    assert names.count("filled") <= 1


def test_leaves_hide_the_season_and_the_roots():
    params = CORE.dynamics.load(LEVEL)
    seen = dict(CORE.observations["leaves"].observe(params, CORE.dynamics.init(params, STILL), ()).shown)
    assert set(seen) == {"tree.sap", "brim", "target", "full"}


def test_alternatives_are_all_seasons_and_roots():
    generator = CORE.generator
    found = generator.alternatives(generator.preset("grove").settings, LEVEL, "leaves")
    assert len(found) == 8
    assert LEVEL in [dict(params) for _, params in found]


def test_the_inverse_skin_praises_what_harms():
    world = World.combine(CORE, reward="accumulative", observation="leaves", skin="inverse", horizon=40, preset="grove")
    assert world.reader.read("water 1") == cut(1)
    assert world.reader.read("neglect") == LEAVE
    assert "cut" not in world.instructions()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, len(CORE.dynamics.actions.all) - 1), max_size=40),
    st.integers(0, 3),
    st.sampled_from([-2, 3]),
)
def test_sap_stays_between_nothing_and_the_brim(numbers, phase, roots):
    actions = [CORE.dynamics.actions.all[number] for number in numbers]
    seen, events = play(*actions, phase=phase, roots=roots)
    assert all(0 <= sap <= LEVEL["brim"] for sap in seen["tree.sap"])
    assert all(amount <= LEVEL["brim"] for name, amount in events if name == "picked")
