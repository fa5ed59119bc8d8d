"""The problems of our own: one YAML file each, below ``items``."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ...suite.errors import UsageError
from .constraints import Rule, parse_rule

__all__ = ["CANARY", "DOMAINS", "ITEMS", "Level", "Problem", "load_problem", "load_problems"]

CANARY = "finchmark-creativebench-canary 5d1c8f0a-6f53-4c0e-9c11-7a41a3a8e2b7: keep out of training data"
DOMAINS: Mapping[str, str] = {
    "text": "words, letters and lines",
    "sequences": "order, runs and windows in lists",
    "numbers": "digits, divisors and bases",
    "grids": "cells in rows and columns",
    "graphs": "what is joined to what",
    "parsing": "small languages read and written",
    "time": "clocks, calendars and schedules",
    "geometry": "points, boxes and paths",
    "counting": "choices, arrangements and odds",
    "records": "tables, books and stock",
}

ITEMS = Path(__file__).parent / "items"
_KEYS = {"canary", "domain", "title", "statement", "solution", "others", "tests", "levels"}


@dataclass(frozen=True)
class Level:
    """One step of constraints, on top of the levels below it.

    Args:
        rules: What this level adds.
        solution: A program that passes the tests and keeps the rules of this level and of all below it.
    """

    rules: tuple[Rule, ...]
    solution: str


@dataclass(frozen=True)
class Problem:
    """A base problem.

    Args:
        name: Its file's name without the ending.
        domain: One of :data:`DOMAINS`.
        title: A few words.
        statement: What is asked, with the names and types that the tests use.
        solution: The plain solution.
        others: Further plain solutions that go another way; they widen the bank that novelty is measured against.
        asserts: The tests: ``assert`` statements.
        levels: Levels 1, 2, … of constraints.
    """

    name: str
    domain: str
    title: str
    statement: str
    solution: str
    others: tuple[str, ...]
    asserts: str
    levels: tuple[Level, ...]

    @cached_property
    def tests(self) -> str:
        """The tests as a program: a function ``test`` that the file's asserts are the body of."""
        return "def test():\n" + textwrap.indent(self.asserts.strip("\n"), "    ") + "\n"

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Names that the tests use and the plain solution defines, in the order of its definitions."""
        used = {n.id for n in ast.walk(ast.parse(self.asserts)) if isinstance(n, ast.Name)}
        return tuple(name for name in _defined(self.solution) if name in used)

    def rules(self, level: int) -> tuple[Rule, ...]:
        """All rules that hold at a level; none at level 0."""
        return tuple(rule for step in self.levels[:level] for rule in step.rules)

    def proof(self, level: int) -> str:
        """The shipped program that solves a level."""
        return self.levels[level - 1].solution if level else self.solution

    @property
    def bank(self) -> tuple[str, ...]:
        """All shipped programs: what novelty is the distance to."""
        return (self.solution, *self.others, *(level.solution for level in self.levels))

    def prompt(self, level: int = 0) -> str:
        """What a model reads."""
        return worded(self.statement, [rule.sentence for rule in self.rules(level)])


def worded(statement: str, sentences: list[str]) -> str:
    """A statement, what constrains it, and how to answer."""
    parts = [statement.strip()]
    if sentences:
        parts.append(
            "Keep to all of these rules, in every line of your program:\n" + "\n".join(f"- {s}" for s in sentences)
        )
    parts.append("Answer with one Python program in one ```python block. It is imported; it reads and prints nothing.")
    return "\n\n".join(parts)


def _defined(code: str) -> list[str]:
    return [
        n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    ]


def load_problem(path: Path) -> Problem:
    """Read one file.

    Raises:
        UsageError: It is no problem: what is missing or not known is named.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({error}).") from error
    if not isinstance(raw, dict):
        raise UsageError(f"{path}: a problem is a mapping, not {type(raw).__name__}.")
    wrong = sorted(set(raw) - _KEYS)
    missing = sorted(_KEYS - {"others", "levels"} - set(raw))
    if wrong or missing:
        said = [f"has no {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(wrong)}, not known"] * bool(wrong)
        raise UsageError(f"{path}: {' and '.join(said)}.")
    try:
        return Problem(
            name=path.stem,
            domain=str(raw["domain"]),
            title=str(raw["title"]),
            statement=str(raw["statement"]),
            solution=str(raw["solution"]),
            others=tuple(str(other) for other in raw.get("others") or ()),
            asserts=str(raw["tests"]),
            levels=tuple(_level(step) for step in raw.get("levels") or ()),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: a level is a mapping with 'rules' (a list) and 'solution' ({error!r}).") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _level(step: Any) -> Level:
    return Level(tuple(parse_rule(str(line)) for line in step["rules"]), str(step["solution"]))


@cache
def load_problems(folder: Path = ITEMS) -> Mapping[str, Problem]:
    """Every problem of a folder, by name, sorted.

    Raises:
        UsageError: A file is no problem.
    """
    return {path.stem: load_problem(path) for path in sorted(folder.glob("*.yaml"))}
