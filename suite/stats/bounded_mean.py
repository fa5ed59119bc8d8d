"""Is the mean of bounded units above a given level? Three tests, and the cautious one that gates use.

Unit differences near a ceiling are mostly equal, with a rare large loss. What was not seen may still be there, so that
the observed spread, which t and the bootstrap rest on, says too little. The tests here know the range: they let
the hypothesis put weight on its worst end.

All of them take units along the last axis and answer for arrays of cases at once.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FEW", "cautious_bound", "cautious_pvalue", "dirichlet_pvalue", "few_differ", "score_pvalue", "t_pvalue"]

Array: TypeAlias = NDArray[np.float64]

FEW = 10
"""With fewer units than this that differ from the most common value, the exact kind of test must agree too."""

_HALVINGS = 40
"""An interval of length 2 halved so often is shorter than 2e-12."""

_STEPS = 60


def t_pvalue(x: ArrayLike, mean: ArrayLike) -> Array:
    """Test by Student's t that the units' mean is at most ``mean``.

    Args:
        x: Units along the last axis, at least one.
        mean: Level under test; broadcast against the cases.

    Returns:
        One-sided p-values, the last axis gone. Without spread 0 or 1, by the side on which the units lie; 1 where one
        unit is all there is.

    Raises:
        ValueError: There is no unit, or one is not finite.
    """
    from scipy.special import stdtr

    units, level = _cases(x, mean)
    n = units.shape[-1]
    if n == 1:
        return np.ones(units.shape[:-1])
    gap = units.mean(axis=-1) - level
    error = units.std(axis=-1, ddof=1) / np.sqrt(n)
    flat = np.ptp(units, axis=-1) <= 1e-12 * np.maximum(1.0, np.abs(units[..., 0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stdtr(n - 1, -gap / error)
    return np.where(flat, np.where(gap > 0, 0.0, 1.0), p)


def score_pvalue(x: ArrayLike, mean: ArrayLike, low: float) -> Array:
    """Test that the units' mean is at most ``mean`` by a score statistic whose variance is that under the hypothesis.

    Of all distributions from ``low`` upwards with the mean ``mean``, the one of highest likelihood gives unit ``i`` the
    weight ``1 / (n (1 + s (x_i - mean)))`` and the end ``low`` what is left; ``s`` in [0, 1 / (mean - low)] maximises
    ``sum log(1 + s (x_i - mean))``. With ``v`` that distribution's variance the statistic is
    ``(average - mean) / sqrt(v / n)``, about standard normal.

    Sources: the constrained non-parametric likelihood is Owen's (1988), "Empirical likelihood ratio confidence
    intervals for a single functional", Biometrika 75, 237-249; its dual with weight on an end of the range is
    Honda and Takemura's (2010), "An asymptotically optimal bandit algorithm for bounded support models", COLT, 67-79.
    Taking the score statistic from it is ours, as the extension of Wilson (units 0 and ``low``) and of Tango (1998)
    (units -1, 0 and 1) to any bounded unit: with those units it *is* their statistic.

    Args:
        x: Units along the last axis, each at least ``low``.
        mean: Level under test, above ``low``; broadcast against the cases.
        low: Lower end of what a unit can be.

    Returns:
        One-sided p-values, the last axis gone.

    Raises:
        ValueError: There is no unit, one lies below ``low``, or ``mean`` does not lie above it.
    """
    from scipy.special import ndtr

    units, level = _cases(x, mean, low)
    gap, room = units - level[..., None], level - low
    s = _tilt(gap, 1 / room)
    # At the largest tilt a unit at the end itself has weight 1 / 0; it is never reached, since such a unit forbids it.
    weight = 1 / np.maximum(1 + s[..., None] * gap, 1e-12)
    n = units.shape[-1]
    rest = np.maximum(n - weight.sum(axis=-1), 0.0)
    # Where the average lies below the level s is 0 and the weights are even: no weight is left for the end.
    variance = ((weight * gap**2).sum(axis=-1) + rest * room**2) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gap.mean(axis=-1) / np.sqrt(variance / n)
    return ndtr(-np.where(np.isnan(z), 0.0, z))


def dirichlet_pvalue(x: ArrayLike, mean: ArrayLike, low: float) -> Array:
    """Test that the units' mean is at most ``mean`` by the chance that even random weights bring it there.

    One unit at the worst end ``low`` is added and all get weights from a flat Dirichlet distribution; the p-value is
    the chance that the weighted mean is at most ``mean``. For units of two values, one of them ``low``, this is the
    exact binomial test (Clopper-Pearson): with none at ``low`` and all others at 0, ``(1 - m)^n`` for the level -m
    on a scale from -1, so that at .05 a pass takes ln(.05) / ln(1 - m) units.

    Sources: Gaffke (2005), "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable", Mathematical Methods of Statistics 14, 451-467; Learned-Miller and Thomas (2020), "A new
    confidence interval for the mean of a bounded random variable", arXiv:1905.06208. That it keeps its level for
    every distribution and n is conjectured there, and no counter-example is known. The chance is computed by the
    saddlepoint formula of Lugannani and Rice (1980), Adv. Appl. Probab. 12, 475-490, for a weighted sum of exponential
    variables (relative error under 1 % from 5 units on), in closed form where all units are alike.

    Args, returns and errors as for :func:`score_pvalue`.
    """
    from scipy.special import ndtr

    units, level = _cases(x, mean, low)
    n, first = units.shape[-1], units[..., 0]
    end = np.broadcast_to(np.asarray(low, dtype=np.float64), (*units.shape[:-1], 1))
    gap = np.concatenate([units, end], axis=-1) - level[..., None]
    # Cumulant function of the sum at -s: -sum log(1 + s gap); the saddlepoint is where its slope is 0.
    most = gap.max(axis=-1)
    below = most <= 0  # no weights reach the level; the numbers computed for such a case are not used
    gap[below] = 1.0
    s = _root(gap, -(1 - 1e-12) / np.where(below, 1.0, most), (1 - 1e-12) / (level - low))
    lean = 1 + s[..., None] * gap
    w = -np.sign(s) * np.sqrt(2 * np.maximum(np.log(lean).sum(axis=-1), 0.0))
    u = -s * np.sqrt(((gap / lean) ** 2).sum(axis=-1))
    density = np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = ndtr(w) + density * (1 / w - 1 / u)
    # At the average itself both terms are infinite; the limit is within a skewness of one half.
    p = np.where(below, 1.0, np.where(np.abs(w) < 1e-4, 0.5, np.clip(p, 0.0, 1.0)))
    flat = np.ptp(units, axis=-1) <= 1e-12 * np.maximum(1.0, np.abs(first))
    above = first > level
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.where(above, ((level - low) / np.where(above, first - low, 1.0)) ** n, 1.0)
    return np.where(flat, alike, p)


def few_differ(x: ArrayLike) -> NDArray[np.bool_]:
    """Whether fewer than :data:`FEW` units differ from the most common value, case by case.

    Args:
        x: Units along the last axis.
    """
    units = np.sort(np.round(np.asarray(x, dtype=np.float64), 9), axis=-1)
    n = units.shape[-1]
    position = np.broadcast_to(np.arange(n), units.shape)
    new = np.concatenate([np.ones((*units.shape[:-1], 1), dtype=bool), units[..., 1:] != units[..., :-1]], axis=-1)
    start = np.maximum.accumulate(np.where(new, position, 0), axis=-1)
    return n - (position - start + 1).max(axis=-1) < FEW


def cautious_pvalue(x: ArrayLike, mean: ArrayLike, low: float) -> Array:
    """Test that the units' mean is at most ``mean``: the most cautious of t, score and, where few differ, Dirichlet.

    Each alone fails somewhere. t, like the bootstrap and sign flips, passes in .22 of runs a change that breaks 5 % of
    30 items at a baseline of 1.0 and a margin of .05; the score test is up to .09 wrong towards the longer tail;
    both miss the exact level where fewer than ten units differ. Dirichlet alone keeps every level and has a power of
    .06 where t has .20 (30 units of 4 samples, rates of one half). Together they are wrong in at most .06 of runs over
    the grid of ``tests/benchmarks/bench_gate.py``, and in at most .063 of those cases of two-valued units there in
    which most units gain and few lose much. The price in power: from 120 units on nothing that shows, except near an
    end with one sample a unit (.66 for t's .85 at a rate of .98 and 120 units); under 59 units most of it where
    samples are many, since what t then trusts in cannot be known from so few.

    Args, returns and errors as for :func:`score_pvalue`.
    """
    units, level = _cases(x, mean, low)
    p = np.maximum(t_pvalue(units, level), score_pvalue(units, level, low))
    few = few_differ(units)
    if few.any():
        p = np.array(p)
        p[few] = np.maximum(p[few], dirichlet_pvalue(units[few], level[few], low))
    return p


def cautious_bound(x: ArrayLike, low: float, alpha: float = 0.05) -> Array:
    """Bound the mean of units from below: the largest level that :func:`cautious_pvalue` rejects at ``alpha``.

    For an upper bound turn all signs: ``-cautious_bound(-x, -high, alpha)``.

    Args:
        x: Units along the last axis, each at least ``low``.
        low: Lower end of what a unit can be; -1 for differences of scores in [0, 1].
        alpha: Level of the one-sided test, in (0, 0.5).

    Returns:
        Bounds, the last axis gone, in [``low``, average].

    Raises:
        ValueError: A number is out of its range.
    """
    check_alpha(alpha)
    units, _ = _cases(x, 0.0)
    average = units.mean(axis=-1)
    _cases(units, np.maximum(average, low + 1e-9), low)  # names a unit below the range
    outside, inside = np.full(units.shape[:-1], float(low)), np.maximum(average, low)
    # Nearer to the end than this the largest tilt, one by the distance, leaves the floating point range.
    nearest = max(low + 1e-300, float(np.nextafter(low, np.inf)))
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        # Units at the end itself leave no room between the two.
        rejected = (middle >= nearest) & (cautious_pvalue(units, np.maximum(middle, nearest), low) <= alpha)
        outside = np.where(rejected, middle, outside)
        inside = np.where(rejected, inside, middle)
    return outside


def check_alpha(alpha: float) -> None:
    """Refuse a level that is none.

    Raises:
        ValueError: It does not lie between 0 and one half.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha!r}")


