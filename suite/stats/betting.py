"""Intervals for the mean of bounded observations by betting: valid for any distribution on the range, rare events too.

For each candidate mean a gambler stakes on the observations coming out above it, another on their coming out below. At
the true mean the games are fair, so that wealth over ``1 / alpha`` is a rarity of at most ``alpha``; a candidate at
which somebody grew so rich is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .bounds import Bounds
from .intervals import Interval

__all__ = ["betting_bounds", "betting_interval", "betting_sequence"]

_TRUNCATION = 0.5
"""Share of the wealth that one bet may lose."""

_HALVINGS = 50

_CELLS = 2_000_000
"""Wealths that are held at once."""


def betting_bounds(x: ArrayLike, confidence: float = 0.95, *, low: float = 0.0, high: float = 1.0) -> Bounds:
    """Bound the mean of bounded observations of a number fixed beforehand.

    The hedged capital interval: half of the wealth bets upwards and half downwards, the bet at observation ``t`` is
    ``sqrt(2 log(2 / alpha) / (n v))`` with ``v`` the variance of those before it, and no bet may lose more than half
    of its wealth. All candidates that were ever left out stay so.

    Source: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", J. R. Stat. Soc.
    B 86, 1-27 (arXiv:2010.09686): Theorem 3 and the remark after it, for intervals at a fixed n.

    The result **depends on the order** of the observations: it must not have been chosen by their values.
    :func:`betting_interval` draws one from a seed.

    Args:
        x: Observations along the last axis, in the order of the bets, each in [low, high].
        confidence: Coverage that is guaranteed for independent observations of one mean, in (0, 1).
        low: Lower end of the range.
        high: Upper end of the range, above ``low``.

    Returns:
        Lower and upper bounds, arrays with the last axis gone, in [low, high].

    Raises:
        ValueError: A number is out of its range, or there is no observation.
    """
    alpha = 1 - _confidence(confidence)
    y = _unit(x, low, high)
    n = y.shape[-1]
    bets = np.sqrt(2 * np.log(2 / alpha) / (n * _variance_before(y)))
    floor, top = _rejected_below(y, bets, alpha), 1 - _rejected_below(1 - y, bets, alpha)
    return low + (high - low) * floor, low + (high - low) * np.maximum(top, floor)


def betting_interval(
    unit_means: ArrayLike,
    *,
    low: float = 0.0,
    high: float = 1.0,
    confidence: float = 0.95,
    seed: str | int = 0,
) -> Interval:
    """Estimate the mean of bounded unit means by betting: the interval for sparse cells.

    Units are sorted and then put into an order drawn from ``seed`` and their number, so that the result depends on the
    values and the seed only. Another seed gives another interval, each as valid; looking at several and choosing
    one is not.

    Args:
        unit_means: One mean a unit, shape (units,), each in [low, high].
        low: Lower end of the metric's range.
        high: Upper end of the metric's range.
        confidence: In (0, 1).
        seed: Names the order; fix it before the data are seen.

    Returns:
        The interval, method ``betting``. Never ``sparse``: its coverage rests on the range alone.

    Raises:
        ValueError: As for :func:`betting_bounds`.
    """
    x = np.asarray(unit_means, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"unit_means must hold one mean a unit and at least one, not shape {x.shape}")
    order = generator("betting", seed, x.size).permutation(x.size)
    floor, top = betting_bounds(np.sort(x)[order], confidence, low=low, high=high)
    return Interval(float(x.mean()), float(floor), float(top), "betting", x.size, x.size, confidence, False)


def betting_sequence(
    x: ArrayLike, confidence: float = 0.95, *, low: float = 0.0, high: float = 1.0, grid: int = 1000
) -> Bounds:
    """Bound the mean after every observation, so that all bounds hold at once and one may stop at any of them.

    As :func:`betting_bounds`, with the bet ``sqrt(2 log(2 / alpha) / (v t log(t + 1)))`` at observation ``t``, which
    needs no number fixed beforehand, and the running intersection of all sets so far.

    Source: Waudby-Smith and Ramdas (2024), as above: Theorem 3 with its predictable plug-in bets.

    Args:
        x: Observations along the last axis, in the order in which they came, each in [low, high]. The order must not
            depend on their values: of episodes that run at once, the order of completion does.
        confidence: Coverage of the whole sequence, in (0, 1).
        low: Lower end of the range.
        high: Upper end of the range, above ``low``.
        grid: Steps of the grid of candidates; bounds are rounded outwards to it.

    Returns:
        Lower and upper bounds after 1, 2, ... observations, arrays of the shape of ``x``, monotone along the last axis.

    Raises:
        ValueError: A number is out of its range, or there is no observation.
    """
    alpha = 1 - _confidence(confidence)
    if grid < 2:
        raise ValueError(f"grid must have at least 2 steps, not {grid!r}")
    y = _unit(x, low, high)
    t = np.arange(1, y.shape[-1] + 1)
    bets = np.sqrt(2 * np.log(2 / alpha) / (_variance_before(y) * t * np.log(t + 1)))
    floor, top = _running(y, bets, alpha, grid), 1 - _running(1 - y, bets, alpha, grid)
    return low + (high - low) * floor, low + (high - low) * np.maximum(top, floor)


def _variance_before(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate at each observation the variance from those before it, begun as if one had deviated by 1/2."""
    t = np.arange(1, y.shape[-1] + 1)
    means = (0.5 + np.cumsum(y, axis=-1)) / (t + 1)
    variances = (0.25 + np.cumsum((y - means) ** 2, axis=-1)) / (t + 1)
    first = np.full((*y.shape[:-1], 1), 0.25)
    return np.concatenate([first, variances[..., :-1]], axis=-1)


