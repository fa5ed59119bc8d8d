"""The journal of a making: every call, verdict and decision, so that it can go on, or be played again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....suite.journal import JournalFile
from ....suite.journal import read_journal as read_any

__all__ = ["FORMAT", "Journal", "Place", "read_journal"]

FORMAT = "finchmark-harder/1"

Place = tuple[str, str, int]
"""A unit (``explore/NAME`` or ``combo/NUMBER``), a stage, a try."""


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the journal of a making; see :func:`finchmark.suite.journal.read_journal`."""
    return read_any(path, FORMAT)


class Journal(JournalFile):
    """An open journal: one process writes it, and what it says already is not done again.

    Args:
        path: The file.
        settings: Of the making; plain data.

    Raises:
        RunLocked: Another process writes it.
        SpecMismatch: It holds a making of other settings.
        StoreError: It is damaged or cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        super().__init__(path, settings, form=FORMAT, what="a making of items")
        self._found: dict[tuple[str, Place], dict[str, Any]] = {}
        for record in self.records:
            self._note(record)

    def _note(self, record: dict[str, Any]) -> None:
        self._found[record["kind"], (record["unit"], record["stage"], record["try"])] = record

    def find(self, kind: str, place: Place) -> dict[str, Any] | None:
        """What was written last of a kind at a place; None if nothing was."""
        return self._found.get((kind, place))

    def add(self, kind: str, place: Place, **fields: Any) -> dict[str, Any]:
        """Write a record, and see it on disk before going on."""
        record = self.write({"kind": kind, "unit": place[0], "stage": place[1], "try": place[2], **fields})
        self._note(record)
        return record
