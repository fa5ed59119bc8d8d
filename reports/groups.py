"""Scores by groups of items: what a task wants shown apart, such as levels with constraints and without, or domains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..leaderboard.text import plural
from ..suite.records import Grouping, Metric
from ..suite.results import Cell, Results, unit_level
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .tables import Plot, interval, number, table

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from ..suite.stats.intervals import Interval

__all__ = ["ALL", "GroupScore", "group_plot", "group_scores", "group_text", "groups_of", "shown_apart", "units_of"]

ALL = "all items"


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One metric on the items of one group.

    Attributes:
        cell: Task, version and arm as tables call them.
        by: Name of the grouping; empty for all items.
        group: Name of the group.
        metric: The metric.
        unit: What the interval is over.
        items: Items with a value.
        scored: Samples that were scored, with a value or not.
        interval: The mean over units, and its interval.
    """

    cell: str
    by: str
    group: str
    metric: Metric
    unit: str
    items: int
    scored: int
    interval: Interval


def shown_apart(groupings: Iterable[Grouping]) -> tuple[str, ...]:
    """Names of the metrics that some grouping shows: what stands beside the deciding one in headlines."""
    return tuple(dict.fromkeys(name for grouping in groupings for name in grouping.shown))


def groups_of(cell: Cell, rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """All rows, then those of each group that is shown: name of the grouping, of the group, and its rows."""
    yield "", ALL, rows
    for grouping in cell.groupings:
        if grouping.shown:
            labels = cell.groups(grouping.name, rows["item"])
            assert labels is not None
            for group in sorted(set(labels) - {""}):
                yield grouping.name, group, rows[labels == group]


def units_of(cell: Cell, metric: Metric, rows: pd.DataFrame) -> tuple[str, pd.Series]:
    """The level that a claim about some rows is about, and the unit of each row."""
    found = {level: cell.groups(level, rows["item"]) for level in metric.clusters[1:]}
    above = {level: own for level, own in found.items() if own is not None}
    unit = unit_level(metric, {level: own.tolist() for level, own in above.items()})
    return unit, above.get(unit, rows["item_hash"])


def group_scores(results: Results, *, confidence: float = 0.95) -> list[GroupScore]:
    """Score the groups of a run's items.

    Within a group units count alike, as in the table of results, and intervals are made in the same way. A run of
    streams has no groups: its items are met again and again.

    Args:
        results: The run.
        confidence: Of the intervals, in (0, 1).

    Returns:
        Cell by cell: all items, then each group, each with the metrics that are to be shown. Empty where no task has
        groups to show.
    """
    from ..suite.stats.intervals import mean_interval

    made = list[GroupScore]()
    for cell in results.cells:
        names = shown_apart(cell.groupings)
        if not names or bool((cell.frame["stream"] != "").any()):
            continue
        metrics = [metric for metric in cell.metrics if metric.name in names]
        for by, group, rows in groups_of(cell, cell.scored):
            for metric in metrics:
                known = rows[rows[metric.name].notna()]
                unit, labels = units_of(cell, metric, known)
                found = mean_interval(
                    known[metric.name].to_numpy(dtype=float),
                    labels.to_numpy(dtype=str),
                    kind=metric.kind,
                    low=metric.low,
                    high=metric.high,
                    confidence=confidence,
                )
                items = int(known["item_hash"].nunique())
                made.append(GroupScore(cell.name, by, group, metric, unit, items, len(rows), found))
    return made


def _written(score: GroupScore) -> str:
    found = score.interval
    if not score.items:
        return "–"
    return f"{number(found.estimate)} {interval(found.low, found.high)}" + ("*" if found.sparse else "")


def _bounds(score: GroupScore) -> tuple[float, float]:
    """Of a metric that no sample has there is nothing to draw: its range would look like a finding."""
    return (score.interval.low, score.interval.high) if score.items else (math.nan, math.nan)


def _notes(scores: Sequence[GroupScore], results: Results) -> list[str]:
    notes = []
    for cell in results.cells:
        notes += [f"{g.name}: {g.summary}" for g in cell.groupings if g.shown and g.summary]
    partial = {s.metric.name for s in scores if s.metric.failure is None}
    if partial:
        notes.append(
            f"{', '.join(sorted(partial))}: of the samples that have it. Whether one has it depends on its reply, "
            "so that groups differ in what they are means of."
        )
    few = sorted({s.unit for s in scores if s.unit == "item" and len(s.metric.clusters) > 2})
    if few:
        notes.append(
            "Where a group has under 10 units of a higher level its interval is over its items, too short for a claim "
            "about any others."
        )
    notes.append("* sparse: rough. Groups are exploratory: with many of them, some differ by chance.")
    return list(dict.fromkeys(notes))


def group_text(results: Results) -> tuple[Table, list[str]] | None:
    """Scores by group as a table for the terminal, with its notes; None where there are none."""
    from .terminal import text_table

    scores = group_scores(results)
    if not scores:
        return None
    names = list(dict.fromkeys(s.metric.name for s in scores))
    made = text_table("task and arm", "by", "group", "items>", "samples>", *names)
    rows: dict[tuple[str, str, str], dict[str, GroupScore]] = {}
    for score in scores:
        rows.setdefault((score.cell, score.by, score.group), {})[score.metric.name] = score
    for key, own in rows.items():
        head = max(own.values(), key=lambda s: s.items)
        made.add_row(*key, str(head.items), str(head.scored), *(_written(own[n]) if n in own else "–" for n in names))
    return made, _notes(scores, results)


def group_plot(results: Results, *, name: str = "groups") -> Plot | None:
    """Draw the scores by group, a panel a metric.

    Returns:
        The figure; None where no task has groups to show.
    """
    scores = group_scores(results)
    if not scores:
        return None
    several = len({s.cell for s in scores}) > 1
    panels: dict[str, list[ForestRow]] = {}
    for s in scores:
        words = f"{s.cell}: {s.group}" if several else s.group
        panels.setdefault(s.metric.name, []).append(
            ForestRow(words, s.interval.estimate, *_bounds(s), _written(s), faint=s.interval.sparse)
        )
    body = [
        (
            s.cell,
            s.by or "–",
            s.group,
            s.metric.name,
            number(s.interval.estimate),
            interval(*_bounds(s)) + ("*" if s.interval.sparse else "") if s.items else "–",
            plural(s.interval.units, s.unit),
            f"{s.items:,}",
            f"{s.interval.samples:,} of {s.scored:,}",
            s.interval.method,
        )
        for s in scores
    ]
    heads = ("task and arm", "by", "group", "metric", "mean>", "95 % interval>", "units", "items>", "samples", "method")
    more = [f"The figure shows the first {MOST_ROWS} of {len(scores)} lines; the table has all."]
    return Plot(
        name,
        "By group",
        "The metrics that stand beside each other, each for itself: over all items, and for groups of items apart.",
        forest(
            [ForestPanel(metric, tuple(rows), 0.0, 1.0) for metric, rows in panels.items()],
            name=f"{name}-figure",
            title="By group",
            description=f"Mean and interval of {plural(len(panels), 'metric')} for each group of items.",
        ),
        table("Scores by group", heads, body),
        (*_notes(scores, results), *(more if len(scores) > MOST_ROWS else [])),
    )
