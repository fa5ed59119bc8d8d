"""The energy environment: Gymnasium's contract, our answers, and parity with recorded answers of the reference."""

import copy
import json
import pickle
import warnings
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import finchmark.environments.odyssey  # noqa: F401  # registers the id
from finchmark.environments.odyssey.energy import EnergyEnv
from finchmark.environments.odyssey.energy_rules import EnergyRules, describe_rules, phase_means
from finchmark.environments.odyssey.energy_worlds import ENERGY_PRESETS, EnergyDifficulty, generate
from finchmark.suite.conformance import check_environment
from finchmark.suite.errors import UsageError

ID = "finchmark/Energy-v1"
TRACES = ("t0_fuzz", "t0_random", "t0_sane", "t0_solved", "t14_fuzz", "t14_random")


def flat(days: int = 4, **changes: Any) -> dict[str, Any]:
    """A world where nothing changes: demand 100, budget 400, all yields simple."""
    config: dict[str, Any] = {
        "horizon": days,
        "target_stability": 0.9,
        "target_carbon": 0.75,
        "world": {
            "eff_wind": [0.5] * days,
            "eff_solar": [0.8] * days,
            "eff_thermal": [1.0] * days,
            "wind_period": 2,
            "solar_period": 3,
        },
        "demand": [100.0] * days,
        "budget": [400.0] * days,
        "capacity": {"thermal": 600, "wind": 350, "solar": 250, "battery": 80},
        "initial_rated": {"thermal": 70.0, "wind": 60.0, "solar": 0.0, "battery": 0.0},
        "initial_stability": 1.0,
        "prices": {"thermal": 3, "wind": 2, "solar": 6, "battery": 0.1},
    }
    config.update(changes)
    return config


def say(thermal: float = 0, wind: float = 0, solar: float = 0, battery: float = 0) -> str:
    return json.dumps({"thermal": thermal, "wind": wind, "solar": solar, "battery": battery})


GOOD = say(70, 60)  # supply 100, cost 330, no change of commands


def started(config: dict[str, Any] | None = None, **kwargs: Any) -> EnergyEnv:
    env = EnergyEnv(flat() if config is None else config, **kwargs)
    env.reset(seed=0)
    return env


def assert_close(expected: Any, actual: Any, where: str = "") -> None:
    """Equal, floats within 1e-9."""
    if isinstance(expected, dict):
        assert expected.keys() == actual.keys(), where
        for key, value in expected.items():
            assert_close(value, actual[key], f"{where}.{key}")
    elif isinstance(expected, float) or isinstance(actual, float):
        assert abs(expected - actual) <= 1e-9, where
    else:
        assert expected == actual, where


