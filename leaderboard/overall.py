"""One number over tasks: the mean of scores put between chance and ceiling, where that means something."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .columns import Column
from .places import Place, places
from .text import plural

__all__ = ["FEWEST", "HEADROOM", "Average", "Overall", "normalised", "overalls", "stratified_mean"]

FEWEST = {"item": 10, "stream": 6}
"""A task with fewer units is not averaged: the spread within it is hardly known. Other units are those of items."""

HEADROOM = 0.25
"""Share of its range that must lie between a task's chance and ceiling, or it is not averaged (validity, section 5)."""


@dataclass(frozen=True)
class Average:
    """One model's mean over tasks of normalised scores.

    Attributes:
        mean: 0 is chance and 1 the ceiling, on every task.
        low: Lower bound of its interval; NaN where the data bound nothing.
        high: Upper bound.
        sparse: Whether a task under it has too few units for the coverage to be trusted.
    """

    mean: float
    low: float
    high: float
    sparse: bool


@dataclass(frozen=True, eq=False)
class Overall:
    """A ranking over the tasks of one family, at one tier, on one kind of items, in one arm.

    Attributes:
        family: The family.
        tier: The tier.
        items_kind: The kind of items.
        arm: The arm: conditions are not averaged with one another.
        columns: What is averaged, every task once and with equal weight.
        left_out: Columns that are not, each with the reason.
        averages: The models that have a score in every column, best first.
        places: Their ranks and letters.
        unranked: The other models and how many of the columns they lack.
    """

    family: str
    tier: str
    items_kind: str
    arm: str
    columns: tuple[Column, ...]
    left_out: tuple[tuple[Column, str], ...]
    averages: Mapping[str, Average]
    places: Mapping[str, Place]
    unranked: Mapping[str, int]


def normalised(column: Column, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put scores between chance (0) and ceiling (1): ``(score - chance) / (ceiling - chance)``.

    The formula turns metrics of which less is better the right way round by itself. It is linear, so that it may be
    taken of unit means. Source: the human-normalised score of Mnih et al. (2015), "Human-level control through deep
    reinforcement learning", Methods, with an oracle for the human.

    Args:
        column: The column.
        values: Scores of its primary metric.

    Raises:
        ValueError: A level is not known.
    """
    (chance, _), (ceiling, _) = column.level("chance"), column.level("ceiling")
    if chance is None or ceiling is None:
        raise ValueError(f"{column.key.name}: chance and ceiling must both be known, not {chance} and {ceiling}")
    return (values - chance) / (ceiling - chance)


def overalls(columns: Sequence[Column], confidence: float) -> list[Overall]:
    """Make the rankings over tasks that a board allows.

    One for each family, tier, kind of items and arm with two or more tasks that can be averaged. Of a task that is
    there in several versions or on several sets of items the newest version counts, then the set that most models
    played.

    Args:
        columns: The columns of the board.
        confidence: Coverage of the intervals; the ranks hold simultaneously.
    """
    groups: dict[tuple[str, str, str, str], list[Column]] = {}
    for column in columns:
        sheet = column.key.sheet
        groups.setdefault((sheet.family, sheet.tier, sheet.items_kind, column.key.arm), []).append(column)
    made = [_overall(key, own, confidence) for key, own in sorted(groups.items())]
    return [found for found in made if found is not None]


def _overall(key: tuple[str, str, str, str], columns: Sequence[Column], confidence: float) -> Overall | None:
    left_out: list[tuple[Column, str]] = []
    by_task: dict[str, list[Column]] = {}
    for column in columns:
        by_task.setdefault(column.key.sheet.task, []).append(column)
    candidates = []
    for own in by_task.values():
        newest = max(c.key.sheet.version for c in own)
        chosen = max(own, key=lambda c: (c.key.sheet.version, len(c.ranked), c.key.sheet.items_hash))
        for column in own:
            if column is not chosen:
                old = column.key.sheet.version < newest
                left_out.append((column, "a newer version is here" if old else "another set of items counts"))
        reason = _unfit(chosen)
        if reason:
            left_out.append((chosen, reason))
        else:
            candidates.append(chosen)
    models = sorted({name for c in candidates for name in c.ranked})
    # A task that few models played would leave nearly all of them unranked.
    common = [c for c in candidates if 2 * len(c.ranked) >= len(models)]
    left_out += [(c, "under half of the models played it") for c in candidates if c not in common]
    if len(common) < 2:
        return None
    have = Counter(name for c in common for name in c.ranked)
    full = [name for name in models if have[name] == len(common)]
    if not full:
        return None
    strata = [normalised(c, c.spread(full)) for c in common]
    sparse = {name: any(s is None or s.sparse for s in (c.primary_of(name) for c in common)) for name in full}
    averages = {
        name: Average(*stratified_mean([stratum[row] for stratum in strata], confidence), sparse[name])
        for row, name in enumerate(full)
    }
    order = sorted(full, key=lambda name: (-averages[name].mean, name))
    return Overall(
        *key,
        columns=tuple(common),
        left_out=tuple(left_out),
        averages={name: averages[name] for name in order},
        places=places(full, strata, confidence) if len(full) > 1 else {},
        unranked={name: len(common) - have[name] for name in models if name not in full},
    )


def _unfit(column: Column) -> str:
    """Why a column cannot be averaged, empty if it can."""
    metric = column.primary
    units, needed = len(column.scores.units), FEWEST.get(column.unit, FEWEST["item"])
    if units < needed:
        # With one item a task nothing tells how far items differ within it, and with few hardly anything.
        return f"only {plural(units, column.unit)} (at least {needed} are needed)"
    if not column.sign:
        return "neither end of its metric is better"
    (chance, source), (ceiling, other) = column.level("chance"), column.level("ceiling")
    if chance is None or ceiling is None:
        return f"{'chance' if chance is None else 'ceiling'}: {source if chance is None else other}"
    if (ceiling - chance) * column.sign <= 0:
        return "its ceiling is no better than chance"
    # A metric without ends has no range to hold the headroom against; its levels alone make its scale.
    if metric.low is not None and metric.high is not None:
        share = abs(ceiling - chance) / (metric.high - metric.low)
        if share < HEADROOM:
            return f"only {share:.2f} of its range lies between chance and ceiling (at least {HEADROOM:g} is needed)"
    return ""


def stratified_mean(strata: Sequence[NDArray[np.float64]], confidence: float) -> tuple[float, float, float]:
    """The mean of stratum means with its interval.

    Units are drawn within their task and tasks are fixed: the variance is that of stratified sampling with equal
    weights, the degrees of freedom are Satterthwaite's. Source: Cochran (1977), Sampling techniques, 3rd ed.,
    sections 5.3 and 5.4 (eq. 5.16). Where no unit differs from another within any task, the data bound nothing.
    """
    from scipy.special import stdtrit

    known = [values[~np.isnan(values)] for values in strata]
    mean = float(np.mean([values.mean() for values in known]))
    if any(len(values) < 2 for values in known):
        return mean, math.nan, math.nan
    parts = np.array([values.var(ddof=1) / len(values) for values in known]) / len(known) ** 2
    if parts.sum() < 1e-18:
        return mean, math.nan, math.nan
    freedom = parts.sum() ** 2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, known, strict=True))
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(float(parts.sum()))
    return mean, mean - half, mean + half
