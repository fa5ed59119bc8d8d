"""The child side of :mod:`.replicas`: one process that runs one backend and answers its parent.

    python -P -m finchmark.suite.backends.worker SOCKET PARENT

SOCKET is the number of a connected socket that was handed down, PARENT the parent's process id. The worker leaves when
the socket closes, whatever it is computing, and on Linux also when its parent dies while a forked child of that parent
keeps the socket open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from ..errors import BackendError
from .base import Backend
from .frames import Kind, as_plain, pack, receive

__all__ = ["main", "serve"]

_BEAT_S = 1.0
_BACKLOG = 1 << 20  # bytes that the parent has not read, above which no beats are added
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies.

    The parent is a thread there: the one that started us, which is the one whose event loop we serve.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # the closed socket tells us too, only later
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we had asked
        os._exit(0)


class _Desk:
    """Takes what the parent asks to a backend, and the answers back."""

    def __init__(self, make: Callable[..., Backend], reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._make, self._reader, self._writer = make, reader, writer
        self._backend: Backend | None = None
        self._open: dict[int, asyncio.Task[None]] = {}
        self._answers: list[tuple[int, bool, Any]] = []
        self._flushing = False
        self._described: dict[str, Any] = {}
        self._life: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until the parent is gone."""
        while (frame := await receive(self._reader)) is not None:
            kind, body = frame
            if kind is Kind.SETUP:
                # Beside the reading, so that a parent that goes while we load is noticed.
                self._life = asyncio.create_task(self._live(body))
            elif kind is Kind.ASK:
                for number, method, request in body:
                    self._open[number] = asyncio.create_task(self._answer(number, method, request))
            elif kind is Kind.CANCEL:
                if (task := self._open.pop(body, None)) is not None:
                    task.cancel()
            elif kind is Kind.RELEASE:
                if self._backend is not None:
                    self._backend.release(body)
            else:
                raise BackendError(f"a worker does not take messages of the kind {kind.name}")

    async def _live(self, settings: dict[str, Any]) -> None:
        """Load, report, and then show signs of life."""
        try:
            backend = self._make(**settings)
            await backend.start()
            self._described = backend.describe()
            ready = {
                "capabilities": backend.capabilities,
                "identity": backend.identity(),
                "description": self._described,
                "pid": os.getpid(),
            }
        except Exception as error:  # noqa: BLE001 - the parent must hear why
            self._writer.write(pack(Kind.REFUSED, as_plain(error)))
            await self._writer.drain()
            return
        self._backend = backend
        self._writer.write(pack(Kind.READY, ready))
        while True:
            await asyncio.sleep(_BEAT_S)
            if self._writer.transport.get_write_buffer_size() < _BACKLOG:
                description = backend.describe()
                fresh, self._described = description != self._described, description
                self._writer.write(pack(Kind.BEAT, (backend.stats(), description if fresh else None, backend.notice())))

    async def _answer(self, number: int, method: str, request: Any) -> None:
        try:
            if self._backend is None:
                raise BackendError("the worker was asked before it had loaded")
            ask = {
                "generate": self._backend.generate,
                "score": self._backend.score,
                "diverge": self._backend.diverge,
                "hidden_states": self._backend.hidden_states,
            }[method]
            answer: tuple[int, bool, Any] = (number, False, await ask(request))
        except Exception as error:  # noqa: BLE001 - any failure is the answer to this request
            answer = (number, True, as_plain(error))
        self._open.pop(number, None)
        self._answers.append(answer)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send what became known in one turn of the loop as one frame: what was decoded together wakes together."""
        self._flushing = False
        answers, self._answers = self._answers, []
        try:
            self._writer.write(pack(Kind.ANSWERS, answers))
        except BackendError:  # one of them, or all together, cannot be sent: each goes alone
            for answer in answers:
                self._writer.write(_packed(answer))


def _packed(answer: tuple[int, bool, Any]) -> bytes:
    """A frame of one answer, or of the error that it cannot be sent."""
    try:
        return pack(Kind.ANSWERS, [answer])
    except BackendError as error:
        return pack(Kind.ANSWERS, [(answer[0], True, as_plain(error))])


async def serve(handle: socket.socket, make: Callable[..., Backend]) -> None:
    """Serve a parent until it closes the socket.

    Args:
        handle: A connected stream socket.
        make: Makes the backend from the arguments in the setup message.
    """
    reader, writer = await asyncio.open_connection(sock=handle)
    await _Desk(make, reader, writer).run()


def _make(**settings: Any) -> Backend:
    from .hf import HFBackend

    return HFBackend(**settings)


def main(make: Callable[..., Backend] = _make) -> None:
    """Run as a worker; does not return."""
    # Ctrl-C goes to all of the terminal's processes; when to leave is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    number, parent = (int(text) for text in sys.argv[1:3])
    die_with(parent)
    handle = socket.socket(fileno=number)
    handle.set_inheritable(False)
    code = 0
    try:
        asyncio.run(_until_gone(handle, make))
    except BaseException:  # noqa: BLE001 - the parent keeps what we say; there is nobody else to tell
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


async def _until_gone(handle: socket.socket, make: Callable[..., Backend]) -> None:
    try:
        await serve(handle, make)
    except BackendError as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201 - the parent keeps what we say there
        os._exit(1)
    os._exit(0)  # at once: nobody waits for what is being computed, and a forward pass may take minutes


if __name__ == "__main__":
    main()
