from __future__ import annotations

import json
import statistics

import pytest
from scipy.stats import binomtest

from finchmark import evaluate
from finchmark.environments.odyssey.energy import EnergyEnv
from finchmark.environments.odyssey.energy_control import REACTIVE, play
from finchmark.environments.odyssey.energy_rules import NAMES, EnergyRules
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UnknownName
from finchmark.suite.registry import TASKS
from finchmark.tasks.actions import find_action
from finchmark.tasks.odyssey.energy import Energy
from finchmark.tasks.odyssey.energy_policies import read_morning

ENERGY = TASKS.load("odyssey/energy")()
GATE = ENERGY.tiers["gate"]


@pytest.fixture(scope="module")
def gate_items():
    return ENERGY.items(GATE, 0)


def canned(replies, tmp_path):
    run = evaluate(
        "odyssey/energy", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": replies},
    )  # fmt: skip
    (sample,) = run.samples()
    return sample


def test_the_task_passes_our_own_checks():
    check_task(Energy)


@pytest.mark.parametrize("tier", ["smoke", "lite", "challenge"])
def test_every_item_is_solvable_within_its_cap_by_its_proof(tier):
    items = ENERGY.items(ENERGY.tiers[tier], 0)
    assert len(items) == ENERGY.tiers[tier].items
    for item in items[:4]:
        env = ENERGY.make_env(item, ENERGY.tiers[tier])
        env.reset(seed=0)
        assert len(item.proof["plan"]) <= ENERGY.tiers[tier].max_turns
        reward, terminated = 0.0, False
        for command in item.proof["plan"]:
            _, reward, terminated, _, _ = env.step(json.dumps(dict(zip(NAMES, command, strict=True))))
        assert terminated
        assert reward == 1.0


def test_items_are_distinct_and_regenerated_ones_are_others(gate_items):
    public = {item.hash for item in gate_items}
    other = {item.hash for item in ENERGY.items(GATE, 1)}
    assert len(public) == GATE.items == 300
    assert not public & other


def test_the_smoke_tier_stays_small():
    smoke = ENERGY.tiers["smoke"]
    assert (smoke.items, smoke.max_turns, smoke.max_tokens) == (1, 8, 64)


def test_the_challenge_is_longer_than_200_turns():
    assert ENERGY.items(ENERGY.tiers["challenge"], 0)[0].data["config"]["horizon"] > 200


@pytest.mark.parametrize("arm", [arm.name for arm in ENERGY.arms])
def test_the_oracle_reaches_its_ceiling_on_every_item(arm, tmp_path):
    run = evaluate("odyssey/energy", "scripted:oracle", tier="gate", arms=[arm], samples=1, out=tmp_path / "r")
    frame = run.frame()
    assert (frame["success"] == 1.0).all()
    assert (frame["steps_to_success"] == 18).all()
    assert (frame["violation_rate"] == 0).all()
    assert run.manifest.tasks["odyssey/energy"].levels[arm]["success"].ceiling == 1.0


def test_the_random_policy_plays_at_its_stated_chance(tmp_path):
    run = evaluate("odyssey/energy", "scripted:random", tier="gate", arms=["inductive"], samples=8, out=tmp_path / "r")
    hits = run.frame()["success"]
    level = run.manifest.tasks["odyssey/energy"].levels["inductive"]["success"]
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.999)
    assert interval.low <= level.chance <= interval.high
    assert not level.exact


def test_the_reactive_heuristic_lies_between_chance_and_oracle(tmp_path):
    played = {
        name: evaluate(
            "odyssey/energy", f"scripted:{name}", tier="gate", arms=["inductive"], samples=1, out=tmp_path / name
        ).frame()
        for name in ("random", "heuristic")
    }
    assert 0 < played["heuristic"]["success"].mean() < 0.12
    assert played["random"]["survived"].mean() < 0.3 < 0.8 < played["heuristic"]["survived"].mean()
    assert played["random"]["stability"].mean() < 0.5 < 0.75 < played["heuristic"]["stability"].mean()


def test_the_heuristic_plays_through_text_as_it_plays_on_numbers(gate_items, tmp_path):
    run = evaluate(
        "odyssey/energy", "scripted:heuristic", tier="gate", arms=["inductive"], samples=1, out=tmp_path / "r"
    )
    through_text = {sample.item: sample.metrics["stability"] for sample in run.samples()}
    off = [
        abs(through_text[i.id] - play(EnergyRules.from_config(i.data["config"]), "yesterday", REACTIVE).mean_stability)
        for i in gate_items
    ]
    # Yields are read off two decimals; now and then that decides whether a demand is met.
    assert statistics.median(off) < 0.001
    assert statistics.mean(off) < 0.005


def test_the_rules_stand_only_in_the_arm_that_gives_them(gate_items):
    item = gate_items[0]
    hidden, given = (ENERGY.instructions(item, ENERGY.arm(name), GATE) for name in ("inductive", "with-rules"))
    period = f"comes again every {item.data['config']['world']['wind_period']} days"
    assert period in given
    assert period not in hidden
    assert "0.5 * change" in given
    assert "0.5" not in hidden


