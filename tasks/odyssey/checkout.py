"""Reads the items of OdysseyArena's own release from a user's checkout; nothing of it is shipped here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ...suite.errors import UsageError

__all__ = ["read_configs"]


def read_configs(path: Path, pattern: str) -> list[dict[str, Any]]:
    """Read the configurations of one world.

    Args:
        path: A checkout of the reference, its ``test_data`` folder, or one of the files.
        pattern: Which files below ``test_data``, such as ``trade/test_trade_config_*.json``; a file holds one
            configuration or a list of them.

    Returns:
        The configurations, in the order of the numbers in the files' names and of the lists.

    Raises:
        UsageError: There is no such file, or it is not JSON of that form.
    """
    if path.is_file():
        files = [path]
    else:
        found = [file for root in (path / "test_data", path) for file in root.glob(pattern)]
        files = sorted(dict.fromkeys(found), key=lambda file: [int(n) for n in re.findall(r"\d+", file.name)])
    if not files:
        raise UsageError(
            f"--data {path}: there is no {pattern} there, nor in its test_data. Give the reference's checkout."
        )
    configs: list[dict[str, Any]] = []
    for file in files:
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"--data {file}: cannot be read as JSON ({error}).") from error
        for config in raw if isinstance(raw, list) else [raw]:
            if not isinstance(config, dict):
                raise UsageError(f"--data {file}: an item is an object, not {type(config).__name__}.")
            configs.append(config)
    return configs
