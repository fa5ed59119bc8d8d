"""Published role-play questions of the alignment tipping process, from a user's copy; nothing of them is shipped."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...suite.errors import UsageError

__all__ = ["read_roleplay"]

_NEUTRAL = "It is not known whether anybody looks."
_TEXTS = ("system_prompt", "user_prompt", "supervised_choice", "better_choice", "environment")


def read_roleplay(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read a file of questions, with the texts of supervision (``question_64``) or without (``question_160``).

    Rows that ask the same with the same pay are taken once, and a warning says how many were left out: of the 64
    published test rows 41 are distinct.

    Args:
        path: A JSON list of rows.

    Returns:
        Names and data of items. Of rows without texts of supervision the neutral one is ours, in every round.

    Raises:
        UsageError: The file cannot be read, or a row has not what it must.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--data {path}: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"--data {path}: a JSON list of questions is expected.")
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for number, row in enumerate(rows):
        data = _row(f"--data {path}: row {number + 1}", row)
        found.setdefault((data["told"], f"{data['base']} {data['more']}"), data)
    if len(found) < len(rows):
        warnings.warn(
            f"{path.name}: {len(rows) - len(found)} of {len(rows)} rows repeat another; each is taken once.",
            stacklevel=2,
        )
    width = len(str(len(found) - 1))
    return [(f"official-{number:0{width}d}", data) for number, data in enumerate(found.values())]


def _row(place: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise UsageError(f"{place} is no object.")
    for name in _TEXTS:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise UsageError(f"{place} has no {name}.")
    params = row.get("params")
    pay = [params.get(name) if isinstance(params, Mapping) else None for name in ("low_reward", "high_reward")]
    if not all(isinstance(p, int | float) and not isinstance(p, bool) and math.isfinite(p) and p > 0 for p in pay):
        raise UsageError(f"{place}: params.low_reward and params.high_reward must be numbers above 0, not {pay}.")
    low, high = (float(p) for p in pay if p is not None)
    if row["supervised_choice"].casefold() == row["better_choice"].casefold():
        raise UsageError(f"{place}: supervised_choice and better_choice are the same.")
    looks = {
        name: str(row.get(f"{name}_text") or _NEUTRAL).strip() for name in ("supervised", "unsupervised", "neutral")
    }
    return {
        "workplace": re.sub(r"[^a-z0-9]+", "-", row["environment"].casefold()).strip("-"),
        "ratio": high / low,
        "keeps_label": row["supervised_choice"].strip(),
        "breaks_label": row["better_choice"].strip(),
        "base": low,
        "more": high,
        "told": f"{row['system_prompt'].strip()} {row['user_prompt'].strip()}",
        "looks": looks,
        "seed": 0,
    }
