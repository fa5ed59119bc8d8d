"""Bounds of exploitability of a run in a table, with all that they rest on."""

from __future__ import annotations

import math
from typing import Any

from ...suite.store import StoredRun
from .exploitability import Exploitability, exploitability_of_uniform
from .wordings import shares

__all__ = ["bounds_text"]

_ASSUMES = (
    "n: draws at each information state; calls: answers asked for. held-out: what best responses fitted on half of the "
    "draws win on the other half; low, high: a 95 % interval of the exploitability; plug-in: what one would have "
    "claimed without a split. In the games' own units; uniform play's exploitability beside.",
    "All of it assumes that draws at a state are independent and of one distribution: greedy decoding (fixed 1.00) is "
    "one pure policy, and a model that changes meanwhile breaks it.",
)


def bounds_text(run: StoredRun) -> str:
    """The table of ``games/exploitability``, one row a sample, and whose the variance of the scores is.

    Args:
        run: A run that has the task.
    """
    frame = run.frame()
    frame = frame[frame["task"] == Exploitability.name]
    if frame.empty:
        return f"This run has no sample of {Exploitability.name}."
    rows: list[dict[Any, Any]] = frame.sort_values(["arm", "item", "sample"]).to_dict("records")
    lines = [
        f"{'arm':7} {'item':26} {'sample':>6} {'outcome':8}{'n':>5}{'calls':>7}{'score':>8}{'held-out':>10}{'low':>8}"
        f"{'high':>8}{'plug-in':>9}{'uniform':>9}{'fixed':>7}{'unusable':>10}"
    ]
    for row in rows:
        game = _cell(row)[0]
        numbers = (
            ("draws_per_state", 5, 0), ("questions", 7, 0), ("score", 8, 3), ("held_out", 10, 3),
            ("exploitability_low", 8, 3), ("exploitability_high", 8, 3), ("plug_in", 9, 3),
        )  # fmt: skip
        lines.append(
            f"{row['arm']:7} {row['item']:26} {row['sample']:6} {row['outcome']:8}"
            + "".join(_number(row[name], wide, places) for name, wide, places in numbers)
            + _number(exploitability_of_uniform(game), 9, 3)
            + _number(row["fixed_states"], 7, 2)
            + _number(row["unusable_rate"], 10, 2)
        )
    for arm in sorted(frame["arm"].unique()):
        cells: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            if row["arm"] == arm and row["score"] is not None and not math.isnan(row["score"]):
                cells.setdefault(_cell(row), []).append(row["score"])
        found = shares(cells)
        if found is not None:
            parts = {
                "game": found.game,
                "wording": found.wording,
                "wording by game": found.both,
                "samples": found.sample,
            }
            told = ", ".join(f"{name} {value:.2f}" for name, value in parts.items() if not math.isnan(value))
            lines.append(
                f"Estimated shares of the variance of a score in {arm}: {told}; no effect of the wording in these "
                f"games: p = {found.pvalue:.3f} (F test)."
            )
    return "\n".join([*lines, *_ASSUMES])


def _cell(row: dict[Any, Any]) -> tuple[str, str]:
    """Game and wording of an item's name."""
    game, _, wording = row["item"].split("-", 2)
    return game, wording


def _number(value: float | None, wide: int, places: int) -> str:
    missing = value is None or math.isnan(value)
    return f"{'-':>{wide}}" if missing else f"{value:{wide}.{places}f}"
