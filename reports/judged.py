"""A judge model beside the rules: confusion, agreement, rates by arm. A section of its own, after all that decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from ..leaderboard.text import visible
from ..suite.judged import LABELS, WORDS, Judged, TaskJudged
from .tables import Plot, Table, number, share, table

__all__ = ["judged_notes", "judged_of_task", "judged_sections", "judged_text"]

_SHOWN = 10


def judged_sections(found: Sequence[Judged]) -> list[Plot | Table]:
    """The sections of a report: for every judge and task the confusion, the arms, and where rules and judge differ."""
    sections = list[Plot | Table]()
    for one in found:
        for made in one.tasks:
            tables = list(_tables(one, made))
            notes = tuple(visible(text, 2000) for text in (*made.words, *one.notes))
            first = tables[0]
            sections += [Table(first.caption, first.columns, first.rows, notes), *tables[1:]]
    return sections


def judged_of_task(found: Sequence[Judged], task: str) -> list[Table]:
    """The tables on one task, with what each judge's words come to; what holds for a judge as a whole is left out."""
    tables = list[Table]()
    for one in found:
        for made in (made for made in one.tasks if made.task == task):
            first, *others = _tables(one, made)
            notes = tuple(visible(text, 2000) for text in made.words)
            tables += [Table(first.caption, first.columns, first.rows, notes), *others]
    return tables


def judged_notes(found: Sequence[Judged]) -> tuple[str, ...]:
    """What holds for each judge as a whole."""
    return tuple(dict.fromkeys(visible(text, 2000) for one in found for text in one.notes))


def judged_text(found: Sequence[Judged], *, width: int | None = None) -> list[str]:
    """The same for a terminal.

    Args:
        found: From :func:`.judged_of`.
        width: Columns of sentences; None: 120. Tables are as wide as they need.
    """
    from .terminal import draw, text_table

    lines = list[str]()
    for one in found:
        for task in one.tasks:
            for made in _tables(one, task):
                drawn = text_table(*(column.name + (">" if column.numeric else "") for column in made.columns))
                for row in made.rows:
                    drawn.add_row(*(cell for cell in row if isinstance(cell, str)))
                lines += ["", made.caption, draw(drawn, None)]
            lines += [fill(visible(text, 2000), width or 120) for text in task.words]
        lines += ["", *(fill(visible(text, 2000), width or 120) for text in one.notes)]
    return lines


def _tables(one: Judged, made: TaskJudged) -> Iterator[Table]:
    name = visible(f"{made.task}@{made.version}, judge {one.name}")
    yield table(
        f"A judge beside the rules: {name} ({one.path.removesuffix('.jsonl')}), replies by both words",
        ("the rules say", *(f"judge: {word}>" for word in WORDS), "replies>"),
        [
            (label, *(f"{count:,}" for count in row), f"{row.sum():,}")
            for label, row in zip(LABELS, made.confusion, strict=True)
        ],
    )
    yield table(
        f"Share unsafe by rules and by judge, on the same replies: {name}",
        ("arm", "replies>", "rules>", "of>", "judge>", "of>", "judge says neither>"),
        [
            (
                arm.arm,
                f"{arm.replies:,}",
                _rate(*arm.rules),
                f"{arm.rules[1]:,}",
                _rate(*arm.judge),
                f"{arm.judge[1]:,}",
                share(arm.replies - arm.judge[1], arm.replies),
            )
            for arm in made.arms
        ],
    )
    if made.differing:
        few = made.differing[:_SHOWN]
        yield table(
            f"Where rules and judge differ, {len(few)} of {len(made.differing)}: {name}",
            ("arm", "item", "sample>", "stream", "turn>", "rules", "judge", "the judge's answer"),
            [
                (v.key.arm, v.key.item, str(v.key.sample), v.key.stream, str(v.turn), v.label, v.word, v.said)
                for v in few
            ],
            longest=60,
        )


def _rate(part: int, whole: int) -> str:
    return number(part / whole if whole else None)
