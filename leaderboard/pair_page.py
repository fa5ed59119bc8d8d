"""A pair's page: two models on the same items, task by task, with what differs between them. Plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..suite.stats.inference import paired_inference
from ..suite.stats.multiplicity import holm
from ..suite.stats.paired_tests import mcnemar
from ..suite.stats.pairs import Pairs, pair_units
from .cells import Name, name_of
from .columns import Column
from .lineup import Lineup
from .overall import normalised, stratified_mean
from .overview import title
from .scale import Bar, Scale
from .sheets import item_set
from .text import plural

__all__ = ["SHOWN", "Contrast", "Flipped", "PairPage", "pair_page"]

SHOWN = 8
"""So many items are named for either side, those with the largest differences."""


@dataclass(frozen=True)
class Contrast:
    """One task of both models.

    Attributes:
        title: The task.
        details: Its set of items.
        file: Its page.
        arm: The arm.
        metric: The primary metric.
        direction: Which way is better.
        means: What either side scored, over the common units.
        difference: The first less the second.
        sort: The same for sorting.
        interval: Its interval.
        bar: The drawing, with a line at no difference.
        p: Adjusted p-value as text.
        verdict: In words.
        winner: 1 or 2, and 0 where they cannot be told apart.
        flips: Items (or expected items) that only the first, only the second, both and neither did.
        basis: What it rests on.
        methods: How interval and p-value were made.
        sparse: Whether the coverage is not to be trusted.
    """

    title: str
    details: str
    file: str
    arm: str
    metric: str
    direction: str
    means: tuple[str, str]
    difference: str
    sort: str
    interval: str
    bar: Bar | None
    p: str
    verdict: str
    winner: int
    flips: tuple[str, str, str, str] | None
    basis: str
    methods: str
    sparse: bool


@dataclass(frozen=True)
class Flipped:
    """The items of one task on which the sides differ most; each with both means."""

    title: str
    arm: str
    first: tuple[tuple[str, str, str], ...]
    second: tuple[tuple[str, str, str], ...]
    counts: tuple[int, int, int]
    """Items on which the first was better, the second was, and both were alike."""


@dataclass(frozen=True)
class PairPage:
    """The whole page."""

    first: Name
    second: Name
    overall: tuple[tuple[str, str, str, Bar | None], ...]
    """Title, difference, interval and drawing for each ranking over tasks that has both."""
    contrasts: tuple[Contrast, ...]
    flipped: tuple[Flipped, ...]
    alone: tuple[tuple[str, str], ...]
    """Tasks that only one of them has: the task, and who."""
    told: tuple[int, int, int]
    """Tasks on which the first is better, the second is, and neither can be told."""
    axis: tuple[str, str]
    """What the ends of the drawings by task stand for, as shares of a metric's range."""
    unlike: str
    """What besides the model differs between the sides, empty if nothing does."""


@dataclass(frozen=True)
class _Compared:
    column: Column
    pairs: Pairs
    estimate: float
    low: float
    high: float
    p: float
    methods: str
    sparse: bool


def pair_page(lineup: Lineup, first: str, second: str) -> PairPage:
    """Lay out the page of two models; all text is still unescaped.

    Args:
        lineup: The entries side by side.
        first: The one that is named first; differences are its score less the other's.
        second: The other.
    """
    a, b = lineup.by_name[first], lineup.by_name[second]
    shared, alone = [], []
    for column in lineup.columns:
        inside = [e for e in (a, b) if column.primary_of(e.name) is not None]
        arm = "" if column.key.arm == "default" else f", {column.key.arm}"
        if len(inside) == 2:
            shared.append(column)
        elif inside:
            alone.append((f"{title(column.key.sheet)}{arm} ({item_set(column)})", inside[0].name))
    made = [found for c in shared if (found := _compare(c, first, second, lineup.confidence)) is not None]
    adjusted = holm(np.array([c.p for c in made])) if made else np.array([])
    reach = _reach((c.low, c.high, lineup.scale(c.column)) for c in made)
    contrasts = tuple(_contrast(lineup, c, float(p), reach) for c, p in zip(made, adjusted, strict=True))
    winners = [c.winner for c in contrasts]
    unlike = [
        f"{what}: {x} and {y}"
        for what, x, y in (
            ("decoding", a.decoding, b.decoding),
            ("agent", a.run.manifest.spec.agent.name, b.run.manifest.spec.agent.name),
            ("samples an item", str(a.run.manifest.spec.samples), str(b.run.manifest.spec.samples)),
        )
        if x != y
    ]
    return PairPage(
        first=name_of(a, lineup.files["model", first]),
        second=name_of(b, lineup.files["model", second]),
        overall=tuple(_overall(lineup, first, second)),
        contrasts=contrasts,
        flipped=tuple(f for c in made if (f := _flipped(lineup, c, first, second)) is not None),
        alone=tuple(alone),
        told=(winners.count(1), winners.count(2), winners.count(0)),
        axis=(f"−{reach:g}", f"+{reach:g}"),
        unlike="; ".join(unlike),
    )


