"""Change over rounds that another arm does not show: trend, mean change, change point.

Rounds of a stream depend on each other, so they are never permuted: whole streams are, between the arms. With rounds
permuted a drift-free state whose rounds correlate (.8 from one to the next, 20 rounds) "changes" in .61 of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .curves import MIN_STREAMS
from .relabelling import Relabelled, relabel, share_at_least, welch_freedom
from .simultaneous import largest_error

__all__ = ["Alternative", "ArmTest", "ChangePoint", "change_point", "mean_change", "trend"]

Array = NDArray[np.float64]
Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class ArmTest:
    """A contrast between arms over whole streams.

    Attributes:
        name: ``trend`` or ``mean change``.
        estimate: Mean over the evolving arm's streams less that over the other's (with pairs: mean of differences).
        low: Lower bound by Student's t (Welch's where streams are not paired); NaN with fewer than 2 streams.
        high: Upper bound.
        p_value: The larger of ``p_permuted`` and, where streams are not paired, that of Welch's t.
        p_permuted: By permuting arm labels of whole streams.
        alternative: What the p-value speaks for.
        permutations: How many labellings were compared, the observed one included.
        exact: Whether they were all.
        streams: Streams of the evolving arm, and of the other (0: none, its change is held against 0).
        paired: Whether streams of the arms belong together.
        confidence: Of the interval.
        one_state: Fewer than 6 streams in an arm: this describes one agent state only, whatever p says.
    """

    name: str
    estimate: float
    low: float
    high: float
    p_value: float
    p_permuted: float
    alternative: Alternative
    permutations: int
    exact: bool
    streams: tuple[int, int]
    paired: bool
    confidence: float
    one_state: bool


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The round after which the arms part most.

    Attributes:
        after: Index of the last round before the change.
        shift: Mean after less mean up to it, evolving less the other. It is the largest of many, so it exaggerates.
        low: Lower bound that holds for all rounds at once, so for the one chosen.
        high: Upper bound, likewise.
        p_value: That any change is there: the larger of ``p_permuted`` and, where streams are not paired, that of
            Welch's t adjusted for all rounds.
        p_permuted: By permuting arm labels of whole streams.
        permutations: As for :class:`ArmTest`, as are the other fields.
        exact: Whether they were all.
        streams: By arm.
        paired: Whether streams of the arms belong together.
        confidence: Of the interval.
        one_state: Fewer than 6 streams in an arm.
    """

    after: int
    shift: float
    low: float
    high: float
    p_value: float
    p_permuted: float
    permutations: int
    exact: bool
    streams: tuple[int, int]
    paired: bool
    confidence: float
    one_state: bool


def trend(
    evolving: ArrayLike,
    other: ArrayLike,
    points: ArrayLike | None = None,
    *,
    paired: bool = False,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
) -> ArmTest:
    """Test whether scores of evolving streams rise or fall over rounds more than those of an arm that does not evolve.

    Each stream gives its least-squares slope. The two arms' slopes are compared by Welch's t, whose null distribution
    is that of relabelling whole streams (Janssen 1997, "Studentized permutation tests for non-i.i.d. hypotheses and the
    generalized Behrens-Fisher problem", Stat. Probab. Lett. 36, 9-21). That is exact where the arms do not differ at
    all. But a frozen arm may have next to no spread of its own, and with 6 streams an arm relabelling then alarms in
    .09 of runs without a drift (.21 for a change point), so the p-value of Welch's t itself must agree: the larger of
    the two counts (.06 and .04). Paired streams (same items in the same order): signs of whole differences, without
    that.

    Args:
        evolving: Shape (streams, rounds); NaN where a round is missing, at least 2 in each stream.
        other: The frozen, shuffled, yoked or placebo arm, of as many rounds.
        points: When the rounds were, shape (rounds,); None: 0, 1, 2, ...
        paired: Whether stream i of both arms belong together.
        alternative: ``two-sided``, or that the evolving arm's slope is ``greater`` or ``less``.
        confidence: Of the interval, in (0, 1).
        permutations: Random labellings where there are more than :data:`.relabelling.MAX_EXACT` in all.
        seed: Of the labellings.

    Raises:
        ValueError: The shapes do not fit, an arm has no stream or a stream fewer than 2 rounds.
    """
    a, b = _arms(evolving, other, paired)
    at = np.arange(a.shape[1], dtype=np.float64) if points is None else np.asarray(points, dtype=np.float64)
    if at.shape != a.shape[1:] or not np.isfinite(at).all():
        raise ValueError(f"points must be {a.shape[1]} finite numbers, not {at.tolist()}")
    slopes = [_slopes(arm, at)[:, None] for arm in (a, b)]
    return _test("trend", slopes[0], slopes[1], paired, alternative, confidence, permutations, seed)


