"""Multiplicity: p-values adjusted for how many hypotheses were asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .paired_tests import Alternative

__all__ = ["MaxT", "benjamini_hochberg", "holm", "max_t"]

EXACT_UNITS = 14
"""Units up to which all joint sign flips are tried: 16,384 of them."""

_CHUNK = 4_000_000


def holm(pvalues: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values so that the chance of any false rejection is held, whatever their dependence.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 65-70;
    adjusted p-values as in Wright (1992), Biometrics 48, 1005-1013.

    Args:
        pvalues: Shape (..., hypotheses), each in [0, 1]; NaN (not asked, or the data could not tell) stays NaN and is
            not counted.

    Returns:
        Adjusted p-values of the same shape; reject where they are at most alpha.

    Raises:
        ValueError: A p-value lies outside [0, 1].
    """
    ordered, order, m = _ordered(pvalues)
    rank = np.arange(ordered.shape[-1])
    adjusted = np.maximum.accumulate(ordered * np.maximum(m - rank, 1), axis=-1)
    return _restored(adjusted, order)


def benjamini_hochberg(pvalues: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values so that the expected share of false rejections is held, for independent or alike-moving tests.

    Source: Benjamini and Hochberg (1995), "Controlling the false discovery rate", J. R. Statist. Soc. B 57, 289-300;
    positive dependence: Benjamini and Yekutieli (2001), Ann. Statist. 29, 1165-1188.

    Args, returns and errors as for :func:`holm`.
    """
    ordered, order, m = _ordered(pvalues)
    rank = np.arange(1, ordered.shape[-1] + 1)
    scaled = np.where(np.isnan(ordered), np.inf, ordered * np.maximum(m / rank, 1.0))
    adjusted = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    return _restored(np.where(np.isnan(ordered), np.nan, adjusted), order)


@dataclass(frozen=True, slots=True, eq=False)
class MaxT:
    """Adjusted p-values of hypotheses that share units.

    Attributes:
        statistics: Sum over the root of the sum of squares of each column's differences: standard normal or nearly so
            under no difference; NaN where a column has no difference that is not 0.
        pvalues: Adjusted for all columns, shape (columns,); 1 where no unit differs, NaN where none was measured.
        exact: Whether all sign flips were tried.
        resamples: How many were.
        alternative: ``two-sided``, ``greater`` or ``less``.
        seed: What they were drawn with, None where all were tried.
    """

    statistics: NDArray[np.float64]
    pvalues: NDArray[np.float64]
    exact: bool
    resamples: int
    alternative: Alternative
    seed: int | None


def max_t(
    differences: ArrayLike, *, alternative: Alternative = "two-sided", resamples: int = 9_999, seed: int = 0
) -> MaxT:
    """Test many columns of unit differences at once by flipping the signs of whole units.

    Columns are tasks, metrics or candidates against one baseline that share units: a unit's whole row is flipped, so
    what moves together stays together, and the correction costs less than Holm's the more the columns depend on each
    other. Step-down: the largest statistic is compared with the largest of all under flips, the next with the largest
    of the rest, and so on. Columns without common units are flipped independently of one another.

    The statistic is the sum over the root of the sum of squares. Flips leave the latter as it is, so within a column it
    is a monotone function of t; between columns it is better balanced, since t of a column with 2 units is infinite
    under every other flip.

    Source: Westfall and Young (1993), Resampling-Based Multiple Testing, algorithm 2.8 and section 4.1, with sign flips
    for permutations; valid p-values as in Phipson and Smyth (2010).

    Args:
        differences: Second side less first, shape (units, columns); NaN where a column lacks the unit.
        alternative: ``greater`` asks whether the second side is better.
        resamples: Flips to draw where not all are tried (over 14 units), from 1.
        seed: What they are drawn with.

    Raises:
        ValueError: A difference is infinite, the shape is not (units, columns), or a choice is unknown.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 2:
        raise ValueError(f"differences must have the shape (units, columns), not {d.shape}")
    if np.isinf(d).any():
        raise ValueError("differences must be finite, or NaN where a column lacks the unit")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative must be one of two-sided, greater, less, not {alternative!r}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    absent = np.isnan(d).all(axis=0)
    d = np.nan_to_num(d, nan=0.0)
    norms = np.sqrt((d**2).sum(axis=0))
    told = norms > 0
    pvalues = np.where(absent, np.nan, 1.0)
    statistics = np.where(told, d.sum(axis=0) / np.where(told, norms, 1.0), np.nan)
    z = d[:, told] / norms[told] * (-1.0 if alternative == "less" else 1.0)
    z = z[(z != 0).any(axis=1)]
    exact = len(z) <= EXACT_UNITS
    if z.shape[1] == 0:
        return MaxT(statistics, pvalues, True, 1, alternative, None)
    observed = _sided(z.sum(axis=0), alternative)
    order = np.argsort(-observed, kind="stable")
    threshold = observed[order] - 1e-9  # statistics that are equal but for rounding are equally extreme
    extreme = np.zeros(order.size)
    tried = 0
    for signs in _all_signs(len(z)) if exact else _drawn_signs(z.shape, resamples, seed):
        flipped = _sided(signs @ z, alternative)[:, order]
        # The largest of this column and all after it.
        largest = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]
        extreme += (largest >= threshold).sum(axis=0)
        tried += len(signs)
    raw = extreme / tried if exact else (1 + extreme) / (1 + tried)
    adjusted = np.empty(order.size)
    adjusted[order] = np.maximum.accumulate(raw)
    pvalues[told] = adjusted
    return MaxT(statistics, pvalues, exact, tried, alternative, None if exact else seed)


def _sided(statistics: NDArray[np.float64], alternative: Alternative) -> NDArray[np.float64]:
    return np.abs(statistics) if alternative == "two-sided" else statistics


def _all_signs(units: int) -> Iterator[NDArray[np.float64]]:
    codes = np.arange(2**units)[:, None] >> np.arange(units)
    yield (codes & 1).astype(np.float64) * 2 - 1


def _drawn_signs(shape: tuple[int, int], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    rng = generator("stats", "max-t", seed)
    step = max(1, _CHUNK // max(shape))
    for start in range(0, resamples, step):
        heads = rng.integers(0, 2, size=(min(step, resamples - start), shape[0]), dtype=np.int8)
        yield heads.astype(np.float64) * 2 - 1


def _ordered(pvalues: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """P-values in rising order, NaN last, with the order and the number that are not NaN."""
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim == 0:
        raise ValueError("pvalues must be an array of hypotheses, not one number")
    bad = p[(p < 0) | (p > 1)]
    if bad.size:
        raise ValueError(f"a p-value must lie between 0 and 1, not {bad.flat[0]:g}")
    order = np.argsort(p, axis=-1, kind="stable")
    return np.take_along_axis(p, order, axis=-1), order, (~np.isnan(p)).sum(axis=-1, keepdims=True)


def _restored(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    out = np.empty_like(adjusted)
    np.put_along_axis(out, order, np.minimum(adjusted, 1.0), axis=-1)
    return out
