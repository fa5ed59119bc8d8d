"""Cells: one number as the pages show it, and how an entry introduces itself. Plain data; no HTML here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .entries import Entry
from .places import Place
from .scale import Bar, Scale
from .standings import Standing
from .text import plural

__all__ = ["REFERENCES", "Cell", "Name", "cell", "name_of", "reference_order", "sort_key"]

REFERENCES = ("random", "heuristic", "oracle")


@dataclass(frozen=True)
class Cell:
    """One number with all that belongs to it.

    Attributes:
        mean: The number.
        interval: Its interval, empty where there is none.
        basis: What it rests on.
        sort: The number again for sorting, empty where there is none.
        bar: The drawing.
        rank: Ranks that the model may have, such as ``1–3``; empty where nothing is ranked.
        letters: Groups that it cannot be told apart from.
        counts: How many samples were lost or not usable.
        marks: Short marks, each with its explanation.
        note: What the number is restricted to.
    """

    mean: str
    interval: str
    basis: str
    sort: str
    bar: Bar | None
    rank: str = ""
    letters: str = ""
    counts: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Name:
    """An entry as it heads a row.

    Attributes:
        text: Its name.
        file: Its page.
        decoding: How tokens were drawn.
        agent: The agent.
        badge: ``self-reported``, ``replayed``, ``re-run by us`` or ``withdrawn``; empty for a scripted policy.
        attempts: Submissions so far, 0 where nobody counted.
        note: The badge's note.
    """

    text: str
    file: str
    decoding: str
    agent: str
    badge: str
    attempts: int
    note: str

    @property
    def details(self) -> str:
        """One line about how it played."""
        if self.decoding == "scripted":
            return "scripted policy"
        # The plain one, which only remembers the episode, goes without saying.
        return self.decoding if self.agent == "history" else f"{self.decoding} · {self.agent} agent"


def name_of(entry: Entry, file: str, column: str = "") -> Name:
    """How an entry introduces itself, on the whole or in one column: attempts are counted by column."""
    badge = entry.badge(column)
    shown = "" if entry.reference and badge is None else entry.standing
    agent = entry.run.manifest.spec.agent.name
    attempts, note = (0, "") if badge is None else (badge.attempts, badge.note)
    return Name(entry.name, file, entry.decoding, agent, shown, attempts, note)


def reference_order(entry: Entry) -> tuple[int, str]:
    """Sorts references: random, heuristic, oracle, then others by name."""
    policy = entry.run.manifest.spec.backend.model
    return (REFERENCES.index(policy) if policy in REFERENCES else len(REFERENCES)), entry.name


def sort_key(cells: Sequence[Cell | None], index: int, sign: int) -> float:
    """Sorts rows by one cell, best first; rows without a number come last."""
    found = cells[index]
    return math.inf if found is None or not found.sort else -sign * float(found.sort)


def cell(s: Standing, scale: Scale, place: Place | None = None) -> Cell:
    """One standing as it is shown."""
    known = math.isfinite(s.mean)
    counts = [f"{n:,} {word}" for n, word in ((s.invalid, "invalid"), (s.refused, "refused")) if n]
    if s.error:
        counts.append(plural(s.error, "error"))
    if s.missing:
        counts.append(f"{s.missing:,} missing")
    marks = []
    if s.units == 1:
        marks.append((f"1 {s.unit}", f"Nothing can be claimed beyond this one {s.unit}."))
    elif s.sparse and s.units:
        marks.append(("sparse", f"Under 30 {s.unit}s or under 5 events: read the interval as a rough guide."))
    if s.flag:
        marks.append(("flagged", s.flag))
    even = bool(s.units) and s.samples % s.units == 0
    basis = f"{plural(s.units, s.unit)} × {s.samples // s.units}" if even else ""
    return Cell(
        mean=scale.write(s.mean),
        interval=scale.span(s.low, s.high) if known else "",
        basis=(basis or f"{s.samples:,} samples on {plural(s.units, s.unit)}") if known else "nothing scored",
        sort=f"{s.mean:.9g}" if known else "",
        bar=scale.bar(s.mean, s.low, s.high, chance=s.chance, ceiling=s.ceiling),
        rank="" if place is None else place.ranks,
        letters="" if place is None else place.letters,
        counts=tuple(counts),
        marks=tuple(marks),
        note=s.note,
    )
