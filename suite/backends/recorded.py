"""A backend that answers out of recorded calls, and out of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..canonical import content_hash
from ..errors import StoreError
from .base import Backend, Capabilities, Completion, GenerateRequest

__all__ = ["RecordedBackend", "request_hash"]


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


class RecordedBackend(Backend):
    """Plays the replies of a journal again: the same request, the same reply.

    Args:
        path: The journal, for messages.
        settings: What it was made with; under ``role`` the identity of the model.
        records: Its records; those of the kind ``call`` have the ``request``'s hash, the ``reply`` and its counts.
        role: Whose identity it has.
        made_with: What another version of may make other requests, for messages.

    Raises:
        StoreError: It holds nothing.
    """

    name = "replay"
    capabilities = Capabilities(scheduling="own", concurrency=64, deterministic=True, scripted=True)

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        records: Iterable[Mapping[str, Any]],
        *,
        role: str = "backend",
        made_with: str,
    ) -> None:
        if not settings:
            raise StoreError(f"The recording {path} is empty.")
        self.path, self.settings, self.role = path, settings, role
        self._made_with = made_with
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
                f"made with another version of {self._made_with}."
            )
        return Completion(
            record["reply"],
            record["finish"],
            prompt_tokens=record["prompt_tokens"],
            completion_tokens=record["completion_tokens"],
            cost=record["cost"],
        )