def mean_change(
    evolving: ArrayLike,
    other: ArrayLike | None = None,
    *,
    window: int = 1,
    paired: bool = False,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
) -> ArmTest:
    """Test whether scores changed from the first rounds to the last more than in an arm that does not evolve.

    As :func:`trend`, with the mean of the last rounds less that of the first in place of the slope. Without another
    arm the change is held against 0 by flipping the signs of whole streams, which takes changes for symmetric around 0
    if there is none, and cannot tell evolving from anything else that passes with time.

    Args:
        evolving: Shape (streams, rounds), the rounds of both windows there.
        other: The other arm, or None.
        window: Rounds at either end, from 1 to half of the rounds.
        paired: As for :func:`trend`, as are the other arguments and errors.
        alternative: As for :func:`trend`.
        confidence: Of the interval.
        permutations: Random labellings.
        seed: Of the labellings.
    """
    a, b = (_streams(evolving, "evolving"), None) if other is None else _arms(evolving, other, paired)
    if window != int(window) or not 1 <= window <= a.shape[1] // 2:
        raise ValueError(
            f"window must be a whole number from 1 to {a.shape[1] // 2}, half of the rounds, not {window!r}"
        )
    changes = [arm[:, -window:].mean(axis=1) - arm[:, :window].mean(axis=1) for arm in (a, b) if arm is not None]
    if any(np.isnan(change).any() for change in changes):
        raise ValueError("every stream needs the first and the last rounds: leave out streams that broke off")
    second = changes[1][:, None] if b is not None else None
    return _test("mean change", changes[0][:, None], second, paired, alternative, confidence, permutations, seed)


def change_point(
    evolving: ArrayLike,
    other: ArrayLike,
    *,
    paired: bool = False,
    confidence: float = 0.95,
    permutations: int = 10_000,
    seed: int = 0,
) -> ChangePoint:
    """Find the round at which evolving streams part from the other arm, and test whether there is one.

    For every split of the rounds each stream gives the mean after less the mean up to it, which is its CUSUM (Page
    1954, "Continuous inspection schemes", Biometrika 41, 100-115) in units of the score. The round is the one of least
    squares (Hinkley 1970, "Inference about the change-point in a sequence of random variables", Biometrika 57, 1-17).
    The test takes the largest absolute Welch t over the splits; its null distribution is that of relabelling whole
    streams, and as in :func:`trend` Welch's t, adjusted for all splits, must agree. The interval takes the wider of the
    two and covers all splits at once. A steady trend is also a change, with its best split near the middle.

    Args:
        evolving: Shape (streams, rounds), at least 2 streams and 2 rounds, none missing.
        other: As for :func:`trend`, as are the other arguments and errors.
        paired: As for :func:`trend`.
        confidence: In (0, 1).
        permutations: Random labellings.
        seed: Of the labellings.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    a, b = _arms(evolving, other, paired)
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a change point needs every round of every stream: leave out streams that broke off")
    if min(len(a), len(b)) < 2:
        raise ValueError("a change point needs at least 2 streams in each arm")
    first, second = (_shifts(arm) for arm in (a, b))
    drawn = relabel(first, second, paired, permutations, seed)
    largest = np.abs(drawn.t).max(axis=1)
    shift = (first - second).mean(axis=0) if paired else first.mean(axis=0) - second.mean(axis=0)
    # Least squares finds the round; t would let its luckiest standard error choose where the shift is clear.
    k = np.arange(1, a.shape[1])
    at = int(np.argmax(np.abs(shift) * np.sqrt(k * (a.shape[1] - k))))
    reach = float(np.quantile(largest, confidence, method="higher"))
    permuted = p = share_at_least(largest)
    if not paired:
        welch, level = _welch_over_splits(first, second, drawn, confidence, seed)
        p, reach = max(permuted, welch), max(reach, level)
    return ChangePoint(
        after=at,
        shift=float(shift[at]),
        low=float(shift[at] - reach * drawn.error[at]) if drawn.error[at] > 0 else np.nan,
        high=float(shift[at] + reach * drawn.error[at]) if drawn.error[at] > 0 else np.nan,
        p_value=p,
        p_permuted=permuted,
        permutations=len(largest),
        exact=drawn.exact,
        streams=(len(a), len(b)),
        paired=paired,
        confidence=confidence,
        one_state=min(len(a), len(b)) < MIN_STREAMS,
    )


def _welch_over_splits(
    first: Array, second: Array, drawn: Relabelled, confidence: float, seed: int
) -> tuple[float, float]:
    """Smallest p-value of Welch's t over the splits, adjusted; and the largest quantile at the adjusted level."""
    from scipy.special import stdtr, stdtrit

    influence = np.concatenate(
        [sign * (arm - arm.mean(axis=0)) / len(arm) for sign, arm in ((1.0, first), (-1.0, second))]
    )
    largest = largest_error(influence, rng=generator("finchmark.stats", "change_point", seed))
    freedom = welch_freedom(first, second)
    adjusted = largest.adjust(2 * stdtr(freedom, -np.abs(drawn.t[0])))
    level = largest.level(confidence)
    return float(adjusted.min()), float(stdtrit(freedom, 1 - level / 2).max())


