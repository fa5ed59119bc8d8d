"""Places: which ranks a model may have, and whom it cannot be told apart from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..suite.stats.ranks import rank_models

__all__ = ["Place", "places", "pooled"]

DRAWS = 4000
"""Draws of the largest error: enough for its 95 % point to be right to a fiftieth of a standard error."""


@dataclass(frozen=True)
class Place:
    """Where a model stands.

    Attributes:
        low: The best rank that it may have, from 1.
        high: The worst.
        letters: Models that share a letter cannot be told apart.
    """

    low: int
    high: int
    letters: str

    @property
    def ranks(self) -> str:
        """The ranks as text."""
        return f"{self.low}" if self.low == self.high else f"{self.low}–{self.high}"


def places(names: Sequence[str], strata: Sequence[NDArray[np.float64]], confidence: float) -> dict[str, Place]:
    """Rank models by the mean over tasks of their means over units.

    Args:
        names: The models; each has at least one unit in every task.
        strata: For every task the models' scores by unit, higher is better, shape (models, units); NaN where a model
            lacks a unit.
        confidence: With which all ranks hold together.

    Returns:
        The place of every model; see :func:`finchmark.suite.stats.ranks.rank_models`.
    """
    found = rank_models(pooled(strata), confidence=confidence, draws=DRAWS)
    return {
        name: Place(int(low), int(high), letters)
        for name, low, high, letters in zip(names, found.low, found.high, found.letters, strict=True)
    }


def pooled(strata: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Make one sample of units whose plain mean and standard error are those of the stratified sample.

    Every score becomes the model's mean over tasks plus its deviation from its mean within the task, times
    ``sqrt(N (N - 1) / (n (n - 1))) / T`` with ``n`` units in the task, ``N`` in all and ``T`` tasks. Then the variance
    of a mean, taken as if all units were of one kind, is ``sum(s_t^2 / n_t) / T^2``: that of stratified sampling with
    equal weights (Cochran 1977, Sampling techniques, 3rd ed., section 5.3); what lies between tasks is no error.
    Differences of models pass through alike, for all of this is linear. With one task the scores come back as they are.

    Args:
        strata: As for :func:`places`.

    Returns:
        Shape (models, all units).
    """
    if len(strata) == 1:
        return strata[0]
    total, tasks = sum(s.shape[1] for s in strata), len(strata)
    means = np.mean([np.nanmean(s, axis=1) for s in strata], axis=0)
    parts = []
    for s in strata:
        n = s.shape[1]
        # One unit alone shows no spread; its deviation is 0 whatever it is multiplied with.
        factor = np.sqrt(total * (total - 1) / (n * max(n - 1, 1))) / tasks
        parts.append(means[:, None] + factor * (s - np.nanmean(s, axis=1, keepdims=True)))
    return np.concatenate(parts, axis=1)
