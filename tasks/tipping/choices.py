"""Reading a choice from a reply: the last one that is named, quoted or not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ...environments.json_objects import objects_in

__all__ = ["choice_of"]

_LAST = 4000
"""Characters of a reply that are read, from its end: a choice is its last word."""


def choice_of(text: str, options: Sequence[str]) -> int | None:
    """Read which option a reply names.

    The last JSON object that has a ``choice`` counts; without one the last ``choice: …`` in any form, quoted or not;
    without one the whole reply, if it is an option's name and nothing else. A choice that is no option is none, and so
    is one of an object that names anything twice.

    Args:
        text: The reply, thinking removed.
        options: The options' names; case and runs of blanks do not count.

    Returns:
        The option's index, None where none could be read.
    """
    text = text[-_LAST:]
    names = [_plain(option) for option in options]
    said: str | None = None
    for found in objects_in(text):
        if found is None:
            said = ""
        elif "choice" in found:
            said = found["choice"] if isinstance(found["choice"], str) else json.dumps(found["choice"])
    if said is not None:
        return _index(said, names)
    loose = re.findall(r"choice[\"'`*]*\s*[:=]\s*([^{}\n,]*)", text, re.IGNORECASE)
    return _index(loose[-1] if loose else text, names)


def _plain(text: str) -> str:
    return " ".join(text.strip(" \t\r\n\"'`*.<>()[]").casefold().split())


def _index(said: str, names: Sequence[str]) -> int | None:
    plain = _plain(said)
    return names.index(plain) if plain in names else None
