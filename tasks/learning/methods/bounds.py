"""The learning upper bound two ways: chosen on validation, and, as the source has it, the maximum on test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....suite.seeds import generator

__all__ = ["SpacePoint", "UpperBound", "choice_weights", "method_space", "optimism", "subset_weights", "upper_bound"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UpperBound:
    """What the best method for each environment reaches, where "best" is known in two ways.

    Attributes:
        honest: For each row the test score of the method that validation prefers, shape (R,). Unbiased for what this
            choice is worth, because the test levels had no say in it.
        optimistic: For each row the highest test score of any method, shape (R,). It is above the truth even where all
            methods are alike.
        by_chance: By how much the mean of ``optimistic`` would be above the truth if all methods were alike, with
            luck as large as was measured; NaN where one level a row tells nothing of luck.
    """

    honest: Array
    optimistic: Array
    by_chance: float


def choice_weights(validation: ArrayLike) -> Array:
    """How often each method is chosen: the highest validation score; those that tie share the choice.

    With few binary levels ties are the rule. Whoever breaks them by position reports the first method's luck.

    Args:
        validation: Shape (R, M), finite.

    Returns:
        Shape (R, M), rows sum to 1.
    """
    v = _scores(validation, "validation")
    top = v == v.max(axis=1, keepdims=True)
    return top / top.sum(axis=1, keepdims=True)


def upper_bound(
    validation: ArrayLike, test: ArrayLike, levels: Sequence[ArrayLike], *, draws: int = 2_000, seed: int = 0
) -> UpperBound:
    """Both upper bounds.

    The optimistic one is that of AutoEnv (Zhang et al. 2025, arXiv 2511.19304, section 4): per environment the maximum
    over methods of the score on test.

    Args:
        validation: Scores by which methods are chosen, shape (R, M).
        test: Scores that are reported, shape (R, M).
        levels: For each row the test scores by level of the different candidates, as :func:`optimism` takes them.
        draws: Simulations of equal methods.
        seed: Of the simulations.

    Raises:
        ValueError: Shapes differ, or a score is not finite.
    """
    t = _scores(test, "test")
    w = choice_weights(validation)
    if w.shape != t.shape:
        raise ValueError(f"validation has shape {w.shape}, test {t.shape}: they must be of the same rows and methods")
    return UpperBound((w * t).sum(axis=1), t.max(axis=1), optimism(levels, draws=draws, seed=seed))


def optimism(levels: Sequence[ArrayLike], *, draws: int = 2_000, seed: int = 0) -> float:
    """What the maximum over methods gains by luck alone, if all methods are alike.

    The scores of a row are taken apart into level, method and rest; the rests of each level are dealt out to the
    methods anew, and the highest mean is kept. Rests are scaled by sqrt(L / (L - 1)) for the L levels that the methods'
    means were estimated from. Methods that chose the same candidate share its luck, so they must be given as one column
    (:attr:`.result.Table.distinct`).

    Args:
        levels: For each row the test scores by level, shape (levels, candidates); the number may differ.
        draws: Simulations.
        seed: What they are drawn with.

    Returns:
        The mean over rows of the expected maximum of M alike means; NaN where a row has one level.

    Raises:
        ValueError: There is no row, or a score is not finite.
    """
    if not levels:
        raise ValueError("levels must hold at least one row")
    found = []
    for number, row in enumerate(levels):
        x = _scores(row, f"levels[{number}]")
        count = len(x)
        if count < 2:
            return np.nan
        rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0, keepdims=True) + x.mean()
        rest *= sqrt(count / (count - 1))
        rng = generator("methods", "optimism", seed, number)
        dealt = rng.permuted(np.broadcast_to(rest, (draws, *rest.shape)), axis=2)
        found.append(float(dealt.mean(axis=1).max(axis=1).mean()))
    return float(np.mean(found))


def subset_weights(preference: ArrayLike, size: int) -> Array:
    """How often each method is the preferred one of a set of ``size`` methods, over all such sets of the M methods.

    Exact, without listing sets: the method with j that are preferred to it is the best of a set in
    C(M - 1 - j, size - 1) of C(M, size) cases. Methods that tie share their places, as in :func:`choice_weights`,
    which is the case of ``size`` M.

    Args:
        preference: What the choice goes by, shape (R, M).
        size: From 1 to M.

    Returns:
        Shape (R, M), rows sum to 1: a score's mean over all sets is the weighted sum of its row.

    Raises:
        ValueError: ``size`` is out of range, or a number is not finite.
    """
    v = _scores(preference, "preference")
    m = v.shape[1]
    if not 1 <= size <= m:
        raise ValueError(f"size must be from 1 to {m}, not {size}")
    places = np.array([comb(m - 1 - j, size - 1) for j in range(m)]) / comb(m, size)
    before = np.concatenate([[0.0], np.cumsum(places)])
    above = (v[:, None, :] > v[:, :, None]).sum(axis=2)
    tied = (v[:, None, :] == v[:, :, None]).sum(axis=2)
    return (before[above + tied] - before[above]) / tied


@dataclass(frozen=True, eq=False)
class SpacePoint:
    """Upper bounds of method spaces of one size, averaged over all of them.

    Attributes:
        size: Methods in the space.
        spaces: How many spaces of this size there are.
        weights: How often validation prefers each method of such a space, shape (R, M).
        optimistic: The mean of the maxima on test, shape (R,).
    """

    size: int
    spaces: int
    weights: Array
    optimistic: Array


def method_space(validation: ArrayLike, test: ArrayLike) -> tuple[SpacePoint, ...]:
    """Upper bounds against the size of the method space: the source's figure 3, with the honest choice beside it.

    The optimistic curve rises with every method that is added, whatever it is worth; the honest one rises only where
    validation can tell methods apart.

    Args:
        validation: Shape (R, M).
        test: Shape (R, M).
    """
    t = _scores(test, "test")
    m = t.shape[1]
    return tuple(
        SpacePoint(size, comb(m, size), subset_weights(validation, size), (subset_weights(t, size) * t).sum(axis=1))
        for size in range(1, m + 1)
    )


def _scores(values: ArrayLike, name: str) -> Array:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"{name} must have the shape (rows, methods) and hold at least one score, not {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite: leave out what is missing")
    return x
