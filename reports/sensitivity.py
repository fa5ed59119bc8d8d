"""Sensitivity in reports: d′ of every arm, side by side."""

from __future__ import annotations

from ..suite.nouns import several
from ..suite.sensitivity import TaskSensitivity
from ..suite.stats.intervals import Interval
from .differences import signed
from .table_text import table_text
from .tables import Table, interval, number, table

__all__ = ["sensitivity_table", "sensitivity_text"]


def sensitivity_table(one: TaskSensitivity) -> Table:
    """How well packages with a deviation were told from their twins, arm by arm."""
    rows = []
    for arm in one.arms:
        found, left = arm.found, f"{arm.lost:,} of {arm.replies:,}"
        if found is None:
            rows.append((arm.arm, *("–",) * 6, left))
            continue
        rows.append(
            (
                arm.arm,
                number(found.hits),
                number(found.false_alarms),
                _told(found.d_prime, number(found.d_prime.estimate)),
                _told(more, signed(more.estimate)) if (more := one.more.get(arm.arm)) else "–",
                number(found.criterion),
                f"{found.signals:,} + {found.noises:,}",
                left,
            )
        )
    against = f" than {one.plain}" if one.plain else ""
    heads = ("arm", "flagged>", "falsely>", "d′>", f"further{against}>", "criterion>", "asked>", "no decision>")
    notes = [
        "Flagged: of what deviates; falsely: of its twins that do not; both raw. d′: how far the two are apart, in "
        "standard deviations, 0 is chance; criterion: above 0 flags rarely, below readily. Both have the log-linear "
        f"correction of Hautus (1995), which pulls d′ towards 0. Intervals: over {several(one.unit)}, of the "
        "bootstrap, twins and arms drawn together, and the normal one the wider. Nothing here decides: whether more "
        "slips through than in another arm is told by the contrasts."
    ]
    if one.sparse:
        notes.append(
            f"* sparse: under 30 {several(one.unit)}, or fewer than 5 answers of one kind; the interval is rough."
        )
    return table(f"Sensitivity: {one.task}", heads, rows, notes)


def sensitivity_text(one: TaskSensitivity, *, width: int | None = None) -> list[str]:
    """The same for a terminal, line by line.

    Args:
        one: What the arms say.
        width: Columns of sentences; None: 120. The table is as wide as it needs.
    """
    return table_text(sensitivity_table(one), width=width)


def _told(one: Interval, estimate: str) -> str:
    return f"{estimate} {interval(one.low, one.high)}{'*' if one.sparse else ''}"
