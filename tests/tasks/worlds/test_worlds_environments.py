from __future__ import annotations

import gymnasium
import pytest

from finchmark.environments.worlds.env import WorldEnv
from finchmark.environments.worlds.lookup import find_world
from finchmark.suite.conformance import check_environment
from finchmark.tasks.worlds.lookup import registered


class Stated(WorldEnv):
    """A world's environment with the true state in ``info``, where the conformance suite looks for it."""

    def __init__(self, world):
        super().__init__(world)
        self.spec = gymnasium.spec(f"finchmark-worlds/{world}-v1")

    def reset(self, *, seed=None, options=None):
        text, info = super().reset(seed=seed, options=options)
        return text, {**info, "state": repr(self.moment.state)}

    def step(self, action):
        text, reward, terminated, truncated, info = super().step(action)
        return text, reward, terminated, truncated, {**info, "state": repr(self.moment.state)}


@pytest.mark.slow
@pytest.mark.parametrize("world", registered())
def test_every_environment_passes_the_conformance_suite(world):
    found = find_world(world)
    actions = [found.reader.show(action) for action in found.dynamics.actions.tried[:4]]
    check_environment(lambda: Stated(world), actions=actions)


@pytest.mark.parametrize("world", registered())
def test_the_true_state_is_in_nothing_that_an_environment_gives(world):
    env = WorldEnv(world)
    text, info = env.reset(seed=1)
    for _ in range(5):
        assert set(info) <= {"usable", "problem", "level", "split"}
        assert repr(env.moment.state) not in text
        assert env.level.hash not in text
        text, _, terminated, truncated, info = env.step(env.sample_action(3))
        if terminated or truncated:
            break
