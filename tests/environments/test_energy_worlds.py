"""Generated energy worlds: fixed by their seed, proved solvable; plans against the grid; what periods are worth."""

import itertools
import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from finchmark.environments.odyssey.energy import EnergyEnv
from finchmark.environments.odyssey.energy_control import (
    KNOWING,
    REACTIVE,
    Controller,
    Inducing,
    Known,
    LeastSeen,
    Periodic,
    Settings,
    Yesterday,
    expectations,
    play,
)
from finchmark.environments.odyssey.energy_grid import EnergyGrid
from finchmark.environments.odyssey.energy_rules import NAMES, EnergyRules
from finchmark.environments.odyssey.energy_solver import replan, solve
from finchmark.environments.odyssey.energy_worlds import ENERGY_PRESETS, EnergyDifficulty, generate, turns_for
from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

PRESETS = list(ENERGY_PRESETS)
COUNTS = {"smoke": 40, "gate": 40, "lite": 3, "challenge": 1}


@pytest.fixture(scope="module")
def gate_worlds():
    return [generate("gate", seed) for seed in range(150)]


@pytest.fixture(scope="module")
def gate_rules(gate_worlds):
    return [EnergyRules.from_config(world.config) for world in gate_worlds]


def say(command) -> str:
    return json.dumps(dict(zip(NAMES, command, strict=True)))


