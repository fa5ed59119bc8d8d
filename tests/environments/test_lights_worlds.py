"""Generated worlds: fixed by their seed, proved solvable, silent about their order; the solver against brute force."""

import json
import pickle
import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, chisquare, ttest_1samp

from finchmark.environments.odyssey.lights import LightsEnv
from finchmark.environments.odyssey.lights_rules import LightsRules
from finchmark.environments.odyssey.lights_solver import policy_table, random_success, solve
from finchmark.environments.odyssey.lights_worlds import LIGHTS_PRESETS, LightsDifficulty, generate
from finchmark.environments.odyssey.logic import parse
from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

PRESETS = list(LIGHTS_PRESETS)
QUICK = ["smoke", "gate", "lite"]
# Chinese rings: the longest way that rules of this shape can force.
RINGS = {
    "level": 6,
    "custom_logic": {
        "B0": "True",
        "B1": "B0",
        "B2": "(B1 and not B0)",
        "B3": "(B2 and (not B1 and not B0))",
        "B4": "(B3 and (not B2 and (not B1 and not B0)))",
        "B5": "(B4 and (not B3 and (not B2 and (not B1 and not B0))))",
    },
}
STUCK = {"level": 2, "custom_logic": {"B0": "B1", "B1": "B0"}}
# A rule that names its own bulb: once on, B0 stays on.
LATCH = {"level": 2, "custom_logic": {"B0": "not B0", "B1": "True"}}


def any_config(seed: int, bulbs: int) -> dict:
    """A world with any rules at all: circles, own bulbs, constants, possibly without a solution."""
    rng = generator("any config", seed)

    def rule(depth: int) -> str:
        kind = rng.integers(5) if depth else 0
        if kind == 0:
            return ["True", "False", *[f"B{i}" for i in range(bulbs)] * 3][rng.integers(2 + 3 * bulbs)]
        if kind == 1:
            return f"not {rule(depth - 1)}"
        return f"({rule(depth - 1)} {('and', 'or')[kind % 2]} {rule(depth - 1)})"

    return {"level": bulbs, "custom_logic": {f"B{i}": rule(2) for i in range(bulbs)}}


def brute_force_distance(config: dict, start: int) -> int | None:
    """Length of a shortest plan by trying all plans, level by level, with the rules alone."""
    rules = LightsRules.from_config(config)
    reached, seen = {start}, {start}
    for steps in range(2**rules.level + 1):
        if rules.goal in reached:
            return steps
        reached = {rules.press(b, s) for s, b in product(reached, range(rules.level))} - seen
        seen |= reached
    return None


def follow(config: dict, plan: list[int], start: int = 0) -> int:
    rules = LightsRules.from_config(config)
    for bulb in plan:
        start = rules.press(bulb, start)
    return start


