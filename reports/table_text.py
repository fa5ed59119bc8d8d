"""Tables of a report as text for a terminal, with their captions and notes."""

from __future__ import annotations

from textwrap import fill

from .tables import Table

__all__ = ["table_text"]


def table_text(made: Table, *, width: int | None = None) -> list[str]:
    """Write a table line by line: an empty line, its caption, itself, its notes.

    Args:
        made: The table; what leads to other pages is left out.
        width: Columns of notes; None: 120. The table is as wide as it needs.
    """
    from .terminal import draw, text_table

    drawn = text_table(*(column.name + (">" if column.numeric else "") for column in made.columns))
    for row in made.rows:
        drawn.add_row(*(cell for cell in row if isinstance(cell, str)))
    return ["", made.caption, draw(drawn, None), *(fill(note, width or 120) for note in made.notes)]
