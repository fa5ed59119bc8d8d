"""Inference: an estimated difference with the bounds and one-sided p-values that belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from .bootstrap import bootstrap_draws
from .intervals import MIN_EVENTS, MIN_UNITS
from .pairs import Pairs
from .tango import clustered_tango_bounds, clustered_tango_tail, tango_bounds, tango_statistic

__all__ = ["Inference", "IntervalMethod", "paired_inference"]

IntervalMethod = Literal["auto", "tango", "tango-t", "clustered-tango", "t", "bca", "percentile"]


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """How a difference is bounded and tested; each method inverts its own test, so both always agree.

    Attributes:
        estimate: Second side less first.
        method: Name of the method.
        bounds: From a two-sided confidence in (0, 1) to lower and upper bound; NaN where the data bound nothing.
        tail: From a hypothetical difference to the one-sided p-value of "the difference is at most that"; it is
            ``alpha`` where the lower bound at confidence ``1 - 2 * alpha`` is that difference.
        sparse: Too few units (under 30) or unit-level events (under 5) for the coverage to be trusted.
    """

    estimate: float
    method: str
    bounds: Callable[[float], tuple[float, float]]
    tail: Callable[[float], float]
    sparse: bool


def paired_inference(
    pairs: Pairs, method: IntervalMethod = "auto", *, resamples: int = 10_000, seed: int = 0
) -> Inference:
    """Choose how the mean of unit differences is bounded.

    - ``tango``: Tango's score for counts of pairs, only for one binary sample an item and side.
    - ``tango-t``: the same with Student's quantile for the normal one; :func:`.tango.clustered_tango_bounds` says why.
    - ``clustered-tango``: the same at the effective number of pairs, for any metric with a range.
    - ``t``: Student's t on unit differences.
    - ``bca``, ``percentile``: the bootstrap of units; under 30 units it covers too little.
    - ``auto``: ``tango-t`` for one binary sample an item and side, ``t`` for a metric without a range, else
      ``clustered-tango``. Where units differ by much and unalike, that is the t interval to a few hundredths of its
      width; where few differ, t and bootstrap cover too little (at 30 units of which .17 differ, .90 and .92). Where
      units are dyads: :func:`.dyadic.dyadic_inference`.

    Args:
        pairs: From :func:`.pairs.pair_units`, with at least one unit.
        method: As above.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: The method does not suit the data, or there is no unit.
    """
    if not pairs.units:
        raise ValueError("the sides share no unit: compare them as unpaired samples")
    if method == "auto" and pairs.dyads is not None:
        from .dyadic import dyadic_inference

        return dyadic_inference(pairs)
    if method == "auto":
        method = (
            "t" if not np.isfinite(pairs.width) else "tango-t" if _one_binary_pair_a_unit(pairs) else "clustered-tango"
        )
    d, w = pairs.differences, pairs.width
    k, estimate = d.size, float(np.clip(d.mean(), d.min(), d.max()))
    if method in ("tango", "tango-t") and not _one_binary_pair_a_unit(pairs):
        raise ValueError(f"method {method!r} needs one binary sample an item and side; take 'clustered-tango'")
    if method == "tango":
        counts = float(pairs.gained.sum()), float(pairs.lost.sum()), k
        return Inference(estimate, method, partial(_tango, counts), partial(_tango_tail, counts), _sparse(pairs))
    if method in ("tango-t", "clustered-tango"):
        if not np.isfinite(w):
            raise ValueError(f"method {method!r} needs a metric with a range; take 't'")
        return Inference(estimate, method, partial(_clustered, pairs), partial(_clustered_tail, pairs), _sparse(pairs))
    if method == "t":
        if k < 2 or np.ptp(d) == 0:
            # That units agree does not make the mean certain: the range speaks, or nothing does.
            if np.isfinite(w):
                return paired_inference(pairs, "clustered-tango")
            return Inference(estimate, "none", lambda _: (np.nan, np.nan), lambda _: np.nan, True)
        error = float(d.std(ddof=1) / np.sqrt(k))
        return Inference(
            estimate, "t", partial(_t, estimate, error, k, w), partial(_t_tail, estimate, error, k), _sparse(pairs)
        )
    if method in ("bca", "percentile"):
        draws = bootstrap_draws(d, resamples=resamples, seed=seed)
        if draws.values[0] == draws.values[-1]:
            return paired_inference(pairs, "t")
        return Inference(
            estimate,
            method,
            partial(draws.bounds, method=method),
            partial(draws.tail, method=method),
            _sparse(pairs),
        )
    raise ValueError(f"method must be auto, tango, tango-t, clustered-tango, t, bca or percentile, not {method!r}")


def _one_binary_pair_a_unit(pairs: Pairs) -> bool:
    return pairs.kind == "binary" and pairs.single


def _sparse(pairs: Pairs) -> bool:
    """Under 30 units, or under 5 that tell: discordant pairs' worth, or differences unlike the most common one."""
    k = len(pairs.units)
    if pairs.kind == "binary":
        events = float((pairs.gained + pairs.lost).sum())
    else:
        _, counts = np.unique(pairs.differences, return_counts=True)
        events = k - int(counts.max(initial=0))
    return k < MIN_UNITS or events < MIN_EVENTS - 1e-9


def _tango(counts: tuple[float, float, int], confidence: float) -> tuple[float, float]:
    low, high = tango_bounds(*counts, confidence)
    return float(low), float(high)


def _tango_tail(counts: tuple[float, float, int], hypothesis: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-tango_statistic(*counts, _clip(hypothesis, 1.0))))


def _clustered(pairs: Pairs, confidence: float) -> tuple[float, float]:
    low, high = clustered_tango_bounds(pairs.gained, pairs.lost, confidence)
    return float(low) * pairs.width, float(high) * pairs.width


def _clustered_tail(pairs: Pairs, hypothesis: float) -> float:
    return float(clustered_tango_tail(pairs.gained, pairs.lost, _clip(hypothesis / pairs.width, 1.0)))


def _t(estimate: float, error: float, k: int, width: float, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(k - 1, (1 + confidence) / 2)) * error
    return max(estimate - half, -width), min(estimate + half, width)


def _t_tail(estimate: float, error: float, k: int, hypothesis: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(k - 1, (hypothesis - estimate) / error))


def _clip(x: float, limit: float) -> float:
    return min(max(x, -limit), limit)
