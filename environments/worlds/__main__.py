"""``python -m finchmark.environments.worlds audit NAME …``: the commands of :mod:`.command`, for work on worlds."""

from __future__ import annotations

import sys

from ...suite.errors import FinchmarkError, UsageError
from .command import audit_worlds, check_worlds, list_worlds, show_world

__all__ = ["main"]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _jobs(rest: list[str]) -> int:
    if "--jobs" not in rest:
        return 0
    given = rest[rest.index("--jobs") + 1 :][:1]
    if not given or not given[0].isdecimal():
        raise UsageError("--jobs is followed by a number of processes; 0: one for each core.")
    return int(given[0])


def main(arguments: list[str]) -> int:
    """Run a command.

    Args:
        arguments: ``list [NAME …]``, ``show NAME``, ``audit [NAME …] [--check CHECK …] [--write] [--jobs N]``,
            ``check [NAME …] [--jobs N]``. Without ``--jobs``, or with 0, there is a process for each core.

    Returns:
        0 if all is well, 1 if a world fails, 2 if it was asked for something that cannot be.
    """
    command, *rest = arguments or ["list"]
    valued = ("--check", "--jobs")
    names = [a for i, a in enumerate(rest) if not a.startswith("--") and (i == 0 or rest[i - 1] not in valued)]
    checks = tuple(rest[i + 1] for i, a in enumerate(rest[:-1]) if a == "--check")
    try:
        jobs = _jobs(rest)
        if command == "audit":
            return 0 if audit_worlds(names, checks=checks, write="--write" in rest, say=_say, jobs=jobs) else 1
        if command == "check":
            return 0 if check_worlds(names, say=_say, jobs=jobs) else 1
        if command in ("list", "show"):
            for line in list_worlds(names) if command == "list" else show_world(names[0] if names else ""):
                _say(line)
            return 0
        _say(f"There is no command {command!r}: list, show, audit or check.")
    except FinchmarkError as error:
        _say(str(error))
        return error.exit_code
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
