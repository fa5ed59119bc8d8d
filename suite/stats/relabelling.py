"""Relabelling of whole streams: the null distribution of a contrast between arms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from math import comb

import numpy as np
from numpy.typing import NDArray

from ..seeds import generator

__all__ = ["MAX_EXACT", "Relabelled", "relabel", "share_at_least", "welch_freedom"]

Array = NDArray[np.float64]

MAX_EXACT = 20_000
"""Labellings up to which all are gone through; beyond, random ones are drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Relabelled:
    """What the labellings say.

    Attributes:
        t: Shape (labellings, columns), the observed labelling first.
        error: Standard errors of the observed one, shape (columns,).
        exact: Whether these are all labellings.
    """

    t: Array
    error: Array
    exact: bool


def share_at_least(merit: Array) -> float:
    """Share of labellings whose merit reaches the observed one's (the first), which always counts."""
    # Labellings that only swap equal streams differ by a rounding.
    return float((merit >= merit[0] - 1e-9 * max(1.0, abs(float(merit[0])))).mean())


def relabel(first: Array, second: Array | None, paired: bool, permutations: int, seed: int) -> Relabelled:
    """Compute t for all labellings of whole streams, or for the observed one and random ones.

    Welch's t, or with pairs (or one arm) Student's t over flipped signs. Counting the observed labelling among random
    ones keeps the test's level (Phipson and Smyth 2010, "Permutation p-values should never be zero", Stat. Appl. Genet.
    Mol. Biol. 9, article 39).

    Args:
        first: One or several numbers a stream, shape (streams, columns).
        second: The other arm's, or None: the first's signs are flipped.
        paired: Whether stream i of both arms belong together: signs of differences are flipped.
        permutations: Random labellings where there are more than :data:`MAX_EXACT` in all.
        seed: Of the labellings.

    Raises:
        ValueError: ``permutations`` is below 1.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, not {permutations!r}")
    rng = generator("finchmark.stats", "relabelled", seed)
    if second is None or paired:
        d = first if second is None else first - second
        n = len(d)
        exact = 2**n <= MAX_EXACT
        if exact:
            signs = np.array(list(product((1.0, -1.0), repeat=n)))
        else:
            signs = np.vstack([np.ones(n), rng.choice([-1.0, 1.0], size=(permutations, n))])
        total, squares = signs @ d, (d**2).sum(axis=0)
        error = np.sqrt(np.maximum(squares - total**2 / n, 0.0) / max(n - 1, 1) / n)
        t = total / n / np.maximum(error, _floor(d))
        return Relabelled(t, error[0], exact)
    pooled = np.concatenate([first, second])
    # Centred, so that squares keep their digits.
    pooled = pooled - pooled.mean(axis=0)
    n, m = len(first), len(second)
    exact = comb(n + m, n) <= MAX_EXACT
    if exact:
        chosen = np.array(list(combinations(range(n + m), n)))
    else:
        drawn = rng.random((permutations, n + m)).argsort(axis=1)[:, :n]
        chosen = np.vstack([np.arange(n), drawn])
    label = np.zeros((len(chosen), n + m))
    np.put_along_axis(label, chosen, 1.0, axis=1)
    sums, squares = label @ pooled, label @ pooled**2
    others, other_squares = pooled.sum(axis=0) - sums, (pooled**2).sum(axis=0) - squares
    variance = np.maximum(squares - sums**2 / n, 0.0) / max(n - 1, 1) / n
    variance = variance + np.maximum(other_squares - others**2 / m, 0.0) / max(m - 1, 1) / m
    error = np.sqrt(variance)
    return Relabelled((sums / n - others / m) / np.maximum(error, _floor(pooled)), error[0], exact)


def _floor(x: Array) -> Array:
    """A standard error below which spread is rounding: streams without noise get a huge t, never a division by 0."""
    return 1e-7 * np.abs(x).max(axis=0) + 1e-300


def welch_freedom(first: Array, second: Array) -> Array:
    """Degrees of freedom of Welch's t by column: Welch (1947), Biometrika 34, 28-35, after Satterthwaite."""
    a, b = (arm.var(axis=0, ddof=1) / len(arm) for arm in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    return np.where(np.isfinite(freedom), freedom, float(len(first) + len(second) - 2))
