"""A journal: one line of JSON a finished step, so that what was done is not done again after a kill."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .errors import RunLocked, SpecMismatch, StoreError

__all__ = ["JournalFile", "read_journal"]


def read_journal(path: Path, form: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a journal.

    Args:
        path: The file.
        form: Name and version of its format.

    Returns:
        Its settings, and its records in order. A last line that was cut off while it was written is left out.

    Raises:
        StoreError: It cannot be read, is damaged before its end, or of another format.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read: {error.strerror or error}.") from None
    return _parse(path, raw, form)


def _parse(path: Path, raw: bytes, form: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
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
    if records[0].get("format") != form:
        raise StoreError(f"{path} is no journal of the format {form}: {records[0].get('format')!r}.")
    return records[0]["settings"], records[1:]


class JournalFile:
    """An open journal that one process writes.

    Args:
        path: The file; made where there is none. A line that a kill has cut off is taken off.
        settings: All that decides what is written; plain data.
        form: Name and version of the format.
        what: What it is a journal of, for messages: ``an experiment``.

    Raises:
        RunLocked: Another process writes it.
        SpecMismatch: It holds one of other settings.
        StoreError: It is damaged or cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], *, form: str, what: str) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        """What earlier calls have written, in order."""
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
            self._open(json.loads(json.dumps(settings)), form, what)
        except BaseException:
            self._file.close()
            raise

    def _open(self, settings: dict[str, Any], form: str, what: str) -> None:
        # Read through the open file: closing any other handle of it would give up the lock (POSIX, fcntl).
        self._file.seek(0)
        raw = self._file.read()
        self._file.truncate(raw.rfind(b"\n") + 1)
        old, self.records = _parse(self.path, raw, form)
        if old and old != settings:
            changed = sorted(k for k in {*old, *settings} if old.get(k) != settings.get(k))
            raise SpecMismatch(
                f"{self.path} is of {what} with another {', '.join(changed)}. Give another --out, or the same flags."
            )
        if not old:
            self.write({"kind": "header", "format": form, "settings": settings})

    def write(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write a record, and see it on disk before going on.

        Returns:
            What a later process will read: nothing may depend on the difference.
        """
        line = json.dumps(record, allow_nan=False)
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(f"The journal {self.path} cannot be written: {error.strerror or error}.") from error
        return json.loads(line)

    def close(self) -> None:
        """Let go of the file, and of its lock."""
        self._file.close()
