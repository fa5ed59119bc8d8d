"""Estimates that need several samples an item: at least one of k succeeds, all of k succeed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pass_at_k", "pass_hat_k"]


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
