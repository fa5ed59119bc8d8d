"""Running a repo world's scripts: which check fails first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .repo_rules import PROJECT, Call, Need, RepoRules, Script
from .repo_versions import Version, show

__all__ = ["Failure", "check_script", "run", "warnings"]


class Failure(NamedTuple):
    """Why a script fails.

    Args:
        kind: A key of the phrasebook.
        facts: What its text names.
        script: The script that failed.
    """

    kind: str
    facts: dict[str, str]
    script: str


def _call_fails(rules: RepoRules, call: Call, installed: Mapping[str, Version]) -> tuple[str, dict[str, str]] | None:
    """What is wrong with one use of an interface, or None."""
    version = installed.get(call.provider)
    if version is None:
        return "no_package", {"module": call.provider}
    release = rules.packages[call.provider].releases[version]
    if call.module not in release.modules:
        return "no_module", {"module": call.module}
    keywords = release.exports.get(call.module, {}).get(call.symbol)
    if keywords is None:
        return "no_symbol", {"module": call.module, "symbol": call.symbol}
    for keyword in call.keywords:
        if keyword not in keywords:
            return "no_keyword", {"module": call.module, "symbol": call.symbol, "keyword": keyword}
    return None


def _direction(need: Need, version: Version) -> str:
    """On which side of all suitable versions an unsuitable one is."""
    if need.allowed and version < need.allowed[0]:
        return "need_newer"
    return "need_older" if need.allowed and version > need.allowed[-1] else "need_other"


def _at_odds(
    rules: RepoRules, script: Script, python: Version, installed: Mapping[str, Version]
) -> tuple[str, dict[str, str]] | None:
    """The checks of ``run_checks``: the project's Python, then package by package in the order of their names."""
    if rules.project_python is not None and not rules.project_python.holds(python):
        return "project_python", {"python": show(python)}
    for name in sorted(script.touched):
        version = installed.get(name)
        if version is None:
            return "no_package", {"module": name}
        release = rules.packages[name].releases[version]
        facts = {"name": name, "version": show(version)}
        if release.python is not None and not release.python.holds(python):
            return "package_python", {**facts, "python": show(python)}
        for need in release.needs:
            other = installed.get(need.package)
            if other is None:
                return "need_missing", {**facts, "other": need.package}
            if other not in need.allowed:
                direction = _direction(need, other)
                return direction, {**facts, "other": need.package, "other_version": show(other)}
        for conflict in release.conflicts:
            other = installed.get(conflict.package)
            if other is not None and other in conflict.excluded:
                return "conflict", {**facts, "other": conflict.package, "other_version": show(other)}
    return None


def check_script(
    rules: RepoRules, path: str, python: Version, installed: Mapping[str, Version], *, run_checks: bool
) -> Failure | None:
    """Run one script.

    Args:
        rules: The world.
        path: One of its scripts.
        python: The Python that is set.
        installed: The version of every installed package.
        run_checks: Whether to make the checks of :attr:`.RepoRules.run_checks` too.

    Returns:
        The first check that fails, or None. The checks in order: those of ``run_checks``; equal major or minor
        numbers; the script's calls; what the touched packages call; forbidden combinations.
    """
    script = rules.scripts[path]
    touched = script.touched
    if run_checks:
        found = _at_odds(rules, script, python, installed)
        if found is not None:
            return Failure(*found, path)
    for skew in rules.skews:
        anchor = installed.get(skew.anchor)
        if anchor is None or (skew.anchor not in touched and touched.isdisjoint(skew.members)):
            continue
        for member in skew.members:
            version = installed.get(member)
            if version is not None and skew.broken(anchor, version):
                return Failure("rule", {"error": skew.error}, path)
    for call in script.calls:
        found = _call_fails(rules, call, installed)
        if found is not None:
            return Failure(*found, path)
    for name, version, uses in rules.users:
        if name in touched and installed.get(name) == version:
            for call in uses:
                found = _call_fails(rules, call, installed)
                if found is not None:
                    return Failure(
                        f"{found[0]}_for_package", {**found[1], "name": name, "version": show(version)}, path
                    )
    for rule in rules.hidden:
        if rule.concerns(path) and all(installed.get(need.package) in need.allowed for need in rule.when):
            return Failure("rule", {"error": rule.error}, path)
    return None


def run(
    rules: RepoRules, path: str, python: Version, installed: Mapping[str, Version], *, run_checks: bool
) -> Failure | None:
    """Run a script, or with ``run.py`` all entrypoints in order; arguments and result as in :func:`check_script`."""
    for each in rules.entrypoints if path == PROJECT else (path,):
        failure = check_script(rules, each, python, installed, run_checks=run_checks)
        if failure is not None:
            return failure
    return None


def warnings(rules: RepoRules, path: str, installed: Mapping[str, Version]) -> list[str]:
    """The deprecated symbols, as ``module.symbol``, that a script calls, each once and in order."""
    found: dict[str, None] = {}
    for each in rules.entrypoints if path == PROJECT else (path,):
        for call in rules.scripts[each].calls:
            version = installed.get(call.provider)
            if version is not None:
                release = rules.packages[call.provider].releases[version]
                if (call.module, call.symbol) in release.deprecated:
                    found[f"{call.module}.{call.symbol}"] = None
    return list(found)
