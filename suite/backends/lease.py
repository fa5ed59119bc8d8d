"""A shared hold on a file that several processes use; who holds it alone may move the file."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import IO

__all__ = ["Lease"]


class Lease:
    """A lock on a file beside the cache, shared by all who have it open; who is alone may move the cache.

    The lock is the system's and binds processes, and closing any handle of a process drops it: the handles of one
    process are counted here, and the last one closes the only file.
    """

    _held: dict[tuple[int, Path], tuple[IO[str], int]] = {}  # noqa: RUF012 - shared by intent: what this process holds
    _mutex = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._name = (os.getpid(), path.resolve())  # a forked process inherits the table, and no lock
        self._open = True
        with self._mutex:
            handle, count = self._held.get(self._name, (None, 0))
            if handle is None:
                handle = path.open("a+", encoding="utf-8")
                try:
                    fcntl.lockf(handle, fcntl.LOCK_SH)
                except OSError:
                    handle.close()
                    raise
            self._held[self._name] = (handle, count + 1)

    def alone(self) -> bool:
        """Whether nobody else has the cache open; from then on nobody else opens it until :meth:`release`."""
        with self._mutex:
            handle, count = self._held[self._name]
            if count > 1:
                return False
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

    def release(self) -> None:
        """Let go of it. May be called twice."""
        with self._mutex:
            if not self._open:
                return
            self._open = False
            handle, count = self._held[self._name]
            if count > 1:
                self._held[self._name] = (handle, count - 1)
            else:
                del self._held[self._name]
                handle.close()
