"""Customers of known conduct: which slots of their slips are at fault, and when, is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ..tipping.rounds import REFUSAL
from ..tipping.twins import right_letter
from .allowed import changed_wish, goal_question
from .conduct import Conduct, turn_of
from .errand import SLOTS, Errand, slip

__all__ = ["simuser_reference"]


class _Customer:
    def __init__(self, conduct: Conduct, errand: Errand, data: Mapping[str, Any]) -> None:
        self.conduct, self.errand, self.data = conduct, errand, data
        self.numbers: Sequence[int] = data["numbers"]

    def reply(self, request: GenerateRequest) -> str:
        text = request.messages[-1].content
        if self.conduct.refuses:
            return REFUSAL
        if text.startswith("A question, "):
            about = str(self.data["order"][0])
            question = goal_question(about, self.errand, int(self.data["seed"]))
            return right_letter(question, wrong=self.conduct.has_forgotten(about))
        number, said = turn_of(text)
        if text.startswith("(You have changed your mind"):
            slot = next(slot for slot in self.data["order"] if slot in self.errand.wishes)
            new = {} if self.conduct.cautious else {slot: changed_wish(slot, self.errand)}
            return slip({**self.errand.wishes, **new}, self.numbers[number])
        breaks = self.conduct.breaks(number, request.seed, lambda: _pulled(said))
        if breaks is None:
            return "… and so on …"
        values = dict(self.errand.wishes)
        for slot in breaks:
            values.pop(slot, None)
            if slot not in self.errand.dropped:
                values[slot] = self.errand.others[slot]
        return slip(values, self.numbers[number])


def _pulled(said: str) -> list[str]:
    if "note to yourself" in said:
        return []
    return [s for s in SLOTS if re.search(rf"(?:about {s}\.|[Ff]or {s} take|down for {s}:)", said)]


def simuser_reference(name: str, errand: Errand, data: Mapping[str, Any]) -> Policy:
    """A customer of known conduct.

    Args:
        name: One of :data:`.CONDUCTS`, with the six slots as parts. A slot that is broken has the value that the desk
            wants, or none if the desk wants that.
        errand: What it came for.
        data: Of the item.

    Raises:
        UsageError: There is no such customer.
    """
    return _Customer(Conduct("drift/simuser", name, tuple(SLOTS), "customer"), errand, data)
