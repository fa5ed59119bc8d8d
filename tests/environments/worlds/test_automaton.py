"""Automaton: tape, word and reset by hand, what diagrams hide, and how its player learns a machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.batch import advance_batch, begin_batch
from finchmark.environments.worlds.cores.automaton import CORE, AutomatonState
from finchmark.environments.worlds.keys import STILL
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

_DYNAMICS = CORE.dynamics
# Left prints dot and stays; middle prints dash and goes to the other state; right prints ring, in state 1 dot.
_TABLE = [[[0, 0], [1, 1], [2, 0]], [[0, 1], [1, 0], [0, 0]]]
_DATA = {"table": _TABLE, "start": 0, "word": [0, 0, 1]}
_LEVEL = _DYNAMICS.load(_DATA)


def _press(*keys: str, state: AutomatonState | None = None):
    state = state or _DYNAMICS.init(_LEVEL, STILL)
    words = 0
    for key in keys:
        action = Action("reset") if key == "reset" else Action("press", (key,))
        state, events, _ = _DYNAMICS.step(_LEVEL, state, action, STILL)
        words += len(events)
    return state, words


def _world(horizon: int = 200, preset: str = "mill", **parts: str) -> World:
    return World.combine(
        CORE,
        **{"reward": "accumulative", "observation": "full", "skin": "plain"} | parts,
        horizon=horizon,
        preset=preset,
    )


def test_what_a_key_prints_depends_on_the_state() -> None:
    assert _press("right")[0].last == 2
    assert _press("middle", "right")[0].last == 0


def test_the_word_pays_when_it_is_whole_and_starts_anew() -> None:
    state, words = _press("left", "left", "middle")
    assert (state.done, words) == (0, 1)
    assert _press("left", "left", "middle", "left", "left", "middle")[1] == 2


def test_a_mismatch_keeps_what_may_still_be_a_beginning() -> None:
    assert _press("left", "left", "left")[0].done == 2
    assert _press("left", "right")[0].done == 0
    assert _press("left", "left", "left", "middle")[1] == 1


def test_a_reset_tears_the_tape_and_brings_the_first_state_back() -> None:
    assert _press("middle", "left", "reset")[0] == (0, 0, -1)
    assert _press("left", "reset", "left", "middle")[1] == 0


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.lists(st.integers(0, 2), max_size=30))
@settings(max_examples=60, deadline=None)
def test_progress_is_the_longest_beginning_at_the_tapes_end(word: list[int], tape: list[int]) -> None:
    # One state whose keys print each symbol: the tape is what is pressed.
    level = _DYNAMICS.load({"table": [[[0, 0], [1, 0], [2, 0]]], "start": 0, "word": word})
    state, since = _DYNAMICS.init(level, STILL), []
    for symbol in tape:
        press = Action("press", (("left", "middle", "right")[symbol],))
        state, events, _ = _DYNAMICS.step(level, state, press, STILL)
        since.append(symbol)
        assert bool(events) == (since[-len(word) :] == word)
        if events:
            since = []
        longest = max(n for n in range(len(word)) if n == 0 or since[-n:] == word[:n])
        assert state.done == longest


@given(st.integers(0, 9), st.lists(st.integers(-1, 3), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_batched_rows_do_what_single_episodes_do(number: int, actions: list[int]) -> None:
    world = _world()
    first, level = world.levels("test")[0], world.levels("test")[number]
    params, key = [world.load(first), world.load(level)], [episode_key(first), episode_key(level)]
    one, many = world.begin(params[1], key[1]), begin_batch(world, params, key)
    for n in actions:
        one = world.advance(one, _DYNAMICS.actions.all[n] if n >= 0 else "unusable")
        many = advance_batch(world, many, np.array([-1, n]))
    assert (_DYNAMICS.row(many.states, 1), many.totals[1]) == (one.state, one.total)
    assert _DYNAMICS.row(many.states, 0) == _DYNAMICS.init(params[0], STILL)


def test_a_batched_step_without_an_action_changes_nothing() -> None:
    keys = np.zeros(2, dtype=np.uint64)
    states = _DYNAMICS.step_batch(_DYNAMICS.init_batch([_LEVEL, _LEVEL], keys), np.array([1, 1]), keys).states
    after = _DYNAMICS.step_batch(states, np.array([2, -1]), keys).states
    assert _DYNAMICS.row(after, 0) == _press("middle", "right")[0]
    assert _DYNAMICS.row(after, 1) == _press("middle")[0]


@pytest.mark.parametrize("wrong", [{"start": 2}, {"word": []}, {"table": [[[0, 1]]]}])
def test_what_is_no_level_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match="automaton level"):
        _DYNAMICS.load(_DATA | wrong)


def test_no_two_states_of_a_level_are_alike() -> None:
    for level in CORE.generator.levels("automaton", "mill", "validation"):
        table = level.params["table"]
        rows = {tuple(tuple(entry) for entry in row) for row in table}
        assert len(rows) == len(table)


def test_crossed_diagrams_look_alike_for_all_orders_of_keys_and_starts_that_they_list() -> None:
    world = _world(observation="crossed")
    setting = CORE.generator.preset("mill").settings
    level = world.levels("test")[0]
    listed = CORE.generator.alternatives(setting, level.params, "crossed")
    assert len(listed) % 6 == 0
    assert sum(p for p, _ in listed) == pytest.approx(1)
    assert dict(level.params) in [dict(other) for _, other in listed]
    looks = {world.view(world.begin(_DYNAMICS.load(other), episode_key(level))) for _, other in listed}
    assert looks == {world.view(world.begin(world.load(level), episode_key(level)))}


def test_a_tape_shows_neither_state_nor_diagram() -> None:
    world = _world(observation="tape")
    level = world.levels("test")[0]
    moment = world.begin(world.load(level), episode_key(level))
    views = {world.view(moment._replace(state=moment.state._replace(at=at))) for at in range(4)}
    assert len(views) == 1
    assert "Diagram" not in world.show(moment)


@pytest.mark.parametrize(("observation", "least"), [("full", 38), ("crossed", 36), ("tape", 26)])
def test_the_player_prints_words_with_what_it_sees(observation: str, least: float) -> None:
    world = _world(observation=observation)
    totals = [play_views(world, world.load(x), episode_key(x)).total for x in world.levels("test")]
    assert sum(totals) / len(totals) >= least


@pytest.mark.parametrize("number", range(4))
def test_the_machine_that_the_player_believes_in_prints_what_was_printed(number: int) -> None:
    world = _world(60, observation="tape")
    level = world.levels("validation")[number]
    player = CORE.player(world)
    moment = world.begin(world.load(level), episode_key(level))
    while not moment.over:
        action = player.act(world.view(moment), moment.reward, episode_key(level, 1).at(moment.time))
        guess, at = player._machine, 0
        for key, symbol in player._history.seen:
            printed, at = guess.known[at, key] if key < 3 else (symbol, 0)
            assert printed == symbol
        assert at == guess.at
        moment = world.advance(moment, action)
