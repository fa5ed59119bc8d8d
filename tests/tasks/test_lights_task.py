from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from finchmark import evaluate
from finchmark.environments.odyssey.lights import LightsEnv
from finchmark.suite.registry import TASKS
from finchmark.tasks.odyssey.lights_policies import read_bulbs

LIGHTS = TASKS.load("odyssey/lights")()


@pytest.mark.parametrize("tier", LIGHTS.tiers)
def test_every_item_is_solvable_within_its_cap_by_its_proof(tier):
    for item in LIGHTS.items(LIGHTS.tiers[tier], 0):
        env = LIGHTS.make_env(item, LIGHTS.tiers[tier])
        env.reset(seed=0)
        assert len(item.proof["plan"]) <= LIGHTS.tiers[tier].max_turns
        reward = 0.0
        for bulb in item.proof["plan"]:
            _, reward, terminated, _, _ = env.step(str(bulb))
        assert terminated
        assert reward == 1.0


@pytest.mark.parametrize("tier", LIGHTS.tiers)
def test_items_are_distinct_and_regenerated_ones_are_others(tier):
    public = {i.hash for i in LIGHTS.items(LIGHTS.tiers[tier], 0)}
    other = {i.hash for i in LIGHTS.items(LIGHTS.tiers[tier], 1)}
    assert len(public) == LIGHTS.tiers[tier].items
    assert not public & other


@pytest.mark.parametrize("arm", [a.name for a in LIGHTS.arms])
def test_the_oracle_reaches_its_ceiling_on_every_item(arm, tmp_path):
    run = evaluate("odyssey/lights", "scripted:oracle", tier="gate", arms=[arm], samples=1, out=tmp_path / "r")
    assert (run.frame()["success"] == 1.0).all()
    assert run.manifest.tasks["odyssey/lights"].levels[arm]["success"].ceiling == 1.0


def test_the_random_policy_plays_at_its_stated_chance(tmp_path):
    run = evaluate("odyssey/lights", "scripted:random", tier="gate", arms=["inductive"], samples=16, out=tmp_path / "r")
    hits = run.frame()["success"]
    stated = run.manifest.tasks["odyssey/lights"].levels["inductive"]["success"].chance
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.999)
    assert interval.low <= stated <= interval.high
    assert run.manifest.tasks["odyssey/lights"].levels["inductive"]["success"].exact


def test_the_explorer_is_better_than_chance_and_worse_than_the_oracle(tmp_path):
    run = evaluate(
        "odyssey/lights", "scripted:heuristic", tier="gate", arms=["inductive"], samples=1, out=tmp_path / "r"
    )
    chance = run.manifest.tasks["odyssey/lights"].levels["inductive"]["success"].chance
    mean = run.frame()["success"].mean()
    assert chance + 3 * math.sqrt(chance / 300) < mean < 0.9


def test_chance_at_k_is_stated_per_item():
    items = LIGHTS.items(LIGHTS.tiers["gate"], 0)
    levels = LIGHTS.levels(items, LIGHTS.arms[0], LIGHTS.tiers["gate"], 4)
    each = [i.levels["success"].chance for i in items]
    assert levels["pass@4"].chance == pytest.approx(sum(1 - (1 - p) ** 4 for p in each) / len(each))


def test_the_rules_stand_only_in_the_arm_that_gives_them():
    tier = LIGHTS.tiers["gate"]
    item = LIGHTS.items(tier, 0)[0]
    hidden, given = (LIGHTS.instructions(item, LIGHTS.arm(a), tier) for a in ("inductive", "with-rules"))
    assert "B0" in given
    assert "B0" not in hidden
    assert len(given) > len(hidden)


def test_an_unusable_action_costs_its_turn_and_is_counted(tmp_path):
    run = evaluate(
        "odyssey/lights", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["<action>99</action>", "<action>0</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    assert [t.usable for t in sample.turns[:8]] == [False, True] * 4
    assert sample.metrics["unusable_rate"] == 0.5
    assert "Turn 2 of 8." in sample.turns[1].observation
    assert sample.outcome == "ok"


def test_loops_are_repeats_of_an_action_in_the_same_state(tmp_path):
    run = evaluate(
        "odyssey/lights", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["<action>1</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    states = [t.observation.splitlines()[-1] for t in sample.turns[:8]]
    repeats = sum(s in states[:i] for i, s in enumerate(states))
    assert sample.metrics["loop_ratio"] == pytest.approx(repeats / 8)
    assert repeats >= 6


def test_a_reply_without_a_tag_is_told_so(tmp_path):
    run = evaluate(
        "odyssey/lights", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["I press the lamp", "<action>0</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    assert "no <action>" in sample.turns[1].observation


def test_bulbs_are_read_from_what_the_agent_sees():
    env = LightsEnv(config={"level": 3, "custom_logic": {"B0": "True", "B1": "True", "B2": "True"}})
    env.reset(seed=0)
    assert read_bulbs(env.step("1")[0]) == 0b010
    assert read_bulbs(env.step("2")[0]) == 0b110
