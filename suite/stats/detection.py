"""Telling signals from noise: sensitivity and criterion of who flags some of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bootstrap import Statistic, bootstrap
from .intervals import Interval

__all__ = ["Detection", "detection", "detection_difference", "sensitivity"]

Array = NDArray[np.float64]
_UNITS, _ANSWERS = 30, 5


@dataclass(frozen=True, slots=True)
class Detection:
    """How well signals were told from noise.

    Attributes:
        hits: Share of signals that were flagged, uncorrected.
        false_alarms: Share of noise that was flagged, uncorrected.
        d_prime: Sensitivity, in standard deviations, with its interval; 0 is chance.
        criterion: Above 0: flags rarely; below: flags readily.
        signals: How many answers to signals there were.
        noises: How many to noise.
        sparse: Under 30 units, or fewer than 5 answers of one of the four kinds (signals flagged and not, noise flagged
            and not): the interval is rough there.
    """

    hits: float
    false_alarms: float
    d_prime: Interval
    criterion: float
    signals: int
    noises: int
    sparse: bool


def sensitivity(hits: ArrayLike, signals: ArrayLike, false_alarms: ArrayLike, noises: ArrayLike) -> tuple[Array, Array]:
    """d′ = z(H) − z(F) and criterion c = −(z(H) + z(F)) / 2, with the log-linear correction of both rates.

    Source: Green and Swets (1966), Signal Detection Theory and Psychophysics; Macmillan and Creelman (2005), Detection
    Theory, chapters 1 and 2. The correction, H = (hits + .5) / (signals + 1) and likewise F, is of Hautus (1995),
    "Corrections for extreme proportions and their biasing effects on estimated values of d′", Behavior Research Methods
    27, 46-51. It keeps d′ finite and pulls it towards 0: with 24 of each, none missed and no false alarm give 4.11.

    Args:
        hits: Flagged signals; any shape, the same for all four.
        signals: All signals, at least ``hits``.
        false_alarms: Flagged noise.
        noises: All noise, at least ``false_alarms``.

    Returns:
        d′ and c, of the same shape.

    Raises:
        ValueError: A count is negative, or more were flagged than there are.
    """
    from scipy.special import ndtri

    h, n, f, m = (np.asarray(x, dtype=np.float64) for x in (hits, signals, false_alarms, noises))
    slack = 1e-9
    if (h < 0).any() or (f < 0).any() or (h > n + slack).any() or (f > m + slack).any():
        raise ValueError("hits must be in [0, signals] and false_alarms in [0, noises]")
    zh, zf = ndtri((h + 0.5) / (n + 1)), ndtri((f + 0.5) / (m + 1))
    return zh - zf, -(zh + zf) / 2


def detection(
    flagged: ArrayLike,
    is_signal: ArrayLike,
    units: ArrayLike | None = None,
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Detection:
    """Estimate d′ with an interval over units: a signal and its twin without one belong together.

    Of two intervals the wider counts, side by side. One is the percentiles of the bootstrap over units: BCa's
    acceleration is not defined where a resample has no signal. Near the ends, where nearly all or next to no answers
    flag, resamples hardly differ, and percentiles cover .59 to .93. The other is normal, with the standard error of
    Gourevitch and Galanter (1967), "A significance test for one parameter isosensitivity functions", Psychometrika 32,
    25-33, at the corrected rates, as if a unit were one answer of each kind: samples of one unit tell no less.
    Measured coverage of 95 % (``tests/benchmarks/bench_detection.py``): .95 to .99, sparse ones among them.

    Args:
        flagged: Whether each answer flagged, 0 or 1, shape (answers,).
        is_signal: Whether there was something to flag, of the same shape.
        units: What each answer belongs to, of the same shape; None: each is its own.
        resamples: At least 1.
        confidence: In (0, 1).
        seed: What is drawn with.

    Raises:
        ValueError: The shapes differ, a value is not 0 or 1, or there is no signal or no noise.
    """
    _, counts = _counted(flagged, is_signal, units)

    h, n, f, m = counts.sum(axis=1)
    found = _wider(
        np.zeros(counts.shape[1]),
        lambda weights: sensitivity(*(weights @ row for row in counts))[0],
        _error(counts),
        resamples,
        confidence,
        seed,
        sparse := bool(counts.shape[1] < _UNITS or min(h, n - h, f, m - f) < _ANSWERS),
        int(n + m),
    )
    criterion = float(sensitivity(h, n, f, m)[1])
    return Detection(float(h / n), float(f / m), found, criterion, int(n), int(m), sparse)


def detection_difference(
    first: tuple[ArrayLike, ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Estimate how much further d′ is in one condition than in another, over the units of both.

    Of two intervals the wider counts, side by side, as for :func:`detection`. In the bootstrap a unit is drawn with its
    answers in both conditions, which keeps what they share out of the error; the normal one takes the conditions for
    independent.

    Args:
        first: Flagged, is_signal and units of the one, as for :func:`detection`.
        second: Of the other, from which the first is taken off.
        resamples: As for :func:`detection`, as are the other arguments and errors.
        confidence: In (0, 1).
        seed: What is drawn with.

    Raises:
        ValueError: They have no unit in common, one has signals or noise alone in those, or as for :func:`detection`.
    """
    sides = [_counted(*side) for side in (first, second)]
    common = np.intersect1d(sides[0][0], sides[1][0])
    if not common.size:
        raise ValueError("the two conditions have no unit in common")
    a, b = (counts[:, np.searchsorted(names, common)] for names, counts in sides)
    if min(counts[kind].sum() for counts in (a, b) for kind in (1, 3)) == 0:
        raise ValueError("in the units that the two conditions have in common, one has signals or noise alone")

    def statistic(weights: Array) -> Array:
        here, there = (sensitivity(*(weights @ row for row in counts))[0] for counts in (a, b))
        return there - here

    sparse = common.size < _UNITS or any(
        min(h, n - h, f, m - f) < _ANSWERS for h, n, f, m in (a.sum(axis=1), b.sum(axis=1))
    )
    error = float(np.hypot(_error(a), _error(b)))
    answers = int(sum(counts[1].sum() + counts[3].sum() for counts in (a, b)))
    return _wider(np.zeros(common.size), statistic, error, resamples, confidence, seed, bool(sparse), answers)


