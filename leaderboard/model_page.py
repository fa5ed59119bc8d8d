"""A model's page: its profile over tasks between chance and ceiling, what it cost, and where the numbers come from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cells import Cell, Name, cell, name_of
from .columns import Column
from .entries import Entry
from .lineup import Lineup
from .notices import Notices, notices
from .overall import normalised
from .overview import title
from .scale import Bar, Scale, whole
from .sheets import item_set

__all__ = ["ModelPage", "Profile", "model_page"]


@dataclass(frozen=True)
class Profile:
    """One task in the profile."""

    title: str
    details: str
    file: str
    arm: str
    metric: str
    direction: str
    score: Cell
    share: str
    """Score between chance (0) and ceiling (1), empty where the levels are not known."""
    share_interval: str
    share_bar: Bar | None
    share_sort: str
    chance: str
    ceiling: str
    of: int
    """Models that are ranked in the column."""
    cost: str
    cost_sort: str
    tokens: str
    tokens_sort: str
    calls: str


@dataclass(frozen=True)
class ModelPage:
    """The whole page."""

    name: Name
    overall: tuple[tuple[str, str, str, str, str], ...]
    """Title, score, interval, ranks and letters of each ranking over tasks."""
    families: tuple[tuple[str, tuple[Profile, ...]], ...]
    gaps: tuple[tuple[str, str, str, str], ...]
    """Task, public score, private score, and the difference with its interval."""
    pairs: tuple[tuple[str, str], ...]
    outcomes: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str, int], ...]
    totals: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    more: tuple[tuple[str, str], ...]
    sessions: tuple[tuple[tuple[str, str], ...], ...]
    notes: tuple[str, ...]
    notices: Notices


def model_page(lineup: Lineup, entry: Entry) -> ModelPage:
    """Lay out the page of an entry; all text is still unescaped."""
    own = [c for c in lineup.columns if entry.name in c.entries]
    families: dict[str, list[Profile]] = {}
    for column in own:
        found = _profile(lineup, column, entry)
        if found is not None:
            families.setdefault(column.key.sheet.family, []).append(found)
    overall = []
    for o in lineup.overalls:
        average = o.averages.get(entry.name)
        if average is None:
            continue
        scale, place = Scale(0, 1, 3), o.places.get(entry.name)
        arm = "" if o.arm == "default" else f", {o.arm}"
        overall.append(
            (
                f"{o.family}: {o.tier}, {o.items_kind} items{arm}",
                scale.write(average.mean),
                scale.span(average.low, average.high),
                "" if place is None else f"{place.ranks} of {len(o.averages)}",
                "" if place is None else place.letters,
            )
        )
    pairs = [(b if a == entry.name else a, lineup.files["pair", a, b]) for a, b in lineup.pairs if entry.name in (a, b)]
    samples = entry.samples
    counts = samples["outcome"].value_counts()
    rare = samples[samples["outcome"] != "ok"]
    reasons = rare.groupby(["outcome", "reason"]).size().reset_index(name="n")
    ordered = sorted(
        ((str(o), str(r)[:120] or "no reason given", int(n)) for o, r, n in reasons.itertuples(index=False)),
        key=lambda row: (-row[2], row[0], row[1]),
    )
    manifest = entry.run.manifest
    return ModelPage(
        name=name_of(entry, lineup.files["model", entry.name]),
        overall=tuple(overall),
        families=tuple((family, tuple(rows)) for family, rows in families.items()),
        gaps=tuple(_gaps(lineup, entry)),
        pairs=tuple(pairs),
        outcomes=tuple((o, f"{int(counts.get(o, 0)):,}") for o in ("ok", "invalid", "refused", "error")),
        reasons=tuple(ordered[:12]),
        totals=_totals(entry),
        facts=tuple(_facts(entry)),
        more=(*_flatten("model", manifest.model), *_flatten("environment", manifest.environment)),
        sessions=tuple(tuple(_flatten("", session)) for session in manifest.sessions[-20:]),
        notes=manifest.notes,
        notices=notices(lineup, own, entry.name),
    )


def _profile(lineup: Lineup, column: Column, entry: Entry) -> Profile | None:
    s = column.primary_of(entry.name)
    if s is None:
        return None
    scale, sheet = lineup.scale(column), column.key.sheet
    (chance, source), (ceiling, other) = column.level("chance"), column.level("ceiling")
    share = interval = sort = ""
    bar = None
    if chance is not None and ceiling is not None and chance != ceiling and math.isfinite(s.mean):
        mean, *ends = (float(v) for v in normalised(column, np.array([s.mean, s.low, s.high])))
        low, high = sorted(ends)
        unit = Scale(-0.25, 1.25, 2)
        share, interval, sort = unit.write(mean), unit.span(low, high), f"{mean:.9g}"
        bar = unit.bar(mean, low, high, chance=0.0, ceiling=1.0)
    return Profile(
        title=title(sheet),
        details=item_set(column),
        file=lineup.file_of(sheet),
        arm=column.key.arm,
        metric=column.primary.name,
        direction=column.primary.direction,
        score=cell(s, scale, lineup.place(column, entry.name)),
        share=share,
        share_interval=interval,
        share_bar=bar,
        share_sort=sort,
        chance=source if chance is None else f"{scale.write(chance)} ({source})",
        ceiling=other if ceiling is None else f"{scale.write(ceiling)} ({other})",
        of=len(column.ranked),
        cost=money(s.cost),
        cost_sort=f"{s.cost:.9g}",
        tokens=whole(s.prompt_tokens + s.completion_tokens),
        tokens_sort=str(s.prompt_tokens + s.completion_tokens),
        calls=whole(s.calls),
    )


def money(dollars: float) -> str:
    """US dollars as text; a dash where nothing was charged."""
    if dollars == 0:
        return "–"
    return f"{dollars:,.2f}" if dollars >= 0.01 else "under 0.01"


def _gaps(lineup: Lineup, entry: Entry) -> Iterable[tuple[str, str, str, str]]:
    """The gap public minus private, task by task.

    A run plays one kind of items, so the other side is another entry of the same model, played alike. The items differ,
    so the two means are independent and the interval is Welch's on unit means. Source: Welch (1947), "The
    generalization of 'Student's' problem when several different population variances are involved", Biometrika 34,
    28-35.
    """
    twins = {e.name for e in lineup.entries if not e.withdrawn and _played(e) == _played(entry)} | {entry.name}
    sides: dict[tuple[str, int, str, str], dict[str, list[tuple[Column, str]]]] = {}
    for column in lineup.columns:
        sheet = column.key.sheet
        kinds = sides.setdefault((sheet.task, sheet.version, sheet.tier, column.key.arm), {})
        kinds.setdefault(sheet.items_kind, []).extend((column, name) for name in column.ranked if name in twins)
    for (task, version, tier, arm), kinds in sides.items():
        for (column, name), (other, twin) in product(kinds.get("public", ()), kinds.get("private", ())):
            if entry.name not in (name, twin):
                continue
            public, private = column.scores.row(name), other.scores.row(twin)
            scale = lineup.scale(column)
            signed = Scale(-1, 1, scale.decimals, signed=True)
            gap, low, high = _welch(public, private, lineup.confidence)
            interval = signed.span(low, high)
            yield (
                f"{task}@{version}, {tier}" + ("" if arm == "default" else f", {arm}"),
                scale.write(float(np.nanmean(public))),
                scale.write(float(np.nanmean(private))),
                signed.write(gap) + (f" ({interval})" if interval else ""),
            )


def _played(entry: Entry) -> tuple[object, ...]:
    """What is alike in two runs of one model, whatever items they play."""
    spec = entry.run.manifest.spec
    who = spec.model_identity or (spec.backend.name, spec.backend.model, entry.run.manifest.label)
    how = spec.agent, spec.sampling, spec.thinking, spec.limits, spec.system_prompt, spec.sandbox
    return who, tuple(str(part) for part in how)


def _welch(x: NDArray[np.float64], y: NDArray[np.float64], confidence: float) -> tuple[float, float, float]:
    """Difference of two independent means with its interval; NaN where the data bound nothing."""
    from scipy.special import stdtrit

    x, y = x[~np.isnan(x)], y[~np.isnan(y)]
    gap = float(x.mean() - y.mean())
    if min(x.size, y.size) < 2:
        return gap, math.nan, math.nan
    parts = np.array([v.var(ddof=1) / v.size for v in (x, y)])
    if parts.sum() <= 0:
        return gap, math.nan, math.nan
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / (x.size - 1) + parts[1] ** 2 / (y.size - 1))
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(float(parts.sum()))
    return gap, gap - half, gap + half


def _totals(entry: Entry) -> tuple[tuple[str, str], ...]:
    samples = entry.samples
    reasoning = int(samples["reasoning_tokens"].sum())
    return (
        ("samples", whole(len(samples))),
        ("turns", whole(samples["turns"].sum())),
        ("calls", whole(samples["calls"].sum())),
        ("prompt tokens", whole(samples["prompt_tokens"].sum())),
        (
            "reply tokens",
            whole(samples["completion_tokens"].sum()) + (f", {reasoning:,} of reasoning" if reasoning else ""),
        ),
        ("cost (USD)", money(float(samples["cost"].sum()))),
    )


def _facts(entry: Entry) -> Iterable[tuple[str, str]]:
    manifest, spec = entry.run.manifest, entry.run.manifest.spec
    yield "model", f"{spec.backend}"
    yield "identity", spec.model_identity or "not recorded"
    yield "agent", spec.agent.name
    yield "decoding", entry.decoding
    yield "sampling", ", ".join(f"{k} {'none' if v is None else v}" for k, v in spec.sampling.model_dump().items())
    yield "thinking", ", ".join(f"{k} {'none' if v is None else v}" for k, v in spec.thinking.model_dump().items())
    yield "limits", ", ".join(f"{k} {'none' if v is None else v}" for k, v in spec.limits.model_dump().items())
    yield "tier", spec.tier
    yield "samples an item", f"{spec.samples}"
    yield "seed", f"{spec.seed}"
    yield "items", spec.items.kind + (f", seed {spec.items.seed}" if spec.items.seed is not None else "")
    if spec.items.commitment is not None:
        yield "commitment to the secret", spec.items.commitment
    yield "specification", manifest.spec_hash
    yield "started", manifest.created
    yield "last written", manifest.updated
    yield "Finchmark", manifest.finchmark
    yield "state", "complete" if manifest.complete else "not complete"
    for task in spec.tasks:
        yield f"items of {task.name}@{task.version}", f"{task.items}, {task.items_hash}"


def _flatten(path: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _flatten(f"{path}.{key}" if path else str(key), value[key])
    elif isinstance(value, (list, tuple)):
        yield path, ", ".join(str(v) for v in value)
    else:
        yield path, str(value)
