"""Recurrence: whether what is measured turn by turn is drawn back to a level, wanders, or has no memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator

__all__ = ["Displacement", "Fit", "Recurrence", "displacement", "fit", "recurrence"]

Array = NDArray[np.float64]
Verdict = Literal["restoring", "memoryless", "wandering", "no claim"]

_LEAST = 6
"""Trajectories below which nothing is claimed (validity, section 1)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Least squares of the next step on the present level: ``D[t+1] - D[t] = a + b D[t] + e``.

    Attributes:
        a: Intercept.
        b: Slope. Below 0 for what is drawn back, and as well for noise around a constant, where it is about -1.
        level: The fixed point -a/b; NaN where b is 0.
        r2: Share of the steps' variance that the line explains.
        spread: Standard deviation of the residuals.
        largest: Largest absolute residual.
        stable: Whether the line's own map is stable, ``|1 + b| < 1``.
    """

    a: float
    b: float
    level: float
    r2: float
    spread: float
    largest: float
    stable: bool


@dataclass(frozen=True, slots=True)
class Displacement:
    """Whether trajectories that start high and low come together.

    Attributes:
        start: Mean gap at the first turn.
        end: Mean gap at the last.
        shrunk: Mean of half of the first gap less the size of the last: above 0 where more than half of the gap is
            gone. A gap that turns round counts with its size: who overshoots is not drawn back.
        p_value: That it is above 0, one-sided, by flipping the signs of whole pairs.
        pairs: How many.
        passed: Whether it is, with a first gap above 0 too.
    """

    start: float
    end: float
    shrunk: float
    p_value: float
    pairs: int
    passed: bool


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The fit, its intervals, its nulls, and what may be said.

    Attributes:
        fit: Pooled over trajectories.
        b: Bounds of b, by resampling whole trajectories.
        level: Bounds of the fixed point; NaN where b's bounds hold 0: there is none to speak of.
        demeaned: b with each trajectory's mean taken off. Trajectories that merely differ in level push b towards 0.
        turn_effects: b with each turn's mean taken off: requests that escalate look like a trend.
        permuted: Mean, and bounds of the middle ``confidence``, of b when the turns of each trajectory are permuted:
            what the same values say without any memory.
        wandering: Likewise of random walks with the trajectories' own steps in random order.
        p_wandering: Share of these whose b is as low as the one found; the larger of that of the values and of that of
            the values less their turns' means.
        p_memoryless: Share of permutations whose b is as high as the one found; the larger of the two, likewise.
        displacement: The test with displaced starts; None where there are none.
        trajectories: How many.
        turns: How many each has.
        confidence: Of the bounds.
        verdict: ``restoring``: steps that a random walk does not explain, memory that permuted turns do not, and
            displaced starts that come together. ``memoryless``: cannot be told from noise around a constant, which is
            no force. ``wandering``: cannot be told from a random walk. ``no claim``: too few, no displaced
            starts, or such as do not come together.
    """

    fit: Fit
    b: tuple[float, float]
    level: tuple[float, float]
    demeaned: float
    turn_effects: float
    permuted: tuple[float, float, float]
    wandering: tuple[float, float, float]
    p_wandering: float
    p_memoryless: float
    displacement: Displacement | None
    trajectories: int
    turns: int
    confidence: float
    verdict: Verdict


def fit(values: ArrayLike) -> Fit:
    """Fit the recurrence, pooled over trajectories.

    Source: the recurrence of "Drift No More?" (arXiv 2510.07777, section 3). A slope below 0 alone is no evidence of a
    force: independent noise around a constant gives b about -1 and R² about .5.

    Args:
        values: Shape (trajectories, turns), at least 3 turns, finite.

    Raises:
        ValueError: The shape is another, or a value is missing.
    """
    x = _checked(values)
    now, step = x[:, :-1].ravel(), np.diff(x, axis=1).ravel()
    b = float(_slopes(x[None])[0])
    a = float(step.mean() - b * now.mean())
    left = step - a - b * now
    total = float(((step - step.mean()) ** 2).sum())
    return Fit(
        a=a,
        b=b,
        level=-a / b if b else np.nan,
        r2=1 - float((left**2).sum()) / total if total > 0 else np.nan,
        spread=float(left.std()),
        largest=float(np.abs(left).max()),
        stable=abs(1 + b) < 1,
    )


