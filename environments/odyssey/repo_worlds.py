"""Repo worlds from a seed: every one is proved solvable, and the proof is a plan that was played.

How a world is drawn. A secret installation comes first: a Python that is neither the oldest nor the newest, and a
version of every package. Everything else is drawn around it, so that no check fails at it.

The law that can be found. Along the versions of a package its interface changes in one direction only: a symbol is
added once, may be deprecated, may be removed, and never comes back; keyword arguments are added one after the other and
stay as long as their symbol. A newer version never needs an older dependency or an older Python than the version before
it, and its own code moves from a dependency's older symbol to a newer one at most once. So an unknown keyword always
means *too old*, an unknown symbol *too old or too new*, and a clash says which way to go once one has seen a few.

What a world holds to. The Python is the only one that works. Installing the latest of everything fails, and so does
installing the oldest of everything, under every Python. Packages are numbered independently of who depends on whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...suite.errors import UsageError
from ...suite.seeds import generator
from .presets import difficulty_key, preset
from .repo_commands import Command
from .repo_machine import Machine
from .repo_project import run
from .repo_rules import PROJECT, RepoRules
from .repo_solver import Solution, plan
from .repo_versions import Bound, Version, show

if TYPE_CHECKING:
    import numpy as np

__all__ = ["REPO_PRESETS", "RepoDifficulty", "RepoWorld", "generate"]

_PYTHONS: tuple[Version, ...] = ((3, 8), (3, 9), (3, 10), (3, 11))
_SYMBOLS = (
    *("bundle", "collect", "decode", "digest", "encode", "filter", "gather", "inspect", "join", "lookup", "measure"),
    *("narrow", "observe", "pack", "query", "rank", "scan", "trace", "unfold", "verify", "weave", "Batch", "Cursor"),
    *("Frame", "Ledger", "Mapper", "Planner", "Reader", "Sampler", "Writer"),
)
_KEYWORDS = (
    *("axis", "budget", "cache", "depth", "engine", "flags", "grain", "hints", "jobs", "keep", "limit", "mode"),
    *("nested", "offset", "policy", "quiet", "retries", "safe", "tag", "unit", "width"),
)
_PATHS = (
    *("checks/start.py", "data/collect.py", "data/clean.py", "model/build.py", "model/fit.py", "model/tune.py"),
    *("report/draw.py", "report/score.py", "serve/pack.py", "serve/answer.py"),
)
_COMBINED = (
    "RuntimeError: {a} wrote a file that {b} cannot read",
    "RuntimeError: {a} and {b} both claim the same plug-in",
    "ValueError: {a} handed {b} a record of the wrong shape",
    "RuntimeError: {a} and {b} wait for each other",
)


@dataclass(frozen=True, slots=True)
class RepoDifficulty:
    """What worlds to draw.

    Args:
        min_packages: The fewest packages of a world, at least 2.
        max_packages: The most, at most 60; the number is drawn uniformly.
        min_versions: The fewest versions of a package, at least 3.
        max_versions: The most, at most 30.
        scripts: How many scripts the project has, 1 to 10.
        max_needs: The most dependencies of a version.
        horizon: The steps that a player gets; worlds whose plan is longer are not drawn.
        slack: A package that scripts call directly works there with at most this many versions on either side of the
            secret one.
        window: A dependency allows at most this many versions on either side of where it stands.
        bound: The probability that scripts call a package so that its oldest or newest versions do not work.
        clash: The probability that the newer versions of a package clash with older ones of another.
        skews: The most rules about equal major or minor numbers.
        combinations: The most rules about forbidden combinations.
        attempts: The most worlds to draw until one fits; after that :func:`generate` raises.

    Raises:
        UsageError: A value is outside its range.
    """

    min_packages: int
    max_packages: int
    min_versions: int
    max_versions: int
    scripts: int
    max_needs: int
    horizon: int
    slack: int = 1
    window: int = 1
    bound: float = 0.7
    clash: float = 0.3
    skews: int = 1
    combinations: int = 1
    attempts: int = 200

    def __post_init__(self) -> None:
        for name, low, high in (
            ("min_packages", 2, 60),
            ("max_packages", self.min_packages, 60),
            ("min_versions", 3, 30),
            ("max_versions", self.min_versions, 30),
            ("scripts", 1, len(_PATHS)),
            ("max_needs", 1, 60),
            ("horizon", self.max_packages + 2, 1_000_000),
            ("slack", 0, 30),
            ("window", 0, 30),
            ("skews", 0, 60),
            ("combinations", 0, 60),
            ("attempts", 1, 1_000_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"RepoDifficulty: {name} is from {low} to {high} here, not {value}.")
        for name in ("bound", "clash"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"RepoDifficulty: {name} is a probability from 0 to 1, not {getattr(self, name)}.")

    @classmethod
    def named(cls, difficulty: str | RepoDifficulty) -> RepoDifficulty:
        """The preset of a name; a difficulty is handed through.

        Raises:
            UsageError: There is no preset of that name.
        """
        return preset(difficulty, REPO_PRESETS, "repo")


REPO_PRESETS: Mapping[str, RepoDifficulty] = MappingProxyType(
    {
        "smoke": RepoDifficulty(2, 3, 3, 4, scripts=1, max_needs=1, horizon=8, skews=0, combinations=0),
        "gate": RepoDifficulty(4, 5, 3, 5, scripts=3, max_needs=2, horizon=24),
        "lite": RepoDifficulty(
            9, 12, 3, 9, scripts=5, max_needs=4, horizon=120, window=2, bound=0.75, skews=2, combinations=2
        ),
        "challenge": RepoDifficulty(
            24, 28, 6, 12, scripts=8, max_needs=5, horizon=400, slack=2, window=2, bound=0.8, skews=3, combinations=5
        ),
    }
)


@dataclass(frozen=True, slots=True)
class RepoWorld:
    """A world and the proof that it can be solved.

    Args:
        config: As :class:`.RepoEnv` takes it, packages in the order of their numbers.
        solution: The secret installation, as text: ``{"python": "3.9", "pkg0": "1.2", …}``. Others may work too.
        plan: Commands that solve the world; they were played.
        horizon: The steps that a player gets.
    """

    config: dict[str, Any]
    solution: dict[str, str]
    plan: tuple[str, ...]
    horizon: int


@dataclass(slots=True)
class _Symbol:
    """A symbol's life along the versions of its package, as indices."""

    module: str
    name: str
    first: int
    gone: int
    deprecated: int
    keywords: list[tuple[str, int]]

    def lives(self, index: int) -> bool:
        return self.first <= index < self.gone


