"""Many estimates from the same units at once: how far the largest of their errors reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LargestError", "largest_error"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LargestError:
    """Distribution of the largest of several standardised errors, as their correlation has it.

    Attributes:
        draws: Largest absolute error by draw, in standard errors of a normal distribution, sorted.
        columns: Estimates among which the largest was taken.
    """

    draws: Array
    columns: int

    def level(self, confidence: float = 0.95) -> float:
        """Two-sided error that each single interval may have so that all of them together have ``1 - confidence``.

        Between ``(1 - confidence) / columns`` (Bonferroni, the least that is ever needed) and ``1 - confidence``.
        """
        from scipy.special import ndtr

        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
        error = 1 - confidence
        if self.columns < 2:
            return error
        reach = float(np.quantile(self.draws, confidence, method="higher"))
        return float(np.clip(2 * ndtr(-reach), error / self.columns, error))

    def adjust(self, p: ArrayLike) -> Array:
        """Two-sided p-values of single tests, adjusted for there being several; NaN stays.

        The share of draws that reach as far, held between the single p-value and Bonferroni's.
        """
        from scipy.special import ndtri

        p = np.asarray(p, dtype=np.float64)
        if self.columns < 2:
            return p.copy()
        reach = -ndtri(np.clip(p, 1e-300, 1.0) / 2)
        beyond = self.draws.size - np.searchsorted(self.draws, reach, side="left")
        share = (1 + beyond) / (1 + self.draws.size)
        return np.where(np.isnan(p), np.nan, np.clip(share, p, np.minimum(self.columns * p, 1.0)))


def largest_error(influence: ArrayLike, *, rng: np.random.Generator, draws: int = 10_000) -> LargestError:
    """Draw how large the largest error of several means over the same units is.

    Each unit's contribution to the errors is multiplied by one normal number for all columns, so that the columns keep
    their correlation: the multiplier bootstrap of Chernozhukov, Chetverikov and Kato (2013, "Gaussian approximations
    and multiplier bootstrap for maxima of sums of high-dimensional random vectors", Ann. Statist. 41, 2786-2819),
    here with every column divided by its own standard error.

    Few units are allowed for twice. Whoever uses the result makes single intervals at :meth:`LargestError.level` with
    their own degrees of freedom. And since a correlation seen in few units is partly chance, which makes the largest
    error look smaller, correlations are shrunk towards 0 by the share of their squares that chance explains (Schäfer
    and Strimmer 2005, "A shrinkage approach to large-scale covariance matrix estimation", Stat. Appl. Genet. Mol. Biol.
    4, article 32, with the variance of a normal sample's correlation).

    Args:
        influence: Contribution of every unit to the error of every estimate, shape (units, columns), such as
            ``(value - mean) / n``; 0 where a unit has no part in a column.
        rng: Generator of the multipliers.
        draws: Number of draws.

    Raises:
        ValueError: The shape is not two-dimensional or a contribution is not finite.
    """
    x = np.asarray(influence, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"influence must be finite, of shape (units, columns), not {x.shape}")
    norm = np.sqrt((x**2).sum(axis=0))
    # A column without spread has no error that could be the largest.
    x = x[:, norm > 0] / norm[norm > 0]
    found = np.zeros(draws)
    if x.shape[1]:
        chance = _chance_share(x)
        chunk = max(1, min(draws, 4_000_000 // max(x.shape)))
        for start in range(0, draws, chunk):
            rows = min(chunk, draws - start)
            errors = np.sqrt(1 - chance) * (rng.standard_normal((rows, x.shape[0])) @ x)
            errors += np.sqrt(chance) * rng.standard_normal(errors.shape)
            found[start : start + rows] = np.abs(errors, out=errors).max(axis=1)
    return LargestError(np.sort(found), x.shape[1])


def _chance_share(x: Array) -> float:
    """How much of the columns' squared correlations chance explains; columns have length 1."""
    if x.shape[1] < 2:
        return 0.0
    squares = (x.T @ x) ** 2
    np.fill_diagonal(squares, 0.0)
    units = max(int((x != 0).any(axis=1).sum()), 3)
    expected = (1 - squares) ** 2 / (units - 1)
    np.fill_diagonal(expected, 0.0)
    return float(min(1.0, expected.sum() / max(squares.sum(), 1e-300)))