def displacement(high: ArrayLike, low: ArrayLike, *, alpha: float = 0.05, seed: int = 0) -> Displacement:
    """Test whether pairs of trajectories, one started high and one low, lose more than half of their gap.

    Args:
        high: Shape (pairs, turns), from 2 turns on, finite.
        low: Of the same shape; pair i has the same requests.
        alpha: In (0, 1).
        seed: Of the flips, where there are too many to go through all.

    Raises:
        ValueError: The shapes differ, or a value is missing.
    """
    from .paired_tests import sign_flips

    a, b = (np.asarray(side, dtype=np.float64) for side in (high, low))
    if a.ndim != 2 or a.shape != b.shape or a.shape[0] < 1 or a.shape[1] < 2:
        raise ValueError(
            f"high and low must have one shape (pairs, turns), from (1, 2) on, not {a.shape} and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("every turn of every pair is needed: leave out pairs that broke off")
    gap = a - b
    shrunk = gap[:, 0] / 2 - np.abs(gap[:, -1])
    p = float(sign_flips(shrunk, alternative="greater", seed=seed)[0])
    start = float(gap[:, 0].mean())
    return Displacement(
        start=start,
        end=float(gap[:, -1].mean()),
        shrunk=float(shrunk.mean()),
        p_value=p,
        pairs=len(gap),
        passed=p <= alpha and start > 0,
    )


def recurrence(
    values: ArrayLike,
    displaced: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    confidence: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Recurrence:
    """Fit the recurrence and hold it against what explains a negative slope without any restoring force.

    Args:
        values: Divergence by turn, shape (trajectories, turns), at least 3 turns, finite.
        displaced: Trajectories that were started high, and their twins that were started low; None where there are
            none, and then nothing is called restoring.
        confidence: Of the bounds, in (0, 1); verdicts are made at ``1 - confidence``.
        draws: Resamples, permutations and random walks.
        seed: Of these.

    Raises:
        ValueError: The shape is another, a value is missing, or a number is out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    if isinstance(draws, bool) or draws != int(draws) or draws < 1:
        raise ValueError(f"draws must be a whole number from 1 on, not {draws!r}")
    x = _checked(values)
    n, turns = x.shape
    rng = generator("finchmark.stats", "recurrence", seed)
    found = fit(x)
    ends = ((1 - confidence) / 2, (1 + confidence) / 2)

    chosen = x[rng.integers(n, size=(draws, n))]
    b = _bounds(_slopes(chosen), ends)
    level = (np.nan, np.nan)
    if b[1] < 0 or b[0] > 0:
        slopes = _slopes(chosen)
        steps = np.diff(chosen, axis=2).reshape(draws, -1).mean(axis=1)
        levels = -(steps - slopes * chosen[:, :, :-1].reshape(draws, -1).mean(axis=1)) / slopes
        level = _bounds(levels, ends)

    permuted, walked, p_memory, p_walk = _nulls(x, draws, rng)
    # Requests that escalate make neighbours alike without any memory: what is left without turn effects must say so.
    _, _, again_memory, again_walk = _nulls(x - x.mean(axis=0, keepdims=True), draws, rng)
    p_memory, p_walk = max(p_memory, again_memory), max(p_walk, again_walk)

    alpha = 1 - confidence
    moved = None if displaced is None else displacement(*displaced, alpha=alpha, seed=seed)
    verdict: Verdict = "no claim"
    if n >= _LEAST:
        if p_walk > alpha:
            verdict = "wandering"
        elif p_memory > alpha:
            verdict = "memoryless"
        elif moved is not None and moved.pairs >= _LEAST:
            verdict = "restoring" if moved.passed and b[1] < 0 and found.stable else "no claim"
    return Recurrence(
        fit=found,
        b=b,
        level=level,
        demeaned=float(_slopes((x - x.mean(axis=1, keepdims=True))[None])[0]),
        turn_effects=float(_slopes((x - x.mean(axis=0, keepdims=True))[None])[0]),
        permuted=(float(permuted.mean()), *_bounds(permuted, ends)),
        wandering=(float(walked.mean()), *_bounds(walked, ends)),
        p_wandering=p_walk,
        p_memoryless=p_memory,
        displacement=moved,
        trajectories=n,
        turns=turns,
        confidence=confidence,
        verdict=verdict,
    )


def _nulls(x: Array, draws: int, rng: np.random.Generator) -> tuple[Array, Array, float, float]:
    """Slopes of permuted turns and of random walks, and the shares of them that are as extreme as the one found."""
    n, turns = x.shape
    b = float(_slopes(x[None])[0])
    permuted = _slopes(rng.permuted(np.broadcast_to(x, (draws, n, turns)).copy(), axis=2))
    steps = rng.permuted(np.broadcast_to(np.diff(x, axis=1), (draws, n, turns - 1)).copy(), axis=2)
    # Signs at random as well: steps that only fall would end where they ended, in whatever order.
    steps = steps * rng.choice([-1.0, 1.0], size=steps.shape)
    walked = _slopes(np.concatenate([np.broadcast_to(x[:, :1], (draws, n, 1)), steps], axis=2).cumsum(axis=2))
    p_memory = float((1 + (permuted >= b - 1e-12).sum()) / (1 + draws))
    p_walk = float((1 + (walked <= b + 1e-12).sum()) / (1 + draws))
    return permuted, walked, p_memory, p_walk


def _checked(values: ArrayLike) -> Array:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 3:
        raise ValueError(f"values must have shape (trajectories, turns) with at least 1 and 3 of them, not {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("every turn of every trajectory is needed: leave out trajectories that broke off")
    return x


def _slopes(x: Array) -> Array:
    """Pooled slope of each of many sets of trajectories, shape (sets, trajectories, turns) to (sets,)."""
    now, step = x[:, :, :-1].reshape(len(x), -1), np.diff(x, axis=2).reshape(len(x), -1)
    centred = now - now.mean(axis=1, keepdims=True)
    squares = (centred**2).sum(axis=1)
    return np.where(squares > 0, (centred * step).sum(axis=1) / np.where(squares > 0, squares, 1.0), 0.0)


def _bounds(draws: Array, ends: tuple[float, float]) -> tuple[float, float]:
    low, high = np.quantile(draws, ends)
    return float(low), float(high)
