"""Run files: TOML or YAML that says what the flags of ``finchmark run`` say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UsageError
from .evaluation import Prepared, parse_pairs, prepare
from .executors.options import EXECUTORS, RayOptions

__all__ = ["PLACING_FLAGS", "RUN_FLAGS", "RunOptions", "checked_value", "read_run_file", "run_options"]

PLACING_FLAGS = frozenset(("executor", "ray_address", "ray_workers", "ray_cpus", "ray_gpus"))
"""Flags that say where ``finchmark run`` plays; gates and tests play in their own process."""

RUN_FLAGS = PLACING_FLAGS | frozenset(
    (
        "tasks",
        "task",
        "backend",
        "model_args",
        "arm",
        "tier",
        "samples",
        "streams",
        "limit",
        "seed",
        "items_seed",
        "items_secret",
        "data",
        "out",
        "agent",
        "agent_args",
        "temperature",
        "top_p",
        "max_tokens",
        "think_budget",
        "keep_thinking",
        "system_prompt",
        "time_limit",
        "token_limit",
        "include",
        "label",
        "cache",
        "cache_size",
        "sandbox_python",
        "concurrency",
        "max_cost",
        "retry_errors",
        "max_errors",
        "quiet",
    )
)
"""What ``finchmark run`` and a run file may say, with ``_`` for ``-``; ``task`` where there is one."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What flags or a run file ask for.

    Attributes:
        tasks: Names and selectors.
        backend: The backend.
        options: The arguments of :func:`.evaluation.prepare`.
        out: The run folder, None: that of the specification.
        quiet: Whether to show no progress.
        concurrency: Episodes open at once.
        retries: How often an errored sample is tried again.
        max_errors: How many errors are allowed.
        ray: Where it is played, None: in this process.
    """

    tasks: tuple[str, ...]
    backend: str
    options: Mapping[str, Any]
    out: Path | None = None
    quiet: bool = False
    concurrency: int | None = None
    retries: int = 0
    max_errors: int = 0
    ray: RayOptions | None = None

    def prepare(self) -> Prepared:
        """Prepare the run."""
        return prepare(list(self.tasks), self.backend, **self.options)


def run_options(given: Mapping[str, Any]) -> RunOptions:
    """Sort what was given into what decides numbers and what does not.

    Args:
        given: Names of :data:`RUN_FLAGS` to values.

    Raises:
        UsageError: No backend is named, or arguments are no ``key=value`` pairs.
    """
    rest = {key: value for key, value in given.items() if value is not None}
    backend = rest.pop("backend", None)
    if not backend:
        raise UsageError(
            "No backend was named. Give --backend, such as hf:smollm2; `finchmark list backends` shows them."
        )
    named = rest.pop("task", None)
    tasks = rest.pop("tasks", None) or named or ()
    for key in ("model_args", "agent_args"):
        value = rest.get(key)
        if value is not None and not isinstance(value, dict):
            rest[key] = parse_pairs([value] if isinstance(value, str) else value, f"--{key.replace('_', '-')}")
    max_cost = rest.pop("max_cost", None)
    if max_cost is not None:
        rest["model_args"] = {**rest.get("model_args", {}), "max_cost": max_cost}
    if "arm" in rest:
        arms = rest.pop("arm")
        rest["arms"] = [arms] if isinstance(arms, str) else arms
    out = rest.pop("out", None)
    ray = _ray_options(rest)
    return RunOptions(
        tasks=(tasks,) if isinstance(tasks, str) else tuple(tasks),
        backend=backend,
        out=None if out is None else Path(out),
        quiet=bool(rest.pop("quiet", False)),
        concurrency=rest.pop("concurrency", None),
        retries=int(rest.pop("retry_errors", 0)),
        max_errors=int(rest.pop("max_errors", 0)),
        options=rest,
        ray=ray,
    )


def _ray_options(rest: dict[str, Any]) -> RayOptions | None:
    """Take out what says where the run is played.

    Raises:
        UsageError: There is no such executor, or there are flags of another.
    """
    executor = rest.pop("executor", None) or "local"
    given = {name: rest.pop(f"ray_{name}") for name in ("address", "workers", "cpus", "gpus") if f"ray_{name}" in rest}
    if executor not in EXECUTORS:
        raise UsageError(f"--executor {executor}: there are {' and '.join(EXECUTORS)}.")
    if executor == "ray":
        return RayOptions(**given)
    if given:
        raise UsageError(f"--ray-{next(iter(given))} belongs to --executor ray.")
    return None


def read_run_file(path: Path, known: Collection[str] = RUN_FLAGS) -> dict[str, Any]:
    """Read a run file.

    Args:
        path: Ends in ``.toml``, ``.yaml`` or ``.yml``. Keys are the flags' long names, with ``-`` or ``_``.
        known: The names that there are, with ``_``.

    Returns:
        Name to value, names with ``_``.

    Raises:
        UsageError: The file is missing, cannot be parsed, or has a key that is no flag.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--config {path}: cannot be read ({error.strerror or error}).") from error
    try:
        if path.suffix == ".toml":
            import tomllib

            raw: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            import yaml

            raw = yaml.safe_load(text)
        else:
            raise UsageError(f"--config {path}: a run file ends in .toml, .yaml or .yml.")
    except UsageError:
        raise
    except Exception as error:  # tomllib and yaml have different errors; both say where
        raise UsageError(f"--config {path}: cannot be parsed: {error}") from error
    if not isinstance(raw, dict):
        raise UsageError(f"--config {path}: a run file maps flags to values, it is not a {type(raw).__name__}.")
    found = {}
    for key, value in raw.items():
        name = str(key).replace("-", "_")
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0].replace('_', '-')!r}?" if near else ""
            raise UsageError(f"--config {path}: there is no flag {key!r}.{hint}")
        found[name] = checked_value(f"--config {path}", str(key), name, value)
    return found


_WHOLE = (
    "samples",
    "streams",
    "limit",
    "seed",
    "items_seed",
    "max_tokens",
    "think_budget",
    "token_limit",
    "cache_size",
    "concurrency",
    "ray_workers",
    "retry_errors",
    "max_errors",
)
_NUMBERS = ("temperature", "top_p", "time_limit", "max_cost", "ray_cpus", "ray_gpus")
_TRUTHS = ("keep_thinking", "quiet")
_LISTS = ("tasks", "task", "arm", "include")
_PAIRS = ("model_args", "agent_args")


def checked_value(source: str, key: str, name: str, value: Any) -> Any:
    """Hold a value against what its flag takes. A list of one may be written without brackets.

    Args:
        source: Where it stands, for messages.
        key: The key as it was written.
        name: The flag's name, with ``_``.
        value: The value.

    Raises:
        UsageError: The flag takes something else.
    """

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise UsageError(f"{source}: {key} = {value!r} must be {what}.")

    if name in _WHOLE:
        need(isinstance(value, int) and not isinstance(value, bool), "a whole number")
    elif name in _NUMBERS:
        need(isinstance(value, (int, float)) and not isinstance(value, bool), "a number")
    elif name in _TRUTHS:
        need(isinstance(value, bool), "true or false")
    elif name in _LISTS:
        value = [value] if isinstance(value, str) else value
        need(isinstance(value, list) and all(isinstance(v, str) for v in value), "a text or a list of texts")
    elif name in _PAIRS:
        need(isinstance(value, (dict, str)), "a table of arguments")
    else:
        need(isinstance(value, str), "a text")
    return value
