"""The computer of a repo world: which Python and packages are installed, and what commands do to them."""

from __future__ import annotations

from typing import NamedTuple

from .repo_commands import Command
from .repo_project import Failure, run, warnings
from .repo_rules import PROJECT, Need, Release, RepoRules
from .repo_versions import Bound, Version, select, show, show_bounds

__all__ = ["Answer", "Machine"]


class Answer(NamedTuple):
    """What came of a command.

    Args:
        kind: A key of the phrasebooks.
        facts: What the text names.
        ok: Whether the command did what it asked for.
        lines: Further facts, one a line.
    """

    kind: str
    facts: dict[str, str]
    ok: bool = True
    lines: tuple[str, ...] = ()


class _Failed(Exception):
    """Carries the answer of an installation that is undone."""

    def __init__(self, kind: str, facts: dict[str, str], lines: tuple[str, ...] = ()) -> None:
        super().__init__(kind)
        self.answer = Answer(kind, facts, ok=False, lines=lines)


class Machine:
    """A Python, some packages, and the commands that change them.

    Args:
        rules: The world.
        reference_rules: Whether bounds are read, and scripts checked, as the reference does.
    """

    def __init__(self, rules: RepoRules, *, reference_rules: bool = False) -> None:
        self.rules = rules
        self.reference_rules = reference_rules
        self.python: Version | None = None
        self.installed: dict[str, Version] = {}
        self.solved = False

    def copy(self) -> Machine:
        """A machine in the same state that can go its own way."""
        other = Machine(self.rules, reference_rules=self.reference_rules)
        other.python, other.installed, other.solved = self.python, dict(self.installed), self.solved
        return other

    def execute(self, command: Command) -> Answer:
        """Carry out a command. One that fails leaves everything as it was."""
        kind = command.kind
        if kind == "install":
            return self._install(command.name, command.bounds)
        if kind == "run":
            return self._run(command.name)
        if kind == "python":
            return self._python(command.bounds[0].version)
        if kind == "uninstall":
            return self._uninstall(command.name)
        if kind == "list":
            python = "" if self.python is None else show(self.python)
            # Sorted as text, pkg10 before pkg2: the reference's order.
            installed = tuple(f"{name}=={show(self.installed[name])}" for name in sorted(self.installed))
            return Answer("list", {"python": python}, lines=installed)
        if kind == "tree":
            return Answer("tree", {}, lines=self.rules.runnable)
        return Answer("noop", {})

    def _python(self, version: Version) -> Answer:
        facts = {"version": show(version)}
        if version not in self.rules.pythons:
            return Answer("no_such_python", {**facts, "available": ", ".join(map(show, self.rules.pythons))}, ok=False)
        self.python = version
        return Answer("python_installed", facts)

    def _uninstall(self, name: str) -> Answer:
        version = self.installed.pop(name, None)
        if version is None:
            return Answer("not_installed", {"name": name}, ok=False)
        return Answer("uninstalled", {"name": name, "version": show(version)})

    def _run(self, path: str) -> Answer:
        if self.python is None:
            return Answer("python_not_set", {}, ok=False)
        if path != PROJECT and path not in self.rules.scripts:
            return Answer("unknown_script", {"name": path}, ok=False)
        checks = self.rules.run_checks and not self.reference_rules
        failure = run(self.rules, path, self.python, self.installed, run_checks=checks)
        if failure is not None:
            return _failed_run(path, failure)
        if path == PROJECT:
            self.solved = True
        return Answer(
            "project_passed" if path == PROJECT else "script_passed",
            {"script": path},
            lines=() if self.reference_rules else tuple(warnings(self.rules, path, self.installed)),
        )

    def _install(self, name: str, bounds: tuple[Bound, ...]) -> Answer:
        package = self.rules.packages.get(name)
        if package is None:
            return Answer("no_such_package", {"name": name}, ok=False)
        current = self.installed.get(name)
        if not bounds:
            if current is not None:
                return Answer("already", {"name": name, "version": show(current)})
            target = package.versions[-1]
        else:
            effective = _reference_bounds(bounds) if self.reference_rules else bounds
            matching = select(effective, package.versions)
            if not matching:
                facts = {"name": name, "bounds": show_bounds(bounds)}
                return Answer("no_such_version", {**facts, "available": _row(package.versions)}, ok=False)
            target = matching[-1]
            if target == current:
                facts = {"name": name, "version": show(target), "bounds": show_bounds(effective)}
                return Answer("already_satisfied", facts)
        try:
            after, changed = self._transaction(name, target)
        except _Failed as failed:
            return failed.answer
        self.installed = after
        facts = {"name": name, "version": show(target)}
        if changed:
            others = ", ".join(f"{other}=={show(after[other])}" for other in sorted(changed))
            return Answer("installed_with_others", {**facts, "others": others})
        return Answer("installed", facts)

    def _transaction(self, name: str, version: Version) -> tuple[dict[str, Version], set[str]]:
        """What is installed after a successful installation, and which other packages it says that it changed."""
        package = self.rules.packages[name]
        release = package.releases[version]
        facts = {"name": name, "version": show(version)}
        if release.python is not None:
            wanted = {**facts, "op": release.python.op, "needed": show(release.python.version)}
            if self.python is None:
                raise _Failed("python_missing", wanted)
            if not release.python.holds(self.python):
                raise _Failed("python_unfit", {**wanted, "python": show(self.python)})
        after = dict(self.installed)
        changed: set[str] = set()
        if package.priority == "high":
            self._resolve(release, after, changed, facts)
        elif package.priority == "medium":
            missing = []
            for need in release.needs:
                other = after.get(need.package)
                if other is None:
                    missing.append(f"{need.package} (not installed)")
                elif other not in need.allowed:
                    if need.allowed:
                        after[need.package] = need.allowed[-1]
                    else:
                        missing.append(f"{need.package} (no version fits)")
            if missing:
                raise _Failed("needs_missing", facts, tuple(missing))
        for conflict in release.conflicts:
            other = after.get(conflict.package)
            if other is not None and other in conflict.excluded:
                named = {**facts, "other": conflict.package, "other_version": show(other), "text": conflict.text}
                raise _Failed("install_conflict", named)
        after[name] = version
        return after, changed

    def _resolve(self, release: Release, after: dict[str, Version], changed: set[str], facts: dict[str, str]) -> None:
        """Install what a high-priority version needs, then let it do to others what it does."""
        for need in release.needs:
            if after.get(need.package) not in need.allowed:
                after[need.package] = self._choose(need, facts, -1)
                changed.add(need.package)
        for effect in release.effects:
            need = effect.need
            current = after.get(need.package)
            if effect.kind == "ensure" and current in need.allowed:
                continue
            chosen = self._choose(need, facts, 0 if effect.kind == "force_low" else -1)
            if chosen != current:
                after[need.package] = chosen
                changed.add(need.package)

    def _choose(self, need: Need, facts: dict[str, str], end: int) -> Version:
        if not need.allowed:
            raise _Failed("need_impossible", {**facts, "other": need.package, "bounds": show_bounds(need.bounds)})
        return need.allowed[end]


def _row(versions: tuple[Version, ...]) -> str:
    return ", ".join(map(show, versions))


def _failed_run(path: str, failure: Failure) -> Answer:
    facts = {**failure.facts, "script": failure.script, "target": path}
    return Answer(failure.kind, facts, ok=False)


def _reference_bounds(bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
    """What the reference makes of bounds: one ``==`` rules alone, else the tightest on each side, the first on ties."""
    exact = [bound for bound in bounds if bound.op == "=="]
    if exact:
        # Exact bounds that disagree stay as they are: no version meets them.
        return (exact[0],) if all(bound.version == exact[0].version for bound in exact) else tuple(exact)
    lower = [bound for bound in bounds if bound.op[0] == ">"]
    upper = [bound for bound in bounds if bound.op[0] == "<"]
    # max() and min() keep the first of equals.
    tight = [max(lower, key=lambda b: b.version)] if lower else []
    tight += [min(upper, key=lambda b: b.version)] if upper else []
    return tuple(tight)
