"""A backend that answers out of a journal, and out of nothing else."""

from __future__ import annotations

from pathlib import Path

from ....suite.backends.recorded import RecordedBackend
from .journal import read_journal

__all__ = ["Replay"]


class Replay(RecordedBackend):
    """Plays the replies of a making again.

    Args:
        path: A journal.
        role: Whose identity it has: ``backend`` or ``solver``.

    Raises:
        StoreError: It cannot be read, or holds nothing.
    """

    def __init__(self, path: Path, role: str = "backend") -> None:
        super().__init__(path, *read_journal(path), role=role, made_with="prompts, checks or problems")
