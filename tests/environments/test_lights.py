"""The lights environment: Gymnasium's contract, our answers, and parity with recorded answers of the reference."""

import copy
import importlib
import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import finchmark.environments.odyssey
from finchmark.environments.catalogue import CATALOGUE
from finchmark.environments.odyssey.lights import LightsEnv
from finchmark.environments.odyssey.lights_solver import policy_table, random_success
from finchmark.environments.odyssey.lights_worlds import LIGHTS_PRESETS, LightsDifficulty, LightsWorld, generate
from finchmark.suite.errors import UsageError
from finchmark.suite.registry import ENVIRONMENTS

ID = "finchmark/Lights-v1"
ON, OFF = "💡", "○"
CHAIN = {"level": 3, "custom_logic": {"B0": "B2", "B1": "(B0 and B2)", "B2": "True"}}
FREE = {"level": 12, "custom_logic": {f"B{i}": "True" for i in range(12)}}

SHARED = Path(os.environ.get("FINCHMARK_SHARED", Path(__file__).parents[2].parent / "shared"))
TRACES = sorted((SHARED / "odyssey_traces").glob("light_*.json"))


def started(config: dict[str, Any] = CHAIN, **kwargs: Any) -> LightsEnv:
    env = LightsEnv(config, **kwargs)
    env.reset(seed=0)
    return env


def world_of(env: LightsEnv) -> LightsWorld:
    assert env.world is not None
    return env.world


