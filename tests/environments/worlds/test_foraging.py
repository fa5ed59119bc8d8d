"""Foraging: patches by hand, the riches' chances, rows of a batch, and whether noticing pays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.agents import play_views
from finchmark.environments.worlds.batch import advance_batch, begin_batch, draw_actions
from finchmark.environments.worlds.cores.foraging import CORE, ForagingState
from finchmark.environments.worlds.dynamics import Event
from finchmark.environments.worlds.keys import STILL, Key, key_array
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UsageError

DYNAMICS = CORE.dynamics
DATA = {"start": 0, "stocks": [2, 3, 0], "rich": 0, "turn": 1, "change": 0.25, "target": 4}
LEVEL = DYNAMICS.load(DATA)
EAT, EAT_TWO, REST = Action("eat", (1,)), Action("eat", (2,)), Action("rest")


def world(reward="accumulative", observation="near", skin="plain", horizon=40, preset="mild"):
    return World.combine(CORE, reward=reward, observation=observation, skin=skin, horizon=horizon, preset=preset)


def settled(state, action):
    """The transition in which the riches stay."""
    return DYNAMICS.outcomes(LEVEL, state, action)[0][1]


def state(at=0, stocks=(2, 3, 0), rich=0, store=0):
    return ForagingState(at, *stocks, rich, store)


class TestPatches:
    def test_the_rich_patch_grows_from_what_is_left(self):
        after = settled(state(), EAT)
        assert after.state == state(stocks=(2, 3, 0), store=1)
        assert after.events == (Event("eaten", 1.0),)

    def test_a_patch_that_is_eaten_bare_does_not_grow_under_the_player(self):
        bare = settled(state(), EAT_TWO).state
        assert bare.meadow == 0
        assert settled(bare, REST).state.meadow == 0

    def test_a_bare_patch_recovers_when_it_is_alone(self):
        assert settled(state(at=1, stocks=(0, 3, 0)), REST).state.meadow == 1

    def test_only_the_rich_patch_grows(self):
        assert settled(state(at=1, stocks=(3, 1, 1), rich=0), REST).state[1:4] == (3, 1, 1)

    def test_a_patch_holds_no_more_than_three(self):
        assert settled(state(stocks=(3, 3, 0)), REST).state.meadow == 3

    def test_more_than_is_there_cannot_be_eaten(self):
        after = settled(state(stocks=(1, 0, 0), rich=1), EAT_TWO)
        assert after.events == ()
        assert after.state.meadow == 1

    def test_going_costs_a_unit_of_the_store(self):
        after = settled(state(store=2), Action("go", ("grove",)))
        assert (after.state.at, after.state.store, after.events) == (1, 1, (Event("travelled"),))

    def test_going_where_one_is_is_resting(self):
        assert settled(state(), Action("go", ("meadow",))) == settled(state(), REST)

    def test_the_store_is_filled_once(self):
        full = settled(state(store=3), EAT)
        assert full.events == (Event("eaten", 1.0), Event("stored"))
        assert settled(full.state, EAT).events == (Event("eaten", 1.0),)

    def test_riches_move_by_the_turn(self):
        (stay, same), (move, other) = DYNAMICS.outcomes(LEVEL, state(), REST)
        assert (stay, move) == (0.75, 0.25)
        assert (same.state.rich, other.state.rich) == (0, 1)
        assert same.state[:4] == other.state[:4]

    def test_a_level_without_a_part_is_refused(self):
        with pytest.raises(UsageError, match="needs 'turn'"):
            DYNAMICS.load({name: value for name, value in DATA.items() if name != "turn"})
        with pytest.raises(UsageError, match="turn of 1 or 2"):
            DYNAMICS.load({**DATA, "turn": 3})

    @given(st.integers(0, 2**64 - 1))
    @settings(max_examples=40, deadline=None)
    def test_no_food_comes_from_nowhere(self, seed):
        key, now, eaten = Key(seed), DYNAMICS.init(LEVEL, STILL), 0.0
        for time in range(30):
            before = now
            now, events, _ = DYNAMICS.step(LEVEL, now, DYNAMICS.actions.sample(key.at(time)), key.at(100 + time))
            taken = sum(e.amount for e in events if e.name == "eaten")
            eaten += taken
            assert 0 <= sum(now[1:4]) - (sum(before[1:4]) - taken) <= 1
        assert eaten <= DYNAMICS.limits(LEVEL, 30)["eaten"]


class TestViews:
    def test_near_sees_the_own_patch_only(self):
        view = CORE.observations["near"].observe(LEVEL, state(at=1), ())
        assert view.stocks == (None, 3, None)
        assert view.riches is None

    def test_full_tells_the_riches_and_where_they_go(self):
        assert CORE.observations["full"].observe(LEVEL, state(rich=2), ()).riches == (2, 0, 0.25)

    def test_no_text_of_a_partial_view_names_the_riches(self):
        for skin in CORE.skins:
            one = world(skin=skin, observation="far")
            params = one.dynamics.load(DATA)
            other = one.dynamics.load({**DATA, "rich": 2, "turn": 2})
            texts = {one.show(one.begin(p, STILL)) for p in (params, other)}
            assert len(texts) == 1

    def test_words_are_exchanged_in_the_inverse_skin(self):
        inverse = world(skin="inverse")
        assert inverse.reader.read("spare 1") == EAT
        assert inverse.reader.read("feast") == REST


class TestBatch:
    def test_rows_are_single_episodes(self):
        one = world(horizon=25)
        levels = one.levels("validation")
        keys = [episode_key(level, sample) for level in levels for sample in range(4)]
        params = [one.load(level) for level in levels for _ in range(4)]
        singles = [one.begin(p, k) for p, k in zip(params, keys, strict=True)]
        many = begin_batch(one, params, keys)
        for time in range(25):
            numbers = draw_actions(one, key_array(keys), time)
            numbers[time % len(keys)] = -1
            many = advance_batch(one, many, numbers)
            actions = one.dynamics.actions.all
            singles = [
                one.advance(m, actions[n] if n >= 0 else "unusable") for m, n in zip(singles, numbers, strict=True)
            ]
            assert [one.dynamics.row(many.states, i) for i in range(len(keys))] == [m.state for m in singles]
            assert np.allclose(many.rewards, [m.reward for m in singles])


class TestSkill:
    def test_noticing_a_change_pays(self):
        one = world()
        stay, move = [], []
        for level in one.levels("validation"):
            params = one.load(level)
            for sample in range(6):
                key = episode_key(level, sample)
                move.append(play_views(one, params, key).total)
                moment = one.begin(params, key)
                while not moment.over:
                    here = one.view(moment).stocks[params.start]
                    moment = one.advance(moment, EAT if here > 1 else REST)
                stay.append(moment.total)
        assert np.mean(move) > 1.3 * np.mean(stay)

    def test_greed_does_worse_than_leaving_a_seed(self):
        level = DYNAMICS.load({**DATA, "change": 1e-9})

        def total(bite):
            now, eaten = DYNAMICS.init(level, STILL), 0.0
            for _ in range(20):
                now, events, _ = DYNAMICS.step(level, now, Action("eat", (bite,)), STILL)
                eaten += sum(e.amount for e in events if e.name == "eaten")
            return eaten

        assert total(2) == 2
        assert total(1) == 20