class TestGenerate:
    @pytest.mark.parametrize("name", PRESETS)
    def test_the_same_path_gives_the_same_world(self, name):
        assert generate(name, "a", 1) == generate(name, "a", 1)

    @pytest.mark.parametrize("name", ["smoke", "gate"])
    def test_other_paths_give_other_worlds(self, name):
        assert len({content_hash(generate(name, seed).config) for seed in range(8)}) == 8

    def test_difficulties_draw_unrelated_worlds_from_one_path(self):
        one, two = ENERGY_PRESETS["gate"], EnergyDifficulty(18, (4, 6), (1, 2), noise=0.02)
        assert generate(one, 1).config["demand"] != generate(two, 1).config["demand"]

    def test_worlds_stay_the_same_across_versions(self):
        # A change here changes every item: raise the task's version with it.
        assert content_hash([generate(name, "golden").config for name in PRESETS]) == "4038e741768d3b05c1e721e6abbf5d64"

    @pytest.mark.parametrize("name", PRESETS)
    def test_every_plan_replays_to_success_through_the_text(self, name):
        for seed in range(COUNTS[name]):
            world = generate(name, seed)
            env = EnergyEnv(world.config)
            env.reset()
            outcomes = [env.step(say(command))[1:3] for command in world.plan]
            assert outcomes == [(0.0, False)] * (len(world.plan) - 1) + [(1.0, True)]
            assert env.grid is not None
            assert env.grid.violations == 0
            assert env.grid.mean_stability == pytest.approx(world.stability)
            assert env.grid.carbon == pytest.approx(world.carbon)

    @pytest.mark.parametrize("name", PRESETS)
    def test_plans_leave_the_room_that_the_difficulty_asks(self, name):
        difficulty = ENERGY_PRESETS[name]
        for seed in range(COUNTS[name]):
            world = generate(name, seed)
            assert world.stability > world.config["target_stability"] + difficulty.stability_room
            assert world.carbon < world.config["target_carbon"] - difficulty.carbon_room + 1e-5  # rounding

    @pytest.mark.parametrize("name", PRESETS)
    def test_a_config_is_plain_json(self, name):
        config = generate(name, 5).config
        assert json.loads(json.dumps(config)) == config

    @pytest.mark.parametrize("name", PRESETS)
    def test_values_lie_in_their_ranges(self, name):
        difficulty, config = ENERGY_PRESETS[name], generate(name, 6).config
        world = config["world"]
        assert world["wind_period"] != world["solar_period"]
        for key, levels in (("wind", difficulty.wind), ("solar", difficulty.solar)):
            assert difficulty.periods[0] <= world[f"{key}_period"] <= difficulty.periods[1]
            assert len(world[f"eff_{key}"]) == difficulty.horizon
            assert levels[0] - 0.1 <= min(world[f"eff_{key}"]) <= max(world[f"eff_{key}"]) <= levels[1] + 0.1
        assert difficulty.stability[0] <= config["target_stability"] <= difficulty.stability[1]
        assert difficulty.carbon[0] <= config["target_carbon"] <= difficulty.carbon[1]

    @pytest.mark.parametrize("key", ["wind", "solar"])
    def test_a_pattern_comes_again_after_its_period_and_not_before(self, key):
        world = generate("lite", 2).config["world"]
        days, period = np.array(world[f"eff_{key}"]), world[f"{key}_period"]
        off = {lag: np.abs(days[lag:] - days[:-lag]).mean() for lag in range(1, 31)}
        assert off[period] < 0.03
        assert all(value > 0.05 for lag, value in off.items() if lag != period)

    def test_demand_and_budget_are_shown_exactly(self):
        config = generate("gate", 3).config
        for value in config["demand"] + config["budget"]:
            assert float(f"{value:.2f}") == value

    def test_the_targets_tell_nothing_about_demand_nor_about_each_other(self, gate_worlds):
        configs = [world.config for world in gate_worlds]
        quantities = [
            [statistics.mean(c["demand"]) for c in configs],
            [c["budget"][0] / c["demand"][0] for c in configs],
            [c["target_stability"] for c in configs],
            [c["target_carbon"] for c in configs],
        ]
        # With 150 worlds a correlation beyond 0.27 would come by chance in 1 of 1000.
        for one, two in itertools.combinations(quantities, 2):
            assert abs(np.corrcoef(one, two)[0, 1]) < 0.27

    def test_what_cannot_fit_is_given_up_with_advice(self):
        hopeless = EnergyDifficulty(10, (2, 3), (1, 1), carbon=(0.01, 0.02), attempts=3)
        with pytest.raises(UsageError, match=r"3 attempts.*Raise budget or carbon"):
            generate(hopeless, 1)

    def test_the_number_of_attempts_does_not_change_a_world(self):
        many = ENERGY_PRESETS["gate"]
        fewer = EnergyDifficulty(18, (4, 6), (1, 2), stability=many.stability, carbon=many.carbon, attempts=20)
        assert generate(many, 4) == generate(fewer, 4)

    def test_a_seed_path_is_needed(self):
        with pytest.raises(UsageError, match="seed path"):
            generate("gate")

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"horizon": 0}, "horizon"),
            ({"attempts": 0}, "attempts"),
            ({"periods": (5, 5)}, "differ"),
            ({"periods": (6, 4)}, "lowest first"),
            ({"hold": (0, 2)}, "above 0"),
            ({"noise": -0.1}, "noise"),
            ({"jump": 0.5}, "half the range"),
        ],
    )
    def test_an_impossible_difficulty_is_refused(self, change, problem):
        with pytest.raises(UsageError, match=problem):
            EnergyDifficulty(**{"horizon": 10, "periods": (4, 6), "hold": (1, 2), **change})

    @pytest.mark.parametrize(("days", "turns"), [(1, 6), (50, 55), (59, 64), (60, 66), (240, 264)])
    def test_turns_are_a_tenth_more_than_days_and_at_least_five(self, days, turns):
        assert turns_for(days) == turns


