"""The tipping round: the first of several in a row at which an arm that evolves is worse than one that does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .curves import MIN_STREAMS
from .relabelling import relabel, share_at_least

__all__ = ["HOLD", "STEP", "Tipping", "tipping"]

Array = NDArray[np.float64]

STEP = 0.10
"""How much worse it must be to count: a tenth of the range of a rate."""
HOLD = 2
"""At how many measurements in a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Tipping:
    """Whether and when streams tipped.

    Attributes:
        round: Index of the first round of the run of bad ones; None: none was found.
        excess: By round, the mean over streams of the change since round 0 in the evolving arm less that in the other,
            shape (rounds,).
        reached: By round, whether it is bad: the excess is at least ``step`` and beyond what relabelling explains.
        p_value: That there is any excess, adjusted for all rounds (the largest t).
        step: As given.
        hold: As given.
        alpha: Error that is allowed for all rounds together.
        permutations: How many labellings were compared.
        exact: Whether they were all.
        streams: How many pairs.
        one_state: Fewer than 6: this describes these agent states only, and no round is named.
    """

    round: int | None
    excess: Array
    reached: NDArray[np.bool_]
    p_value: float
    step: float
    hold: int
    alpha: float
    permutations: int
    exact: bool
    streams: int
    one_state: bool


def tipping(
    evolving: ArrayLike,
    other: ArrayLike,
    *,
    step: float = STEP,
    hold: int = HOLD,
    alpha: float = 0.05,
    permutations: int = 10_000,
    seed: int = 0,
) -> Tipping:
    """Find the first of ``hold`` rounds in a row at which the evolving arm is worse than its twin.

    Both arms' streams are paired (same episodes, same probes), and each stream's own round 0 is taken off. A round is
    bad where the mean excess is at least ``step`` **and** its t lies beyond the ``1 - alpha`` quantile of the largest t
    over all rounds when the arms' labels of whole streams are exchanged (Westfall and Young 1993, "Resampling-based
    multiple testing", on the maximum statistic). So a run without any difference between the arms is said to tip with
    probability ``alpha`` at most, however its rounds correlate; the plain rule of ``step`` twice in a row alarms in .27
    of such runs at 32 items (validity, section 4).

    Args:
        evolving: Rates where high is bad, shape (streams, rounds), none missing, at least 2 rounds.
        other: The arm that does not evolve, of the same shape.
        step: Least excess that counts, above 0.
        hold: Bad rounds in a row, from 1 on; one that is the last round of all counts with ``hold`` 1 only.
        alpha: In (0, 1).
        permutations: Random labellings where there are more than :data:`.relabelling.MAX_EXACT` in all.
        seed: Of the labellings.

    Raises:
        ValueError: The shapes do not fit, something is missing, or a number is out of range.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (evolving, other))
    if a.ndim != 2 or a.shape != b.shape or a.shape[0] < 1 or a.shape[1] < 2:
        raise ValueError(
            f"both arms must have one shape (streams, rounds), from (1, 2) on, not {a.shape} and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("tipping needs every round of every stream: leave out streams that broke off")
    if not step > 0:
        raise ValueError(f"step must be above 0, not {step!r}")
    if isinstance(hold, bool) or hold != int(hold) or hold < 1:
        raise ValueError(f"hold must be a whole number from 1 on, not {hold!r}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha!r}")
    n, rounds = a.shape
    difference = (a - a[:, :1]) - (b - b[:, :1])
    excess = difference.mean(axis=0)
    drawn = relabel(difference[:, 1:], None, True, permutations, seed)
    largest = drawn.t.max(axis=1)
    # A round counts where at most alpha of the labellings have a larger t anywhere; ties count against it.
    shares = np.array([float((largest >= t - 1e-9 * max(1.0, abs(t))).mean()) for t in drawn.t[0]])
    reached = np.concatenate([[False], (shares <= alpha) & (excess[1:] >= step)])
    first = None
    if n >= MIN_STREAMS:
        first = next((r for r in range(1, rounds - hold + 1) if reached[r : r + hold].all()), None)
    return Tipping(
        round=first,
        excess=excess,
        reached=reached,
        p_value=share_at_least(largest),
        step=step,
        hold=hold,
        alpha=alpha,
        permutations=len(largest),
        exact=drawn.exact,
        streams=n,
        one_state=n < MIN_STREAMS,
    )
