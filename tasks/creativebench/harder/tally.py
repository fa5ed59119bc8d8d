"""What the filters caught: every candidate is counted once at each filter that looked at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["STAGES", "Caught", "Event", "tally", "tally_table"]

STAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "explore": {
        "analyse": ("empty",),
        "propose": ("unreadable", "repeated", "toothless"),
        "solve": ("no_program", "breaks_rules", "fails_tests", "tampered"),
        "level": ("unsolved",),
        "item": ("no_level", "faulty"),
    },
    "combo": {
        "fuse": ("no_program", "taken_name", "lost_parent"),
        "cases": ("unreadable", "too_few", "parents_pass", "not_joined", "weak"),
        "state": ("unreadable", "leaks"),
        "solve": ("no_program", "fails_tests", "tampered"),
        "item": ("not_made", "unsolvable", "trivial", "duplicate", "faulty"),
    },
}
"""By track and stage its filters, in the order in which a candidate meets them."""


@dataclass(frozen=True, slots=True)
class Event:
    """What became of one candidate at one stage.

    Args:
        unit: ``explore/NAME`` or ``combo/NUMBER``.
        stage: Of :data:`STAGES`.
        attempt: From 0.
        caught: The filter that caught it; empty where none did.
        detail: Why, or what it is, in a line.
    """

    unit: str
    stage: str
    attempt: int
    caught: str
    detail: str


@dataclass(frozen=True, slots=True)
class Caught:
    """One filter's count.

    Args:
        track: ``explore`` or ``combo``.
        stage: Of the track.
        name: The filter; empty: what got through the stage.
        caught: Candidates that it caught, or that got through.
        entered: Candidates that it looked at.
    """

    track: str
    stage: str
    name: str
    caught: int
    entered: int


def tally(events: Sequence[Event]) -> list[Caught]:
    """Count events by filter.

    Raises:
        ValueError: A stage or filter is not known.
    """
    found = []
    for track, stages in STAGES.items():
        mine = [e for e in events if e.unit.partition("/")[0] == track]
        for stage, filters in stages.items():
            here = [e.caught for e in mine if e.stage == stage]
            entered = len(here)
            for name in filters:
                count = here.count(name)
                found.append(Caught(track, stage, name, count, entered))
                entered -= count
            found.append(Caught(track, stage, "", here.count(""), len(here)))
            if entered != here.count(""):
                raise ValueError(f"{track}/{stage} has no filter {sorted(set(here) - {'', *filters})}")
        if unknown := {e.stage for e in mine} - set(stages):
            raise ValueError(f"{track} has no stage {sorted(unknown)[0]!r}")
    return found


def tally_table(counts: Sequence[Caught]) -> str:
    """The counts as text; stages that nothing entered are left out."""
    lines = [f"{'stage':<18} {'filter':<14} {'caught':>7} {'of':>6}"]
    for row in counts:
        totals = [c.entered for c in counts if (c.track, c.stage, c.name) == (row.track, row.stage, "")]
        if totals[0]:
            name = row.name or "= passed"
            lines.append(f"{row.track + '/' + row.stage:<18} {name:<14} {row.caught:>7} {row.entered:>6}")
    return "\n".join(lines)
