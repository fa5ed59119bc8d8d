"""Streams of agents whose truth is known, many runs at once: what the proofs of learning and their benchmark draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finchmark.suite.stats.learning_arms import fall_share, measure_weights, paired_contrasts
from finchmark.suite.stats.multiplicity import benjamini_hochberg

Array = NDArray[np.float64]
CHECKPOINTS = np.array([0.0, 5.0, 10.0, 15.0, 20.0])


@dataclass(frozen=True)
class Learner:
    """How an agent's chance of success goes over a stream.

    Args:
        level: At the beginning.
        rate: What an episode adds, on average over streams.
        rate_sd: How much streams differ in that.
        level_sd: How much they differ at the beginning; the same in both arms.
        peak: Episodes after which it adds no more, and loses ``decay`` an episode.
        decay: See above.
        state_sd: Spread of a state that wanders without drift (AR(1)), over checkpoints.
        phi: Its autocorrelation from one checkpoint to the next.
    """

    level: float = 0.3
    rate: float = 0.0
    rate_sd: float = 0.0
    level_sd: float = 0.05
    peak: float = np.inf
    decay: float = 0.0
    state_sd: float = 0.0
    phi: float = 0.8

    def gain(self, at: Array) -> Array:
        """What it has gained in truth after so many episodes, on average."""
        return self.rate * np.minimum(at, self.peak) - self.decay * np.maximum(at - self.peak, 0.0)


@dataclass(frozen=True)
class Setting:
    """How a run is laid out."""

    runs: int = 2000
    streams: int = 12
    items: int = 8
    samples: int = 1
    at: tuple[float, ...] = tuple(CHECKPOINTS)


def chances(rng: np.random.Generator, learner: Learner, setting: Setting, own: Array) -> Array:
    """Chances of success by run, stream and checkpoint."""
    at = np.asarray(setting.at)
    rates = rng.normal(learner.rate, learner.rate_sd, own.shape) - learner.rate
    p = learner.level + own + learner.gain(at) + rates * np.minimum(at, learner.peak)
    state = rng.normal(0, learner.state_sd, own.shape[:2])
    for k in range(at.size):
        p[..., k] += state
        state = learner.phi * state + rng.normal(0, learner.state_sd * (1 - learner.phi**2) ** 0.5, state.shape)
    return p


def arms(
    rng: np.random.Generator,
    setting: Setting,
    learners: Mapping[str, Learner],
    *,
    item_sd: float = 0.1,
    same_luck: bool = False,
) -> dict[str, Array]:
    """Scores of arms on the same streams and items: shape (runs, streams, checkpoints).

    With ``same_luck`` an item's luck is one uniform number for all arms, as the engine's random numbers do not know the
    arm: so it is for an agent whose replies do not hang on its state but in what they earn. Else each arm has its own,
    as models have once their prompts differ.
    """
    some = next(iter(learners.values()))
    shape = setting.runs, setting.streams
    own = rng.normal(0, some.level_sd, shape)[..., None]
    items = rng.normal(0, item_sd, (setting.runs, 1, 1, setting.items, 1))
    luck = None
    found = {}
    for name, learner in learners.items():
        if luck is None or not same_luck:
            luck = rng.random((*shape, len(setting.at), setting.items, setting.samples))
        p = chances(rng, learner, setting, own)[..., None, None] + items
        found[name] = (luck < p).mean(axis=(-1, -2))
    return found


def contrasts(first: Array, second: Array, at: Array = CHECKPOINTS):
    """All contrasts between two arms by name."""
    found = {
        name: paired_contrasts((first - second) @ w, reach=float(np.abs(w).sum()))
        for name, w in measure_weights(at).items()
    }
    found["falls"] = paired_contrasts(fall_share(first) - fall_share(second), reach=1.0)
    return found


def forgetting(first: Array, second: Array, learnt: int):
    """What the first arm lost since a checkpoint more than the second did."""
    return paired_contrasts((first - second)[..., learnt] - (first - second)[..., -1], reach=2.0)


def claimed(p: Array, alpha: float = 0.05) -> Array:
    """In which runs exploratory p-values, shape (runs, contrasts), are claimed after correction."""
    return benjamini_hochberg(p) <= alpha


def holds(got, truth: float) -> float:
    """Share of intervals that hold a truth."""
    return float(((got.low <= truth) & (truth <= got.high)).mean())
