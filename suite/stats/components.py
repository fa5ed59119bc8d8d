"""Variance components: how much of a score's spread is between items, and how much between samples of one item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Components", "PairedComponents", "components", "paired_components"]


@dataclass(frozen=True, slots=True)
class Components:
    """One run's spread.

    Attributes:
        mean: Mean of the item means.
        within: Variance of samples of one item; NaN where no item has two.
        between: Variance of the items' true means; NaN likewise; 0 where the estimate is negative.
        spread: Variance of the observed item means; NaN with one item.
        items: Number of items.
        samples: Number of samples.
        per_item: Samples an item, their harmonic mean: the one that counts for the mean of item means.
    """

    mean: float
    within: float
    between: float
    spread: float
    items: int
    samples: int
    per_item: float

    def difference_sd(self, samples: float | None = None, interaction: float = 0.0) -> float:
        """Standard deviation of a unit's difference to a run of the same spread on the same items.

        ``sqrt(interaction + 2 within / samples)``: the items' own means cancel. Without repeats nothing tells within
        from between; all of the spread is then taken as within, so that the result is an upper bound.

        Source: Miller (2024), "Adding error bars to evals", arXiv:2411.00640, section 5, with both sides alike.

        Args:
            samples: Samples an item on each side; those of this run if None.
            interaction: Variance of the true differences over items; 0 says that a change moves all items alike, or
                none. :func:`paired_components` estimates it from two runs.

        Raises:
            ValueError: A number is out of its range.
        """
        count = self.per_item if samples is None else samples
        if not count >= 1:
            raise ValueError(f"samples an item must be at least 1, not {samples!r}")
        if not interaction >= 0:
            raise ValueError(f"interaction is a variance, at least 0, not {interaction!r}")
        within = self.spread if np.isnan(self.within) else self.within
        return float(np.sqrt(interaction + 2 * within / count))


@dataclass(frozen=True, slots=True)
class PairedComponents:
    """The spread of the differences of two runs on their common items.

    Attributes:
        difference: Mean difference, second less first.
        spread: Variance of the observed differences of item means.
        interaction: Variance of the items' true differences; NaN where a side has no item with two samples; 0 where the
            estimate is negative.
        within: Variance of samples of one item, first and second run.
        items: Common items.
        per_item: Samples an item (harmonic mean), first and second run.
    """

    difference: float
    spread: float
    interaction: float
    within: tuple[float, float]
    items: int
    per_item: tuple[float, float]

    def sd(self, samples: float | None = None) -> float:
        """Standard deviation of a unit's difference with so many samples an item on each side.

        ``sqrt(interaction + within_1 / samples + within_2 / samples)``, Miller (2024), arXiv:2411.00640, section 5;
        that of the runs themselves if ``samples`` is None. Where the interaction is not known more samples help by an
        unknown amount, and the runs' own value stands: an upper bound.

        Raises:
            ValueError: ``samples`` is under 1.
        """
        if samples is not None and not samples >= 1:
            raise ValueError(f"samples an item must be at least 1, not {samples!r}")
        if samples is None or np.isnan(self.interaction):
            return float(np.sqrt(self.spread))
        return float(np.sqrt(self.interaction + sum(self.within) / samples))


def components(values: ArrayLike, items: ArrayLike) -> Components:
    """Estimate the variance components of one run: one-way random-effects analysis of variance.

    With mean squares ``MSB`` between and ``MSW`` within items, ``within = MSW`` and ``between = (MSB - MSW) / n0``,
    ``n0 = (N - sum n_i^2 / N) / (k - 1)``, for N samples of k items with n_i each.

    Source: Searle, Casella and McCulloch (1992), "Variance components", section 3.6 (unbalanced data).

    Args:
        values: One number a sample, shape (samples,), finite.
        items: The item of each sample, of the same shape.

    Raises:
        ValueError: There is no sample, one is not finite, or the shapes differ.
    """
    x, index, sizes = _grouped(values, items)
    means = np.bincount(index, weights=x) / sizes
    k, n = means.size, x.size
    within = float(np.sum((x - means[index]) ** 2) / (n - k)) if n > k else float("nan")
    between = float("nan")
    if n > k > 1:
        square = float(np.sum(sizes * (means - x.mean()) ** 2) / (k - 1))
        between = max((square - within) / ((n - np.sum(sizes**2) / n) / (k - 1)), 0.0)
    spread = float(means.var(ddof=1)) if k > 1 else float("nan")
    return Components(float(means.mean()), within, between, spread, k, n, float(1 / np.mean(1 / sizes)))


def paired_components(
    values: ArrayLike, items: ArrayLike, other_values: ArrayLike, other_items: ArrayLike
) -> PairedComponents:
    """Estimate the spread of the differences of two runs on their common items.

    The variance of the observed differences holds the samples' noise of both runs, which is taken off:
    ``interaction = spread - within_1 mean(1 / n_1i) - within_2 mean(1 / n_2i)``. Source: Miller (2024),
    arXiv:2411.00640, sections 4 and 5, by the method of moments.

    Args:
        values: First run: one number a sample.
        items: The item of each of them.
        other_values: Second run, likewise.
        other_items: The item of each of them.

    Raises:
        ValueError: As for :func:`components`, or the runs share fewer than two items.
    """
    common = np.intersect1d(np.asarray(items), np.asarray(other_items))
    if common.size < 2:
        raise ValueError(f"the runs must share at least two items, not {common.size}")
    means, within, inverse = [], [], []
    for x, labels in ((values, items), (other_values, other_items)):
        keep = np.isin(np.asarray(labels), common)
        if np.asarray(x).shape != keep.shape:
            raise ValueError(f"items must name the item of each value: shape {np.asarray(x).shape}, not {keep.shape}")
        side, index, sizes = _grouped(np.asarray(x)[keep], np.asarray(labels)[keep])
        average = np.bincount(index, weights=side) / sizes
        means.append(average)
        free = side.size - common.size
        within.append(float(np.sum((side - average[index]) ** 2) / free) if free else float("nan"))
        inverse.append(float(np.mean(1 / sizes)))
    d = means[1] - means[0]
    spread = float(d.var(ddof=1))
    rest = spread - within[0] * inverse[0] - within[1] * inverse[1]
    return PairedComponents(
        float(d.mean()),
        spread,
        rest if np.isnan(rest) else max(rest, 0.0),
        (within[0], within[1]),
        common.size,
        (1 / inverse[0], 1 / inverse[1]),
    )


def _grouped(values: ArrayLike, items: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Values, the number of each value's item, and the items' numbers of values."""
    x, labels = np.asarray(values, dtype=np.float64), np.asarray(items)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"values must hold one number a sample and at least one, not shape {x.shape}")
    if labels.shape != x.shape:
        raise ValueError(f"items must name the item of each value: shape {x.shape}, not {labels.shape}")
    bad = x[~np.isfinite(x)]
    if bad.size:
        raise ValueError(f"values must be finite, not {bad[0]}: leave out what was not measured")
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return x, index, sizes.astype(np.float64)
