"""The rules of one repo world: packages, what each of their versions needs and offers, and the project's scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...suite.errors import UsageError
from .quotes import quote
from .repo_versions import OPERATORS, Bound, Version, read_version, select, show

__all__ = [
    "MAX_PACKAGES",
    "PROJECT",
    "Call",
    "Conflict",
    "Effect",
    "Hidden",
    "Need",
    "Package",
    "Release",
    "RepoRules",
    "Script",
    "Skew",
]

MAX_PACKAGES = 200
_MAX_VERSIONS = 100
_MAX_SCRIPTS = 100
_MAX_ERROR = 300

PROJECT = "run.py"
"""The script that runs all entrypoints; passing it is the goal."""

_PRIORITIES = ("high", "medium", "low")
_EFFECTS = ("ensure", "force_high", "force_low", "pin")
_SKEWS = ("same_major_with_anchor", "same_minor_with_anchor")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,80}")
_SYMBOL = re.compile(r"[A-Za-z0-9_.]{1,80}")


@dataclass(frozen=True, slots=True)
class Need:
    """A package that must be there in certain versions.

    Args:
        package: Its name.
        bounds: As the config states them.
        allowed: Its versions that meet the bounds, ascending.
    """

    package: str
    bounds: tuple[Bound, ...]
    allowed: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What installing a version of a high-priority package does to another package.

    Args:
        kind: ``ensure``, ``force_high``, ``force_low`` or ``pin``.
        need: The other package and the versions it may get.
    """

    kind: str
    need: Need


@dataclass(frozen=True, slots=True)
class Conflict:
    """A package that must not be there in certain versions.

    Args:
        package: Its name.
        bound: Which versions.
        excluded: The same as a set.
        text: What the config says about it.
    """

    package: str
    bound: Bound
    excluded: frozenset[Version]
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A use of an interface: a symbol of a module, with keyword arguments."""

    provider: str
    module: str
    symbol: str
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a package.

    Args:
        python: The Pythons that it can be installed on, None for all.
        needs: Its dependencies.
        effects: What installing it does to others; only with high priority.
        conflicts: What it cannot stand beside.
        modules: The modules that it has.
        exports: The symbols of each module, with the keyword arguments that each takes.
        deprecated: The symbols, as ``(module, symbol)``, that warn when they are used.
        uses: What its own code calls when a script loads it.
    """

    python: Bound | None
    needs: tuple[Need, ...]
    effects: tuple[Effect, ...]
    conflicts: tuple[Conflict, ...]
    modules: frozenset[str]
    exports: Mapping[str, Mapping[str, frozenset[str]]]
    deprecated: frozenset[tuple[str, str]]
    uses: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the index.

    Args:
        name: Its name.
        priority: ``high``: installing it installs what it needs; ``medium``: it insists that what it needs is there;
            ``low``: it does not look.
        versions: Ascending.
        releases: Each version's contents.
    """

    name: str
    priority: str
    versions: tuple[Version, ...]
    releases: Mapping[Version, Release]


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the project.

    Args:
        path: Its path.
        calls: What it calls, in order.
        imports: What it imports, by name.
        touched: Packages that it imports or calls.
    """

    path: str
    calls: tuple[Call, ...]
    imports: tuple[str, ...]
    touched: frozenset[str]


