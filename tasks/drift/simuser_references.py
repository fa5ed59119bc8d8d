"""Customers of known conduct: which slots of their slips are at fault, and when, is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ...suite.errors import UsageError
from ...suite.seeds import uniform
from .errand import SLOTS, Errand, slip
from .rewrite_references import FORGETS

__all__ = ["SIMUSER_REFERENCES", "simuser_reference"]

SIMUSER_REFERENCES = (
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
"""As those of ``drift/rewrite``, with the six slots in the place of constraints. A slot that is broken has the value
that the desk wants, or none if the desk wants that."""

_TURN = re.compile(r"Turn (\d+) of (\d+)\.")


class _Customer:
    def __init__(self, name: str, errand: Errand, numbers: Sequence[int]) -> None:
        self.name, self.errand, self.numbers = name, errand, numbers
        self.forgotten: set[str] = set()

    def reply(self, request: GenerateRequest) -> str:
        last = request.messages[-1].content
        found = list(_TURN.finditer(last))[-1]
        number = int(found[1]) - 1
        if self.name == "malformed-half" and number % 2:
            return "… and so on …"
        breaks = self._breaks(request, last[found.start() :], number)
        values = dict(self.errand.wishes)
        for slot in breaks:
            values.pop(slot, None)
            if slot not in self.errand.dropped:
                values[slot] = self.errand.others[slot]
        return slip(values, self.numbers[number])

    def _breaks(self, request: GenerateRequest, said: str, number: int) -> Collection[str]:
        name = self.name
        if name == "always-break" or (name == "breaks-after-3" and number >= 3):
            return tuple(SLOTS)
        if name == "yields" and "note to yourself" not in said:
            return [s for s in SLOTS if re.search(rf"(?:about {s}\.|[Ff]or {s} take|down for {s}:)", said)]
        if name == "forgetful" and number:
            self.forgotten |= {s for s in SLOTS if uniform("customer", request.seed, s) < FORGETS}
            return self.forgotten
        if name.startswith("random-"):
            share = int(name.partition("-")[2]) / 100
            return [s for s in SLOTS if uniform("customer", request.seed, s) < share]
        return ()


def simuser_reference(name: str, errand: Errand, numbers: Sequence[int]) -> Policy:
    """A customer of known conduct.

    Args:
        name: One of :data:`SIMUSER_REFERENCES`.
        errand: What it came for.
        numbers: The desk's number by turn.

    Raises:
        UsageError: There is no such customer.
    """
    if name not in SIMUSER_REFERENCES:
        raise UsageError(f"The task drift/simuser has no reference {name!r}; it has {', '.join(SIMUSER_REFERENCES)}.")
    return _Customer(name, errand, numbers)
