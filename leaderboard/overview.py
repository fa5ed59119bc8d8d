"""The overview: every family of tasks with its ranking and its table of models, as plain data for the template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .cells import Cell, Name, cell, name_of, reference_order, sort_key
from .columns import Column, SheetKey
from .lineup import Lineup
from .notices import Notices, notices
from .overall import Overall
from .scale import Bar, Scale
from .sheets import Gloss, gloss, item_set
from .text import plural

__all__ = ["Family", "Heading", "Matrix", "Overview", "Ranking", "Row", "matrix", "overview", "ranking"]


@dataclass(frozen=True)
class Row:
    """One entry across the columns of a table."""

    name: Name
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Heading:
    """A column as it is headed; ``label`` says all of it in one line, for a screen reader."""

    arm: str
    metric: str
    unit: str
    direction: str
    label: str


@dataclass(frozen=True)
class Group:
    """The columns of one task under their common head."""

    title: str
    details: str
    file: str
    headings: tuple[Heading, ...]


@dataclass(frozen=True)
class Matrix:
    """Models by tasks. ``sorted_by`` counts the columns from 0 without the names.

    ``levels`` names the drawing of chance and ceiling by column, ``marks`` holds these drawings.
    """

    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    references: tuple[Row, ...]
    withdrawn: tuple[Row, ...]
    stated: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    sorted_by: int | None
    levels: tuple[str, ...]
    marks: tuple[tuple[str, Bar], ...]

    @property
    def width(self) -> int:
        """Columns, the names counted."""
        return 1 + sum(len(group.headings) for group in self.groups)


@dataclass(frozen=True)
class Ranked:
    """A line of a ranking: ``span`` is the interval of ranks drawn, first place at the left."""

    name: Name
    rank: str
    span: Bar | None
    letters: str
    score: Cell


@dataclass(frozen=True)
class Ranking:
    """A ranking over tasks."""

    title: str
    tasks: tuple[tuple[str, str], ...]
    """Name and page of each task in it."""
    left_out: tuple[tuple[str, str], ...]
    rows: tuple[Ranked, ...]
    unranked: tuple[tuple[Name, str], ...]


@dataclass(frozen=True)
class Family:
    """The tasks whose names begin alike."""

    name: str
    anchor: str
    rankings: tuple[Ranking, ...]
    matrix: Matrix


@dataclass(frozen=True)
class Listed:
    """A task in the list of tasks."""

    title: str
    details: str
    file: str
    summary: str
    primary: Gloss


@dataclass(frozen=True)
class Overview:
    """The whole page."""

    families: tuple[Family, ...]
    tasks: tuple[Listed, ...]
    pairs: tuple[tuple[str, str, str], ...]
    """Two names and their page."""
    notices: Notices
    models: int
    withdrawn: int
    methods: tuple[str, ...]
    versions: tuple[str, ...]
    lost: int


def overview(lineup: Lineup) -> Overview:
    """Lay out the overview; all text is still unescaped."""
    families = []
    for number, family in enumerate(lineup.families, 1):
        own = [c for c in lineup.columns if c.key.sheet.family == family]
        rankings = tuple(ranking(lineup, o) for o in lineup.overalls if o.family == family)
        families.append(Family(family, f"family-{number}", rankings, matrix(lineup, own, f"levels-{number}")))
    tasks = []
    for sheet in lineup.sheets:
        own = [c for c in lineup.columns if c.key.sheet == sheet]
        file = lineup.file_of(sheet)
        tasks.append(
            Listed(title(sheet), item_set(own[0]), file, own[0].sheet.summary, gloss(lineup, own, own[0].primary))
        )
    primary = [s for s in lineup.standings if s.primary]
    return Overview(
        families=tuple(families),
        tasks=tuple(tasks),
        pairs=tuple((a, b, lineup.files["pair", a, b]) for a, b in lineup.pairs),
        notices=notices(lineup, lineup.columns),
        models=sum(1 for e in lineup.entries if e.listed),
        withdrawn=sum(1 for e in lineup.entries if e.withdrawn),
        methods=tuple(sorted({s.method for s in lineup.standings} - {"none"})),
        versions=tuple(sorted({e.run.manifest.finchmark for e in lineup.entries})),
        lost=sum(s.error + s.missing for s in primary),
    )


def title(sheet: SheetKey) -> str:
    """A task as it is headed."""
    return f"{sheet.task}@{sheet.version}"


def names(lineup: Lineup) -> dict[str, Name]:
    """How the entries introduce themselves."""
    return {e.name: name_of(e, lineup.files["model", e.name]) for e in lineup.entries}


def ranking(lineup: Lineup, overall: Overall) -> Ranking:
    """Lay out a ranking over tasks."""
    known, n = names(lineup), len(overall.averages)
    ranks = Scale(1, max(n, 2), 0)
    shown = [v for a in overall.averages.values() for v in (a.mean, a.low, a.high) if math.isfinite(v)]
    scale = Scale(min([0.0, *shown]), max([1.0, *shown]), 3)
    rows = []
    for name, average in overall.averages.items():
        place = overall.places.get(name)
        marks = (("sparse", "A task in it has under 30 units or under 5 events."),) if average.sparse else ()
        score = Cell(
            scale.write(average.mean),
            scale.span(average.low, average.high),
            "",
            f"{average.mean:.9g}",
            scale.bar(average.mean, average.low, average.high, chance=0.0, ceiling=1.0),
            marks=marks,
        )
        span = None if place is None else Bar(ranks.place(place.low), ranks.place(place.high), None)
        rows.append(Ranked(known[name], place.ranks if place else "1", span, place.letters if place else "", score))
    arm = "" if overall.arm == "default" else f", {overall.arm}"
    return Ranking(
        title=f"{overall.family}: {overall.tier}, {overall.items_kind} items{arm}",
        tasks=tuple((title(c.key.sheet), lineup.file_of(c.key.sheet)) for c in overall.columns),
        left_out=tuple((title(c.key.sheet), why) for c, why in overall.left_out),
        rows=tuple(rows),
        unranked=(
            *(
                (known[name], f"has no score in {plural(lacks, 'task')} of these")
                for name, lacks in overall.unranked.items()
            ),
            *(
                (known[e.name], "stopped early by a gate")
                for e in lineup.entries
                if e.listed and e.stopped_early and any(e.name in c.entries for c in overall.columns)
            ),
        ),
    )


def matrix(lineup: Lineup, columns: Sequence[Column], prefix: str) -> Matrix:
    """Lay out models by columns; the fullest column sorts the rows.

    Args:
        lineup: The entries side by side.
        columns: The columns.
        prefix: Begins the names of the drawings, which are unique on a page.
    """
    known = names(lineup)

    def row(name: str) -> Row:
        made = []
        for column in columns:
            s = column.primary_of(name)
            made.append(None if s is None else cell(s, lineup.scale(column), lineup.place(column, name)))
        return Row(known[name], tuple(made))

    here = [e for e in lineup.entries if any(e.name in c.entries for c in columns)]
    rows = [row(e.name) for e in here if e.listed]
    sorted_by = None
    if rows:
        filled = [sum(1 for r in rows if (c := r.cells[i]) is not None and c.sort) for i in range(len(columns))]
        sorted_by = chosen = filled.index(max(filled))
        sign = columns[chosen].sign or 1
        rows.sort(key=lambda r: (sort_key(r.cells, chosen, sign), r.name.text))
    references = sorted((e for e in here if e.reference and not e.withdrawn), key=reference_order)
    groups = []
    for sheet in dict.fromkeys(c.key.sheet for c in columns):
        headings = tuple(
            Heading(
                c.key.arm,
                c.primary.name,
                c.primary.unit,
                c.primary.direction,
                f"{title(sheet)}, {sheet.tier}, {c.key.arm}: {c.primary.name}",
            )
            for c in columns
            if c.key.sheet == sheet
        )
        details = item_set(next(c for c in columns if c.key.sheet == sheet))
        groups.append(Group(title(sheet), details, lineup.file_of(sheet), headings))
    return Matrix(
        groups=tuple(groups),
        rows=tuple(rows),
        references=tuple(row(e.name) for e in references),
        withdrawn=tuple(row(e.name) for e in here if e.withdrawn),
        stated=stated(lineup, columns),
        sorted_by=sorted_by,
        levels=tuple(f"{prefix}-{i}" for i in range(len(columns))),
        marks=tuple((f"{prefix}-{i}", _levels(lineup, c)) for i, c in enumerate(columns)),
    )


def _levels(lineup: Lineup, column: Column) -> Bar:
    scale = lineup.scale(column)
    return Bar(None, None, None, scale.place(column.level("chance")[0]), scale.place(column.level("ceiling")[0]))


def stated(lineup: Lineup, columns: Sequence[Column]) -> tuple[tuple[str, tuple[Cell | None, ...]], ...]:
    """Chance and ceiling as rows, for columns in which no such policy was run."""
    rows = []
    for what, heading in (("chance", "Chance (random policy)"), ("ceiling", "Ceiling (oracle)")):
        cells: list[Cell | None] = []
        for column in columns:
            value, source = column.level(what)
            if value is None or column.played(what) is not None:
                cells.append(None)
                continue
            scale = lineup.scale(column)
            cells.append(Cell(scale.write(value), "", f"stated, {source}", "", scale.bar(value, None, None)))
        if any(cells):
            rows.append((heading, tuple(cells)))
    return tuple(rows)
