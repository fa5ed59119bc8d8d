"""Problems as the YAML files that they are read from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ....suite.errors import StoreError
from ..combo import Combo, load_combo
from ..problem import CANARY, Problem, load_problem

__all__ = ["tidy", "write_item"]

_HEAD = """\
# Made by a model: finchmark creative harder, {unit}. Nobody has looked at it yet.
# Checked: it runs, its rules hold, its tests tell faults. Not checked: whether it is clear, fair and worth asking.
"""


class _Dumper(yaml.SafeDumper):
    """Text of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def write_item(problem: Problem, folder: Path, unit: str, bases: Mapping[str, Problem]) -> Path:
    """Write a problem, and read it back.

    Args:
        problem: A problem, or a combo.
        folder: Where; the file is named after the problem.
        unit: What it was made of, for the head of the file.
        bases: The base problems, among which a combo's parents are found.

    Returns:
        The file.

    Raises:
        StoreError: What is read back is another problem.
    """
    raw: dict[str, Any] = {"canary": CANARY}
    if isinstance(problem, Combo):
        raw["parents"] = [parent.name for parent in problem.parents]
    else:
        raw["domain"] = problem.domain
    raw |= {"title": problem.title, "statement": tidy(problem.statement), "solution": tidy(problem.solution)}
    if problem.others:
        raw["others"] = [tidy(code) for code in problem.others]
    raw["tests"] = tidy(problem.asserts)
    if problem.levels:
        raw["levels"] = [
            {"rules": [str(rule) for rule in level.rules], "solution": tidy(level.solution)} for level in problem.levels
        ]
    text = _HEAD.format(unit=unit) + yaml.dump(raw, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{problem.name}.yaml"
    half = path.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.rename(path)
    found = load_combo(path, bases) if isinstance(problem, Combo) else load_problem(path)
    same = [tidy(code) for code in found.bank] == [tidy(code) for code in problem.bank]
    if not same or tidy(found.asserts) != tidy(problem.asserts) or found.rules(9) != problem.rules(9):
        raise StoreError(f"{path}: what was written is not what was made; this is a fault of Finchmark.")
    return path


def tidy(text: str) -> str:
    """Lines without tabs and blanks at their ends, and one end of line at the end, so that YAML keeps them as a block.

    A program is made so *before* it is judged: what is written is what was seen to work.
    """
    return "\n".join(line.rstrip() for line in text.expandtabs(4).strip("\n").split("\n")) + "\n"
