"""The filter of system calls that a candidate's process lives under, as a classic BPF program.

Refused is what reaches beyond the process and its files: tracing others, mounting, new namespaces, the kernel's keys,
modules and clocks, memory that no limit counts, and every socket but local ones. A refused call fails with EPERM, as
it would for want of a right; a call from another architecture's table ends the process.

Numbers: the kernel's ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import ctypes
import functools
import platform
import struct

__all__ = ["filter_program", "install", "prepare", "supported"]

_REFUSED = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
        "kexec_load": 246, "kexec_file_load": 320, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "add_key": 248, "request_key": 249, "keyctl": 250,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272,
        "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
        "mount_setattr": 442, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300, "quotactl": 179,
        "reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163, "syslog": 103, "vhangup": 153,
        "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305,
        "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "modify_ldt": 154, "personality": 135,
        "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "msgget": 68, "mq_open": 240,
        "memfd_create": 319, "memfd_secret": 447, "move_pages": 279, "migrate_pages": 256, "mbind": 237,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "pidfd_getfd": 438,
        "kexec_load": 104, "kexec_file_load": 294, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "add_key": 217, "request_key": 218, "keyctl": 219,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97,
        "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
        "mount_setattr": 442, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "name_to_handle_at": 264, "open_by_handle_at": 265, "fanotify_init": 262, "quotactl": 60,
        "reboot": 142, "swapon": 224, "swapoff": 225, "acct": 89, "syslog": 116, "vhangup": 58,
        "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266,
        "sethostname": 161, "setdomainname": 162, "personality": 92,
        "shmget": 194, "shmat": 196, "shmctl": 195, "semget": 190, "msgget": 186, "mq_open": 180,
        "memfd_create": 279, "memfd_secret": 447, "move_pages": 239, "migrate_pages": 238, "mbind": 235,
    },
}  # fmt: skip
# Judged by an argument: a local socket is fine and another is not; a new thread is fine and a new namespace is not.
_SOCKET = {"x86_64": 41, "aarch64": 198}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NEW_NAMESPACES = 0x7E020080

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _EACCES, _ENOSYS, _AF_UNIX = 1, 13, 38, 1

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


@functools.lru_cache
def supported() -> bool:
    """Whether there is a filter for this machine's architecture."""
    return platform.machine() in _REFUSED


def filter_program(machine: str) -> bytes:
    """The filter for an architecture.

    Args:
        machine: ``x86_64`` or ``aarch64``.

    Returns:
        An array of ``struct sock_filter``.
    """

    def line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    program = [
        line(_LOAD, 4),  # the architecture
        line(_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        line(_RETURN, _KILL),
        line(_LOAD, 0),  # the call's number
    ]
    if machine == "x86_64":  # the x32 table has the same calls under other numbers
        program += [line(_AT_LEAST, 0x40000000, 0, 1), line(_RETURN, _KILL)]
    for number in sorted(set(_REFUSED[machine].values())):
        program += [line(_EQUAL, number, 0, 1), line(_RETURN, _ERRNO | _EPERM)]
    # The C library falls back to clone, whose flags a filter can see.
    program += [line(_EQUAL, _CLONE3, 0, 1), line(_RETURN, _ERRNO | _ENOSYS)]
    program += [
        line(_EQUAL, _SOCKET[machine], 0, 4),
        line(_LOAD, 16),  # the first argument
        line(_EQUAL, _AF_UNIX, 0, 1),
        line(_RETURN, _ALLOW),
        line(_RETURN, _ERRNO | _EACCES),
        line(_EQUAL, _CLONE[machine], 0, 4),
        line(_LOAD, 16),
        line(_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        line(_RETURN, _ERRNO | _EPERM),
        line(_RETURN, _ALLOW),
        line(_RETURN, _ALLOW),
    ]
    return b"".join(program)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))


@functools.lru_cache
def prepare():
    """The program for this machine, made once."""
    text = filter_program(platform.machine())
    return _Program(len(text) // 8, text)


def install(libc: ctypes.CDLL) -> None:
    """Put this process, and all that it will start, under the filter for good.

    A warm parent calls `prepare` first, so that its children find the program made.

    Args:
        libc: The C library.

    Raises:
        OSError: The kernel refused.
    """
    program = prepare()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel refused the filter of system calls")