class TestSolver:
    def test_a_world_with_an_unreachable_target_has_no_plan(self):
        config = generate("gate", 0).config
        assert solve({**config, "target_carbon": 0.05}) is None
        assert solve({**config, "target_stability": 1.0}) is None

    def test_a_world_that_needs_no_change_is_planned_without_any(self):
        days = 6
        four = dict.fromkeys(NAMES, 0.0)
        config = {
            "horizon": days,
            "target_stability": 0.999,
            "target_carbon": 0.8,
            "world": {
                "eff_wind": [1.0] * days,
                "eff_solar": [1.0] * days,
                "eff_thermal": [1.0] * days,
                "wind_period": 1,
                "solar_period": 1,
            },
            "demand": [100.0] * days,
            "budget": [500.0] * days,
            "capacity": dict.fromkeys(NAMES, 300),
            "initial_rated": {**four, "thermal": 70.0, "wind": 31.0},
            "prices": {"thermal": 3, "wind": 5, "solar": 6, "battery": 0.1},
        }
        plan = solve(config)
        assert plan is not None
        assert plan.commands == ((70.0, 31.0, 0.0, 0.0),) * days
        assert plan.stability == 1.0

    def test_no_other_plan_without_violation_is_steadier(self, gate_worlds):
        # Random nudges of a plan that keep all its promises never raise its stability.
        world = gate_worlds[0]
        rules = EnergyRules.from_config(world.config)
        rng = generator("nudge")
        kept = 0
        for _ in range(3000):
            grid = EnergyGrid(rules)
            nudge = rng.normal(0, 0.5, (len(world.plan), 3)) * (rng.random((len(world.plan), 1)) < 0.2)
            for (thermal, wind, solar, battery), (a, b, c) in zip(world.plan, nudge, strict=True):
                grid.advance(thermal + a, wind + b, solar + c, battery)
            if grid.success and not grid.violations and grid.carbon <= world.carbon:
                kept += 1
                assert grid.mean_stability <= world.stability + 1e-4
        assert kept > 10

    @settings(max_examples=25)
    @given(seed=st.integers(0, 10**6), days=st.integers(1, 4))
    def test_a_plan_for_the_rest_reaches_the_goal_from_wherever_it_was_made(self, seed, days):
        world = generate("gate", seed % 20)
        env = EnergyEnv(world.config)
        env.reset()
        rng = generator("stray", seed)
        info: dict = {}
        for thermal, wind, solar, _ in world.plan[:days]:
            stray = rng.uniform(0.97, 1.05, 3)
            command = (thermal * stray[0], wind * stray[1], solar * stray[2], float(rng.uniform(-10, 10)))
            info = env.step(say(command))[4]
            if info["state"]["done"]:
                return
        plan = replan(world.config, info["state"])
        if plan is None:
            return
        assert len(plan.commands) == 18 - days
        outcomes = [env.step(say(command))[1:3] for command in plan.commands]
        assert outcomes[-1] == (1.0, True)
        assert env.grid is not None
        assert env.grid.mean_stability == pytest.approx(plan.stability)

    def test_the_rest_of_a_plan_is_found_again_in_its_midst(self):
        world = generate("lite", 1)
        env = EnergyEnv(world.config)
        env.reset()
        for command in world.plan[:60]:
            info = env.step(say(command))[4]
        rest = replan(world.config, info["state"], carbon_slack=0.01)
        assert rest is not None
        assert rest.stability == pytest.approx(world.stability, abs=1e-3)

    def test_after_a_collapse_there_is_no_plan(self):
        world = generate("gate", 0)
        env = EnergyEnv(world.config)
        env.reset()
        for _ in range(3):
            info = env.step('{"thermal": 0}')[4]
        assert replan(world.config, info["state"]) is None

    def test_a_day_of_another_world_is_refused(self):
        with pytest.raises(UsageError, match="Day 99"):
            replan(generate("gate", 0).config, {"t": 99})


class TestExpectations:
    def test_yesterday_expects_what_was_last(self):
        expect = Yesterday()
        expect.see(0.7)
        expect.see(0.9)
        assert expect.guess() == (0.9, False)

    def test_the_least_of_what_was_seen(self):
        expect = LeastSeen()
        for value in (0.9, 0.6, 0.8):
            expect.see(value)
        assert expect.guess() == (0.6, False)

    def test_the_period_finds_the_place_in_the_cycle(self):
        expect = Periodic(3)
        for value in (1.0, 2.0, 3.0, 1.2):
            assert expect.guess()[1] is (value == 1.2)
            expect.see(value)
        assert expect.guess() == (2.0, True)
        for value in (2.0, 3.0):
            expect.see(value)
        assert expect.guess() == (pytest.approx(1.1), True)

    def test_a_period_is_induced_once_three_days_repeat(self):
        expect = Inducing()
        for day, value in enumerate([1.0, 0.5, 0.9, 0.7] * 3):
            guess, sure = expect.guess()
            assert sure is (day >= 7)
            assert guess == pytest.approx(value if sure else min([1.0, 0.5, 0.9, 0.7][:day], default=0.55))
            expect.see(value)

    def test_no_period_is_induced_where_there_is_none(self):
        expect = Inducing()
        rng = generator("no period")
        for value in rng.uniform(0.4, 1.2, 60):
            assert expect.guess()[1] is False
            expect.see(float(value))

    def test_what_never_changes_has_no_period(self):
        expect = Inducing()
        for _ in range(20):
            expect.see(0.8)
        assert expect.guess() == (0.8, False)

    def test_the_pattern_is_known_from_the_first_day(self):
        expect = Known([1.0, 2.0])
        assert expect.guess() == (1.0, True)
        expect.see(9.0)
        assert expect.guess() == (2.0, True)


