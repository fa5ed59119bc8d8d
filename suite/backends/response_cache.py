"""Answers that were given before: one SQLite file, each entry found by a key and held by a checksum."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from ..errors import UsageError
from .lease import Lease

__all__ = ["DEFAULT_BYTES", "ResponseCache"]

_log = logging.getLogger(__name__)

DEFAULT_BYTES = 2**30
"""How large a cache may grow."""

_APPLICATION = 0x46434852
_VERSION = 1
_MAGIC = b"SQLite format 3\0"
_FILE = "responses.sqlite"
_LOCKED_OUT = 5  # writes that may fail for another process's sake before no more are tried
_CHECKED_EVERY = 128  # writes between two looks at the size
_REPLACED_AT_MOST = 3  # times that a damaged file is moved aside by one run; a disk that fails goes on failing
_TOUCHED_AT_MOST = 1024  # entries whose use is not written down yet

_SCHEMA = f"""
CREATE TABLE answers (
    key BLOB PRIMARY KEY, payload BLOB NOT NULL, checksum BLOB NOT NULL, used INTEGER NOT NULL
);
CREATE INDEX answers_by_use ON answers (used);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


class ResponseCache:
    """Keeps answers by key, over runs and for several processes at once.

    What it gives back is what was put in under that key, byte for byte, or nothing: each entry has a checksum over key
    and payload. An entry that is torn, changed or misplaced is counted, thrown away and asked for anew. A file that
    SQLite cannot read is moved aside as ``NAME.damaged-N`` and a new one is begun. A folder that cannot be written to,
    or a full disk, costs the cache and never the run. The checksum finds accidents, not forgery: who can write to the
    file can put answers into it, as into a run's own store.

    An answer is committed before :meth:`put` returns (``synchronous=NORMAL``: a kill loses nothing, a power cut the
    last entries). When the file grows beyond ``most_bytes``, what was not used for longest goes.

    The file is to lie on a local disk; SQLite's log does not work over a network.

    Args:
        place: A file whose name ends in ``.sqlite``; anything else is a folder, in which it is ``responses.sqlite``.
        most_bytes: How large it may grow, at least 2**20.
        patience: Seconds that a statement waits for another process.

    Raises:
        UsageError: ``most_bytes`` is too small.

    Attributes:
        counts: ``hits``, ``misses``, of these ``damaged``; ``stored``, ``unsaved`` and ``evicted`` entries.
    """

    def __init__(
        self, place: str | os.PathLike[str], *, most_bytes: int = DEFAULT_BYTES, patience: float = 1.0
    ) -> None:
        if most_bytes < 2**20:
            raise UsageError(f"A response cache needs at least 1 MiB, not {most_bytes:,} bytes.")
        place = Path(place).expanduser()
        self.path = place if place.suffix == ".sqlite" else place / _FILE
        self.most_bytes, self.patience = most_bytes, patience
        self.counts: Counter[str] = Counter()
        self._db: sqlite3.Connection | None = None
        self._lease: Lease | None = None
        self._writes = False
        self._mutex = threading.Lock()
        self._touched: dict[bytes, int] = {}
        self._notice = ""

    # -- life

    def check(self) -> None:
        """Refuse a file that belongs to something else, before anything is spent. Writes nothing.

        Raises:
            UsageError: It is another program's database, or that of a version with another layout.
        """
        if self.path.is_dir():
            raise UsageError(f"{self.path}: a response cache is a file, and this is a folder.")
        try:
            with self.path.open("rb") as handle:
                header = handle.read(100)
        except OSError:
            return  # it is not there, or cannot be read; opening it says so
        if len(header) < 100 or not header.startswith(_MAGIC):
            return  # empty, or no database at all
        application, version = int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big")
        if application != _APPLICATION and self._is_foreign():
            raise UsageError(
                f"{self.path}: this database is no response cache, and is left alone. Name another file or folder."
            )
        if application == _APPLICATION and version != _VERSION:
            raise UsageError(
                f"{self.path}: this response cache has the layout {version}, and this version of Finchmark knows "
                f"{_VERSION}. Name another file or folder, or delete it: answers are then asked for anew."
            )

    def _is_foreign(self) -> bool:
        """Whether it is a whole database with other tables. One that nobody can read is only damaged."""
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as db:
                tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        except sqlite3.Error:
            return False
        return bool(tables) and "answers" not in tables

    def open(self) -> None:
        """Open the file, and make it if it is not there. What cannot be had is told by :meth:`notice`.

        Raises:
            UsageError: As for :meth:`check`.
        """
        with self._mutex:
            if self._db is None:
                self.check()
                self._open()

    def _open(self, *, anew: bool = True) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lease = Lease(self.path.with_name(self.path.name + ".lock"))
        except OSError as error:
            self._lease = None
            self._open_to_read(error)
            return
        try:
            self._db = self._connect()
            self._writes = True
        except sqlite3.DatabaseError as error:
            if _is_damage(error) and anew:
                self._replace(error)
            elif "readonly" in str(error):
                self._open_to_read(error)
            else:
                self._give_up(f"cannot be opened ({error})")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=self.patience)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                db.execute("BEGIN IMMEDIATE")
                if db.execute("PRAGMA user_version").fetchone()[0] == 0:  # or another process was faster
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        db.execute(statement)
                db.execute("COMMIT")
            with contextlib.suppress(sqlite3.OperationalError):  # another process is at it
                db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("SELECT key, payload, checksum, used FROM answers LIMIT 1").fetchall()
        except BaseException:
            db.close()
            raise
        return db

    def _open_to_read(self, cause: Exception) -> None:
        """Answers that lie where nothing can be written are still answers."""
        reason = cause.strerror or str(cause) if isinstance(cause, OSError) else str(cause)
        # Without a log nobody writes to it, and it can be read where it lies.
        still = "" if self.path.with_name(self.path.name + "-wal").exists() else "&immutable=1"
        db = None
        try:
            uri = f"{self.path.resolve().as_uri()}?mode=ro{still}"
            db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=self.patience)
            db.execute("SELECT key, payload, checksum, used FROM answers LIMIT 1").fetchall()
        except (sqlite3.Error, OSError):
            if db is not None:
                db.close()
            self._give_up(f"cannot be written ({reason})")
            return
        self._db, self._writes = db, False
        self._say(f"cannot be written ({reason}); it is only read")

    def close(self) -> None:
        """Write down what was used, fold the log into the file, and let go of it. May be called twice."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            if self._writes:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("BEGIN IMMEDIATE")
                    self._write_uses(db)
                    db.execute("COMMIT")
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with contextlib.suppress(sqlite3.Error):
                db.close()
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        self._writes = False

    def notice(self) -> str:
        """Why the cache does less than it should; empty while all is well."""
        return self._notice

    def __len__(self) -> int:
        """How many answers are kept; 0 while it is closed."""
        with self._mutex:
            return 0 if self._db is None else self._db.execute("SELECT COUNT(*) FROM answers").fetchone()[0]

    # -- answers

    def get(self, key: bytes) -> bytes | None:
        """Find an answer.

        Args:
            key: 32 bytes.

        Returns:
            The payload as it was put in, None where there is none that is whole.
        """
        with self._mutex:
            found = self._find(key)
            self.counts["misses" if found is None else "hits"] += 1
            return found

    def _find(self, key: bytes) -> bytes | None:
        if self._db is None:
            return None
        try:
            row = self._db.execute("SELECT payload, checksum FROM answers WHERE key = ?", (key,)).fetchone()
        except sqlite3.DatabaseError as error:
            self._fail(error)
            return None
        if row is None:
            return None
        payload, checksum = row
        if not isinstance(payload, bytes) or checksum != _checksum(key, payload):
            self._drop(key)
            return None
        self._touched[key] = int(time.time())
        if len(self._touched) >= _TOUCHED_AT_MOST:
            self._write(self._write_uses)
        return payload

    def reject(self, key: bytes) -> None:
        """Throw an answer away that was found and cannot be read: the hit was none."""
        with self._mutex:
            self.counts["hits"] -= 1
            self.counts["misses"] += 1
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        self.counts["damaged"] += 1
        self._touched.pop(key, None)
        if self.counts["damaged"] == 1:
            _log.warning("the response cache %s has a damaged answer; it is asked for anew", self.path)
        self._write(lambda db: db.execute("DELETE FROM answers WHERE key = ?", (key,)))

    def put(self, key: bytes, payload: bytes) -> None:
        """Keep an answer. One that is there already stays: another process was faster.

        Args:
            key: 32 bytes.
            payload: The answer.
        """
        with self._mutex:
            if self._db is None:
                return
            row = (key, payload, _checksum(key, payload), int(time.time()))
            if not self._write(lambda db: db.execute("INSERT OR IGNORE INTO answers VALUES (?,?,?,?)", row)):
                self.counts["unsaved"] += 1
                return
            self.counts["stored"] += 1
            if self.counts["stored"] % _CHECKED_EVERY == 0:
                self._write(self._make_room)

    def _write(self, statement: Callable[[sqlite3.Connection], object]) -> bool:
        """Change the file, as one transaction; in a new file, where the first was damaged. Whether it was done."""
        tried = None
        while self._db is not tried and self._db is not None and self._writes:
            tried = db = self._db
            try:
                db.execute("BEGIN IMMEDIATE")
                statement(db)
                db.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                with contextlib.suppress(sqlite3.Error):
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                self._fail(error)
            else:
                return True
        return False

    def _write_uses(self, db: sqlite3.Connection) -> None:
        touched, self._touched = self._touched, {}
        db.executemany("UPDATE answers SET used = ? WHERE key = ?", [(used, key) for key, used in touched.items()])

    def _make_room(self, db: sqlite3.Connection) -> None:
        """Let go of what was not used for longest, and a little more than must be. The file's pages are used again."""
        held = self._held(db)
        if held <= self.most_bytes:
            return
        self._write_uses(db)
        excess = held - self.most_bytes + self.most_bytes // 32
        doomed: list[tuple[bytes]] = []
        for key, length in db.execute("SELECT key, LENGTH(payload) FROM answers ORDER BY used, rowid"):
            if excess <= 0:
                break
            doomed.append((key,))
            excess -= length + 2 * len(key) + 64
        db.executemany("DELETE FROM answers WHERE key = ?", doomed)
        self.counts["evicted"] += len(doomed)

    @staticmethod
    def _held(db: sqlite3.Connection) -> int:
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    @property
    def bytes(self) -> int:
        """How much the answers take, in bytes; 0 while it is closed."""
        with self._mutex:
            return 0 if self._db is None else self._held(self._db)

    # -- trouble

    def _fail(self, error: sqlite3.DatabaseError) -> None:
        """Go on after a failed statement: in a new file, without writing, or without the cache."""
        if _is_damage(error):
            self._replace(error)
        elif "locked" in str(error) or "busy" in str(error):
            self.counts["locked"] += 1
            if self.counts["locked"] == _LOCKED_OUT:
                self._writes = False
                self._say("is held by another process; no more answers are kept")
        elif "full" in str(error) or "readonly" in str(error):
            self._writes = False
            self._say(f"cannot be written any more ({error}); no more answers are kept")
        else:
            self._give_up(f"fails ({error})")

    def _replace(self, error: sqlite3.DatabaseError) -> None:
        """Move a file aside that SQLite cannot read, with its log, and begin a new one."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
        if self.counts["replaced"] == _REPLACED_AT_MOST:
            self._give_up(f"is damaged again ({error})")
            return
        if self._lease is None or not self._lease.alone():
            # Another process has it open: it would go on writing to files of the new one's names.
            self._give_up(f"is damaged ({error}) and in use by another run")
            return
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        try:
            for suffix in ("-wal", "-shm", "-journal", ""):
                part = self.path.with_name(self.path.name + suffix)
                if part.exists():
                    part.replace(aside.with_name(aside.name + suffix))
        except OSError as failure:
            self._give_up(f"is damaged ({error}) and cannot be moved aside ({failure.strerror or failure})")
            return
        self.counts["replaced"] += 1
        self._touched.clear()
        self._say(f"was damaged ({error}); it is now {aside.name}, and a new one is begun")
        self._lease.release()
        self._open(anew=False)

    def _give_up(self, reason: str) -> None:
        self._close()
        self._say(f"{reason}; the run goes on without it")

    def _say(self, what: str) -> None:
        self._notice = f"the response cache {what}"
        _log.warning("the response cache %s %s", self.path, what)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    text = str(error)
    return any(sign in text for sign in ("malformed", "not a database", "no such table", "no such column")) or getattr(
        error, "sqlite_errorname", ""
    ) in ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def _checksum(key: bytes, payload: bytes) -> bytes:
    return blake2b(key + payload, digest_size=16, person=b"finchmark-answer").digest()
