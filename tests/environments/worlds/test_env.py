import copy
import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import finchmark.environments.worlds
from finchmark.environments.worlds.catalogue import WORLDS
from finchmark.environments.worlds.env import WorldEnv
from finchmark.environments.worlds.scale import has_scale
from finchmark.suite.errors import UsageError

IDS = [f"finchmark-worlds/{line.name}-v1" for line in WORLDS if has_scale(line.name)]
ONE = "finchmark-worlds/wind-reach-v1"


class TestContract:
    @pytest.mark.parametrize("name", IDS)
    def test_gymnasium_checks_pass_without_warnings(self, name):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env = gymnasium.make(name, levels=3)
            check_env(env.unwrapped)
            env.reset(seed=1)
            env.step("nonsense")
            env.close()

    def test_only_audited_worlds_are_registered(self):
        registered = {name for name in gymnasium.registry if name.startswith("finchmark-worlds/")}
        assert registered == set(IDS)

    def test_importing_twice_is_harmless(self):
        import importlib

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            importlib.reload(finchmark.environments.worlds)

    @pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
    def test_a_copy_in_mid_episode_goes_on_alike(self, clone):
        env = WorldEnv("colony-trade", levels=3)
        env.reset(seed=5)
        env.step("work mine")
        twin = clone(env)
        for action in ("x", "work farm", "sell 1", "work farm"):
            assert env.step(action) == twin.step(action)
        assert env.reset() == twin.reset()

    def test_the_true_state_is_not_in_what_an_agent_gets(self):
        env = WorldEnv("wind-unseen", levels=2)
        _, info = env.reset(seed=0)
        assert set(info) == {"usable", "problem", "level", "split"}


class TestVectors:
    def test_synchronous_and_asynchronous_vectors_play_alike(self):
        kinds = {"sync": {}, "async": {"shared_memory": False}}
        seen = {}
        for mode, extra in kinds.items():
            # Workers import the package by the id's own prefix.
            name = f"finchmark.environments.worlds:{ONE}"
            envs = gymnasium.make_vec(name, 2, vectorization_mode=mode, vector_kwargs=extra, levels=3)
            try:
                first, _ = envs.reset(seed=[1, 2])
                texts = [tuple(first)]
                for action in ("move north", "wait", "bad"):
                    observations, rewards, _, _, infos = envs.step((action, action))
                    texts.append((*observations, *rewards, *infos["usable"]))
                seen[mode] = texts
            finally:
                envs.close()
        assert seen["sync"] == seen["async"]
        assert all(seen["async"][0])


class TestReset:
    def test_a_seed_draws_level_and_chance(self):
        env = WorldEnv("colony-trade", levels=10)
        levels = {env.reset(seed=seed)[1]["level"] for seed in range(30)}
        assert len(levels) > 5
        assert env.reset(seed=3) == env.reset(seed=3)

    def test_options_take_a_level_and_a_sample(self):
        env = WorldEnv("colony-trade", split="test")
        _, info = env.reset(options={"level": 4, "sample": 1})
        assert info["level"] == env.world.levels("test")[4].hash
        assert info["split"] == "test"

    @pytest.mark.parametrize("options", [{"level": 99}, {"level": "1"}, {"sample": -1}, {"world": 1}])
    def test_wrong_options_are_errors(self, options):
        with pytest.raises(UsageError):
            WorldEnv("colony-trade", levels=2).reset(options=options)

    def test_a_step_before_a_reset_is_an_error(self):
        with pytest.raises(UsageError, match="reset"):
            WorldEnv("colony-trade", levels=2).step("wait")

    def test_an_action_that_is_no_text_is_an_error(self):
        env = WorldEnv("colony-trade", levels=2)
        env.reset(seed=0)
        with pytest.raises(UsageError, match="is text"):
            env.step(3)  # pyright: ignore[reportArgumentType]  # wrong on purpose


class TestPictures:
    def test_ansi_is_the_map_in_the_words_of_the_skin(self):
        env = WorldEnv("wind-reach", levels=2, render_mode="ansi")
        env.reset(seed=0)
        picture = env.render()
        assert isinstance(picture, str)
        assert picture.count("@") == 1
        assert "G" in picture

    def test_rgb_is_an_image_that_moves_with_the_world(self):
        env = WorldEnv("wind-reach", levels=2, render_mode="rgb_array")
        env.reset(options={"level": 0})
        before = env.render()
        for action in ("move north", "move south", "move east"):
            env.step(action)
        after = env.render()
        assert isinstance(before, np.ndarray)
        assert isinstance(after, np.ndarray)
        assert before.dtype == np.uint8
        assert before.shape == (20 * 7, 12 * 7, 3)
        assert not np.array_equal(before, after)

    def test_an_unknown_render_mode_is_an_error(self):
        with pytest.raises(UsageError, match="render_mode"):
            WorldEnv("wind-reach", render_mode="human")
