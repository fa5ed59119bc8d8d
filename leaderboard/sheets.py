"""What a task says about itself and its metrics, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..suite.records import Metric
from .columns import Column
from .lineup import Lineup
from .text import plural

__all__ = ["Gloss", "gloss", "item_set"]

_BETTER = {"higher": "higher is better", "lower": "lower is better", "none": "neither end is better"}


@dataclass(frozen=True)
class Gloss:
    """A metric in words."""

    name: str
    summary: str
    kind: str
    better: str
    range: str
    chance: str
    ceiling: str
    failure: str
    clusters: str
    primary: bool


def item_set(column: Column) -> str:
    """A set of items in words: the tier, how many, of what kind, and the start of its hash."""
    sheet = column.key.sheet
    return f"{sheet.tier} · {plural(column.items, f'{sheet.items_kind} item')} · {sheet.items_hash[:8]}"


def gloss(lineup: Lineup, columns: Sequence[Column], metric: Metric) -> Gloss:
    """Put a metric into words.

    Args:
        lineup: The entries side by side.
        columns: The arms of one task; levels that are alike in all of them are said once.
        metric: One of its metrics.
    """
    low, high = metric.low, metric.high
    if low is None:
        ends = "no bounds" if high is None else f"up to {high:g}"
    else:
        ends = f"from {low:g}" if high is None else f"{low:g} to {high:g}"
    return Gloss(
        name=metric.name,
        summary=metric.summary,
        kind="share of successes" if metric.kind == "binary" else "graded",
        better=_BETTER[metric.direction],
        range=ends + (f" {metric.unit}" if metric.unit else ""),
        chance=_levels(lineup, columns, metric, "chance"),
        ceiling=_levels(lineup, columns, metric, "ceiling"),
        failure="left out" if metric.failure is None else f"counts as {metric.failure:g}",
        clusters=" < ".join(metric.clusters),
        primary=metric.primary,
    )


def _levels(lineup: Lineup, columns: Sequence[Column], metric: Metric, what: str) -> str:
    found: dict[str, str] = {}
    for column in columns:
        level = column.sheet.levels.get(column.key.arm, {}).get(metric.name)
        value = getattr(metric if level is None else level, what)
        source = "exact" if level is not None and level.exact else "declared"
        if metric.primary:
            value, source = column.level(what)
        if value is not None:
            found[column.key.arm] = f"{lineup.scale(column, metric.name).write(value)} ({source})"
    if len(found) == len(columns) and len(set(found.values())) == 1:
        return next(iter(found.values()))
    return "; ".join(f"{arm}: {text}" for arm, text in found.items()) or "not known"
