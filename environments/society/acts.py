"""What an agent of the forum can do, and how it is read from a reply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..json_objects import objects_in

__all__ = ["EXTRA", "REVISING", "SPEAKING", "Act", "read_act"]

SPEAKING = ("post", "comment", "vote", "pass")
"""Acts of a turn to speak."""

REVISING = ("revise", "pass")
"""Acts of a turn to rewrite the own memory."""

EXTRA = {"reject": "speak", "fresh": "speak", "rollback": "revise", "forget": "revise"}
"""Acts that are open only where they are offered, and the turn in which they are: means by which agents themselves may
work against drift. ``reject`` hides a message from everybody, ``fresh`` takes another topic in the next round,
``rollback`` takes the own memory back to what it was some rounds ago, ``forget`` deletes a line of it."""

_LOOSE = re.compile(r"[\"'`]?act[\"'`]?\s*[:=]\s*[\"'`]?([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Act:
    """One act.

    Args:
        kind: Its name.
        text: What is said or written; empty where nothing is.
        post: The message that it is about; None for none.
        line: The line of the memory that it is about, from 1; None for none.
        memory: The whole memory as it is to be from now on; None: only ``line`` changes.
    """

    kind: str
    text: str = ""
    post: int | None = None
    line: int | None = None
    memory: str | None = None


def read_act(reply: str) -> Act | None:
    """Read an act: the last JSON object of a reply that has an ``act``, or a bare ``act: pass`` without any object.

    Args:
        reply: Anything.

    Returns:
        None where no act can be read. Whether it is open at this turn is for the forum to say.
    """
    found: dict[str, Any] | None = None
    for value in objects_in(reply):
        if value is not None and isinstance(value.get("act"), str):
            found = value
    if found is None:
        loose = [] if "{" in reply else _LOOSE.findall(reply)
        return Act(loose[-1].lower()) if loose else None
    memory = found.get("memory")
    return Act(
        kind=found["act"].strip().lower(),
        text=_line(found.get("text", "")),
        post=_number(found.get("post")),
        line=_number(found.get("line")),
        memory=memory if isinstance(memory, str) else None,
    )


def _line(value: Any) -> str:
    """A text in one line; empty for what is none."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    """A number, also where it is written as "#3"; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"#?\s*\d{1,6}", value.strip()):
        return int(value.strip().lstrip("#"))
    return None
