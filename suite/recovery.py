"""Recovery: the share of a harm that an intervention wins back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .stats.learning_arms import price

__all__ = ["Recovery", "recovery"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an intervention wins back of a harm.

    Attributes:
        share: Of the harm; above 1 it does more than undo it, below 0 it makes it worse. NaN where no harm is shown:
            of nothing there is no share.
        low: Lower bound (Fieller); NaN where there is none.
        high: Upper bound, likewise.
        of: Name of the contrast that is the harm.
        shown: Whether that harm is shown.
    """

    share: float
    low: float
    high: float
    of: str
    shown: bool

    @property
    def words(self) -> str:
        """The share with its interval, or why there is none."""
        if not self.shown:
            return f"no share: {self.of} is not shown"
        bounds = f"[{self.low:.2f}, {self.high:.2f}]" if math.isfinite(self.low) else "(no interval)"
        return f"{self.share:.2f} {bounds} of {self.of}"


def recovery(plain: ArrayLike, harmed: ArrayLike, mended: ArrayLike, of: str, *, confidence: float) -> Recovery:
    """Estimate what share of a harm is won back: mean of what is won back over mean harm, over common units.

    It is not said to be shown yet: whether the harm is, is known when all contrasts of a run are corrected.

    Args:
        plain: The measure without the harm, by unit, shape (units,).
        harmed: With it, likewise.
        mended: With it and the intervention, likewise.
        of: Name of the contrast that is the harm.
        confidence: Of the interval, by Fieller (:func:`.stats.learning_arms.price`).
    """
    without, harm, back = (np.asarray(x, dtype=np.float64) for x in (plain, harmed, mended))
    won, lost = harm - back, harm - without
    if not len(won) or not lost.any():
        return Recovery(math.nan, math.nan, math.nan, of, shown=False)
    found = price(won, lost, confidence=confidence)
    # Units that are all alike do not make a share certain.
    if np.ptp(won) < 1e-12 and np.ptp(lost) < 1e-12:
        return Recovery(found.estimate, math.nan, math.nan, of, shown=False)
    return Recovery(found.estimate, found.low, found.high, of, shown=False)
