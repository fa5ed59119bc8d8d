"""Beyond the samples that were drawn: what more tries of each item would show, under two models of the items' rates.

How often a rare event shows in k tries is decided by the tail of the rates near zero, and n samples say little of a
tail below 1/n. So nothing here is one number: two families with different tails are fitted, and the interval covers
both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimators import pass_at_k, pass_hat_k

__all__ = ["MAX_FACTOR", "Extrapolation", "Family", "FamilyFit", "extrapolate", "fit_rates"]

MAX_FACTOR = 4
"""How many times the samples of an item an extrapolation may reach (validity, section 5)."""

Family = Literal["beta-binomial", "logit-normal"]
Quantity = Literal["any", "all"]
Array = NDArray[np.float64]

FAMILIES: tuple[Family, ...] = ("beta-binomial", "logit-normal")

# Search boxes. Beta: logit of the mean, log of a + b. Logit-normal: mean and log of the deviation, on the logit scale.
# Rates beyond the ends (1e-7, or 99.99 % of the items at 0 or 1) cannot be told from them by any run.
_BOXES: dict[Family, tuple[tuple[float, float], tuple[float, float]]] = {
    "beta-binomial": ((-16.0, 16.0), (-9.0, 12.0)),
    "logit-normal": ((-20.0, 20.0), (float(np.log(0.02)), float(np.log(20.0)))),
}
_COARSE, _FINE = 41, 9
_LOGITS = np.linspace(-25.0, 25.0, 1001)


@dataclass(frozen=True, slots=True)
class FamilyFit:
    """One family of rates, fitted by maximum likelihood.

    Attributes:
        family: ``beta-binomial`` (rates follow a beta) or ``logit-normal`` (their logits a normal distribution).
        parameters: ``(a, b)`` of the beta, or mean and standard deviation of the logits.
        log_likelihood: Its maximum, without the constant of the binomial coefficients, so that families compare.
        estimate: The extrapolated quantity; NaN where only the fit was asked for.
        low: Lower end of its profile-likelihood interval.
        high: Upper end.
        at_n: What the fit says at k = n, to be held against :attr:`Extrapolation.observed`.
        edge: The maximum lies at the end of the search box: items alike up to chance, or all at 0 or 1.
    """

    family: Family
    parameters: tuple[float, float]
    log_likelihood: float
    estimate: float
    low: float
    high: float
    at_n: float
    edge: bool


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """What k tries of an item would show, beyond the n that were made.

    Attributes:
        quantity: ``any`` (at least one of k is an event) or ``all`` (all k are).
        k: Tries.
        samples: Samples of the item that has fewest; what lies above it is extrapolated.
        items: Items that the fit rests on.
        estimate: By the family with the higher likelihood.
        low: Lower end over both families.
        high: Upper end over both families.
        confidence: Coverage that each family's interval aims at if that family holds.
        observed: The unbiased estimate at k = ``samples``, which every fit should come near (``at_n``).
        families: The fits, beta-binomial first.
        extrapolated: Whether ``k`` exceeds ``samples``; tables mark the number by it.
    """

    quantity: Quantity
    k: int
    samples: int
    items: int
    estimate: float
    low: float
    high: float
    confidence: float
    observed: float
    families: tuple[FamilyFit, ...]
    extrapolated: bool


def extrapolate(
    n: ArrayLike, c: ArrayLike, k: int, *, quantity: Quantity = "any", confidence: float = 0.95
) -> Extrapolation:
    """Extrapolate the chance that any, or all, of ``k`` tries of an item are events, averaged over items.

    With events = successes ``any`` continues pass@k and ``all`` pass^k; with events = failures ``any`` continues the
    worst-of-k risk ``1 - E(1 - q)^k``.

    Two models of how the rate q differs between items: a beta distribution, for which the chance of no event in k
    tries is ``B(a, b + k) / B(a, b)`` (Skellam 1948, "A probability distribution derived from the binomial
    distribution by regarding the probability of success as variable between the sets of trials", J. R. Stat. Soc. B
    10, 257-261), and a normal distribution of logit q (Williams 1982, "Extra-binomial variation in logistic linear
    models", Appl. Stat. 31, 144-148, model III). Their tails near 0 differ: beta has a power law, the other thins
    faster than any power.

    The interval of a family holds every value that some parameters give whose log-likelihood lies within half a
    chi-squared quantile (one degree of freedom) of the maximum: the profile-likelihood interval (Cox and Hinkley 1974,
    "Theoretical Statistics", section 9.3). The interval that is shown spans both: with 64 items, 16 samples and k = 64
    it covers .97 or more where either family holds, and the wrong one alone .84 to .87. It knows no third family:
    where half of the items have a rate of exactly 0 and half .1 it covers .38.

    Args:
        n: Samples by item, shape (items,) or one number, whole numbers from 1.
        c: Events by item, shape (items,), 0 to ``n``.
        k: Tries, from 1 to :data:`MAX_FACTOR` times the samples of the item that has fewest.
        quantity: ``any`` or ``all``.
        confidence: In (0, 1).

    Raises:
        ValueError: There are fewer than 2 items; a number is out of its range; ``k`` reaches too far.
    """
    from scipy.special import chdtri

    if quantity not in ("any", "all"):
        raise ValueError(f"quantity must be 'any' or 'all', not {quantity!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    counts = _Counts(n, c)
    fewest = int(counts.n.min())
    if k != int(k) or not 1 <= k <= MAX_FACTOR * fewest:
        raise ValueError(
            f"k must be a whole number from 1 to {MAX_FACTOR * fewest} ({MAX_FACTOR} times the {fewest} samples of the "
            f"item that has fewest), not {k!r}: draw more samples."
        )
    unbiased = pass_at_k if quantity == "any" else pass_hat_k
    observed = float(np.average(unbiased(counts.n, counts.c, fewest), weights=counts.items))
    drop = float(chdtri(1, 1 - confidence)) / 2
    fits = tuple(_profile(family, counts, k, fewest, quantity, drop) for family in FAMILIES)
    return Extrapolation(
        quantity=quantity,
        k=int(k),
        samples=fewest,
        items=int(counts.items.sum()),
        estimate=max(fits, key=lambda fit: fit.log_likelihood).estimate,
        low=min(fit.low for fit in fits),
        high=max(fit.high for fit in fits),
        confidence=confidence,
        observed=observed,
        families=fits,
        extrapolated=k > fewest,
    )


def fit_rates(n: ArrayLike, c: ArrayLike, family: Family = "beta-binomial") -> FamilyFit:
    """Fit how the rate of an event differs between items, by maximum likelihood.

    The likelihood is searched on a grid over a closed box, then on ever finer grids around the best point: it may have
    a ridge or its maximum at an end (items that differ no more than chance would have them), where gradient methods
    run away.

    Args:
        n: Samples by item, shape (items,) or one number, whole numbers from 1.
        c: Events by item, shape (items,), 0 to ``n``.
        family: ``beta-binomial`` or ``logit-normal``; sources at :func:`extrapolate`.

    Returns:
        The fit; ``estimate``, ``low`` and ``high`` are the mean rate and NaN, NaN.

    Raises:
        ValueError: There are fewer than 2 items, a number is out of its range, or the family is unknown.
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}")
    counts = _Counts(n, c)
    best, top = _maximum(family, counts)
    fewest = int(counts.n.min())
    mean = float(_chance(family, best[None], 1, "any")[0])
    return FamilyFit(
        family,
        _natural(family, best),
        top,
        mean,
        np.nan,
        np.nan,
        float(_chance(family, best[None], fewest, "any")[0]),
        _at_edge(family, best),
    )


