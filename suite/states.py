"""An agent's state as it is stored: canonical JSON, named by its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .canonical import canonical_json, content_hash
from .records import storable

__all__ = ["State", "update_id"]


@dataclass(frozen=True, slots=True)
class State:
    """What lasts of an agent beyond an episode.

    Args:
        text: Canonical JSON.
        hash: Of the text, 32 hexadecimal digits: equal states are stored once.
    """

    text: str
    hash: str

    @classmethod
    def of(cls, data: Any) -> State:
        """Take up what an agent's ``snapshot()`` gave. Lone surrogates, which nothing can store, become ``?``.

        Raises:
            TypeError: It is not plain data.
            ValueError: It holds NaN or an infinity.
        """
        return cls.parse(storable(canonical_json(data)))

    @classmethod
    def parse(cls, text: str) -> State:
        """Take up canonical JSON."""
        return cls(text, hashlib.sha256(text.encode()).hexdigest()[:32])

    def data(self) -> Any:
        """The state as plain data, a fresh copy each time: whoever changes it changes nothing here."""
        return json.loads(self.text)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.text.encode())


def update_id(task: str, arm: str, stream: str, position: int, parent: str, state: State, change: str) -> str:
    """Name an update by all that it is, 16 hexadecimal digits."""
    return content_hash([task, arm, stream, position, parent, state.hash, change], digits=16)
