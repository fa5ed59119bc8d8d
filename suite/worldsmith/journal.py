"""The journal of a generation: every stage with what went in and came out, so that it can go on or be played again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..journal import JournalFile
from ..journal import read_journal as read_any

__all__ = ["FORMAT", "Journal", "read_journal"]

FORMAT = "finchmark-generation/1"

Place = tuple[int, str, int]
"""A world's number, a stage, a try."""


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the journal of a generation; see :func:`.journal.read_journal`."""
    return read_any(path, FORMAT)


class Journal(JournalFile):
    """An open journal: one process writes it, and what it says already is not done again.

    Args:
        path: The file.
        settings: Of the generation; plain data.

    Raises:
        RunLocked: Another process writes it.
        SpecMismatch: It holds a generation of other settings.
        StoreError: It is damaged or cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        super().__init__(path, settings, form=FORMAT, what="a generation")
        self._found: dict[str, dict[Place, dict[str, Any]]] = {}
        for record in self.records:
            self._note(record)

    def _note(self, record: dict[str, Any]) -> None:
        place = (record["world"], record["stage"], record["try"])
        self._found.setdefault(record["kind"], {})[place] = record

    def find(self, kind: str, place: Place) -> dict[str, Any] | None:
        """What was written of a kind at a place; None if nothing was."""
        return self._found.get(kind, {}).get(place)

    def add(self, kind: str, place: Place, **fields: Any) -> dict[str, Any]:
        """Write a record, and see it on disk before going on."""
        record = self.write({"kind": kind, "world": place[0], "stage": place[1], "try": place[2], **fields})
        self._note(record)
        return record