class _Counts:
    """The distinct (samples, events) of the items, and how many items have them."""

    def __init__(self, n: ArrayLike, c: ArrayLike) -> None:
        n, c = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64))
        if c.ndim != 1 or c.size < 2:
            raise ValueError(f"c must hold the events of at least 2 items (one dimension), not shape {c.shape}")
        for name, values, bad, rule in (
            ("n", n, ~((n >= 1) & (n == np.floor(n)) & np.isfinite(n)), "a whole number from 1"),
            ("c", c, ~((c >= 0) & (c <= n) & (c == np.floor(c))), "a count of at most n"),
        ):
            if bad.any():
                raise ValueError(f"{name} must be {rule}, not {values[bad][0]:g}")
        pairs, items = np.unique(np.stack([n, c], axis=1), axis=0, return_counts=True)
        self.n, self.c, self.items = pairs[:, 0], pairs[:, 1], items.astype(np.float64)


def _profile(family: Family, counts: _Counts, k: int, fewest: int, quantity: Quantity, drop: float) -> FamilyFit:
    best, top = _maximum(family, counts)
    estimate, at_n = (float(_chance(family, best[None], tries, quantity)[0]) for tries in (k, fewest))
    grid, likelihood = _coarse(family, counts)
    inside = likelihood >= top - drop

    def extreme(sign: float) -> float:
        """The largest ``sign`` times the chance where the likelihood is high enough."""

        def objective(theta: Array) -> Array:
            allowed = _log_likelihood(family, theta, counts) >= top - drop
            return np.where(allowed, sign * _chance(family, theta, k, quantity), -np.inf)

        # The region may be narrower than the coarse grid: the search starts from its best point and from the maximum.
        starts = [best]
        if inside.any():
            within = grid[inside]
            starts.append(within[np.argmax(sign * _chance(family, within, k, quantity))])
        return sign * max(_zoom(family, objective, start)[1] for start in starts)

    low, high = min(extreme(-1.0), estimate), max(extreme(1.0), estimate)
    # Without any event, or any non-event, the likelihood rises to the end itself, which lies outside of the box.
    if not counts.c.any():
        low, estimate, at_n = 0.0, 0.0, 0.0
    elif (counts.c == counts.n).all():
        high, estimate, at_n = 1.0, 1.0, 1.0
    return FamilyFit(family, _natural(family, best), top, estimate, low, high, at_n, _at_edge(family, best))


