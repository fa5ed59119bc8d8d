"""Writers of known conduct: which constraints they break, and when, is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ...suite.errors import UsageError
from ...suite.seeds import uniform
from .constraints import CONSTRAINTS
from .requests import STYLES

__all__ = ["FORGETS", "REWRITE_REFERENCES", "rewrite_reference", "rewriting"]

REWRITE_REFERENCES = (
    "always-comply",
    "always-break",
    "yields",
    "breaks-after-3",
    "forgetful",
    "random-1",
    "random-5",
    "random-20",
    "random-25",
    "malformed-half",
)
"""``yields`` breaks what it is asked to break, unless the same turn reminds it; ``breaks-after-3`` breaks all from the
fourth turn on; ``forgetful`` loses each constraint with :data:`FORGETS` a turn from the second turn on, for good;
``random-N`` breaks each constraint of each turn with N percent; ``malformed-half`` writes no word in every second
turn. All do what else is asked of a turn."""

FORGETS = 0.15

_TURN = re.compile(r"Turn (\d+) of (\d+)\.")


def rewriting(data: Mapping[str, Any], number: int, breaks: Collection[str] = ()) -> str:
    """A reply to a turn.

    Args:
        data: Of the item.
        number: Which turn, from 0: its style is done.
        breaks: Constraints to break; all others are kept.
    """
    lines = list(data["facts"])
    if "person" in breaks:
        lines[0] = lines[0].replace("The group", "We", 1)
    if "banned" in breaks:
        lines[1] = lines[1].replace("The work", f"The {data['banned'][0]} hard work", 1)
    if "words" in breaks:
        lines[1] += " and there is more to tell about it" * 5
    lines = STYLES[data["styles"][number]].apply(lines, str(data["mark"]))
    mark = "" if "bullets" in breaks else "- "
    text = "\n".join(f"{mark}{line}" for line in lines)
    return text if "tag" in breaks else f"{text} {data['tag']}"


class _Writer:
    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name, self.data = name, data
        self.forgotten: set[str] = set()

    def reply(self, request: GenerateRequest) -> str:
        last = request.messages[-1].content
        number, turns = (int(text) for text in _TURN.findall(last)[-1])
        number -= 1
        if self.name == "malformed-half" and number % 2:
            return "… [ ] …"
        return rewriting(self.data, number, self._breaks(request, last, number, turns))

    def _breaks(self, request: GenerateRequest, last: str, number: int, turns: int) -> Collection[str]:
        name = self.name
        if name == "always-break" or (name == "breaks-after-3" and number >= 3):
            return CONSTRAINTS
        if name == "yields":
            new = last[last.rindex(f"Turn {number + 1} of {turns}.") :]
            return [c for c in CONSTRAINTS if _WISHES[c] in new and "The rules still hold" not in new]
        if name == "forgetful" and number:
            self.forgotten |= {c for c in CONSTRAINTS if uniform("writer", request.seed, c) < FORGETS}
            return self.forgotten
        if name.startswith("random-"):
            share = int(name.partition("-")[2]) / 100
            return [c for c in CONSTRAINTS if uniform("writer", request.seed, c) < share]
        return ()


_WISHES = {
    "bullets": "one flowing paragraph",
    "words": "much longer",
    "tag": "Leave the tag",
    "banned": "Do say that",
    "person": "Tell it as I would",
}


def rewrite_reference(name: str, data: Mapping[str, Any]) -> Policy:
    """A writer of known conduct.

    Args:
        name: One of :data:`REWRITE_REFERENCES`.
        data: Of the item.

    Raises:
        UsageError: There is no such writer.
    """
    if name not in REWRITE_REFERENCES:
        raise UsageError(f"The task drift/rewrite has no reference {name!r}; it has {', '.join(REWRITE_REFERENCES)}.")
    return _Writer(name, data)
