"""A board's file of accepted runs: who vouches for each, how many attempts stand behind it, and what was withdrawn.

The file is JSON with one line a field, made to be reviewed and kept in a lab's repository. Entries are added at its
end and never taken out; a withdrawn one stays, with its reason. A badge says how far a score was checked. None of them
can prove who wrote the text that earned it, and an attempt under another name, with other weights, counts as another
model's.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field, ValidationError

from ..suite.errors import StoreError, UsageError
from ..suite.records import Manifest, Record
from .findings import CAVEAT
from .submission import plain_json
from .text import visible

__all__ = [
    "Accepted",
    "Badge",
    "BadgeKind",
    "Board",
    "board_text",
    "column_name",
    "column_names",
    "folder_name",
    "read_board",
    "write_board",
]

BadgeKind = Literal["self-reported", "replayed", "re-run by us", "withdrawn"]
"""``self-reported``: the submitter's word, its scores could not be recomputed here. ``replayed``: every score was
recomputed from the stored replies. ``re-run by us``: replayed, and whoever keeps the board ran the same specification.
``withdrawn``: taken back; it stays in sight."""

_FORMAT = "finchmark-board/1"
_DATE = r"^\d{4}-\d\d-\d\d$"
_HASH = r"^[0-9a-f]{64}$"


@dataclass(frozen=True, slots=True)
class Badge:
    """How far an entry can be relied on, in one column.

    Attributes:
        kind: Who vouches for it.
        attempts: How often this model was entered in this column so far, withdrawals included: the best of many
            attempts is no fair score.
        note: What a reader should know besides; a withdrawal's reason.
    """

    kind: BadgeKind
    attempts: int
    note: str = ""


class Accepted(Record):
    """One accepted run.

    Attributes:
        folder: The run folder, relative to the board's file.
        label: The model's name.
        model: Hash of the model's identity, as the specification has it; empty where there is none.
        spec_hash: Names the specification.
        export_hash: SHA-256 of what ``finchmark export RUN --to jsonl`` writes: all samples with their transcripts.
        badge: Who vouches for it, apart from withdrawal.
        attempts: By column, the how-manieth entry of this model it is, from 1.
        accepted: The day, ``YYYY-MM-DD``.
        note: What a reader should know.
        withdrawn: The day of withdrawal; empty where it stands.
        reason: Why it was withdrawn.
    """

    folder: str
    label: str
    model: str = ""
    spec_hash: str
    export_hash: str = Field(pattern=_HASH)
    badge: Literal["self-reported", "replayed", "re-run by us"]
    attempts: dict[str, int]
    accepted: str = Field(pattern=_DATE)
    note: str = ""
    withdrawn: str = Field(default="", pattern=rf"^$|{_DATE}")
    reason: str = ""


class Board(Record):
    """All runs that a board ever accepted, in the order of acceptance."""

    format: Literal["finchmark-board/1"] = _FORMAT
    entries: tuple[Accepted, ...] = ()

    def entry(self, folder: str) -> Accepted:
        """The entry of a folder.

        Raises:
            UsageError: There is none.
        """
        for entry in self.entries:
            if entry.folder == folder:
                return entry
        raise UsageError(f"The board has no entry {folder!r}; it has {[e.folder for e in self.entries]}.")

    def attempts(self, label: str, column: str, *, model: str = "") -> int:
        """How often a model was entered in a column, withdrawals included.

        Args:
            label: The model's name; case, width and white space do not tell names apart.
            column: From :func:`column_name`.
            model: Hash of the model's identity; entries of the same model count under any name.
        """
        return sum(column in e.attempts and _same_model(e, label, model) for e in self.entries)

    def badge(self, entry: Accepted, column: str) -> Badge:
        """The badge of an entry in one column."""
        kind: BadgeKind = "withdrawn" if entry.withdrawn else entry.badge
        note = entry.reason if entry.withdrawn else entry.note
        return Badge(kind, self.attempts(entry.label, column, model=entry.model), note)


def column_name(task: str, version: int, tier: str, items_kind: str, items_hash: str, arm: str) -> str:
    """Name a column as boards do: nothing that differs in any of these is ever put into one."""
    return f"{task}@{version}/{tier}/{items_kind}/{items_hash}/{arm}"


def column_names(manifest: Manifest) -> tuple[str, ...]:
    """Name the columns that a run stands in, task by task and arm by arm."""
    spec = manifest.spec
    return tuple(
        column_name(task.name, task.version, spec.tier, spec.items.kind, task.items_hash, arm)
        for task in spec.tasks
        for arm in task.arms
    )


def folder_name(file: Path, run: Path) -> str:
    """Name a run folder as a board does: its path from the board's folder down, links resolved.

    Args:
        file: The board's file.
        run: The run folder.

    Raises:
        UsageError: It is not beside or below the file.
    """
    try:
        folder = run.resolve().relative_to(file.resolve().parent).as_posix()
    except ValueError:
        folder = ""
    if not _below(folder):
        raise UsageError(f"{run} is not beside or below {file}. Move it there: the board's repository holds its runs.")
    return folder


def read_board(file: Path, *, new: bool = False) -> Board:
    """Read a board's file.

    Args:
        file: The board's file.
        new: Whether one that is not there is an empty board.

    Raises:
        UsageError: There is no file; a board that was misnamed would have no badge and no withdrawal.
        StoreError: It is no board, or entries were taken out or renumbered.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if new:
            return Board()
        raise UsageError(
            f"{file}: there is no board here. Name the board's file; `finchmark leaderboard accept RUN --board FILE` "
            "starts one."
        ) from None
    except (OSError, UnicodeError) as error:
        raise StoreError(f"{file}: cannot be read ({error}).") from error
    try:
        plain_json(text)
        board = Board.model_validate_json(text, strict=True)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise StoreError(f"{file}: this is no board: {place}: {wrong['msg']}. Restore it from its history.") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{file}: this is no board: {error}. Restore it from its history.") from error
    _check_entries(file, board)
    return board


