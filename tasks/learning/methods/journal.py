"""The journal of an experiment: one line a finished step, so that it can go on, be replayed and be read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ....suite.errors import RunLocked, SpecMismatch, StoreError

__all__ = ["FORMAT", "JOURNAL", "Journal", "read_journal"]

FORMAT = "finchmark-methods/1"
JOURNAL = "journal.jsonl"


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a journal.

    Returns:
        Its settings, and its records in order. A last line that was cut off while it was written is left out.

    Raises:
        StoreError: It cannot be read, is damaged before its end, or of another format.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read: {error.strerror or error}.") from None
    return _parse(path, raw)


def _parse(path: Path, raw: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    records = []
    for number, line in enumerate(raw.split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise StoreError(f"The journal {path} is damaged in line {number}: {error}.") from None
        if not isinstance(record, dict) or "kind" not in record:
            raise StoreError(f"The journal {path} is damaged in line {number}: it is no record.")
        records.append(record)
    if not records:
        return {}, []
    if records[0].get("format") != FORMAT:
        raise StoreError(f"{path} is no journal of the format {FORMAT}: {records[0].get('format')!r}.")
    return records[0]["settings"], records[1:]


class Journal:
    """An open journal: one process writes it, and what it says already is not done again.

    Args:
        path: The file; made where there is none. A line that a kill has cut off is taken off.
        settings: All that decides the experiment's numbers; plain data.

    Raises:
        RunLocked: Another process writes it.
        SpecMismatch: It holds an experiment of other settings.
        StoreError: It is damaged or cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("a+b")
        except OSError as error:
            raise StoreError(f"The journal {path} cannot be written: {error.strerror or error}.") from None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise RunLocked(f"{path}: another process is writing it. Wait for it, or give another --out.") from None
        try:
            self._open(json.loads(json.dumps(settings)))
        except BaseException:
            self._file.close()
            raise

    def _open(self, settings: dict[str, Any]) -> None:
        # Read through the open file: closing any other handle of it would give up the lock (POSIX, fcntl).
        self._file.seek(0)
        raw = self._file.read()
        self._file.truncate(raw.rfind(b"\n") + 1)
        old, records = _parse(self.path, raw)
        if old and old != settings:
            changed = sorted(k for k in {*old, *settings} if old.get(k) != settings.get(k))
            raise SpecMismatch(
                f"{self.path} is of an experiment with another {', '.join(changed)}. "
                "Give another --out, or the same flags."
            )
        self._found = {(record["kind"], *record["place"]): record for record in records}
        if not old:
            self._write({"kind": "header", "format": FORMAT, "settings": settings})

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(f"The journal {self.path} cannot be written: {error.strerror or error}.") from error

    def find(self, kind: str, *place: str | int) -> dict[str, Any] | None:
        """What was written of a kind at a place; None if nothing was."""
        return self._found.get((kind, *place))

    def add(self, kind: str, *place: str | int, **fields: Any) -> dict[str, Any]:
        """Write a record, and see it on disk before going on."""
        record = {"kind": kind, "place": list(place), **fields}
        self._write(record)
        # What is handed back is what a later process will read: no number may depend on the difference.
        record = json.loads(json.dumps(record))
        self._found[kind, *place] = record
        return record

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
