"""The repo world's commands: reading an agent's text, in our strict grammar and in the reference's loose one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from .quotes import quote
from .repo_versions import OPERATORS, Bound, read_version

__all__ = ["GRAMMAR", "Command", "Problem", "read", "read_reference"]

GRAMMAR = (
    "pip install python==3.9, pip install NAME, pip install NAME==1.2 (or bounds as in NAME>=1.0,<2.0), "
    "pip uninstall NAME, pip list, repo tree, python SCRIPT"
)

_SPACES = " \t\r\n"
# No usable command of a real world comes near; it bounds the work on hostile text.
_MAX_LENGTH = 400
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was understood.

    Args:
        kind: ``list``, ``tree``, ``python`` (install Python), ``install``, ``uninstall``, ``run`` or ``noop``.
        name: The package, or the script to run.
        bounds: Which versions are asked for; for ``python`` exactly one ``==``.
    """

    kind: str
    name: str = ""
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A text that is no command.

    Args:
        kind: What was wrong, a key of the phrasebook that answers.
        facts: What the answer quotes.
    """

    kind: str
    facts: dict[str, str]


_LIST, _TREE, _NOOP = Command("list"), Command("tree"), Command("noop")


def read(text: str, packages: Collection[str], scripts: Collection[str]) -> Command | Problem:
    """Read an agent's text.

    Accepted is one line with one command; blanks between words and around the line do not matter, case does. A name
    must be a package's or a script's.

    Args:
        text: Any string.
        packages: The names of the packages.
        scripts: The scripts that can be run, ``run.py`` included.

    Returns:
        The command, or what was wrong with the text.
    """
    line = text.strip(_SPACES)
    if not line:
        return Problem("empty", {})
    given = quote(line)
    if len(line) > _MAX_LENGTH:
        return Problem("too_long", {"given": given})
    if "\n" in line or "\r" in line:
        return Problem("many_lines", {"given": given})
    # Not split(): it would take exotic blanks of other scripts for spaces.
    words = [word for word in line.replace("\t", " ").split(" ") if word]
    match words:
        case ["pip", "list"]:
            return _LIST
        case ["repo", "tree"] | ["repo", "ls"]:
            return _TREE
        case ["python", script]:
            if script in scripts:
                return Command("run", script)
            return Problem("unknown_script", {"name": quote(script), "scripts": ", ".join(scripts)})
        case ["pip", "uninstall", name] | ["pip", "uninstall", "-y", name]:
            if name in packages:
                return Command("uninstall", name)
            return Problem("unknown_package", {"name": quote(name), "packages": ", ".join(packages)})
        case ["pip", "install", spec]:
            return _requirement(spec, packages)
        case ["pip", "install", _, *_] if "," in line or words[3][0] in "=<>":
            return _requirement("".join(words[2:]), packages)
        case ["pip", "install", _, _, *_]:
            return Problem("many_packages", {"given": given})
    return Problem("unknown_command", {"given": given})


def _requirement(spec: str, packages: Collection[str]) -> Command | Problem:
    """Read what stands after ``pip install``."""
    match = _NAME.match(spec)
    name = match[0] if match else ""
    bounds: list[Bound] = []
    rest = spec[len(name) :]
    for part in rest.split(",") if rest else ():
        op = next((op for op in OPERATORS if part.startswith(op)), None)
        version = None if op is None else read_version(part[len(op) :])
        if not name or op is None or version is None:
            return Problem("bad_requirement", {"given": quote(spec)})
        bounds.append(Bound(op, version))
    if name.lower() == "python":
        if len(bounds) != 1 or bounds[0].op != "==":
            return Problem("inexact_python", {"given": quote(spec)})
        return Command("python", "python", tuple(bounds))
    if not name:
        return Problem("bad_requirement", {"given": quote(spec)})
    if name not in packages:
        return Problem("unknown_package", {"name": quote(name), "packages": ", ".join(packages)})
    return Command("install", name, tuple(bounds))


_REFERENCE_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")


def read_reference(text: str) -> Command | Problem:
    """Read an agent's text as the reference does, loopholes included.

    Args:
        text: Any string.

    Returns:
        The command, or the kind of error that the reference answers with.
    """
    line = text.strip().replace("<action>", "").replace("</action>", "").strip()
    line = line.splitlines()[0].strip() if line else ""
    if line in ("", "noop"):
        return _NOOP
    if line == "pip list":
        return _LIST
    if line in ("repo tree", "repo ls"):
        return _TREE
    words = line.split()
    if line.startswith("pip install"):
        if len(words) < 3 or words[1] != "install":
            return Problem("invalid_install", {"given": line})
        if len(words) > 3:
            return Problem("many_packages", {})
        return _reference_requirement(words[2])
    if line.startswith("pip uninstall"):
        if len(words) < 3 or words[1] != "uninstall":
            return Problem("invalid_uninstall", {"given": line})
        return Command("uninstall", words[2])
    if line.startswith("python"):
        return Command("run", words[1]) if len(words) > 1 else Problem("invalid_python", {"given": line})
    return Problem("unknown_command", {"given": line})


def _reference_requirement(spec: str) -> Command | Problem:
    """Read a requirement as the reference does: anything before the first operator is the name."""
    start = min((spec.find(op) for op in OPERATORS if op in spec), default=len(spec))
    name, rest = spec[:start], spec[start:]
    bounds: list[Bound] = []
    while op := next((op for op in OPERATORS if rest.startswith(op)), ""):
        version, _, rest = rest[len(op) :].partition(",")
        found = _REFERENCE_VERSION.search(version)
        try:
            bounds.append(Bound(op, (int(found[1]), int(found[2] or 0))))  # type: ignore[index]  # None is caught below
        except (TypeError, ValueError):  # ValueError: more digits than int() takes; the reference dies of that
            return Problem("bad_version", {"given": spec, "version": version})
    if name.lower() == "python":
        if not bounds:
            return Problem("python_without_version", {})
        if len(bounds) > 1 or bounds[0].op != "==":
            return Problem("inexact_python", {})
        return Command("python", "python", tuple(bounds))
    return Command("install", name, tuple(bounds))
