"""Ranks with intervals that hold for all models at once, and letters for those that cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .letters import compact_letters
from .simultaneous import largest_error

__all__ = ["Pairwise", "Ranking", "pairwise", "rank_models"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairwise:
    """All differences between models, with intervals that hold together.

    Every array has shape (models, models); row minus column; the diagonal is NaN.

    Attributes:
        difference: Mean difference over the units that both have; NaN where there is none.
        low: Simultaneous lower bounds: all pairs are covered at once with probability ``confidence``.
        high: Simultaneous upper bounds.
        p_value: Two-sided, adjusted for all pairs; 1 where there are fewer than 2 common units.
        units: Common units.
        confidence: Joint coverage that is aimed at.
    """

    difference: Array
    low: Array
    high: Array
    p_value: Array
    units: NDArray[np.int_]
    confidence: float

    @property
    def different(self) -> NDArray[np.bool_]:
        """Whether a pair differs at the joint level; equivalent to an interval that leaves out 0."""
        return np.nan_to_num(self.p_value, nan=1.0) <= 1 - self.confidence


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Models in order, and how sure the order is.

    Attributes:
        mean: Mean over each model's own units, shape (models,).
        rank: By mean, 1 is best, shape (models,); equal means share the best of their ranks.
        low: Best rank that cannot be ruled out: 1 + the models that are better.
        high: Worst rank that cannot be ruled out: models - the models that are worse.
        letters: Models that share a letter cannot be told apart; ``a`` belongs to the best.
        pairs: What this rests on.
    """

    mean: Array
    rank: NDArray[np.int_]
    low: NDArray[np.int_]
    high: NDArray[np.int_]
    letters: tuple[str, ...]
    pairs: Pairwise


def rank_models(
    scores: ArrayLike, *, higher_is_better: bool = True, confidence: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Ranking:
    """Rank models on common units, with simultaneous rank intervals.

    With all pairs decided at a joint error of ``1 - confidence``, the rank of a model lies from 1 + the number of
    better models to the number of models less those that are worse, for all models at once: Mohamad, Goeman and van
    Zwet (2022), "Simultaneous confidence intervals for ranks with application to ranking institutions", Biometrics 78,
    238-247, section 2; Mogstad, Romano, Shaikh and Wilhelm (2024), "Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries", Rev. Econ. Stud. 91, 476-518, section 3. Models
    of equal truth hold all the ranks that they share. Letters by :func:`.letters.compact_letters`.

    Args:
        scores: Shape (models, units), NaN where a model lacks a unit; a unit's value is the mean of its samples.
        higher_is_better: False where low scores are good.
        confidence: Joint coverage, in (0, 1).
        draws: Draws of the largest error.
        seed: Of the draws.

    Raises:
        ValueError: There is no model, a model has no unit, or a score is infinite.
    """
    pairs = pairwise(scores, confidence=confidence, draws=draws, seed=seed)
    x = np.asarray(scores, dtype=np.float64)
    mean = np.nanmean(x, axis=1)
    gain = pairs.difference if higher_is_better else -pairs.difference
    with np.errstate(invalid="ignore"):
        better = pairs.different & (gain > 0)
    merit = mean if higher_is_better else -mean
    n = mean.size
    return Ranking(
        mean=mean,
        rank=1 + (merit[None, :] > merit[:, None] + 1e-12).sum(axis=1),
        low=1 + better.sum(axis=0),
        high=n - better.sum(axis=1),
        letters=compact_letters(better | better.T, np.argsort(-merit, kind="stable").tolist()),
        pairs=pairs,
    )


def pairwise(scores: ArrayLike, *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> Pairwise:
    """Compare every pair of models on the units that both have, all pairs at once.

    Paired t on unit differences, at the level at which the largest error of all pairs keeps the joint confidence
    (:func:`.simultaneous.largest_error`; the max-t procedure of Hothorn, Bretz and Westfall 2008, "Simultaneous
    inference in general parametric models", Biom. J. 50, 346-363, with the pairs' correlation taken from the units).
    The correction sees how pairs hang together, so it is milder than Bonferroni's.

    Where few units differ the spread is uncertain itself: six pairs of 30, all in one direction, give t a p of .012
    where the exact sign test says .031. Two units are therefore added to each pair's spread, one either way, as large
    as the differences that are there (Agresti and Min 2005, "Simple improved confidence intervals for comparing matched
    proportions", Stat. Med. 24, 729-740, who add half a unit to each of four cells): .029 in that case. The estimate
    stays as it is. (Ten models that are equal, 30 items at .5: some pair is called different in .038 of runs, without
    the two units in .063.)

    Args:
        scores: As for :func:`rank_models`, as are the other arguments and errors.
        confidence: Joint coverage, in (0, 1).
        draws: Draws of the largest error.
        seed: Of the draws.
    """
    from scipy.special import stdtr, stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    x = np.asarray(scores, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] == 0:
        raise ValueError(f"scores must have shape (models, units), not {x.shape}")
    if np.isinf(x).any():
        raise ValueError("scores must be finite, or NaN where a model lacks a unit")
    models = x.shape[0]
    empty = np.flatnonzero(np.isnan(x).all(axis=1))
    if empty.size:
        raise ValueError(f"model number {empty[0]} has no unit: leave it out")
    first, second = np.triu_indices(models, 1)
    d = (x[first] - x[second]).T
    present = ~np.isnan(d)
    d = np.where(present, d, 0.0)
    d[np.abs(d) < 1e-12 * np.nanmax(np.abs(x), initial=1.0)] = 0.0  # means of equal samples may differ by a rounding
    n = present.sum(axis=0)
    enough = n >= 2
    size = np.maximum(n, 2)
    mean = np.where(n > 0, d.sum(axis=0) / np.maximum(n, 1), np.nan)
    error = _standard_error(d, size)
    p = np.ones(first.size)
    largest = largest_error(
        np.where(present & enough, d - np.nan_to_num(mean), 0.0) / size,
        rng=generator("finchmark.stats", "pairwise", seed),
        draws=draws,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(error > 0, np.abs(mean) / error, 0.0)
    p[enough] = largest.adjust(2 * stdtr(size - 1.0, -t))[enough]
    reach = stdtrit(size - 1.0, 1 - largest.level(confidence) / 2) * error
    # No spread in any pair: nothing tells how large a difference could have been missed.
    low, high = (np.where(enough & (error > 0), mean + sign * reach, np.nan) for sign in (-1, 1))

    def matrix(upper: NDArray, lower: NDArray, diagonal: float) -> Array:
        result = np.full((models, models), diagonal)
        result[first, second], result[second, first] = upper, lower
        return result

    return Pairwise(
        difference=matrix(mean, -mean, np.nan),
        low=matrix(low, -high, np.nan),
        high=matrix(high, -low, np.nan),
        p_value=matrix(p, p, np.nan),
        units=matrix(n, n, 0.0).astype(np.int_),
        confidence=confidence,
    )


def _standard_error(d: Array, n: NDArray[np.int_]) -> Array:
    """Standard error of each column's mean, with two units added that are as large as its differences, one each way."""
    squares = (d**2).sum(axis=0)
    unequal = (d != 0).sum(axis=0)
    # A pair that never differs borrows the size from the pairs that do.
    typical = squares.sum() / max(unequal.sum(), 1)
    added = np.where(unequal > 0, squares / np.maximum(unequal, 1), typical)
    variance = (squares + 2 * added - d.sum(axis=0) ** 2 / (n + 2)) / (n + 1)
    return np.sqrt(np.maximum(variance, 0.0) / n)
