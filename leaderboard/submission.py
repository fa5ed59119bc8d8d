"""A stranger's run folder, read without trusting it: no link is followed, no view or trigger runs, memory is bounded.

What is read here is data only. Nothing in the folder is executed, unpickled, or taken for a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..suite.errors import UsageError
from ..suite.records import Key, Manifest, Outcome, Sample, Turn, Usage
from ..suite.store import SCHEMA, STORE_VERSION
from .findings import Findings

__all__ = ["MANIFEST", "MOST_BYTES", "STORE", "Row", "Store", "Submission"]

MANIFEST, STORE, LOCK = "manifest.json", "samples.sqlite", "run.lock"
MOST_BYTES = 8 << 30
"""The largest store that is read, unless the caller allows more."""

_MOST_MANIFEST = 16 << 20
_MOST_CELL = 16 << 20
_MOST_SAMPLE = 128 << 20
_BLOCK = 1 << 20

_KEY = ", ".join(Key._fields)
_COLUMNS: Mapping[str, type] = {
    "id": int,
    **{name: int if name in ("sample", "position", "checkpoint") else str for name in Key._fields},
    "attempt": int,
    "version": int,
    "item_hash": str,
    "seed": int,
    "outcome": str,
    "reason": str,
    "metrics": str,
    "usage": str,
    "seconds": float,
    "turns": int,
    "transcript": str,
    "error": str,
}
_FUNCTIONS = frozenset(("count", "length", "sum", "total"))
_PRAGMAS = frozenset(("integrity_check", "page_count", "page_size", "user_version"))


@dataclass(frozen=True, slots=True)
class Row:
    """One stored attempt at one sample, every value of the right type.

    Attributes:
        sample: The record, with its turns.
        turns: How many turns the store says there are.
        transcript: The digest of the transcript that the store gives.
        last: Whether it is the last attempt, the one that counts.
    """

    sample: Sample
    turns: int
    transcript: str
    last: bool


class Submission:
    """A run folder from elsewhere.

    Args:
        path: The folder.
        found: Takes what is wrong with it.
        most_bytes: The largest store that is read.

    Raises:
        UsageError: There is no folder.
    """

    def __init__(self, path: Path, found: Findings, *, most_bytes: int = MOST_BYTES) -> None:
        if not path.is_dir():
            raise UsageError(f"{path}: there is no folder here. A submission is a run folder of `finchmark run`.")
        self.path, self._found = path, found
        try:
            self._whole = self._look(most_bytes)
        except OSError as error:
            raise UsageError(f"{path}: the folder cannot be read ({error.strerror or error}).") from error

    def _look(self, most_bytes: int) -> bool:
        """Hold the folder against what a run folder has; whether manifest and store can be opened."""
        found, whole, seen = self._found, True, set[str]()
        with os.scandir(self.path) as entries:
            for entry in entries:
                name = entry.name
                seen.add(name)
                if name in (f"{STORE}-wal", f"{STORE}-shm", f"{STORE}-journal"):
                    found.add("open-log", name, "read the run once with `finchmark results`, which folds it in")
                    continue
                if name not in (MANIFEST, STORE, LOCK):
                    found.add("strange-file", name, "no run has this; remove it")
                    continue
                info = entry.stat(follow_symlinks=False)
                most = {MANIFEST: _MOST_MANIFEST, STORE: most_bytes, LOCK: 4096}[name]
                if not stat.S_ISREG(info.st_mode):
                    found.add("strange-file", name, "a link or a device, where a plain file belongs; it was not opened")
                    whole = False
                elif info.st_size > most:
                    found.add("too-large", name, f"{info.st_size:,} bytes; at most {most:,} are read")
                    whole = False
        for name in sorted({MANIFEST, STORE} - seen):
            found.add("missing-file", name, "it is not there")
            whole = False
        return whole

    def digest(self) -> str:
        """SHA-256 over manifest and store, 64 hexadecimal digits; empty where they cannot be read."""
        if not self._whole:
            return ""
        total = hashlib.sha256()
        try:
            for name in (MANIFEST, STORE):
                one = hashlib.sha256()
                with self._open(name) as file:
                    while block := file.read(_BLOCK):
                        one.update(block)
                total.update(one.digest())
        except OSError:
            return ""
        return total.hexdigest()

    def _open(self, name: str) -> Any:
        # O_NOFOLLOW and O_NONBLOCK: neither a link nor a pipe that took the file's place since is read.
        descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        return os.fdopen(descriptor, "rb")

    def manifest(self) -> Manifest | None:
        """The manifest, None where it cannot be read."""
        if not self._whole:
            return None
        try:
            with self._open(MANIFEST) as file:
                text = file.read(_MOST_MANIFEST + 1).decode("utf-8")
            raw = plain_json(text)
            return Manifest.model_validate_json(text) if isinstance(raw, dict) else Manifest.model_validate(raw)
        except ValidationError as error:
            wrong = error.errors()[0]
            self._found.add("manifest", MANIFEST, f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}")
        except (OSError, ValueError, RecursionError) as error:
            self._found.add("manifest", MANIFEST, str(error))
        return None

    @contextlib.contextmanager
    def store(self) -> Iterator[Store | None]:
        """Open the store for reading only; None where it is damaged or laid out otherwise than Finchmark's."""
        if not self._whole:
            yield None
            return
        place = f"{(self.path.resolve() / STORE).as_uri()}?mode=ro&immutable=1"
        with contextlib.ExitStack() as stack:
            opened: Store | None = None
            try:
                connection = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
                stack.callback(connection.close)
                opened = _opened(connection, self._found, (self.path / STORE).stat().st_size)
            except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
                self._found.add("damaged", STORE, str(error))
            yield opened


