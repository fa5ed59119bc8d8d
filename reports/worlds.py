"""One number over generated worlds: the mean of their scores, with an interval over cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..suite.results import Cell, Results
from ..tasks.worlds.names import FACTOR_TASK, FAMILY
from .tables import interval, number

if TYPE_CHECKING:
    from ..suite.stats.intervals import Interval

__all__ = ["ENOUGH_CORES", "WorldDifference", "WorldMean", "core_interval", "world_difference", "world_mean"]

ENOUGH_CORES = 10
"""Cores from which on a claim is one about cores; with fewer it describes those that were played."""


@dataclass(frozen=True, slots=True)
class WorldMean:
    """The mean score over worlds.

    Attributes:
        interval: Mean over cores of the mean over their worlds, and its interval; 0 is chance and 1 the reference.
        chance: The same mean of the random player on these very levels; None where it is not known of every world.
        worlds: How many worlds.
        cores: How many cores they are on.
        raw: Worlds that are shown raw for lack of headroom, and are no part of it.
    """

    interval: Interval
    chance: float | None
    worlds: int
    cores: int
    raw: tuple[str, ...]

    @property
    def words(self) -> str:
        """The line that stands below a table of results."""
        found = self.interval
        text = (
            f"Worlds together: {number(found.estimate)} {interval(found.low, found.high)}, the mean score over "
            f"{self.worlds} worlds on {self.cores} cores, each core counting once; the interval is over cores "
            f"({found.method})"
        )
        if self.chance is not None:
            text += f"; chance on these levels {number(self.chance)}"
        if self.cores < ENOUGH_CORES:
            text += f"; under {ENOUGH_CORES} cores: this describes these cores, and is no claim about others"
        return text + "." + (f" Shown raw and left out: {', '.join(self.raw)}." if self.raw else "")


def world_mean(results: Results, *, confidence: float = 0.95) -> WorldMean | None:
    """Average the scores of a run's worlds.

    Samples are averaged within the level, levels within the world, worlds within the core: worlds of one core resemble
    each other, so that an interval over levels or worlds would be too short for a claim about new ones (validity,
    section 1).

    Args:
        results: The run.
        confidence: Of the interval, in (0, 1).

    Returns:
        None where fewer than two worlds were scored.
    """
    means: dict[str, float] = {}
    chances: list[float | None] = []
    raw = list[str]()
    for cell in results.cells:
        if cell.task.partition("/")[0] != FAMILY or cell.task == FACTOR_TASK or cell.arm != "default":
            continue
        if cell.primary.name != "score":
            raw.append(cell.task)
            continue
        scores = cell.scored.groupby("item")["score"].mean().dropna()
        if len(scores):
            means[cell.task] = float(scores.mean())
            chances.append(cell.reach(cell.primary)[0])
    if len(means) < 2:
        return None
    cores = _cores(list(means))
    known = [chance for chance in chances if chance is not None]
    return WorldMean(
        core_interval(list(means.values()), cores, confidence=confidence),
        core_interval(known, cores).estimate if len(known) == len(means) else None,
        len(means),
        len(set(cores)),
        tuple(raw),
    )


@dataclass(frozen=True, slots=True)
class WorldDifference:
    """Two runs on the same worlds: a candidate less a baseline.

    Attributes:
        candidate: Label of the candidate.
        interval: Mean over cores of the mean difference over their worlds, paired by level, and its interval.
        pvalue: Two-sided, of "no difference over cores", by sign flips of whole cores.
        worlds: How many worlds.
        cores: How many cores they are on.
    """

    candidate: str
    interval: Interval
    pvalue: float
    worlds: int
    cores: int

    @property
    def words(self) -> str:
        """The line that stands below a table of differences."""
        found = self.interval
        few = f"; under {ENOUGH_CORES} cores: this describes these cores" if self.cores < ENOUGH_CORES else ""
        return (
            f"Worlds together: {self.candidate} less the baseline is {number(found.estimate)} "
            f"{interval(found.low, found.high)} over {self.worlds} worlds on {self.cores} cores, paired by level, each "
            f"core counting once; interval ({found.method}) and p = {number(self.pvalue)} (sign flips) are over cores"
            f"{few}. Exploratory."
        )


def world_difference(baseline: Results, candidate: Results, *, confidence: float = 0.95) -> WorldDifference | None:
    """Compare two runs over all worlds that both played, in the same version, by the levels that both met.

    The units are cores: with levels or worlds for units two equal models differ "significantly" too often, because what
    suits one of them in a core suits it in all worlds of that core (validity, section 1).

    Args:
        baseline: A run.
        candidate: Another.
        confidence: Of the interval, in (0, 1).

    Returns:
        None where fewer than two worlds are common.
    """
    from ..suite.stats.paired_tests import sign_flip

    found: dict[str, float] = {}
    for cell in baseline.cells:
        twin = candidate.cell(cell.key)
        if not _scored(cell) or twin is None or not _scored(twin):
            continue
        sides = [side.scored.groupby("item_hash")["score"].mean() for side in (cell, twin)]
        differences = (sides[1] - sides[0]).dropna()
        if len(differences):
            found[cell.task] = float(differences.mean())
    if len(found) < 2:
        return None
    means = _core_means(list(found.values()), _cores(list(found)))
    return WorldDifference(
        candidate.label,
        core_interval(list(found.values()), _cores(list(found)), confidence=confidence),
        sign_flip(means).pvalue if len(means) > 1 else float("nan"),
        len(found),
        len(means),
    )


def _scored(cell: Cell) -> bool:
    """Whether a cell is of a world whose scores are averaged."""
    world = cell.task.partition("/")[0] == FAMILY and cell.task != FACTOR_TASK and cell.arm == "default"
    return world and cell.primary.name == "score"


def core_interval(world_means: Sequence[float], cores: Sequence[str], *, confidence: float = 0.95) -> Interval:
    """The mean over cores of the mean over their worlds, with Student's t on the core means.

    Args:
        world_means: One number a world, finite.
        cores: The core of each, of the same length.
        confidence: In (0, 1).

    Returns:
        The interval; its units are cores. NaN bounds with one core.

    Raises:
        ValueError: The lengths differ, or a number is not finite.
    """
    from ..suite.stats.intervals import t_interval

    if len(world_means) != len(cores):
        raise ValueError(f"cores must name the core of each world: {len(world_means)} means, {len(cores)} cores")
    return t_interval(_core_means(world_means, cores), confidence=confidence)


def _core_means(world_means: Sequence[float], cores: Sequence[str]) -> list[float]:
    by_core: dict[str, list[float]] = {}
    for mean, core in zip(world_means, cores, strict=True):
        by_core.setdefault(core, []).append(mean)
    return [sum(own) / len(own) for own in by_core.values()]


def _cores(tasks: Sequence[str]) -> list[str]:
    """The core of each task; a world that the catalogue does not know is a core to itself."""
    from ..environments.worlds.catalogue import WORLDS

    known: Mapping[str, str] = {f"{FAMILY}/{line.name}": line.core for line in WORLDS}
    return [known.get(task, task) for task in tasks]
