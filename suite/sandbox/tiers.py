"""Which sandboxes this machine has, and how the process inside each is started."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ..errors import FinchmarkError, UsageError
from .inside import syscalls
from .interpreter import Interpreter
from .limits import Limits

__all__ = ["SandboxFailure", "SandboxUnavailable", "Tier", "available", "bubblewrap_command"]

INSIDE = Path(__file__).with_name("inside")
# Where the boundary shows the code that runs within it.
_SHOWN = "/finch"
_START = "import sys; sys.path[0] = {where!r}; from inside import warden; warden.main(sys.argv[1:])"
# One thread a process: a library's pool would be forked half-alive, and would count against the limit on processes.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
# The limit on processes does not bind root, so root hands the sandbox to a user that no machine has.
_OTHER_USER = 1_500_000_000
_INSTALL = "install bubblewrap (Debian, Ubuntu, Fedora: the package `bubblewrap`)"


class SandboxUnavailable(UsageError):
    """The sandbox asked for cannot be had here. Code tasks refuse to run then, rather than run unprotected."""


class SandboxFailure(FinchmarkError):
    """The sandbox itself failed, which says nothing about the program in it: an ``error``, never a score."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier, as this machine has it.

    Args:
        kind: Its name.
        usable: Whether it can be had here.
        detail: What was found, or why not and the way out.
    """

    kind: Literal["bubblewrap", "process"]
    usable: bool
    detail: str


def bubblewrap_command(
    interpreter: Interpreter, limits: Limits, packages: Sequence[str], staging: str | None
) -> list[str]:
    """The command that starts the warm parent inside the boundary; its standard input is the socket to it.

    Args:
        interpreter: What runs it.
        limits: The sandbox's; they bound what its file systems hold.
        packages: What it imports first.
        staging: For root, an empty folder that everybody may enter; None for another user.

    Returns:
        The command line.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxUnavailable(f"there is no bubblewrap here: {_INSTALL}")
    disk = str(max(limits.memory_mb // 4, limits.file_mb) * 2**20)
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    # The right to make further namespaces, within the boundary's own; cells give it up before they read a candidate.
    command += ["--cap-add", "CAP_SYS_ADMIN"]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    command += ["--ro-bind", "/usr", "/usr"]
    for folder in ("/bin", "/sbin", "/lib", "/lib64", "/lib32"):
        if Path(folder).is_symlink():
            command += ["--symlink", str(Path(folder).readlink()), folder]
        elif Path(folder).is_dir():
            command += ["--ro-bind", folder, folder]
    for file in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"):
        command += ["--ro-bind-try", file, file]
    # Not `--dev`: for its terminals bubblewrap nests a second user namespace, where the right above is worth nothing.
    command += ["--proc", "/proc", "--tmpfs", "/dev"]
    for node in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
        command += ["--dev-bind", node, node]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        command += ["--symlink", f"/proc/self/fd/{number}", f"/dev/{name}"]
    command += ["--symlink", "/proc/self/fd", "/dev/fd", "--size", disk, "--tmpfs", "/dev/shm"]
    command += ["--size", disk, "--tmpfs", "/tmp", "--remount-ro", "/dev"]
    shown = (*interpreter.folders, str(INSIDE))
    seen = shown if staging is None else tuple(f"{staging}/{number}" for number in range(len(shown)))
    for source, folder in zip(seen, interpreter.folders, strict=False):
        command += ["--ro-bind", source, folder]
    for folder in interpreter.hidden:
        command += ["--tmpfs", folder, "--remount-ro", folder]
    command += ["--ro-bind", seen[-1], f"{_SHOWN}/inside", "--remount-ro", "/", "--chdir", "/tmp"]
    command += ["--", *_start(interpreter, _SHOWN, "isolated", "/tmp", packages)]
    if staging is None:
        return command
    launch = [sys.executable, "-I", "-S", str(INSIDE.with_name("launch.py"))]
    return [*launch, str(_OTHER_USER + os.getpid()), staging, str(len(shown)), *shown, *command]


def process_command(interpreter: Interpreter, folder: str, packages: Sequence[str]) -> list[str]:
    """The command that starts the warm parent without a boundary; likewise."""
    return _start(interpreter, str(INSIDE.parent), "bare", folder, packages)


def _start(interpreter: Interpreter, where: str, kind: str, folder: str, packages: Sequence[str]) -> list[str]:
    # Not `-I`: it would not heed the hash seed of the environment, which is ours; and sets would change their order.
    return [interpreter.path, "-s", "-c", _START.format(where=where), kind, folder, *packages]


@lru_cache
def _bubblewrap() -> Tier:
    if platform.system() != "Linux":
        return Tier("bubblewrap", False, "it needs Linux; in a Linux container or virtual machine it can be had")
    if not syscalls.supported():
        return Tier("bubblewrap", False, f"there is no filter of system calls for {platform.machine()}")
    program = shutil.which("bwrap")
    if program is None:
        return Tier("bubblewrap", False, f"not installed: {_INSTALL}")
    import asyncio

    from .sandbox import Sandbox

    async def trial() -> str:
        async with Sandbox("bubblewrap", workers=1, packages=()) as sandbox:
            verdict = await sandbox.judge("def f(x):\n    return x + 1\n", "def test():\n    assert f(1) == 2\n")
        return "" if verdict.passed else verdict.detail or verdict.reason

    try:
        # A thread of its own, because the caller may be inside an event loop.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            fault = pool.submit(lambda: asyncio.run(trial())).result()
    except FinchmarkError as error:
        fault = str(error)
    if fault:
        return Tier("bubblewrap", False, f"installed, but it does not work here: {fault}")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Tier("bubblewrap", True, f"{version}; namespaces, no network, a system-call filter")


def available() -> tuple[Tier, ...]:
    """The tiers, strongest first, each tried once on this machine.

    Returns:
        ``bubblewrap`` and ``process``.
    """
    linux = platform.system() == "Linux"
    process = "limits only, no boundary; used only when asked for by name" if linux else "it needs Linux"
    return (_bubblewrap(), Tier("process", linux, process))
