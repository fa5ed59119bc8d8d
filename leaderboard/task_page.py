"""A task's page: what it measures, who did how well, how items were spread, and which were hardest. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cells import Cell, Name, cell, name_of, reference_order
from .columns import Column, SheetKey
from .lineup import Lineup
from .notices import Notices, notices
from .overview import title
from .scale import Bar, Scale
from .sheets import Gloss, gloss, item_set
from .standings import Standing
from .text import plural

__all__ = ["HARDEST", "Hard", "Line", "Section", "Spread", "TaskPage", "spread", "task_page"]

HARDEST = 20
"""So many of the hardest items are listed."""
_BINS = 10


@dataclass(frozen=True)
class Spread:
    """How one model's item scores are spread: bar heights in percent of the tallest, and the same in words."""

    heights: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Line:
    """One entry's line in an arm's table."""

    name: Name
    rank: str
    span: Bar | None
    letters: str
    score: Cell
    spread: Spread | None
    pairs: tuple[tuple[str, str], ...]
    """Other models and the pages of the comparisons with them."""


@dataclass(frozen=True)
class Hard:
    """An item and how models did on it."""

    label: str
    score: str
    bar: Bar | None
    best: str
    reached: str
    sort: str


@dataclass(frozen=True)
class Metrics:
    """All metrics of one arm: names, then one row an entry."""

    names: tuple[str, ...]
    rows: tuple[tuple[Name, tuple[Cell | None, ...]], ...]


@dataclass(frozen=True)
class Section:
    """One arm of the task."""

    arm: str
    summary: str
    anchor: str
    heading: str
    direction: str
    axis: tuple[str, str]
    chance: str
    ceiling: str
    lines: tuple[Line, ...]
    references: tuple[Line, ...]
    withdrawn: tuple[Line, ...]
    items: str
    hardest: tuple[Hard, ...]
    unlisted: int
    metrics: Metrics


@dataclass(frozen=True)
class TaskPage:
    """The whole page."""

    title: str
    details: str
    summary: str
    family: str
    facts: tuple[tuple[str, str], ...]
    glossary: tuple[Gloss, ...]
    sections: tuple[Section, ...]
    notices: Notices


def task_page(lineup: Lineup, sheet: SheetKey) -> TaskPage:
    """Lay out the page of a task; all text is still unescaped."""
    own = [c for c in lineup.columns if c.key.sheet == sheet]
    first = own[0]
    facts = [
        ("version", str(sheet.version)),
        ("tier", sheet.tier),
        ("items", f"{first.items:,} {sheet.items_kind}"),
        ("set of items", sheet.items_hash),
        ("units of claims", f"{first.unit}s"),
    ]
    commitments = {c for e in first.entries.values() if (c := e.run.manifest.spec.items.commitment) is not None}
    facts += [("commitment to the secret", c) for c in sorted(commitments)]
    return TaskPage(
        title=title(sheet),
        details=item_set(first),
        summary=first.sheet.summary,
        family=sheet.family,
        facts=tuple(facts),
        glossary=tuple(gloss(lineup, own, m) for m in first.sheet.metrics),
        sections=tuple(_section(lineup, column, f"arm-{i}") for i, column in enumerate(own, 1)),
        notices=notices(lineup, own),
    )


def _section(lineup: Lineup, column: Column, anchor: str) -> Section:
    scale = lineup.scale(column)
    order = column.ranked
    unscored = sorted(n for n, e in column.entries.items() if e.listed and n not in order)
    references = sorted((e for e in column.entries.values() if e.reference and not e.withdrawn), key=reference_order)
    ranks = Scale(1, max(len(order), 2), 0)
    pairs: dict[str, list[tuple[str, str]]] = {}
    for a, b in lineup.pairs:
        if a in order and b in order:
            pairs.setdefault(a, []).append((b, lineup.files["pair", a, b]))
            pairs.setdefault(b, []).append((a, lineup.files["pair", a, b]))

    def line(name: str) -> Line | None:
        s = column.primary_of(name)
        if s is None:
            return None
        place = lineup.place(column, name)
        span = None if place is None else Bar(ranks.place(place.low), ranks.place(place.high), None)
        return Line(
            name_of(column.entries[name], lineup.files["model", name], column.key.name),
            "" if place is None else place.ranks,
            span,
            "" if place is None else place.letters,
            cell(s, scale),
            spread(column.by_item.row(name), scale, column.primary.kind == "binary"),
            tuple(pairs.get(name, ())),
        )

    def lines(names: Sequence[str]) -> tuple[Line, ...]:
        return tuple(found for name in names if (found := line(name)) is not None)

    hardest, items, unlisted = _hardest(column, scale, order)
    (chance, source), (ceiling, other) = column.level("chance"), column.level("ceiling")
    return Section(
        arm=column.key.arm,
        summary=column.sheet.arms.get(column.key.arm, ""),
        anchor=anchor,
        heading=column.primary.name + (f" ({column.primary.unit})" if column.primary.unit else ""),
        direction=column.primary.direction,
        axis=(scale.write(scale.low), scale.write(scale.high)),
        chance=source if chance is None else f"{scale.write(chance)} ({source})",
        ceiling=other if ceiling is None else f"{scale.write(ceiling)} ({other})",
        lines=lines([*order, *unscored]),
        references=lines([e.name for e in references]),
        withdrawn=lines(sorted(n for n, e in column.entries.items() if e.withdrawn)),
        items=items,
        hardest=hardest,
        unlisted=unlisted,
        metrics=_metrics(lineup, column, [*order, *unscored, *(e.name for e in references)]),
    )


