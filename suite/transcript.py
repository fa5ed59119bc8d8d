"""The turns of one sample: in memory while they are few, in a file without a name when they are many."""

from __future__ import annotations

import errno
import json
import logging
import os
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, overload
from weakref import finalize

from .errors import StoreError
from .records import LongTurns, Turn, Usage

__all__ = [
    "LEFTOVER",
    "MOST_TEXT",
    "MOST_TURNS",
    "SpooledTurns",
    "Transcript",
    "TranscriptLost",
    "transcript_hash",
    "turn_json",
    "usage_of",
]

MOST_TURNS = 64
"""Turns of an open sample that are kept in memory. A turn is 3 to 10 kB there, and the JSON of one that is written to
the file is what the store takes in the end: what a longer sample pays for is one file and a copy, once in 64 turns."""
MOST_TEXT = 2**18
"""Characters of text in these turns, whatever their number: replies may have any length."""
LEFTOVER = "samples.sqlite-open-"
"""What the files' names begin with, where the system gives a file a name before it takes it away."""

_log = logging.getLogger(__name__)


class TranscriptLost(StoreError):
    """The turns of an open sample cannot be kept on disk: that ends the run, it is no error of the sample."""


def turn_json(turn: Turn) -> str:
    """A turn as it is stored. Most turns ask for no likelihoods, and older versions of Finchmark read those too."""
    return turn.model_dump_json(exclude=None if turn.likelihoods else {"likelihoods"})


class _Told:
    """What is told of all turns of a sample, turn by turn: what they took, and a hash of what the model wrote."""

    def __init__(self) -> None:
        self.usage = Usage()
        self._digest = blake2b(digest_size=8)

    def add(self, turn: Turn) -> None:
        for call in turn.calls:
            self.usage += call.usage
        self.hash(turn)

    def hash(self, turn: Turn) -> None:
        for call in turn.calls:
            for text in (call.reasoning, call.completion):
                raw = text.encode("utf-8", "surrogatepass")
                self._digest.update(len(raw).to_bytes(8, "big") + raw)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def transcript_hash(turns: Iterable[Turn]) -> str:
    """Hash what the model wrote in an episode, so that identical samples are found; 16 hexadecimal digits."""
    if type(turns) is not tuple and isinstance(turns, LongTurns):
        return turns.digest
    told = _Told()
    for turn in turns:
        told.hash(turn)
    return told.digest


def usage_of(turns: Iterable[Turn]) -> Usage:
    """What all calls of turns took, added up in their order."""
    if type(turns) is not tuple and isinstance(turns, LongTurns):
        return turns.usage
    usage = Usage()
    for turn in turns:
        for call in turn.calls:
            usage += call.usage
    return usage


class _Part(NamedTuple):
    """Some lines in a file: the number of the first, how many there are, and where they lie."""

    first: int
    lines: int
    offset: int
    length: int


