"""A backend that answers out of an experiment's journal, and out of nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from ....suite.backends.base import Backend, Capabilities, Completion, GenerateRequest
from ....suite.errors import StoreError
from ....suite.model import prompt_hash
from ....suite.records import Call
from .cost import Cost, total
from .journal import JOURNAL, read_journal

__all__ = ["Replay", "Role", "cost_of", "kept"]

Role = Literal["executor", "optimiser"]

_KINDS: dict[Role, str] = {"executor": "episode", "optimiser": "edit"}


def kept(calls: Iterable[Call]) -> list[list[Any]]:
    """Calls as a journal keeps them: prompt hash, seed, text, thinking, end, tokens read and written, US dollars."""
    return [
        [
            call.prompt_hash,
            call.seed,
            call.completion,
            call.reasoning,
            call.finish_reason,
            call.usage.prompt_tokens,
            call.usage.completion_tokens,
            # What a response cache spared is what the call costs whoever has no cache.
            call.usage.cost + call.usage.spared,
        ]
        for call in calls
    ]


def cost_of(rows: Iterable[list[Any]]) -> Cost:
    """What kept calls cost together."""
    return total(Cost(1, row[5], row[6], row[7]) for row in rows)


class Replay(Backend):
    """Plays the replies of an experiment again: the same prompt and seed, the same reply.

    Args:
        out: The folder of the experiment.
        role: Whose replies.

    Raises:
        StoreError: It cannot be read, or holds nothing.
    """

    name = "replay"
    capabilities = Capabilities(scheduling="own", concurrency=64, deterministic=True, scripted=True)

    def __init__(self, out: Path, role: Role) -> None:
        self.path, self.role = out / JOURNAL, role
        self.settings, records = read_journal(self.path)
        if not self.settings:
            raise StoreError(f"The recording {self.path} is empty.")
        calls = (call for record in records if record["kind"] == _KINDS[role] for call in record["calls"])
        self._replies = {(call[0], call[1]): call for call in calls}
        if self.settings["measure"] == "usd":
            # Costs are compared in dollars where the recorded model had a price.
            self.price = (0.0, 0.0)

    def identity(self) -> dict[str, Any]:
        """The recorded model's: the replies are its own."""
        found = self.settings[self.role]
        return dict(found if self.role == "executor" else found["backend"])

    async def generate(self, request: GenerateRequest) -> Completion:
        """The recorded reply.

        Raises:
            StoreError: The recording has none to this request: it was made with another version or cut short.
        """
        call = self._replies.get((prompt_hash(request.messages), request.seed))
        if call is None:
            raise StoreError(
                f"The recording {self.path} holds no reply to a request of {request.session}: it was cut short, or "
                "made with another version of prompts or worlds."
            )
        _, _, text, reasoning, finish, read, written, usd = call
        return Completion(text, finish, read, written, reasoning, cost=usd)
