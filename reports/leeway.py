"""The column of what is open: between what an estimate lies, the same in all tables."""

from __future__ import annotations

from ..suite.leeway import Leeway
from .tables import interval

__all__ = ["WHICHEVER_HEAD", "WHICHEVER_WAY", "whichever_way"]

WHICHEVER_HEAD = "whichever way>"
"""Head of the column."""

WHICHEVER_WAY = (
    "Whichever way: between what the estimate lies over all units if every reply without a decision, every round that "
    "was not come to and every lost or stopped sample had gone one way or the other; – where there are none. The "
    "estimate itself is of what is known and may lie outside. A verdict counts as one that this could turn around "
    "where not all of it, with its confidence bounds, is on one side of 0."
)


def whichever_way(leeway: Leeway | None) -> str:
    """What stands in the column."""
    return "–" if leeway is None else interval(leeway.least, leeway.most)
