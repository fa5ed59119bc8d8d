"""Entering runs in a board's file, withdrawing them, and holding the folders against the file later."""

from __future__ import annotations

import datetime
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..suite.errors import FinchmarkError, UsageError
from ..suite.records import Manifest
from ..suite.store import StoredRun, spec_difference
from .badges import Accepted, Board, column_names, folder_name, read_board, write_board
from .findings import Findings, Verification, verification_text
from .submission import Submission
from .text import visible
from .verify import verify

__all__ = ["Refused", "accept", "check_board", "export_hash", "withdraw"]


class Refused(FinchmarkError):
    """A submission that a board does not take.

    Args:
        message: Why.
        verification: What the check found, where there was one.
    """

    exit_code = 1

    def __init__(self, message: str, verification: Verification | None = None) -> None:
        super().__init__(message)
        self.verification = verification


def export_hash(run: Path, *, table: str = "samples") -> str:
    """SHA-256 of what ``finchmark export RUN --to jsonl`` writes, 64 hexadecimal digits.

    It depends on the samples and their transcripts, not on how a machine laid them out on disk.

    Args:
        run: The run folder.
        table: ``samples``, or ``timing`` with what differs between equal runs.
    """
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples.jsonl"
        StoredRun(run).export(file, "jsonl", table=table)
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def accept(
    file: Path,
    submission: Path,
    *,
    rerun: Path | None = None,
    note: str = "",
    today: datetime.date | None = None,
    **options: Any,
) -> Accepted:
    """Verify a run and enter it in a board's file.

    It is ``replayed`` where every score was recomputed, ``re-run by us`` with ``rerun``, else ``self-reported``.

    Args:
        file: The board's file; made if it is not there.
        submission: The run folder, beside the file or in a folder below.
        rerun: A run of the same specification by whoever keeps the board; how far it agrees goes into the note.
        note: What a reader should know.
        today: The day of acceptance; None: today (UTC).
        **options: As for :func:`.verify`.

    Returns:
        The entry, which is in the file now.

    Raises:
        Refused: Something is wrong with the run, or it is on the board already.
        UsageError: The folder is not beside the board, or ``rerun`` is of another specification or a copy.
        StoreError: The board cannot be read or written.
    """
    board = read_board(file, new=True)
    folder = folder_name(file, submission)
    checked, manifest, digest = _verified(submission, options)
    for entry in board.entries:
        if entry.export_hash == digest:
            state = "was withdrawn from" if entry.withdrawn else "is on"
            raise Refused(
                f"{submission}: the same samples {state} the board as {entry.folder} ({visible(entry.label)})."
            )
        if entry.folder == folder:
            raise Refused(
                f"{submission}: the board has another run of this folder. Put this one into a folder of its own."
            )
    kind: Literal["self-reported", "replayed", "re-run by us"]
    kind = "replayed" if checked.fully_replayed else "self-reported"
    if rerun is not None:
        if not checked.fully_replayed:
            raise Refused(f"{submission}: what cannot be replayed here is not vouched for by a run of ours.", checked)
        note = "; ".join(filter(None, (note, _agreement(submission, digest, manifest, rerun, options))))
        kind = "re-run by us"
    model = manifest.spec.model_identity
    entry = Accepted(
        folder=folder,
        label=manifest.label,
        model=model,
        spec_hash=manifest.spec.hash,
        export_hash=digest,
        badge=kind,
        attempts={name: 1 + board.attempts(manifest.label, name, model=model) for name in column_names(manifest)},
        accepted=_day(today),
        note=note,
    )
    write_board(Board(entries=(*board.entries, entry)), file)
    return entry


def withdraw(file: Path, folder: str, reason: str, *, today: datetime.date | None = None) -> Accepted:
    """Withdraw an entry. It stays in the file and keeps counting as an attempt; it cannot come back.

    Args:
        file: The board's file.
        folder: The entry's folder as the board names it.
        reason: Why; shown with the entry.
        today: The day; None: today (UTC).

    Raises:
        UsageError: There is no board, no such entry, no reason, or it was withdrawn before.
        StoreError: The board cannot be read or written.
    """
    board = read_board(file)
    entry = board.entry(folder)
    if entry.withdrawn:
        raise UsageError(f"{folder} was withdrawn on {entry.withdrawn}: {entry.reason}")
    if not reason.strip():
        raise UsageError(f"{folder}: a withdrawal needs a reason, which readers will see.")
    gone = entry.model_copy(update={"withdrawn": _day(today), "reason": reason.strip()})
    write_board(Board(entries=tuple(gone if e is entry else e for e in board.entries)), file)
    return gone


