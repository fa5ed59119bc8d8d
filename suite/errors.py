"""Errors that people see: each names the thing, the value and the way out.

The command line prints them without a traceback and leaves with ``exit_code``.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "BackendError",
    "BackendUnavailable",
    "FinchmarkError",
    "RunLocked",
    "RunStopped",
    "SpecMismatch",
    "StoreError",
    "UnknownName",
    "UsageError",
]


class FinchmarkError(Exception):
    """Base of all errors that Finchmark raises on purpose."""

    exit_code = 70


class UsageError(FinchmarkError):
    """The caller asked for something that cannot be: a wrong flag, name, value or file."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that no catalogue knows.

    Args:
        kind: What was looked for, in the singular (``"task"``).
        name: The name as it was given.
        known: The names that there are; the nearest are offered.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches

        known = sorted(known)
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        plural = kind + "s"
        super().__init__(f"There is no {kind} {name!r}.{hint} `finchmark list {plural}` shows all {len(known)}.")
        self.kind, self.name, self.suggestions = kind, name, tuple(near)


class SpecMismatch(UsageError):
    """A run folder holds a run of another specification."""


class RunLocked(UsageError):
    """Another process is writing to the run folder."""


class StoreError(FinchmarkError):
    """What is on disk cannot be read or written: damaged, from a newer version, or the disk is full."""

    exit_code = 4


class BackendUnavailable(UsageError):
    """A backend cannot start here: a package, a device or the weights are missing."""


class BackendError(FinchmarkError):
    """A backend failed at a request. The sample becomes an ``error``: it is never scored."""

    exit_code = 4


class RunStopped(FinchmarkError):
    """The run ends before its end, on purpose, and keeps what is stored: a limit on what it may cost was reached."""

    exit_code = 4