def spread(values: NDArray[np.float64], scale: Scale, binary: bool) -> Spread | None:
    """Count item scores in ten classes of the metric's range.

    Args:
        values: Item means; NaN where an item was not scored.
        scale: The metric's scale.
        binary: Whether samples are 0 or 1, so that the ends mean never and always.

    Returns:
        None where no item was scored.
    """
    known = values[~np.isnan(values)]
    if not known.size or scale.high <= scale.low:
        return None
    share = np.clip((known - scale.low) / (scale.high - scale.low), 0, 1)
    counts = np.bincount(np.minimum((share * _BINS + 1e-9).astype(int), _BINS - 1), minlength=_BINS)
    # A class with any item in it is visible, however tall the others are.
    heights = tuple(int(h) for h in np.ceil(100 * counts / counts.max()))
    if binary:
        never, always = int((known == 0).sum()), int((known == 1).sum())
        text = f"never {never:,} · at times {known.size - never - always:,} · always {always:,}"
    else:
        quartiles = np.quantile(known, [0.25, 0.5, 0.75])
        text = "quartiles " + " · ".join(scale.write(float(q)) for q in quartiles)
    return Spread(heights, text)


def _hardest(column: Column, scale: Scale, order: Sequence[str]) -> tuple[tuple[Hard, ...], str, int]:
    """The hardest items first, what is to be said of all of them, and how many are not listed."""
    values = column.by_item.of(order)
    seen = ~np.isnan(values).all(axis=0)
    if not column.sign or not seen.any():
        return (), "", 0
    binary = column.primary.kind == "binary"
    places, values = np.flatnonzero(seen), values[:, seen]
    means = np.nanmean(values, axis=0)
    best = np.nanmax(values * column.sign, axis=0) * column.sign
    labels = column.by_item.labels
    ranked = sorted(range(len(places)), key=lambda i: (column.sign * round(means[i], 9), labels[places[i]]))
    private = column.key.sheet.items_kind == "private"
    # With a metric of which less is better, 1 is the failure.
    good = 1.0 if column.sign > 0 else 0.0
    hardest = []
    for number, i in enumerate(ranked[:HARDEST], 1):
        own = values[:, i][~np.isnan(values[:, i])]
        hits = int((own != 1 - good).sum())
        hardest.append(
            Hard(
                label=f"private item, place {number}" if private else labels[places[i]],
                score=scale.write(float(means[i])),
                bar=scale.bar(float(means[i]), None, None),
                best=scale.write(float(best[i])),
                reached=f"{hits:,} of {plural(own.size, 'model')}" if binary else "",
                sort=f"{means[i]:.9g}",
            )
        )
    text = ""
    if binary:
        nobody = int((best == 1 - good).sum())
        everybody = int((np.where(np.isnan(values), good, values) == good).all(axis=0).sum())
        text = (
            f"Of {plural(len(places), 'item')}, {nobody:,} were never done by any model, and {everybody:,} always by "
            "all: those tell no model from another."
        )
    return tuple(hardest), text, max(len(places) - HARDEST, 0)


def _of_k(name: str) -> tuple[bool, str, int]:
    """Sorts ``pass@2``, ``pass@4``, then others' ``NAME@k``."""
    metric, _, k = name.rpartition("@")
    return metric != "pass", metric, int(k)


def _metrics(lineup: Lineup, column: Column, names: Sequence[str]) -> Metrics:
    own = [m.name for m in column.sheet.metrics]
    # pass@1 is the primary metric itself and needs no second column.
    best = {metric for _, metric in column.standings if metric not in own} - {"pass@1"}
    shown = [*own, *sorted(best, key=_of_k)]

    def made(s: Standing | None, metric: str) -> Cell | None:
        return None if s is None else cell(s, lineup.scale(column, metric))

    rows = []
    for name in names:
        cells = tuple(made(column.standings.get((name, metric)), metric) for metric in shown)
        if any(cells):
            rows.append((name_of(column.entries[name], lineup.files["model", name]), cells))
    return Metrics(tuple(shown), tuple(rows))