def _tilt(gap: Array, most: Array) -> Array:
    """The ``s`` in [0, most] that maximises ``sum log(1 + s gap)``: a concave sum."""
    with np.errstate(divide="ignore", invalid="ignore"):
        lean = 1 + most[..., None] * gap
        slope = np.where(lean > 1e-12, gap / lean, -np.inf).sum(axis=-1)
    s = _root(gap, np.zeros(gap.shape[:-1]), most)
    s = np.where(slope >= 0, most, s)
    return np.where(gap.sum(axis=-1) <= 0, 0.0, s)


def _root(gap: Array, below: Array, above: Array) -> Array:
    """Where the falling slope ``sum gap / (1 + s gap)`` crosses 0 between two ends: Newton, kept between them."""
    s = (below + above) / 2
    for _ in range(_STEPS):
        share = gap / (1 + s[..., None] * gap)
        slope = share.sum(axis=-1)
        below, above = np.where(slope > 0, s, below), np.where(slope > 0, above, s)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = s + slope / (share**2).sum(axis=-1)
        new = np.where((step > below) & (step < above), step, (below + above) / 2)
        still = np.abs(new - s) > 1e-12 * (1 + np.abs(s))
        s = new
        if not still.any():
            break
    return s


def _cases(x: ArrayLike, mean: ArrayLike, low: float | None = None) -> tuple[Array, Array]:
    """Units of shape (cases, n) and a level a case, checked."""
    units = np.asarray(x, dtype=np.float64)
    if units.ndim == 0 or units.shape[-1] == 0:
        raise ValueError(f"there must be at least one unit along the last axis, not shape {units.shape}")
    level = np.broadcast_to(np.asarray(mean, dtype=np.float64), units.shape[:-1])
    bad = units[~np.isfinite(units)]
    if bad.size:
        raise ValueError(f"units must be finite, not {bad.flat[0]}: leave out what was not measured")
    if low is not None:
        bad = units[units < low - 1e-9]
        if bad.size:
            raise ValueError(f"units must be at least {low:g}, not {bad.flat[0]:g}")
        bad = level[~(level > low)]
        if bad.size:
            raise ValueError(f"the level must lie above {low:g}, the lower end of the units, not at {bad.flat[0]:g}")
        units = np.maximum(units, low)
    return units, level
