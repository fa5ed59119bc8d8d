"""The parent's hold on one worker: starts the process, talks to it, and knows what it died of."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BackendError
from .frames import Kind, pack, receive

__all__ = ["COMMAND", "LEAVE_S", "Death", "WorkerProcess"]

COMMAND = (sys.executable, "-P", "-m", "finchmark.suite.backends.worker")
"""How a worker is started. ``-P``: a file of the user's current folder must not stand in for one of Python's."""

LEAVE_S = 5.0
"""A worker whose socket has closed leaves within so many seconds, or is killed."""

_TAIL = 4000  # characters of a worker's last words that are kept

_CAUSES = {
    signal.SIGKILL: "most often the kernel, out of memory, or somebody's kill -9; lower batch_size, cache_bytes or the "
    "number of devices if memory was short",
    signal.SIGSEGV: "a fault in native code: a driver, a kernel or an extension",
    signal.SIGBUS: "a fault in native code, or weights on a disk that went away",
    signal.SIGABRT: "native code gave up: an assertion, or CUDA after an error",
    signal.SIGTERM: "somebody asked it to end",
}


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker ended.

    Args:
        name: The signal, such as ``SIGKILL``; ``exit 3``; ``silence`` or ``protocol`` where we killed it.
        why: The likely cause, or what was wrong.
        last_words: The end of what it wrote to its standard output and error.
    """

    name: str
    why: str = ""
    last_words: str = ""

    def __str__(self) -> str:
        text = f"{self.name} ({self.why})" if self.why else self.name
        return f"{text}; its last words: {self.last_words}" if self.last_words else text


class WorkerProcess:
    """One process and the socket to it.

    All calls and callbacks belong to one event loop, and to the thread that runs it: on Linux a worker dies with the
    *thread* that started it.

    Args:
        on_frame: Called with each message: its kind and body.
        on_death: Called once, when the process has ended without :meth:`close`.
        command: What is run; the socket's number and our process id are put behind it.
        environment: Variables that are set beside ours.
    """

    def __init__(
        self,
        *,
        on_frame: Callable[[Kind, Any], None],
        on_death: Callable[[Death], None],
        command: Sequence[str] = COMMAND,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._on_frame, self._on_death = on_frame, on_death
        self._command, self._environment = tuple(command), dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._heard = b""
        self._verdict: Death | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process id, None before :meth:`start`."""
        return None if self._process is None else self._process.pid

    async def start(self, settings: Mapping[str, Any]) -> None:
        """Start the process and send it its settings. Whether they will do is said by its first message.

        Raises:
            BackendError: The process cannot be started.
        """
        ours, theirs = socket.socketpair()
        try:
            self._process = self._spawn(theirs)
        except OSError as error:
            ours.close()
            raise BackendError(f"a worker process cannot be started: {error}") from error
        finally:
            theirs.close()
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        asyncio.get_running_loop().add_reader(self._process.stdout.fileno(), self._hear)
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        self._reading = asyncio.create_task(self._read(reader))
        self.send(Kind.SETUP, dict(settings))

    def _spawn(self, handle: socket.socket) -> subprocess.Popen[bytes]:
        # Ctrl-C goes to every process of the terminal. The worker ignores it as soon as it runs Python; blocked here,
        # it is blocked there from the first instruction on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return subprocess.Popen(
                [*self._command, str(handle.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[handle.fileno()],
                env={**os.environ, **self._environment},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def send(self, kind: Kind, body: Any) -> None:
        """Send a message; to a worker that has gone it is lost, and :attr:`on_death` tells.

        Raises:
            BackendError: It cannot be packed.
        """
        frame = pack(kind, body)
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame)

    def kill(self, verdict: Death) -> None:
        """Kill a worker that cannot be used any more; ``verdict`` is what is said of its death."""
        self._verdict = self._verdict or verdict
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def close(self) -> None:
        """End the process, and wait until it is gone. Harmless when it is gone already."""
        self._closing = True
        try:
            self._hang_up()
            await self._reap()
        finally:  # also when we are cancelled: nothing may stay behind
            self.finish()

    def finish(self) -> None:
        """Kill the process if it is there, and let go of what belongs to it."""
        self._closing = True
        self._hang_up()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._unhear()
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()

    # -- what comes from it

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while not self._closing and (frame := await receive(reader)) is not None:
                self._on_frame(*frame)
        except Exception as error:  # noqa: BLE001 - whatever it is, a worker that cannot be heard is of no use
            self.kill(Death("protocol", f"{type(error).__name__}: {error}"))
        if self._closing:
            return
        self._hang_up()
        await self._reap()
        self._unhear()
        if not self._closing:
            self._closing = True
            self._on_death(self._death())

    def _hear(self) -> None:
        """Take what the worker printed, so that it never waits for room in the pipe; the end of it is kept."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            text = os.read(self._process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            text = b""
        if not text:
            self._unhear()
        self._heard = (self._heard + text)[-_TAIL:]

    def _unhear(self) -> None:
        if self._process is None or self._process.stdout is None or self._process.stdout.closed:
            return
        asyncio.get_running_loop().remove_reader(self._process.stdout.fileno())
        with contextlib.suppress(OSError):  # nothing more is there, or it is not to be had
            while text := os.read(self._process.stdout.fileno(), 1 << 16):
                self._heard = (self._heard + text)[-_TAIL:]
        self._process.stdout.close()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def _reap(self) -> None:
        """Wait for the end; a process that does not go by itself is killed."""
        if self._process is None:
            return
        waited = 0.0
        while self._process.poll() is None:
            if waited > LEAVE_S:
                self._process.kill()
            pause = 0.005 if waited < 0.1 else 0.05
            await asyncio.sleep(pause)
            waited += pause

    def _death(self) -> Death:
        assert self._process is not None
        words = " | ".join(line.strip() for line in self._heard.decode(errors="replace").splitlines() if line.strip())
        words = words[-600:]
        if self._verdict is not None:
            return Death(self._verdict.name, self._verdict.why, words)
        code = self._process.returncode
        if code >= 0:
            return Death(f"exit {code}", "its process ended by itself", words)
        try:
            number = signal.Signals(-code)
        except ValueError:
            return Death(f"signal {-code}", "", words)
        return Death(number.name, _CAUSES.get(number, ""), words)
