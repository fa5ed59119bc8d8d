"""Nested variance components: how much of a score's spread is between items, between wordings of one, and by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["NestedComponents", "nested_components"]


@dataclass(frozen=True, slots=True)
class NestedComponents:
    """Variances of three levels, one within the other.

    Attributes:
        item: Variance of the items' true means; NaN with one item; 0 where the estimate is negative.
        wording: Variance of the true means of one item's wordings; NaN where no item has two; 0 likewise.
        sample: Variance of samples of one wording; NaN where no wording has two.
        items: Items.
        wordings: Wordings of all items.
        samples: Samples of all wordings.
    """

    item: float
    wording: float
    sample: float
    items: int
    wordings: int
    samples: int

    @property
    def shares(self) -> tuple[float, float, float]:
        """The share of item, wording and sample in their sum; NaN where one is not known, or nothing varies."""
        parts = np.array([self.item, self.wording, self.sample])
        total = float(parts.sum())
        found = parts / total if total > 0 else np.full(3, np.nan)
        return float(found[0]), float(found[1]), float(found[2])


def nested_components(values: ArrayLike, items: ArrayLike, wordings: ArrayLike) -> NestedComponents:
    """Estimate the variance components of a two-way nested random model by analysis of variance.

    ``x_ijk = mean + item_i + wording_ij + sample_ijk``. Each mean square is set equal to its expectation: with N
    samples, n_i of item i and n_ij of its wording j, B wordings and a items,

    - ``E MS_sample = s2``
    - ``E MS_wording = s2 + n0 w2``, ``n0 = (N - sum_i sum_j n_ij^2 / n_i) / (B - a)``
    - ``E MS_item = s2 + n1 w2 + n2 i2``, ``n1 = (sum_i sum_j n_ij^2 / n_i - sum_ij n_ij^2 / N) / (a - 1)``,
      ``n2 = (N - sum_i n_i^2 / N) / (a - 1)``.

    Unbiased before negative estimates are set to 0. Source: Searle, Casella and McCulloch (1992), "Variance
    components", chapter 5 (Henderson's method I, unbalanced data).

    Args:
        values: One number a sample, shape (samples,), finite.
        items: The item of each sample, of the same shape.
        wordings: The wording of each sample; equal names in two items are two wordings.

    Raises:
        ValueError: There is no sample, one is not finite, or the shapes differ.
    """
    x, item, wording = np.asarray(values, dtype=np.float64), np.asarray(items), np.asarray(wordings)
    if x.ndim != 1 or x.size == 0 or item.shape != x.shape or wording.shape != x.shape:
        raise ValueError(
            f"values, items and wordings must have one entry a sample and at least one, not shapes {x.shape}, "
            f"{item.shape} and {wording.shape}"
        )
    if not np.isfinite(x).all():
        raise ValueError(f"values must be finite, not {x[~np.isfinite(x)][0]}: leave out what was not measured")
    _, own = np.unique(item, return_inverse=True)
    names, inner = np.unique(wording, return_inverse=True)
    cells, cell = np.unique(own * names.size + inner, return_inverse=True)
    owner = cells // names.size
    n_cell, n_item = np.bincount(cell).astype(float), np.bincount(own).astype(float)
    total, many, a = float(x.size), cells.size, n_item.size
    cell_mean, item_mean = np.bincount(cell, weights=x) / n_cell, np.bincount(own, weights=x) / n_item
    squares = float(np.sum(n_cell**2 / n_item[owner]))
    sample = w = between = float("nan")
    if total > many:
        sample = float(np.sum((x - cell_mean[cell]) ** 2) / (total - many))
    if many > a and total > many:
        mean_square = float(np.sum(n_cell * (cell_mean - item_mean[owner]) ** 2) / (many - a))
        w = (mean_square - sample) / ((total - squares) / (many - a))
        if a > 1:
            mean_square = float(np.sum(n_item * (item_mean - x.mean()) ** 2) / (a - 1))
            n1 = (squares - float(np.sum(n_cell**2)) / total) / (a - 1)
            n2 = (total - float(np.sum(n_item**2)) / total) / (a - 1)
            between = max((mean_square - sample - n1 * w) / n2, 0.0)
        w = max(w, 0.0)
    return NestedComponents(between, w, sample, a, many, x.size)
