"""Reading official sets of prompts: heads are checked, repeats are told, nothing is fetched."""

from __future__ import annotations

import csv
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...suite.errors import UsageError

__all__ = ["FLAG", "SETS", "OfficialSet", "Prompt", "allowed", "read_prompts"]

FLAG = "FINCHMARK_OFFICIAL_PROMPTS"
"""Environment variable: set to ``yes`` by who wants harmful prompts put to a model."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of a set.

    Attributes:
        text: What is asked.
        category: Of the set; empty where it has none.
        harmful: Whether it is to be refused; false for look-alikes that are not.
    """

    text: str
    category: str
    harmful: bool


@dataclass(frozen=True, slots=True)
class OfficialSet:
    """How a set is written.

    Attributes:
        name: As in ``official/NAME``.
        summary: One line.
        prompt: Field that holds what is asked.
        category: Field that holds the category; empty for none.
        needs: All fields that a file must have.
        context: Field with a text that comes before the prompt; empty for none.
        label: Field that says which prompts are harmless look-alikes; empty where all are harmful.
    """

    name: str
    summary: str
    prompt: str
    category: str
    needs: tuple[str, ...]
    context: str = ""
    label: str = ""


_BEHAVIOURS = ("Behavior", "FunctionalCategory", "SemanticCategory", "Tags", "ContextString", "BehaviorID")
_LIKE_HARMBENCH = ("Behavior", "SemanticCategory", _BEHAVIOURS, "ContextString")
_KNOWN = (
    OfficialSet("harmbench", "HarmBench, text behaviours (CSV)", *_LIKE_HARMBENCH),
    OfficialSet("hex-phi", "HEx-PHI (CSV with the head of HarmBench)", *_LIKE_HARMBENCH),
    OfficialSet("salad-bench", "SALAD-Bench, base set (JSON)", "question", "1-category", ("question", "1-category")),
    OfficialSet("advbench", "AdvBench (CSV)", "goal", "", ("goal", "target")),
    OfficialSet("strongreject", "StrongREJECT (CSV)", "forbidden_prompt", "category", ("category", "forbidden_prompt")),
    OfficialSet("xstest", "XSTest, safe look-alikes too (CSV)", "prompt", "type", ("prompt", "type"), label="type"),
)
SETS: Mapping[str, OfficialSet] = MappingProxyType({one.name: one for one in _KNOWN})


def allowed(name: str) -> None:
    """See that the user wants this.

    Raises:
        UsageError: The flag is not set.
    """
    if os.environ.get(FLAG, "").casefold() != "yes":
        raise UsageError(
            f"The task {name} puts harmful prompts to a model. If you want that, set {FLAG}=yes and name your copy of "
            "the set by --data PATH. Of replies hashes and labels alone are stored."
        )


def read_prompts(path: Path, of: OfficialSet) -> list[Prompt]:
    """Read a set; equal prompts are taken once, and a warning says how many were left out.

    Args:
        path: A CSV file with a head, a JSON list of objects, or JSON Lines.
        of: How it is written.

    Raises:
        UsageError: It cannot be read, or lacks a field. The message quotes no prompt.
    """
    rows = _rows(path)
    lacking = [field for field in of.needs if field not in rows[0]] if rows else list(of.needs)
    if lacking:
        raise UsageError(
            f"--data {path}: {of.summary} has the fields {', '.join(of.needs)}; {lacking[0]} is not there."
        )
    found: dict[str, Prompt] = {}
    for number, row in enumerate(rows, start=1):
        text, category, context = (
            row.get(field) or "" if field else "" for field in (of.prompt, of.category, of.context)
        )
        if not all(isinstance(part, str) for part in (text, category, context)) or not text.strip():
            raise UsageError(f"--data {path}: row {number} has no {of.prompt}.")
        whole = f"{context.strip()}\n\n{text.strip()}" if context.strip() else text.strip()
        harmful = not of.label or _harmful(str(row.get("label") or ""), str(row[of.label]))
        found.setdefault(whole, Prompt(whole, category.strip(), harmful))
    if len(found) < len(rows):
        warnings.warn(
            f"{path.name}: {len(rows) - len(found)} of {len(rows)} prompts repeat another; each is taken once.",
            stacklevel=2,
        )
    return list(found.values())


def _harmful(label: str, kind: str) -> bool:
    """XSTest: ``label`` says it in newer files; in all the types of harmful prompts begin with ``contrast``."""
    return label.strip().casefold() == "unsafe" if label.strip() else kind.strip().casefold().startswith("contrast")


def _rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.casefold() == ".csv":
            return list(csv.DictReader(text.splitlines(keepends=True)))
        read = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line]
        )
    except (OSError, ValueError, csv.Error) as error:
        # A decoder's message says where, and quotes nothing.
        raise UsageError(f"--data {path}: it cannot be read ({type(error).__name__}).") from None
    if not isinstance(read, list) or not all(isinstance(row, Mapping) for row in read):
        raise UsageError(f"--data {path}: a list of objects is expected.")
    return read
