"""Gain against the number of environments, over all orders of them: never sorted by what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....suite.seeds import generator
from .bounds import choice_weights

__all__ = ["GrowthPoint", "growth"]

Array = NDArray[np.float64]

_FEWEST_CORES = 6
"""Under so many clusters a bootstrap of them says nothing."""


@dataclass(frozen=True)
class GrowthPoint:
    """The gain of the best single method on some environments, averaged over the sets of that many.

    Attributes:
        environments: How many.
        honest: The one method that validation prefers over the whole set, reported on test.
        low: Lower end of its 95 % interval over cores; NaN where there are too few.
        high: Upper end, likewise.
        optimistic: The method that test itself prefers, as the source reports it: higher the fewer environments there
            are, because luck then decides more.
    """

    environments: int
    honest: float
    low: float
    high: float
    optimistic: float


def growth(
    validation: ArrayLike,
    test: ArrayLike,
    cores: Sequence[str],
    *,
    numbers: Sequence[int] | None = None,
    subsets: int = 1_000,
    resamples: int = 300,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[GrowthPoint, ...]:
    """How the best single method's gain depends on how many environments it is asked to serve.

    Every set of environments weighs the same (all sets where there are few, else a random sample), so a falling curve
    says that environments want different methods, or that luck fades. A curve over environments that were sorted by
    the gain seen in them falls whatever happened: it is not drawn.

    Intervals: Student's, with the standard error from a bootstrap of whole cores (Field and Welsh 2007, J. R. Statist.
    Soc. B 69, 369-390), sets being drawn from the environments of the cores that were drawn. With a dozen clusters a
    percentile interval is too narrow (Hesterberg 2015, Am. Stat. 69, 371-386, section 3), and as a core that is drawn
    twice brings no news, resamples are not centred on the estimate.

    Args:
        validation: Gains on validation, shape (E, M): one row an environment.
        test: Gains on test, shape (E, M).
        cores: The core of each environment, length E.
        numbers: Sizes of sets, each from 1 to E; None: a few that double.
        subsets: The most sets of one size.
        resamples: Of the bootstrap; each draws 100 sets.
        confidence: In (0, 1).
        seed: What is drawn with.

    Raises:
        ValueError: Shapes differ, or a number is out of its range.
    """
    v, t = np.asarray(validation, dtype=np.float64), np.asarray(test, dtype=np.float64)
    if v.shape != t.shape or v.ndim != 2 or len(cores) != len(v):
        raise ValueError(
            f"validation {v.shape}, test {t.shape} and {len(cores)} cores are not of the same environments"
        )
    e = len(v)
    sizes = _sizes(e) if numbers is None else tuple(numbers)
    for size in sizes:
        if not 1 <= size <= e:
            raise ValueError(f"a set has from 1 to {e} environments, not {size}")
    from scipy.special import stdtrit

    labels, index = np.unique(np.asarray(cores), return_inverse=True)
    members = [np.flatnonzero(index == core) for core in range(len(labels))]
    drawn: list[list[float]] = [[] for _ in sizes]
    if len(labels) >= _FEWEST_CORES:
        rng = generator("methods", "growth", "bootstrap", seed)
        for _ in range(resamples):
            rows = np.concatenate([members[core] for core in rng.integers(len(labels), size=len(labels))])
            for kept, size in zip(drawn, sizes, strict=True):
                sets = rows[_random_sets(rng, len(rows), min(size, len(rows)), 100)]
                kept.append(float(_single(v, t, sets).mean()))
    points = []
    for size, found in zip(sizes, drawn, strict=True):
        sets = _sets(e, size, subsets, seed)
        honest, half = float(_single(v, t, sets).mean()), np.nan
        if len(found) > 1:
            clusters = len(labels)
            half = float(stdtrit(clusters - 1, (1 + confidence) / 2) * np.std(found, ddof=1))
            half *= sqrt(clusters / (clusters - 1))
        points.append(GrowthPoint(size, honest, honest - half, honest + half, float(_single(t, t, sets).mean())))
    return tuple(points)


def _single(preference: Array, score: Array, sets: NDArray[np.intp]) -> Array:
    """For each set, shape (S, k), the score of the one method that is preferred over the set; shape (S,)."""
    weights = choice_weights(preference[sets].mean(axis=1))
    return (weights * score[sets].mean(axis=1)).sum(axis=1)


def _sizes(environments: int) -> tuple[int, ...]:
    found = [1]
    while found[-1] * 2 < environments:
        found.append(found[-1] * 2)
    return (*found, environments) if environments > 1 else (1,)


def _sets(environments: int, size: int, most: int, seed: int) -> NDArray[np.intp]:
    if comb(environments, size) <= most:
        return np.array(list(combinations(range(environments), size)), dtype=np.intp)
    return _random_sets(generator("methods", "growth", "sets", seed, size), environments, size, most)


def _random_sets(rng: np.random.Generator, environments: int, size: int, count: int) -> NDArray[np.intp]:
    return np.argsort(rng.random((count, environments)), axis=1)[:, :size]
