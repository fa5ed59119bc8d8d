"""The journal of an experiment: one line a finished step, so that it can go on, be replayed and be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....suite.journal import JournalFile
from ....suite.journal import read_journal as read_any

__all__ = ["FORMAT", "JOURNAL", "Journal", "read_journal"]

FORMAT = "finchmark-methods/1"
JOURNAL = "journal.jsonl"


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the journal of an experiment; see :func:`.journal.read_journal`."""
    return read_any(path, FORMAT)


class Journal(JournalFile):
    """An open journal: one process writes it, and what it says already is not done again.

    Args:
        path: The file.
        settings: All that decides the experiment's numbers; plain data.

    Raises:
        RunLocked: Another process writes it.
        SpecMismatch: It holds an experiment of other settings.
        StoreError: It is damaged or cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        super().__init__(path, settings, form=FORMAT, what="an experiment")
        self._found = {(record["kind"], *record["place"]): record for record in self.records}

    def find(self, kind: str, *place: str | int) -> dict[str, Any] | None:
        """What was written of a kind at a place; None if nothing was."""
        return self._found.get((kind, *place))

    def add(self, kind: str, *place: str | int, **fields: Any) -> dict[str, Any]:
        """Write a record, and see it on disk before going on."""
        record = self.write({"kind": kind, "place": list(place), **fields})
        self._found[kind, *place] = record
        return record
