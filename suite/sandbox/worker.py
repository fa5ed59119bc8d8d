"""One warm parent, as the host sees it: starts it, hands it jobs, ends it."""

from __future__ import annotations

import array
import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .interpreter import Interpreter
from .limits import Limits
from .tiers import (
    ENVIRONMENT,
    SandboxFailure,
    SandboxUnavailable,
    bubblewrap_command,
    process_command,
)

__all__ = ["Report", "Worker"]

_START_S = 120.0
# What the warm parent has to end a job by itself; then the host ends it.
_GRACE_S = 10.0
_REPORT_BYTES = 2**20


@dataclass(slots=True)
class Report:
    """What came back from a job.

    Args:
        said: What the cell wrote to its report, as text; nothing there can be trusted when the candidate wrote it.
        facts: What the warm parent saw: exit statuses, limits hit, processor seconds.
        stdout: The candidate's output, cut at its limit.
        stderr: Likewise.
        wall_s: Seconds elapsed.
    """

    said: str
    facts: dict[str, Any] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    wall_s: float = 0.0


class Worker:
    """One warm parent and its boundary. Blocking: `Sandbox` calls it from threads.

    Args:
        kind: The tier.
        interpreter: What runs inside.
        limits: The sandbox's.
        packages: What the parent imports first.
    """

    def __init__(
        self, kind: Literal["bubblewrap", "process"], interpreter: Interpreter, limits: Limits, packages: Sequence[str]
    ) -> None:
        self._kind, self._interpreter, self._limits, self._packages = kind, interpreter, limits, tuple(packages)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._folder: str | None = None
        self._ready = False

    def start(self) -> None:
        """Start the parent, from the thread that will outlive it: the boundary ends with the thread that made it."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._folder = tempfile.mkdtemp(prefix="finchmark-")
        if self._kind == "process":
            command = process_command(self._interpreter, self._folder, self._packages)
        else:
            root = os.geteuid() == 0
            if root:
                Path(self._folder).chmod(0o755)
            command = bubblewrap_command(
                self._interpreter, self._limits, self._packages, self._folder if root else None
            )
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the parent has failed
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=self._noise,
                stderr=self._noise,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            ours.close()
            raise SandboxUnavailable(f"the sandbox {self._kind} did not start: {error}") from None
        finally:
            theirs.close()
        self._socket, self._ready = ours, False

    def _await_ready(self) -> None:
        assert self._socket is not None
        self._socket.settimeout(_START_S)
        try:
            word = self._socket.recv(2**16)
        except OSError:
            word = b""
        if not word:
            self.stop()
            raise SandboxUnavailable(f"the sandbox {self._kind} did not start: {self._said() or 'it said nothing'}")
        self._ready = True

    def _said(self) -> str:
        self._noise.seek(0)
        return self._noise.read().decode(errors="replace").strip()[-1500:]

    def do(self, mode: Literal["run", "judge"], limits: Limits, payloads: Sequence[bytes]) -> Report:
        """Run one job.

        Args:
            mode: What its cells do.
            limits: Its limits.
            payloads: What the cells read: the candidate, and for ``judge`` the tests.

        Returns:
            What came back.

        Raises:
            SandboxFailure: The parent or its boundary failed.
            SandboxUnavailable: They could not be started.
        """
        if not self._ready:
            self._await_ready()
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            given = [_sealed(payload, stack) for payload in payloads]
            pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
            reading = [stack.enter_context(os.fdopen(read, "rb", buffering=0)) for read, _ in pipes]
            handles = array.array("i", [given[0], *(write for _, write in pipes), *given[1:]])
            message = json.dumps({"mode": mode, "limits": limits.as_message()}).encode()
            assert self._socket is not None
            try:
                self._socket.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
            except OSError as error:
                self.stop()
                raise SandboxFailure(f"the sandbox's parent is gone: {error}") from None
            finally:
                for _, write in pipes:
                    os.close(write)
            caps = (limits.output_kb * 1024, limits.output_kb * 1024, max(_REPORT_BYTES, limits.value_kb * 1024))
            facts, texts = self._follow(reading, caps, started + limits.wall_s + _GRACE_S)
        if "failure" in facts or not facts.get("clean", False):
            self.stop()
        if "failure" in facts:
            raise SandboxFailure(f"the sandbox could not run a job: {facts['failure']}")
        stdout, stderr, said = (bytes(text).decode(errors="replace") for text in texts)
        return Report(said, facts, stdout, stderr, time.monotonic() - started)

    def _follow(
        self, reading: Sequence[Any], caps: Sequence[int], deadline: float
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Gather what the cells write until the parent says that they have ended."""
        assert self._socket is not None
        texts = [bytearray() for _ in reading]
        names = ("output_kb", "output_kb", "value_kb")
        facts: dict[str, Any] | None = None
        with selectors.DefaultSelector() as selector:
            for index, file in enumerate(reading):
                os.set_blocking(file.fileno(), False)
                selector.register(file, selectors.EVENT_READ, index)
            selector.register(self._socket, selectors.EVENT_READ, None)
            over: set[str] = set()
            while facts is None or selector.get_map():
                events = selector.select(max(0.0, deadline - time.monotonic()) if facts is None else 0.0)
                if not events:
                    if facts is not None:
                        break  # a descriptor that outlived its cell: nothing more is taken from it
                    self.stop()
                    raise SandboxFailure("the sandbox's parent did not end a job in time")
                for key, _ in events:
                    if key.data is None:
                        said = self._facts()
                        if "later" in said:
                            deadline += float(said["later"])
                            continue
                        facts = said
                        selector.unregister(self._socket)
                        continue
                    index, file = key.data, reading[key.data]
                    part = file.read(2**16)
                    if not part:
                        selector.unregister(file)
                    elif len(texts[index]) + len(part) > caps[index]:
                        texts[index] += part[: caps[index] - len(texts[index])]
                        selector.unregister(file)
                        over.add(names[index])
                        if facts is None:
                            with contextlib.suppress(OSError):
                                self._socket.send(names[index].encode())
                    else:
                        texts[index] += part
        facts["limits"] = [*facts.get("limits", []), *(name for name in sorted(over) if name not in facts["limits"])]
        return facts, texts

    def _facts(self) -> dict[str, Any]:
        assert self._socket is not None
        try:
            word = self._socket.recv(2**16)
        except OSError:
            word = b""
        if not word:
            said = self._said()
            self.stop()
            raise SandboxFailure(f"the sandbox's parent is gone: {said or 'it said nothing'}")
        return json.loads(word)

    def abandon(self) -> None:
        """End the parent under a job that another thread waits for; that thread then sees a `SandboxFailure`."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the parent, and with it everything that it started."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self._ready = False


def _sealed(payload: bytes, stack: contextlib.ExitStack) -> int:
    handle = os.memfd_create("job", os.MFD_CLOEXEC)
    stack.callback(os.close, handle)
    view = memoryview(payload)
    while view:
        view = view[os.write(handle, view) :]
    return handle
