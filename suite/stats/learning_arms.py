"""What a stream's scores come to, as one number, and contrasts of it between arms that lived the same streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounds import clopper_pearson_bounds
from .intervals import Interval
from .paired_tests import sign_flips

__all__ = ["PairedContrasts", "fall_share", "measure_weights", "paired_contrasts", "price", "window_weights"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PairedContrasts:
    """Contrasts between two arms, paired by stream, for many cases at once; arrays have the shape of the cases.

    Attributes:
        estimate: Mean of the differences over streams.
        low: Lower bound by Student's t over streams; NaN where nothing can tell.
        high: Upper bound, likewise.
        p_value: Two-sided, by exchanging the arms' labels of whole streams.
        exact: Whether all ways to exchange them were gone through.
        streams: Streams.
        confidence: Of each interval.
    """

    estimate: Array
    low: Array
    high: Array
    p_value: Array
    exact: NDArray[np.bool_]
    streams: int
    confidence: float


def measure_weights(points: ArrayLike) -> dict[str, Array]:
    """Weights that make one number of a stream's scores at its checkpoints: ``scores @ weights``.

    ``end`` is the score at the last checkpoint; ``slope`` the least-squares slope, in score per episode; ``area`` the
    mean height of the curve, by trapezoids over its length. As contrasts between arms: the final gain, how much faster
    one learns, and what it was ahead on average, which credits early gains. (The area above an arm's own start, as
    :func:`.curves.learning` has it, would carry the noise of one checkpoint into the whole.)

    Args:
        points: Episodes lived at each checkpoint, shape (checkpoints,), ascending.

    Returns:
        By name, shape (checkpoints,); with one checkpoint ``end`` alone.

    Raises:
        ValueError: There is no checkpoint, or they do not ascend.
    """
    at = _ascending(points)
    found = {"end": np.where(np.arange(at.size) == at.size - 1, 1.0, 0.0)}
    if at.size > 1:
        centred, steps = at - at.mean(), np.diff(at)
        found["slope"] = centred / (centred**2).sum()
        found["area"] = (np.append(steps, 0.0) + np.append(0.0, steps)) / 2 / (at[-1] - at[0])
    return found


def window_weights(points: ArrayLike, share: float = 0.25) -> dict[str, Array]:
    """As :func:`measure_weights`, with the mean of the last points for the end: single episodes are noisy.

    ``area`` is the plain mean over all points, so that arms which meet the same episodes in another order can be held
    against each other.

    Args:
        points: Episodes before each, shape (episodes,), ascending.
        share: Of the points that are the end, in (0, 1]; at least one.

    Raises:
        ValueError: ``share`` is out of its range, or as for :func:`measure_weights`.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie between 0 and 1, not {share!r}")
    at = _ascending(points)
    last = max(1, round(share * at.size))
    found = measure_weights(at)
    found["end"] = np.where(np.arange(at.size) >= at.size - last, 1.0 / last, 0.0)
    if at.size > 1:
        found["area"] = np.full(at.size, 1.0 / at.size)
    return found


