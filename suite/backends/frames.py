"""Frames: what a process and the workers that it started say to each other, over a socket that only they hold.

A frame is a head (version, kind, length of the body; network byte order) and a body. The body is a pickle, because both
ends are the same code of the same installation, started by the same user, and the socket has no name by which a third
could connect: it is as safe as running the model in one process, and keeps tuples, bytes and arrays as they are.
Exceptions travel as plain tuples, since many do not survive a pickle (:class:`ContextOverflow` is one).
"""

from __future__ import annotations

import asyncio
import enum
import pickle
import struct
from typing import Any

from ..errors import BackendError, BackendUnavailable, UsageError
from .base import ContextOverflow

__all__ = ["LIMIT", "VERSION", "Kind", "as_error", "as_plain", "pack", "receive"]

VERSION = 1
LIMIT = 1 << 28
"""Bytes of a body at most. A prompt of a million tokens takes some 10 MB."""

_HEAD = struct.Struct("!HHI")


class Kind(enum.IntEnum):
    """What a frame is about."""

    SETUP = 1
    """To the worker, first: the arguments of its backend."""
    ASK = 2
    """To the worker: a list of (number, method, request)."""
    CANCEL = 3
    """To the worker: a number that nobody waits for any more."""
    RELEASE = 4
    """To the worker: a session whose episode has ended."""
    READY = 16
    """From the worker: it has loaded; capabilities, identity and description of its backend."""
    REFUSED = 17
    """From the worker, last: why it cannot load."""
    ANSWERS = 18
    """From the worker: a list of (number, whether it is an error, answer)."""
    BEAT = 19
    """From the worker, once a second: it lives; its backend's counters, its description where that has changed, and its
    notice."""


def pack(kind: Kind, body: Any) -> bytes:
    """Make a frame.

    Raises:
        BackendError: The body cannot be pickled or is larger than ``LIMIT``.
    """
    try:
        content = pickle.dumps(body, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # a pickle raises whatever the object's own methods raise
        raise BackendError(f"this cannot be sent to another process: {type(error).__name__}: {error}") from error
    if len(content) > LIMIT:
        raise BackendError(f"a message of {len(content)} bytes is more than the {LIMIT} that one may have")
    return _HEAD.pack(VERSION, kind, len(content)) + content


async def receive(reader: asyncio.StreamReader) -> tuple[Kind, Any] | None:
    """Wait for the next frame.

    Returns:
        Its kind and body; None when the other side has gone, also in the middle of a frame.

    Raises:
        BackendError: The frame is of another version, of no known kind, too large, or its body is damaged.
    """
    try:
        version, number, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if version != VERSION:
            raise BackendError(f"a message of version {version} came, this side speaks version {VERSION}")
        if number not in Kind.__members__.values():
            raise BackendError(f"a message of the unknown kind {number} came")
        if length > LIMIT:
            raise BackendError(f"a message of {length} bytes was announced; one may have {LIMIT}")
        content = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        return Kind(number), pickle.loads(content)
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BackendError(f"a message was damaged: {type(error).__name__}: {error}") from error


def as_plain(error: BaseException) -> tuple[Any, ...]:
    """Put an error into plain data that :func:`as_error` turns back."""
    if isinstance(error, ContextOverflow):
        return ("overflow", error.needed, error.available, str(error))
    for name, kind in _ERRORS.items():
        if isinstance(error, kind):
            return (name, str(error))
    return ("failed", f"{type(error).__name__}: {error}")


def as_error(plain: tuple[Any, ...]) -> Exception:
    """Make the error that :func:`as_plain` was given; a kind that is not ours comes back as :class:`BackendError`."""
    name, *rest = plain
    if name == "overflow":
        return ContextOverflow(*rest)
    return _ERRORS.get(name, BackendError)(*rest)


_ERRORS: dict[str, type[Exception]] = {
    "unavailable": BackendUnavailable,
    "usage": UsageError,
    "backend": BackendError,
}
