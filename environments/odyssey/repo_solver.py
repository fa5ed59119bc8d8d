"""Solving repo worlds: versions that go together, and commands that get there.

:func:`solve` is exact for complete installations: it searches all ways to give every package a version, under every
Python, for one at which no check fails, and finds one or shows that there is none. (A world of the reference might also
be solved with packages left out, or with versions that could not be installed side by side; those are not searched.)
:func:`plan` finds commands that lead to such an installation by trying them on a copy of the machine, so that a plan it
returns is proved by having been played. It is short, not shortest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...suite.errors import UsageError
from .repo_commands import Command
from .repo_machine import Machine
from .repo_rules import PROJECT, Call, RepoRules
from .repo_versions import Bound, Version, show

__all__ = ["Solution", "commands", "count", "plan", "solve"]


@dataclass(frozen=True, slots=True)
class Solution:
    """A complete installation.

    Args:
        python: The Python.
        versions: The version of every package.
    """

    python: Version
    versions: Mapping[str, Version]


def commands(config: Mapping[str, Any] | RepoRules) -> tuple[str, ...]:
    """The finite list of commands that the random player draws from, uniformly.

    These are: one ``pip install`` for every Python; for every package ``pip install NAME``, ``pip install NAME==V`` for
    every version and ``pip uninstall NAME``; ``python`` for ``run.py`` and every script; ``pip list``; ``repo tree``.

    Args:
        config: As for :meth:`.RepoRules.from_config`, or the rules.
    """
    rules = _rules(config)
    made = [f"pip install python=={show(version)}" for version in rules.pythons]
    for name, package in rules.packages.items():
        made.append(f"pip install {name}")
        made += [f"pip install {name}=={show(version)}" for version in package.versions]
        made.append(f"pip uninstall {name}")
    made += [f"python {script}" for script in rules.runnable]
    return (*made, "pip list", "repo tree")


def _rules(config: Mapping[str, Any] | RepoRules) -> RepoRules:
    return config if isinstance(config, RepoRules) else RepoRules.from_config(config)


class _Search:
    """Versions as bit masks: bit i of a package's domain is its i-th version, ascending."""

    def __init__(self, rules: RepoRules, python: Version) -> None:
        self.rules = rules
        self.names = list(rules.packages)
        self.place = {
            name: {version: i for i, version in enumerate(package.versions)} for name, package in rules.packages.items()
        }
        self.domain = {name: (1 << len(package.versions)) - 1 for name, package in rules.packages.items()}
        # pairs[name][i] maps another package to the versions that may stand beside the i-th version of `name`.
        self.pairs: dict[str, list[dict[str, int]]] = {
            name: [{} for _ in package.versions] for name, package in rules.packages.items()
        }
        self.wide: list[dict[str, int]] = []
        if rules.project_python is not None and not rules.project_python.holds(python):
            self.domain = dict.fromkeys(self.names, 0)
        self._packages(python)
        self._scripts()

    def _mask(self, name: str, versions: Any) -> int:
        return sum(1 << self.place[name][version] for version in versions)

    def _pair(self, name: str, index: int, other: str, mask: int) -> None:
        """Beside the version of ``name`` only those of ``other`` in the mask may stand."""
        if other == name:
            if not mask >> index & 1:
                self.domain[name] &= ~(1 << index)
            return
        full = (1 << len(self.place[other])) - 1
        table = self.pairs[name][index]
        table[other] = table.get(other, full) & mask
        bit, own = 1 << index, (1 << len(self.place[name])) - 1
        for j, back in enumerate(self.pairs[other]):
            if not mask >> j & 1:
                back[name] = back.get(name, own) & ~bit

    def _works(self, call: Call) -> int:
        """The provider's versions at which a call works."""
        mask = 0
        for version, release in self.rules.packages[call.provider].releases.items():
            keywords = release.exports.get(call.module, {}).get(call.symbol)
            if call.module in release.modules and keywords is not None and keywords.issuperset(call.keywords):
                mask |= 1 << self.place[call.provider][version]
        return mask

    def _packages(self, python: Version) -> None:
        for name, package in self.rules.packages.items():
            for i, version in enumerate(package.versions):
                release = package.releases[version]
                if release.python is not None and not release.python.holds(python):
                    self.domain[name] &= ~(1 << i)
                    continue
                for need in release.needs:
                    self._pair(name, i, need.package, self._mask(need.package, need.allowed))
                for conflict in release.conflicts:
                    excluded = self._mask(conflict.package, conflict.excluded)
                    self._pair(name, i, conflict.package, (1 << len(self.place[conflict.package])) - 1 & ~excluded)

    def _scripts(self) -> None:
        scripts = [self.rules.scripts[path] for path in self.rules.entrypoints]
        touched = {name for script in scripts for name in script.touched}
        for call in (call for script in scripts for call in script.calls):
            self.domain[call.provider] &= self._works(call)
        for name, version, uses in self.rules.users:
            if name in touched:
                for call in uses:
                    self._pair(name, self.place[name][version], call.provider, self._works(call))
        for skew in self.rules.skews:
            if skew.anchor in touched or not touched.isdisjoint(skew.members):
                anchors = self.rules.packages[skew.anchor].versions
                for member in skew.members:
                    versions = self.rules.packages[member].versions
                    for i, anchor in enumerate(anchors):
                        fits = self._mask(member, [v for v in versions if not skew.broken(anchor, v)])
                        self._pair(skew.anchor, i, member, fits)
        for rule in self.rules.hidden:
            if any(rule.concerns(path) for path in self.rules.entrypoints):
                self._forbid({need.package: self._mask(need.package, need.allowed) for need in rule.when})

    def _forbid(self, when: dict[str, int]) -> None:
        """Not all of these packages may have a version of their mask."""
        if len(when) == 1:
            ((name, mask),) = when.items()
            self.domain[name] &= ~mask
        elif len(when) == 2:
            (name, mask), (other, theirs) = when.items()
            full = (1 << len(self.place[other])) - 1
            for i in range(len(self.place[name])):
                if mask >> i & 1:
                    self._pair(name, i, other, full & ~theirs)
        else:
            self.wide.append(when)

    def complete(self, chosen: Mapping[str, int]) -> bool:
        """Whether the combinations of three and more packages allow a complete choice."""
        return not any(all(mask >> chosen[name] & 1 for name, mask in when.items()) for when in self.wide)

    def choices(self) -> Iterator[dict[str, int]]:
        """Every complete choice that fails no check: depth first, the package with the fewest versions left first."""
        if all(self.domain.values()):
            yield from self._choices(dict(self.domain), {})

    def _choices(self, domain: dict[str, int], chosen: dict[str, int]) -> Iterator[dict[str, int]]:
        if not domain:
            if self.complete(chosen):
                yield dict(chosen)
            return
        name = min(domain, key=lambda n: domain[n].bit_count())
        mask = domain.pop(name)
        while mask:
            i = mask.bit_length() - 1
            mask ^= 1 << i
            beside = self.pairs[name][i]
            left = {other: m & beside.get(other, m) for other, m in domain.items()}
            if all(left.values()):
                chosen[name] = i
                yield from self._choices(left, chosen)
                del chosen[name]


