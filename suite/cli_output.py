"""What commands write, where to, and when they leave with a code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from .errors import UsageError

__all__ = ["INTERRUPTED", "leave_on_errors", "put", "say", "width", "write"]

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C stopped."""


def put(text: str = "") -> None:
    """Write a line that was asked for, to standard output."""
    typer.echo(text)


def say(text: str) -> None:
    """Write a line beside it, to standard error."""
    typer.echo(text, err=True)


def leave_on_errors(done: Any, max_errors: int) -> None:
    """Exit with 4 if samples are missing, too many are errors, or all of one task are.

    Args:
        done: A :class:`.StoredRun`.
        max_errors: Errors that are allowed.
    """
    errors = done.manifest.counts.get("error", 0)
    if not done.manifest.complete:
        stored = sum(done.manifest.counts.values())
        say(f"Only {stored} of {done.manifest.expected} samples are there; the same command goes on.")
        raise typer.Exit(4)
    if not errors:
        return
    frame = done.frame()
    dead = [name for name, rows in frame.groupby("task") if (rows["outcome"] == "error").all()]
    if errors > max_errors or dead:
        what = f"; every sample of {', '.join(dead)} is an error" if dead else ""
        say(
            f"{errors} of {len(frame)} samples are errors (allowed: {max_errors}){what}. They are not scored. "
            f"`finchmark show {done.path} --sample error` shows one; the same command plays them again."
        )
        raise typer.Exit(4)


def width() -> int | None:
    """The terminal's width, None where the output is no terminal and nothing needs to be folded."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def write(path: Path, text: str) -> None:
    """Write a file that a flag named.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error}).") from error