def _compare(column: Column, first: str, second: str, confidence: float) -> _Compared | None:
    """Compare two entries in a column; None where they have no unit in common."""
    pairs = pair_units(column.side(second), column.side(first), dyads=column.dyads)
    if not pairs.units:
        return None
    inference = paired_inference(pairs)
    low, high = inference.bounds(confidence)
    if pairs.single and pairs.flips is not None and pairs.dyads is None:
        test = mcnemar(round(pairs.flips.gained), round(pairs.flips.lost))
        p, methods = test.pvalue, f"{inference.method}, {test.method}"
    else:
        tail = inference.tail(0.0)
        p, methods = 2 * min(tail, 1 - tail, 0.5), inference.method
    return _Compared(column, pairs, inference.estimate, low, high, p, methods, inference.sparse)


def _reach(found: Iterable[tuple[float, float, Scale]]) -> float:
    """How far drawings reach to either side, as a share of the metrics' ranges: alike for all tasks of a page."""
    shares = [max(abs(low), abs(high)) / (s.high - s.low) for low, high, s in found if s.high > s.low]
    furthest = max((v for v in shares if math.isfinite(v)), default=1.0)
    # In steps, so that pages can be laid beside each other.
    return next((step for step in (0.25, 0.5) if furthest <= step), 1.0)


def _contrast(lineup: Lineup, found: _Compared, p: float, reach: float) -> Contrast:
    column, pairs = found.column, found.pairs
    scale, metric = lineup.scale(column), column.primary
    width = reach * (scale.high - scale.low)
    signed = Scale(-width, width, scale.decimals, signed=True)
    winner = 0
    if column.sign and p <= 1 - lineup.confidence:
        winner = 1 if found.estimate * column.sign > 0 else 2
    flips = None
    if pairs.flips is not None:
        f, counts = pairs.flips, Scale(0, 1, 0 if pairs.single else 1)
        flips = counts.write(f.gained), counts.write(f.lost), counts.write(f.both), counts.write(f.neither)
    known = math.isfinite(p)
    return Contrast(
        title=title(column.key.sheet),
        details=item_set(column),
        file=lineup.file_of(column.key.sheet),
        arm=column.key.arm,
        metric=metric.name,
        direction=metric.direction,
        means=(scale.write(float(pairs.b.mean())), scale.write(float(pairs.a.mean()))),
        difference=signed.write(found.estimate),
        sort=f"{found.estimate:.9g}",
        interval=signed.span(found.low, found.high),
        bar=signed.bar(found.estimate, found.low, found.high, zero=True),
        p="–" if not known else "< 0.001" if p < 0.001 else f"{p:.3f}",
        verdict=("cannot tell", "first is better", "second is better")[winner],
        winner=winner,
        flips=flips,
        basis=f"{plural(pairs.a.size, f'common {column.unit}')}; samples {pairs.samples_b:,} and {pairs.samples_a:,}",
        methods=found.methods,
        sparse=found.sparse,
    )


def _overall(lineup: Lineup, first: str, second: str) -> Sequence[tuple[str, str, str, Bar | None]]:
    found = []
    for o in lineup.overalls:
        if first not in o.averages or second not in o.averages:
            continue
        strata = [
            normalised(c, one) - normalised(c, two) for c in o.columns for one, two in [c.spread((first, second))]
        ]
        if any(np.isnan(s).all() for s in strata):
            continue
        arm = "" if o.arm == "default" else f", {o.arm}"
        heading = f"{o.family}: {o.tier}, {o.items_kind} items{arm}"
        found.append((heading, *stratified_mean(strata, lineup.confidence)))
    reach = _reach((low, high, Scale(0, 1, 3)) for _, _, low, high in found)
    scale = Scale(-reach, reach, 3, signed=True)
    return [
        (heading, scale.write(mean), scale.span(low, high), scale.bar(mean, low, high, zero=True))
        for heading, mean, low, high in found
    ]


def _flipped(lineup: Lineup, found: _Compared, first: str, second: str) -> Flipped | None:
    """The items on which two entries differ most; None where none differs, or items are private."""
    column = found.column
    if not column.sign or column.key.sheet.items_kind == "private":
        return None
    a, b = column.by_item.row(first), column.by_item.row(second)
    both = ~np.isnan(a) & ~np.isnan(b)
    gain = np.where(both, np.round((a - b) * column.sign, 12), 0.0)
    if not gain.any():
        return None
    scale, labels = lineup.scale(column), column.by_item.labels

    def named(sign: int) -> tuple[tuple[str, str, str], ...]:
        order = sorted(np.flatnonzero(sign * gain > 0).tolist(), key=lambda i: (-sign * gain[i], labels[i]))
        return tuple((labels[i], scale.write(float(a[i])), scale.write(float(b[i]))) for i in order[:SHOWN])

    counts = int((gain > 0).sum()), int((gain < 0).sum()), int((both & (gain == 0)).sum())
    return Flipped(title(column.key.sheet), column.key.arm, named(1), named(-1), counts)
