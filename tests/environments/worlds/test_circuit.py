"""Circuit: gates, latch, register and lock by hand, what drawings hide, and its player."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.batch import advance_batch, begin_batch
from finchmark.environments.worlds.cores.circuit import CORE, CircuitState
from finchmark.environments.worlds.keys import STILL, Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

_DYNAMICS = CORE.dynamics
_AND, _OR, _XOR, _LATCH = range(4)
_REGISTER = 5
_LAMP_1 = 6
# By switches 1 and 2: and, or, xor; lamp 4: a latch that switch 3 sets and switch 4 clears; lamp 5: the register.
_GATES = [[_AND, 0, 1], [_OR, 0, 1], [_XOR, 0, 1], [_LATCH, 2, 3], [_OR, _REGISTER, _REGISTER]]
_DATA = {"gates": _GATES, "fed": 1, "covered": [0, 1], "codes": [0b10110, 0b11110]}
_LEVEL = _DYNAMICS.load(_DATA)


def _flip(*switches: int, state: CircuitState | None = None):
    state = state or _DYNAMICS.init(_LEVEL, STILL)
    events = []
    for switch in switches:
        action = Action("flip", (switch,)) if switch else Action("wait")
        state, happened, _ = _DYNAMICS.step(_LEVEL, state, action, STILL)
        events += [event.name for event in happened]
    return state, events


def _lamps(*switches: int) -> str:
    return "".join(str(_flip(*switches)[0].lamps >> n & 1) for n in range(5))


def _world(horizon: int = 40, **parts: str) -> World:
    return World.combine(
        CORE,
        **{"reward": "accumulative", "observation": "full", "skin": "plain"} | parts,
        horizon=horizon,
        preset="panel",
    )


@pytest.mark.parametrize(("switches", "shown"), [((), "000"), ((1,), "011"), ((2,), "011"), ((1, 2), "110")])
def test_gates_show_and_or_xor(switches: tuple[int, ...], shown: str) -> None:
    assert _lamps(*switches)[:3] == shown


def test_a_latch_remembers_until_it_is_cleared() -> None:
    assert [_lamps(*flips)[3] for flips in ((3,), (3, 3), (3, 3, 4), (3, 3, 4, 4), (3, 4))] == list("11000")


def test_the_register_shows_a_lamp_a_step_late() -> None:
    assert [_lamps(*flips)[4] for flips in ((1,), (1, 0), (1, 1), (1, 1, 0))] == list("0110")


def test_a_gate_may_read_an_earlier_lamp_of_the_same_step() -> None:
    gates = [_GATES[0], [_XOR, _LAMP_1, 4], *_GATES[2:]]
    level = _DYNAMICS.load(_DATA | {"gates": gates})
    state = CircuitState(0b00001, 0, 0)
    assert _DYNAMICS.step(level, state, Action("flip", (2,)), STILL).state.lamps & 0b11 == 0b11


def test_the_lock_takes_its_codes_in_turn_and_begins_anew() -> None:
    state, events = _flip(1, 0)
    assert (state.lamps, events) == (0b10110, ["entered"])
    assert state.done == 1
    after, events = _flip(3, state=state)
    assert (after.lamps, after.done, events) == (0b11110, 0, ["entered", "opened"])


def test_the_second_code_counts_for_nothing_while_the_first_is_wanted() -> None:
    state, events = _flip(3, 1, 0)
    assert (state.lamps, state.done, events) == (0b11110, 0, [])


def test_a_gate_that_reads_what_comes_after_it_is_refused() -> None:
    with pytest.raises(UsageError, match="before them"):
        _DYNAMICS.load(_DATA | {"gates": [[_AND, 0, _LAMP_1], *_GATES[1:]]})


@given(st.integers(0, 9), st.lists(st.integers(-1, 5), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_batched_rows_do_what_single_episodes_do(number: int, actions: list[int]) -> None:
    world = _world()
    level = world.levels("test")[number]
    params, key = world.load(level), episode_key(level)
    one, many = world.begin(params, key), begin_batch(world, [params, params], [key, key])
    for n in actions:
        one = world.advance(one, _DYNAMICS.actions.all[n] if n >= 0 else "unusable")
        many = advance_batch(world, many, np.array([n, -1]))
    assert (_DYNAMICS.row(many.states, 0), many.totals[0]) == (one.state, one.total)
    assert _DYNAMICS.row(many.states, 1) == (0, 0, 0)


def test_batched_rows_open_the_lock_and_begin_anew() -> None:
    keys = np.zeros(2, dtype=np.uint64)
    states, opened = _DYNAMICS.init_batch([_LEVEL, _LEVEL], keys), []
    for flip in (0, 5, 2):
        states, amounts, _ = _DYNAMICS.step_batch(states, np.array([flip, flip]), keys)
        opened.append(amounts[0].tolist())
    assert opened == [[0, 0], [1, 0], [1, 1]]
    assert _DYNAMICS.row(states, 1) == _flip(1, 0, 3)[0]


def test_a_batched_step_without_an_action_changes_nothing() -> None:
    keys = np.zeros(2, dtype=np.uint64)
    states = _DYNAMICS.step_batch(_DYNAMICS.init_batch([_LEVEL, _LEVEL], keys), np.array([0, 0]), keys).states
    after = _DYNAMICS.step_batch(states, np.array([5, -1]), keys).states
    assert _DYNAMICS.row(after, 1) == _flip(1)[0]
    assert _DYNAMICS.row(after, 0) == _flip(1, 0)[0]


def test_levels_have_a_latch_a_register_and_codes_that_differ() -> None:
    for level in CORE.generator.levels("circuit", "panel", "validation"):
        gates, codes = level.params["gates"], level.params["codes"]
        assert any(kind == _LATCH for kind, _, _ in gates)
        assert any(_REGISTER in (one, other) for _, one, other in gates)
        assert len(set(codes)) == 3


def test_covers_hide_two_gates_and_every_circuit_that_they_leave_open_is_weighed() -> None:
    world = _world(observation="covered")
    setting = CORE.generator.preset("panel").settings
    level = world.levels("test")[0]
    view = world.view(world.begin(world.load(level), episode_key(level)))
    assert [n for n, gate in enumerate(view.gates) if gate[0] is None] == level.params["covered"]
    listed = CORE.generator.alternatives(setting, level.params, "covered")
    assert 1 < len(listed) <= 16
    assert sum(p for p, _ in listed) == pytest.approx(1)
    assert dict(level.params) in [dict(other) for _, other in listed]
    looks = {world.view(world.begin(_DYNAMICS.load(other), episode_key(level))) for _, other in listed}
    assert looks == {view}


def _reached(level, starts: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Steps to all pairs of switches and lamps, by the scalar dynamics."""
    found, edge = dict.fromkeys(starts, 0), list(starts)
    for place in edge:
        for action in _DYNAMICS.actions.all:
            after = _DYNAMICS.step(level, CircuitState(*place, 0), action, STILL).state[:2]
            if after not in found:
                found[after] = found[place] + 1
                edge.append(after)
    return found


