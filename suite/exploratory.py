"""Exploratory questions: what a run asks besides what decides, each with its p and its q."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .stats.multiplicity import benjamini_hochberg

__all__ = ["HOW_CORRECTED", "Explored", "any_dependence", "q_values"]

HOW_CORRECTED = (
    "Exploratory: q is p corrected over all exploratory questions of the run by Benjamini and Hochberg (1995); among "
    "those with q of .05 or less, at most a twentieth are expected to be chance. That is proven where questions are "
    "independent or move alike, as slope, area and change point of one arm do, and arms with one null arm; tests of "
    "two sides that move against each other keep it in simulation."
)


@dataclass(frozen=True, slots=True)
class Explored:
    """One question.

    Attributes:
        what: ``slope``, ``area``, ``change point``, ``capability`` or ``both``.
        estimate: Of risk more is worse, of capability more is better; NaN where there is no one number.
        low: Lower bound, for this question alone; NaN where there is none.
        high: Upper bound, likewise.
        p: For this question alone; NaN where nothing can tell.
        units: How many it rests on.
        q: Corrected over the run; p until then.
    """

    what: str
    estimate: float
    low: float
    high: float
    p: float
    units: int
    q: float = np.nan

    def __post_init__(self) -> None:
        """Until it is corrected, q is p."""
        if np.isnan(self.q):
            object.__setattr__(self, "q", self.p)


def q_values(p: Sequence[float]) -> list[float]:
    """Correct the exploratory questions of a run, together.

    Benjamini and Hochberg's, as validity asks. It holds the share of false discoveries under independence, and under
    positive regression dependence (Benjamini and Yekutieli 2001, "The control of the false discovery rate in multiple
    testing under dependency", Ann. Statist. 29, 1165-1188): questions about the same units, and arms that share a null
    arm, move alike. Tests of two sides, and capability against safety, may not; for two-sided tests of correlated
    normals it is held all the same in theory for pairs and in simulation (Reiner-Benaim 2007, "FDR control by the BH
    procedure for two-sided correlated tests", Biometrical J. 49, 107-126), as it is for these questions
    (``tests/benchmarks/bench_exploratory.py``). Benjamini and Yekutieli's own correction needs no such condition and
    costs the factor :func:`any_dependence`, 5.2 for 100 questions: a reader who wants it multiplies.

    Args:
        p: For each question alone, shape (questions,). NaN (nothing could tell) counts as a question that was asked.

    Returns:
        q in the same order; NaN where p is.
    """
    x = np.asarray(p, dtype=np.float64)
    if not x.size:
        return []
    found = benjamini_hochberg(np.where(np.isnan(x), 1.0, x))
    return np.where(np.isnan(x), np.nan, found).tolist()


def any_dependence(questions: int) -> float:
    """By what q is multiplied to hold whatever the questions have to do with each other: 1 + 1/2 + … + 1/questions."""
    return float((1.0 / np.arange(1, questions + 1)).sum()) if questions else 1.0
