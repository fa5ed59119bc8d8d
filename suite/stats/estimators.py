"""Estimates that need several samples an item: at least one of k succeeds, all succeed, the best and the worst of k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["best_of_k", "pass_at_k", "pass_hat_k", "worst_of_k"]


def pass_at_k(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Estimate the chance that at least one of ``k`` samples of an item succeeds.

    The unbiased estimate ``1 - C(n - c, k) / C(n, k)``: the share of all k-subsets of the n samples that hold a
    success. Source: Chen et al. (2021), "Evaluating large language models trained on code", arXiv:2107.03374, eq. 1.

    Args:
        n: Samples by item, whole numbers from 0.
        c: Successes by item, 0 to ``n``.
        k: Samples that may be tried, from 1. All three are broadcast.

    Returns:
        Estimates in [0, 1], array of the broadcast shape (0-d for scalars); NaN where ``n < k``: fewer than k
        samples do not tell.

    Raises:
        ValueError: A number is not whole or out of its range.
    """
    n, c, k = _counts(n, c, k)
    # + 0.0 turns the -0.0 of "none marked" into 0.0.
    return np.where(n < k, np.nan, -np.expm1(_log_chance_of_none(n, c, k)) + 0.0)


def pass_hat_k(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Estimate the chance that all of ``k`` samples of an item succeed ("pass^k").

    The unbiased estimate ``C(c, k) / C(n, k)``: the share of all k-subsets of the n samples that hold no failure.
    Source: Yao et al. (2024), "tau-bench: a benchmark for tool-agent-user interaction in real-world domains",
    arXiv:2406.12045, section 4.

    Args and errors as for :func:`pass_at_k`.

    Returns:
        Estimates in [0, 1], array of the broadcast shape (0-d for scalars); NaN where ``n < k``.
    """
    n, c, k = _counts(n, c, k)
    return np.where(n < k, np.nan, np.exp(_log_chance_of_none(n, n - c, k)))


def best_of_k(values: ArrayLike, k: int) -> NDArray[np.float64]:
    """Estimate the expected highest of ``k`` samples of an item.

    The U-statistic whose kernel is the maximum: the mean, over all k-subsets of the n samples, of the subset's highest
    value, in the form ``sum of x_(i) C(i - 1, k - 1) / C(n, k)`` over the sorted samples. Unbiased for k <= n
    (Hoeffding 1948, "A class of statistics with asymptotically normal distribution", Ann. Math. Statist. 19, 293-325);
    on 0 and 1 it is :func:`pass_at_k`.

    Args:
        values: Samples by item along the last axis, shape (..., samples), any finite values; NaN where an item has
            fewer.
        k: Samples that may be tried, a whole number from 1.

    Returns:
        Array with the last axis gone; NaN where an item has fewer than k samples.

    Raises:
        ValueError: ``k`` is not a whole number from 1, or a value is infinite.
    """
    x = np.asarray(values, dtype=np.float64)
    if k != int(k) or k < 1:
        raise ValueError(f"k must be a whole number from 1, not {k!r}")
    if x.ndim == 0 or np.isinf(x).any():
        raise ValueError(f"values must be finite samples along the last axis, not {values!r}")
    x = np.sort(x, axis=-1)  # NaN goes to the end
    n = (~np.isnan(x)).sum(axis=-1)
    result = np.full(n.shape, np.nan)
    for size in np.unique(n[n >= k]):
        # From the highest down, each weight is the one above times (i - k) / (i - 1): no factorial, no overflow.
        i = np.arange(size, k, -1.0)
        weights = k / size * np.concatenate([[1.0], np.cumprod((i - k) / (i - 1))])
        rows = n == size
        result[rows] = x[rows][:, size - 1 :: -1][:, : weights.size] @ weights
    return result


def worst_of_k(values: ArrayLike, k: int) -> NDArray[np.float64]:
    """Estimate the expected lowest of ``k`` samples of an item.

    The mean, over all k-subsets of the samples, of the subset's lowest value; source, arguments, errors and result as
    for :func:`best_of_k`. On 0 and 1 it is :func:`pass_hat_k`. Where high values are harm, the worst is the highest:
    call :func:`best_of_k`.
    """
    return -best_of_k(-np.asarray(values, dtype=np.float64), k)


def _log_chance_of_none(
    n: NDArray[np.float64], marked: NDArray[np.float64], k: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log of ``C(n - marked, k) / C(n, k)``: k drawn without replacement hold none of the marked.

    The ratio is symmetric in ``marked`` and ``k``; the smaller of them gives the number of factors. Logarithms by
    ``log1p`` keep the digits that factorials or ``1 - product`` lose when n is large and successes are rare.
    """
    many, few = np.maximum(marked, k), np.minimum(marked, k)
    total = np.zeros(n.shape)
    possible = n - marked >= k
    for i in range(int(np.max(few, initial=0.0))):
        active = possible & (i < few)
        if not active.any():
            break
        total[active] += np.log1p(-many[active] / (n[active] - i))
    return np.where(possible, total, -np.inf)


def _counts(*arrays: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    n, c, k = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in arrays))
    for name, values, bad in (
        ("n", n, ~((n >= 0) & (n == np.floor(n)) & np.isfinite(n))),
        ("c", c, ~((c >= 0) & (c <= n) & (c == np.floor(c)))),
        ("k", k, ~((k >= 1) & (k == np.floor(k)) & np.isfinite(k))),
    ):
        if bad.any():
            rule = {"n": "a count", "c": "a count of at most n", "k": "a whole number from 1"}[name]
            raise ValueError(f"{name} must be {rule}, not {values[bad].flat[0]:g}")
    return n, c, k