class TestGenerate:
    @pytest.mark.parametrize("name", PRESETS)
    def test_the_same_path_gives_the_same_world(self, name):
        assert generate(name, "a", 1) == generate(name, "a", 1)

    @pytest.mark.parametrize("name", PRESETS)
    def test_other_paths_give_other_worlds(self, name):
        assert len({content_hash(generate(name, seed).config) for seed in range(8)}) == 8

    def test_worlds_stay_the_same_across_versions(self):
        # A change here changes every item: raise the task's version with it.
        assert content_hash([generate(name, "golden").config for name in PRESETS]) == "1c288b620251a0f12814e205647ca367"

    def test_neighbouring_seeds_share_next_to_no_worlds(self):
        many = [content_hash(generate("smoke", seed).config) for seed in range(300)]
        assert len(set(many)) > 290

    @settings(max_examples=60, deadline=None)
    @given(
        name=st.sampled_from(QUICK), path=st.lists(st.integers(0, 10**9) | st.text(max_size=5), min_size=1, max_size=3)
    )
    def test_a_world_keeps_what_its_difficulty_asks(self, name, path):
        difficulty, world = LIGHTS_PRESETS[name], generate(name, *path)
        bulbs = world.config["level"]
        assert difficulty.min_bulbs <= bulbs <= difficulty.max_bulbs
        assert difficulty.min_extra <= world.shortest - bulbs <= difficulty.max_extra
        assert world.shortest == len(world.plan) <= world.horizon == difficulty.horizon
        assert random_success(world.config, world.horizon) <= difficulty.max_chance
        rules = [parse(text) for text in world.config["custom_logic"].values()]
        assert max(len(rule.bulbs()) for rule in rules) <= difficulty.max_dependencies

    @settings(max_examples=40, deadline=None)
    @given(name=st.sampled_from(QUICK), seed=st.integers(0, 10**9))
    def test_the_plan_solves_the_world_in_the_environment(self, name, seed):
        world = generate(name, seed)
        env = LightsEnv(world.config, max_steps=world.horizon)
        env.reset()
        answers = [env.step(str(bulb)) for bulb in world.plan]
        assert [answer[2] for answer in answers] == [False] * (world.shortest - 1) + [True]
        assert all("is now" in answer[4]["feedback"] for answer in answers)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10**9))
    def test_no_plan_is_shorter(self, seed):
        world = generate("gate", seed)
        assert brute_force_distance(world.config, 0) == world.shortest

    def test_the_challenge_is_solvable_too(self):
        world = generate("challenge", 0)
        assert follow(world.config, list(world.plan)) == 2 ** world.config["level"] - 1
        assert world.shortest >= world.config["level"] + 12

    def test_all_sizes_of_a_range_occur(self):
        assert {generate("lite", seed).config["level"] for seed in range(60)} == {6, 7, 8, 9, 10}

    def test_a_world_is_plain_data(self):
        world = generate("lite", 1)
        assert json.loads(json.dumps(world.config)) == world.config
        assert pickle.loads(pickle.dumps(world)) == world

    def test_a_difficulty_that_cannot_be_met_raises_and_says_what_to_do(self):
        # Two bulbs with one dependency have four states: no shortest solution takes ten presses.
        hopeless = LightsDifficulty(2, 2, 1, min_extra=8, max_extra=8, horizon=50, attempts=20)
        with pytest.raises(UsageError, match=r"after 20 attempts.*Widen"):
            generate(hopeless, 0)

    def test_no_shortest_solution_is_longer_than_the_horizon(self):
        # Six extra presses are allowed, but the horizon leaves no room for them.
        tight = LightsDifficulty(4, 4, 3, min_extra=0, max_extra=6, horizon=4)
        assert {generate(tight, seed).shortest for seed in range(40)} == {4}

    def test_more_attempts_do_not_change_a_world_that_was_found(self):
        few = LightsDifficulty(4, 4, 3, 0, 2, horizon=8, attempts=500)
        many = LightsDifficulty(4, 4, 3, 0, 2, horizon=8, attempts=900)
        assert generate(few, 3) == generate(many, 3)

    def test_an_empty_path_is_refused(self):
        with pytest.raises(UsageError, match="seed path"):
            generate("smoke")

    @pytest.mark.parametrize(
        "bad",
        [
            {"min_bulbs": 1},
            {"max_bulbs": 3},
            {"max_bulbs": 17},
            {"max_dependencies": 0},
            {"min_extra": -1},
            {"max_extra": 1, "min_extra": 2},
            {"horizon": 3},
            {"attempts": 0},
            {"negation": 1.5},
            {"max_chance": -0.1},
        ],
    )
    def test_an_impossible_difficulty_is_refused(self, bad):
        good = {"min_bulbs": 4, "max_bulbs": 4, "max_dependencies": 3, "min_extra": 0, "max_extra": 2, "horizon": 8}
        with pytest.raises(UsageError, match="LightsDifficulty"):
            LightsDifficulty(**(good | bad))


@pytest.fixture(scope="module")
def many_worlds():
    """For 400 worlds, every bulb's rule in the order of numbers."""
    configs = [generate("gate", "silence", seed).config for seed in range(400)]
    return [list(config["custom_logic"].values()) for config in configs]


def named(rule: str) -> list[int]:
    """The bulbs of a rule in the order in which it names them."""
    return [int(digits) for digits in re.findall(r"B(\d+)", rule)]


def depth(rules: list[str], bulb: int) -> int:
    """The longest chain of dependencies below a bulb."""
    return max((depth(rules, other) + 1 for other in named(rules[bulb])), default=0)


class TestSilence:
    """How a config is written says nothing about the order of a solution; only what the rules mean does."""

    @pytest.mark.parametrize("name", PRESETS)
    def test_bulbs_are_listed_by_number(self, name):
        config = generate(name, 5).config
        assert list(config["custom_logic"]) == [f"B{i}" for i in range(config["level"])]

    def test_the_switch_that_always_works_has_any_number(self, many_worlds):
        counts = np.bincount([rules.index("True") for rules in many_worlds])
        assert chisquare(counts).pvalue > 0.001

    def test_a_bulb_depends_on_lower_numbers_as_often_as_on_higher_ones(self, many_worlds):
        shares = [
            np.mean([other < bulb for bulb, rule in enumerate(rules) for other in named(rule)]) for rules in many_worlds
        ]
        assert ttest_1samp(shares, 0.5).pvalue > 0.001

    def test_long_rules_have_any_number(self, many_worlds):
        slopes = [np.polyfit(range(5), [len(rule) for rule in rules], 1)[0] for rules in many_worlds]
        assert ttest_1samp(slopes, 0.0).pvalue > 0.001

    def test_a_rule_names_shallow_and_deep_bulbs_in_any_order(self, many_worlds):
        rising = falling = 0
        for rules in many_worlds:
            for bulbs in map(named, rules):
                if len(bulbs) > 1:
                    first, last = depth(rules, bulbs[0]), depth(rules, bulbs[-1])
                    rising += first < last
                    falling += first > last
        assert binomtest(rising, rising + falling).pvalue > 0.001


