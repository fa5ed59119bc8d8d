"""Tango's score method for the difference of two paired proportions, on whole arrays at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounds import Bounds

__all__ = ["tango_bounds", "tango_statistic"]

_HALVINGS = 60
"""An interval of length 2 halved so often is shorter than the distance of neighbouring floats at 1."""


def tango_statistic(gained: ArrayLike, lost: ArrayLike, n: ArrayLike, difference: ArrayLike) -> NDArray[np.float64]:
    """Score statistic of the hypothesis that two paired proportions differ by ``difference``.

    With ``d = (gained - lost) / n``, ``D`` the hypothesis and ``s`` the maximum-likelihood estimate under it of the
    chance that a pair is discordant, it is ``sqrt(n) (d - D) / sqrt(s - D^2)``: about standard normal, large where
    the data lie above the hypothesis. At ``D = 0`` its square is McNemar's chi-square without a correction.

    Source: Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17, 891-908. His quadratic for the chance of one discordant cell is
    rewritten for the sum ``s`` of both, which treats them alike: with ``p = (gained + lost) / n``, ``s`` is the larger
    root of ``s^2 - (p + d D) s + d D - (1 - p) D^2 = 0``.

    Args:
        gained: Pairs in which only the second side succeeds, 0 to ``n``.
        lost: Pairs in which only the first side succeeds; at most ``n`` with ``gained``.
        n: Pairs in all, above 0. Counts need not be whole.
        difference: Hypothetical difference, in [-1, 1]. All four are broadcast.

    Returns:
        The statistic, array of the broadcast shape; 0 where the data equal the hypothesis, infinite where the
        hypothesis allows no variance and the data differ from it.

    Raises:
        ValueError: A number is out of its range.
    """
    d, p, n = _shares(gained, lost, n)
    hypothesis = np.asarray(difference, dtype=np.float64)
    bad = hypothesis[~((hypothesis >= -1) & (hypothesis <= 1))]
    if bad.size:
        raise ValueError(f"difference must lie between -1 and 1, not {bad.flat[0]:g}")
    gap = d - hypothesis
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.sqrt(n) * gap / np.sqrt(_variance(d, p, hypothesis))
    return np.where(gap == 0, 0.0, z)


def tango_bounds(gained: ArrayLike, lost: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Bound the difference of two paired proportions by inverting the score test.

    The interval holds every difference that :func:`tango_statistic` does not reject. It has a width where no pair is
    discordant, and then equals Wilson's bound of 0 in ``n`` on either side: ``z^2 / (n + z^2)``. Solved by bisection,
    since the statistic falls as the hypothesis grows.

    Source: Tango (1998), Statistics in Medicine 17, 891-908, section 4.

    Args:
        gained: Pairs in which only the second side succeeds, 0 to ``n``.
        lost: Pairs in which only the first side succeeds; at most ``n`` with ``gained``.
        n: Pairs in all, above 0. Counts need not be whole; all three are broadcast.
        confidence: Two-sided coverage that is aimed at, in (0, 1). One bound alone, at level ``alpha``, is that of
            ``confidence = 1 - 2 * alpha``.

    Returns:
        Lower and upper bounds of ``(gained - lost) / n``, arrays of the broadcast shape, in [-1, 1].

    Raises:
        ValueError: A number is out of its range.
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    d, p, n = _shares(gained, lost, n)
    threshold = ndtri((1 + confidence) / 2) ** 2 / n
    # The lower bound is the upper one of the exchanged sides, with its sign turned.
    return np.asarray(-_upper(-d, p, threshold)), _upper(d, p, threshold)


def _upper(d: NDArray[np.float64], p: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference above ``d`` at which the squared statistic over ``n`` reaches the threshold."""
    inside, outside = d.copy(), np.ones_like(d)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        accepted = (middle - d) ** 2 < threshold * _variance(d, p, middle)
        inside = np.where(accepted, middle, inside)
        outside = np.where(accepted, outside, middle)
    return outside


def _variance(d: NDArray[np.float64], p: NDArray[np.float64], hypothesis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of one pair's difference under the hypothesis, all else by maximum likelihood."""
    h = p + d * hypothesis
    root = np.sqrt(np.maximum(h**2 - 4 * (d * hypothesis - (1 - p) * hypothesis**2), 0.0))
    return np.maximum((h + root) / 2 - hypothesis**2, 0.0)


def _shares(
    gained: ArrayLike, lost: ArrayLike, n: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Difference and sum of the discordant shares, and the number of pairs, all of one shape."""
    x, y, n = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (gained, lost, n)))
    for bad, name, values, rule in (
        (~(np.isfinite(n) & (n > 0)), "n", n, "be above 0"),
        (~(x >= 0), "gained", x, "be a count"),
        (~(y >= 0), "lost", y, "be a count"),
        (~(x + y <= n * (1 + 1e-12)), "gained + lost", x + y, "be at most n"),
    ):
        if bad.any():
            raise ValueError(f"{name} must {rule}, not {values[bad].flat[0]:g}")
    return (x - y) / n, np.minimum((x + y) / n, 1.0), n
