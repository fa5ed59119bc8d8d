"""One registry for everything that can be plugged in: tasks, environments, backends, agents.

A plug-in ships a static *catalogue*: entries with a name, a lazy target and one line of text. Reading a
catalogue imports nothing heavy; a target is imported when its name is used. Packages name their catalogue
in an entry-point group (``finchmark.tasks``, ``.environments``, ``.backends``, ``.agents``).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import UnknownName, UsageError

__all__ = ["AGENTS", "BACKENDS", "ENVIRONMENTS", "REGISTRIES", "TASKS", "Entry", "Family", "Registry", "include_file"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a catalogue.

    Args:
        name: What people type, such as ``odyssey/lights``.
        target: ``package.module:Attribute``, imported on first use.
        summary: One line for lists.
        tiers: Names of the tiers, for tasks.
        groups: Selectors that also find it, such as ``safety``.
        source: The package that ships it; filled in when the catalogue is read.
        origin: The paper or book that it follows, with its number where it has one.
    """

    name: str
    target: str
    summary: str
    tiers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    source: str = "finchmark"
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A line of a catalogue for more names than can be listed: ``lm_eval/NAME`` is whatever lm-eval knows by NAME.

    Args:
        name: What stands before the slash.
        target: ``package.module:function``: gets a whole name and returns the class.
        expand: ``package.module:function``: gets a selector (a name, a pattern, the name of a group of names) and
            returns the names it stands for, at least one, or raises :class:`UnknownName`.
        summary: One line for lists.
        groups: As for :class:`Entry`.
        source: The package that ships it; filled in when the catalogue is read.
    """

    name: str
    target: str
    expand: str
    summary: str
    groups: tuple[str, ...] = ()
    source: str = "finchmark"


def load_target(target: str) -> Any:
    """Import ``package.module:Attribute`` and return the attribute.

    Raises:
        UsageError: The module or the attribute is not there.
    """
    module_name, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"The catalogue target {target!r} cannot be loaded: {error}.") from error


class Registry(Generic[T]):
    """Names and what they stand for, read from catalogues and loaded on first use.

    Args:
        kind: What is registered, in the singular; used in messages.
        base: ``package.module:Class`` that every target must be a subclass of.
        builtin: ``package.module:CATALOGUE`` of this package.
        group: Entry-point group in which other packages name theirs.
    """

    def __init__(self, kind: str, *, base: str, builtin: str, group: str) -> None:
        self.kind, self.group = kind, group
        self._base, self._builtin = base, builtin
        self._entries: dict[str, Entry] = {}
        self._families: dict[str, Family] = {}
        self._loaded: dict[str, type[T]] = {}
        self._read_builtin = self._read_plugins = False

    def add(self, entry: Entry | Family, loaded: type[T] | None = None) -> None:
        """Register an entry or a family; the same twice is fine, another under a taken name is not.

        Raises:
            UsageError: The name stands for something else already.
        """
        old = (self._families if isinstance(entry, Family) else self._entries).get(entry.name)
        if old is not None and old.target != entry.target:
            raise UsageError(
                f"The {self.kind} {entry.name!r} is defined twice: by {old.target} and by {entry.target}. Rename one."
            )
        if isinstance(entry, Family):
            self._families[entry.name] = entry
            return
        self._entries[entry.name] = entry
        if loaded is not None:
            self._loaded[entry.name] = loaded

    def _read(self, *, plugins: bool) -> None:
        if not self._read_builtin:
            self._read_builtin = True
            for entry in load_target(self._builtin):
                self.add(entry)
        if plugins and not self._read_plugins:
            self._read_plugins = True
            from dataclasses import replace
            from importlib.metadata import entry_points

            for point in entry_points(group=self.group):
                if point.value == self._builtin:
                    continue
                source = point.dist.name if point.dist else point.name
                try:
                    for entry in point.load():
                        self.add(replace(entry, source=source))
                except Exception as error:  # noqa: BLE001 - one broken plug-in must not take the others along
                    _log.warning("the %ss of %s cannot be read: %s: %s", self.kind, source, type(error).__name__, error)

    def entries(self) -> list[Entry]:
        """All entries, plug-ins included, sorted by name. Names of families are not among them."""
        self._read(plugins=True)
        return sorted(self._entries.values(), key=lambda e: e.name)

    def names(self) -> list[str]:
        """The names of all entries, plug-ins included, sorted."""
        return [entry.name for entry in self.entries()]

    def __contains__(self, name: str) -> bool:
        """Whether a name stands for an entry, or is one of a family's, there or not."""
        self._read(plugins=True)
        return name in self._entries or ("/" in name and self._family(name) is not None)

    def forget(self, pattern: str) -> None:
        """Take names back, so that other targets may have them; nothing where none fits.

        Args:
            pattern: A name, or a pattern such as ``lm_eval/*``.
        """
        for known in (self._entries, self._loaded):
            for name in [name for name in known if fnmatchcase(name, pattern)]:
                del known[name]

    def families(self) -> list[Family]:
        """All families, plug-ins included, sorted by name."""
        self._read(plugins=True)
        return sorted(self._families.values(), key=lambda f: f.name)

    def _family(self, name: str) -> Family | None:
        """The family that a name or selector belongs to."""
        family, slash, _ = name.partition("/")
        if slash and family not in self._families:
            self._read(plugins=True)
        return self._families.get(family)

    def entry(self, name: str) -> Entry:
        """The entry of one name; for a name of a family one made of the family's.

        Raises:
            UnknownName: No catalogue has it; near names are offered.
        """
        self._read(plugins=False)
        if name not in self._entries:
            self._read(plugins=True)
        if name not in self._entries and "/" in name and (family := self._family(name)) is not None:
            return Entry(name, family.target, family.summary, groups=family.groups, source=family.source)
        if name not in self._entries:
            raise UnknownName(self.kind, name, self._entries)
        return self._entries[name]

    def load(self, name: str) -> type[T]:
        """Import what a name stands for.

        Raises:
            UnknownName: No catalogue has it.
            UsageError: It cannot be imported, or is not what it must be.
        """
        entry = self.entry(name)
        if name not in self._loaded:
            target, base = load_target(entry.target), load_target(self._base)
            if name not in self._entries:
                target = target(name)
            if not (isinstance(target, type) and issubclass(target, base)):
                raise UsageError(f"The {self.kind} {name!r} ({entry.target}) is not a subclass of {self._base}.")
            self._loaded[name] = target
        return self._loaded[name]

    def select(self, selectors: Iterable[str]) -> list[str]:
        """Find names by selectors, in the order of the selectors, each name once.

        A selector is a name, a family (``odyssey``), a pattern (``odyssey/*``) or a group.

        Raises:
            UnknownName: A selector finds nothing.
        """
        found: dict[str, None] = {}
        for selector in selectors:
            self._read(plugins=False)
            if selector in self._entries:
                found[selector] = None
                continue
            matches = [
                e.name
                for e in self.entries()
                if fnmatchcase(e.name, selector) or e.name.startswith(selector + "/") or selector in e.groups
            ]
            if (family := self._family(selector)) is not None:
                # The family knows what its names stand for, whichever of them have been loaded already.
                try:
                    matches = load_target(family.expand)(selector)
                except UnknownName:
                    if not matches:
                        raise
            if not matches:
                raise UnknownName(self.kind, selector, self._entries)
            found.update(dict.fromkeys(matches))
        return list(found)