class TestContract:
    @pytest.mark.parametrize(
        "kwargs",
        [
            {"config": flat()},
            {"config": flat(), "reference_rules": True},
            {"difficulty": "smoke"},
            {"difficulty": ENERGY_PRESETS["gate"], "max_steps": 3},
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

    @pytest.mark.parametrize("reference_rules", [False, True])
    def test_our_own_checks_pass(self, reference_rules):
        check_environment(
            lambda: gymnasium.make(ID, difficulty="gate", reference_rules=reference_rules), actions=[GOOD, say(300)]
        )

    @pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
    @pytest.mark.parametrize("kwargs", [{"config": flat()}, {"difficulty": "smoke"}])
    def test_a_copy_in_mid_episode_goes_on_alike(self, kwargs, clone):
        env = gymnasium.make(ID, **kwargs)
        env.reset(seed=5)
        env.step(GOOD)
        twin = clone(env)
        for action in ("x", say(300, 20, battery=-10)):
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
            assert f"## {section}" in (EnergyEnv.__doc__ or "")

    def test_steps_of_one_episode_do_not_share_their_infos(self):
        env = started()
        info = env.step(GOOD)[4]
        kept = copy.deepcopy(info)
        env.step(say(300))
        assert info == kept


class TestPlay:
    def test_the_first_observation_tells_targets_commands_and_the_day(self):
        observation, info = EnergyEnv(flat()).reset(seed=0)
        assert observation == (
            "Days over: 0 of 4\n"
            "Stability: 1.0000 (must end above 0.9)\n"
            "Thermal share: 0.0000 (must end below 0.75)\n"
            "Battery: 0.00 of 80\n"
            "Last commands: thermal 70.00, wind 60.00, solar 0.00, battery 0.00\n"
            "Today: demand 100.00, budget 400.00"
        )
        assert (info["feedback"], info["usable"], info["report"]) == ("", True, {"violation_days": 0})

    def test_a_good_day_is_told_with_its_numbers(self):
        observation, reward, terminated, truncated, info = started().step(GOOD)
        assert observation == (
            "Day 1: demand met, budget kept.\n"
            "Days over: 1 of 4\n"
            "Stability: 1.0000 (must end above 0.9)\n"
            "Thermal share: 0.7000 (must end below 0.75)\n"
            "Battery: 0.00 of 80\n"
            "Last commands: thermal 70.00, wind 60.00, solar 0.00, battery 0.00\n"
            "Last output: thermal 70.00, wind 30.00, solar 0.00; battery gave 0.00\n"
            "Last balance: supply 100.00 for demand 100.00, cost 330.00 of budget 400.00\n"
            "Today: demand 100.00, budget 400.00"
        )
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert info["report"]["cost_today"] == 330

    def test_plants_yield_and_cost_by_rating(self):
        info = started().step(say(100, 40, 50))[4]
        assert info["state"]["supply_total"] == pytest.approx(100 + 20 + 40)
        assert info["report"]["cost_today"] == pytest.approx(300 + 80 + 300)

    def test_change_costs_half_its_share_of_all_capacity(self):
        info = started().step(say(70 + 128, 60))[4]
        assert info["state"]["stability"] == pytest.approx(1 - 0.5 * 128 / 1280 - 0.5)  # and the budget is overrun

    @pytest.mark.parametrize(
        ("action", "stability"),
        [(say(69, 60), 0.5 - 0.5 / 1280), (say(70, 96), 0.5 - 18 / 1280), (GOOD, 1.0), (say(70, 95), 1 - 17.5 / 1280)],
    )
    def test_a_missed_demand_and_an_overrun_budget_cost_half_each(self, action, stability):
        # 70 thermal and 95 wind cost exactly the budget of 400; 70 and 60 supply exactly the demand.
        assert started().step(action)[4]["state"]["stability"] == pytest.approx(stability)

    def test_a_day_with_both_faults_has_no_stability_left_and_names_both(self):
        info = started(flat(budget=[100.0] * 4)).step(say(50))[4]
        assert info["state"]["stability"] == 0
        assert info["feedback"] == (
            "Day 1: demand was missed by 50.00 and the budget was overrun by 50.00. "
            "Days with a violation in a row: 1 (3 end the game)."
        )

    def test_the_battery_takes_what_fits_and_gives_what_it_holds(self):
        env = started(flat(budget=[9000.0] * 4))
        assert env.step(say(300, battery=-50))[4]["state"]["battery_cur"] == 50
        info = env.step(say(300, battery=-50))[4]
        assert (info["state"]["battery_cur"], info["report"]["battery_flow"]) == (80, -30)
        info = env.step(say(300, battery=70))[4]
        assert (info["state"]["battery_cur"], info["report"]["battery_flow"]) == (10, 70)
        info = env.step(say(300, battery=70))[4]
        assert (info["state"]["battery_cur"], info["report"]["battery_flow"]) == (0, 10)

    def test_charging_is_taken_out_of_the_supply_and_costs_a_tenth(self):
        info = started().step(say(110, 60, battery=-40))[4]
        assert info["state"]["supply_total"] == pytest.approx(100)
        assert info["report"]["cost_today"] == pytest.approx(330 + 120 + 4)

    def test_reaching_both_targets_is_rewarded_on_the_last_day(self):
        env = started()
        outcomes = [env.step(GOOD)[1:4] for _ in range(4)]
        assert outcomes == [(0.0, False, False)] * 3 + [(1.0, True, False)]

    @pytest.mark.parametrize("change", [{"target_carbon": 0.7}, {"target_stability": 1.0}])
    def test_a_target_must_be_passed_not_only_reached(self, change):
        env = started(flat(**change))
        for _ in range(3):
            env.step(GOOD)
        observation, reward, terminated, _, _ = env.step(GOOD)
        assert (reward, terminated) == (0.0, True)
        assert "The targets are not met." in observation

    def test_three_bad_days_in_a_row_end_the_game(self):
        env = started()
        assert [env.step(say())[2] for _ in range(3)] == [False, False, True]

    def test_a_good_day_between_bad_ones_saves_the_game(self):
        env = started()
        for action in (say(), say(), GOOD, say()):
            _, reward, terminated, _, info = env.step(action)
        assert terminated
        assert reward == 0.0
        assert info["report"]["violation_days"] == 3
        assert "collapsed" not in info["feedback"]

    def test_a_collapse_on_the_last_day_is_no_success(self):
        env = started(flat(days=3, target_stability=0.1, target_carbon=1.1))
        for _ in range(3):
            _, reward, terminated, _, info = env.step(say(99))
        assert (reward, terminated) == (0.0, True)
        assert "collapsed" in info["feedback"]

    def test_the_last_observation_asks_for_nothing_more(self):
        env = started(flat(days=1))
        assert "Today" not in env.step(GOOD)[0]

    def test_the_episode_is_cut_after_max_steps(self):
        env = started(max_steps=2)
        assert env.step(GOOD)[3] is False
        assert env.step(GOOD)[2:4] == (False, True)

    @pytest.mark.parametrize("ending", ["success", "truncation", "collapse", "not begun"])
    def test_stepping_outside_an_episode_is_an_error_that_says_reset(self, ending):
        env = EnergyEnv(flat(), max_steps=2 if ending == "truncation" else None)
        if ending != "not begun":
            env.reset()
            over = False
            while not over:
                _, _, terminated, truncated, _ = env.step(say() if ending == "collapse" else GOOD)
                over = terminated or truncated
        with pytest.raises(UsageError, match=r"call reset\(\)"):
            env.step(GOOD)

    def test_reset_starts_afresh_after_a_collapse(self):
        env = started()
        for _ in range(3):
            env.step(say())
        assert env.reset() == EnergyEnv(flat()).reset()
        assert [env.step(GOOD)[1] for _ in range(4)][-1] == 1.0

    @pytest.mark.parametrize("name", ["smoke", "gate", "lite"])
    def test_a_seed_gives_the_world_that_generate_gives(self, name):
        env = EnergyEnv(difficulty=name)
        env.reset(seed=11)
        assert env.world == generate(name, 11)

    def test_resets_without_a_seed_give_new_worlds_that_the_first_seed_decides(self):
        def worlds(seed):
            env = EnergyEnv(difficulty="smoke")
            env.reset(seed=seed)
            return [env.reset()[0] for _ in range(3)]

        assert worlds(1) == worlds(1)
        assert worlds(1) != worlds(2)
        assert len(set(worlds(1))) == 3


class TestActions:
    @pytest.mark.parametrize(
        "raw", [GOOD, f" \n{GOOD}\t", '{"wind": 60, "thermal": 7e1}', '{"thermal":70.0,"wind":60,"battery":-0}']
    )
    def test_objects_of_commands_are_usable_and_what_is_left_out_is_zero(self, raw):
        info = started().step(raw)[4]
        assert info["usable"] is True
        assert info["state"]["prev_rated"] == {"thermal": 70, "wind": 60, "solar": 0, "battery": 0}

    @pytest.mark.parametrize(
        ("raw", "problem"),
        [
            ("", "empty"),
            (" \n", "empty"),
            ("{}", "names nothing"),
            ("not json", "no JSON object"),
            ("{thermal: 70}", "no JSON object"),
            ("{'thermal': 70}", "no JSON object"),
            ("[70, 60, 0, 0]", "no JSON object"),
            ("70", "no JSON object"),
            ("null", "no JSON object"),
            (GOOD + GOOD, "no JSON object"),
            ("[" * 100_000, "no JSON object"),
            ('{"thermal": ' + "9" * 5000 + "}", "no JSON object"),
            ("\x00" * 100_000, "no JSON object"),
            ("\ud800", "no JSON object"),
            ('{"thermal": 70, "thermal": 71}', "twice"),
            ('{"thermal": 70, "coal": 1}', 'no "coal"'),
            ('{"Thermal": 70}', 'no "Thermal"'),
            ('{"thermal": "70"}', "not text"),
            ('{"thermal": null}', "not null"),
            ('{"thermal": true}', "not true or false"),
            ('{"thermal": [70]}', "not a list"),
            ('{"thermal": {"rated": 70}}', "not an object"),
            ('{"thermal": NaN}', "outside its range"),
            ('{"thermal": Infinity}', "outside its range"),
            ('{"thermal": 1e309}', "outside its range"),
            ('{"thermal": -1}', "outside its range"),
            ('{"thermal": 600.01}', "outside its range"),
            ('{"wind": 351}', "outside its range"),
            ('{"solar": -1e-9}', "outside its range"),
            ('{"battery": 81}', "outside its range"),
            ('{"battery": -81}', "outside its range"),
            ('{"thermal": ' + "9" * 4000 + "}", "outside its range"),
        ],
    )
    def test_all_else_uses_up_a_step_passes_no_day_and_is_explained(self, raw, problem):
        env = started()
        before = env.reset()
        observation, reward, terminated, truncated, info = env.step(raw)
        assert info["usable"] is False
        assert info["state"] == before[1]["state"]
        assert observation == f"{info['feedback']}\n{before[0]}"
        assert problem in info["feedback"]
        assert "thermal 0 to 600, wind 0 to 350, solar 0 to 250, battery -80 to 80" in info["feedback"]
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert observation in env.observation_space

    def test_the_ends_of_the_ranges_are_usable(self):
        assert started().step(say(600, 350, 250, 80))[4]["usable"] is True
        assert started().step(say(0, 0, 0, -80))[4]["usable"] is True

    def test_slips_are_forgiven_up_to_the_slack(self):
        env = started()
        for _ in range(5):
            env.step("?")
        assert [env.step(GOOD)[1] for _ in range(4)][-1] == 1.0

    def test_more_slips_than_the_slack_end_the_episode_without_success(self):
        env = started()
        ends = [env.step(action)[1:4] for action in ["?"] * 6 + [GOOD] * 3]
        assert ends[-1] == (0.0, False, True)

    @pytest.mark.parametrize("raw", [70, None, b"{}", {"thermal": 70}])
    def test_what_is_no_text_is_an_error_that_names_its_type(self, raw):
        with pytest.raises(UsageError, match=f"not {type(raw).__name__}"):
            started().step(raw)

    @settings(max_examples=300)
    @given(
        raws=st.lists(
            st.text()
            | st.recursive(
                st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["thermal", "wind", "solar", "battery", "x"]), inner, max_size=4)
                ),
            ).map(json.dumps),
            min_size=1,
            max_size=6,
        ),
        reference_rules=st.booleans(),
    )
    def test_any_text_is_answered_inside_the_observation_space(self, raws, reference_rules):
        env = started(reference_rules=reference_rules)
        for raw in raws:
            before = env.grid.day if env.grid else -1
            observation, reward, terminated, truncated, info = env.step(raw)
            assert observation in env.observation_space
            assert reward == 0.0 or terminated
            assert info["state"]["t"] == before + info["usable"]
            assert 0 <= info["state"]["stability_avg"] <= 1
            assert 0 <= info["state"]["battery_cur"] <= 80
            if terminated or truncated:
                break

    def test_the_longest_answer_fits_the_observation_space(self):
        huge = dict.fromkeys(("thermal", "wind", "solar", "battery"), 1e15)
        env = started(flat(capacity=huge, demand=[1e15] * 4, budget=[1e15] * 4))
        assert env.step(say(123456789012345.678, 1e15, 1e15, 1e15))[0] in env.observation_space
        assert env.step("\U0001f4a1" * 99)[0] in env.observation_space


