"""A run on disk: one folder with a manifest, a lock and an SQLite store. Append, resume, read back, export."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from .errors import RunLocked, SpecMismatch, StoreError, UsageError
from .frame import FRAME_COLUMNS, TIMING_COLUMNS
from .records import Key, LongTurns, Manifest, Outcome, RunSpec, Sample, Turn, Update, Usage
from .states import State
from .transcript import LEFTOVER, MOST_TURNS, transcript_hash, turn_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SCHEMA",
    "STORE_VERSION",
    "RunWriter",
    "StoredEpisode",
    "StoredRun",
    "spec_difference",
    "transcript_hash",
]

STORE_VERSION = 1
_HELD: set[tuple[int, Path]] = set()
_HELD_MUTEX = threading.Lock()
_MANIFEST, _STORE, _LOCK = "manifest.json", "samples.sqlite", "run.lock"
_NOT_STORED = frozenset(
    ("model", "backend", "tier", "calls", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cost")
)
"""Columns of a frame that come from the manifest and from the samples' usage."""
_KEY = "task, arm, item, sample, stream, position, checkpoint, agent"

SCHEMA = f"""
CREATE TABLE samples (
    id INTEGER PRIMARY KEY,
    task TEXT NOT NULL, arm TEXT NOT NULL, item TEXT NOT NULL, sample INTEGER NOT NULL,
    stream TEXT NOT NULL, position INTEGER NOT NULL, checkpoint INTEGER NOT NULL, agent TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    version INTEGER NOT NULL, item_hash TEXT NOT NULL, seed INTEGER NOT NULL,
    outcome TEXT NOT NULL, reason TEXT NOT NULL, metrics TEXT NOT NULL, usage TEXT NOT NULL, seconds REAL NOT NULL,
    turns INTEGER NOT NULL, transcript TEXT NOT NULL, error TEXT NOT NULL,
    UNIQUE ({_KEY}, attempt)
);
CREATE TABLE turns (
    sample_id INTEGER NOT NULL REFERENCES samples (id),
    turn INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (sample_id, turn)
) WITHOUT ROWID;
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
"""The store's tables; a check of a store from elsewhere holds its layout against them."""

_STREAM_SCHEMA = """
CREATE TABLE IF NOT EXISTS states (hash TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS updates (
    id TEXT PRIMARY KEY,
    task TEXT NOT NULL, arm TEXT NOT NULL, stream TEXT NOT NULL, position INTEGER NOT NULL,
    parent TEXT NOT NULL,
    state TEXT NOT NULL REFERENCES states (hash),
    size INTEGER NOT NULL,
    change TEXT NOT NULL,
    UNIQUE (task, arm, stream, position)
) WITHOUT ROWID;
"""
"""What a run with streams has besides: states by their hash, so that an equal one is stored once, and their lineage."""

LEARNING_SEAT = "learning"
"""Seat of the turn that records what an agent asked its model while it learnt."""


class StoredEpisode(NamedTuple):
    """What is needed of an episode that was lived in an earlier call."""

    outcome: Outcome
    reason: str
    metrics: dict[str, float | None]
    usage: Usage
    turns: int


