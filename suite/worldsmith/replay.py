"""A backend that answers out of a recording, and out of nothing else."""

from __future__ import annotations

from pathlib import Path

from ..backends.recorded import RecordedBackend
from .journal import read_journal

__all__ = ["Replay"]


class Replay(RecordedBackend):
    """Plays the replies of a generation again.

    Args:
        path: A generation's journal.

    Raises:
        StoreError: It cannot be read, or holds nothing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, *read_journal(path), made_with="prompts or checks")
