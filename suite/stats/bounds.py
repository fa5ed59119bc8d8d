"""Confidence bounds for proportions, on whole arrays at once: numbers in, a pair of arrays out.

:mod:`.intervals` wraps them for one estimate and says what it is; simulations and tables call these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["clopper_pearson_bounds", "jeffreys_bounds", "korn_graubard_bounds", "wilson_bounds"]

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def wilson_bounds(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Bound a proportion by inverting the score test.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Am. Stat.
    Assoc. 22, 209-212; in the form of Brown, Cai and DasGupta (2001), Statist. Sci. 16, eq. 4.

    Args:
        successes: Counts, 0 to ``n``; broadcast against ``n``.
        n: Numbers of trials, at least 1.
        confidence: Two-sided coverage that is aimed at, in (0, 1).

    Returns:
        Lower and upper bounds, arrays of the broadcast shape, in [0, 1].
    """
    from scipy.special import ndtri

    x, n = _counts(successes, n)
    z = ndtri((1 + _confidence(confidence)) / 2)
    centre = (x + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(np.maximum(x * (n - x) / n, 0.0) + z**2 / 4)
    # At the ends the bound is the end itself; the formula reaches it only up to rounding.
    low = np.where(x == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(x == n, 1.0, np.minimum(centre + half, 1.0))
    return low, high


def clopper_pearson_bounds(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Bound a proportion by inverting two one-sided binomial tests ("exact").

    Source: Clopper and Pearson (1934), Biometrika 26, 404-413, in its beta form (Brown, Cai and DasGupta 2001,
    section 4.2.1). The beta form also takes counts that are not whole, as :func:`korn_graubard_bounds` needs.

    Args:
        successes: Counts, 0 to ``n``, whole or not; broadcast against ``n``.
        n: Numbers of trials, above 0.
        confidence: Two-sided coverage that is guaranteed for whole counts, in (0, 1).

    Returns:
        Lower and upper bounds, arrays of the broadcast shape, in [0, 1].
    """
    from scipy.special import betaincinv

    x, n = _counts(successes, n)
    tail = (1 - _confidence(confidence)) / 2
    with np.errstate(invalid="ignore"):  # betaincinv of a zero parameter is NaN and is replaced
        low = np.where(x == 0, 0.0, betaincinv(x, n - x + 1, tail))
        high = np.where(x == n, 1.0, betaincinv(x + 1, n - x, 1 - tail))
    return low, high


def jeffreys_bounds(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Bound a proportion by the equal tails of the posterior under Jeffreys' prior, Beta(1/2, 1/2).

    Source: Brown, Cai and DasGupta (2001), Statist. Sci. 16, section 4.1.2, with their amendment: the lower bound
    is 0 at no success, the upper bound 1 at no failure.

    Args:
        successes: Counts, 0 to ``n``; broadcast against ``n``.
        n: Numbers of trials, at least 1.
        confidence: Two-sided coverage that is aimed at, in (0, 1).

    Returns:
        Lower and upper bounds, arrays of the broadcast shape, in [0, 1].
    """
    from scipy.special import betaincinv

    x, n = _counts(successes, n)
    tail = (1 - _confidence(confidence)) / 2
    low = np.where(x == 0, 0.0, betaincinv(x + 0.5, n - x + 0.5, tail))
    high = np.where(x == n, 1.0, betaincinv(x + 0.5, n - x + 0.5, 1 - tail))
    return low, high


def korn_graubard_bounds(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Bounds:
    """Bound a proportion from clustered binary data: Clopper-Pearson at the effective sample size.

    Items are the clusters and count alike: the estimate is the mean of the item means. With ``p`` that mean, ``k``
    items, ``n`` samples in all and ``v`` the squared standard error of the mean from the spread *between* items, the
    effective sample size is ``p (1 - p) / v`` times the squared ratio of the t quantiles with ``n - 1`` and ``d``
    degrees of freedom.

    Source: Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data", Survey Methodology 24, 193-201. Three choices are ours:

    - ``d`` is not ``k - 1`` but one less than the items that hold a success, or than those that hold a failure,
      whichever are fewer: only they tell how far the rarer event clusters. With ``k - 1``, 64 items of 64 samples
      whose rates follow Beta(.01, .99) are covered in .79 of cases, so in .94 or more. The price over 280 simulated
      cases with 30 or more items and 5 or more expected events: intervals wider by 3 % on average.
    - The size is held within [k, n]: an item never tells less than one trial does (a mean of samples is at most as
      spread, in convex order, as one sample) and never more than its samples do.
    - Where the spread says nothing (all items at 0 or all at 1, or one item only) the size is k, since more samples
      of the same items tell little about new items.

    Args:
        successes: Successes by item along the last axis, 0 to ``trials``; whole or not.
        trials: Samples by item, above 0; broadcast against ``successes``.
        confidence: Two-sided coverage that is aimed at, in (0, 1).

    Returns:
        Lower and upper bounds, arrays with the last axis gone, in [0, 1].
    """
    from scipy.special import stdtrit

    x, m = _counts(successes, trials)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"korn_graubard needs at least one item along the last axis, not shape {x.shape}")
    upper_tail = (1 + _confidence(confidence)) / 2
    k, n = x.shape[-1], m.sum(axis=-1)
    means = x / m
    p = means.mean(axis=-1)
    size = np.full_like(p, float(k))
    if k > 1:
        v = means.var(axis=-1, ddof=1) / k
        spread = v > 1e-12 * np.maximum(p * (1 - p), 1e-300)  # else: all items alike, up to rounding
        d = np.minimum((x > 0).sum(axis=-1), (x < m).sum(axis=-1)) - 1
        # Without a degree of freedom the t quantile is infinite and the size falls to k.
        ratio = np.where(d > 0, stdtrit(np.maximum(n - 1, 1), upper_tail) / stdtrit(np.maximum(d, 1), upper_tail), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = np.where(spread, p * (1 - p) / v, n) * ratio**2
        size = np.clip(effective, k, np.maximum(n, k))
    # p * size may exceed size by one rounding when p is 1.
    return clopper_pearson_bounds(np.minimum(p * size, size), size, confidence)


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    return confidence


def _counts(successes: ArrayLike, n: ArrayLike) -> Bounds:
    """Return both as float arrays of one shape, after checking ``0 <= successes <= n`` and ``n > 0``."""
    x, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    for bad, name, values, rule in (
        (~(np.isfinite(n) & (n > 0)), "trials", n, "be above 0"),
        (~((x >= 0) & (x <= n)), "successes", x, "lie between 0 and the number of trials"),
    ):
        if bad.any():
            raise ValueError(f"{name} must {rule}, not {values[bad].flat[0]:g}")
    return x, n