def spec_difference(old: RunSpec, new: RunSpec) -> list[str]:
    """List the fields in which two specifications differ, as ``path: old -> new``."""

    def walk(a: Any, b: Any, path: str) -> Iterator[str]:
        if isinstance(a, dict) and isinstance(b, dict):
            for key in sorted(a.keys() | b.keys()):
                yield from walk(a.get(key), b.get(key), f"{path}.{key}" if path else key)
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                yield from walk(x, y, f"{path}[{i}]")
        elif a != b:
            yield f"{path}: {json.dumps(a, ensure_ascii=False)} -> {json.dumps(b, ensure_ascii=False)}"

    return list(walk(old.model_dump(mode="json"), new.model_dump(mode="json"), ""))


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a run folder.

    Raises:
        UsageError: There is no run there.
        StoreError: The manifest is damaged, or from a newer version.
    """
    file = path / _MANIFEST
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{path}: there is no run here (no {_MANIFEST}). `finchmark run --out {path}` makes one."
        ) from None
    try:
        raw = json.loads(text)
        found = raw.get("format") if isinstance(raw, dict) else None
        if found != "finchmark-manifest/1":
            raise StoreError(
                f"{file}: the format is {found!r}, this version of Finchmark reads 'finchmark-manifest/1'. "
                "Read it with the version that wrote it, or a newer one."
            )
        return Manifest.model_validate(raw)
    except (ValueError, ValidationError) as error:
        raise StoreError(
            f"{file}: the manifest cannot be read ({str(error).splitlines()[0]}). Nothing was changed."
        ) from error


def _check_size(file: Path) -> None:
    """Compare the size of a store with what its header says: SQLite notices a missing tail only when it gets there.

    Pages that are still in the write-ahead log may not be in the file yet, so a file with a log is left to SQLite.
    """
    wal = file.with_name(file.name + "-wal")
    if wal.exists() and wal.stat().st_size > 0:
        return
    size = file.stat().st_size
    if size == 0:
        return
    with file.open("rb") as handle:
        header = handle.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise StoreError(f"{file}: this is not a store, or its beginning is damaged. Nothing was changed.")
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    if size < page * pages:
        raise StoreError(
            f"{file}: the store is truncated: {size:,} of {page * pages:,} bytes are there. Nothing was changed. "
            "Restore it from a copy, or move the folder away and run again; "
            "`sqlite3 FILE .recover` saves what is left."
        )


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    file = path / _STORE
    if file.exists():
        _check_size(file)
    elif not write:
        raise StoreError(f"{file}: the store is missing; the manifest beside it is of a run that never began.")
    try:
        # A reader may open a run that is being written: WAL lets it see the last commit. Without a log nobody writes,
        # and the file can be read where it lies, also in a folder that cannot be written to.
        still = not write and not file.with_name(file.name + "-wal").exists()
        place = f"{file.resolve().as_uri()}?mode=ro&immutable=1" if still else str(file)
        connection = sqlite3.connect(place, uri=still, isolation_level=None, check_same_thread=False, timeout=10)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > STORE_VERSION:
            connection.close()
            raise StoreError(
                f"{file}: the store has version {version}, this Finchmark knows {STORE_VERSION}. Nothing was changed; "
                "install the newer Finchmark."
            )
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if version == 0:
                connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {STORE_VERSION}; COMMIT;")
        else:
            connection.execute("PRAGMA query_only = 1")
            if version == 0:
                connection.close()
                raise StoreError(f"{file}: the store is empty. The same `finchmark run` command starts it again.")
    except sqlite3.Error as error:
        raise _explain(file, error) from error
    return connection


def _explain(file: Path, error: Exception) -> StoreError:
    text = str(error)
    if "full" in text or "disk I/O" in text or getattr(error, "errno", None) == 28:
        return StoreError(
            f"{file}: the disk is full or failing ({text}). All samples stored so far are safe; make room and give the "
            "same command again."
        )
    if "malformed" in text or "not a database" in text:
        return StoreError(f"{file}: the store is damaged ({text}). Nothing was changed. Restore it from a copy.")
    return StoreError(f"{file}: {text}. Nothing that was stored is lost.")


class StoredTurns(LongTurns):
    """The turns of a sample that are read from a store when they are gone through.

    Args:
        path: The run folder.
        db: Its store, open.
        sample: Number of the sample there.
        count: How many turns it has.
        usage: Of the sample.
        digest: Of what the model wrote.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, sample: int, count: int, usage: Usage, digest: str) -> None:
        self._path, self._db, self._sample, self._count = path, db, sample, count
        self._usage, self._digest = usage, digest

    @property
    def usage(self) -> Usage:
        """What all calls took."""
        return self._usage

    @property
    def digest(self) -> str:
        """Hash of what the model wrote."""
        return self._digest

    def stored(self) -> Iterator[tuple[int, str]]:
        """Index and JSON of each turn."""
        try:
            yield from self._db.execute(
                "SELECT turn, data FROM turns WHERE sample_id = ? ORDER BY turn", (self._sample,)
            )
        except sqlite3.ProgrammingError as error:
            raise StoreError(
                f"{self._path}: turns that are read lazily are there while the samples are gone through, and no longer."
            ) from error

    def __len__(self) -> int:
        return self._count