def _opened(connection: sqlite3.Connection, found: Findings, size: int) -> Store | None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_CELL)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    # TEXT comes as str and BLOB as bytes, so a blob in a text's place is seen. What is no UTF-8 keeps its lone
    # surrogates and is found by them.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    for pragma in ("query_only = 1", "trusted_schema = 0", "cell_size_check = 1", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.set_authorizer(_authorise)
    ok = _laid_out(connection, found)
    if not ok:
        return None
    pages, page = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * page != size:
        found.add("damaged", STORE, f"{size:,} bytes, where {pages:,} pages of {page:,} bytes belong")
        return None
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != STORE_VERSION:
        found.add("schema", STORE, f"the store has version {version}, this Finchmark reads {STORE_VERSION}")
        return None
    faults = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
    if faults != ["ok"]:
        for fault in faults:
            found.add("damaged", STORE, str(fault))
        return None
    return Store(connection, found)


def _authorise(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """Allow plain reading, and nothing that a view or a trigger would do."""
    allowed = trigger is None and (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
        or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS)
        or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _shape(connection: sqlite3.Connection) -> set[tuple[str, str, str, str]]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 1000"
    return {(str(a), str(b), str(c), " ".join(str(d).split())) for a, b, c, d in connection.execute(query)}


def _laid_out(connection: sqlite3.Connection, found: Findings) -> bool:
    """Whether the store has exactly the tables that Finchmark makes: no view, trigger, index or column more."""
    own = sqlite3.connect(":memory:")
    try:
        own.executescript(SCHEMA)
        wanted = _shape(own)
    finally:
        own.close()
    there = _shape(connection)
    for kind, name, table, sql in sorted(there - wanted):
        text = f"{kind} {name!r} on {table!r} is none of Finchmark's: {sql}"
        found.add("schema", STORE, text)
    for kind, name, _, _ in sorted(wanted - there):
        found.add("schema", STORE, f"{kind} {name!r} is not there as Finchmark makes it")
    return there == wanted


class Store:
    """The opened store of a submission.

    Memory is bounded by one sample (its turns: at most 128 MiB, a single value 16 MiB) and some 100 bytes for every
    sample and text.

    Args:
        connection: Opened for reading only, its schema checked.
        found: Takes what cannot be read.
    """

    def __init__(self, connection: sqlite3.Connection, found: Findings) -> None:
        self._db, self._found = connection, found
        self.unreadable: set[Key] = set()

    def loose_turns(self) -> int:
        """How many turns belong to no sample."""
        query = "SELECT COUNT(*) FROM turns WHERE sample_id NOT IN (SELECT id FROM samples)"
        return int(self._db.execute(query).fetchone()[0])

    def rows(self) -> Iterator[Row]:
        """Every attempt at every sample that can be read, sorted by key and attempt."""
        try:
            yield from self._rows()
        except (sqlite3.Error, OverflowError) as error:
            kind = "too-large" if "too big" in str(error) else "damaged"
            self._found.add(kind, STORE, f"reading stopped: {error}")

    def _rows(self) -> Iterator[Row]:
        query = f"SELECT {', '.join(_COLUMNS)} FROM samples ORDER BY {_KEY}, attempt"
        held: tuple[Any, ...] | None = None
        for row in self._db.execute(query):
            if held is not None:
                yield from self._row(held, last=held[1:9] != row[1:9])
            held = row
        if held is not None:
            yield from self._row(held, last=True)

    def _row(self, cells: tuple[Any, ...], *, last: bool) -> Iterator[Row]:
        """The row as a record, or nothing where it is none."""
        values = dict(zip(_COLUMNS, cells, strict=True))
        where = "/".join(str(values[name]) for name in ("task", "arm", "item", "sample"))
        try:
            for name, value in values.items():
                _typed(name, value, _COLUMNS[name])
            sample = Sample(
                **{name: values[name] for name in (*Key._fields, "attempt", "version", "item_hash", "seed")},
                outcome=Outcome(values["outcome"]),
                reason=values["reason"],
                metrics=_metrics(values["metrics"]),
                usage=_usage(values["usage"]),
                seconds=values["seconds"],
                error=values["error"],
                turns=self._turns(values["id"]),
            )
        except (ValueError, TypeError, RecursionError) as error:
            self._found.add("row", where, _first_line(error))
            if all(type(values[name]) is _COLUMNS[name] for name in Key._fields):
                self.unreadable.add(Key(*(values[name] for name in Key._fields)))
            return
        yield Row(sample, values["turns"], values["transcript"], last)

    def _turns(self, sample: int) -> tuple[Turn, ...]:
        """The turns of one sample, numbered from 0.

        Raises:
            ValueError: They are too long, misnumbered, or no turns.
        """
        query = "SELECT TOTAL(LENGTH(data)) FROM turns WHERE sample_id = ?"
        size = self._db.execute(query, (sample,)).fetchone()[0]
        if size > _MOST_SAMPLE:
            raise ValueError(f"its turns have {size:,.0f} characters; at most {_MOST_SAMPLE:,} are read")
        turns = []
        rows = self._db.execute("SELECT turn, data FROM turns WHERE sample_id = ? ORDER BY turn", (sample,))
        for index, (number, data) in enumerate(rows):
            _typed(f"turn {index}", data, str)
            plain_json(data)
            turn = Turn.model_validate_json(data, strict=True)
            if not number == turn.index == index:
                raise ValueError(f"turn {index} is stored as {number} and calls itself {turn.index}")
            turns.append(turn)
        return tuple(turns)

    def stored_texts(self) -> Iterator[tuple[str, str]]:
        """The texts that turns refer to, with the hashes that the store gives them."""
        try:
            for digest, text in self._db.execute("SELECT hash, text FROM texts"):
                try:
                    _typed("hash", digest, str)
                    _typed("text", text, str)
                except ValueError as error:
                    self._found.add("row", "texts", str(error))
                    continue
                yield digest, text
        except sqlite3.Error as error:
            self._found.add("too-large" if "too big" in str(error) else "damaged", STORE, str(error))


def _first_line(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        wrong = error.errors()[0]
        return f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _typed(name: str, value: Any, wanted: type) -> None:
    if type(value) is not wanted:
        raise ValueError(f"{name} is a {type(value).__name__}, not a {wanted.__name__}: {value!r:.60}")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} is not valid UTF-8") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("the JSON has a key twice, which readers would read differently")
    return made


def _refuse(constant: str) -> Any:
    raise ValueError(f"the JSON holds {constant}, which is no number")


def plain_json(text: str) -> Any:
    """Read JSON that every reader reads alike.

    Raises:
        ValueError: It is no JSON, holds NaN or an infinity, or a key twice.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)


def _metrics(text: str) -> dict[str, float | None]:
    raw = plain_json(text)
    if not isinstance(raw, dict):
        raise ValueError("metrics is no JSON object")
    made: dict[str, float | None] = {}
    for name, value in raw.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ValueError(f"metric {name} is no number: {value!r:.60}")
        made[name] = None if value is None else _finite(name, value)
    return made


def _finite(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is not finite")
    return number


def _usage(text: str) -> Usage:
    plain_json(text)
    return Usage.model_validate_json(text, strict=True)