class TestArguments:
    def test_a_config_and_a_difficulty_exclude_each_other(self):
        with pytest.raises(UsageError, match="not both"):
            EnergyEnv(flat(), difficulty="lite")

    def test_an_unknown_difficulty_names_the_presets(self):
        with pytest.raises(UsageError, match="smoke, gate, lite, challenge"):
            EnergyEnv(difficulty="energy")

    def test_a_difficulty_of_ones_own_is_taken(self):
        env = EnergyEnv(difficulty=EnergyDifficulty(7, (2, 3), (1, 1), carbon=(0.75, 0.8), stability=(0.8, 0.85)))
        env.reset(seed=0)
        assert (env.rules and env.rules.horizon, env.max_steps) == (7, 12)

    @pytest.mark.parametrize(("days", "steps"), [(3, 8), (18, 23), (50, 55), (120, 132), (240, 264)])
    def test_an_episode_gets_a_tenth_more_steps_than_days_and_at_least_five(self, days, steps):
        assert EnergyEnv(flat(days=days)).max_steps == steps

    def test_under_reference_rules_there_is_no_slack(self):
        assert EnergyEnv(flat(days=120), reference_rules=True).max_steps == 120

    @pytest.mark.parametrize("steps", [0, -1, 1.5, True, "9"])
    def test_max_steps_is_a_positive_whole_number(self, steps):
        with pytest.raises(UsageError, match="max_steps"):
            EnergyEnv(flat(), max_steps=steps)

    def test_reset_options_are_refused(self):
        with pytest.raises(UsageError, match="options"):
            EnergyEnv(flat()).reset(options={"day": 1})

    def test_the_callers_config_is_not_kept(self):
        config = flat()
        env = EnergyEnv(config)
        config["demand"][0] = 1e6
        config["world"]["eff_wind"][0] = 0
        env.reset()
        assert env.step(GOOD)[4]["feedback"] == "Day 1: demand met, budget kept."


