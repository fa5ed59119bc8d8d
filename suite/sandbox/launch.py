"""Root's way into the boundary: hands it to a user without rights, who can still see the interpreter.

Root's own interpreter may lie in a folder that no other user may enter. So it is mounted again, in a mount namespace of
the sandbox's own, under a staging folder that everybody may enter; nothing of that is seen outside. Run as a script of
its own, by root only: ``launch.py USER STAGING COUNT FOLDER… COMMAND…``, where the command names folder N as
``STAGING/N``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_NEW_MOUNTS, _PRIVATE, _RECURSIVE, _BIND = 0x20000, 1 << 18, 1 << 14, 1 << 12


def _main(user: int, staging: Path, folders: list[str], command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *args: object) -> None:
        if getattr(libc, name)(*args):
            code = ctypes.get_errno()
            raise SystemExit(f"{name}: {os.strerror(code)}; root without the right to mount cannot start the sandbox")

    call("unshare", ctypes.c_int(_NEW_MOUNTS))
    call("mount", None, b"/", None, ctypes.c_ulong(_PRIVATE | _RECURSIVE), None)
    for number, folder in enumerate(folders):
        place = staging / str(number)
        place.mkdir()
        call("mount", folder.encode(), str(place).encode(), None, ctypes.c_ulong(_BIND | _RECURSIVE), None)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.execv(command[0], command)


if __name__ == "__main__":
    count = int(sys.argv[3])
    _main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[4 : 4 + count], sys.argv[4 + count :])