def _rejected_below(y: NDArray[np.float64], bets: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """The largest candidate at which half the wealth, bet upwards, ever reached ``1 / alpha``; 0 if there is none.

    The wealth falls as the candidate grows, so that bisection finds it; the end of the left-out side is returned.
    """
    inside, outside = np.ones(y.shape[:-1]), np.zeros(y.shape[:-1])
    threshold = np.log(2 / alpha)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        at = middle[..., None]
        wealth = np.cumsum(np.log1p(np.minimum(bets, _TRUNCATION / at) * (y - at)), axis=-1).max(axis=-1)
        rejected = wealth >= threshold
        outside = np.where(rejected, middle, outside)
        inside = np.where(rejected, inside, middle)
    return outside


def _running(y: NDArray[np.float64], bets: NDArray[np.float64], alpha: float, grid: int) -> NDArray[np.float64]:
    """The same after each observation, to the grid."""
    candidates = np.arange(1, grid + 1) / grid
    threshold = np.log(2 / alpha)
    flat, stakes = y.reshape(-1, y.shape[-1]), bets.reshape(-1, y.shape[-1])
    out = np.empty_like(flat)
    step = max(1, _CELLS // grid)
    for start in range(0, len(flat), step):
        part = slice(start, start + step)
        wealth = np.zeros((len(flat[part]), grid))
        rejected = np.zeros(len(wealth), dtype=np.int64)  # candidates left out so far, counted from the lowest
        for t in range(flat.shape[1]):
            bet = np.minimum(stakes[part, t, None], _TRUNCATION / candidates)
            wealth += np.log1p(bet * (flat[part, t, None] - candidates))
            rejected = np.maximum(rejected, (wealth >= threshold).sum(axis=1))
            out[part, t] = rejected / grid
    return out.reshape(y.shape)


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    return confidence


def _unit(x: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    """Rescale to [0, 1]."""
    values = np.asarray(x, dtype=np.float64)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"low and high must be finite, low below high, not {low!r} and {high!r}")
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError(f"betting needs at least one observation along the last axis, not shape {values.shape}")
    slack = 1e-9 * (high - low)
    bad = values[~((values >= low - slack) & (values <= high + slack))]
    if bad.size:
        raise ValueError(f"observations must lie in the range [{low:g}, {high:g}], not {bad.flat[0]:g}")
    return np.clip((values - low) / (high - low), 0.0, 1.0)
