"""The core workshop: what may start, how machines are coupled, that deadlines can be kept and tell no coupling."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.cores import workshop
from finchmark.environments.worlds.cores.workshop import CORE, WorkshopState
from finchmark.environments.worlds.keys import STILL, Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

PRESS, OVEN = 0, 1
WAIT = Action("wait")
START = {name: Action("start", (name,)) for name in ("axe", "bell", "cup")}
HEAT = {name: Action("heat", (name,)) for name in ("press", "oven")}


def level(**changes):
    data = {
        "stages": [[[0, 2, 1], [1, 2, 0]], [[1, 2, 1], [0, 2, 0]], [[0, 3, 0], [1, 3, 0]]],
        "values": [1, 2, 3], "due": [20, 20, 20], "awaited": 2, "delay": 6, "coupling": "apart",
    } | changes  # fmt: skip
    return CORE.dynamics.load(data)


def state(work=(-1, -1), count=(0, 0), done=(0, 0, 0), clock=0):
    return WorkshopState(clock, done, work, count)


def after(params, before, *actions):
    events, over = [], False
    for action in actions:
        before, happened, over = CORE.dynamics.step(params, before, action, STILL)
        events += happened
    return before, [(event.name, event.amount) for event in events], over


def test_a_machine_takes_two_more_steps_to_warm_and_cools_after_three():
    params, now = level(), state()
    counts = []
    for action in (HEAT["press"], WAIT, WAIT, WAIT, WAIT, WAIT, WAIT):
        now = after(params, now, action)[0]
        counts.append(now.left[PRESS])
    assert counts == [-2, -1, 3, 2, 1, 0, 0]


def test_heating_a_warm_machine_keeps_it_warm():
    assert after(level(), state(count=(1, 0)), HEAT["press"])[0].left == (3, 0)


def test_a_stage_runs_by_itself_and_leaves_its_machine_warm():
    now, _, _ = after(level(), state(count=(2, 0)), START["axe"])
    assert (now.work, now.left) == ((0, -1), (1, 0))
    now, _, _ = after(level(), now, WAIT)
    assert (now.work, now.left, now.done) == ((-1, -1), (3, 0), (1, 0, 0))


@pytest.mark.parametrize(
    ("before", "order"),
    [
        (state(count=(0, 3)), "axe"),  # cold
        (state(count=(-1, 3)), "axe"),  # still warming
        (state(work=(2, -1), count=(3, 3)), "axe"),  # taken
        (state(count=(3, 3), clock=5), "cup"),  # no material yet
        (state(work=(-1, 1), count=(3, 2)), "axe"),  # the jig is in use
        (state(count=(3, 3), done=(2, 0, 0)), "axe"),  # done
        (state(count=(3, 3), done=(-1, 0, 0)), "axe"),  # lost
    ],
)
def test_what_cannot_start_only_lets_time_pass(before, order):
    assert after(level(), before, START[order]) == after(level(), before, WAIT)


def test_material_is_there_from_its_delivery_on():
    assert after(level(), state(count=(3, 3), clock=6), START["cup"])[0].work == (2, -1)


@pytest.mark.parametrize(
    ("coupling", "before", "work", "count"),
    [
        ("apart", state(work=(0, -1), count=(2, -2)), (0, -1), (1, -1)),
        ("power", state(work=(0, -1), count=(2, -2)), (-1, -1), (3, -1)),
        ("apart", state(work=(0, -1), count=(2, 3)), (0, -1), (1, 2)),
        ("draught", state(work=(0, -1), count=(2, 3)), (0, -1), (1, 0)),
        ("apart", state(work=(-1, 1), count=(0, 2)), (-1, 1), (0, 1)),
        ("embers", state(work=(-1, 1), count=(0, 2)), (-1, 1), (3, 1)),
        ("apart", state(work=(2, 1), count=(2, 2)), (2, 1), (1, 1)),
        ("rivals", state(work=(2, 1), count=(2, 2)), (2, 1), (1, 2)),
    ],
)
def test_couplings(coupling, before, work, count):
    now, _, _ = after(level(coupling=coupling), before, WAIT)
    assert (now.work, now.left) == (work, count)


def test_orders_done_when_due_pay_and_later_ones_are_lost():
    ending = state(work=(-1, 0), count=(0, 1), done=(1, 2, 2), clock=18)
    assert after(level(due=[19, 20, 20]), ending, WAIT)[1:] == ([("finished", 1.0), ("completed", 1.0)], True)
    late, events, over = after(level(due=[18, 20, 20]), ending._replace(left=(0, 2), clock=17), WAIT)
    assert (late.done, events, over) == ((-1, 2, 2), [("lost", 1.0)], True)
    assert late.work == (-1, -1)


@pytest.mark.parametrize("preset", ["calm", "rush"])
def test_deadlines_can_be_kept_under_every_coupling_and_do_not_tell_it(preset):
    chosen = CORE.generator.presets[preset].settings
    for drawn in CORE.generator.levels("workshop", preset, "train", 5):
        others = CORE.generator.alternatives(chosen, drawn.params, "floor")
        assert dict(drawn.params) in [dict(params) for _, params in others]
        for _, params in others:
            least = workshop._deadlines(params)
            assert all(0 <= due - by <= chosen["slack"] for due, by in zip(params["due"], least, strict=True))
            loaded = CORE.dynamics.load(params)
            finishes = [workshop._finish(CORE.dynamics.load({**params, "due": [999] * 3}), r) for r in workshop._RANKS]
            assert any(all(t <= d for t, d in zip(f, loaded.due, strict=True)) for f in finishes if f is not None)


def test_the_floor_hides_the_coupling_alone():
    views = {
        CORE.observations["floor"].observe(p := level(coupling=c), CORE.dynamics.init(p, STILL), ())
        for c in ("apart", "power", "draught", "embers", "rivals")
    }
    assert len(views) == 1
    assert CORE.observations["full"].observe(level(), state(), ()).coupling == "apart"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["calm", "rush"]))
def test_any_play_ends_by_the_last_deadline_and_pays_each_order_once(seed, preset):
    here = World.combine(CORE, reward="accumulative", observation="floor", skin="plain", horizon=30, preset=preset)
    drawn = here.levels("train", 6)[seed % 6]
    moment = here.begin(here.load(drawn), episode_key(drawn))
    while not moment.over:
        moment = here.advance(moment, here.dynamics.actions.sample(Key(seed).at(moment.time)))
    assert moment.time <= max(drawn.params["due"])
    pairs = zip(moment.state.done, drawn.params["values"], strict=True)
    assert moment.total == sum(value for done, value in pairs if done == 2)


def test_the_player_keeps_nearly_all_deadlines_without_being_told():
    here = World.combine(CORE, reward="accumulative", observation="floor", skin="plain", horizon=30, preset="rush")
    levels = here.levels("train", 8)
    earned = sum(play_views(here, here.load(drawn), episode_key(drawn)).total for drawn in levels)
    assert earned >= 0.85 * sum(sum(drawn.params["values"]) for drawn in levels)


def test_the_player_tells_couplings_apart_by_what_they_do():
    here = World.combine(CORE, reward="accumulative", observation="floor", skin="plain", horizon=30, preset="rush")
    kept = 0
    for drawn in here.levels("train", 8):
        moment, player = here.begin(here.load(drawn), episode_key(drawn)), workshop.WorkshopPlayer(here)
        while not moment.over:
            moment = here.advance(moment, player.act(here.view(moment), moment.reward, STILL))
        cases = [case.coupling for case in player._cases]
        assert drawn.params["coupling"] in cases
        kept += len(cases)
    assert kept < 8 * 3


def test_data_that_is_no_level_is_refused():
    with pytest.raises(UsageError, match="coupling"):
        level(coupling="magic")
    with pytest.raises(UsageError, match="orders"):
        level(values=[1])
    with pytest.raises(UsageError, match="delay"):
        CORE.dynamics.load({"stages": [], "values": [], "due": [], "awaited": 0})
