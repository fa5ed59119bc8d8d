"""The core cards: rules are bijections, turns do what they say, rows of a batch too, and players learn the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.audit.beliefs import informed_value
from finchmark.environments.worlds.batch import advance_batch, begin_batch, draw_actions
from finchmark.environments.worlds.cores import cards
from finchmark.environments.worlds.cores.cards import CORE
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError


def level(**changes):
    data = {"shapes": 3, "pictures": [0, 1, 2, 3, 4, 5], "turn": 1, "shift": 1, "open": False, "patience": 0}
    return CORE.dynamics.load(data | changes)


def world(preset="table", reward="accumulative", observation="turned", horizon=30):
    return World.combine(CORE, reward=reward, observation=observation, skin="plain", horizon=horizon, preset=preset)


def turned(params, *numbers):
    state, events, over = CORE.dynamics.init(params, Key(0)), [], False
    for number in numbers:
        state, happened, over = CORE.dynamics.step(params, state, Action("turn", (number,)), Key(0))
        events += [event.name for event in happened]
    return state, events, over


@pytest.mark.parametrize("shapes", range(2, 9))
def test_every_rule_is_a_bijection_between_colours_and_its_own_inverse(shapes):
    rules = cards._rules(shapes)
    maps = set()
    for rule in rules:
        partners = [cards._partner(picture, rule, shapes) for picture in range(2 * shapes)]
        assert sorted(partners) == list(range(2 * shapes))
        assert all(partners[partners[picture]] == picture for picture in range(2 * shapes))
        assert all((picture < shapes) != (partners[picture] < shapes) for picture in range(2 * shapes))
        maps.add(tuple(partners))
    assert len(maps) == len(rules)
    assert tuple((picture + shapes) % (2 * shapes) for picture in range(2 * shapes)) not in maps


def test_partners_go_and_the_last_pair_clears_the_table():
    params = level()
    # Red 0 goes with blue 1, which is card 5 by its number from 1.
    assert turned(params, 1, 5)[:2] == ((0b010001, -1, 4, 4, 0), ["paired"])
    _, events, over = turned(params, 1, 5, 2, 6, 3, 4)
    assert events == ["paired", "paired", "paired", "cleared"]
    assert over


def test_equal_shapes_are_no_pair():
    state, events, _ = turned(level(), 1, 4)
    assert (state.gone, state.up, events) == (0, -1, ["missed"])


def test_ineffective_turns_change_nothing():
    params = level()
    for numbers in ((1, 1), (1, 7), (1, 16)):
        assert turned(params, *numbers)[0] == turned(params, 1)[0]
    assert turned(params, 1, 5, 1, 5) == (*turned(params, 1, 5)[:1], ["paired"], False)


def test_patience_ends_the_episode():
    params = level(patience=2, open=True)
    assert not turned(params, 1, 4)[2]
    assert turned(params, 1, 4, 1, 4)[1:] == (["missed", "missed"], True)


def test_only_what_is_up_open_or_last_turned_is_seen():
    state = turned(level(), 1, 4, 2)[0]
    assert CORE.observations["turned"].observe(level(), state, ()).faces == (-2, 1, -2, -2, -2, -2)
    opened = level(open=True, patience=2)
    view = CORE.observations["turned"].observe(opened, turned(opened, 1, 4)[0], ())
    assert (view.faces, view.rule, view.patience) == ((0, 1, 2, 3, -2, -2), None, 1)
    told = CORE.observations["full"].observe(opened, turned(opened)[0], ())
    assert (told.faces, told.rule) == ((0, 1, 2, 3, 4, 5), (1, 2, 0))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["table", "open"]))
def test_pairs_found_are_cards_gone(seed, preset):
    here = world(preset)
    drawn = here.levels("train", 6)[seed % 6]
    moment = here.begin(here.load(drawn), episode_key(drawn))
    while not moment.over:
        moment = here.advance(moment, here.dynamics.actions.sample(Key(seed).at(moment.time)))
        assert moment.state.gone.bit_count() == 2 * moment.total
        assert moment.state.up == -1 or not moment.state.gone >> moment.state.up & 1


def test_a_batch_of_both_presets_plays_as_single_episodes_do():
    here = world()
    params = [level(), level(patience=2, open=True), level(turn=-1, shift=2), here.load(here.levels("train", 1)[0])]
    keys = [Key(n) for n in range(len(params))]
    many, singles = begin_batch(here, params, keys), [here.begin(p, k) for p, k in zip(params, keys, strict=True)]
    actions = here.dynamics.actions.all
    for time in range(here.horizon):
        # Cards 1 to 6 mostly, so that the small levels end within the time.
        numbers = draw_actions(here, many.keys, time) % (6 if time % 4 else 16)
        many = advance_batch(here, many, numbers)
        for row, number in enumerate(numbers):
            if not singles[row].over:
                singles[row] = here.advance(singles[row], actions[number])
            assert here.dynamics.row(many.states, row) == singles[row].state
            assert many.totals[row] == singles[row].total
            assert many.terminated[row] == singles[row].terminated
    assert np.any(many.terminated)


def test_alternatives_are_all_orders_of_the_closed_cards_under_all_rules():
    here = world("open")
    drawn = here.levels("train", 1)[0]
    preset = CORE.generator.presets["open"].settings
    others = CORE.generator.alternatives(preset, drawn.params, "turned")
    assert len(others) == 6 * 5
    assert dict(drawn.params) in [dict(params) for _, params in others]
    loaded = [here.dynamics.load(params) for _, params in others]
    assert len({here.observation.observe(p, here.dynamics.init(p, Key(0)), ()) for p in loaded}) == 1


def test_the_player_is_near_the_best_there_is_and_far_above_chance():
    small = world("open")
    drawn = small.levels("train", 1)[0]
    best = informed_value(small, drawn)
    assert best == pytest.approx(2.0, abs=1e-6)
    levels = small.levels("train", 200)
    mean = np.mean([play_views(small, small.load(d), episode_key(d)).total for d in levels])
    assert 1.7 < mean < best + 0.25


def test_the_player_clears_the_large_table_more_often_than_not():
    large = world("table", reward="binary", horizon=30)
    won = [play_views(large, large.load(d), episode_key(d)).total for d in large.levels("train", 40)]
    assert np.mean(won) > 0.5


def test_data_that_is_no_level_is_refused():
    with pytest.raises(UsageError, match="once"):
        level(pictures=[0, 0, 2, 3, 4, 5])
    with pytest.raises(UsageError, match="rule"):
        level(turn=1, shift=0)
    with pytest.raises(UsageError, match="patience"):
        CORE.dynamics.load({"shapes": 3, "pictures": [], "turn": 1, "shift": 1, "open": True})
