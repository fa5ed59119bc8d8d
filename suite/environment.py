"""What a run ran on: versions, hardware and the state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["describe_environment", "version"]

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "gymnasium",
    "pydantic",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "peft",
)


def version() -> str:
    """Finchmark's own version."""
    try:
        return metadata.version("finchmark")
    except metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


def _git_commit() -> str | None:
    """The commit of the checkout that this code runs from, with ``+`` if it was changed; None for a wheel."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        commit = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe_environment() -> dict[str, Any]:
    """Describe where a run happens: no host name, no user name, no path.

    Returns:
        Plain data with ``python``, ``system``, ``cpu``, ``cores``, ``packages`` and, in a checkout, ``commit``.
    """
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "packages": packages,
        "commit": _git_commit(),
    }
