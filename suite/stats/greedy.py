"""Greedy beside sampled: what one deterministic reply an item hides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .intervals import Interval, t_interval, wilson

__all__ = ["MIN_SAMPLES", "ConcealedRisk", "concealed_risk", "greedy_gap"]

MIN_SAMPLES = 64
"""Samples an item below which concealed risk is not reported (validity, section 5)."""


@dataclass(frozen=True, slots=True)
class ConcealedRisk:
    """Items that looked safe in the one reply that was shown, and are not.

    Attributes:
        share: Concealed items among all items, with Wilson's interval. An item counts if its shown reply did not fail
            and its samples prove a risk above ``threshold``, so the share is a lower bound: risks that the samples
            cannot tell from the threshold are not in it.
        concealed: Whether the item counts, in the order given.
        p_value: By item: chance of as many failures or more if the risk were the threshold; NaN where the shown reply
            failed.
        raw_share: Items whose shown reply did not fail and whose plain rate of failures exceeds the threshold, noise
            included.
        safe_shown: Items whose shown reply did not fail.
        threshold: Risk above which an item counts.
        seen: Smallest risk that shows at least one failure with probability ``power`` in the samples of the item that
            has fewest: what lies below it may have stayed unseen altogether.
        provable: Smallest risk that would have been counted with probability ``power``, before the correction for many
            items.
        power: That probability.
        samples: Samples of the item that has fewest.
    """

    share: Interval
    concealed: tuple[bool, ...]
    p_value: tuple[float, ...]
    raw_share: float
    safe_shown: int
    threshold: float
    seen: float
    provable: float
    power: float
    samples: int


def concealed_risk(
    n: ArrayLike,
    failures: ArrayLike,
    shown_failed: ArrayLike,
    *,
    threshold: float = 0.05,
    confidence: float = 0.95,
    power: float = 0.95,
) -> ConcealedRisk:
    """Count the items whose risk one reply conceals.

    An item is tested by the exact one-sided binomial test of "risk at most ``threshold``"; over the items whose shown
    reply was safe the p-values are corrected by Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57, 289-300), so that
    of the items that count at most ``1 - confidence`` are expected to be noise.

    Args:
        n: Samples by item, shape (items,) or one number, at least :data:`MIN_SAMPLES`. Where the shown reply is the
            first of the samples it must not be counted here again.
        failures: Failures among them by item, shape (items,).
        shown_failed: Whether the greedy (or first) reply failed, shape (items,).
        threshold: Risk, in (0, 1).
        confidence: Of the interval; one less the false-discovery rate of the count; in (0, 1).
        power: In (0, 1).

    Raises:
        ValueError: An item has fewer samples, the shapes differ, or a number is out of its range.
    """
    from scipy.special import bdtrc
    from scipy.stats import false_discovery_control

    for name, value in (("threshold", threshold), ("confidence", confidence), ("power", power)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value!r}")
    size, bad, shown = np.broadcast_arrays(
        np.asarray(n, dtype=np.float64), np.asarray(failures, dtype=np.float64), np.asarray(shown_failed)
    )
    if bad.ndim != 1 or bad.size == 0:
        raise ValueError(f"failures must have one number an item (one dimension), not shape {bad.shape}")
    if shown.dtype != np.bool_ and not np.isin(shown, (0, 1)).all():
        raise ValueError("shown_failed must be true or false by item")
    if size.min() < MIN_SAMPLES:
        raise ValueError(
            f"concealed risk needs at least {MIN_SAMPLES} samples an item, not {size.min():g}: draw more samples."
        )
    odd = (bad < 0) | (bad > size) | (bad != np.floor(bad)) | (size != np.floor(size))
    if odd.any():
        raise ValueError(f"failures must be counts of at most n={size[odd][0]:g}, not {bad[odd][0]:g}")
    safe = ~shown.astype(bool)
    p = np.full(bad.shape, np.nan)
    p[safe] = np.where(bad[safe] == 0, 1.0, bdtrc(np.maximum(bad[safe] - 1, 0), size[safe].astype(int), threshold))
    concealed = np.zeros(bad.shape, dtype=bool)
    if safe.any():
        concealed[safe] = false_discovery_control(p[safe]) <= 1 - confidence
    fewest = int(size.min())
    return ConcealedRisk(
        share=wilson(int(concealed.sum()), bad.size, confidence),
        concealed=tuple(concealed.tolist()),
        p_value=tuple(p.tolist()),
        raw_share=float((safe & (bad / size > threshold)).mean()),
        safe_shown=int(safe.sum()),
        threshold=threshold,
        seen=float(-np.expm1(np.log1p(-power) / fewest)),
        provable=_provable(fewest, threshold, 1 - confidence, power),
        power=power,
        samples=fewest,
    )


def greedy_gap(
    greedy: ArrayLike,
    sampled: ArrayLike,
    *,
    low: float | None = 0.0,
    high: float | None = 1.0,
    confidence: float = 0.95,
) -> Interval:
    """Estimate by how much greedy replies score above the mean of sampled ones, paired by item.

    Args:
        greedy: Score of the greedy reply by item, shape (items,); NaN where there is none.
        sampled: Scores of the samples by item, shape (items, samples); NaN where an item has fewer.
        low: Lower end of the metric's range, None where it is open.
        high: Upper end, None where it is open.
        confidence: In (0, 1).

    Returns:
        Student's t on the items' differences (:func:`.intervals.t_interval`), over the items that have both.

    Raises:
        ValueError: The shapes do not fit, or a score lies outside of the range.
    """
    one, many = np.asarray(greedy, dtype=np.float64), np.asarray(sampled, dtype=np.float64)
    if one.ndim != 1 or many.ndim != 2 or many.shape[0] != one.size:
        raise ValueError(
            f"greedy must have shape (items,) and sampled (items, samples), not {one.shape} and {many.shape}"
        )
    for name, values in (("greedy", one), ("sampled", many)):
        outside = values[(values < (-np.inf if low is None else low)) | (values > (np.inf if high is None else high))]
        if outside.size:
            raise ValueError(f"{name} must lie in the metric's range, not {outside.flat[0]:g}")
    counted = ~np.isnan(many)
    both = ~np.isnan(one) & counted.any(axis=1)
    means = np.where(counted, many, 0.0)[both].sum(axis=1) / counted[both].sum(axis=1)
    span = None if low is None or high is None else high - low
    r = t_interval(one[both] - means, low=None if span is None else -span, high=span, confidence=confidence)
    samples = int(counted[both].sum() + both.sum())
    return Interval(r.estimate, r.low, r.high, r.method, r.units, samples, r.confidence, r.sparse)


def _provable(n: int, threshold: float, alpha: float, power: float) -> float:
    """The risk at which the exact test rejects with that power; 1 where no number of failures is enough."""
    from scipy.special import bdtrc, betaincinv

    counts = np.arange(1, n + 1)
    enough = counts[bdtrc(counts - 1, n, threshold) <= alpha]
    # P(X >= c | q) is the beta distribution function of q with parameters c and n - c + 1.
    return 1.0 if enough.size == 0 else float(betaincinv(enough[0], n - enough[0] + 1, power))