class _File:
    """A file without a name: whatever happens to this process, nothing is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._size = folder, 0
        # Where the system cannot make it without a name, a kill in the moment before the name is taken away leaves it.
        raw = tempfile.TemporaryFile(buffering=0, prefix=LEFTOVER, dir=folder)  # noqa: SIM115 - closed by close()
        self._handle = raw.fileno()
        self.close = finalize(self, raw.close)

    def write(self, data: bytes) -> int:
        """Append bytes. Returns where they lie."""
        offset, rest = self._size, memoryview(data)
        while rest:
            done = os.pwrite(self._handle, rest, self._size)
            self._size, rest = self._size + done, rest[done:]
        return offset

    def read(self, part: _Part) -> bytes:
        data = b""
        while len(data) < part.length:
            more = os.pread(self._handle, part.length - len(data), part.offset + len(data))
            if not more:
                raise OSError(errno.EIO, "it has become shorter")
            data += more
        return data


class _Packed:
    """What such a file held, compressed, for another process."""

    def __init__(self, parts: Mapping[int, bytes]) -> None:
        self.folder, self._parts = Path("a message"), parts

    def read(self, part: _Part) -> bytes:
        return zlib.decompress(self._parts[part.offset])

    def close(self) -> None:
        self._parts = {}


def _lines(source: _File | _Packed, parts: Iterable[_Part]) -> Iterator[str]:
    for part in parts:
        try:
            data = source.read(part)
        except OSError as error:
            raise _lost(source.folder, error, "read") from error
        yield from data.decode().split("\n")


def _pairs(kept: Mapping[Any, str]) -> list[str]:
    return [json.dumps(list(kept.items()))] if kept else []


def _lost(folder: Path, error: OSError, what: str) -> TranscriptLost:
    return TranscriptLost(
        f"{folder}: the turns of an open sample cannot be {what} there ({error.strerror or error}). All samples stored "
        "so far are safe; make room, or let it be written to, and give the same command again."
    )


class SpooledTurns(LongTurns):
    """The turns of a sample that has ended, in a file.

    It can be sent to another process, compressed; there it is in memory in that form, and read a part at a time.

    Args:
        source: Where the lines lie.
        turns: The parts with turns.
        texts: The parts with texts that turns refer to.
        usage: Of all turns.
        digest: As :func:`transcript_hash` gives it.
    """

    def __init__(
        self, source: _File | _Packed, turns: Sequence[_Part], texts: Sequence[_Part], usage: Usage, digest: str
    ) -> None:
        self._source, self._turns, self._texts = source, tuple(turns), tuple(texts)
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
        return enumerate(_lines(self._source, self._turns))

    def texts(self) -> Iterator[tuple[str, str]]:
        """Hash and text of what turns refer to; some more than once."""
        for line in _lines(self._source, self._texts):
            yield from map(tuple, json.loads(line))

    def part(self, index: int) -> tuple[int, list[Turn]]:
        """Some turns, that of an index among them, and the index of the first."""
        found = self._turns[bisect_right(self._turns, index, key=lambda part: part.first) - 1]
        return found.first, [Turn.model_validate_json(line) for line in _lines(self._source, (found,))]

    def __len__(self) -> int:
        return self._turns[-1].first + self._turns[-1].lines if self._turns else 0

    def close(self) -> None:
        """Let go of the file; the turns are gone."""
        self._source.close()

    def __reduce__(self) -> tuple[Any, ...]:
        packed = {part.offset: zlib.compress(self._source.read(part), 1) for part in (*self._turns, *self._texts)}
        return SpooledTurns, (_Packed(packed), self._turns, self._texts, self._usage, self._digest)


class Transcript(Sequence[Turn]):
    """What an episode records, turn by turn.

    At most :data:`MOST_TURNS` turns with :data:`MOST_TEXT` characters stay in memory; all before them lie in a file of
    ``folder`` that has no name, so that it goes with the process, however that ends. Reading goes over both alike.

    Args:
        folder: Where the file may lie; None: all turns stay in memory.
        most_turns: Turns in memory.
        most_text: Characters in memory.
    """

    def __init__(self, folder: Path | None = None, *, most_turns: int = MOST_TURNS, most_text: int = MOST_TEXT) -> None:
        self._folder, self._most_turns, self._most_text = folder, most_turns, most_text
        self._tail: list[Turn] = []
        self._text = 0
        self._replies: dict[int, str] = {}
        self._texts: dict[str, str] = {}
        self._spooled = 0
        self._file: _File | None = None
        self._failed: TranscriptLost | None = None
        self._last: tuple[str, _Part, dict[Any, str]] | None = None

    # -- writing

    def append(self, turn: Turn, reply: str | None = None) -> None:
        """Add a turn.

        Args:
            turn: The turn; its index is the number of those before it.
            reply: What the agent answered, thinking removed, where one has.

        Raises:
            TranscriptLost: The file cannot be written.
        """
        if self._failed is not None:
            raise self._failed
        if reply is not None:
            self._replies[self._spooled + len(self._tail)] = reply
        self._tail.append(turn)
        if self._folder is None:
            return
        self._text += len(turn.observation) + len(turn.after) + len(turn.action or "") + len(reply or "")
        for call in turn.calls:
            self._text += len(call.completion) + len(call.reasoning)
        if len(self._tail) > self._most_turns or self._text > self._most_text:
            self._spill()

    def keep(self, digest: str, text: str) -> None:
        """Keep a text that turns refer to.

        Args:
            digest: Names it.
            text: The text.
        """
        if digest not in self._texts:
            self._texts[digest] = text
            self._text += len(text)

    def ended(self) -> tuple[tuple[Turn, ...] | SpooledTurns, dict[str, str]]:
        """The turns of the sample, which has ended, and the texts that they refer to.

        Returns:
            A tuple, and the texts by their hashes; or what reads both from the file, and no texts.

        Raises:
            TranscriptLost: The file could not be written.
        """
        self._check()
        if self._file is not None and self._tail:
            self._spill()
        if self._file is None:
            return tuple(self._tail), self._texts
        parts = self._parts
        return SpooledTurns(self._file, parts["turns"], parts["texts"], self._told.usage, self._told.digest), {}

    def close(self) -> None:
        """Let go of the file, of a sample that is not stored."""
        if self._file is not None:
            self._file.close()

    def _check(self) -> None:
        # A task may catch what it is told of; the run must not go on with half a transcript.
        if self._failed is not None:
            raise self._failed

    def _spill(self) -> None:
        assert self._folder is not None
        try:
            if self._file is None:
                self._file = _File(self._folder)
                self._told = _Told()
                self._parts: dict[str, list[_Part]] = {"turns": [], "replies": [], "texts": []}
            lines = [turn_json(turn) for turn in self._tail]
            self._write("turns", self._spooled, lines)
            self._write("replies", min(self._replies, default=0), _pairs(self._replies))
            self._write("texts", 0, _pairs(self._texts))
        except OSError as error:
            if self._file is None and error.errno in (errno.EMFILE, errno.ENFILE):
                _log.warning("too many files are open: the turns of a long sample stay in memory")
                self._folder = None
                return
            self._failed = _lost(self._folder, error, "written")
            raise self._failed from error
        for turn in self._tail:
            self._told.add(turn)
        self._spooled += len(self._tail)
        self._tail, self._text = [], 0
        self._replies, self._texts, self._last = {}, {}, None

    def _write(self, kind: str, first: int, lines: Sequence[str]) -> None:
        if lines:
            assert self._file is not None
            data = "\n".join(lines).encode()
            self._parts[kind].append(_Part(first, len(lines), self._file.write(data), len(data)))

    # -- reading

    def __len__(self) -> int:
        return self._spooled + len(self._tail)

    def __iter__(self) -> Iterator[Turn]:
        if self._file is not None:
            for line in _lines(self._file, tuple(self._parts["turns"])):
                yield Turn.model_validate_json(line)
        yield from tuple(self._tail)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Turn, ...]: ...
    def __getitem__(self, index: int | slice) -> Turn | tuple[Turn, ...]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        at = range(len(self))[index]
        if at >= self._spooled:
            return self._tail[at - self._spooled]
        assert self._file is not None
        parts = self._parts["turns"]
        part = parts[bisect_right(parts, at, key=lambda part: part.first) - 1]
        line = list(_lines(self._file, (part,)))[at - part.first]
        return Turn.model_validate_json(line)

    @property
    def replies(self) -> Mapping[int, str]:
        """What agents answered, thinking removed, by the index of the turn."""
        return _Kept(self, "replies", self._replies)

    @property
    def texts(self) -> Mapping[str, str]:
        """The texts that turns refer to, by their hashes."""
        return _Kept(self, "texts", self._texts)

    def pairs(self, kind: str, key: Any) -> dict[Any, str]:
        """Of what lies in the file, a part that has the key where any has.

        Args:
            kind: ``replies`` or ``texts``.
            key: Index or hash.
        """
        parts = self._parts[kind] if self._file is not None else []
        if kind == "replies":  # in the order of their turns, so one part alone can have it
            at = bisect_right(parts, key, key=lambda part: part.first) - 1
            parts = parts[at : at + 1] if at >= 0 else []
        for part in parts:
            if self._last is None or self._last[:2] != (kind, part):
                assert self._file is not None
                (line,) = _lines(self._file, (part,))
                self._last = (kind, part, dict(json.loads(line)))
            if key in self._last[2]:
                return self._last[2]
        return {}

    def keys(self, kind: str) -> Iterator[Any]:
        """The keys of what lies in the file, some more than once."""
        for line in _lines(self._file, tuple(self._parts[kind])) if self._file is not None else ():
            yield from (key for key, _ in json.loads(line))


class _Kept(Mapping[Any, str]):
    """A view of what a transcript keeps beside its turns, in memory and in its file."""

    def __init__(self, transcript: Transcript, kind: str, here: Mapping[Any, str]) -> None:
        self._transcript, self._kind, self._here = transcript, kind, here

    def __getitem__(self, key: Any) -> str:
        if key in self._here:
            return self._here[key]
        return self._transcript.pairs(self._kind, key)[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(dict.fromkeys((*self._transcript.keys(self._kind), *self._here)))

    def __len__(self) -> int:
        return sum(1 for _ in self)
