"""The instrument on agents of known behaviour: what it claims of them, and how often it is wrong."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from finchmark.suite.learning import task_learning
from finchmark.suite.records import Metric, ProbeSheet, StreamSheet, TaskSheet
from finchmark.suite.seeds import generator
from finchmark.suite.stats.learning_arms import measure_weights, paired_contrasts, window_weights

_spec = importlib.util.spec_from_file_location(
    "finchmark_simulated_learners", Path(__file__).with_name("simulated_learners.py")
)
assert _spec is not None
assert _spec.loader is not None
sim = importlib.util.module_from_spec(_spec)
# Dataclasses look their module up by name.
sys.modules[_spec.name] = sim
_spec.loader.exec_module(sim)

RUNS = 4000
ERROR = 3.7 * math.sqrt(0.05 * 0.95 / RUNS)
"""What 4,000 runs may be off by chance at a rate of .05; one in 5,000 is further off."""
SETTING = sim.Setting(runs=RUNS)
STILL = sim.Learner()


def draw(name, learner, other=STILL, setting=SETTING, **options):
    found = sim.arms(generator("proof", name), setting, {"evolving": learner, "other": other}, **options)
    return found["evolving"], found["other"]


def alarms(got, alpha=0.05):
    return float((got.p_value <= alpha).mean())


@pytest.mark.parametrize("streams", [6, 8, 12])
@pytest.mark.parametrize("learner", [sim.Learner(rate=0.02), sim.Learner(rate=0.01, rate_sd=0.005)], ids=["a", "b"])
def test_a_known_rate_lies_in_its_interval_in_95_of_100_runs(streams, learner):
    setting = sim.Setting(runs=RUNS, streams=streams)
    a, b = draw(f"rate {streams} {learner.rate}", learner, setting=setting)
    at = np.asarray(setting.at)
    weights = measure_weights(at)
    for name in ("end", "slope", "area"):
        got, truth = sim.contrasts(a, b)[name], learner.gain(at) @ weights[name]
        assert got.estimate.mean() == pytest.approx(truth, abs=4 * got.estimate.std() / RUNS**0.5)
        assert abs(sim.holds(got, truth) - 0.95) < ERROR
    assert learner.gain(at) @ weights["slope"] == pytest.approx(learner.rate)


def test_a_learner_of_a_fair_rate_is_found_with_the_default_number_of_streams():
    a, b = draw("found", sim.Learner(rate=0.02))
    assert alarms(sim.contrasts(a, b)["end"]) > 0.95


@pytest.mark.parametrize("level", [0.05, 0.2, 0.5, 0.95])
@pytest.mark.parametrize("same_luck", [False, True])
def test_who_learns_nothing_is_said_to_gain_in_at_most_5_of_100_runs(level, same_luck):
    still = sim.Learner(level=level)
    a, b = draw(f"still {level}", still, still, same_luck=same_luck)
    for got in sim.contrasts(a, b).values():
        assert alarms(got) <= 0.05 + ERROR


@pytest.mark.parametrize("phi", [0.5, 0.8, 0.95])
def test_a_state_that_wanders_without_drift_alarms_in_at_most_5_of_100_runs(phi):
    at = tuple(np.arange(0.0, 21.0))
    setting = sim.Setting(runs=RUNS, at=at)
    a, b = draw(f"wanders {phi}", sim.Learner(level=0.5, state_sd=0.15, phi=phi), sim.Learner(level=0.5), setting)
    every = sim.contrasts(a, b, np.asarray(at))
    assert alarms(every["end"]) <= 0.05 + ERROR
    others = np.stack([got.p_value for name, got in every.items() if name != "end"], axis=-1)
    assert sim.claimed(others).any(axis=1).mean() <= 0.05 + ERROR


def test_streams_that_go_their_own_ways_deceive_a_test_over_items_and_not_this_one():
    """Agents that gain in some streams what they lose in others: nothing on average (validity, section 1)."""
    torn = sim.Learner(level=0.5, rate_sd=0.01)
    setting = sim.Setting(runs=RUNS, items=32)
    a, b = draw("torn", torn, sim.Learner(level=0.5), setting)
    assert alarms(sim.contrasts(a, b)["end"]) <= 0.05 + ERROR
    n = setting.streams * setting.items
    p, q = a[..., -1].mean(axis=1), b[..., -1].mean(axis=1)
    z = (p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / n)
    assert (2 * stats.norm.sf(np.abs(z)) <= 0.05).mean() > 0.2


def test_who_learns_and_forgets_is_found_to_and_its_loss_lies_in_the_interval():
    forgetful = sim.Learner(rate=0.04, peak=10, decay=0.03)
    a, b = draw("forgets", forgetful, setting=sim.Setting(runs=RUNS, items=16))
    got = sim.forgetting(a, b, learnt=2)
    assert alarms(got) > 0.95
    assert abs(sim.holds(got, 0.3) - 0.95) < ERROR


def test_who_keeps_what_it_learnt_is_said_to_forget_in_at_most_5_of_100_runs():
    a, b = draw("keeps", sim.Learner(rate=0.04, peak=10))
    assert alarms(sim.forgetting(a, b, learnt=2)) <= 0.05 + ERROR


def test_the_best_checkpoint_so_far_would_find_forgetting_where_there_is_none():
    """Why forgetting is read from the checkpoint of learning on, and against a frozen agent."""
    a, _ = draw("best so far", STILL)
    naive = paired_contrasts(a.max(axis=-1) - a[..., -1], reach=1.0)
    assert alarms(naive) > 0.95


def test_who_memorises_levels_is_not_said_to_carry_anything_over():
    """Lived episodes come again and go better; unseen levels do not."""
    at = np.arange(20.0)
    setting = sim.Setting(runs=RUNS, items=1, at=tuple(at))
    lived, not_lived = draw("memorises", sim.Learner(rate=0.03), setting=setting)
    last = window_weights(at)["end"]
    assert alarms(paired_contrasts((lived - not_lived) @ last, reach=1.0)) > 0.95
    a, b = draw("memorises, unseen", STILL)
    assert alarms(sim.contrasts(a, b)["end"]) <= 0.05 + ERROR


def test_a_gain_that_hangs_on_an_easy_first_order_is_exposed_by_shuffled():
    learner = sim.Learner(rate=0.02)
    found = sim.arms(generator("proof", "order"), SETTING, {"evolving": learner, "frozen": STILL, "shuffled": STILL})
    gain, order, left = (
        sim.contrasts(found[a], found[b])["end"]
        for a, b in (("evolving", "frozen"), ("evolving", "shuffled"), ("shuffled", "frozen"))
    )
    assert min(alarms(gain), alarms(order)) > 0.95
    assert alarms(left) <= 0.05 + ERROR


def test_an_order_that_does_not_matter_is_said_to_in_at_most_5_of_100_runs():
    a, b = draw("no order", sim.Learner(rate=0.02), sim.Learner(rate=0.02))
    assert alarms(sim.contrasts(a, b)["end"]) <= 0.05 + ERROR


def test_updates_that_wear_an_agent_out_are_found_to_hurt():
    a, b = draw("hurts", sim.Learner(level=0.8, rate=-0.03), sim.Learner(level=0.8))
    got = sim.contrasts(a, b)["falls"]
    assert alarms(got) > 0.9
    assert got.estimate.mean() > 0.15


def test_more_noise_is_no_more_hurt():
    """An agent that has come from an easy to a hard level of success is noisier, and hurt no more often."""
    a, b = draw("noisier", sim.Learner(level=0.5), sim.Learner(level=0.06, level_sd=0.0), item_sd=0.0)
    got = sim.contrasts(a, b)["falls"]
    assert abs(float(got.estimate.mean())) < 0.01
    assert alarms(got) <= 0.05 + ERROR


def test_runs_are_read_as_the_simulations_read_them():
    levels = ProbeSheet(name="levels", kind="levels", items=("l",))
    metric = Metric(name="score", summary="how well", primary=True)
    sheet = TaskSheet(
        name="family/task",
        version=1,
        summary="A task.",
        metrics=(metric,),
        arms=dict.fromkeys(("evolving", "frozen"), "an arm"),
        levels={},
        streams=StreamSheet(streams=12, episodes=20, checkpoints=(0, 5, 10, 15, 20), probes=(levels,)),
    )
    for seed in range(3):
        a, b = draw(f"whole {seed}", sim.Learner(rate=0.01), setting=sim.Setting(runs=1))
        rows = [
            {
                "arm": arm,
                "stream": f"s{i:03d}",
                "item": "l",
                "position": 5 * k,
                "checkpoint": k + 1,
                "outcome": "ok",
                "score": float(values[0, i, k]),
            }
            for arm, values in (("evolving", a), ("frozen", b))
            for i in range(12)
            for k in range(5)
        ]
        found = task_learning(pd.DataFrame(rows), sheet, ("evolving", "frozen"))
        wanted = sim.contrasts(a, b)
        for c in found.of(kind="levels"):
            for name in ("estimate", "low", "high", "p_value"):
                assert getattr(c, name) == pytest.approx(float(getattr(wanted[c.measure], name)[0]), abs=1e-12)
