"""What the page shows, as plain data for the template: columns, rows, cells, notes and provenance. No HTML here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..suite.records import Metric, TaskSheet
from .entries import Entry
from .standings import Standing
from .text import visible

__all__ = ["Bar", "Cell", "Column", "Group", "Page", "Provenance", "Row", "page"]

_REFERENCES = ("random", "heuristic", "oracle")
_BAR = 120.0
"""Length of a bar in its own units; the drawing scales."""
_PAD = 4.0


@dataclass(frozen=True)
class Bar:
    """An interval drawn to the metric's range; positions in drawing units, None where there is nothing to draw."""

    low: float | None
    high: float | None
    mean: float
    chance: float | None
    ceiling: float | None
    label: str


@dataclass(frozen=True)
class Cell:
    """One number as it is shown. ``sort`` is empty where there is no number."""

    mean: str
    interval: str
    basis: str
    sort: str
    bar: Bar | None
    counts: tuple[str, ...]
    marks: tuple[tuple[str, str], ...]
    """Short mark and its explanation."""
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One model, or one reference, across all columns."""

    name: str
    details: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Column:
    """One task at one version, tier and set of items, in one arm, by its primary metric."""

    arm: str
    arm_summary: str
    metric: str
    unit: str
    direction: str
    name: str
    """All of it in one line, for a screen reader."""


@dataclass(frozen=True)
class Table:
    """All metrics of one arm: one row a model."""

    arm: str
    summary: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    references: tuple[Row, ...]


@dataclass(frozen=True)
class Group:
    """One task at one version and tier, with one set of items."""

    task: str
    version: int
    tier: str
    summary: str
    items: int
    items_hash: str
    anchor: str
    distinguish: bool
    """Whether another group differs by its items only, so that their hash must be shown."""
    columns: tuple[Column, ...]
    glossary: tuple[dict[str, str], ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Provenance:
    """Where one run's numbers come from."""

    name: str
    facts: tuple[tuple[str, str], ...]
    more: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str, int], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    references: tuple[Row, ...]
    stated: tuple[Row, ...]
    warnings: tuple[str, ...]
    flags: tuple[str, ...]
    provenance: tuple[Provenance, ...]
    confidence: str
    methods: tuple[str, ...]
    entries: int
    tasks: int
    versions: tuple[str, ...]
    sorted_by: int | None
    lost: int


_GroupKey = tuple[str, int, str, str]


