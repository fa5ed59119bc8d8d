"""Reading an energy action: from any text to four numbers, or to what was wrong with it."""

from __future__ import annotations

import json

from ..json_objects import DECODER, NamedTwice
from .energy_rules import NAMES
from .quotes import quote

__all__ = ["read_action", "read_reference_action"]

Command = tuple[float, float, float, float]

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def read_action(raw: str, capacity: tuple[float, float, float, float]) -> Command | str:
    """Read an action.

    Args:
        raw: Any text at all.
        capacity: The largest command for each of the four.

    Returns:
        The four commands, 0 for each that is not named; or a sentence that says what was wrong.
    """
    text = raw.strip(" \t\r\n")
    if not text:
        return "The action was empty."
    try:
        value = DECODER.decode(text)
    except NamedTwice:
        return f"The action {quote(raw)} gives a name twice."
    except (ValueError, RecursionError):
        return f"The action {quote(raw)} is no JSON object."
    if type(value) is not dict:
        return f"The action {quote(raw)} is no JSON object."
    if not value:
        return "The action names nothing."
    for name, number in value.items():
        if name not in NAMES:
            return f"There is no {quote(name, 20)} to command."
        if type(number) not in (int, float):
            return f"{quote(name)} needs a number, not {_KINDS[type(number)]}."
        most = capacity[NAMES.index(name)]
        least = -most if name == "battery" else 0
        if not least <= number <= most:  # NaN lies nowhere
            return f"{quote(name)} is outside its range."
    thermal, wind, solar, battery = (float(value.get(name, 0)) for name in NAMES)
    return thermal, wind, solar, battery


def read_reference_action(raw: str, last: Command | None) -> Command | str:
    """Read an action as the reference does.

    Args:
        raw: Any text at all.
        last: The command before, which an empty text repeats.

    Returns:
        The four commands, not clamped; an empty string where the reference skips the action without a word; or a
        sentence that says what was wrong, where the reference stops with an error.
    """
    if not raw.strip():
        return "The action was empty, and there is none before it to repeat." if last is None else last
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return f"The action {quote(raw)} is no JSON object."
    found = [value.get(name, 0.0) for name in NAMES]
    for name, number in zip(NAMES, found, strict=True):
        if not isinstance(number, (int, float)):
            return f"{quote(name)} needs a number, not {_KINDS[type(number)]}."
    thermal, wind, solar, battery = found
    return thermal, wind, solar, battery
