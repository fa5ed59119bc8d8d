"""One call's line in a run's manifest: when and where it worked, and what its backend went through."""

from __future__ import annotations

import asyncio
import datetime
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import StoreError

if TYPE_CHECKING:
    from .executors.base import Executor
    from .store import RunWriter

__all__ = ["SAVED_EVERY", "Session", "backend_counts", "total_counts"]

SAVED_EVERY = 5.0
"""Seconds between two looks at the counts. A call that is killed loses what was counted since the last."""

_log = logging.getLogger(__name__)


def backend_counts(described: Mapping[str, Any]) -> dict[str, float]:
    """Read from a backend's description what adds up over calls.

    Args:
        described: What :meth:`.Backend.describe` gave; of it ``counts`` is read. A part of it that is a mapping itself
            is named with a dot: ``deaths.SIGKILL``.

    Returns:
        Finite numbers of at least 0 by name, sorted; what is no such number is left out.
    """

    def walk(found: Any, before: str) -> Iterator[tuple[str, float]]:
        for name, value in found.items() if isinstance(found, Mapping) else ():
            if isinstance(value, Mapping):
                yield from walk(value, f"{before}{name}.")
            elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
                yield f"{before}{name}", value

    return dict(sorted(walk(described.get("counts"), "")))


def total_counts(sessions: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Add up what the calls of a run counted.

    Args:
        sessions: Lines of a manifest; those of versions that counted nothing add nothing.
    """
    total: dict[str, float] = {}
    for session in sessions:
        for name, value in backend_counts(session).items():
            total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


class Session:
    """This call's line in the manifest, from its first moment on and kept up to date while it works.

    The line says how the call stands: ``ended`` is false until it has ended, so it stays false in a call that was
    killed, whose ``counts`` are then those of the last look. Counts of earlier calls are never touched.

    Args:
        writer: Of the run; the last line of its manifest is this call's.
        executor: What is counted.
    """

    def __init__(self, writer: RunWriter, executor: Executor) -> None:
        self._writer, self._executor = writer, executor
        *self._before, self._line = writer.manifest.sessions
        self._saved: dict[str, float] | None = None

    def save(self, *, ended: bool = False, **fields: Any) -> None:
        """Write the manifest, with this call's line as it stands.

        Args:
            ended: Whether this is the last time.
            **fields: Other fields of the manifest to change.

        Raises:
            StoreError: It cannot be written.
        """
        counts = backend_counts(self._executor.describe())
        sessions = (*self._before, {**self._line, "ended": ended, "counts": counts})
        self._writer.update(
            sessions=sessions,
            backend_counts=total_counts(sessions),
            updated=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **fields,
        )
        self._saved = counts

    @contextmanager
    def watched(self) -> Iterator[None]:
        """List the call at once, and save its counts every few seconds where they have changed; in a running loop.

        Also when no sample ends: that is when a server fails, and the counts are wanted most.
        """
        self.save()
        loop = asyncio.get_running_loop()

        def look() -> None:
            nonlocal timer
            timer = loop.call_later(SAVED_EVERY, look)
            try:
                if backend_counts(self._executor.describe()) != self._saved:
                    self.save()
            except StoreError as error:  # a sample that cannot be stored stops the run; its counts alone do not
                _log.warning("the counts so far cannot be saved: %s", error)

        timer = loop.call_later(SAVED_EVERY, look)
        try:
            yield
        finally:
            timer.cancel()