def page(entries: Sequence[Entry], made: Iterable[Standing], confidence: float) -> Page:
    """Lay out the page.

    Args:
        entries: The runs.
        made: Their standings.
        confidence: Coverage of the intervals.

    Returns:
        Plain data, all text still unescaped.
    """
    made = list(made)
    sheets: dict[_GroupKey, tuple[TaskSheet, int]] = {}
    for entry in entries:
        spec = entry.run.manifest.spec
        for choice in spec.tasks:
            key = (choice.name, choice.version, spec.tier, choice.items_hash)
            sheets.setdefault(key, (entry.run.manifest.tasks[choice.name], choice.items))
    arms = {key: sorted({s.arm for s in made if _group(s) == key}) for key in sorted(sheets)}
    cells = {(_group(s), s.arm, s.model, s.metric): s for s in made}
    columns = [(key, arm) for key in arms for arm in arms[key]]
    scales = {
        (key, m.name): _Scale(m, [s for s in made if _group(s) == key and s.metric == m.name])
        for key, (sheet, _) in sheets.items()
        for m in sheet.metrics
    }

    def primary_row(entry: Entry) -> Row:
        found = []
        for key, arm in columns:
            primary = sheets[key][0].primary
            standing = cells.get((key, arm, entry.name, primary.name))
            found.append(_cell(standing, scales[key, primary.name]) if standing else None)
        return Row(visible(entry.name), _details(entry), tuple(found))

    models = [e for e in entries if not e.reference]
    references = sorted((e for e in entries if e.reference), key=_reference_order)
    rows = [primary_row(e) for e in models]
    sorted_by = None
    if columns and rows:
        # The column that compares most models; of several the first.
        filled = [sum(1 for r in rows if (c := r.cells[i]) is not None and c.sort) for i in range(len(columns))]
        sorted_by = chosen = filled.index(max(filled))
        sign = 1 if sheets[columns[chosen][0]][0].primary.direction == "lower" else -1
        rows.sort(key=lambda r: (_sort_key(r.cells[chosen], sign), r.name))
    policies: dict[str, set[str]] = {}
    for entry in references:
        policies.setdefault(entry.run.manifest.spec.backend.model, set()).add(entry.name)
    stated = _stated_rows(columns, sheets, made, scales, policies)

    groups = []
    for number, (key, (sheet, items)) in enumerate(sorted(sheets.items()), 1):
        task, version, tier, items_hash = key
        primary = sheet.primary
        several = len([k for k in sheets if k[:3] == key[:3]]) > 1
        groups.append(
            Group(
                task=visible(task),
                version=version,
                tier=visible(tier),
                summary=visible(sheet.summary),
                items=items,
                items_hash=visible(items_hash),
                anchor=f"task-{number}",
                distinguish=several,
                columns=tuple(
                    Column(
                        arm=visible(arm),
                        arm_summary=visible(sheet.arms.get(arm, "")),
                        metric=visible(primary.name),
                        unit=visible(primary.unit),
                        direction=primary.direction,
                        name=visible(f"{task}@{version}, {tier}, {arm}: {primary.name}"),
                    )
                    for arm in arms[key]
                ),
                glossary=tuple(_gloss(m, sheet, arms[key], scales[key, m.name]) for m in sheet.metrics),
                tables=tuple(_table(key, arm, sheet, [*models], references, cells, scales) for arm in arms[key]),
            )
        )
    return Page(
        groups=tuple(groups),
        rows=tuple(rows),
        references=tuple(primary_row(e) for e in references),
        stated=tuple(stated),
        warnings=tuple(_warnings(made, sheets)),
        flags=tuple(_flags(made)),
        provenance=tuple(_provenance(e) for e in entries),
        confidence=f"{100 * confidence:g}",
        methods=tuple(sorted({s.method for s in made} - {"none"})),
        entries=len(models),
        tasks=len({key[0] for key in sheets}),
        versions=tuple(sorted({visible(e.run.manifest.finchmark) for e in entries})),
        sorted_by=sorted_by,
        lost=sum(s.error + s.missing for s in made if s.primary),
    )