def _error(counts: Array) -> float:
    """Standard error of d′ as if each unit were one answer of each kind that it holds."""
    from scipy.special import ndtri

    variance = 0.0
    for flagged, of in ((counts[0], counts[1]), (counts[2], counts[3])):
        units = float((of > 0).sum())
        rate = (units * flagged.sum() / of.sum() + 0.5) / (units + 1)
        density = float(np.exp(-(ndtri(rate) ** 2) / 2) / np.sqrt(2 * np.pi))
        variance += rate * (1 - rate) / (units * density**2)
    return float(np.sqrt(variance))


def _wider(
    units: Array,
    statistic: Statistic,
    error: float,
    resamples: int,
    confidence: float,
    seed: int,
    sparse: bool,
    answers: int,
) -> Interval:
    """Percentiles of the bootstrap and a normal interval: of both, the wider, side by side."""
    from scipy.special import ndtri

    one = bootstrap(
        units, statistic=statistic, method="percentile", resamples=resamples, confidence=confidence, seed=seed
    )
    reach = float(ndtri((1 + confidence) / 2)) * error
    # Where no resample differs percentiles have no bounds.
    low, high = np.fmin(one.low, one.estimate - reach), np.fmax(one.high, one.estimate + reach)
    method = "percentile and normal"
    return Interval(one.estimate, float(low), float(high), method, units.size, answers, confidence, sparse)


def _counted(flagged: ArrayLike, is_signal: ArrayLike, units: ArrayLike | None) -> tuple[np.ndarray, Array]:
    """Names of units, and flagged signals, signals, flagged noise and noise of each, shape (4, units)."""
    x = np.asarray(flagged, dtype=np.float64)
    signal = np.asarray(is_signal, dtype=bool)
    labels = np.arange(x.size) if units is None else np.asarray(units)
    if x.ndim != 1 or x.shape != signal.shape or x.shape != labels.shape:
        raise ValueError(f"flagged, is_signal and units must be alike, not {x.shape}, {signal.shape}, {labels.shape}")
    if not np.isin(x, (0.0, 1.0)).all():
        raise ValueError("flagged must be 0 or 1")
    if signal.all() or not signal.any():
        raise ValueError("sensitivity needs signals and noise: of one kind there is nothing")
    names, owner = np.unique(labels, return_inverse=True)
    counts = np.zeros((4, owner.max() + 1))
    for row, (chosen, kind) in enumerate(((x == 1, signal), (x >= 0, signal), (x == 1, ~signal), (x >= 0, ~signal))):
        np.add.at(counts[row], owner[chosen & kind], 1.0)
    return names, counts
