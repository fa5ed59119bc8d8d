"""Run files: TOML or YAML that says what the flags of ``finchmark run`` say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from .errors import UsageError

__all__ = ["read_run_file"]


def read_run_file(path: Path, known: Collection[str]) -> dict[str, Any]:
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
        found[name] = _checked(path, str(key), name, value)
    return found


_WHOLE = (
    "samples",
    "limit",
    "seed",
    "items_seed",
    "max_tokens",
    "think_budget",
    "token_limit",
    "concurrency",
    "retry_errors",
    "max_errors",
)
_NUMBERS = ("temperature", "top_p", "time_limit")
_TRUTHS = ("keep_thinking", "quiet")
_LISTS = ("tasks", "task", "arm", "include")
_PAIRS = ("model_args", "agent_args")


def _checked(path: Path, key: str, name: str, value: Any) -> Any:
    """Hold a value against what its flag takes. A list of one may be written without brackets."""

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise UsageError(f"--config {path}: {key} = {value!r} must be {what}.")

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