@pytest.mark.parametrize("arm", [arm.name for arm in ENERGY.arms])
def test_the_instructions_tell_costs_ranges_and_targets_in_both_arms(arm, gate_items):
    item = gate_items[1]
    text = ENERGY.instructions(item, ENERGY.arm(arm), GATE)
    config = item.data["config"]
    for piece in (
        f"above {config['target_stability']:g}",
        f"less than {config['target_carbon']:g}",
        "600",
        "350",
        "250",
        "Three days in a row",
        "23 turns",
    ):
        assert piece in text


def test_the_practice_turns_are_usable_and_move_from_item_to_item(gate_items):
    seen = set()
    for item in gate_items[:20]:
        for _, answer in ENERGY.practice(item):
            action, tagged = find_action(answer)
            assert tagged
            env = ENERGY.make_env(item, GATE)
            env.reset(seed=0)
            assert env.step(action)[4]["usable"]
            seen.add(action)
    assert len(seen) == 40


def test_the_practice_turns_say_what_they_show(gate_items):
    (first, answer), (second, other) = ENERGY.practice(gate_items[0])
    for question, reply, sign in ((first, answer, -1), (second, other, 1)):
        command = json.loads(find_action(reply)[0])
        assert (
            f"run {command['thermal']} of thermal, {command['wind']} of wind and {command['solar']} of sol" in question
        )
        assert f" {sign * command['battery']} " in question
    assert "into the battery" in first
    assert "out of the battery" in second


def test_copying_a_practice_turn_does_not_win(gate_items):
    for item in gate_items[:50]:
        for _, answer in ENERGY.practice(item):
            env = ENERGY.make_env(item, GATE)
            env.reset(seed=0)
            reward, over = 0.0, False
            while not over:
                _, reward, terminated, truncated, _ = env.step(find_action(answer)[0])
                over = terminated or truncated
            assert reward == 0.0


def test_an_unusable_action_costs_its_turn_but_no_day(tmp_path):
    sample = canned(["<action>more power</action>", '<action>{"thermal": 400}</action>'], tmp_path)
    assert [turn.usable for turn in sample.turns if not turn.scores] == [False, True] * 3
    assert sample.metrics["unusable_rate"] == 0.5
    assert sample.metrics["survived"] == 1.0
    assert "No day passed" in sample.turns[1].observation
    assert "Days over: 0 of 3" in sample.turns[1].observation


def test_a_game_of_unusable_actions_is_invalid_and_has_no_stability(tmp_path):
    sample = canned(["<action>[]</action>"], tmp_path)
    assert sample.outcome == "invalid"
    assert sample.metrics["success"] == sample.metrics["survived"] == 0.0
    assert sample.metrics["stability"] is None


def test_a_collapse_ends_the_game_and_is_scored(tmp_path):
    sample = canned(['<action>{"thermal": 0}</action>'], tmp_path)
    assert len([turn for turn in sample.turns if not turn.scores]) == 3
    assert sample.metrics["violation_rate"] == 1.0
    assert sample.metrics["success"] == 0.0


def test_there_is_no_loop_ratio_because_no_day_comes_twice(tmp_path):
    assert "loop_ratio" not in {metric.name for metric in ENERGY.metrics}
    assert "loop_ratio" not in canned(['<action>{"thermal": 400}</action>'], tmp_path).metrics


def test_an_unknown_reference_is_refused(gate_items):
    with pytest.raises(UnknownName, match="reference"):
        ENERGY.reference("psychic", gate_items[0], ENERGY.arms[0])


class TestReading:
    def test_the_first_morning(self, gate_items):
        config = gate_items[0].data["config"]
        morning = read_morning(EnergyEnv(config).reset(seed=0)[0])
        assert (morning.days, morning.output, morning.supply) == (0, None, None)
        assert (morning.demand, morning.budget) == (config["demand"][0], config["budget"][0])
        assert morning.rated == tuple(config["initial_rated"].values())

    def test_a_later_morning(self, gate_items):
        env = EnergyEnv(gate_items[0].data["config"])
        env.reset(seed=0)
        text, _, _, _, info = env.step('{"thermal": 250, "wind": 80.5, "solar": 40, "battery": -12.25}')
        morning = read_morning(text)
        state = info["state"]
        assert morning.days == 1
        assert morning.rated == (250, 80.5, 40, -12.25)
        assert morning.output == pytest.approx(
            [state["thermal_actual"], state["wind_actual"], state["solar_actual"]], abs=0.005
        )
        assert morning.supply == pytest.approx(state["supply_total"], abs=0.005)

    def test_the_last_of_several_mornings_counts(self, gate_items):
        env = EnergyEnv(gate_items[0].data["config"])
        first = env.reset(seed=0)[0]
        later = env.step('{"wind": 3}')[0]
        assert read_morning(f"{first}\n{later}").days == 1

    def test_a_text_without_a_grid_is_refused(self):
        with pytest.raises(ValueError, match="no observation"):
            read_morning("💡 ○")