class TestContract:
    @pytest.mark.parametrize(
        "kwargs",
        [
            {"config": CHAIN},
            {"config": CHAIN, "reference_rules": True},
            {"config": FREE, "max_steps": 30},
            {"difficulty": "smoke"},
            {"difficulty": LIGHTS_PRESETS["gate"]},
            {},
        ],
    )
    def test_gymnasium_checks_pass_without_warnings(self, kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env = gymnasium.make(ID, **kwargs)
            check_env(env.unwrapped)
            env.reset(seed=1)
            env.step("nonsense")
            env.close()

    def test_registering_twice_is_harmless(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            importlib.reload(finchmark.environments.odyssey)
        assert ID in gymnasium.registry

    def test_every_catalogue_entry_is_the_registered_class(self):
        for entry in CATALOGUE:
            if not entry.name.startswith("finchmark/"):
                continue  # the generated worlds have tests of their own
            assert gymnasium.registry[entry.name].entry_point == entry.target
            assert issubclass(ENVIRONMENTS.load(entry.name), gymnasium.Env)

    def test_the_catalogue_loads_neither_numpy_nor_gymnasium(self):
        code = (
            "import sys, finchmark.environments.catalogue; "
            "sys.exit(any(name in sys.modules for name in ('numpy', 'gymnasium')))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize("wrapped", [True, False])
    @pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
    @pytest.mark.parametrize("kwargs", [{"config": CHAIN}, {"difficulty": "smoke"}])
    def test_a_copy_in_mid_episode_goes_on_alike(self, kwargs, clone, wrapped):
        env = gymnasium.make(ID, **kwargs) if wrapped else LightsEnv(**kwargs)
        env.reset(seed=5)
        env.step("2")
        twin = clone(env)
        for action in ("x", "0", "2", "0", "9"):
            assert env.step(action) == twin.step(action)
        assert env.reset() == twin.reset()

    def test_the_docstring_has_the_sections_of_gymnasiums_own(self):
        for section in (
            "Description",
            "Action Space",
            "Observation Space",
            "Rewards",
            "Starting State",
            "Episode End",
            "Arguments",
            "Chance Level and Ceiling",
            "Version History",
        ):
            assert f"## {section}" in (LightsEnv.__doc__ or "")

    @pytest.mark.parametrize("name", ["smoke", "gate"])
    def test_the_docstring_states_the_chance_that_the_worlds_have(self, name):
        worlds = [generate(name, seed) for seed in range(300)]
        chances = [random_success(world.config, world.horizon) for world in worlds]
        lengths = [world.shortest for world in worlds]
        row = (
            f"| {name} | {sum(chances) / 300:.3f} | {max(chances):.3f} "
            f"| {sum(lengths) / 300:.2f} ({min(lengths)} to {max(lengths)}) |"
        )
        assert row in (LightsEnv.__doc__ or "")

    def test_steps_of_one_episode_do_not_share_their_infos(self):
        env = started()
        _, _, _, _, info = env.step("2")
        kept = copy.deepcopy(info)
        env.step("0")
        assert info == kept


class TestPlay:
    def test_starts_with_all_bulbs_off(self):
        observation, info = LightsEnv(CHAIN).reset(seed=0)
        assert observation == f"{OFF} {OFF} {OFF}"
        assert info == {
            "state": {"bulbs": {"B0": False, "B1": False, "B2": False}, "steps": 0},
            "feedback": "",
            "usable": True,
        }

    def test_a_press_turns_a_bulb_on_and_says_so(self):
        observation, reward, terminated, truncated, info = started().step("2")
        assert observation == f"B2 is now on.\n{OFF} {OFF} {ON}"
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert info["state"] == {"bulbs": {"B0": False, "B1": False, "B2": True}, "steps": 1}
        assert info["usable"] is True

    def test_a_second_press_turns_it_off_again(self):
        env = started()
        env.step("2")
        assert env.step("2")[0] == f"B2 is now off.\n{OFF} {OFF} {OFF}"

    def test_a_press_against_the_condition_changes_nothing_and_says_so(self):
        observation, _, _, _, info = started().step("0")
        assert observation.endswith(f"\n{OFF} {OFF} {OFF}")
        assert "condition does not hold" in info["feedback"]
        assert info["usable"] is True
        assert info["state"]["steps"] == 1

    def test_the_step_that_turns_all_on_is_rewarded_and_ends(self):
        env = started()
        assert [env.step(action)[1:4] for action in ("2", "0", "1")] == [
            (0.0, False, False),
            (0.0, False, False),
            (1.0, True, False),
        ]

    def test_success_on_the_last_step_is_no_truncation(self):
        env = started(max_steps=3)
        env.step("2")
        env.step("0")
        assert env.step("1")[1:4] == (1.0, True, False)

    def test_the_episode_is_cut_after_max_steps(self):
        env = started(max_steps=2)
        assert env.step("2")[3] is False
        assert env.step("2")[2:4] == (False, True)

    @pytest.mark.parametrize("ending", ["success", "truncation", "not begun"])
    def test_stepping_outside_an_episode_is_an_error_that_says_reset(self, ending):
        env = LightsEnv(CHAIN, max_steps=3)
        if ending != "not begun":
            env.reset()
            for action in ("2", "0", "1") if ending == "success" else ("2", "2", "2"):
                env.step(action)
        with pytest.raises(UsageError, match=r"call reset\(\)"):
            env.step("0")

    def test_reset_starts_afresh_after_an_end(self):
        env = started(max_steps=1)
        env.step("2")
        assert env.reset() == LightsEnv(CHAIN).reset()
        env.step("2")

    @pytest.mark.parametrize("name", ["smoke", "gate", "lite"])
    def test_a_seed_gives_the_world_that_generate_gives(self, name):
        env = LightsEnv(difficulty=name)
        env.reset(seed=11)
        assert env.world == generate(name, 11)
        assert env.max_steps == LIGHTS_PRESETS[name].horizon

    def test_resets_without_a_seed_give_new_worlds_that_the_first_seed_decides(self):
        def worlds(seed):
            env = LightsEnv(difficulty="smoke")
            env.reset(seed=seed)
            made = []
            for _ in range(5):
                env.reset()
                made.append(world_of(env).config)
            return made

        assert worlds(1) == worlds(1)
        assert worlds(1) != worlds(2)
        assert len({json.dumps(config) for config in worlds(1)}) > 1

    @pytest.mark.parametrize("name", ["smoke", "gate", "lite", "challenge"])
    def test_the_oracle_solves_in_the_shortest_way(self, name):
        env = LightsEnv(difficulty=name)
        env.reset(seed=3)
        world = world_of(env)
        table = policy_table(world.config)
        for step in range(world.shortest):
            terminated = env.step(str(table.best(env.mask)))[2]
            assert terminated == (step == world.shortest - 1)


class TestActions:
    @pytest.mark.parametrize("raw", ["2", " 2 ", "\t2\r\n", "B2", "b2", " B2\n"])
    def test_numbers_and_names_are_usable(self, raw):
        assert started().step(raw)[4]["usable"] is True

    @pytest.mark.parametrize("raw", ["11", "B11", "b10"])
    def test_two_digits_are_usable_where_there_are_that_many_bulbs(self, raw):
        env = started(config=FREE)
        assert env.step(raw)[4]["state"]["bulbs"]["B" + raw.lstrip("Bb")] is True

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            " ",
            "3",
            "-1",
            "+1",
            "02",
            "1.0",
            "1_0",
            "B",
            "BB2",
            "B 2",
            "B-1",
            "2 1",
            "press 2",
            "two",
            "\uff12",
            "²",
            "٢",
            "2\x00",
            "\xa02",
            "2\u2028",
            "[2]",
            "0x2",
            "\ud800",
            "💡",
            "9" * 100_000,
            "\x00" * 1_000_000,
        ],
    )
    def test_all_else_counts_as_a_step_and_changes_nothing(self, raw):
        env = started()
        observation, reward, terminated, truncated, info = env.step(raw)
        assert info["usable"] is False
        assert info["state"] == {"bulbs": {"B0": False, "B1": False, "B2": False}, "steps": 1}
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert observation == f"{info['feedback']}\n{OFF} {OFF} {OFF}"
        assert "0 to 2, or B0 to B2" in info["feedback"]

    def test_the_complaint_quotes_the_action(self):
        assert 'The action "press\\n2" names no bulb.' in started().step("press\n2")[0]

    def test_an_empty_action_is_called_empty(self):
        assert started().step(" \n")[0].startswith("The action was empty.")

    def test_unusable_actions_use_up_the_episode(self):
        env = started(max_steps=2)
        env.step("?")
        assert env.step("?")[3] is True

    @pytest.mark.parametrize("raw", [2, None, b"2", 2.0, ["2"]])
    def test_what_is_no_text_is_an_error_that_names_its_type(self, raw):
        with pytest.raises(UsageError, match=f"not {type(raw).__name__}"):
            started().step(raw)

    def test_a_non_text_action_does_not_use_up_a_step(self):
        env = started(max_steps=1)
        with pytest.raises(UsageError):
            env.step(2)  # type: ignore[arg-type]
        assert env.step("2")[4]["state"]["steps"] == 1

    @pytest.mark.parametrize("config", [CHAIN, FREE])
    @settings(max_examples=200)
    @given(raws=st.lists(st.text() | st.integers(-2, 13).map(str), min_size=1, max_size=6))
    def test_any_text_is_answered_inside_the_observation_space(self, config, raws):
        env = started(config=config)
        for raw in raws:
            before = env.mask
            observation, _, terminated, truncated, info = env.step(raw)
            assert observation in env.observation_space
            assert env.mask == before or info["usable"]
            if terminated or truncated:
                break

    @settings(max_examples=200)
    @given(raw=st.text(alphabet=st.characters(categories=["Cs", "Cc", "Nd", "So"])))
    def test_any_text_is_answered_inside_the_reference_observation_space(self, raw):
        env = started(reference_rules=True)
        assert env.step(raw)[0] in env.observation_space

    def test_the_longest_answer_fits_the_largest_world(self):
        most = {"level": 64, "custom_logic": {f"B{i}": "True" for i in range(64)}}
        env = started(config=most)
        for raw in ("\U0001f4a1" * 50, "x" * 50, "63"):
            assert env.step(raw)[0] in env.observation_space

    def test_samples_of_the_action_space_are_usable_with_up_to_ten_bulbs(self):
        env = started()
        env.action_space.seed(0)
        assert {env.action_space.sample() for _ in range(60)} == {"0", "1", "2"}


class TestArguments:
    def test_a_config_and_a_difficulty_exclude_each_other(self):
        with pytest.raises(UsageError, match="not both"):
            LightsEnv(CHAIN, difficulty="lite")

    def test_an_unknown_difficulty_names_the_presets(self):
        with pytest.raises(UsageError, match="smoke, gate, lite, challenge"):
            LightsEnv(difficulty="lights")

    def test_a_difficulty_of_ones_own_is_taken(self):
        env = LightsEnv(difficulty=LightsDifficulty(3, 3, 2, 0, 2, horizon=9))
        env.reset(seed=0)
        assert world_of(env).config["level"] == 3
        assert env.max_steps == 9

    def test_a_bad_config_is_refused_when_the_environment_is_made(self):
        with pytest.raises(UsageError, match="the rule of B0"):
            gymnasium.make(ID, config={"level": 1, "custom_logic": {"B0": "B0 or"}})

    @pytest.mark.parametrize("steps", [0, -1, 1.5, True, "9"])
    def test_max_steps_is_a_positive_whole_number(self, steps):
        with pytest.raises(UsageError, match="max_steps"):
            LightsEnv(CHAIN, max_steps=steps)

    def test_a_config_gets_200_steps_by_default(self):
        assert LightsEnv(CHAIN).max_steps == 200

    def test_reset_options_are_refused(self):
        with pytest.raises(UsageError, match="options"):
            LightsEnv(CHAIN).reset(options={"world": 1})

    def test_the_callers_config_is_not_kept(self):
        config = copy.deepcopy(CHAIN)
        env = LightsEnv(config)
        config["custom_logic"]["B2"] = "False"
        env.reset()
        assert env.step("2")[4]["state"]["bulbs"]["B2"] is True


class TestReferenceRules:
    @pytest.mark.parametrize("raw", ["2", " 2 ", "+2", "002", "\uff12", "0_2"])
    def test_what_int_reads_is_usable(self, raw):
        _, _, _, _, info = started(reference_rules=True).step(raw)
        assert info["usable"] is True
        assert info["state"]["bulbs"]["B2"] is True

    @pytest.mark.parametrize("raw", ["B2", "2.0", "", "3", "-1", "9" * 5000, "\ud800"])
    def test_all_else_burns_a_step_of_the_loop_only(self, raw):
        env = started(reference_rules=True, max_steps=2)
        observation, _, _, truncated, info = env.step(raw)
        assert observation == f"{OFF} {OFF} {OFF}"
        assert (info["feedback"], info["usable"], info["state"]["steps"]) == ("", False, 0)
        assert truncated is False
        assert env.step(raw)[3] is True

    @pytest.mark.skipif(not TRACES, reason=f"needs recorded reference traces under {SHARED} (set FINCHMARK_SHARED)")
    @pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
    def test_a_recorded_episode_is_replayed_exactly(self, path):
        trace = json.loads(path.read_text(encoding="utf-8"))
        env = gymnasium.make(ID, config=trace["config"], reference_rules=True, max_steps=trace["max_steps"])
        observation, info = env.reset()
        assert observation == trace["initial"]["obs_text"]
        assert info["state"] == trace["initial"]["state"]
        terminated = False
        for step in trace["steps"]:
            before = observation, info["state"]
            observation, reward, terminated, truncated, info = env.step(step["raw"])
            assert info["usable"] == (step["status"] == "ok")
            if step["env_stepped"]:
                assert observation == step["obs_text"]
                assert info["state"] == step["state"]
                assert info["feedback"] == step["feedback"]
                assert terminated == step["done"]
            else:
                assert (observation, info["state"]) == before
                assert not terminated
                assert not info["feedback"]
            assert reward == float(terminated)
            assert truncated == (not terminated and step["t"] + 1 == trace["max_steps"])
        assert terminated == trace["final"]["success"]
