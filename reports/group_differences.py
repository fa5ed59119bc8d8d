"""Two runs compared by groups of items: every metric that stands beside the deciding one, paired by item."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..leaderboard.text import plural
from ..suite.records import Metric
from ..suite.results import Cell, Results
from .differences import signed
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .groups import groups_of, shown_apart, units_of
from .tables import Plot, interval, number, table

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from ..suite.stats.paired import Difference

__all__ = ["GroupDifference", "difference_text", "group_difference_plot", "group_differences"]


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """One metric on the items of one group: a candidate less a baseline.

    Attributes:
        cell: Task, version and arm as tables call them.
        by: Name of the grouping; empty for all items.
        group: Name of the group.
        metric: Name of the metric.
        unit: What was paired, after items were averaged within it.
        difference: On the items on which both sides have a value.
    """

    cell: str
    by: str
    group: str
    metric: str
    unit: str
    difference: Difference


def group_differences(baseline: Results, candidate: Results, *, confidence: float = 0.95) -> list[GroupDifference]:
    """Compare two runs on groups of items.

    A metric that only some samples have is compared on items where both sides have it: novelty where both pass.

    Args:
        baseline: A run.
        candidate: Another.
        confidence: Of the intervals, in (0, 1).

    Returns:
        Cell by cell: all items, then each group, each with the metrics that are to be shown, where both sides have
        common items. Empty where no task that both played has groups to show.
    """
    made = list[GroupDifference]()
    for cell in baseline.cells:
        twin, names = candidate.cell(cell.key), shown_apart(cell.groupings)
        if twin is None or not names or any(bool((c.frame["stream"] != "").any()) for c in (cell, twin)):
            continue
        metrics = [metric for metric in cell.metrics if metric.name in names]
        for by, group, rows in groups_of(cell, cell.scored):
            for metric in metrics:
                found = _difference(cell, metric, rows, twin.scored, confidence)
                if found is not None:
                    made.append(GroupDifference(cell.name, by, group, metric.name, *found))
    return made


def _difference(
    cell: Cell, metric: Metric, a: pd.DataFrame, b: pd.DataFrame, confidence: float
) -> tuple[str, Difference] | None:
    from ..suite.stats.paired import difference

    if metric.name not in b.columns:
        return None
    a, b = (rows[rows[metric.name].notna()] for rows in (a, b))
    common = set(a["item_hash"]) & set(b["item_hash"])
    if not common:
        return None
    a, b = (rows[rows["item_hash"].isin(common)] for rows in (a, b))
    unit, labels = units_of(cell, metric, a)
    owners: dict[Hashable, Hashable] = dict(zip(a["item_hash"], labels, strict=True))
    sides = [(rows[metric.name].to_numpy(dtype=float), rows["item_hash"].to_numpy(dtype=str)) for rows in (a, b)]
    found = difference(
        *sides[0],
        *sides[1],
        kind=metric.kind,
        low=metric.low,
        high=metric.high,
        clusters=None if unit == "item" else owners,
        confidence=confidence,
    )
    return unit, found


def _notes(found: Sequence[GroupDifference]) -> Iterator[str]:
    yield (
        "Candidate less baseline on the items on which both sides have a value, items averaged within their unit where "
        "there are 10 of them: novelty is of items that both sides pass."
    )
    if any(d.difference.sparse for d in found):
        yield "* sparse: rough. Groups are exploratory and not corrected: with many of them, some differ by chance."


def _written(d: Difference) -> str:
    return f"{signed(d.estimate)} {interval(d.low, d.high)}" + ("*" if d.sparse else "")


def difference_text(found: Sequence[GroupDifference]) -> tuple[Table, list[str]] | None:
    """The differences as a table for the terminal, with its notes; None where there are none."""
    from .terminal import text_table

    if not found:
        return None
    made = text_table(
        "task and arm", "by", "group", "metric", "baseline>", "candidate>", "difference", "items>", "units"
    )
    for d in found:
        x = d.difference
        made.add_row(
            d.cell,
            d.by,
            d.group,
            d.metric,
            number(x.mean_a),
            number(x.mean_b),
            _written(x),
            f"{x.items:,}",
            plural(x.units, d.unit),
        )
    return made, list(_notes(found))


def group_difference_plot(found: Sequence[GroupDifference], *, name: str = "group-differences") -> Plot | None:
    """Draw the differences, a panel a metric.

    Args:
        found: From :func:`group_differences`.
        name: Anchor.

    Returns:
        The figure; None where there is nothing to compare.
    """
    if not found:
        return None
    several = len({d.cell for d in found}) > 1
    panels: dict[str, list[ForestRow]] = {}
    for d in found:
        x = d.difference
        words = f"{d.cell}: {d.group}" if several else d.group
        panels.setdefault(d.metric, []).append(ForestRow(words, x.estimate, x.low, x.high, _written(x), faint=x.sparse))
    body = [
        (
            d.cell,
            d.by or "–",
            d.group,
            d.metric,
            number(d.difference.mean_a),
            number(d.difference.mean_b),
            signed(d.difference.estimate),
            interval(d.difference.low, d.difference.high) + ("*" if d.difference.sparse else ""),
            f"{d.difference.items:,}",
            plural(d.difference.units, d.unit),
            f"{d.difference.samples_a:,} | {d.difference.samples_b:,}",
            d.difference.method,
        )
        for d in found
    ]
    heads = (
        "task and arm", "by", "group", "metric", "baseline>", "candidate>", "difference>", "interval>", "items>",
        "units", "samples>", "method",
    )  # fmt: skip
    more = [f"The figure shows the first {MOST_ROWS} of {len(found)} lines; the table has all."]
    return Plot(
        name,
        "Differences by group",
        "The metrics that stand beside each other, paired by item: over all items, and for groups of items apart.",
        forest(
            [ForestPanel(metric, tuple(rows), zero=0.0) for metric, rows in panels.items()],
            name=f"{name}-figure",
            title="Differences by group",
            description=f"Differences of {plural(len(panels), 'metric')} for each group of items, with intervals.",
        ),
        table("Differences by group", heads, body),
        (*_notes(found), *(more if len(found) > MOST_ROWS else [])),
    )