def _maximum(family: Family, counts: _Counts) -> tuple[Array, float]:
    grid, likelihood = _coarse(family, counts)
    return _zoom(family, lambda theta: _log_likelihood(family, theta, counts), grid[np.argmax(likelihood)])


def _zoom(family: Family, objective: Callable[[Array], Array], start: Array) -> tuple[Array, float]:
    """Climb on grids that are refined around the best point so far; they shrink only where they do not move."""
    box = np.array(_BOXES[family])
    step = (box[:, 1] - box[:, 0]) / (_COARSE - 1)
    offsets = np.stack(np.meshgrid(*[np.linspace(-1.5, 1.5, _FINE)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    best, value = start, float(objective(start[None])[0])
    shrunk = 0
    for _ in range(60):
        theta = np.clip(best + offsets * step, box[:, 0], box[:, 1])
        values = objective(theta)
        i = int(np.argmax(values))
        gained = float(values[i]) - value
        moved = np.abs((theta[i] - best) / step).max() > 1.25 if gained > 0 else False
        if gained > 0:
            best, value = theta[i], float(values[i])
        if not moved:
            step, shrunk = step * 0.4, shrunk + 1
        if shrunk == 9:  # 0.4 ** 9: a ten-thousandth of the coarse step
            break
    return best, value


def _log_likelihood(family: Family, theta: Array, counts: _Counts) -> Array:
    """Log-likelihood of every row of ``theta``, shape (points,), without the binomial coefficients."""
    if family == "beta-binomial":
        from scipy.special import gammaln

        a, b = (p[:, None] for p in _beta(theta))
        total = gammaln(a + b) - gammaln(a) - gammaln(b)
        by_count = total + gammaln(a + counts.c) + gammaln(b + counts.n - counts.c) - gammaln(a + b + counts.n)
        return by_count @ counts.items
    return _mixed(_masses(theta), counts)


def _mixed(masses: Array, counts: _Counts) -> Array:
    binomial = counts.c * _LOGITS[:, None] - counts.n * np.logaddexp(0.0, _LOGITS)[:, None]
    peak = binomial.max(axis=0)
    with np.errstate(divide="ignore"):
        return (np.log(masses @ np.exp(binomial - peak)) + peak) @ counts.items


def _chance(family: Family, theta: Array, k: int, quantity: Quantity) -> Array:
    """Chance that any, or all, of k tries are events, for every row of ``theta``."""
    if family == "beta-binomial":
        from scipy.special import gammaln

        a, b = _beta(theta)
        if quantity == "any":
            a, b = b, a
        log_all = gammaln(a + k) - gammaln(a) + gammaln(a + b) - gammaln(a + b + k)
        return -np.expm1(log_all) if quantity == "any" else np.exp(log_all)
    if quantity == "any":
        return _masses(theta) @ -np.expm1(-k * np.logaddexp(0.0, _LOGITS))
    return _masses(theta) @ np.exp(-k * np.logaddexp(0.0, -_LOGITS))


def _masses(theta: Array) -> Array:
    """The normal distribution of the logit in cells around :data:`_LOGITS`; the end cells hold the tails.

    Cells of .05 leave the mean as it is and add .0002 to the variance; a quadrature with fixed nodes would miss the
    narrow likelihood of many samples, or the wide tails of a large deviation.
    """
    from scipy.special import ndtr

    edges = (_LOGITS[1:] + _LOGITS[:-1]) / 2
    below = ndtr((edges - theta[:, :1]) / np.exp(theta[:, 1:]))
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def _coarse(family: Family, counts: _Counts) -> tuple[Array, Array]:
    grid, masses = _coarse_grid(family)
    return grid, _log_likelihood(family, grid, counts) if masses is None else _mixed(masses, counts)


@lru_cache(maxsize=2)
def _coarse_grid(family: Family) -> tuple[Array, Array | None]:
    axes = [np.linspace(*ends, _COARSE) for ends in _BOXES[family]]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return grid, _masses(grid) if family == "logit-normal" else None


def _beta(theta: Array) -> tuple[Array, Array]:
    from scipy.special import expit

    size = np.exp(theta[:, 1])
    return size * expit(theta[:, 0]), size * expit(-theta[:, 0])


def _natural(family: Family, theta: Array) -> tuple[float, float]:
    if family == "beta-binomial":
        a, b = _beta(theta[None])
        return float(a[0]), float(b[0])
    return float(theta[0]), float(np.exp(theta[1]))


def _at_edge(family: Family, theta: Array) -> bool:
    box = np.array(_BOXES[family])
    return bool((np.abs(box - theta[:, None]) < 1e-3).any())
