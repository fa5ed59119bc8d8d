import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.environments.worlds.batch import advance_batch, begin_batch, draw_actions
from finchmark.environments.worlds.keys import Key, key_array
from finchmark.environments.worlds.lookup import find_world
from finchmark.environments.worlds.world import episode_key
from finchmark.suite.errors import UsageError


@pytest.mark.parametrize("name", ["wind-reach", "wind-gather"])
class TestBatch:
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32))
    def test_rows_are_single_episodes(self, name, seed):
        world = find_world(name)
        levels = world.levels("test")
        params = [world.load(level) for level in levels]
        keys = [episode_key(level, seed) for level in levels]
        many = begin_batch(world, params, keys)
        ones = [world.begin(p, k) for p, k in zip(params, keys, strict=True)]
        actions = world.dynamics.actions.all
        for time in range(world.horizon):
            numbers = np.array([Key.of(seed, time, row).integer(len(actions) + 1) - 1 for row in range(len(ones))])
            many = advance_batch(world, many, numbers)
            for row, number in enumerate(numbers):
                if not ones[row].over:
                    ones[row] = world.advance(ones[row], actions[number] if number >= 0 else "unusable")
            assert list(many.terminated) == [one.terminated for one in ones]
            assert list(many.truncated) == [one.truncated for one in ones]
            np.testing.assert_allclose(many.totals, [one.total for one in ones])

    def test_rows_that_are_over_stay(self, name):
        world = find_world(name)
        levels = world.levels("test")
        many = begin_batch(world, [world.load(v) for v in levels], [episode_key(v) for v in levels])
        for time in range(world.horizon):
            many = advance_batch(world, many, draw_actions(world, many.keys, time))
        after = advance_batch(world, many, np.zeros(len(levels), dtype=np.int64))
        assert not after.rewards.any()
        np.testing.assert_array_equal(after.totals, many.totals)


def test_the_random_player_draws_by_the_schemas_chances():
    world = find_world("wind-reach")
    keys = key_array([Key.of("player", n) for n in range(20_000)])
    counts = np.bincount(draw_actions(world, keys, 3), minlength=5) / 20_000
    np.testing.assert_allclose(counts, world.dynamics.actions.chances, atol=0.015)


def test_a_core_that_is_not_batched_says_so():
    world = find_world("colony-trade")
    level = world.levels("test", 1)[0]
    with pytest.raises(UsageError, match="one episode at a time"):
        begin_batch(world, [world.load(level)], [episode_key(level)])


def test_a_key_for_each_level_is_needed():
    world = find_world("wind-reach")
    with pytest.raises(UsageError, match="a key for each level"):
        begin_batch(world, [], [])
