"""Versions of packages and bounds on them, as the repo world writes them: ``1.10``, ``>=1.2,<2.0``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["OPERATORS", "Bound", "Version", "in_ranges", "read_version", "satisfies", "select", "show", "show_bounds"]

Version = tuple[int, int]
"""Major and minor number, compared as numbers: 1.10 is later than 1.9."""

# Longer operators first, so that `>=` is not read as `>`.
OPERATORS = ("==", ">=", "<=", ">", "<")

_VERSION = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?")


class Bound(NamedTuple):
    """A one-sided or exact condition on a version."""

    op: str
    version: Version

    def holds(self, version: Version) -> bool:
        """Whether a version meets the condition."""
        if self.op == "==":
            return version == self.version
        if self.op == ">=":
            return version >= self.version
        if self.op == "<=":
            return version <= self.version
        return version > self.version if self.op == ">" else version < self.version

    def __str__(self) -> str:
        return f"{self.op}{show(self.version)}"


def show(version: Version) -> str:
    """Write a version: ``1.10``."""
    return f"{version[0]}.{version[1]}"


def show_bounds(bounds: Iterable[Bound]) -> str:
    """Write bounds as pip does: ``>=1.2,<2.0``."""
    return ",".join(map(str, bounds))


def read_version(text: str) -> Version | None:
    """Read ``1.10``, or ``1`` for 1.0, of ASCII digits and at most four a number; None for all else."""
    match = _VERSION.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2] or 0))


def satisfies(bounds: Iterable[Bound], version: Version) -> bool:
    """Whether a version meets all bounds."""
    return all(bound.holds(version) for bound in bounds)


def select(bounds: Sequence[Bound], versions: Iterable[Version]) -> tuple[Version, ...]:
    """The versions that meet all bounds, in the order given."""
    return tuple(version for version in versions if satisfies(bounds, version))


def in_ranges(chosen: Iterable[Version], versions: Sequence[Version]) -> str:
    """Say in words which of a package's versions are meant: ``1.0 to 1.3, 2.1``, or ``all versions``.

    Args:
        chosen: Some of ``versions``.
        versions: All versions in ascending order; a run of neighbours becomes one range.
    """
    wanted = set(chosen)
    runs: list[list[Version]] = []
    for index, version in enumerate(versions):
        if version in wanted:
            if runs and index and versions[index - 1] == runs[-1][-1]:
                runs[-1].append(version)
            else:
                runs.append([version])
    if not runs:
        return "no version"
    if len(runs) == 1 and len(runs[0]) == len(versions):
        return "all versions"
    return ", ".join(show(run[0]) if len(run) == 1 else f"{show(run[0])} to {show(run[-1])}" for run in runs)
