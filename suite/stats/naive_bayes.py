"""Multinomial naive Bayes, cross-validated, for many sets of units at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator

__all__ = ["SMOOTHING", "Folds", "guess_classes", "stratified_folds"]

Array = NDArray[np.float64]
Whole = NDArray[np.intp]

SMOOTHING = 1.0
"""What is added to every count of a class before shares are taken (Laplace)."""


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Which unit is guessed in which turn, from all units of the other turns.

    Attributes:
        classes: Class of each unit, from 0, shape (units,).
        fold: Turn of each unit, from 0, shape (units,).
        class_count: How many classes there are.
        count: How many turns there are.
    """

    classes: Whole
    fold: Whole
    class_count: int
    count: int


def stratified_folds(classes: ArrayLike, count: int, *, seed: int = 0) -> Folds:
    """Deal the units of every class out to folds in a random order.

    Where all classes have as many units and ``count`` divides that number, what is left to learn from holds as many
    units of each class in every turn. Then a guess from features that say nothing is right exactly as often as chance;
    with one unit left out at a time it would be right less often.

    Args:
        classes: Class of each unit, whole numbers from 0, each with 2 units or more, shape (units,).
        count: Folds, from 2 to the units of the smallest class.
        seed: Of the order.

    Raises:
        ValueError: A class is missing or too small for so many folds, or a number is out of range.
    """
    given = np.asarray(classes)
    if given.ndim != 1 or given.size == 0 or (given.dtype.kind not in "iu" and (given != np.floor(given)).any()):
        raise ValueError(f"classes must be one whole number a unit, not an array of shape {given.shape}")
    labels = given.astype(np.intp)
    if labels.min() < 0:
        raise ValueError(f"classes are counted from 0, not from {labels.min()}")
    sizes = np.bincount(labels)
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError(f"there must be 2 classes or more with 2 units or more each, not sizes of {sizes.tolist()}")
    if isinstance(count, bool) or count != int(count) or not 2 <= count <= sizes.min():
        raise ValueError(f"folds must be 2 to {sizes.min()}, the units of the smallest class, not {count!r}")
    rng = generator("finchmark.stats", "folds", seed)
    fold = np.empty(len(labels), dtype=np.intp)
    for one in range(len(sizes)):
        own = np.flatnonzero(labels == one)
        fold[rng.permutation(own)] = np.arange(len(own)) % count
    return Folds(labels, fold, len(sizes), int(count))


def guess_classes(features: ArrayLike, folds: Folds, learnt_from: ArrayLike | None = None) -> Whole:
    """Guess the class of each unit from counts, by naive Bayes learnt from the units of other folds.

    The class with the largest ``sum_f x_f ln(theta_cf)``, where ``theta_cf`` is the share of feature f in all counts of
    class c, :data:`SMOOTHING` added to each count; all classes are as likely beforehand. A tie goes to the first class.

    Source: the multinomial event model of McCallum and Nigam (1998), "A comparison of event models for naive Bayes text
    classification", AAAI-98 workshop on learning for text categorization, equations 3 to 6.

    Args:
        features: Counts, from 0 on, shape (..., units, features): leading axes are sets that are treated alone.
        folds: The same for all sets.
        learnt_from: Counts of the same units and features to learn from, leading axes broadcast; None: ``features``.

    Returns:
        Guesses, shape (..., units).

    Raises:
        ValueError: The units are not those of the folds, or a count is below 0 or missing.
    """
    x = _counts(features, folds)
    known = x if learnt_from is None else _counts(learnt_from, folds)
    logs = _learn(known, folds)
    guesses = np.empty(x.shape[:-1], dtype=np.intp)
    for turn in range(folds.count):
        own = np.flatnonzero(folds.fold == turn)
        merit = x[..., own, :] @ np.swapaxes(logs[..., turn, :, :], -1, -2)
        guesses[..., own] = merit.argmax(axis=-1)
    return guesses


def _counts(features: ArrayLike, folds: Folds) -> Array:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim < 2 or x.shape[-2] != len(folds.classes) or x.shape[-1] < 1:
        raise ValueError(f"features must have shape (..., {len(folds.classes)} units, features), not {x.shape}")
    if not (np.isfinite(x).all() and (x >= 0).all()):
        raise ValueError("features must be counts, from 0 on, none missing")
    return x


def _learn(x: Array, folds: Folds) -> Array:
    """Logarithms of the features' shares, shape (..., folds, classes, features)."""
    # Units of one fold and class stand together, so that one pass sums them.
    cell = folds.fold * folds.class_count + folds.classes
    order = np.argsort(cell, kind="stable")
    there, starts = np.unique(cell[order], return_index=True)
    sums = np.zeros((*x.shape[:-2], folds.count * folds.class_count, x.shape[-1]))
    sums[..., there, :] = np.add.reduceat(x[..., order, :], starts, axis=-2)
    sums = sums.reshape(*x.shape[:-2], folds.count, folds.class_count, x.shape[-1])
    learnt = sums.sum(axis=-3, keepdims=True) - sums + SMOOTHING
    return np.log(learnt) - np.log(learnt.sum(axis=-1, keepdims=True))