def _test(
    name: str,
    first: Array,
    second: Array | None,
    paired: bool,
    alternative: Alternative,
    confidence: float,
    permutations: int,
    seed: int,
) -> ArmTest:
    from scipy.special import stdtr

    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    drawn = relabel(first, second, paired, permutations, seed)
    t = drawn.t[:, 0]
    merit = {"two-sided": np.abs(t), "greater": t, "less": -t}[alternative]
    sides = (len(first), 0 if second is None else len(second))
    low, high, estimate = _interval(first[:, 0], None if second is None else second[:, 0], paired, confidence)
    permuted = p = share_at_least(merit)
    if second is not None and not paired and min(sides) > 1:
        tail = float(stdtr(welch_freedom(first, second)[0], -merit[0]))
        p = max(permuted, 2 * tail if alternative == "two-sided" else tail)
    return ArmTest(
        name=name,
        estimate=estimate,
        low=low,
        high=high,
        p_value=p,
        p_permuted=permuted,
        alternative=alternative,
        permutations=len(t),
        exact=drawn.exact,
        streams=sides,
        paired=paired,
        confidence=confidence,
        one_state=min(n for n in sides if n) < MIN_STREAMS,
    )


def _interval(first: Array, second: Array | None, paired: bool, confidence: float) -> tuple[float, float, float]:
    from scipy.special import stdtrit

    if second is None or paired:
        d = first if second is None else first - second
        estimate, variance, freedom = (
            float(d.mean()),
            float(d.var(ddof=1) / d.size) if d.size > 1 else np.nan,
            d.size - 1,
        )
    else:
        estimate = float(first.mean() - second.mean())
        if min(first.size, second.size) < 2:
            return np.nan, np.nan, estimate
        variance = float(first.var(ddof=1) / first.size + second.var(ddof=1) / second.size)
        freedom = float(welch_freedom(first[:, None], second[:, None])[0])
    if not variance > 0:
        return np.nan, np.nan, estimate  # streams that are all alike do not make the effect certain
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * variance**0.5
    return estimate - reach, estimate + reach, estimate


def _slopes(arm: Array, at: Array) -> Array:
    present = ~np.isnan(arm)
    n = present.sum(axis=1)
    if n.min() < 2:
        raise ValueError(f"every stream needs at least 2 rounds for a slope, not {n.min()}")
    x = np.where(present, at, 0.0)
    centred = np.where(present, at - (x.sum(axis=1) / n)[:, None], 0.0)
    return (centred * np.where(present, arm, 0.0)).sum(axis=1) / (centred**2).sum(axis=1)


def _shifts(arm: Array) -> Array:
    """Mean after less mean up to each split, shape (streams, rounds - 1)."""
    rounds = arm.shape[1]
    upto = arm.cumsum(axis=1)
    k = np.arange(1, rounds)
    return (upto[:, -1:] - upto[:, :-1]) / (rounds - k) - upto[:, :-1] / k


def _arms(evolving: ArrayLike, other: ArrayLike, paired: bool) -> tuple[Array, Array]:
    a, b = _streams(evolving, "evolving"), _streams(other, "other")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"both arms must have the same rounds: {a.shape[1]}, not {b.shape[1]}")
    if paired and len(a) != len(b):
        raise ValueError(f"paired arms must have as many streams: {len(a)}, not {len(b)}")
    return a, b


def _streams(values: ArrayLike, name: str) -> Array:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 2:
        raise ValueError(f"{name} must have shape (streams, rounds) with at least 1 and 2 of them, not {x.shape}")
    if np.isinf(x).any():
        raise ValueError(f"{name} must be finite, or NaN where a round is missing")
    return x