@dataclass(slots=True)
class _Package:
    """A package in the making: ``at`` is the index of its secret version, ``low`` to ``high`` what scripts allow."""

    name: str
    priority: str
    versions: list[Version]
    at: int
    low: int
    high: int
    symbols: list[_Symbol]

    @property
    def last(self) -> int:
        return len(self.versions) - 1


class _Draw:
    """Draws one world, whether or not it fits."""

    def __init__(self, rng: np.random.Generator, difficulty: RepoDifficulty) -> None:
        self.rng, self.difficulty = rng, difficulty
        self.python = self.index(1, len(_PYTHONS) - 2)
        self.count = self.index(difficulty.min_packages, difficulty.max_packages)
        self.packages = [self._package(f"pkg{number}") for number in range(self.count)]
        # Who may depend on whom: later ones on earlier ones, whatever their numbers.
        self.order = [self.packages[int(i)] for i in rng.permutation(self.count)]
        self.planted: list[dict[str, Any]] = []
        for package in self.packages:
            self._interface(package)
        self.project_op = ">=" if self.chance(0.5) else "<="
        self.requires_python: dict[str, dict[str, list[str]]] = {}
        self.dependencies: dict[str, dict[str, list[Any]]] = {p.name: {} for p in self.packages}
        self.effects: dict[str, dict[str, list[Any]]] = {}
        self.uses: dict[str, dict[str, list[Any]]] = {}
        self.conflicts: dict[str, dict[str, list[Any]]] = {}
        self._pythons()
        for place, package in enumerate(self.order):
            self._needs(package, self.order[:place])
        for package in self.packages:
            if self.chance(difficulty.clash):
                self._clash(package)

    def index(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def some(self, options: list[Any], most: int) -> list[Any]:
        """Up to ``most`` of the options, in random order."""
        return [options[int(i)] for i in self.rng.permutation(len(options))[:most]]

    def _package(self, name: str) -> _Package:
        difficulty = self.difficulty
        version: Version = (self.index(0, 1), 0)
        versions: list[Version] = [version]
        for _ in range(self.index(difficulty.min_versions, difficulty.max_versions) - 1):
            version = (version[0], version[1] + 1) if self.chance(0.7) else (version[0] + 1, 0)
            versions.append(version)
        priority = ("high", "medium", "medium", "low")[self.index(0, 3)]
        last = len(versions) - 1
        if not self.chance(difficulty.bound):
            return _Package(name, priority, versions, self.index(0, last), 0, last, [])
        at = self.index(0, last - 1)
        low = max(0, at - self.index(0, difficulty.slack))
        high = min(last - 1, at + self.index(0, difficulty.slack))
        return _Package(name, priority, versions, at, low, high, [])

    def _interface(self, package: _Package) -> None:
        """Draw the symbols, among them those whose calls allow just the versions ``low`` to ``high``."""
        last = package.last
        names = self.some(list(_SYMBOLS), 7)
        modules = (f"{package.name}.core", f"{package.name}.io")

        def symbol(first: int, gone: int) -> _Symbol:
            deprecated = gone
            if gone <= last and gone - first > 1 and self.chance(0.7):
                deprecated = self.index(max(first + 1, gone - 2), gone - 1)
            keywords, since = [], first
            for keyword in self.some(list(_KEYWORDS), self.index(1, 3)):
                keywords.append((keyword, since))
                since = self.index(since, last)
            made = _Symbol(modules[self.index(0, 1)], names.pop(), first, gone, deprecated, keywords)
            made.keywords = [(keyword, since) for keyword, since in keywords if since < gone]
            package.symbols.append(made)
            return made

        steady = symbol(0, last + 1)
        if package.low > 0:
            if self.chance(0.5):
                keyword = next(k for k in self.some(list(_KEYWORDS), 4) if k not in dict(steady.keywords))
                steady.keywords = sorted([*steady.keywords, (keyword, package.low)], key=lambda pair: pair[1])
                self.planted.append(_call(package, steady, [keyword]))
            else:
                self.planted.append(_call(package, symbol(package.low, last + 1), []))
        if package.high < last:
            self.planted.append(_call(package, symbol(self.index(0, package.low), package.high + 1), []))
        for _ in range(self.index(1, 3)):
            first = self.index(0, last - 1)
            symbol(first, last + 1 if self.chance(0.5) else self.index(first + 1, last))

    def _require_python(self, package: _Package, index: int, op: str, python: int) -> None:
        # What every Python meets, or none, is no rule.
        if 0 <= python < len(_PYTHONS) and python != (0 if op == ">=" else len(_PYTHONS) - 1):
            table = self.requires_python.setdefault(package.name, {})
            table[show(package.versions[index])] = [op, show(_PYTHONS[python])]

    def _pythons(self) -> None:
        """Draw which Pythons versions run on: old ones up to some, new ones from some.

        Two of these three decide: the project on one side, a package's old versions or another's new ones on the other.
        """
        python = self.python
        legacy = self.some([p for p in self.packages if p.high < p.last], int(self.project_op == ">="))
        modern = self.some(self.packages, int(self.project_op == "<="))
        for package in self.packages:
            if package in legacy:
                # No version that scripts allow runs on a newer Python.
                end, older = self.index(package.high, package.last), self.index(0, package.at)
                for i in range(end + 1):
                    self._require_python(package, i, "<=", python - (i < older))
                newer = self.index(end + 1, package.last + 1)
                for i in range(end + 1, package.last + 1):
                    self._require_python(package, i, ">=", python + (i >= newer))
            elif package in modern:
                # None runs on an older one.
                start, newer = self.index(0, package.low), self.index(package.at + 1, package.last + 1)
                for i in range(start, package.last + 1):
                    self._require_python(package, i, ">=", min(python + (i >= newer), len(_PYTHONS) - 1))
            elif self.chance(0.4):
                start, newer = self.index(0, package.last), self.index(package.at + 1, package.last + 1)
                for i in range(start, package.last + 1):
                    self._require_python(package, i, ">=", min(python - (i < package.at) + (i >= newer), 3))

    def _needs(self, package: _Package, earlier: list[_Package]) -> None:
        """Draw what each version depends on: windows that slide upwards along the versions."""
        chosen = self.some(earlier, self.index(1, self.difficulty.max_needs)) if self.chance(0.9) else []
        for other in chosen:
            start = 0 if self.chance(0.6) else self.index(0, package.last)
            pace = float(self.rng.uniform(0.5, 1.2)) * len(other.versions) / len(package.versions)
            below, above = self.index(0, self.difficulty.window), self.index(0, self.difficulty.window)
            strict = self.chance(0.5)
            effect = ("force_high", "force_low", "pin")[self.index(0, 2)]
            affected = package.priority == "high" and self.chance(0.6)
            for i in range(start, package.last + 1):
                middle = other.at + round((i - package.at) * pace)
                low, high = (min(max(m, 0), other.last) for m in (middle - below, middle + above))
                bounds = [[">=", show(other.versions[low])]] if low > 0 else []
                if high < other.last:
                    bound = ["<", show(other.versions[high + 1])] if strict else ["<=", show(other.versions[high])]
                    bounds.append(bound)
                version = show(package.versions[i])
                self.dependencies[package.name].setdefault(version, []).append([other.name, bounds])
                if affected:
                    pinned = [["==", show(other.versions[min(max(middle, low), high)])]]
                    entry = [effect, other.name, pinned if effect == "pin" else bounds]
                    self.effects.setdefault(package.name, {}).setdefault(version, []).append(entry)
            if self.chance(0.7):
                self._use(package, other, start)

    def _use(self, package: _Package, other: _Package, start: int) -> None:
        """Let a package's code call a dependency: an older symbol in its older versions, a newer one from some on."""
        calls = []
        for symbol in self.some(other.symbols, 2):
            keyword = symbol.keywords[self.index(0, len(symbol.keywords) - 1)] if self.chance(0.7) else None
            since = symbol.first if keyword is None else keyword[1]
            works = symbol.lives(other.at) and since <= other.at
            calls.append((since, works, _call(other, symbol, [] if keyword is None else [keyword[0]])))
        calls.sort(key=lambda call: call[0])
        (_, old_works, old), (_, new_works, new) = calls
        if old_works and new_works:
            switch = self.index(0, package.last + 1)
        elif old_works:
            switch = self.index(package.at + 1, package.last + 1)
        elif new_works:
            switch = self.index(0, package.at)
        else:
            return
        table = self.uses.setdefault(package.name, {})
        for i in range(start, package.last + 1):
            table.setdefault(show(package.versions[i]), []).append(old if i < switch else new)

    def _clash(self, package: _Package) -> None:
        """Let a package's newer versions clash with older ones of another."""
        needed = {entry[0] for entries in self.dependencies[package.name].values() for entry in entries}
        others = self.some([p for p in self.packages if p is not package and p.name not in needed], 1)
        if not others:
            return
        other = others[0]
        if package.at < package.last and (other.at == 0 or self.chance(0.6)):
            start, oldest = self.index(package.at + 1, package.last), self.index(other.at, other.last)
        elif other.at > 0:
            start, oldest = self.index(0, package.at), self.index(0, other.at - 1)
        else:
            return
        for i in range(start, package.last + 1):
            version, bound = show(package.versions[i]), show(other.versions[oldest])
            text = f"{package.name} {version} no longer works with {other.name} up to {bound}"
            self.conflicts.setdefault(package.name, {})[version] = [[other.name, "<=", bound, text]]

    def _skews(self) -> list[dict[str, Any]]:
        """Draw rules that followers have the major (or major and minor) number of a leader, where they need not."""
        made = []
        for leader in self.some(self.order[:3], self.difficulty.skews):
            minor = self.chance(0.3)
            lead = leader.versions[leader.at]

            def agrees(version: Version, minor: bool = minor, lead: Version = lead) -> bool:
                return version == lead if minor else version[0] == lead[0]

            followers = [
                p.name
                for p in self.packages
                if p is not leader and agrees(p.versions[p.at]) and not all(map(agrees, p.versions))
            ]
            if followers:
                names = sorted(self.some(followers, 3))
                plugins = f"its plug-in{'s' if len(names) > 1 else ''} {', '.join(names)}"
                made.append(
                    {
                        "type": "same_minor_with_anchor" if minor else "same_major_with_anchor",
                        "anchor": leader.name,
                        "packages": names,
                        "error": f"RuntimeError: {leader.name} and {plugins} are not of one "
                        f"{'release' if minor else 'series'}",
                    }
                )
        return made

    def _combinations(self, paths: list[str]) -> list[dict[str, Any]]:
        """Draw pairs of ranges that do not go together; the secret installation is outside the first."""
        made = []
        for _ in range(self.difficulty.combinations):
            # Where scripts allow newer versions than the secret one, such a rule can be what decides.
            open_ = [p for p in self.packages if p.high > p.at]
            firsts = self.some(open_ or [p for p in self.packages if p.at < p.last], 1)
            if not firsts:
                break
            first = firsts[0]
            second = self.some([p for p in self.packages if p is not first], 1)[0]
            if self.chance(0.5):
                bound = ["<=", show(second.versions[self.index(0, second.last - 1)])]
            else:
                bound = [">=", show(second.versions[self.index(1, second.last)])]
            text = _COMBINED[self.index(0, len(_COMBINED) - 1)].format(a=first.name, b=second.name)
            made.append(
                {
                    "when": [[first.name, [[">=", show(first.versions[first.at + 1])]]], [second.name, [bound]]],
                    "scope": [PROJECT if self.chance(0.4) else paths[self.index(0, len(paths) - 1)]],
                    "error": text,
                }
            )
        return made

    def _project(self, paths: list[str]) -> dict[str, Any]:
        """Deal the calls out to the scripts; every package is touched by one."""
        calls = list(self.planted)
        for package in self.some(self.packages, self.count // 2 + 1):
            symbol = self.some([s for s in package.symbols if s.lives(package.at)], 1)[0]
            known = [keyword for keyword, since in symbol.keywords if since <= package.at]
            calls.append(_call(package, symbol, self.some(known, 1) if self.chance(0.6) else []))
        scripts: dict[str, Any] = {path: {"calls": [], "imports": set()} for path in paths}
        for i, call in enumerate(self.some(calls, len(calls))):
            script = scripts[paths[i % len(paths)]]
            script["calls"].append(call)
            script["imports"].add(call["provider"])
        for package in self.packages:
            if not any(package.name in script["imports"] for script in scripts.values()) or self.chance(0.2):
                scripts[paths[self.index(0, len(paths) - 1)]]["imports"].add(package.name)
        return {path: {**script, "imports": sorted(script["imports"])} for path, script in scripts.items()}

    def config(self) -> dict[str, Any]:
        """The world as a config."""
        paths = [_PATHS[int(i)] for i in sorted(self.rng.permutation(len(_PATHS))[: self.difficulty.scripts])]
        return {
            "run_checks": True,
            "python_versions": [show(version) for version in _PYTHONS],
            "packages": {
                p.name: {"versions": [show(v) for v in p.versions], "priority": p.priority} for p in self.packages
            },
            "version_requires_python": self.requires_python,
            "version_dependencies": self.dependencies,
            "version_conflicts": self.conflicts,
            "side_effects": self.effects,
            "api_surface": {p.name: _surface(p) for p in self.packages},
            "symbol_requires": self.uses,
            "project_requires_python": [self.project_op, show(_PYTHONS[self.python])],
            "consistency_rules": self._skews(),
            "hidden_rules": self._combinations(paths),
            "scripts": self._project(paths),
            "entrypoints": paths,
        }

    def solution(self) -> Solution:
        """The secret installation."""
        return Solution(_PYTHONS[self.python], {p.name: p.versions[p.at] for p in self.packages})


def _call(package: _Package, symbol: _Symbol, keywords: list[str]) -> dict[str, Any]:
    return {
        "provider": package.name,
        "module": symbol.module,
        "symbol": symbol.name,
        "required_kwargs": list(keywords),
    }


def _surface(package: _Package) -> dict[str, Any]:
    """The interface of every version."""
    made = {}
    for i, version in enumerate(package.versions):
        exports: dict[str, list[str]] = {f"{package.name}.core": [], f"{package.name}.io": []}
        signatures: dict[str, list[str]] = {}
        deprecated: dict[str, list[str]] = {}
        for symbol in sorted(package.symbols, key=lambda s: s.name):
            if symbol.lives(i):
                exports[symbol.module].append(symbol.name)
                signatures[f"{symbol.module}:{symbol.name}"] = [k for k, since in symbol.keywords if since <= i]
                if i >= symbol.deprecated:
                    deprecated.setdefault(symbol.module, []).append(symbol.name)
        made[show(version)] = {
            "modules": list(exports),
            "exports": exports,
            "signatures": signatures,
            "deprecated": deprecated,
        }
    return made


def _is_easy(rules: RepoRules) -> bool:
    """Whether the project runs with the latest or the oldest of everything, installed blindly."""
    for python in rules.pythons:
        for end in (-1, 0):
            versions = {name: package.versions[end] for name, package in rules.packages.items()}
            if run(rules, PROJECT, python, versions, run_checks=True) is None:
                return True
        machine = Machine(rules)
        machine.execute(Command("python", "python", (Bound("==", python),)))
        # Several rounds, for those that wait for what they need.
        for _ in range(3):
            for name in rules.packages:
                machine.execute(Command("install", name))
        if machine.execute(Command("run", PROJECT)).ok:
            return True
    return False


def generate(difficulty: str | RepoDifficulty, *seed_path: str | int) -> RepoWorld:
    """Draw a world.

    Args:
        difficulty: A preset's name (``smoke``, ``gate``, ``lite``, ``challenge``) or a difficulty of your own.
        *seed_path: Names and numbers that say which world; see :func:`.seeds.derive`. Different difficulties draw
            unrelated worlds from one path.

    Returns:
        The world, the same on every machine for the same arguments.

    Raises:
        UsageError: The difficulty is unknown, the seed path is empty, or no world that fits was found within the
            difficulty's attempts.
    """
    difficulty = RepoDifficulty.named(difficulty)
    key = difficulty_key(difficulty, seed_path)
    rng = generator("odyssey/repo", key, *seed_path)
    for _ in range(difficulty.attempts):
        draw = _Draw(rng, difficulty)
        # Without a package whose newest versions fail in scripts nothing keeps the newest Python out.
        if not any(package.high < package.last for package in draw.packages):
            continue
        config, solution = draw.config(), draw.solution()
        rules = RepoRules.from_config(config)
        made = plan(rules, solution)
        if made is None or len(made) > difficulty.horizon or _is_easy(rules):
            continue
        secret = {"python": show(solution.python), **{name: show(v) for name, v in solution.versions.items()}}
        return RepoWorld(config, secret, tuple(made), difficulty.horizon)
    raise UsageError(
        f"No repo world fits after {difficulty.attempts} attempts: {difficulty}. "
        "Raise the horizon, bound or max_versions, lower clash, skews or combinations, or allow more attempts."
    )