def _check_entries(file: Path, board: Board) -> None:
    """Refuse a board whose entries contradict each other: one that was taken out leaves a gap in the numbers."""
    for index, entry in enumerate(board.entries):
        before = Board(entries=board.entries[:index])
        for column, number in entry.attempts.items():
            is_ = 1 + before.attempts(entry.label, column, model=entry.model)
            if number != is_:
                raise StoreError(
                    f"{file}: {entry.folder} calls itself attempt {number} of {entry.label!r} in {column}, but there "
                    f"are {is_ - 1} before it. Entries are withdrawn, never taken out; restore it from its history."
                )
        if entry.folder in {e.folder for e in before.entries}:
            raise StoreError(f"{file}: {entry.folder} is entered twice. Restore it from its history.")
        if not _below(entry.folder):
            raise StoreError(f"{file}: {entry.folder!r} is no folder beside the board. Restore it from its history.")
        if bool(entry.withdrawn) != bool(entry.reason):
            raise StoreError(f"{file}: {entry.folder} has a withdrawal without its day or its reason.")


def write_board(board: Board, file: Path) -> None:
    """Write a board's file, by rename: the same board gives the same bytes, one field a line.

    Raises:
        StoreError: It cannot be written.
    """
    data = board.model_dump(mode="json")
    text = json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    temporary = file.with_name(file.name + ".tmp")
    try:
        temporary.write_bytes(text.encode())
        temporary.replace(file)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror or error}).") from error
    finally:
        temporary.unlink(missing_ok=True)


def board_text(board: Board) -> str:
    """Show a board in a terminal: one entry a paragraph, and what no badge can prove.

    Args:
        board: From :func:`read_board`.
    """
    lines = []
    for entry in board.entries:
        state = f"withdrawn {entry.withdrawn}: {entry.reason}" if entry.withdrawn else entry.badge
        lines.append(f"{visible(entry.label)}  {visible(entry.folder)}  {visible(state)}  accepted {entry.accepted}")
        if entry.note:
            lines.append(f"  {visible(entry.note)}")
        for column in entry.attempts:
            number = board.attempts(entry.label, column, model=entry.model)
            lines.append(f"  {visible(column)}: {number} attempt{'s' if number > 1 else ''} of this model")
    return "\n".join([*lines, CAVEAT])


def _same_model(entry: Accepted, label: str, model: str) -> bool:
    return _folded(entry.label) == _folded(label) or bool(model and entry.model == model)


def _folded(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _below(folder: str) -> bool:
    path = PurePosixPath(folder)
    return folder not in ("", ".") and not path.is_absolute() and ".." not in path.parts and str(path) == folder