def paired_contrasts(
    differences: ArrayLike, *, reach: float | None = None, confidence: float = 0.95, seed: int = 0
) -> PairedContrasts:
    """Contrast two arms that lived the same streams, by one number a stream.

    The interval is Student's t over streams, cut to what can be. Where all streams differ alike t has no say: with a
    ``reach`` Clopper-Pearson speaks on the rescaled mean, as in :func:`.intervals.t_interval`, else nothing. The
    p-value compares the mean with its values when the arms' labels are exchanged within streams, whole streams at a
    time (:func:`.paired_tests.sign_flips`; Fisher 1935, "The design of experiments", section 21). It is exact if the
    arms do the same to a stream, whatever the dependence within it. It speaks of the mean where differences are about
    symmetric: an arm that gains a little in most streams and collapses in a few is not such a case.

    Args:
        differences: Evolving less the other arm, shape (..., streams), finite.
        reach: The largest absolute difference that there can be; None where the metric is open.
        confidence: In (0, 1).
        seed: Of the exchanges, where there are too many to go through all.

    Raises:
        ValueError: There is no stream, a difference is not finite or beyond ``reach``, or a number is out of range.
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim == 0 or d.shape[-1] == 0 or not np.isfinite(d).all():
        raise ValueError("differences must be finite numbers along a last axis of at least one stream")
    if reach is not None and not (reach > 0 and (np.abs(d) <= reach * (1 + 1e-9)).all()):
        raise ValueError(f"differences must lie within reach, {reach!r}, which must be positive")
    n = d.shape[-1]
    mean = d.mean(axis=-1)
    p, exact = sign_flips(d, seed=seed)
    half = np.full(mean.shape, np.nan)
    if n > 1:
        half = stdtrit(n - 1, (1 + confidence) / 2) * d.std(axis=-1, ddof=1) / np.sqrt(n)
    # Streams that are all alike do not make the effect certain.
    alike = np.ptp(d, axis=-1) <= 1e-12 * np.maximum(1.0, np.abs(mean))
    low, high = np.where(alike, np.nan, mean - half), np.where(alike, np.nan, mean + half)
    if reach is not None:
        share = np.clip((mean / reach + 1) / 2, 0.0, 1.0)
        # One stream bounds nothing: there the range speaks.
        a, b = clopper_pearson_bounds(n * share, n, confidence) if n > 1 else (np.zeros_like(mean), np.ones_like(mean))
        low = np.where(np.isnan(low), (2 * a - 1) * reach, np.maximum(low, -reach))
        high = np.where(np.isnan(high), (2 * b - 1) * reach, np.minimum(high, reach))
    return PairedContrasts(mean, low, high, p, exact, n, confidence)


def fall_share(scores: ArrayLike, *, direction: int = 1) -> Array:
    """Share of neighbouring checkpoints between which a stream's score got worse; where it stayed, half.

    Noise alone makes half of them worse, however strong it is: what does not drift reads the same backwards. (Were
    equal neighbours none, an arm with more noise would seem to be hurt more often.) What updates did is the share in an
    arm that evolves less that in one that does not.

    Args:
        scores: Shape (..., checkpoints), at least two, none missing.
        direction: 1 where higher is better, -1 where lower is.

    Returns:
        Shares, the last axis gone.

    Raises:
        ValueError: A score is missing, there are fewer than two, or ``direction`` is neither.
    """
    x = np.asarray(scores, dtype=np.float64)
    if direction not in (1, -1):
        raise ValueError(f"direction must be 1 or -1, not {direction!r}")
    if x.ndim == 0 or x.shape[-1] < 2 or not np.isfinite(x).all():
        raise ValueError("scores must be finite, along a last axis of at least 2 checkpoints")
    # Means of the same numbers in another order differ by a rounding, which is no fall.
    steps, rounding = direction * np.diff(x, axis=-1), 1e-9 * np.maximum(1.0, np.abs(x[..., :-1]))
    return np.where(steps < -rounding, 1.0, np.where(steps > rounding, 0.0, 0.5)).mean(axis=-1)


def price(spent: ArrayLike, gained: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """What a unit of gain cost: mean spent over mean gained, over the same streams.

    Fieller's interval for a ratio of two means that are estimated together (Fieller 1954, "Some problems in interval
    estimation", J. R. Statist. Soc. B 16, 175-185): all ratios r for which the mean of ``spent - r * gained`` does not
    differ from 0 by Student's t. It is an interval only where the gain itself differs from 0 at that confidence.

    Args:
        spent: By stream, shape (streams,), finite.
        gained: By stream, likewise.
        confidence: In (0, 1).

    Returns:
        The ratio with its interval; bounds NaN where the gain is not told from 0, and then the ratio means little.

    Raises:
        ValueError: The shapes differ, a number is not finite, or ``confidence`` is out of range.
    """
    from scipy.special import stdtrit

    x, y = np.asarray(spent, dtype=np.float64), np.asarray(gained, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"spent and gained must be finite, one number a stream each, not {x.shape} and {y.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    n = x.size
    low = high = np.nan
    mean_x, mean_y = (float(v.mean()) if n else np.nan for v in (x, y))
    if n > 1:
        t2 = float(stdtrit(n - 1, (1 + confidence) / 2)) ** 2 / n
        cov = np.cov(x, y, ddof=1)
        # (mean_x - r mean_y)^2 = t2 (var_x - 2 r cov + r^2 var_y), as a r^2 - 2 b r + c = 0.
        a, b, c = mean_y**2 - t2 * cov[1, 1], mean_x * mean_y - t2 * cov[0, 1], mean_x**2 - t2 * cov[0, 0]
        inside = b**2 - a * c
        if a > 0 and inside >= 0 and max(cov[0, 0], cov[1, 1]) > 0:
            low, high = (b - inside**0.5) / a, (b + inside**0.5) / a
    ratio = mean_x / mean_y if mean_y else np.nan
    return Interval(ratio, float(low), float(high), "fieller" if np.isfinite(low) else "none", n, n, confidence, n < 30)


def _ascending(points: ArrayLike) -> Array:
    at = np.asarray(points, dtype=np.float64)
    if at.ndim != 1 or at.size == 0 or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise ValueError(f"points must be finite numbers, ascending, at least one, not {at.tolist()}")
    return at