def test_circuits_under_covers_are_weighed_by_how_likely_their_codes_were_drawn() -> None:
    setting = CORE.generator.preset("panel").settings
    listed = CORE.generator.alternatives(setting, _world().levels("test")[1].params, "covered")
    weights = []
    for _, other in listed:
        level, weight = _DYNAMICS.load(other), 1.0
        start, codes = {(0, 0)}, list(other["codes"])
        lamps = [place[1] for place in _reached(level, start)]
        for count, code in enumerate(codes):
            steps: dict[int, int] = {}
            reached = _reached(level, start)
            for place, step in reached.items():
                steps[place[1]] = min(step, steps.get(place[1], step))
            rare = [x for x in range(32) if 0 < lamps.count(x) <= setting["share"] * len(lamps)]
            choices = [x for x in rare if x not in codes[:count] and steps.get(x, 0) >= setting["least"]]
            assert code in choices
            weight /= len(choices)
            start = {place for place, step in reached.items() if place[1] == code and step == steps[code]}
        weights.append(weight)
    assert len(set(np.round(weights, 9))) > 1
    assert [p for p, _ in listed] == pytest.approx(np.array(weights) / sum(weights))


def test_dark_panels_show_no_wiring() -> None:
    world = _world(observation="lamps")
    level = world.levels("test")[0]
    moment = world.begin(world.load(level), episode_key(level))
    text = world.show(moment)
    assert "register" not in text
    assert "lamp 1" not in text


@pytest.mark.parametrize(("observation", "least"), [("full", 15), ("covered", 13), ("lamps", 9)])
def test_the_player_enters_codes_with_what_it_sees(observation: str, least: float) -> None:
    world = _world(observation=observation)
    totals = [play_views(world, world.load(x), episode_key(x)).total for x in world.levels("test")]
    assert sum(totals) / len(totals) >= least


def test_random_flips_hardly_ever_open_the_lock() -> None:
    world = _world(30, reward="binary")
    opened = 0
    for level in world.levels("test"):
        params = world.load(level)
        for sample in range(20):
            moment = world.begin(params, episode_key(level, sample))
            while not moment.over:
                draw = Key.of("test", "circuit", sample, moment.time)
                moment = world.advance(moment, _DYNAMICS.actions.sample(draw))
            opened += moment.total
    assert opened <= 10