class TestRules:
    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"horizon": 0}, "horizon"),
            ({"horizon": True}, "horizon"),
            ({"horizon": 5}, "at least 5 numbers"),
            ({"demand": "1111"}, "'demand'"),
            ({"demand": [1, 2, None, 4]}, r"demand'\[2\]"),
            ({"budget": [1, 2, float("nan"), 4]}, r"budget'\[2\]"),
            ({"demand": [0.0] * 4}, "above 0"),
            ({"target_carbon": "low"}, "target_carbon"),
            ({"world": []}, "'world' is a mapping"),
            ({"world": {**flat()["world"], "wind_period": 0}}, "wind_period"),
            ({"capacity": {"thermal": 1}}, "no 'wind'"),
            ({"capacity": dict.fromkeys(("thermal", "wind", "solar", "battery"), 0)}, "not all 0"),
            ({"prices": dict.fromkeys(("thermal", "wind", "solar", "battery"), -1)}, "prices"),
        ],
    )
    def test_a_bad_config_is_refused_with_the_key(self, change, problem):
        with pytest.raises(UsageError, match=problem):
            EnergyEnv(flat(**change))

    @pytest.mark.parametrize("key", ["horizon", "target_stability", "world", "demand", "capacity", "initial_rated"])
    def test_a_missing_key_is_named(self, key):
        config = flat()
        del config[key]
        with pytest.raises(UsageError, match=key):
            EnergyRules.from_config(config)

    def test_phase_means_average_over_the_cycles(self):
        assert phase_means([1, 2, 3, 5, 6, 7, 9], 3) == pytest.approx([5, 4, 5])
        assert phase_means([1, 2], 5) == [1, 2]

    def test_the_description_gives_periods_patterns_weights_capacities_and_targets(self):
        config = generate("gate", 0).config
        text = describe_rules(config)
        for key in ("wind", "solar"):
            period = config["world"][f"{key}_period"]
            assert f"{key} yields a number that comes again every {period} days" in text
            assert ", ".join(f"{v:.3f}" for v in phase_means(config["world"][f"eff_{key}"], period)) in text
        assert text.count("less 0.5") == 3
        assert "/ 1280" in text
        assert f"above {config['target_stability']:g}" in text
        assert f"below {config['target_carbon']:g}" in text
        assert "at most 80" in text

    def test_the_description_tells_no_single_day_and_no_command(self):
        world = generate("lite", 0)
        text = describe_rules(world.config)
        days = world.config["world"]["eff_wind"]
        assert not any(f"{value:.4f}" in text for value in days)
        assert not any(f"{command[0]:.3f}" in text for command in world.plan)

    def test_a_longer_list_than_the_horizon_is_cut(self):
        assert EnergyRules.from_config(flat(days=6, horizon=4)).demand == (100.0,) * 4


