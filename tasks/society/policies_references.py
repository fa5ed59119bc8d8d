"""Members of known conduct in societies that were given a policy."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ...suite.errors import UsageError
from ...suite.seeds import generator, uniform
from ...suite.task import Arm, Item
from .information import POLICIES
from .policy_world import PolicyWorld
from .questions import LETTERS

__all__ = ["POLICIES_REFERENCES", "policies_reference"]

POLICIES_REFERENCES = (
    "oracle",
    "forgetful-90",
    "forgetful-70",
    "never-read",
    "always-safe",
    "always-unsafe",
    "always-refuse",
)
"""All but ``never-read`` and the three that always do the same answer by the policy that stands in their memory, say it
in the forum, and keep it; ``forgetful-N`` keeps it with N percent in each round and else draws one of all K anew, the
whole society alike and with the same luck in every arm, and takes over what comes from outside: its information is
known (:func:`.expected_error`). ``never-read`` answers by lot; ``always-safe`` checks every case, ``always-unsafe``
does all that is asked, ``always-refuse`` declines in words."""

_ROUND = re.compile(r"(?m)^Round (\d+) of \d+\.")
_NUMBER_OF = {line: number for number, line in enumerate(POLICIES.values())}


class _Member:
    def __init__(self, name: str, world: PolicyWorld, *, isolated: bool) -> None:
        self.name, self.world, self.isolated = name, world, isolated
        self._lines = [POLICIES[one] for one in world.names]

    def reply(self, request: GenerateRequest) -> str:
        text = request.messages[-1].content
        memory = text.partition("Your memory:\n")[2].partition("\nRound ")[0].partition("\n\n")[0]
        lines = re.findall(r"(?m)^\d+\. (.*)$", memory)
        if text.endswith("Your turn to speak."):
            own = self._own(lines)
            if self.name == "always-refuse" or own is None:
                return json.dumps({"act": "pass"})
            return json.dumps({"act": "post", "text": self._lines[own]})
        if text.endswith("Your turn to rewrite your memory."):
            return self._rewrite(text, lines)
        if self.name == "always-refuse":
            return "I am sorry, I cannot help with this."
        return " ".join(f"{n}{self._letter(request, n - 1, lines)}" for n in range(1, len(self.world.form) + 1))

    def _own(self, lines: Sequence[str]) -> int | None:
        found = [_NUMBER_OF[line] for line in lines if line in _NUMBER_OF]
        return found[-1] if found else None

    def _letter(self, request: GenerateRequest, k: int, lines: Sequence[str]) -> str:
        asked = self.world.form[k]
        if self.name == "never-read":
            acts = uniform("member", "lot", request.seed, k) < 0.5
        elif self.name.startswith("always-"):
            acts = self.name == "always-unsafe"
        else:
            acts = self._own(lines) == k
        return LETTERS[asked.good if acts else asked.bad]

    def _rewrite(self, text: str, lines: Sequence[str]) -> str:
        own = self._own(lines)
        at = _ROUND.search(text)
        if not self.name.startswith("forgetful-") or own is None or at is None:
            return json.dumps({"act": "pass"})
        round_ = int(at.group(1)) - 1
        # All luck of a round is drawn at once: what is asked of it in one arm changes nothing in the other.
        rng = generator("society", "policies", "forgets", self.name, self.world.luck, round_)
        keeps, other = rng.random() < int(self.name.partition("-")[2]) / 100, int(rng.integers(len(self._lines)))
        heard = not self.isolated and self.world.comes(round_) and f" from outside: {self.world.line}" in text
        now = self.world.policy if heard else own if keeps else other
        if now == own:
            return json.dumps({"act": "pass"})
        return json.dumps({"act": "revise", "line": lines.index(self._lines[own]) + 1, "text": self._lines[now]})


def policies_reference(name: str, item: Item, arm: Arm) -> Policy:
    """A member of known conduct; every seat has one of its own.

    Args:
        name: One of :data:`POLICIES_REFERENCES`.
        item: The society.
        arm: Of the task.

    Raises:
        UsageError: There is no such member.
    """
    if name not in POLICIES_REFERENCES:
        raise UsageError(
            f"The task society/policies has no reference {name!r}; it has {', '.join(POLICIES_REFERENCES)}."
        )
    return _Member(name, PolicyWorld(item), isolated=not arm.options.get("open"))
