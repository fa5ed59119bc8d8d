"""Participants of known conduct."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...environments.coordination.wording import answer
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ...suite.errors import UsageError
from ...suite.seeds import uniform
from .sums import asked_sum

__all__ = ["COORDINATION_REFERENCES", "coordination_reference"]

COORDINATION_REFERENCES = (
    "always-comply",
    "always-collective",
    "random-20",
    "random-50",
    "imitator-2",
    "imitator-4",
    "imitator-6",
    "malformed-half",
)
"""``always-comply`` is always independent; ``random-N`` chooses together with N percent. Of ``imitator-K`` the first K
participants choose together in the first round; from then on all copy the option that gained more in the last round, so
that they all choose together for ever where K reaches the threshold, and nobody does where it does not.
``malformed-half`` is independent in every other round and writes nothing of use in the rest. All add up rightly."""

_SEAT = re.compile(r"You are participant (\d+) of")
_CAME = re.compile(r"which was (enough|not enough)\.")


class _Participant:
    def __init__(self, name: str, options: Sequence[str]) -> None:
        self.name, (self.independent, self.collective) = name, options
        self.replies = 0

    def reply(self, request: GenerateRequest) -> str:
        self.replies += 1
        if self.name == "malformed-half" and self.replies % 2 == 0:
            return '{"choice": neither, nor'
        total = asked_sum(request.messages[-1].content)
        also = {} if total is None else {"sum": total}
        return answer(self.collective if self._together(request) else self.independent, also)

    def _together(self, request: GenerateRequest) -> bool:
        kind, _, number = self.name.rpartition("-")
        if kind == "random":
            return uniform("participant", request.seed) < int(number) / 100
        if kind == "imitator":
            text = "\n".join(message.content for message in request.messages if message.role == "user")
            came = _CAME.findall(text)
            if came:
                return came[-1] == "enough"
            seat = _SEAT.search(text)
            return seat is not None and int(seat.group(1)) <= int(number)
        return self.name == "always-collective"


def coordination_reference(name: str, options: Sequence[str]) -> Policy:
    """A participant of known conduct.

    Args:
        name: One of :data:`COORDINATION_REFERENCES`.
        options: The independent and the collective option, as they are written.

    Raises:
        UsageError: There is no such participant.
    """
    if name not in COORDINATION_REFERENCES:
        raise UsageError(
            f"The task tipping/coordination has no reference {name!r}; it has {', '.join(COORDINATION_REFERENCES)}."
        )
    return _Participant(name, options)
