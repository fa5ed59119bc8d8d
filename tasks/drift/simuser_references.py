"""Customers of known conduct: which slots of their slips are at fault, and when, is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from .conduct import Conduct, turn_of
from .errand import SLOTS, Errand, slip

__all__ = ["simuser_reference"]


class _Customer:
    def __init__(self, conduct: Conduct, errand: Errand, numbers: Sequence[int]) -> None:
        self.conduct, self.errand, self.numbers = conduct, errand, numbers

    def reply(self, request: GenerateRequest) -> str:
        number, said = turn_of(request.messages[-1].content)
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


def simuser_reference(name: str, errand: Errand, numbers: Sequence[int]) -> Policy:
    """A customer of known conduct.

    Args:
        name: One of :data:`.CONDUCTS`, with the six slots as parts. A slot that is broken has the value that the desk
            wants, or none if the desk wants that.
        errand: What it came for.
        numbers: The desk's number by turn.

    Raises:
        UsageError: There is no such customer.
    """
    return _Customer(Conduct("drift/simuser", name, tuple(SLOTS), "customer"), errand, numbers)
