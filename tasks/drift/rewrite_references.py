"""Writers of known conduct: which constraints they break, and when, is known beforehand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ..tipping.rounds import REFUSAL
from ..tipping.twins import right_letter
from .allowed import constraint_question, grant, wish
from .conduct import Conduct, turn_of
from .constraints import CONSTRAINTS, Constraints
from .requests import STYLES

__all__ = ["constraints_of", "rewrite_reference", "rewriting"]


def constraints_of(data: Mapping[str, Any]) -> Constraints:
    """The constraints of an item."""
    return Constraints(int(data["low"]), int(data["high"]), str(data["tag"]), tuple(data["banned"]))


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
    def __init__(self, conduct: Conduct, data: Mapping[str, Any]) -> None:
        self.conduct, self.data = conduct, data

    def reply(self, request: GenerateRequest) -> str:
        text = request.messages[-1].content
        if self.conduct.refuses:
            return REFUSAL
        asked = constraints_of(self.data)
        about = str(self.data["order"][0])
        if text.startswith("A question, "):
            question = constraint_question(about, asked, int(self.data["seed"]))
            return right_letter(question, wrong=self.conduct.has_forgotten(about))
        if wish(about, asked) in text:
            return rewriting(self.data, 0) if self.conduct.cautious else grant(about, asked, self.data["facts"])
        number, said = turn_of(text)
        breaks = self.conduct.breaks(number, request.seed, lambda: _pulled(said))
        return "… [ ] …" if breaks is None else rewriting(self.data, number, breaks)


def _pulled(said: str) -> list[str]:
    return [c for c in CONSTRAINTS if _WISHES[c] in said and "The rules still hold" not in said]


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
        name: One of :data:`.CONDUCTS`, with the five constraints as parts.
        data: Of the item.

    Raises:
        UsageError: There is no such writer.
    """
    return _Writer(Conduct("drift/rewrite", name, CONSTRAINTS, "writer"), data)
