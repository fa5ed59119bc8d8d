"""A repo world in words: what the index holds, and all the rules in full."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from .repo_rules import PROJECT, Call, Package, RepoRules
from .repo_versions import Bound, Version, in_ranges, show, show_bounds

__all__ = ["describe_index", "describe_rules"]


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that puts pkg2 before pkg10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name))


def _packages(rules: RepoRules) -> list[Package]:
    return [rules.packages[name] for name in sorted(rules.packages, key=_natural)]


def describe_index(config: Mapping[str, Any]) -> str:
    """List the Pythons, the packages with their versions, and the scripts: what there is, without any rule.

    Args:
        config: As for :meth:`.RepoRules.from_config`.

    Returns:
        One line for the Pythons, one a package in the order of their names, and one for the scripts.

    Raises:
        UsageError: The config is malformed.
    """
    rules = RepoRules.from_config(config)
    lines = [f"Pythons: {_row(rules.pythons)}"]
    lines += [f"{package.name}: {_row(package.versions)}" for package in _packages(rules)]
    return "\n".join((*lines, f"Scripts: {', '.join(rules.runnable)}"))


def describe_rules(config: Mapping[str, Any]) -> str:
    """State all rules in plain English: how commands work, what scripts check, and every package's particulars.

    Args:
        config: As for :meth:`.RepoRules.from_config`.

    Returns:
        The text. It names no installation that works, and packages stand in the order of their names.

    Raises:
        UsageError: The config is malformed.
    """
    rules = RepoRules.from_config(config)
    return "\n".join((*_installing(), "", *_running(rules), "", *_scripts(rules), "", *_particulars(rules)))


_INSTALLING = (
    "A requirement with bounds asks for the newest version that meets them; one without asks for the newest version, "
    "and for nothing if some version is installed already.",
    "An installation that fails changes nothing. Installing another Python never touches packages, and uninstalling "
    "checks nothing.",
    "First, the Python that is set must be one that the version runs on.",
    "Second, what the version needs. A package of high priority installs each needed package that is missing or in an "
    "unsuitable version, in the newest suitable version; after that it does to others what stands below as 'on "
    "installation'. A package of medium priority fails if a needed one is missing, and moves an installed but "
    "unsuitable one to its newest suitable version without saying so. A package of low priority does not look. "
    "Packages that come in this way are not checked themselves.",
    "Third, the version must not clash with what is installed then. Only its own clashes count here.",
)


def _installing() -> Iterable[str]:
    yield "How installing works"
    for line in _INSTALLING:
        yield f"- {line}"


def _running(rules: RepoRules) -> Iterable[str]:
    yield "How running works"
    yield (
        "- A Python must be set. A script concerns the packages that it imports or calls. It fails at the first of "
        "these checks that does not hold, and otherwise runs to its end."
    )
    checks = []
    if rules.project_python is not None:
        checks.append(f"The Python that is set is {rules.project_python}.")
    if rules.run_checks:
        checks.append(
            "Each package that the script concerns is installed, its version runs on the Python that is set, all that "
            "its version needs is installed in suitable versions, and nothing that its version clashes with is "
            "installed."
        )
    if rules.skews:
        checks.append(
            "Equal numbers: where the leader of such a rule is installed and the script concerns the leader or a "
            "follower, every installed follower agrees with it."
        )
    checks += [
        "What the script calls: the package is installed, and its version has the symbol and the keyword arguments.",
        "What the installed versions of the packages that it concerns call themselves, likewise.",
    ]
    if rules.hidden:
        checks.append("No forbidden combination that holds for the script is installed.")
    for number, check in enumerate(checks, 1):
        yield f"  {number}. {check}"
    yield f"- {PROJECT} runs, in this order: {', '.join(rules.entrypoints)}."


def _scripts(rules: RepoRules) -> Iterable[str]:
    yield "Scripts"
    for path in sorted(rules.scripts):
        script = rules.scripts[path]
        calls = "; ".join(map(_call, script.calls)) or "nothing"
        yield f"- {path} imports {', '.join(script.imports) or 'nothing'}; calls {calls}."
    for skew in rules.skews:
        numbers = "major and minor number" if skew.minor else "major number"
        yield f"- Equal numbers: {', '.join(skew.members)} must have the {numbers} of {skew.anchor}."
    for rule in rules.hidden:
        together = " together with ".join(f"{need.package} {show_bounds(need.bounds)}".rstrip() for need in rule.when)
        everywhere = any(path in rule.scope for path in (PROJECT, "*"))
        where = "all scripts" if everywhere else ", ".join(sorted(rule.scope))
        yield f"- Forbidden combination, for {where}: {together}."


def _call(call: Call) -> str:
    return f"{call.module}.{call.symbol}({', '.join(f'{keyword}=' for keyword in call.keywords)})"


def _particulars(rules: RepoRules) -> Iterable[str]:
    yield "Packages"
    for package in _packages(rules):
        yield f"- {package.name}, priority {package.priority}, versions {_row(package.versions)}"
        yield from _grouped(package, "runs on Python", lambda v, p=package: _python(p.releases[v].python))
        for other in _others(package, lambda release: (need.package for need in release.needs)):
            yield from _grouped(
                package,
                f"needs {other}",
                lambda v, p=package, o=other: _bounds(n.bounds for n in p.releases[v].needs if n.package == o),
            )
        if package.priority == "high":
            yield from _grouped(package, "on installation", lambda v, p=package: _effects(p, v))
        for other in _others(package, lambda release: (conflict.package for conflict in release.conflicts)):
            yield from _grouped(
                package,
                f"clashes with {other}",
                lambda v, p=package, o=other: _bounds((c.bound,) for c in p.releases[v].conflicts if c.package == o),
            )
        yield from _grouped(package, "calls", lambda v, p=package: "; ".join(map(_call, p.releases[v].uses)))
        yield from _interface(package)


def _others(package: Package, names: Callable[[Any], Iterable[str]]) -> list[str]:
    """All packages that some version names, in the order of their names."""
    return sorted({name for release in package.releases.values() for name in names(release)}, key=_natural)


def _grouped(package: Package, label: str, value: Callable[[Version], str | None]) -> Iterable[str]:
    """Lines ``label value (versions)``, one for each different value; none for versions that have no value."""
    groups: dict[Hashable, list[Version]] = {}
    for version in package.versions:
        groups.setdefault(value(version), []).append(version)
    for shown, versions in groups.items():
        if shown:
            yield f"    {label} {shown} ({in_ranges(versions, package.versions)})"


def _python(bound: Bound | None) -> str | None:
    return None if bound is None else str(bound)


def _bounds(several: Iterable[Iterable[Bound]]) -> str | None:
    """Bounds of one package; None if it is not named at all."""
    listed = list(several)
    if not listed:
        return None
    return " and ".join(show_bounds(bounds) or "in any version" for bounds in listed)


def _effects(package: Package, version: Version) -> str:
    words = {
        "ensure": "installs the newest suitable {name} {bounds} unless one is there",
        "force_high": "sets the newest {name} {bounds}",
        "force_low": "sets the oldest {name} {bounds}",
        "pin": "sets {name} {bounds}",
    }
    return "; ".join(
        " ".join(words[effect.kind].format(name=effect.need.package, bounds=show_bounds(effect.need.bounds)).split())
        for effect in package.releases[version].effects
    )


def _interface(package: Package) -> Iterable[str]:
    """One line a symbol: in which versions it is there, deprecated, and takes which keywords."""
    lives: dict[tuple[str, str], list[Version]] = {}
    takes: dict[tuple[str, str], dict[str, list[Version]]] = {}
    old: dict[tuple[str, str], list[Version]] = {}
    modules: dict[str, list[Version]] = {}
    for version in package.versions:
        release = package.releases[version]
        for module in release.modules:
            modules.setdefault(module, []).append(version)
        for module, symbols in release.exports.items():
            for symbol, keywords in symbols.items():
                key = module, symbol
                lives.setdefault(key, []).append(version)
                for keyword in keywords:
                    takes.setdefault(key, {}).setdefault(keyword, []).append(version)
        for key in release.deprecated:
            old.setdefault(key, []).append(version)
    for module in sorted(modules):
        if len(modules[module]) < len(package.versions):
            yield f"    has the module {module} ({in_ranges(modules[module], package.versions)})"
    for key in sorted(lives):
        taken = takes.get(key, {})
        # By their arrival: that is how signatures grow.
        shown = ", ".join(
            f"{keyword}= ({in_ranges(taken[keyword], package.versions)})"
            for keyword in sorted(taken, key=lambda k, t=taken: (t[k][0], k))
        )
        deprecated = f", deprecated in {in_ranges(old[key], package.versions)}" if key in old else ""
        yield (
            f"    has {key[0]}.{key[1]} ({in_ranges(lives[key], package.versions)}{deprecated}), "
            f"keywords: {shown or 'none'}"
        )


def _row(versions: Iterable[Version]) -> str:
    return ", ".join(map(show, versions))
