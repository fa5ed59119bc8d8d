"""The Python that candidates run on: Finchmark's own, or another one with the packages of another time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import UsageError

__all__ = ["Interpreter", "Inventory", "examined", "inventory"]

_OLDEST = (3, 9)
# What the code inside the boundary imports that a small build of Python may lack.
_NEEDED = ("ast", "ctypes", "inspect", "json", "resource", "secrets", "select", "socket", "threading")
_ASK = """
import importlib, json, os, sys, sysconfig
lacking = []
for name in {needed}:
    try:
        importlib.import_module(name)
    except ImportError:
        lacking.append(name)
if sys.platform == "linux" and not hasattr(os, "pidfd_open"):
    lacking.append("os.pidfd_open")
print(json.dumps({{
    "version": list(sys.version_info[:2]),
    "real": os.path.realpath(sys.executable),
    "prefixes": sorted({{sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}}),
    "packages": sorted({{sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}}),
    "lacking": lacking,
}}))
"""
_LIST = """
import json, platform
from importlib.metadata import distributions
print(json.dumps({
    "python": platform.python_implementation() + " " + platform.python_version(),
    "packages": sorted((d.metadata["Name"], d.version) for d in distributions() if d.metadata["Name"]),
}))
"""
# They install packages and are not what candidates compute with; Finchmark itself is hidden from them.
_NOT_COUNTED = frozenset(("pip", "setuptools", "wheel", "finchmark"))


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter that candidates run on.

    Args:
        path: The executable, inside its virtual environment if it has one.
        folders: The folders that it lives from, to be shown read-only inside the boundary.
        hidden: What of them must not be seen: Finchmark itself, with its items and solutions.
    """

    path: str
    folders: tuple[str, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What decides the numbers of candidates that run on an interpreter.

    Args:
        python: Its kind and version, such as ``CPython 3.11.7``.
        packages: Version by name of every package installed there, sorted; those that only install are left out.
    """

    python: str
    packages: Mapping[str, str]

    def text(self, names: tuple[str, ...] = ("numpy", "scipy", "scikit-learn")) -> str:
        """One line for people: the version, and what it has of some packages."""
        has = [f"{name} {self.packages[name]}" for name in names if name in self.packages]
        lacks = [name for name in names if name not in self.packages]
        return "; ".join([self.python, ", ".join(has) or "no packages", *(f"without {name}" for name in lacks)])


def _executable(python: str | None) -> Path:
    path = Path(python).expanduser() if python else Path(sys.executable)
    return path / "bin" / "python" if path.is_dir() else path


def _asked(path: Path, code: str) -> Any:
    try:
        said = subprocess.run(
            [path, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60, env={}
        ).stdout
        return json.loads(said)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UsageError(f"{str(path)!r} is no Python interpreter that runs here: {last}") from None
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(
            f"{str(path)!r} is no Python interpreter that runs here: {error}. "
            "Name an executable, or the folder of a virtual environment."
        ) from None


@lru_cache
def examined(python: str | None) -> Interpreter:
    """Find out what an interpreter needs to run.

    Args:
        python: Its path, or its virtual environment's; None for this one.

    Returns:
        The interpreter.

    Raises:
        UsageError: It is none, is older than 3.9, or lacks what the sandbox needs.
    """
    path = _executable(python)
    said = _asked(path, _ASK.format(needed=_NEEDED))
    if tuple(said["version"]) < _OLDEST:
        version = ".".join(map(str, said["version"]))
        raise UsageError(f"the sandbox's interpreter must be Python 3.9 or later, {str(path)!r} is {version}")
    if said["lacking"]:
        raise UsageError(
            f"the interpreter {str(path)!r} lacks {', '.join(said['lacking'])}, which the sandbox needs; "
            "take a full build of Python."
        )
    prefixes = set(said["prefixes"]) - {"/usr"}
    if not said["real"].startswith("/usr/"):
        prefixes.add(str(Path(said["real"]).parent.parent))
    if "/" in prefixes:
        raise UsageError(f"the interpreter {str(path)!r} has the whole file system as its prefix")
    hidden = tuple(str(Path(folder) / "finchmark") for folder in said["packages"])
    kept = tuple(sorted(p for p in prefixes if not any(p != q and p.startswith(q + "/") for q in prefixes)))
    return Interpreter(os.path.abspath(path), kept, tuple(h for h in hidden if Path(h).is_dir()))  # noqa: PTH100 - resolving the link would leave the virtual environment


@lru_cache
def inventory(python: str | None) -> Inventory:
    """Find out what candidates find on an interpreter.

    Args:
        python: As for :func:`examined`.

    Raises:
        UsageError: As there.
    """
    examined(python)
    said = _asked(_executable(python), _LIST)
    packages = {name.lower(): version for name, version in said["packages"] if name.lower() not in _NOT_COUNTED}
    return Inventory(said["python"], MappingProxyType(dict(sorted(packages.items()))))
