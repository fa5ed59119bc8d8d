"""Leeway: between what an estimate lies, whichever way what is open would have gone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Leeway", "leeway_of"]

_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Leeway:
    """What an estimate could be over all units, whichever way what is open would have gone.

    Open are replies without a decision, rounds that were not come to, and samples that were lost or stopped. That they
    are missing may have to do with what they would have been, so nothing is taken for more likely than anything else.

    Attributes:
        least: The estimate if all of it had gone one way.
        most: If all had gone the other.
        low: Lower confidence bound of ``least``: with ``high``, where the truth lies although only some units were
            drawn *and* some of their outcomes are open (Horowitz and Manski 2000, "Nonparametric analysis of randomized
            experiments with missing covariate and outcome data", J. Am. Stat. Assoc. 95, 77-84).
        high: Upper confidence bound of ``most``.
        units: Over how many units.
    """

    least: float
    most: float
    low: float
    high: float
    units: int

    def __neg__(self) -> Leeway:
        """Of the same estimate with its sign turned."""
        return Leeway(-self.most, -self.least, -self.high, -self.low, self.units)

    def turns(self, estimate: float) -> bool:
        """Whether what is open could take a verdict away: with it, not all bounds are on the estimate's side of 0.

        The estimate is of what is known, the bounds are of all units: it may lie outside of them.
        """
        return not (self.low > 0 if estimate > 0 else self.high < 0)

    @property
    def words(self) -> str:
        """Between what it lies, as a sentence after the estimate."""
        return (
            f"Whichever way what has no decision would have gone, over all it lies between {self.least:+.3f} and "
            f"{self.most:+.3f} (with confidence bounds {self.low:+.3f} and {self.high:+.3f})."
        )


def leeway_of(
    least: ArrayLike, most: ArrayLike, *, reach: float | None = None, confidence: float = 0.95
) -> Leeway | None:
    """Find the leeway of a mean over units from the least and the most that each unit can be.

    The outer bounds are Student's over units. Each holds at ``(1 + confidence) / 2``, so that both together cover what
    lies between the ends at ``confidence`` at least, whatever made things open. Units that are all alike have no spread
    of their own: the end is its own bound.

    Args:
        least: By unit, shape (units,); NaN where it is not known.
        most: Likewise, at least ``least``.
        reach: The largest absolute value that a unit can have; None where that is open.
        confidence: In (0, 1).

    Returns:
        None where nothing is open, or no unit is known.
    """
    low, high = np.asarray(least, dtype=np.float64), np.asarray(most, dtype=np.float64)
    known = np.isfinite(low) & np.isfinite(high)
    low, high = low[known], high[known]
    if not (high - low > _SLACK).any():
        return None
    most_there = math.inf if reach is None else reach
    a, b = float(low.mean()), float(high.mean())
    outer = max(a - _half(low, confidence), -most_there), min(b + _half(high, confidence), most_there)
    return Leeway(a, b, *outer, int(known.sum()))


def _half(values: np.ndarray, confidence: float) -> float:
    from scipy.special import stdtrit

    if values.size < 2:
        return math.inf
    return float(stdtrit(values.size - 1, (1 + confidence) / 2)) * float(values.std(ddof=1)) / math.sqrt(values.size)
