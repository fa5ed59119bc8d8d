"""Several samples of an item: does a model find one way to write a program, or many?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..leaderboard.standings import Standing
from ..leaderboard.text import plural
from ..suite.records import Metric, Sample
from ..suite.results import Cell, Results
from ..tasks.creativebench.several import FAMILY, Ways, ways_by_item
from .groups import groups_of, units_of
from .tables import Plot, interval, number, table

if TYPE_CHECKING:
    from rich.table import Table as TextTable

    from ..suite.stats.intervals import Interval

__all__ = ["OwnNovelty", "WaysGatherer", "own_novelty", "ways_plot", "ways_text"]

_OWN = Metric(name="own novelty", summary="", clusters=("sample", "item", "problem"))


@dataclass(frozen=True, slots=True)
class OwnNovelty:
    """How far a model's own programs of an item are from each other.

    Attributes:
        cell: Task, version and arm as tables call them.
        group: Of which items.
        unit: What the intervals are over.
        items: Items with at least 2 programs of quality.
        of: Items of the group that were scored.
        programs: Their programs.
        novelty: Mean over items of :attr:`.Ways.novelty`, and its interval.
        alike: The same of :attr:`.Ways.alike`.
    """

    cell: str
    group: str
    unit: str
    items: int
    of: int
    programs: int
    novelty: Interval
    alike: Interval


class WaysGatherer:
    """Takes a run's samples one by one, and keeps of each what its programs are compared by."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], list[Sample]] = {}

    def add(self, sample: Sample) -> None:
        """Take a sample with its turns; those of other tasks are passed over."""
        if sample.task.partition("/")[0] == FAMILY and not sample.stream:
            # Prompts and replies are not needed, and a run may be large.
            turns = tuple(turn.model_copy(update={"observation": "", "calls": ()}) for turn in sample.turns)
            slim = sample.model_copy(update={"turns": turns, "texts": {}})
            self._kept.setdefault((sample.task, sample.arm), []).append(slim)

    def ways(self, cell: Cell) -> dict[str, Ways | None]:
        """The ways of every item of a cell."""
        return ways_by_item(self._kept.get((cell.task, cell.arm), ()))


def own_novelty(results: Results, gathered: WaysGatherer, *, confidence: float = 0.95) -> list[OwnNovelty]:
    """Average over items how far a model's own programs are from each other.

    Items with fewer than two programs of quality have no part in it. Units are problems from ten of them on, each
    counting once, with Student's t on their means.

    Args:
        results: The run.
        gathered: Its samples.
        confidence: Of the intervals, in (0, 1).

    Returns:
        Cell by cell: all items, then each group that is shown; without groups in which no item has two programs.
    """
    from ..suite.stats.intervals import mean_interval

    made = list[OwnNovelty]()
    for cell in results.cells:
        found = gathered.ways(cell)
        if not found:
            continue
        items = cell.scored.drop_duplicates("item")
        for _, group, rows in groups_of(cell, items):
            own = rows[[found.get(str(item)) is not None for item in rows["item"]]]
            each = [way for item in own["item"] if (way := found[str(item)]) is not None]
            if not each:
                continue
            unit, labels = units_of(cell, _OWN, own)
            novelty, alike = (
                mean_interval(values, labels.to_numpy(dtype=str), kind="graded", confidence=confidence)
                for values in (np.array([w.novelty for w in each]), np.array([w.alike for w in each]))
            )
            programs = sum(way.programs for way in each)
            made.append(OwnNovelty(cell.name, group, unit, len(each), len(rows), programs, novelty, alike))
    return made


def _at_k(made: Iterable[Standing]) -> list[Standing]:
    return [s for s in made if s.task.partition("/")[0] == FAMILY and "@" in s.metric]


_HEADS = (
    "task and arm", "group", "items>", "programs>", "own novelty>", "95 % interval>", "pairs alike>", "95 % interval>",
    "units",
)  # fmt: skip


def _row(s: OwnNovelty) -> tuple[str, ...]:
    return (
        s.cell,
        s.group,
        f"{s.items:,} of {s.of:,}",
        f"{s.programs:,}",
        number(s.novelty.estimate),
        interval(s.novelty.low, s.novelty.high) + ("*" if s.novelty.sparse else ""),
        number(s.alike.estimate),
        interval(s.alike.low, s.alike.high) + ("*" if s.alike.sparse else ""),
        plural(s.novelty.units, s.unit),
    )


_NOTES = (
    "Own novelty: of the items with at least two programs of quality, the mean over their pairs of the distance of "
    "what the tests need of them, less what two rewrites of one program reach. Pairs alike: share of the pairs without "
    "any. One way: 0 and 1. It says nothing about programs that fail or about items that are hardly ever solved.",
)


def ways_text(results: Results, samples: Iterable[Sample]) -> tuple[TextTable, list[str]] | None:
    """Own novelty as a table for the terminal, with its notes; None where no item has two programs of quality."""
    from .terminal import text_table

    gathered = WaysGatherer()
    for sample in samples:
        gathered.add(sample)
    found = own_novelty(results, gathered)
    if not found:
        return None
    made = text_table(*_HEADS)
    for own in found:
        made.add_row(*_row(own))
    return made, list(_NOTES)


def ways_plot(results: Results, gathered: WaysGatherer, made: Sequence[Standing], *, name: str = "ways") -> Plot | None:
    """What several samples of an item show together: success and creativity of the best of k, and own novelty.

    Args:
        results: The run.
        gathered: Its samples.
        made: Its standings.
        name: Anchor.

    Returns:
        None where no program was asked for twice.
    """
    found = own_novelty(results, gathered)
    best = _at_k(made)
    if max((cell.repeats for cell in results.cells), default=0) < 2 or not (found or best):
        return None
    lines = [
        f"{s.task}@{s.version}, {s.arm}, {s.metric}: {number(s.mean)} {interval(s.low, s.high)} over "
        f"{plural(s.units, s.unit)}" + (" (sparse)" if s.sparse else "")
        for s in best
    ]
    if not found:
        lines.append("No item has two programs of quality, so that nothing can be said of their novelty to each other.")
    return Plot(
        name,
        "One way or many",
        "What several samples of an item show together. NAME@k is the expected best of k samples of an item, by the "
        "unbiased mean over all subsets of k; pass@k is that of success.",
        "",
        table("Own novelty", _HEADS, [_row(s) for s in found]),
        (*lines, *_NOTES),
    )