class StoredRun:
    """A run read from its folder. Reading changes no sample, and works while the run is being written.

    After a kill the first reader folds the log that was left behind into the store.

    Args:
        path: The run folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = _connect(self.path, write=False)
        try:
            yield connection
        except sqlite3.Error as error:
            raise _explain(self.path / _STORE, error) from error
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """Samples by outcome; of several attempts the last counts."""
        with self._open() as db:
            rows = db.execute(f"SELECT outcome, COUNT(*) FROM ({_latest('outcome')}) GROUP BY outcome").fetchall()
        found = dict(rows)
        return {str(o): found.get(str(o), 0) for o in Outcome}

    def frame(self, *, timing: bool = False) -> pd.DataFrame:
        """One row a sample, sorted by key.

        Args:
            timing: Add what differs between equal runs: seconds, cached tokens, calls that a response cache answered
                (``replayed``) and the US dollars that it ``spared``, attempts.

        Returns:
            The columns of :data:`.FRAME_COLUMNS`, then one of float64 per metric: NaN where it does not apply, and
            throughout for ``error``. ``cost`` is what the answers cost when they were given: a response
            cache spares the payment, it does not make a model cheaper. ``cost`` minus ``spared`` was paid.
        """
        import numpy as np
        import pandas as pd

        stored = [*(name for name in FRAME_COLUMNS if name not in _NOT_STORED), "seconds", "attempt"]
        with self._open() as db:
            query = _latest(", ".join([*stored, "usage", "metrics"]))
            rows = db.execute(f"{query} ORDER BY {_KEY}").fetchall()
        frame = pd.DataFrame([row[:-2] for row in rows], columns=stored)
        frame["model"], frame["backend"] = self.manifest.label, str(self.manifest.spec.backend)
        frame["tier"] = self.manifest.spec.tier
        usages = _parse_all([row[-2] for row in rows])
        for name in ("calls", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "replayed"):
            frame[name] = [u.get(name, 0) for u in usages]
        frame["cost"] = [_price(u) for u in usages]
        frame["model_seconds"] = [u.get("seconds", 0.0) for u in usages]
        frame["spared"] = [u.get("spared", 0.0) for u in usages]
        metrics = _parse_all([row[-1] for row in rows])
        names = dict.fromkeys(m.name for sheet in self.manifest.tasks.values() for m in sheet.metrics)
        # All at once: a group of tasks has a hundred metrics, and a column put in by itself is a block by itself.
        scores = {name: np.array([m.get(name) for m in metrics], dtype=float) for name in names}
        frame = pd.concat([frame, pd.DataFrame(scores, index=frame.index)], axis=1)
        return frame[[*FRAME_COLUMNS, *names, *(TIMING_COLUMNS if timing else ())]]

    def samples(self, *, turns: bool = True, attempts: bool = False, lazy: bool = False) -> Iterator[Sample]:
        """The samples one by one, sorted by key.

        Args:
            turns: Whether to read their turns.
            attempts: Whether to give all attempts, not only the last.
            lazy: Whether turns of long samples, beyond :data:`.MOST_TURNS`, are read one by one, whenever they are gone
                through, and only as long as the samples are: for those who keep no sample.
        """
        what = (
            f"id, {_KEY}, attempt, version, item_hash, seed, outcome, reason, metrics, usage, seconds, error, turns, "
            "transcript"
        )
        query = f"SELECT {what} FROM samples" if attempts else _latest(what)
        with self._open() as db:
            for row in db.execute(f"{query} ORDER BY {_KEY}, attempt"):
                usage = Usage(**json.loads(row[16]))
                data: tuple[Turn, ...] | LongTurns = ()
                if turns:
                    long = StoredTurns(self.path, db, row[0], row[19], usage, row[20])
                    data = long if lazy and len(long) > MOST_TURNS else tuple(long)
                yield Sample(
                    **dict(zip(Key._fields, row[1:9], strict=True)),
                    attempt=row[9],
                    version=row[10],
                    item_hash=row[11],
                    seed=row[12],
                    outcome=Outcome(row[13]),
                    reason=row[14],
                    metrics=json.loads(row[15]),
                    usage=usage,
                    seconds=row[17],
                    error=row[18],
                    turns=data,
                )

    def updates(
        self, *, task: str | None = None, arm: str | None = None, stream: str | None = None
    ) -> Iterator[Update]:
        """The changes of agents' states, by task, arm, stream and position.

        Args:
            task: Of this task only.
            arm: Likewise.
            stream: Likewise.
        """
        given = {"task": task, "arm": arm, "stream": stream}
        chosen = {name: value for name, value in given.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in chosen) or "1"
        with self._open() as db:
            if not _has_streams(db):
                return
            names = ", ".join(Update.model_fields)
            query = f"SELECT {names} FROM updates WHERE {where} ORDER BY task, arm, stream, position"
            for row in db.execute(query, list(chosen.values())):
                yield Update(**dict(zip(Update.model_fields, row, strict=True)))

    def state(self, digest: str) -> Any:
        """A state of an agent, by the hash that updates name: plain data for :meth:`.Agent.restore`.

        Raises:
            UsageError: The run has none of that hash.
        """
        with self._open() as db:
            row = None
            if _has_streams(db):
                row = db.execute("SELECT data FROM states WHERE hash = ?", (digest,)).fetchone()
        if row is None:
            raise UsageError(
                f"{self.path}: there is no state {digest!r} here. `finchmark states {self.path}` lists them."
            )
        return State.parse(row[0]).data()

    def text(self, digest: str) -> str:
        """The text that turns refer to by ``digest``, empty where there is none."""
        with self._open() as db:
            row = db.execute("SELECT text FROM texts WHERE hash = ?", (digest,)).fetchone()
        return row[0] if row else ""

    def export(self, file: Path, kind: str, *, table: str = "samples") -> None:
        """Write the samples to a file, the same bytes for the same results.

        Args:
            file: Where to.
            kind: ``csv``, ``jsonl`` (with transcripts) or ``parquet``.
            table: ``samples``, or ``timing`` with what differs between equal runs.

        Raises:
            UsageError: An unknown kind or table.
        """
        if table not in ("samples", "timing"):
            raise UsageError(f"--table {table}: there are 'samples' and 'timing'.")
        timing = table == "timing"
        temporary = file.with_name(file.name + ".tmp")
        try:
            if kind == "csv":
                self.frame(timing=timing).to_csv(temporary, index=False, float_format="%.10g", lineterminator="\n")
            elif kind == "parquet":
                self.frame(timing=timing).to_parquet(temporary, index=False)
            elif kind == "jsonl":
                with temporary.open("w", encoding="utf-8", newline="\n") as out:
                    for sample in self.samples(lazy=True):
                        out.writelines(_json_line(sample, timing))
            else:
                # The last two are written elsewhere, from what this class reads.
                raise UsageError(f"--to {kind}: there are 'csv', 'jsonl', 'parquet', 'inspect' and 'datasets'.")
            temporary.replace(file)
        except OSError as error:
            raise StoreError(f"{file}: cannot be written ({error.strerror or error}).") from error
        finally:
            temporary.unlink(missing_ok=True)


def _has_streams(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'updates'").fetchone() is not None


def _parse_all(texts: list[str]) -> list[dict[str, Any]]:
    """Parse many JSON texts as one: four times as fast as one by one."""
    return json.loads(f"[{','.join(texts)}]")


def _price(usage: dict[str, Any]) -> float:
    """What answers cost when they were given, in US dollars; rounded, so that sums do not show their order."""
    return round(usage.get("cost", 0.0) + usage.get("spared", 0.0), 12)


def _json_line(sample: Sample, timing: bool) -> Iterator[str]:
    """A sample as a line of JSON with sorted keys, in pieces: all but its turns is small."""
    data = _exportable(sample, timing)
    before, after = ({key: data[key] for key in data if (key < "turns") is first} for first in (True, False))
    yield f'{_sorted_json(before)[:-1]}, "turns": ['
    for number, turn in enumerate(sample.turns):
        told = turn.model_dump(mode="json")
        if not timing:
            for call in told["calls"]:
                _untimed(call["usage"])
        yield f"{', ' if number else ''}{_sorted_json(told)}"
    yield f"], {_sorted_json(after)[1:]}\n"


def _sorted_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True)


def _untimed(usage: dict[str, Any]) -> None:
    """Take out of what calls cost what differs between equal runs."""
    usage["cost"] = _price(usage)
    del usage["seconds"], usage["cached_tokens"]
    for name in ("replayed", "spared"):
        usage.pop(name, None)


def _exportable(sample: Sample, timing: bool) -> dict[str, Any]:
    """What is exported of a sample beside its turns."""
    data = sample.model_dump(mode="json", exclude={"turns"})
    if not timing:
        del data["attempt"], data["seconds"]
        _untimed(data["usage"])
        # A traceback names lines and folders of one machine; its last line says what happened.
        data["error"] = data["error"].strip().splitlines()[-1] if data["error"].strip() else ""
    return data


def _latest(columns: str) -> str:
    """A query for the last attempt of every key."""
    return (
        f"SELECT {columns} FROM samples AS s WHERE attempt = (SELECT MAX(attempt) FROM samples AS o WHERE "
        + " AND ".join(f"o.{name} = s.{name}" for name in Key._fields)
        + ")"
    )


class RunWriter:
    """Writes a run folder; one process at a time.

    Args:
        path: The run folder; made if it is not there.
        manifest: What is to be run. A folder that holds another specification is refused.

    Raises:
        SpecMismatch: The folder holds a run of another specification; the message shows the difference.
        RunLocked: Another process writes to it.
        StoreError: It cannot be written, is damaged, or from a newer version.
    """

    def __init__(self, path: str | os.PathLike[str], manifest: Manifest) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.path}: the folder cannot be made ({error.strerror or error}).") from error
        # A lock of the system's binds processes, not threads of one; and closing the file of a second writer here would
        # drop the first one's lock.
        self._name = (os.getpid(), self.path.resolve())
        with _HELD_MUTEX:
            if self._name in _HELD:
                raise RunLocked(f"{self.path}: this process is writing to the run already. Wait for it, or stop it.")
            _HELD.add(self._name)
        try:
            self._lock = self._take_lock()
        except BaseException:
            _HELD.discard(self._name)
            raise
        try:
            self.manifest = self._agree(manifest)
            self._clear()
            self._db = _connect(self.path, write=True)
        except BaseException:
            self._lock.close()
            _HELD.discard(self._name)
            raise

    def _take_lock(self) -> IO[str]:
        # lockf, not flock: a flock is shared with forked workers and outlives a SIGKILL of its owner in them.
        try:
            handle = (self.path / _LOCK).open("a+", encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written ({error.strerror or error}).") from error
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            owner = handle.read().strip()
            handle.close()
            raise RunLocked(
                f"{self.path}: another process{f' ({owner})' if owner else ''} is writing to this run. "
                "Wait for it, stop it, or give another --out."
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()}")
        handle.flush()
        return handle

    def _agree(self, manifest: Manifest) -> Manifest:
        file = self.path / _MANIFEST
        if file.exists():
            old = read_manifest(self.path)
            difference = spec_difference(old.spec, manifest.spec)
            if difference:
                shown = "\n  ".join(difference[:20])
                more = f"\n  and {len(difference) - 20} more" if len(difference) > 20 else ""
                raise SpecMismatch(
                    f"{self.path} holds a run of another specification (there -> asked for):\n  {shown}{more}\n"
                    "Give another --out, or the same flags as before; a flag that was not given and whose default has "
                    "changed since has to be given now, such as --agent history."
                )
            sessions = (*old.sessions, *manifest.sessions)
            return manifest.model_copy(update={"created": old.created, "notes": old.notes, "sessions": sessions})
        if (self.path / _STORE).exists():
            # The manifest is always written first: samples without one are of an unknown specification.
            raise StoreError(
                f"{self.path}: there is a store and no {_MANIFEST}, so nobody can tell what its samples are. Put the "
                "manifest back, or give another --out."
            )
        strangers = [p.name for p in self.path.iterdir() if not p.name.startswith((_MANIFEST, _LOCK, _STORE))]
        if strangers:
            raise UsageError(
                f"{self.path} is not empty and holds no run (but {strangers[0]!r}, for one). Give --out a new folder."
            )
        self._write(manifest)
        return manifest

    def _clear(self) -> None:
        """Take away what a call that was killed may have left of samples that were open."""
        for left in self.path.glob(f"{LEFTOVER}*"):
            with contextlib.suppress(OSError):
                left.unlink()

    def _write(self, manifest: Manifest) -> None:
        temporary = self.path / (_MANIFEST + ".tmp")
        try:
            with temporary.open("w", encoding="utf-8") as out:
                out.write(manifest.model_dump_json(indent=1) + "\n")
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(self.path / _MANIFEST)
        except OSError as error:
            raise _explain(self.path / _MANIFEST, error) from error

    def update(self, **fields: Any) -> Manifest:
        """Change fields of the manifest on disk, by rename."""
        self.manifest = self.manifest.model_copy(update=fields)
        self._write(self.manifest)
        return self.manifest

    def finished(self) -> tuple[set[Key], dict[Key, int]]:
        """What is there already.

        Returns:
            The keys that need not be run again, and the number of failed attempts of those that must.
        """
        try:
            done = {Key(*row) for row in self._db.execute(f"SELECT {_KEY} FROM samples WHERE outcome != 'error'")}
            failed = {
                Key(*row[:-1]): row[-1]
                for row in self._db.execute(f"SELECT {_KEY}, MAX(attempt) FROM samples GROUP BY {_KEY}")
            }
        except sqlite3.Error as error:
            raise _explain(self.path / _STORE, error) from error
        return done, {key: attempt for key, attempt in failed.items() if key not in done}

    def lived(self, task: str) -> dict[Key, StoredEpisode]:
        """The episodes of a task's streams that have been lived; those that ended as errors have not."""
        acting = (
            "(SELECT COUNT(*) FROM turns WHERE sample_id = s.id "
            f"AND COALESCE(json_extract(data, '$.seat'), '') != '{LEARNING_SEAT}')"
        )
        query = (
            f"SELECT {_KEY}, outcome, reason, metrics, usage, {acting} FROM samples AS s "
            "WHERE task = ? AND stream != '' AND checkpoint = 0 AND outcome != 'error'"
        )
        found: dict[Key, StoredEpisode] = {}
        try:
            for row in self._db.execute(query, (task,)):
                outcome, reason, metrics, usage, turns = row[8:]
                found[Key(*row[:8])] = StoredEpisode(
                    Outcome(outcome), reason, json.loads(metrics), Usage(**json.loads(usage)), turns
                )
        except sqlite3.Error as error:
            raise _explain(self.path / _STORE, error) from error
        return found

    def updates(self, task: str, arm: str, stream: str) -> list[tuple[Update, State]]:
        """The updates of one stream in one arm with their states, by position."""
        if not _has_streams(self._db):
            return []
        names = ", ".join(Update.model_fields)
        query = (
            f"SELECT {names}, data FROM updates JOIN states ON hash = state "
            "WHERE task = ? AND arm = ? AND stream = ? ORDER BY position"
        )
        found = []
        try:
            for row in self._db.execute(query, (task, arm, stream)):
                update = Update(**dict(zip(Update.model_fields, row[:-1], strict=True)))
                found.append((update, State.parse(row[-1])))
        except sqlite3.Error as error:
            raise _explain(self.path / _STORE, error) from error
        return found

    def expect_streams(self) -> None:
        """Make room for states and updates; runs without streams have no such tables."""
        try:
            self._db.executescript(f"BEGIN; {_STREAM_SCHEMA} COMMIT;")
        except sqlite3.Error as error:
            raise _explain(self.path / _STORE, error) from error

    def keep(self, state: State) -> None:
        """Store a state that no update of this run left: the one that a branch goes on from."""
        try:
            self._db.execute("INSERT OR IGNORE INTO states VALUES (?,?)", (state.hash, state.text))
        except sqlite3.Error as error:
            raise _explain(self.path / _STORE, error) from error

    def append(self, sample: Sample, update: Update | None = None, state: State | None = None) -> None:
        """Store one sample, committed when this returns.

        Args:
            sample: The sample.
            update: How its agent's state changed by it, stored with it or not at all.
            state: The state after the update.

        Raises:
            StoreError: The disk is full, or the store is damaged.
        """
        db = self._db
        metrics = json.dumps(sample.metrics, allow_nan=False)
        usage = json.dumps(sample.usage.model_dump())
        long = None if isinstance(sample.turns, tuple) else sample.turns
        turns = [(turn.index, turn_json(turn)) for turn in sample.turns] if long is None else long.stored()
        texts = sample.texts.items() if long is None else long.texts()
        try:
            db.execute("BEGIN")
            cursor = db.execute(
                f"INSERT INTO samples ({_KEY}, attempt, version, item_hash, seed, outcome, reason, metrics, usage, "
                "seconds, turns, transcript, error) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *sample.key,
                    sample.attempt,
                    sample.version,
                    sample.item_hash,
                    sample.seed,
                    str(sample.outcome),
                    sample.reason,
                    metrics,
                    usage,
                    sample.seconds,
                    len(sample.turns),
                    transcript_hash(sample.turns),
                    sample.error,
                ),
            )
            row = cursor.lastrowid
            db.executemany("INSERT INTO turns VALUES (?,?,?)", ((row, index, data) for index, data in turns))
            if texts:
                db.executemany("INSERT OR IGNORE INTO texts VALUES (?,?)", texts)
            if update is not None and state is not None:
                db.execute("INSERT OR IGNORE INTO states VALUES (?,?)", (state.hash, state.text))
                names = Update.model_fields
                marks = ",".join("?" * len(names))
                db.execute(
                    f"INSERT INTO updates ({', '.join(names)}) VALUES ({marks})", [getattr(update, n) for n in names]
                )
            db.execute("COMMIT")
        except (sqlite3.Error, StoreError) as error:
            if db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
            if isinstance(error, StoreError):
                raise  # long turns cannot be read
            raise _explain(self.path / _STORE, error) from error

    def counts(self) -> dict[str, int]:
        """Samples by outcome so far; of several attempts the last counts."""
        rows = self._db.execute(f"SELECT outcome, COUNT(*) FROM ({_latest('outcome')}) GROUP BY outcome").fetchall()
        found = dict(rows)
        return {str(o): found.get(str(o), 0) for o in Outcome}

    def replayed(self) -> tuple[int, int]:
        """How many calls of the samples so far a response cache answered, and of how many; the last attempts count."""
        sums = "TOTAL(json_extract(usage, '$.replayed')), TOTAL(json_extract(usage, '$.calls'))"
        row = self._db.execute(f"SELECT {sums} FROM ({_latest('usage')})").fetchone()
        return int(row[0]), int(row[1])

    def close(self) -> None:
        """Fold the log into the store and let go of the lock."""
        try:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()
        finally:
            self._lock.close()
            _HELD.discard(self._name)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
