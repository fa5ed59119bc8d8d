"""The interval of pass@k, where units hold one item or several."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .estimators import pass_at_k
from .intervals import Interval, korn_graubard, wilson

__all__ = ["pass_at_k_interval"]


def pass_at_k_interval(n: ArrayLike, c: ArrayLike, k: int, units: ArrayLike, confidence: float = 0.95) -> Interval:
    """Estimate the mean over units of the mean over their items of pass@k; the claim is about new units.

    The estimate of an item is :func:`.estimators.pass_at_k`. Wilson where every unit is one item with k samples, so
    that the estimates are 0 or 1; else Korn-Graubard on unit means. An item of n samples holds n / k groups of k, and
    that many trials at most are counted of it. How much items of a unit resemble each other shows in the spread of
    units, from which the method makes its effective sample size.

    Args:
        n: Samples by item, shape (items,), whole numbers from ``k``.
        c: Successes by item, 0 to ``n``.
        k: Samples that may be tried, from 1.
        units: The unit of each item, shape (items,).
        confidence: In (0, 1).

    Returns:
        The interval; ``samples`` is the sum of ``n``.

    Raises:
        ValueError: A number is out of its range, an item has fewer than k samples, or the shapes differ.
    """
    drawn, labels = np.asarray(n, dtype=np.float64), np.asarray(units)
    if labels.shape != drawn.shape:
        raise ValueError(f"units must name the unit of each item: shape {drawn.shape}, not {labels.shape}")
    each = pass_at_k(drawn, c, k)
    if np.isnan(each).any():
        raise ValueError(f"every item must have at least k = {k} samples, not {drawn.min():g}")
    _, place, members = np.unique(labels, return_inverse=True, return_counts=True)
    if len(drawn) and (drawn == k).all() and members.max() == 1:
        found = wilson(round(float(each.sum())), len(each), confidence)
    else:
        trials = drawn / k
        found = korn_graubard(np.bincount(place, each * trials), np.bincount(place, trials), confidence)
    return Interval(
        found.estimate,
        found.low,
        found.high,
        found.method,
        found.units,
        int(drawn.sum()),
        found.confidence,
        found.sparse,
    )
