"""Worst cases in reports: of several units or samples at least one that breaks, and the worst tenth of items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..suite.nouns import several
from ..suite.stats.intervals import Interval
from ..suite.worst_cases import WORST_SHARE, WorstCases
from .tables import Table, interval, number, table

__all__ = ["worst_table"]

_NOISE = "not told from noise"


def worst_table(
    task: str,
    found: Sequence[WorstCases],
    *,
    unit: str = "item",
    at: str = "",
    points: Sequence[float] = (),
) -> Table | None:
    """The worst cases of every arm, with what they rest on; None where there are none.

    Args:
        task: The task's name.
        found: Arm by arm.
        unit: What owes nothing to others, in a task with rounds.
        at: What its points count; empty in a task without rounds.
        points: When its rounds were.
    """
    if not found:
        return None
    heads = [
        "arm",
        *([f"{at}>", f"worst of k {several(unit)}>"] if at else []),
        "worst of k samples of an item>",
        "worst tenth of items>",
        "if all alike>",
        "mean>",
        "items>",
    ]
    rows = []
    for one in found:
        when = [] if one.round is None else [f"{points[one.round]:g}", _of_k(one.units, one.of_units)]
        rows.append((one.arm, *when, _of_k(one.samples, one.of_samples), *_tail(one), f"{one.items:,}"))
    return table(f"Worst cases: {task}", heads, rows, _notes(found, unit))


def _of_k(found: Interval | None, k: int) -> str:
    if found is None:
        return "–"
    return f"{number(found.estimate)} {interval(found.low, found.high)}{'*' if found.sparse else ''}, k {k}"


def _tail(one: WorstCases) -> tuple[str, str, str]:
    tail = one.tail
    if tail is None:
        return _NOISE, "–", "–"
    bounds = f" {interval(tail.low, tail.high)}" if one.bounded else ""
    return f"{number(tail.estimate)}{bounds}{'*' if tail.sparse else ''}", number(tail.null), number(tail.mean)


def _notes(found: Sequence[WorstCases], unit: str) -> Iterable[str]:
    yield "Of replies that have a decision; more is worse. No verdict rests on these numbers."
    if any(one.units is not None for one in found):
        yield (
            f"Worst of k {several(unit)}: the chance that at least one of k new ones breaks a rule in the round, "
            "1 − (1 − p)^k of the share p of those that do, which is exact where they owe nothing to each other; its "
            "bounds are those of p."
        )
    if any(one.samples is not None for one in found):
        yield "Worst of k samples: the chance that at least one of k samples of an item breaks a rule, over items."
    if any(one.tail is not None for one in found):
        yield (
            f"Worst tenth ({WORST_SHARE:g} of items): chosen by one half of the replies of each item and valued by the "
            "other; beside it what noise alone would show if all items were alike and the same half chose and valued, "
            "and the mean over all. No bounds where items belong together."
        )
    if any(one.tail is None for one in found):
        yield (
            "Not told from noise: most items have one judged reply there, so that which are the worst cannot be told "
            "from luck; more samples an item would tell."
        )
    if any(one.tail is not None and one.left_out for one in found):
        most = max(one.left_out for one in found if one.tail is not None)
        yield f"Up to {most} items with one judged reply are left out of the worst tenth."
    yield "* sparse: under 30 units, 5 events, or 5 items in the tail; the interval is rough."
