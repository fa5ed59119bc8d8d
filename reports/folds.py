"""Folds of a report: sections that are closed until somebody asks, each with a line that says what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .tables import Plot, Table

__all__ = ["Fold", "Folds", "Part", "anchors"]

_NOT_PLAIN = re.compile("[^a-z0-9]+")


@dataclass(frozen=True)
class Part:
    """A section within a fold, with a heading of its own; the fold says already what it is of."""

    title: str
    section: Plot | Table


@dataclass(frozen=True)
class Fold:
    """A section that can be opened; its text is not escaped yet, but all of it is fit to be seen.

    Attributes:
        name: Its anchor, inside of what is folded: a browser opens a fold to show what a link leads to.
        title: What it is of.
        line: What is seen while it is closed: an entry for each of the group's heads.
        parts: What is seen when it is open.
        notes: What stands before them.
        open: Whether it is open from the start.
    """

    name: str
    title: str
    line: tuple[str, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True)
class Folds:
    """Folds under one heading.

    Attributes:
        name: Its anchor.
        title: Its heading.
        lead: What they are, in a sentence or two.
        heads: What the entries of the lines are.
        folds: In order.
        notes: What a reader must know besides.
        reading: What the words mean, folded.
    """

    name: str
    title: str
    lead: str
    heads: tuple[str, ...]
    folds: tuple[Fold, ...]
    notes: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()


def anchors(names: Sequence[str], prefix: str) -> dict[str, str]:
    """Make anchors of names: letters, digits and hyphens; each unlike all others.

    Args:
        names: Each once.
        prefix: What all anchors begin with, so that nothing else in the page is named so.
    """
    found = dict[str, str]()
    for name in names:
        base = f"{prefix}-{_NOT_PLAIN.sub('-', name.lower()).strip('-')}".rstrip("-")
        anchor, k = base, 1
        while anchor in found.values():
            k += 1
            anchor = f"{base}-{k}"
        found[name] = anchor
    return found