class TestControllers:
    def test_a_controller_that_knows_the_pattern_meets_demand_inside_the_budget(self, gate_rules):
        grids = [play(rules, "pattern", Settings(margin=0.0, aim=0.03, gain=0.3, rate=150)) for rules in gate_rules]
        assert statistics.mean(grid.violations / grid.day for grid in grids) < 0.05

    def test_a_controller_reads_nothing_of_the_days_to_come(self, gate_rules):
        rules = gate_rules[0]

        def first(changed):
            controller = Controller(changed, *expectations("yesterday", changed), REACTIVE)
            return controller.command(400.0, 1600.0)

        blind = EnergyRules(
            **{
                name: (tuple(9.0 for _ in getattr(rules, name)) if name in series else getattr(rules, name))
                for series in [{"wind", "solar", "thermal", "demand", "budget"}]
                for name in EnergyRules.__slots__
            }
        )
        assert first(rules) == first(blind)

    def test_commands_stay_inside_the_ranges(self, gate_rules):
        rules = gate_rules[1]
        controller = Controller(rules, *expectations("least", rules), KNOWING)
        rng = generator("wild weather")
        for demand in rng.uniform(1, 3000, 200):
            command = controller.command(float(demand), float(rng.uniform(0.5, 6) * demand))
            assert all(0 <= value <= most for value, most in zip(command, rules.capacity, strict=True))
            output = [value * float(rng.uniform(0.1, 2)) for value in command[:3]]
            controller.see(command, output, sum(output))

    def test_knowing_the_periods_is_worth_far_more_than_any_margin(self, gate_rules):
        # The full grid, 300 worlds and long horizons: tests/benchmarks/bench_energy.py.
        best = max(
            statistics.mean(play(rules, "yesterday", Settings(margin, aim, 0.3, 40.0)).success for rules in gate_rules)
            for margin in (0.0, 0.05, 0.15, 0.3, 0.5)
            for aim in (0.002, 0.03)
        )
        knowing = statistics.mean(play(rules, "period", KNOWING).success for rules in gate_rules)
        assert best < 0.12
        assert knowing > 0.35
        assert knowing > best + 0.3

    def test_over_long_games_the_period_decides(self):
        rules = [EnergyRules.from_config(generate("lite", seed).config) for seed in range(6)]
        settings = Settings(margin=0.02, aim=0.01, gain=0.3, rate=150.0)
        assert not any(play(each, "yesterday", settings).success for each in rules)
        assert not any(play(each, "least", settings).success for each in rules)
        assert sum(play(each, "period", settings).success for each in rules) >= 4


def test_random_commands_never_succeed(gate_rules):
    rng = generator("uniform commands")
    low, high = (0, 0, 0, -80), (600, 350, 250, 80)
    successes, plays = 0, 0
    for rules in gate_rules:
        for _ in range(20):
            grid = EnergyGrid(rules)
            while not grid.done:
                grid.advance(*rng.uniform(low, high).tolist())
            successes += grid.success
            plays += 1
    assert successes == 0
    assert binomtest(0, plays).proportion_ci(0.999).high < 0.003


def test_the_expected_change_of_random_commands_costs_more_than_the_targets_allow():
    # The mean distance of two uniform draws is a third of the range; the battery's range is twice its capacity.
    cost = 0.5 * (600 + 350 + 250 + 2 * 80) / 3 / 1280
    assert cost == pytest.approx(0.177, abs=1e-3)
    assert all(1 - cost < difficulty.stability[0] for difficulty in ENERGY_PRESETS.values())
    assert math.isclose(0.177, cost, abs_tol=1e-3)