class _Scale:
    """How a metric's numbers are written and drawn, alike in all its cells."""

    def __init__(self, metric: Metric, standings: Sequence[Standing]) -> None:
        shown = [v for s in standings for v in (s.mean, s.low, s.high, s.chance, s.ceiling) if v is not None]
        shown = [v for v in shown if math.isfinite(v)]
        self.metric = metric
        # An open end is drawn where the numbers end.
        self.low = metric.low if metric.low is not None else min(shown, default=0.0)
        self.high = metric.high if metric.high is not None else max([*shown, self.low + 1e-9])
        largest = max(abs(self.low), abs(self.high))
        self.decimals = 3 if largest <= 1 else 2 if largest <= 10 else 1 if largest <= 1000 else 0

    def write(self, value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return "–"
        text = f"{value:,.{self.decimals}f}"
        return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")

    def place(self, value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or self.high <= self.low:
            return None
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(_PAD + share * (_BAR - 2 * _PAD), 2)


def _group(s: Standing) -> _GroupKey:
    return s.task, s.version, s.tier, s.items_hash


def _sort_key(cell: Cell | None, sign: int) -> float:
    return math.inf if cell is None or not cell.sort else sign * float(cell.sort)


def _reference_order(entry: Entry) -> tuple[int, str]:
    policy = entry.run.manifest.spec.backend.model
    return (_REFERENCES.index(policy) if policy in _REFERENCES else len(_REFERENCES)), entry.name


def _details(entry: Entry) -> str:
    if entry.reference:
        return "scripted policy"
    agent = entry.run.manifest.spec.agent.name
    return visible(f"{entry.decoding} · {agent} agent")


def _basis(s: Standing) -> str:
    units = f"{s.units:,} {s.unit}{'' if s.units == 1 else 's'}"
    if s.units and s.samples % s.units == 0:
        return f"{units} × {s.samples // s.units}"
    return f"{s.samples:,} samples on {units}"


def _cell(s: Standing, scale: _Scale) -> Cell:
    write, place = scale.write, scale.place
    counts = [f"{n:,} {word}" for n, word in ((s.invalid, "invalid"), (s.refused, "refused")) if n]
    if s.error:
        counts.append(f"{s.error:,} error{'' if s.error == 1 else 's'}")
    if s.missing:
        counts.append(f"{s.missing:,} missing")
    marks = []
    if s.units == 1:
        marks.append((f"1 {s.unit}", f"Nothing can be claimed beyond this one {s.unit}."))
    elif s.sparse and s.units:
        marks.append(("sparse", f"Under 30 {s.unit}s or under 5 events: read the interval as a rough guide."))
    if s.flag:
        marks.append(("flagged", visible(s.flag)))
    known = math.isfinite(s.mean)
    interval = f"{write(s.low)} to {write(s.high)}" if all(map(math.isfinite, (s.mean, s.low, s.high))) else ""
    mean = place(s.mean)
    label = f"mean {write(s.mean)}" + (f", interval {interval}" if interval else "")
    label += "".join(
        f", {name} {write(value)}"
        for name, value in (("chance", s.chance), ("ceiling", s.ceiling))
        if value is not None
    )
    bar = None
    if mean is not None:
        bar = Bar(place(s.low), place(s.high), mean, place(s.chance), place(s.ceiling), label)
    return Cell(
        mean=write(s.mean),
        interval=interval,
        basis=_basis(s) if known else "nothing scored",
        sort=repr(round(s.mean, 9)) if known else "",
        bar=bar,
        counts=tuple(counts),
        marks=tuple(marks),
        note=visible(s.note),
    )


def _stated_rows(
    columns: Sequence[tuple[_GroupKey, str]],
    sheets: dict[_GroupKey, tuple[TaskSheet, int]],
    made: Sequence[Standing],
    scales: dict[tuple[_GroupKey, str], _Scale],
    policies: dict[str, set[str]],
) -> list[Row]:
    """Chance and ceiling from the manifests, for columns in which no such policy was run.

    ``policies`` maps a policy to the names of the runs that it played.
    """
    rows = []
    for what, policy, title in (
        ("chance", "random", "Chance (random policy)"),
        ("ceiling", "oracle", "Ceiling (oracle)"),
    ):
        cells: list[Cell | None] = []
        for key, arm in columns:
            primary = sheets[key][0].primary
            here = [s for s in made if _group(s) == key and s.arm == arm and s.metric == primary.name]
            played = any(s.model in policies.get(policy, ()) for s in here)
            values = sorted({(v, s.levels) for s in here if (v := getattr(s, what)) is not None})
            if played or not values:
                cells.append(None)
                continue
            scale = scales[key, primary.name]
            text = " or ".join(dict.fromkeys(scale.write(v) for v, _ in values))
            source = " or ".join(sorted({source for _, source in values}))
            place = scale.place(values[0][0])
            bar = Bar(None, None, place, None, None, f"{what} {text}") if place is not None else None
            cells.append(Cell(text, "", f"stated, {source}", "", bar, (), ()))
        if any(cells):
            rows.append(Row(title, "stated by the task, not run here", tuple(cells)))
    return rows


def _table(
    key: _GroupKey,
    arm: str,
    sheet: TaskSheet,
    models: Sequence[Entry],
    references: Sequence[Entry],
    cells: dict[tuple[_GroupKey, str, str, str], Standing],
    scales: dict[tuple[_GroupKey, str], _Scale],
) -> Table:
    names = [m.name for m in sheet.metrics]
    # pass@1 is the primary metric itself and needs no second column.
    passes = {s.metric for (k, a, _, name), s in cells.items() if k == key and a == arm and name not in names}
    columns = [*names, *sorted(passes - {"pass@1"}, key=lambda name: int(name.removeprefix("pass@")))]

    def rows(entries: Sequence[Entry]) -> tuple[Row, ...]:
        found = []
        for entry in entries:
            own = [cells.get((key, arm, entry.name, name)) for name in columns]
            if any(own):
                shown = (
                    _cell(s, scales.get((key, name)) or scales[key, sheet.primary.name]) if s else None
                    for s, name in zip(own, columns, strict=True)
                )
                found.append(Row(visible(entry.name), _details(entry), tuple(shown)))
        return tuple(found)

    return Table(
        visible(arm), visible(sheet.arms.get(arm, "")), tuple(map(visible, columns)), rows(models), rows(references)
    )


def _gloss(metric: Metric, sheet: TaskSheet, arms: Sequence[str], scale: _Scale) -> dict[str, str]:
    low, high = metric.low, metric.high
    if low is None:
        ends = "no bounds" if high is None else f"up to {high:g}"
    else:
        ends = f"from {low:g}" if high is None else f"{low:g} to {high:g}"

    def level(what: str) -> str:
        found: dict[str, str] = {}
        for arm in arms:
            level = sheet.levels.get(arm, {}).get(metric.name)
            value = getattr(metric if level is None else level, what)
            if value is not None:
                source = "exact" if level is not None and level.exact else "declared"
                found[arm] = f"{scale.write(value)} ({source})"
        if len(found) == len(arms) and len(set(found.values())) == 1:
            return found[arms[0]]
        return visible("; ".join(f"{arm}: {text}" for arm, text in found.items())) or "not known"

    return {
        "name": visible(metric.name),
        "summary": visible(metric.summary),
        "kind": "share of successes" if metric.kind == "binary" else "graded",
        "better": {"higher": "higher is better", "lower": "lower is better", "none": "neither end is better"}[
            metric.direction
        ],
        "range": ends + (f" {visible(metric.unit)}" if metric.unit else ""),
        "chance": level("chance"),
        "ceiling": level("ceiling"),
        "failure": "left out" if metric.failure is None else f"counts as {metric.failure:g}",
        "primary": "primary" if metric.primary else "",
    }


def _warnings(made: Sequence[Standing], sheets: dict[_GroupKey, tuple[TaskSheet, int]]) -> Iterable[str]:
    for key, (_, items) in sorted(sheets.items()):
        where = visible(f"{key[0]}@{key[1]}, tier {key[2]}")
        own = [s for s in made if _group(s) == key and s.primary]
        units = {s.unit for s in own}
        if items == 1:
            yield f"{where}: one item was played. Nothing can be claimed beyond this item, however many samples it has."
        elif "stream" in units and min(s.units for s in own) < 6:
            yield f"{where}: under 6 streams. The numbers describe these agent states only."
        elif items < 30:
            yield (
                f"{where}: {items} items. Differences that look large may be chance; intervals are wide and "
                "marked sparse."
            )


def _flags(made: Sequence[Standing]) -> Iterable[str]:
    for s in made:
        if not s.primary or not s.flag:
            continue
        text = f"{s.model} in {s.task}@{s.version}, tier {s.tier}, arm {s.arm}: {s.flag}."
        if (s.error or s.missing) and math.isfinite(s.worst):
            text += (
                f" Unscored samples are left out; had all of them been at the lower or the upper end, the mean would "
                f"lie between {s.worst:.3f} and {s.best:.3f}."
            )
        yield visible(text)


def _provenance(entry: Entry) -> Provenance:
    manifest, spec = entry.run.manifest, entry.run.manifest.spec
    facts = {
        "model": f"{spec.backend}",
        "identity": spec.model_identity or "not recorded",
        "agent": spec.agent.name,
        "decoding": entry.decoding,
        "tier": spec.tier,
        "samples an item": f"{spec.samples}",
        "seed": f"{spec.seed}",
        "tasks": ", ".join(f"{t.name}@{t.version} ({t.items} items, {t.items_hash})" for t in spec.tasks),
        "started": manifest.created,
        "last written": manifest.updated,
        "Finchmark": manifest.finchmark,
        "specification": manifest.spec_hash,
        "state": "complete" if manifest.complete else "not complete",
    }
    samples = entry.samples
    rare = samples[samples["outcome"] != "ok"]
    reasons = rare.groupby(["outcome", "reason"]).size().reset_index(name="n")
    ordered = sorted(
        ((str(o), str(r) or "no reason given", int(n)) for o, r, n in reasons.itertuples(index=False)),
        key=lambda row: (-row[2], row[0], row[1]),
    )
    more = [*_flatten("model", manifest.model), *_flatten("environment", manifest.environment)]
    return Provenance(
        name=visible(entry.name),
        facts=tuple((name, visible(value)) for name, value in facts.items()),
        more=tuple((visible(name), visible(value)) for name, value in more),
        reasons=tuple((visible(o), visible(r, 120), n) for o, r, n in ordered[:6]),
        notes=tuple(visible(note) for note in manifest.notes),
    )


def _flatten(path: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _flatten(f"{path}.{key}", value[key])
    elif isinstance(value, (list, tuple)):
        yield path, ", ".join(str(v) for v in value)
    else:
        yield path, str(value)
