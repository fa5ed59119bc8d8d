"""The instrument on learners of known behaviour: what is there is found, and what is not is not claimed.

Executors and optimisers are scripted, so that a candidate's worth is a known function of its prompt. Whole experiments
are run, as ``finchmark learn methods`` runs them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from finchmark.tasks.learning.methods.bounds import upper_bound
from finchmark.tasks.learning.methods.claims import gains
from finchmark.tasks.learning.methods.experiment import run_methods
from finchmark.tasks.learning.methods.optimiser import FunctionOptimiser, NoOptimiser
from finchmark.tasks.learning.methods.plan import Plan
from finchmark.tasks.learning.methods.summary import summarise

_spec = importlib.util.spec_from_file_location("learning_islands", Path(__file__).with_name("islands.py"))
assert _spec is not None
assert _spec.loader is not None
islands = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(islands)
Island, climber, wordsmith = islands.Island, islands.climber, islands.wordsmith


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch):
    """Thousands of records of made-up worlds need not survive a power cut."""
    monkeypatch.setattr("finchmark.suite.journal.os.fsync", lambda descriptor: None)


def experiment(out: Path, optimiser, *, seed: int = 0, worlds: int = 12, luck: float = 0.2, **changes):
    names = tuple(f"w{seed}-{n}" for n in range(worlds))
    plan = Plan(**{"worlds": names, "methods": ("*-prompt",), "iterations": 2, "seed": seed, **changes})
    return run_methods(plan, None, optimiser, out, arenas={name: Island(name, luck=luck) for name in names})


@pytest.mark.slow
def test_the_gain_of_a_learner_of_known_rate_is_estimated_without_bias(tmp_path):
    """An edit goes up a step with chance .3, and is kept if it did: ten iterations gain 3 steps on average."""
    result = experiment(
        tmp_path, FunctionOptimiser(climber(0.3, step=1.0), "0.3"), worlds=60, luck=0.02, iterations=10,
        methods=("best-dynamics-prompt",),
    )  # fmt: skip
    found = summarise(result)
    gain = found.gains[0]
    assert gain.claimed
    assert gain.interval.low < 3.0 < gain.interval.high
    assert gain.interval.high - gain.interval.low < 1.0


@pytest.mark.slow
def test_edits_without_effect_gain_nothing_and_the_honest_bound_covers_that(tmp_path):
    """40 experiments of 12 worlds each, in which the optimiser only rewrites: all candidates are worth the same."""
    claims, covered, gaps, honest, chance = 0, 0, [], [], []
    for seed in range(40):
        table = experiment(tmp_path / str(seed), FunctionOptimiser(wordsmith, "words"), seed=seed).table()
        found, bound = gains(table), upper_bound(table.validation, table.test, table.distinct, draws=200)
        claims += any(gain.claimed for gain in found)
        whole = found[-1].interval
        covered += whole.low < 0 < whole.high
        gaps.append(bound.optimistic.mean() - bound.honest.mean())
        honest.append(whole.estimate)
        chance.append(bound.by_chance)
    assert claims <= 6  # .05 of 40 and three standard errors
    assert covered >= 34
    assert np.mean(honest) == pytest.approx(0, abs=3 * np.std(honest) / np.sqrt(40))
    assert min(gaps) >= 0
    assert np.mean(gaps) > 0.015
    assert np.mean(chance) == pytest.approx(np.mean(gaps), rel=0.15)


def test_an_optimiser_that_does_nothing_gains_nothing(tmp_path):
    found = summarise(experiment(tmp_path, NoOptimiser(), worlds=3))
    assert found.bound is not None
    assert found.honest == found.optimistic == pytest.approx(found.start)
    assert found.bound.by_chance == pytest.approx(0, abs=1e-12)
    assert not any(gain.claimed for gain in found.gains)


@pytest.mark.slow
def test_what_was_chosen_on_validation_is_inflated_there_and_not_on_test(tmp_path):
    """The reason why validation scores are not reported."""
    inflated, fresh = [], []
    for seed in range(20):
        table = experiment(
            tmp_path / str(seed), FunctionOptimiser(wordsmith, "words"), seed=seed, worlds=6, iterations=6
        ).table()  # fmt: skip
        inflated.append((table.validation - table.start_validation[:, None]).mean())
        fresh.append((table.test - table.start_test[:, None]).mean())
    assert np.mean(inflated) > 0.08
    assert abs(np.mean(fresh)) < 0.03
