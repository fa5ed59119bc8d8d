"""A cell: the fresh process that one candidate, or its tests, live and end in.

Inside the boundary a cell has a user, a PID and a mount namespace of its own: it is its process 1, sees no process but
those it starts, and all of them end when it ends. Without the boundary (the tier ``process``) it has a session and
its limits only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal

from . import syscalls

__all__ = ["LIBC", "start"]

LIBC = ctypes.CDLL(None, use_errno=True)

_NEW_USER, _NEW_PID, _NEW_MOUNTS, _NEW_NETWORK = 0x10000000, 0x20000000, 0x00020000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _PRIVATE, _RECURSIVE = 2, 4, 8, 1 << 18, 1 << 14
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_CAPABILITY_VERSION_3 = 0x20080522
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}


def _call(name, *args):
    if getattr(LIBC, name)(*args):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def _write(path, text):
    handle = os.open(path, os.O_WRONLY)
    os.write(handle, text.encode())
    os.close(handle)


def _namespaces(flags):
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", ctypes.c_int(flags))
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def _drop_capabilities():
    number = 0
    while LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())


def _limit(limits, base):
    def hold(kind, value):
        hard = resource.getrlimit(kind)[1]
        value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (value, value))

    hold(resource.RLIMIT_AS, base + limits["memory_mb"] * 2**20)
    hold(resource.RLIMIT_CPU, limits["cpu_s"] + 1)
    hold(resource.RLIMIT_NPROC, limits["processes"])
    hold(resource.RLIMIT_NOFILE, limits["files"])
    hold(resource.RLIMIT_FSIZE, limits["file_mb"] * 2**20)
    hold(resource.RLIMIT_CORE, 0)
    hold(resource.RLIMIT_MEMLOCK, 2**16)
    hold(resource.RLIMIT_MSGQUEUE, 0)


def _size():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _settle(isolated, limits, base, streams, keep, folder):
    """Put this process under all that holds it. Nothing of the candidate has been read before this returns."""
    if isolated:
        _call("unshare", ctypes.c_int(_NEW_MOUNTS))
        _call("mount", None, b"/", None, ctypes.c_ulong(_PRIVATE | _RECURSIVE), None)
        _call("mount", b"proc", b"/proc", b"proc", ctypes.c_ulong(_NOSUID | _NODEV | _NOEXEC), None)
        _namespaces(_NEW_USER)
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
    kept = sorted(keep)
    for low, high in zip([2, *kept], [*kept, 65536]):
        os.closerange(low + 1, high)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGXFSZ else signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT, HOME=folder)
    os.umask(0o077)
    os.chdir(folder)
    _limit(limits, base)
    if isolated:
        _drop_capabilities()
    if syscalls.supported():
        syscalls.install(LIBC)


def start(main, isolated, limits, streams, keep, folder):
    """Start a cell.

    Args:
        main: What it does, called without arguments once it is settled; its return ends the cell.
        isolated: Whether it gets namespaces of its own.
        limits: The fields of `Limits`.
        streams: Descriptors of its standard input, output and error.
        keep: The other descriptors that it keeps; all else is closed.
        folder: Its working directory.

    Returns:
        Its process, a child of this one; and a descriptor that says, once the cell has ended, why it could not be
        settled, or nothing.

    Raises:
        OSError: It could not be started.
    """
    base = _size()
    said, say = os.pipe()
    if not isolated:
        pid = os.fork()
        if pid == 0:
            _inside(main, False, limits, base, streams, keep, folder, say)
        os.close(say)
        return pid, said
    # The next process that this one starts is the first of a new PID namespace; then this one goes back to its own, so
    # that it can do the same again.
    _call("unshare", ctypes.c_int(_NEW_PID))
    try:
        pid = os.fork()
        if pid == 0:
            _inside(main, True, limits, base, streams, keep, folder, say)
    finally:
        os.close(say)
        own = os.open("/proc/self/ns/pid", os.O_RDONLY)
        try:
            _call("setns", own, ctypes.c_int(_NEW_PID))
        finally:
            os.close(own)
    return pid, said


def _inside(main, isolated, limits, base, streams, keep, folder, say):
    try:
        try:
            if not isolated:
                os.setsid()
                LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                # Where it cannot be had it has the machine's network, but the filter refuses it sockets.
                with contextlib.suppress(OSError):
                    _namespaces(_NEW_USER | _NEW_NETWORK)
            _settle(isolated, limits, base, streams, (*keep, say), folder)
        except BaseException as error:  # noqa: BLE001 - it is told to the warm parent, whose code must not run here
            os.write(say, f"!{error}".encode())
            os._exit(1)
        os.close(say)
        main()
        os._exit(0)
    finally:
        os._exit(1)