class TestSolver:
    @settings(max_examples=100, deadline=None)
    @given(seed=st.integers(0, 10**9), bulbs=st.integers(1, 4))
    def test_distances_agree_with_brute_force_from_every_state(self, seed, bulbs):
        config = any_config(seed, bulbs)
        table = policy_table(config)
        for state in range(2**bulbs):
            expected = brute_force_distance(config, state)
            assert table.distance[state] == (-1 if expected is None else expected)

    @settings(max_examples=60, deadline=None)
    @given(seed=st.integers(0, 10**9), bulbs=st.integers(1, 6))
    def test_plans_lead_to_the_goal_in_as_many_presses_as_promised(self, seed, bulbs):
        config = any_config(seed, bulbs)
        table = policy_table(config)
        for state in range(2**bulbs):
            plan = table.plan(state)
            assert plan == solve(config, state)
            if plan is not None:
                assert len(plan) == table.distance[state]
                assert follow(config, plan, state) == 2**bulbs - 1

    def test_the_rings_take_the_known_number_of_presses(self):
        # To reach all-on from all-off in the n-ring puzzle takes floor(2**(n + 1) / 3) moves.
        assert len(solve(RINGS) or []) == 2**7 // 3

    def test_a_world_without_a_solution_is_said_to_have_none(self):
        assert solve(STUCK) is None
        assert policy_table(STUCK).best(0) is None

    def test_at_the_goal_there_is_nothing_to_do(self):
        assert solve(RINGS, 63) == []
        assert policy_table(RINGS).best(63) is None

    def test_among_equally_short_ways_the_lowest_bulb_goes_first(self):
        free = {"level": 3, "custom_logic": {"B0": "True", "B1": "True", "B2": "True"}}
        assert solve(free) == [0, 1, 2]

    def test_a_rule_that_names_its_own_bulb_is_one_way(self):
        assert solve(LATCH) == [0, 1]
        assert policy_table(LATCH).distance.tolist() == [2, 1, 1, 0]

    @pytest.mark.parametrize("mask", [-1, 64])
    def test_a_state_of_another_world_is_refused(self, mask):
        with pytest.raises(UsageError, match="not one of this world's states"):
            solve(RINGS, mask)

    def test_a_world_too_large_to_go_through_is_refused(self):
        large = {"level": 17, "custom_logic": {f"B{i}": "True" for i in range(17)}}
        with pytest.raises(UsageError, match="up to 16 bulbs"):
            solve(large)

    def test_the_tables_cannot_be_changed(self):
        table = policy_table(RINGS)
        with pytest.raises(ValueError, match="read-only"):
            table.distance[0] = 0


class TestRandomSuccess:
    @pytest.mark.parametrize("seed", range(4))
    def test_agrees_with_simulation(self, seed):
        world, horizon, plays = generate("smoke", seed), 20, 4000
        rules = LightsRules.from_config(world.config)
        presses = generator("simulation", seed).integers(4, size=(plays, horizon)).tolist()
        wins = 0
        for play in presses:
            state = 0
            for bulb in play:
                state = rules.press(bulb, state)
                if state == rules.goal:
                    wins += 1
                    break
        low, high = binom.interval(0.999, plays, random_success(world.config, horizon))
        assert low <= wins <= high

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10**9), steps=st.integers(0, 4))
    def test_agrees_with_counting_all_sequences(self, seed, steps):
        config = any_config(seed, 3)
        rules = LightsRules.from_config(config)
        wins = 0
        for play in product(range(3), repeat=steps):
            state = 0
            for bulb in play:
                state = rules.press(bulb, state) if state != rules.goal else state
            wins += state == rules.goal
        assert random_success(config, steps) == pytest.approx(wins / 3**steps, abs=1e-12)

    def test_two_free_bulbs_by_hand(self):
        # Off-off to on-on within 2 presses: the second must be the other bulb.
        free = {"level": 2, "custom_logic": {"B0": "True", "B1": "True"}}
        assert random_success(free, 2) == pytest.approx(0.5)

    def test_is_zero_before_the_shortest_plan_and_positive_at_it(self):
        world = generate("gate", 0)
        assert random_success(world.config, world.shortest - 1) == 0
        assert random_success(world.config, world.shortest) > 0

    def test_grows_with_the_steps_allowed(self):
        world = generate("smoke", 0)
        chances = [random_success(world.config, steps) for steps in range(0, 60, 5)]
        assert chances == sorted(chances)

    def test_is_one_at_the_goal_and_zero_where_no_way_leads(self):
        assert random_success(STUCK, 0, start_mask=3) == 1
        assert random_success(STUCK, 500) == 0

    def test_a_negative_number_of_steps_is_refused(self):
        with pytest.raises(UsageError, match="max_steps"):
            random_success(STUCK, -1)