TASKS: Registry[Any] = Registry(
    "task", base="finchmark.suite.task:Task", builtin="finchmark.tasks.catalogue:CATALOGUE", group="finchmark.tasks"
)
ENVIRONMENTS: Registry[Any] = Registry(
    "environment",
    base="gymnasium:Env",
    builtin="finchmark.environments.catalogue:CATALOGUE",
    group="finchmark.environments",
)
BACKENDS: Registry[Any] = Registry(
    "backend",
    base="finchmark.suite.backends.base:Backend",
    builtin="finchmark.suite.backends.catalogue:CATALOGUE",
    group="finchmark.backends",
)
AGENTS: Registry[Any] = Registry(
    "agent",
    base="finchmark.suite.agents.base:Agent",
    builtin="finchmark.suite.agents.catalogue:CATALOGUE",
    group="finchmark.agents",
)
REGISTRIES: dict[str, Registry[Any]] = {
    "tasks": TASKS,
    "backends": BACKENDS,
    "environments": ENVIRONMENTS,
    "agents": AGENTS,
}


def include_file(path: Path) -> list[str]:
    """Register every task, backend and agent class that a Python file defines, or the worlds of a folder of packages.

    Args:
        path: The file (``--include``). Its classes are found by their base class and need a ``name``. A folder holds
            packages of worlds, as ``finchmark worlds generate`` makes them.

    Returns:
        The names registered.

    Raises:
        UsageError: The file is missing, fails to import, or defines nothing that can be registered.
    """
    path = Path(path).resolve()
    if path.is_dir():
        return load_target("finchmark.suite.worldsmith.task:include_packages")(path)
    if not path.is_file():
        raise UsageError(f"--include {path}: there is no such file.")
    module_name = f"finchmark_included_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--include {path}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise UsageError(f"--include {path}: the file fails to import: {type(error).__name__}: {error}") from error
    names: list[str] = []
    for registry in (TASKS, BACKENDS, AGENTS):
        base = load_target(registry._base)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, base) and cls.__module__ == module_name and not inspect.isabstract(cls):
                name = getattr(cls, "name", "")
                if not isinstance(name, str) or not name:
                    raise UsageError(f"--include {path}: the {registry.kind} class {cls.__name__} needs a `name`.")
                tiers: Sequence[str] = tuple(getattr(cls, "tiers", ()))
                doc = (inspect.getdoc(cls) or "").splitlines()
                entry = Entry(
                    name, f"{module_name}:{cls.__name__}", doc[0] if doc else "", tuple(tiers), source=path.name
                )
                registry.add(entry, cls)
                names.append(name)
    if not names:
        raise UsageError(f"--include {path}: the file defines no subclass of Task, Backend or Agent.")
    return names
