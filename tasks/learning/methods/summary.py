"""All that an experiment shows, computed once: gains, upper bounds, curves, and the adaptive choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....suite.stats.intervals import Interval
from .adaptive import Adaptive, adaptive_choice, design
from .bounds import UpperBound, method_space, upper_bound
from .claims import Gain, Population, gain_interval, gains, population, unit_gains
from .growth import GrowthPoint, growth
from .result import MethodsResult, Table

__all__ = ["Chosen", "Space", "Summary", "summarise"]


@dataclass(frozen=True)
class Space:
    """The gain of choosing among method spaces of one size.

    Attributes:
        size: Methods in the space.
        spaces: How many there are of this size; all of them are averaged over.
        honest: Chosen on validation, with an interval over units.
        optimistic: The maximum on test.
    """

    size: int
    spaces: int
    honest: Interval
    optimistic: float


@dataclass(frozen=True)
class Chosen:
    """Gains of ways to choose a method for a world of another core.

    Attributes:
        bandit: By features, learnt on the other cores.
        single: The best single method of the other cores.
        own: By the world's own validation.
        bandit_less_single: What features are worth.
        policy: How the bandit explored.
        pulls: Methods it ran to learn.
    """

    bandit: Interval
    single: Interval
    own: Interval
    bandit_less_single: Interval
    policy: str
    pulls: float


@dataclass(frozen=True)
class Summary:
    """What an experiment shows.

    Attributes:
        table: The scores, of worlds that may be averaged.
        whom: Whom claims are about; None where no world may be averaged.
        gains: By method, and of choosing on validation.
        start: The first candidate's mean score on test.
        bound: Both upper bounds by row; None where no world may be averaged.
        honest: Mean of the honest upper bound over rows.
        optimistic: Mean of the optimistic one.
        space: Gain against the size of the method space.
        growth: Gain of the best single method against the number of environments; empty with one.
        chosen: Ways to choose a method; None with one core or one method.
    """

    table: Table
    whom: Population | None
    gains: tuple[Gain, ...] = ()
    start: float = np.nan
    bound: UpperBound | None = None
    honest: float = np.nan
    optimistic: float = np.nan
    space: tuple[Space, ...] = ()
    growth: tuple[GrowthPoint, ...] = ()
    chosen: Chosen | None = None


def summarise(result: MethodsResult, *, alpha: float = 0.05, seed: int = 0) -> Summary:
    """Compute everything.

    Args:
        result: The experiment's.
        alpha: Level of all claims of a gain together.
        seed: Of simulations and resamples.
    """
    table = result.table()
    if not table.worlds:
        return Summary(table, None)
    whom = population(table)
    bound = upper_bound(table.validation, table.test, table.distinct, seed=seed)
    space = tuple(
        Space(
            point.size,
            point.spaces,
            gain_interval(*unit_gains(table, whom, point.weights)),
            float((point.optimistic - table.start_test).mean()),
        )
        for point in method_space(table.validation, table.test)
    )
    # Environments are worlds: runs of a world are averaged first.
    names, first, index = np.unique(np.asarray(table.worlds), return_index=True, return_inverse=True)
    counts = np.bincount(index)[:, None]
    mean = np.zeros((len(names), len(table.methods)))
    validation, test = mean.copy(), mean.copy()
    np.add.at(validation, index, table.validation - table.start_validation[:, None])
    np.add.at(test, index, table.test - table.start_test[:, None])
    validation, test = validation / counts, test / counts
    cores = [table.cores[n] for n in first]
    grown = growth(validation, test, cores, seed=seed) if len(names) > 1 else ()
    chosen = None
    if len(set(cores)) > 1 and len(table.methods) > 1:
        found = adaptive_choice(validation, test, design([table.features[n] for n in first]), cores, seed=seed)
        chosen = _chosen(found, cores)
    return Summary(
        table,
        whom,
        gains(table, alpha=alpha),
        float(table.start_test.mean()),
        bound,
        float(bound.honest.mean()),
        float(bound.optimistic.mean()),
        space,
        grown,
        chosen,
    )


def _chosen(found: Adaptive, cores: list[str]) -> Chosen:
    """By core, whatever else is claimed: choices for one core rest on the same other cores."""
    _, index = np.unique(np.asarray(cores), return_inverse=True)

    def interval(values: np.ndarray) -> Interval:
        return gain_interval(np.bincount(index, weights=values) / np.bincount(index))

    return Chosen(
        interval(found.bandit),
        interval(found.single),
        interval(found.own),
        interval(found.bandit - found.single),
        found.policy,
        found.pulls,
    )