class TestReferenceRules:
    def test_numbers_are_clamped_and_other_names_ignored(self):
        info = started(reference_rules=True).step('{"thermal": 9999, "wind": -3, "coal": 1, "battery": -1e9}')[4]
        assert info["state"]["prev_rated"] == {"thermal": 600, "wind": 0, "solar": 0, "battery": -80}
        assert info["usable"] is True

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e309"])
    def test_what_is_no_finite_number_is_the_capacity(self, number):
        info = started(reference_rules=True).step(f'{{"thermal": {number}}}')[4]
        assert info["state"]["thermal_rated"] == 600

    def test_an_empty_object_commands_nothing(self):
        assert started(reference_rules=True).step("{}")[4]["state"]["prev_rated"]["thermal"] == 0

    @pytest.mark.parametrize("blank", ["", " \n"])
    def test_a_blank_text_repeats_the_last_command(self, blank):
        env = started(reference_rules=True)
        env.step(say(90, 10))
        info = env.step(blank)[4]
        assert (info["state"]["t"], info["state"]["thermal_rated"], info["usable"]) == (2, 90, True)

    def test_bad_json_burns_a_step_without_a_word_and_with_it_the_game(self):
        env = started(reference_rules=True)
        observation, _, _, _, info = env.step("not json")
        assert observation == env.reset()[0]
        assert (info["feedback"], info["usable"], info["state"]["t"]) == ("", False, 0)
        env.step("not json")
        assert [env.step(GOOD)[1:4] for _ in range(3)][-1] == (0.0, False, True)

    @pytest.mark.parametrize("raw", ["", "[]", "3", '"x"', '{"thermal": null}', '{"wind": "a"}', '{"solar": []}'])
    def test_where_the_reference_dies_ours_says_why(self, raw):
        _, _, terminated, truncated, info = started(reference_rules=True).step(raw)
        assert (info["usable"], terminated, truncated, info["state"]["t"]) == (False, False, False, 0)
        assert info["feedback"]

    def test_the_same_slip_costs_the_game_there_and_a_turn_here(self):
        rewards = []
        for reference_rules in (True, False):
            env = started(reference_rules=reference_rules)
            reward, over = 0.0, False
            actions = iter(["not json", *[GOOD] * 4])
            while not over:
                _, reward, terminated, truncated, _ = env.step(next(actions))
                over = terminated or truncated
            rewards.append(reward)
        assert rewards == [0.0, 1.0]

    @pytest.mark.parametrize("name", TRACES)
    def test_a_recorded_episode_is_replayed_exactly(self, name, shared):
        path = shared / "odyssey_traces" / f"energy_{name}.json"
        if not path.exists():
            pytest.skip(f"needs {path}")
        trace = json.loads(path.read_text(encoding="utf-8"))
        env = gymnasium.make(ID, config=trace["config"], reference_rules=True, max_steps=trace["max_steps"])
        observation, info = env.reset()
        assert observation == trace["initial"]["obs_text"]
        assert_close(trace["initial"]["state"], info["state"])
        reward, terminated = 0.0, False
        for step in trace["steps"]:
            before = observation, info["state"]
            observation, reward, terminated, truncated, info = env.step(step["raw"])
            assert info["usable"] == (step["status"] in ("ok", "stale_reused"))
            if step["env_stepped"]:
                assert observation == step["obs_text"]
                assert_close(step["state"], info["state"])
                assert_close(step["info"], {k: v for k, v in info["report"].items() if k != "violation_days"})
                assert (terminated, reward) == (step["done"], step["reward"])
            else:
                assert (observation, info["state"]) == before
                assert not terminated
            assert truncated == (not terminated and step["t"] + 1 == trace["max_steps"])
        assert (reward == 1.0) == trace["final"]["success"]
