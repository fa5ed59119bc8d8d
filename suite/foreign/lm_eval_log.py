"""The files that lm-eval writes: where samples lie, and what the results beside them say of a task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import StoreError
from .columns import known_direction

__all__ = ["SampleLog", "find_lm_eval_logs", "read_summary"]

_MODEL_ARGS = ("peft", "delta", "pretrained", "model", "path", "engine")


def find_lm_eval_logs(path: Path) -> list[Path]:
    """The sample files at ``path``: itself, those of a ``results_*.json``, or all below a folder; sorted."""
    if path.is_dir():
        return sorted(path.rglob("samples_*.jsonl"))
    if path.suffix == ".jsonl":
        return [path]
    if path.suffix == ".json" and path.name.startswith("results_"):
        return sorted(path.parent.glob(f"samples_*_{_date(path)}.jsonl"))
    return []


def _date(file: Path) -> str:
    """The date in a name; lm-eval writes it as ISO 8601 with ``-`` for ``:``, so that text order is time order."""
    return file.stem.rpartition("_")[2]


def read_summary(file: Path, known: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """The aggregated results of the run that wrote ``file``, empty if they are not beside it.

    Args:
        file: A file of samples.
        known: What was read before, by file; extended.

    Raises:
        StoreError: The results are damaged.
    """
    beside = sorted(file.parent.glob(f"*_{_date(file)}.json"))
    if not beside and not file.name.startswith("samples_"):
        # A file under a name of the user's own belongs to the only results beside it.
        beside = sorted(file.parent.glob("results_*.json"))
    if len(beside) != 1:
        return {}
    place = beside[0]
    if place not in known:
        try:
            found = json.loads(place.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise StoreError(f"{place}: cannot be read as JSON ({error}). Restore it, or move it away.") from error
        if not isinstance(found, dict) or "results" not in found:
            raise StoreError(f"{place}: these are no results of lm-eval (no 'results'). Move the file away.")
        known[place] = found
    return known[place]


@dataclass
class SampleLog:
    """A sample file, and what the results beside it say of its task."""

    file: Path
    summary: Mapping[str, Any]
    decoding: str = "unknown"
    task: str = field(init=False)
    date: str = field(init=False)

    def __post_init__(self) -> None:
        stem = self.file.stem
        named = stem.startswith("samples_") and stem.count("_") > 1
        self.task = stem[len("samples_") : stem.rindex("_")] if named else stem
        self.date = _date(self.file) if named else ""

    def of_task(self, table: str) -> Any:
        """What a table of the summary says of the task, None if nothing."""
        found = self.summary.get(table)
        return found.get(self.task) if isinstance(found, dict) else None

    @property
    def label(self) -> str:
        """The model's name. lm-eval makes up one where its arguments name no model; then the backend's stands."""
        config = self.summary.get("config")
        config = config if isinstance(config, dict) else {}
        arguments = config.get("model_args")
        if isinstance(arguments, str):
            named = any(f"{key}=" in arguments for key in _MODEL_ARGS)
        else:
            named = isinstance(arguments, dict) and any(key in arguments for key in _MODEL_ARGS)
        if self.summary.get("model_name") and (named or not config.get("model")):
            return str(self.summary["model_name"])
        # The folder's name is the model's with "__" for what a path may not hold.
        return str(config.get("model") or self.file.resolve().parent.name.replace("__", "/"))

    @property
    def version(self) -> str:
        """The task's version as text; 1.0 and 1 are the same."""
        version = self.of_task("versions")
        if isinstance(version, float):
            return f"{version:g}"
        return "unknown" if version is None else str(version)

    @property
    def arm(self) -> str:
        """``default``, or ``5-shot``."""
        shots = self.of_task("n-shot")
        return f"{shots}-shot" if isinstance(shots, int) and shots > 0 else "default"

    @property
    def setting(self) -> list[str]:
        """What holds for the whole run and changes prompts."""
        notes = []
        if self.summary.get("system_instruction"):
            notes.append(f"System instruction {str(self.summary.get('system_instruction_sha') or '')[:8] or 'set'}.")
        if self.summary.get("chat_template"):
            notes.append(f"Chat template {str(self.summary.get('chat_template_sha') or '')[:8] or 'set'}.")
        return notes

    def direction(self, metric: str) -> Literal["higher", "lower", "none"]:
        """Which way a metric is better, by lm-eval or else by its name."""
        table = self.of_task("higher_is_better")
        told = table.get(metric) if isinstance(table, dict) else None
        return known_direction(metric) if told is None else ("higher" if told else "lower")
