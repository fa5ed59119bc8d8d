"""A backend that answers out of a journal, and out of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....suite.backends.base import Backend, Capabilities, Completion, GenerateRequest
from ....suite.canonical import content_hash
from ....suite.errors import StoreError
from .journal import read_journal

__all__ = ["Replay", "request_hash"]


def request_hash(request: GenerateRequest) -> str:
    """Hash all that decides a reply."""
    return content_hash(
        {
            "messages": [[m.role, m.content] for m in request.messages],
            "seed": request.seed,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop),
        }
    )


class Replay(Backend):
    """Plays the replies of a journal again: the same request, the same reply.

    Args:
        path: A journal.
        role: Whose identity it has: ``backend`` or ``solver``.

    Raises:
        StoreError: It cannot be read, or holds nothing.
    """

    name = "replay"
    capabilities = Capabilities(scheduling="own", concurrency=64, deterministic=True, scripted=True)

    def __init__(self, path: Path, role: str = "backend") -> None:
        self.path, self.role = path, role
        self.settings, records = read_journal(path)
        if not self.settings:
            raise StoreError(f"The recording {path} is empty.")
        self._replies = {record["request"]: record for record in records if record["kind"] == "call"}

    def identity(self) -> dict[str, Any]:
        """The recorded model's: the replies are its own."""
        return dict(self.settings[self.role])

    async def generate(self, request: GenerateRequest) -> Completion:
        """The recorded reply.

        Raises:
            StoreError: The recording has none to this request: it was made with another version or cut short.
        """
        record = self._replies.get(request_hash(request))
        if record is None:
            raise StoreError(
                f"The recording {self.path} holds no reply to a request of {request.session}: it was cut short, or "
                "made with another version of prompts, checks or problems."
            )
        return Completion(
            record["reply"],
            record["finish"],
            prompt_tokens=record["prompt_tokens"],
            completion_tokens=record["completion_tokens"],
            cost=record["cost"],
        )