@dataclass(frozen=True, slots=True)
class Skew:
    """A rule that members must have the major number (or major and minor) of an anchor.

    Args:
        minor: Whether the minor number must agree too.
        anchor: The package that leads.
        members: The packages that must follow where they are installed.
        error: What a script that touches any of them fails with.
    """

    minor: bool
    anchor: str
    members: tuple[str, ...]
    error: str

    def broken(self, anchor: Version, member: Version) -> bool:
        """Whether two versions disagree."""
        return anchor != member if self.minor else anchor[0] != member[0]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A combination of versions that makes scripts fail.

    Args:
        when: The packages and the versions that together do it.
        scope: Paths of the scripts that fail; ``run.py`` and ``*`` stand for all.
        error: What they fail with.
    """

    when: tuple[Need, ...]
    scope: frozenset[str]
    error: str

    def concerns(self, path: str) -> bool:
        """Whether a script is in the scope."""
        return path in self.scope or PROJECT in self.scope or "*" in self.scope


@dataclass(frozen=True, slots=True)
class RepoRules:
    """A validated config.

    Args:
        packages: By name, in the config's order.
        pythons: The Pythons that can be installed, ascending.
        scripts: By path, in the config's order.
        entrypoints: The scripts that ``run.py`` runs, in order.
        skews: Rules about equal major or minor numbers, in order.
        hidden: Rules about combinations, in order.
        users: The releases whose own code calls others, in the config's order: package, version, calls.
        project_python: The Pythons that the project works with; checked only with ``run_checks``.
        run_checks: Whether a script also fails where the packages that it touches are missing or at odds with Python,
            with what they need, or with what they conflict with.
        runnable: Everything that ``python`` can run: ``run.py`` first, then the scripts by name.
    """

    packages: Mapping[str, Package]
    pythons: tuple[Version, ...]
    scripts: Mapping[str, Script]
    entrypoints: tuple[str, ...]
    skews: tuple[Skew, ...]
    hidden: tuple[Hidden, ...]
    users: tuple[tuple[str, Version, tuple[Call, ...]], ...]
    project_python: Bound | None
    run_checks: bool
    runnable: tuple[str, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> RepoRules:
        """Read a config.

        Args:
            config: The keys of the reference's task files. ``packages`` (``{name: {"versions": [...], "priority":
                ...}}``), ``python_versions``, ``scripts`` (``{path: {"calls": [...], "imports": [...]}}``) and
                ``entrypoints`` must be there; ``version_requires_python``, ``version_dependencies``,
                ``version_conflicts``, ``side_effects``, ``api_surface``, ``symbol_requires``, ``consistency_rules`` and
                ``hidden_rules`` may be. Two keys are ours: ``run_checks`` (true: scripts also check what
                :class:`RepoRules` says) and, in a version of ``api_surface``, ``deprecated`` (``{module: [symbol]}``).
                ``project_requires_python`` is read with ``run_checks``. All else is ignored.

        Returns:
            The rules.

        Raises:
            UsageError: The config is malformed; the message names the place and what would be right.
        """
        return _Reader(config).rules()


def _fail(place: str, message: str) -> UsageError:
    return UsageError(f"Repo config: {place} {message}")


class _Reader:
    """Reads one config, and says where it is wrong."""

    def __init__(self, config: Any) -> None:
        self.config = self._mapping(config, "the config")
        for key in ("packages", "python_versions", "scripts", "entrypoints"):
            if key not in self.config:
                raise _fail(f"the key {key!r}", "is missing.")
        self.versions: dict[str, tuple[Version, ...]] = {}

    def rules(self) -> RepoRules:
        pythons = self._versions(self.config["python_versions"], "python_versions")
        described = self._mapping(self.config["packages"], "packages")
        if not 1 <= len(described) <= MAX_PACKAGES:
            raise _fail("packages", f"names 1 to {MAX_PACKAGES} packages, not {len(described)}.")
        for name, package in described.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() == "python":
                raise _fail(f"the package {quote(str(name))}", "needs a name of letters, digits, - _ . (not python).")
            place = f"packages[{name}]"
            self.versions[name] = self._versions(self._mapping(package, place).get("versions"), f"{place}.versions")
            if package.get("priority") not in _PRIORITIES:
                raise _fail(f"{place}.priority", f"is one of {', '.join(_PRIORITIES)}.")
        for key in (
            *("version_requires_python", "version_dependencies", "version_conflicts"),
            *("side_effects", "api_surface", "symbol_requires"),
        ):
            for name, table in self._mapping(self.config.get(key, {}), key).items():
                self._known(name, key)
                for version in self._mapping(table, f"{key}[{name}]"):
                    if read_version(str(version)) not in self.versions[name]:
                        raise _fail(f"{key}[{name}]", f"has {quote(str(version))}, which is no version of it.")
        packages = {name: self._package(name, described[name]["priority"]) for name in described}
        scripts = {path: self._script(path, script) for path, script in self._scripts()}
        entrypoints = self._list(self.config["entrypoints"], "entrypoints")
        for path in entrypoints:
            if not isinstance(path, str) or path not in scripts:
                raise _fail("entrypoints", f"has {quote(str(path))}, which is none of the scripts.")
        run_checks = self.config.get("run_checks", False)
        if not isinstance(run_checks, bool):
            raise _fail("run_checks", "is true or false.")
        project = self.config.get("project_requires_python")
        return RepoRules(
            packages=packages,
            pythons=pythons,
            scripts=scripts,
            entrypoints=tuple(entrypoints),
            skews=tuple(
                self._skew(rule, f"consistency_rules[{i}]")
                for i, rule in enumerate(self._list(self.config.get("consistency_rules", []), "consistency_rules"))
            ),
            hidden=tuple(
                self._hidden(rule, f"hidden_rules[{i}]")
                for i, rule in enumerate(self._list(self.config.get("hidden_rules", []), "hidden_rules"))
            ),
            users=tuple(
                (name, read_version(version) or (0, 0), packages[name].releases[read_version(version) or (0, 0)].uses)
                for name, table in self.config.get("symbol_requires", {}).items()
                for version, uses in table.items()
                if uses
            ),
            project_python=self._bound(project, "project_requires_python") if run_checks and project else None,
            run_checks=run_checks,
            runnable=(PROJECT, *sorted(scripts)),
        )

    def _mapping(self, value: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise _fail(place, f"is a mapping, not {type(value).__name__}.")
        return value

    def _list(self, value: Any, place: str) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise _fail(place, f"is a list, not {type(value).__name__}.")
        return list(value)

    def _version(self, value: Any, place: str) -> Version:
        version = read_version(value) if isinstance(value, str) else None
        if version is None:
            raise _fail(place, f"has {quote(repr(value))}; a version is text such as '1.2'.")
        return version

    def _versions(self, value: Any, place: str) -> tuple[Version, ...]:
        versions = [self._version(v, place) for v in self._list(value, place)]
        if not 1 <= len(set(versions)) == len(versions) <= _MAX_VERSIONS:
            raise _fail(place, f"is a list of 1 to {_MAX_VERSIONS} different versions.")
        return tuple(sorted(versions))

    def _known(self, name: Any, place: str) -> str:
        if not isinstance(name, str) or name not in self.versions:
            raise _fail(place, f"names {quote(str(name))}, which is none of the packages.")
        return name

    def _bound(self, value: Any, place: str) -> Bound:
        parts = self._list(value, place)
        if len(parts) != 2 or parts[0] not in OPERATORS:
            raise _fail(place, f"is a bound such as ['>=', '1.2'], with one of {' '.join(OPERATORS)}.")
        return Bound(parts[0], self._version(parts[1], place))

    def _need(self, value: Any, place: str) -> Need:
        parts = self._list(value, place)
        if len(parts) != 2:
            raise _fail(place, "is a package and a list of bounds, [name, [[op, version], …]].")
        name = self._known(parts[0], place)
        bounds = tuple(self._bound(bound, place) for bound in self._list(parts[1], place))
        return Need(name, bounds, select(bounds, self.versions[name]))

    def _effect(self, value: Any, place: str) -> Effect:
        parts = self._list(value, place)
        if len(parts) != 3 or parts[0] not in _EFFECTS:
            raise _fail(place, f"is [kind, package, bounds] with one of the kinds {', '.join(_EFFECTS)}.")
        return Effect(parts[0], self._need(parts[1:], place))

    def _conflict(self, value: Any, place: str) -> Conflict:
        parts = self._list(value, place)
        if len(parts) != 4:
            raise _fail(place, "is [package, op, version, text].")
        name, bound = self._known(parts[0], place), self._bound(parts[1:3], place)
        excluded = frozenset(version for version in self.versions[name] if bound.holds(version))
        return Conflict(name, bound, excluded, self._text(parts[3], place))

    def _text(self, value: Any, place: str) -> str:
        if not isinstance(value, str) or len(value) > _MAX_ERROR or not value.isascii() or not value.isprintable():
            raise _fail(place, f"needs a text of at most {_MAX_ERROR} printable ASCII characters.")
        return value

    def _symbol(self, value: Any, place: str) -> str:
        if not isinstance(value, str) or not _SYMBOL.fullmatch(value):
            raise _fail(
                place, f"has {quote(str(value))}; modules, symbols and keywords are letters, digits, _ and dots."
            )
        return value

    def _call(self, value: Any, place: str) -> Call:
        parts = self._mapping(value, place)
        for key in ("provider", "module", "symbol"):
            if key not in parts:
                raise _fail(place, f"has no {key!r}.")
        keywords = self._list(parts.get("required_kwargs", []), f"{place}.required_kwargs")
        return Call(
            self._known(parts["provider"], place),
            self._symbol(parts["module"], place),
            self._symbol(parts["symbol"], place),
            tuple(self._symbol(keyword, place) for keyword in keywords),
        )

    def _package(self, name: str, priority: str) -> Package:
        tables = {
            key: {read_version(version): value for version, value in self.config.get(key, {}).get(name, {}).items()}
            for key in (
                *("version_requires_python", "version_dependencies", "version_conflicts"),
                *("side_effects", "api_surface", "symbol_requires"),
            )
        }

        def entries(key: str, version: Version) -> list[Any]:
            return self._list(tables[key].get(version, []), f"{key}[{name}][{show(version)}]")

        releases = {}
        for version in self.versions[name]:
            place = f"[{name}][{show(version)}]"
            python = tables["version_requires_python"].get(version)
            releases[version] = Release(
                python=None if python is None else self._bound(python, f"version_requires_python{place}"),
                needs=tuple(
                    self._need(e, f"version_dependencies{place}") for e in entries("version_dependencies", version)
                ),
                effects=tuple(self._effect(e, f"side_effects{place}") for e in entries("side_effects", version)),
                conflicts=tuple(
                    self._conflict(e, f"version_conflicts{place}") for e in entries("version_conflicts", version)
                ),
                **self._api(tables["api_surface"].get(version, {}), f"api_surface{place}"),
                uses=tuple(self._call(e, f"symbol_requires{place}") for e in entries("symbol_requires", version)),
            )
        return Package(name, priority, self.versions[name], releases)

    def _api(self, value: Any, place: str) -> dict[str, Any]:
        api = self._mapping(value, place)
        signatures = self._mapping(api.get("signatures", {}), f"{place}.signatures")
        exports = {
            self._symbol(module, place): {
                self._symbol(symbol, place): frozenset(
                    self._symbol(keyword, place)
                    for keyword in self._list(signatures.get(f"{module}:{symbol}", []), place)
                )
                for symbol in self._list(symbols, f"{place}.exports[{module}]")
            }
            for module, symbols in self._mapping(api.get("exports", {}), f"{place}.exports").items()
        }
        deprecated = frozenset(
            (module, self._symbol(symbol, place))
            for module, symbols in self._mapping(api.get("deprecated", {}), f"{place}.deprecated").items()
            for symbol in self._list(symbols, f"{place}.deprecated[{module}]")
        )
        modules = frozenset(self._symbol(m, place) for m in self._list(api.get("modules", list(exports)), place))
        return {"modules": modules, "exports": exports, "deprecated": deprecated}

    def _scripts(self) -> Iterable[tuple[str, Any]]:
        scripts = self._mapping(self.config["scripts"], "scripts")
        if len(scripts) > _MAX_SCRIPTS:
            raise _fail("scripts", f"has at most {_MAX_SCRIPTS} scripts, not {len(scripts)}.")
        for path in scripts:
            if not isinstance(path, str) or not _PATH.fullmatch(path) or path == PROJECT:
                raise _fail(
                    "scripts", f"has {quote(str(path))}; a path is of letters, digits, _ . / - and not {PROJECT}."
                )
        return scripts.items()

    def _script(self, path: str, value: Any) -> Script:
        place = f"scripts[{path}]"
        script = self._mapping(value, place)
        calls = tuple(self._call(c, f"{place}.calls") for c in self._list(script.get("calls", []), f"{place}.calls"))
        imports = tuple(
            self._known(name, f"{place}.imports") for name in self._list(script.get("imports", []), f"{place}.imports")
        )
        return Script(path, calls, imports, frozenset(imports) | {call.provider for call in calls})

    def _skew(self, value: Any, place: str) -> Skew:
        rule = self._mapping(value, place)
        if rule.get("type") not in _SKEWS:
            raise _fail(f"{place}.type", f"is one of {', '.join(_SKEWS)}.")
        members = tuple(
            self._known(name, f"{place}.packages") for name in self._list(rule.get("packages"), f"{place}.packages")
        )
        return Skew(
            rule["type"] == _SKEWS[1],
            self._known(rule.get("anchor"), f"{place}.anchor"),
            members,
            self._text(rule.get("error"), f"{place}.error"),
        )

    def _hidden(self, value: Any, place: str) -> Hidden:
        rule = self._mapping(value, place)
        when = tuple(self._need(need, f"{place}.when") for need in self._list(rule.get("when"), f"{place}.when"))
        scope = frozenset(str(path) for path in self._list(rule.get("scope"), f"{place}.scope"))
        return Hidden(when, scope, self._text(rule.get("error"), f"{place}.error"))
