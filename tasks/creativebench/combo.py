"""The Combo problems: each joins two base problems, one YAML file each, below ``combos``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...suite.errors import UsageError
from .problem import Problem, load_problems

__all__ = ["COMBOS", "Combo", "load_combo", "load_combos"]

COMBOS = Path(__file__).parent / "combos"
_NEEDED = ("canary", "parents", "title", "statement", "solution", "tests")
_KEYS = {*_NEEDED, "others"}


@dataclass(frozen=True)
class Combo(Problem):
    """A problem that needs the ideas of two base problems, one of which decides what the other works on.

    Its domain is that of its parents (both, joined by ``+``, where they differ), and it has no levels of constraints.
    In its plain solution each parent stands as functions of the parent's own names that pass the parent's own tests.

    Args:
        parents: The two base problems.
    """

    parents: tuple[Problem, ...] = ()

    @property
    def pair(self) -> tuple[str, ...]:
        """The parents' names, sorted: two combos of one pair have equal ones."""
        return tuple(sorted(parent.name for parent in self.parents))

    @property
    def entry(self) -> str:
        """The function that the tests call; empty where they call none of the solution's."""
        return self.entries[0] if self.entries else ""


def load_combo(path: Path, bases: Mapping[str, Problem] | None = None) -> Combo:
    """Read one file.

    Args:
        path: The file.
        bases: The base problems by name; None: those that are shipped.

    Raises:
        UsageError: It is no combo, or a parent is no base problem: what is missing or not known is named.
    """
    import yaml

    bases = load_problems() if bases is None else bases
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({error}).") from error
    if not isinstance(raw, dict):
        raise UsageError(f"{path}: a combo is a mapping, not {type(raw).__name__}.")
    wrong, lacking = sorted(set(map(str, raw)) - _KEYS), [key for key in _NEEDED if key not in raw]
    if wrong or lacking:
        said = [f"has no {', '.join(lacking)}"] * bool(lacking) + [f"has {', '.join(wrong)}, not known"] * bool(wrong)
        raise UsageError(f"{path}: {' and '.join(said)}.")
    names = raw["parents"]
    if not isinstance(names, list) or len(names) != 2:
        raise UsageError(f"{path}: parents are a list of two base problems, not {names!r}.")
    unknown = [str(name) for name in names if name not in bases]
    if unknown:
        raise UsageError(f"{path}: {', '.join(unknown)} is no base problem; those of `items` are.")
    parents = tuple(bases[name] for name in names)
    return Combo(
        name=path.stem,
        domain="+".join(_once(parent.domain for parent in parents)),
        title=str(raw["title"]),
        statement=str(raw["statement"]),
        solution=str(raw["solution"]),
        others=tuple(str(other) for other in raw.get("others") or ()),
        asserts=str(raw["tests"]),
        levels=(),
        parents=parents,
    )


def _once(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


@cache
def load_combos(folder: Path = COMBOS) -> Mapping[str, Combo]:
    """Every combo of a folder, by name, sorted.

    Raises:
        UsageError: A file is no combo.
    """
    return {path.stem: load_combo(path) for path in sorted(folder.glob("*.yaml"))}
