"""What may be claimed of a gain: about which population, with which interval, and after which correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....suite.stats.intervals import MIN_UNITS, Interval, t_interval
from ....suite.stats.multiplicity import holm
from ....suite.stats.paired_tests import sign_flip

if TYPE_CHECKING:
    from .result import Table

__all__ = ["LEAST_UNITS", "Gain", "Population", "gain_interval", "gains", "population", "unit_gains"]

LEAST_UNITS = 10
"""A claim is about the highest level that has so many units (validity, section 1)."""

Array = NDArray[np.float64]
Kind = Literal["core", "world", "run", "level"]

_ABOUT: dict[Kind, str] = {
    "core": "worlds of new cores",
    "world": "new worlds",
    "run": "new runs in these worlds",
    "level": "new levels of these worlds, these very candidates only",
}


@dataclass(frozen=True)
class Population:
    """Whom a claim is about.

    Attributes:
        kind: What the units are.
        units: How many.
        labels: The unit of each row; None where units are levels.
        strata: The worlds, or rows, that are fixed and not drawn; None where units are cores or worlds.
    """

    kind: Kind
    units: int
    labels: tuple[str, ...] | None
    strata: tuple[str, ...] | None

    @property
    def about(self) -> str:
        """In words."""
        return _ABOUT[self.kind]


def population(table: Table) -> Population:
    """The highest level with at least 10 units: cores, worlds, runs, and else the test levels."""
    if len(set(table.cores)) >= LEAST_UNITS:
        return Population("core", len(set(table.cores)), table.cores, None)
    if len(set(table.worlds)) >= LEAST_UNITS:
        return Population("world", len(set(table.worlds)), table.worlds, None)
    rows = tuple(f"{world}/{run}" for world, run in zip(table.worlds, table.runs, strict=True))
    if len(rows) >= LEAST_UNITS and len(set(table.runs)) > 1:
        return Population("run", len(rows), rows, table.worlds)
    return Population("level", sum(len(levels) for levels in table.start_levels), None, rows)


@dataclass(frozen=True)
class Gain:
    """A gain over what learning started from.

    Attributes:
        name: A method's, or what was gained by.
        interval: The mean over units, with its interval.
        pvalue: Two-sided: the greater of Student's t and the exchange of signs.
        adjusted: After Holm's correction over all gains that are shown together.
        claimed: Whether a gain is claimed: it is positive and its adjusted p-value at most alpha.
    """

    name: str
    interval: Interval
    pvalue: float
    adjusted: float
    claimed: bool


def gain_interval(values: ArrayLike, strata: Sequence[str] | None = None, *, confidence: float = 0.95) -> Interval:
    """The mean of units with Student's interval; fixed strata weigh the same and add only what varies inside them.

    Source of the stratified variance: Cochran (1977), Sampling Techniques, eq. 5.11 with equal weights; its degrees of
    freedom are those of the pooled variance.

    Args:
        values: One number a unit, shape (units,), finite.
        strata: The stratum of each unit; None: the units are drawn from one population.
        confidence: In (0, 1).
    """
    x = np.asarray(values, dtype=np.float64)
    if strata is None:
        return t_interval(x, confidence=confidence)
    from scipy.special import stdtrit

    _, index, counts = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    means = np.bincount(index, weights=x) / counts
    squares = np.bincount(index, weights=(x - means[index]) ** 2)
    estimate, freedom = float(means.mean()), int((counts - 1).sum())
    k = len(x)
    if (counts < 2).any() or squares.sum() <= 1e-18 * max(1.0, float((x**2).sum())):
        return Interval(estimate, np.nan, np.nan, "none", k, k, confidence, True)
    error = float(np.sqrt((squares / (counts - 1) / counts).sum())) / len(counts)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return Interval(estimate, estimate - half, estimate + half, "stratified-t", k, k, confidence, k < MIN_UNITS)


def gains(table: Table, *, alpha: float = 0.05, confidence: float = 0.95) -> tuple[Gain, ...]:
    """The gain of each method over the first candidate, and that of choosing a method on validation, on test levels.

    Args:
        table: The scores.
        alpha: Level of all claims together, two-sided.
        confidence: Of the intervals.

    Returns:
        One a method in their order, and last ``chosen on validation``, the honest upper bound.
    """
    from .bounds import choice_weights

    whom = population(table)
    weights = choice_weights(table.validation)
    columns = [np.tile(np.eye(len(table.methods))[m], (len(weights), 1)) for m in range(len(table.methods))]
    found = []
    for name, column in zip((*table.methods, "chosen on validation"), (*columns, weights), strict=True):
        values, strata = unit_gains(table, whom, column)
        interval = gain_interval(values, strata, confidence=confidence)
        found.append((name, interval, _pvalue(values, strata)))
    adjusted = holm([p for _, _, p in found])
    return tuple(
        Gain(name, interval, p, float(q), bool(q <= alpha and interval.estimate > 0))
        for (name, interval, p), q in zip(found, adjusted, strict=True)
    )


def unit_gains(table: Table, whom: Population, weights: Array) -> tuple[Array, tuple[str, ...] | None]:
    """Gains on test over the first candidate, by unit.

    Args:
        table: The scores.
        whom: Whose units.
        weights: How often each method is chosen in each row, shape (R, M), rows sum to 1.

    Returns:
        One gain a unit, and the stratum of each, as :func:`gain_interval` takes them.
    """
    if whom.labels is None:
        assert whom.strata is not None
        by_row = [
            levels @ weight - start
            for levels, weight, start in zip(table.levels, weights, table.start_levels, strict=True)
        ]
        strata = tuple(name for name, row in zip(whom.strata, by_row, strict=True) for _ in row)
        return np.concatenate(by_row), strata
    rows = (weights * table.test).sum(axis=1) - table.start_test
    _, index = np.unique(np.asarray(whom.labels), return_inverse=True)
    if whom.strata is not None:
        return rows, whom.strata
    return np.bincount(index, weights=rows) / np.bincount(index), None


def _pvalue(values: Array, strata: Sequence[str] | None) -> float:
    """The greater of two: t has no say where few units differ, signs have none where gains are skewed."""
    if not values.any():
        return 1.0
    from scipy.special import stdtr

    flipped = float(sign_flip(values).pvalue)
    interval = gain_interval(values, strata)
    if interval.method == "none":
        return flipped
    freedom = len(values) - (1 if strata is None else len(set(strata)))
    from scipy.special import stdtrit

    error = (interval.high - interval.low) / 2 / float(stdtrit(freedom, (1 + interval.confidence) / 2))
    return max(flipped, float(2 * stdtr(freedom, -abs(interval.estimate) / error)))
