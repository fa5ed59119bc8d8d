"""Files ``eval_*.yaml``: tasks, how they are played, and what is demanded of each.

    backend: hf:smollm2
    tier: gate
    samples: 4
    tasks:
      odyssey/lights:
        arm: inductive
        at_least: {success: 0.9}
        baseline: baselines/lights.json
        policy: gate.toml

Everything that a run file may say (:data:`.runfile.RUN_FLAGS`) may stand at the top, for all tasks, or with a task, for
that one; so may ``confidence`` and ``policy``. Paths are taken from the file's folder. Each task is a run of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import UsageError
from .policy import Policy, make_policy, read_policy
from .runfile import PLACING_FLAGS, RUN_FLAGS, RunOptions, checked_value, run_options

__all__ = ["EvalTask", "read_eval_file"]

_RUN_KEYS = RUN_FLAGS - PLACING_FLAGS - {"tasks", "task", "out", "quiet", "max_errors"}
_SHARED = frozenset(("confidence", "policy"))
_OWN = frozenset(("at_least", "at_most", "baseline"))
_STRANGE = "If it is no file of Finchmark's, set finchmark_files in pytest's configuration."


@dataclass(frozen=True, slots=True)
class EvalTask:
    """A task of the file and what is demanded of it.

    Attributes:
        name: The task, or a selector.
        file: The file.
        line: Where it stands there, from 1.
        given: What is said of its run, names of :data:`.runfile.RUN_FLAGS` to values.
        at_least: Levels by metric that must be shown to be reached.
        at_most: Levels by metric that must be shown to be kept.
        confidence: Of each one-sided bound.
        baseline: The baseline file, None without a gate.
        policy: The gate's policy: a file, or what stands in the file itself.
    """

    name: str
    file: Path
    line: int
    given: Mapping[str, Any]
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95
    baseline: Path | None = None
    policy: Path | Policy | None = None

    def run_options(self, **overrides: Any) -> RunOptions:
        """What its run is made of; ``overrides`` (None: none) win over the file.

        Raises:
            UsageError: No backend is named, or arguments are no ``key=value`` pairs.
        """
        given = {**self.given, **{k: v for k, v in overrides.items() if v is not None}}
        if not given.get("backend"):
            raise UsageError(f"{self.file}: no backend is named. Say `backend: NAME`, or give --finchmark-backend.")
        return run_options({**given, "tasks": [self.name]})

    def read_policy(self) -> Policy:
        """The gate's policy.

        Raises:
            UsageError: Its file cannot be read, or a field is wrong.
        """
        if self.policy is None:
            return Policy()
        return self.policy if isinstance(self.policy, Policy) else read_policy(self.policy)


def read_eval_file(path: Path) -> tuple[EvalTask, ...]:
    """Read an evaluation file.

    Raises:
        UsageError: It is no YAML, a key is unknown or stands twice, a value does not fit, or a task demands nothing;
            the message names file, line and key.
    """
    data, lines = _read_yaml(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path}: an evaluation file maps keys to values; this is a {type(data).__name__}. {_STRANGE}")
    tasks = data.pop("tasks", None)
    try:
        shared = _read_keys(path, "", data, _RUN_KEYS | _SHARED | {"tasks"}, lines)
    except UsageError as error:
        if tasks is None:
            raise UsageError(f"{error} {_STRANGE}") from None
        raise
    if not isinstance(tasks, dict) or not tasks:
        raise UsageError(
            f"{path}: tasks must map names of tasks to what is demanded of them, not {tasks!r}. {_STRANGE}"
        )
    return tuple(_task(path, str(name), said, shared, lines) for name, said in tasks.items())


def _task(path: Path, name: str, said: Any, shared: Mapping[str, Any], lines: Mapping[str, int]) -> EvalTask:
    place = f"tasks.{name}"
    where = _where(path, place, lines)
    if not isinstance(said, dict):
        raise UsageError(f"{where}: a task maps keys to values, such as at_least: {{success: 0.9}}, not {said!r}.")
    own = _read_keys(path, place, said, _RUN_KEYS | _SHARED | _OWN, lines)
    merged = {**shared, **own}
    task = EvalTask(
        name=name,
        file=path,
        line=lines.get(place, 1),
        given={k: v for k, v in merged.items() if k in _RUN_KEYS},
        **{k: v for k, v in merged.items() if k in _SHARED | _OWN},
    )
    if not (task.at_least or task.at_most or task.baseline):
        raise UsageError(f"{where}: nothing is demanded. Give at_least, at_most or baseline.")
    if "policy" in own and task.baseline is None:
        raise UsageError(f"{where}: a policy belongs to a gate. Give a baseline as well.")
    return task


def _read_keys(
    path: Path, place: str, data: Mapping[Any, Any], known: frozenset[str], lines: Mapping[str, int]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        name = str(key).replace("-", "_")
        where = _where(path, f"{place}.{key}" if place else str(key), lines)
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(sorted(known))}."
            raise UsageError(f"{where}: there is no such key.{hint}")
        if name in found:
            raise UsageError(f"{where}: it stands there twice, with - and with _.")
        found[name] = _value(path, where, name, value)
    return found


def _value(path: Path, where: str, name: str, value: Any) -> Any:
    if name in ("at_least", "at_most"):
        if not isinstance(value, dict) or not value:
            raise UsageError(f"{where}: it must map metrics to levels, such as {{success: 0.9}}, not {value!r}.")
        return {str(metric): _number(f"{where}.{metric}", level) for metric, level in value.items()}
    if name == "confidence":
        number = _number(where, value)
        if not 0.5 < number < 1:
            raise UsageError(f"{where}: {value!r} must lie between 0.5 and 1.")
        return number
    if name == "policy" and isinstance(value, dict):
        return make_policy(value, where)
    if name in ("baseline", "policy"):
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where}: {value!r} must be the name of a file.")
        return path.parent / value
    value = checked_value(str(path), where.removeprefix(f"{path}, "), name, value)
    if name == "include":
        return [str(path.parent / part) for part in value]
    if name in ("items_secret", "data", "sandbox_python") and not value.startswith("hub:"):
        return str(path.parent / value)
    return value


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(f"{where}: {value!r} must be a number.")
    return float(value)


def _where(path: Path, place: str, lines: Mapping[str, int]) -> str:
    line = lines.get(place)
    return f"{path}, {f'line {line}, ' if line else ''}{place}"


def _read_yaml(path: Path) -> tuple[Any, dict[str, int]]:
    """The file's content, and the line of every key by its path. YAML itself lets a second key of a name win."""
    import yaml

    lines: dict[str, int] = {}
    seen: set[int] = set()

    def walk(node: Any, place: str) -> None:
        if id(node) in seen:  # an alias, perhaps of a node that holds it
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for i, part in enumerate(node.value):
                walk(part, f"{place}[{i}]")
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            here = f"{place}.{key.value}" if place else str(key.value)
            line = key.start_mark.line + 1
            if here in lines:
                raise UsageError(f"{path}, line {line}, {here}: it stands there twice, at line {lines[here]} before.")
            lines[here] = line
            walk(value, here)

    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            walk(node, "")
        return yaml.safe_load(text), lines
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path}: this is not YAML: {' '.join(str(error).split())}.") from error
