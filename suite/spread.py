"""How far a unit's difference strays if nothing has changed: what a baseline tells of its samples' noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .checks import Check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Spread", "expected_sd", "spread_of"]


@dataclass(frozen=True, eq=False)
class Spread:
    """The noise of a baseline's items, and what it makes of a difference.

    An item's difference is the mean of ``m`` new samples less that of the baseline's ``n_i``. If nothing has changed,
    both are means of independent samples of one variance ``w_i``, and the item's own level cancels, so that
    ``Var(d_i) = w_i / m + w_i / n_i``. The items are independent, so the mean of ``U`` of them has the variance
    ``(1 / U^2) sum_i w_i (1 / m + 1 / n_i)``: that of ``U`` units each of the variance
    ``mean_i w_i (1 / m + 1 / n_i)``. With one ``w`` for all this is ``w (1 / m + 1 / H)``, ``H`` being the *harmonic*
    mean of the counts. Their arithmetic mean is larger, by Jensen's inequality, and would promise too little noise.
    Each item keeps its own ``w_i`` beside its own ``n_i``: noisy items may well have been sampled more often.

    Source: Miller (2024), "Adding error bars to evals", arXiv:2411.00640, section 5, for one count; over unequal counts
    it is the variance of a sum of independent variables.

    Attributes:
        counts: The baseline's samples by item, ``[items]``, each at least 1.
        within: Estimated variance of one sample by item, ``[items]``; of an item with one sample the mean of the
            others'. NaN where nothing can be said.
        repeated: Whether any item has two samples. If none has, nothing tells the noise within an item from the spread
            between items, and ``within`` is all of the spread: an upper bound.
    """

    counts: NDArray[np.float64]
    within: NDArray[np.float64]
    repeated: bool

    def of_means(self) -> float:
        """Mean variance that noise gives an item's mean in the baseline: ``mean_i w_i / n_i``."""
        return float((self.within / self.counts).mean())

    def sds(self, samples: float) -> NDArray[np.float64]:
        """Standard deviation of each item's difference to ``samples`` new ones, ``[items]``."""
        import numpy as np

        return np.sqrt(self.within * (1 / self.counts + 1 / max(samples, 1.0)))

    def sd(self, samples: float) -> float:
        """Standard deviation of a unit's difference, over all items: the root of the mean variance."""
        import numpy as np

        return float(np.sqrt(np.mean(self.sds(samples) ** 2)))


def spread_of(check: Check) -> Spread:
    """Read a check's noise from its baseline.

    Of a binary item with the mean ``p`` of ``n`` samples ``p (1 - p) n / (n - 1)`` is the sample variance. Graded items
    bring theirs.

    Args:
        check: The demand.
    """
    import numpy as np

    entries = list(check.reference.items[check.metric.name].values())
    counts = np.array([e[0] for e in entries], dtype=float)
    means = np.array([e[1] for e in entries], dtype=float)
    repeated = counts > 1
    binary = check.metric.kind == "binary"
    if not repeated.any():
        if binary:
            whole = float(means.mean() * (1 - means.mean()))
        else:
            whole = float(means.var(ddof=1)) if len(means) > 1 else math.nan
        return Spread(counts, np.full(len(entries), whole), False)
    if binary:
        own = means * (1 - means) * counts / np.maximum(counts - 1, 1)
    else:
        own = np.array([e[2] if n > 1 else math.nan for e, n in zip(entries, counts, strict=True)])
    return Spread(counts, np.where(repeated, own, own[repeated].mean()), True)


def expected_sd(check: Check, samples: float) -> float | None:
    """Spread of a unit's difference if nothing has changed, for the plan of a sequential gate's bets.

    A wrong one costs power and never validity. The gate and its forecast use the same.

    Args:
        check: The demand.
        samples: Samples an item of the candidate.

    Returns:
        None where the baseline does not tell: no item has two samples, or all samples of every item agree.
    """
    found = spread_of(check)
    return (found.sd(samples) or None) if found.repeated else None
