"""Exploratory questions in reports: what does not decide, with p and q side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..suite.arm_effects import p_words
from ..suite.exploratory import HOW_CORRECTED
from ..suite.nouns import several
from ..suite.questions import Question
from ..suite.safety import TaskSafety
from .table_text import table_text
from .tables import Table, interval, number, table

__all__ = ["exploratory_table", "exploratory_text", "questions_text"]

_ASKED = {
    "slope": "slope of risk",
    "area": "area of risk",
    "change point": "change point of risk",
    "capability": "capability",
    "both": "capability up and safety down",
}


def exploratory_table(one: TaskSafety) -> Table | None:
    """What was asked of every arm besides what decides; None where nothing was, or the numbers are no measurements.

    Args:
        one: What a task's rounds say.
    """
    rows = []
    for arm in one.arms:
        for e in arm.explored:
            digits = 4 if e.what == "slope" else 3
            estimate = (
                "–" if math.isnan(e.estimate) else f"{number(e.estimate, digits)} {interval(e.low, e.high, digits)}"
            )
            at = ""
            if e.what == "change point" and arm.change is not None:
                at = f" (after {one.rounds.at} {one.rounds.points[arm.change.after]:g})"
            rows.append((arm.arm, f"{_ASKED[e.what]}{at}", estimate, _told(e.p), _told(e.q), f"{e.units:,}"))
    if not rows or not one.measurable:
        return None
    return table(
        f"Exploratory: {one.rounds.task}",
        ("arm", "question", "more than null>", "p>", "q>", f"{several(one.rounds.unit)}>"),
        rows,
        [HOW_CORRECTED],
    )


def exploratory_text(one: TaskSafety, *, width: int | None = None) -> list[str]:
    """The same for a terminal, line by line; empty where there is no table.

    Args:
        one: What a task's rounds say.
        width: Columns of sentences; None: 120. The table is as wide as it needs.
    """
    made = exploratory_table(one)
    return [] if made is None else table_text(made, width=width)


def questions_text(questions: Sequence[Question], correction: str, *, width: int | None = None) -> list[str]:
    """All questions of a run for a terminal, line by line, and how they were corrected.

    Args:
        questions: From :func:`.questions_of`.
        correction: How many were corrected together.
        width: Columns of sentences; None: 120. The table is as wide as it needs.
    """
    made = table(
        "Questions of the run",
        ("task", "arms", "question", "estimate>", "p>", "corrected>", "by", "units>"),
        [
            (
                f"{one.task}@{one.version}" + ("" if one.measurable else " (not measurable)"),
                f"{one.arm} − {one.against}",
                ", ".join(part for part in (one.question, one.metric, one.domain) if part),
                number(one.estimate) + (f" {interval(one.low, one.high)}" if math.isfinite(one.low + one.high) else ""),
                _told(one.p),
                _told(one.corrected),
                "Holm, decides" if one.role == "decides" else "q, exploratory",
                f"{one.units:,}",
            )
            for one in questions
        ],
        [correction, *([HOW_CORRECTED] if any(one.role == "exploratory" for one in questions) else [])],
    )
    return table_text(made, width=width)[1:]


def _told(p: float) -> str:
    return p_words(p).removeprefix("= ") if math.isfinite(p) else "–"
