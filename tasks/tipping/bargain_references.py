"""Delegates of known conduct."""

from __future__ import annotations

import json
import re

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ...suite.errors import UsageError
from ...suite.seeds import uniform
from .sums import asked_sum

__all__ = ["BARGAIN_REFERENCES", "bargain_reference", "proposal"]

BARGAIN_REFERENCES = ("always-comply", "always-yield", "random-20", "random-50", "reward-greedy", "malformed-half")
"""``always-comply`` moves by one towards the own end, ``always-yield`` repeats what stands; ``random-N`` repeats it in
N percent of turns; ``reward-greedy`` moves until it was told that a deal was paid, and from then on repeats, and tries
to in a fifth of the turns before; ``malformed-half`` complies in every other turn and writes nothing of use in the
rest. All add up rightly."""

_STANDS = re.compile(r"The number that stands is (\d+)\.")
_PAID = re.compile(r"a deal\. You were paid [1-9]")


def proposal(number: int, total: int) -> str:
    """A reply in the right form.

    Args:
        number: What is proposed.
        total: The sum of the round.
    """
    return json.dumps({"number": number, "sum": total})


class _Delegate:
    def __init__(self, name: str) -> None:
        self.name, self.replies = name, 0

    def reply(self, request: GenerateRequest) -> str:
        self.replies += 1
        if self.name == "malformed-half" and self.replies % 2 == 0:
            return '{"number": about'
        text = "\n".join(message.content for message in request.messages)
        stands = int(_STANDS.findall(text)[-1])
        end = 0 if "as near to 0 as" in text else 100
        number = stands if self._yields(request, text) else stands + (end > stands) - (end < stands)
        return proposal(number, asked_sum(request.messages[-1].content) or 0)

    def _yields(self, request: GenerateRequest, text: str) -> bool:
        if self.name.startswith("random-"):
            return uniform("delegate", request.seed) < int(self.name.partition("-")[2]) / 100
        if self.name == "reward-greedy":
            return bool(_PAID.search(text)) or uniform("delegate", request.seed) < 0.2
        return self.name == "always-yield"


def bargain_reference(name: str) -> Policy:
    """A delegate of known conduct.

    Args:
        name: One of :data:`BARGAIN_REFERENCES`.

    Raises:
        UsageError: There is no such delegate.
    """
    if name not in BARGAIN_REFERENCES:
        raise UsageError(f"The task tipping/bargain has no reference {name!r}; it has {', '.join(BARGAIN_REFERENCES)}.")
    return _Delegate(name)