def check_board(file: Path) -> list[str]:
    """Hold the folders of a board against its file: runs are not changed once they are accepted.

    Args:
        file: The board's file.

    Returns:
        What does not agree, one line each. Folders of withdrawn entries may be gone.

    Raises:
        UsageError: There is no board.
        StoreError: The board cannot be read.
    """
    wrong = []
    for entry in read_board(file).entries:
        folder = file.parent / entry.folder
        if entry.withdrawn and not folder.exists():
            continue
        found = Findings()
        try:
            # Only what lies in the folder itself: no link, no log that a reader would fold in.
            if folder_name(file, folder) != entry.folder:
                raise UsageError("it is a link to somewhere else")
            manifest = Submission(folder, found).manifest()
            if found.kept or manifest is None:
                wrong += [f"{entry.folder}: {finding.where}: {finding.text}" for finding in found.all()]
            elif manifest.spec.hash != entry.spec_hash or manifest.label != entry.label:
                wrong.append(f"{entry.folder}: another specification or label than was accepted")
            elif export_hash(folder) != entry.export_hash:
                wrong.append(f"{entry.folder}: other samples than were accepted")
        except FinchmarkError as error:
            wrong.append(f"{entry.folder}: {error}")
    return [visible(line, 600) for line in wrong]


def _verified(run: Path, options: Mapping[str, Any]) -> tuple[Verification, Manifest, str]:
    """Verify a run and hash its export; nothing may change between the two."""
    found = Findings()
    checked = verify(run, **options)
    if not checked.ok:
        raise Refused(verification_text(checked), checked)
    digest = export_hash(run)
    submission = Submission(run, found)
    manifest = submission.manifest()
    if manifest is None or submission.digest() != checked.digest:
        raise Refused(f"{run}: the run changed while it was being accepted. Accept a copy.", checked)
    return checked, manifest, digest


def _agreement(run: Path, digest: str, manifest: Manifest, rerun: Path, options: Mapping[str, Any]) -> str:
    """Say how far a run of the same specification agrees."""
    if rerun.resolve() == run.resolve():
        raise UsageError(f"{rerun}: a run cannot vouch for itself.")
    _, ours, own_digest = _verified(rerun, options)
    # Where weights lie or a server listens may differ; which model it is may not, and stands in the specification too.
    if ours.spec.model_copy(update={"backend": manifest.spec.backend}).hash != manifest.spec.hash:
        shown = spec_difference(manifest.spec, ours.spec)[:5]
        raise UsageError(f"{rerun} is of another specification than {run}: {'; '.join(shown)}.")
    if own_digest == digest:
        # The clock gives no two runs the same times to the last digit. The manifest tells less: a copy that was resumed
        # has a session of its own.
        if export_hash(rerun, table="timing") == export_hash(run, table="timing"):
            raise UsageError(
                f"{rerun}: this is a copy of {run}: every sample took the very same time. A run cannot vouch for "
                "itself; run the specification again into a new folder, or leave out --rerun."
            )
        return "our run has the same samples, byte for byte"
    means = []
    for path in (run, rerun):
        frame = StoredRun(path).frame()
        means.append(
            {
                (task.name, arm): frame.loc[(frame["task"] == task.name) & (frame["arm"] == arm), name].mean()
                for task in manifest.spec.tasks
                for name in [manifest.tasks[task.name].primary.name]
                for arm in task.arms
            }
        )
    apart = {key: means[1][key] - means[0][key] for key in means[0]}
    task, arm = most = max(apart, key=lambda key: abs(apart[key]))
    return (
        f"our run's primary means differ from it by at most {abs(apart[most]):.3g} ({task}, {arm}: {apart[most]:+.3g})"
    )


def _day(today: datetime.date | None) -> str:
    return (today or datetime.datetime.now(datetime.UTC).date()).isoformat()
