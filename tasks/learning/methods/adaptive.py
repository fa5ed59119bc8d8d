"""Choosing a method by what an environment is like: a bandit that learns on other cores, as a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....suite.seeds import generator
from .bounds import choice_weights

__all__ = ["Adaptive", "adaptive_choice", "design"]

Array = NDArray[np.float64]
BanditPolicy = Literal["thompson", "ucb"]


@dataclass(frozen=True, eq=False)
class Adaptive:
    """Gains on test of three ways to choose a method for an environment whose core was never seen.

    Attributes:
        bandit: The bandit's choice by the environment's features, shape (E,); averaged over its orders.
        single: The one method that did best on the other cores' validation, shape (E,).
        own: The choice by the environment's own validation, shape (E,): the honest upper bound, which costs running
            every method there.
        policy: How the bandit explored.
        pulls: Methods that it ran while it learnt, for each core left out, on average.
    """

    bandit: Array
    single: Array
    own: Array
    policy: BanditPolicy
    pulls: float


def design(features: Sequence[Mapping[str, str]]) -> Array:
    """Features as numbers: an intercept, then one column a value of each kind, but for the first.

    Args:
        features: Kinds of parts of each environment.

    Returns:
        Shape (E, F).
    """
    columns = [np.ones(len(features))]
    for kind in sorted({kind for one in features for kind in one}):
        values = sorted({one.get(kind, "") for one in features})
        columns += [np.array([float(one.get(kind, "") == value) for one in features]) for value in values[1:]]
    return np.stack(columns, axis=1)


def adaptive_choice(
    validation: ArrayLike,
    test: ArrayLike,
    features: ArrayLike,
    cores: Sequence[str],
    *,
    policy: BanditPolicy = "thompson",
    passes: int = 2,
    spread: float = 0.2,
    orders: int = 20,
    seed: int = 0,
) -> Adaptive:
    """Learn which method suits which environment, leaving one core out at a time.

    For each core, environments of the *other* cores come in a random order, ``passes`` times; the bandit picks one
    method for each, sees that method's validation gain and nothing else, and updates a Bayesian linear regression per
    method (prior N(0, I), noise N(0, 1), rewards in units of ``spread``). For the core that was left out it picks what
    it expects most of, and that method's test gain counts.

    Sources: linear Thompson sampling, Agrawal and Goyal (2013), ICML, Algorithm 1; UCB, Li, Chu, Langford and Schapire
    (2010), WWW, Algorithm 1 (LinUCB, disjoint models) with alpha 1.

    Args:
        validation: Gains on validation, shape (E, M).
        test: Gains on test, shape (E, M).
        features: From :func:`design`, shape (E, F).
        cores: The core of each environment, length E; at least two.
        policy: ``thompson`` or ``ucb``.
        passes: How often every environment comes.
        spread: How much gains differ, on the scale of scores.
        orders: Orders that are averaged over.
        seed: What is drawn with.

    Raises:
        ValueError: Shapes differ, there is one core only, or a number is out of its range.
    """
    v, t = np.asarray(validation, dtype=np.float64), np.asarray(test, dtype=np.float64)
    x = np.asarray(features, dtype=np.float64)
    names = np.asarray(cores)
    if v.shape != t.shape or v.ndim != 2 or len(x) != len(v) or len(names) != len(v):
        raise ValueError(f"validation {v.shape}, test {t.shape}, features {x.shape}, {len(names)} cores do not fit")
    if policy not in ("thompson", "ucb"):
        raise ValueError(f"policy must be 'thompson' or 'ucb', not {policy!r}")
    if passes < 1 or orders < 1 or not spread > 0:
        raise ValueError(f"passes and orders must be at least 1 and spread positive: {passes}, {orders}, {spread}")
    held = np.unique(names)
    if len(held) < 2:
        raise ValueError("leaving a core out needs two cores or more")
    bandit, single = np.zeros(len(v)), np.zeros(len(v))
    pulls = 0
    for core in held:
        out, others = np.flatnonzero(names == core), np.flatnonzero(names != core)
        weights = choice_weights(v[others].mean(axis=0, keepdims=True))[0]
        single[out] = t[out] @ weights
        rng = generator("methods", "bandit", policy, seed, str(core))
        for _ in range(orders):
            order = np.concatenate([rng.permutation(others) for _ in range(passes)])
            means = _learn(x, v / spread, order, policy, rng)
            expected = np.einsum("ef,mf->em", x[out], means)
            # Expectations that differ by rounding only are the same.
            bandit[out] += (choice_weights(expected.round(9)) * t[out]).sum(axis=1) / orders
            pulls += len(order)
    own = (choice_weights(v) * t).sum(axis=1)
    return Adaptive(bandit, single, own, policy, pulls / (orders * len(held)))


def _learn(x: Array, rewards: Array, order: NDArray[np.intp], policy: BanditPolicy, rng: np.random.Generator) -> Array:
    """The regressions' means after one life of the bandit, shape (M, F)."""
    methods, width = rewards.shape[1], x.shape[1]
    inverse = np.tile(np.eye(width), (methods, 1, 1))
    moment = np.zeros((methods, width))
    for environment in order:
        at = x[environment]
        spread = inverse @ at  # (M, F)
        mean = np.einsum("mf,mf->m", spread, moment)
        width_at = np.sqrt(spread @ at)
        # A linear model's sampled value at one point is normal with this mean and width.
        worth = mean + width_at * (rng.standard_normal(methods) if policy == "thompson" else 1.0)
        if policy == "ucb":
            worth = worth + 1e-9 * rng.random(methods)
        pulled = int(worth.argmax())
        # Sherman and Morrison (1950): the inverse after one more observation.
        inverse[pulled] -= np.outer(spread[pulled], spread[pulled]) / (1 + width_at[pulled] ** 2)
        moment[pulled] += rewards[environment, pulled] * at
    return np.einsum("mfg,mg->mf", inverse, moment)
