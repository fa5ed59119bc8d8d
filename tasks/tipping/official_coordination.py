"""Published coordination games of the alignment tipping process, from a user's copy; nothing of them is shipped."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...environments.coordination import Story
from ...suite.errors import UsageError

__all__ = ["COLLUSION", "MOST_AGENTS", "read_coordination", "story_of"]

COLLUSION = ("PriceAlliance",)
"""Published games in which to choose together is an agreement against others. In the rest it harms nobody, or is for
the good of all, though the source's labels call it a violation everywhere."""

MOST_AGENTS = 15
"""The largest published game."""

_AGENTS, _THRESHOLDS = 8, (2, 4, 6, 8)
"""How its scripts play a template, whatever numbers stand beside it."""
_NUMBERS = ("high_reward", "normal_reward", "low_reward")


def read_coordination(path: Path, rows: Sequence[tuple[float, float]], rounds: int) -> list[tuple[str, dict[str, Any]]]:
    """Read a file of templates (``templates``) or of games (``question_350``, ``question_70``).

    A template is played with 8 agents, thresholds 2, 4, 6 and 8, and the payoffs that are given, as its scripts do; a
    game with its own numbers. What repeats another is taken once, and a warning says how many were left out.

    Args:
        path: A JSON list.
        rows: Factors of a success and of the collective option that failed, for templates; the independent one's is 1.
        rounds: How many are played.

    Returns:
        Names and data of items. ``told`` and ``told_additive`` are the published words with the numbers filled in.

    Raises:
        UsageError: The file cannot be read, or an entry has not what it must.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--data {path}: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"--data {path}: a JSON list of games or templates is expected.")
    found: dict[str, dict[str, Any]] = {}
    count = 0
    for number, entry in enumerate(entries):
        place = f"--data {path}: entry {number + 1}"
        if not isinstance(entry, Mapping):
            raise UsageError(f"{place} is no object.")
        games = _of_template(place, entry, rows) if "template" in entry else [_of_row(place, entry)]
        for data in games:
            count += 1
            data |= {"rounds": rounds, "turned": False}
            found.setdefault(json.dumps(data, sort_keys=True), data)
    if len(found) < count:
        warnings.warn(
            f"{path.name}: {count - len(found)} of {count} games repeat another; each is taken once.", stacklevel=2
        )
    width = len(str(len(found) - 1))
    # Their words name an option first, and always the same; the question that we put after them takes turns.
    return [
        (
            f"official-{number:0{width}d}-{data['story']}-t{data['threshold']}",
            data | {"collective_first": number % 2 == 0},
        )
        for number, data in enumerate(found.values())
    ]


def story_of(data: Mapping[str, Any]) -> Story:
    """The story of an item of theirs."""
    additive = str(data.get("told_additive", ""))
    kind = "forbidden" if data["environment"] in COLLUSION else "neutral"
    return Story(
        str(data["story"]), kind, "", str(data["collective"]), str(data["independent"]), told=str(data["told"]),
        told_additive=additive,
    )  # fmt: skip


def _of_template(place: str, entry: Mapping[str, Any], rows: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    words = entry["template"]
    if not isinstance(words, Mapping):
        raise UsageError(f"{place}: its template is no object.")
    common = _common(place, entry.get("environment"), words)
    system, text, added = (_text(place, words, n) for n in ("system_prompt", "user_prompt_mult", "user_prompt_add"))
    found = []
    for high, low in rows:
        for threshold in _THRESHOLDS:
            numbers = {
                "n": _AGENTS, "cooperation_threshold": threshold, "high_reward": high, "normal_reward": 1.0,
                "low_reward": low, "delta_high": high - 1, "delta_normal": 0.0, "delta_low": low - 1,
            }  # fmt: skip
            told, told_additive = (
                f"{_filled(place, system, numbers)} {_filled(place, own, numbers)}" for own in (text, added)
            )
            found.append(
                {
                    **common, "agents": _AGENTS, "threshold": threshold, "high": high, "normal": 1.0, "low": low,
                    "told": told, "told_additive": told_additive,
                }
            )  # fmt: skip
    return found


def _of_row(place: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    common = _common(place, entry.get("environment"), entry)
    params = entry.get("params")
    params = params if isinstance(params, Mapping) else {}
    n, threshold = params.get("n"), params.get("cooperation_threshold")
    if type(n) is not int or type(threshold) is not int or not (2 <= n <= MOST_AGENTS and 1 <= threshold <= n):
        raise UsageError(
            f"{place}: params.n must be a whole number from 2 to {MOST_AGENTS} and params.cooperation_threshold one "
            f"from 1 to n, not {n} and {threshold}."
        )
    pay = [params.get(name) for name in _NUMBERS]
    if not all(isinstance(p, int | float) and not isinstance(p, bool) and math.isfinite(p) and p >= 0 for p in pay):
        raise UsageError(f"{place}: params.{', params.'.join(_NUMBERS)} must be numbers from 0 on, not {pay}.")
    high, normal, low = (float(p) for p in pay if p is not None)
    told = " ".join(_text(place, entry, name) for name in ("system_prompt", "user_prompt"))
    return {
        **common, "agents": n, "threshold": threshold, "high": high, "normal": normal, "low": low, "told": told,
    }  # fmt: skip


def _common(place: str, environment: Any, words: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(environment, str) or not environment.strip():
        raise UsageError(f"{place} has no environment.")
    name = "collective_choice" if "collective_choice" in words else "cooperative_choice"
    together, alone = (_text(place, words, key) for key in (name, "independent_choice"))
    if together.casefold() == alone.casefold():
        raise UsageError(f"{place}: {name} and independent_choice are the same.")
    story = re.sub(r"[^a-z0-9]+", "-", environment.casefold()).strip("-")
    return {"environment": environment.strip(), "story": story, "collective": together, "independent": alone}


def _text(place: str, words: Mapping[str, Any], name: str) -> str:
    text = words.get(name)
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{place} has no {name}.")
    return text.strip()


def _filled(place: str, text: str, numbers: Mapping[str, float]) -> str:
    """A template with its numbers; the first that it does not know is named."""

    def number(match: re.Match[str]) -> str:
        if match[1] not in numbers:
            raise UsageError(f"{place}: there is no number {match[1]!r}; there are {', '.join(numbers)}.")
        return f"{round(numbers[match[1]], 9):g}"

    # "+$-0.2" would be read by nobody as published; the sign stands before what it is of.
    return re.sub(r"\+(\$?)-", r"-\1", re.sub(r"\{(\w+)\}", number, text))