def _solutions(rules: RepoRules, python: Version | None) -> Iterator[Solution]:
    for each in rules.pythons if python is None else (python,):
        search = _Search(rules, each)
        for choice in search.choices():
            yield Solution(each, {name: rules.packages[name].versions[choice[name]] for name in search.names})


def solve(config: Mapping[str, Any] | RepoRules, python: Version | None = None) -> Solution | None:
    """Find a complete installation at which no check of ``run.py`` fails.

    Args:
        config: As for :meth:`.RepoRules.from_config`, or the rules.
        python: Only with this Python; without one, the oldest that allows any.

    Returns:
        One, or None if there is none.

    Raises:
        UsageError: The config is malformed.
    """
    return next(_solutions(_rules(config), python), None)


def count(config: Mapping[str, Any] | RepoRules, most: int = 1_000_000) -> int:
    """Count the complete installations at which no check fails, over all Pythons, up to ``most``."""
    found = 0
    for _ in _solutions(_rules(config), None):
        found += 1
        if found >= most:
            break
    return found


def _order(rules: RepoRules, solution: Solution) -> list[str]:
    """Packages with what they need before them, at the solution's versions."""
    order: dict[str, None] = {}
    open_: set[str] = set()

    def visit(name: str) -> None:
        if name in order or name in open_:  # a circle: there is no right order, and installing will tell
            return
        open_.add(name)
        for need in rules.packages[name].releases[solution.versions[name]].needs:
            visit(need.package)
        order[name] = None

    for name in rules.packages:
        visit(name)
    return list(order)


def _exact(name: str, version: Version) -> Command:
    return Command("python" if name == "python" else "install", name, (Bound("==", version),))


def plan(
    config: Mapping[str, Any] | RepoRules, solution: Solution | None = None, start: Machine | None = None
) -> list[str] | None:
    """Find commands that make ``run.py`` run: dependencies first, then what installing the others has changed.

    Args:
        config: As for :meth:`.RepoRules.from_config`, or the rules.
        solution: What to install; without one, what :func:`solve` finds.
        start: The machine to start from, which is not changed; without one, an empty machine.

    Returns:
        Commands that end with ``python run.py`` and were played on a copy of the machine, or None where there is no
        solution or no way to it was found.

    Raises:
        UsageError: The config is malformed, or the solution leaves packages out.
    """
    rules = _rules(config)
    if solution is None:
        solution = solve(rules)
        if solution is None:
            return None
    if set(solution.versions) != set(rules.packages):
        raise UsageError("A solution gives every package of the world a version; this one names others.")
    machine = Machine(rules) if start is None else start.copy()
    made: list[str] = []
    if machine.python != solution.python:
        if not machine.execute(_exact("python", solution.python)).ok:
            return None
        made.append(f"pip install python=={show(solution.python)}")
    order = _order(rules, solution)
    versions = solution.versions
    # First dependencies first; afterwards dependents first, because installing one may change what it depends on.
    for sweep in range(2 * len(order) + 2):
        wrong = [
            name for name in (order if sweep == 0 else order[::-1]) if machine.installed.get(name) != versions[name]
        ]
        if not wrong:
            break
        before = len(made)
        for name in wrong:
            if machine.installed.get(name) != versions[name] and machine.execute(_exact(name, versions[name])).ok:
                made.append(f"pip install {name}=={show(versions[name])}")
        if len(made) == before:
            present = [name for name in wrong if name in machine.installed]
            if not present:
                return None
            machine.execute(Command("uninstall", present[0]))
            made.append(f"pip uninstall {present[0]}")
    if not machine.execute(Command("run", PROJECT)).ok:
        return None
    return [*made, "python run.py"]
