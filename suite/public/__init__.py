"""Finchmark measures agents that change: capability, learning, drift and safety, with statistics that hold.

>>> import finchmark
>>> run = finchmark.evaluate("odyssey/lights", "scripted:oracle", tier="smoke", samples=2, out="runs/oracle")
>>> run.frame()[["task", "arm", "item", "sample", "outcome", "success"]]

Everything here is imported on first use, so that ``import finchmark`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finchmark.leaderboard import build as build_leaderboard
    from finchmark.leaderboard import standings
    from finchmark.suite.agents.base import Action, Agent, Observation
    from finchmark.suite.backends.base import Backend, Completion, GenerateRequest, Message
    from finchmark.suite.checked_run import CheckedRun, CouldNotRun, run
    from finchmark.suite.comparison import compare
    from finchmark.suite.errors import FinchmarkError, UsageError
    from finchmark.suite.evaluation import evaluate
    from finchmark.suite.records import Level, Metric, Outcome
    from finchmark.suite.results import read_results as load_results
    from finchmark.suite.store import StoredRun
    from finchmark.suite.task import Arm, Episode, EpisodeResult, Item, Task, Tier

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Agent",
    "Arm",
    "Backend",
    "CheckedRun",
    "Completion",
    "CouldNotRun",
    "Episode",
    "EpisodeResult",
    "FinchmarkError",
    "GenerateRequest",
    "Item",
    "Level",
    "Message",
    "Metric",
    "Observation",
    "Outcome",
    "StoredRun",
    "Task",
    "Tier",
    "UsageError",
    "build_leaderboard",
    "compare",
    "evaluate",
    "load_results",
    "load_run",
    "run",
    "standings",
]

_HOMES = {
    "Action": "suite.agents.base",
    "Agent": "suite.agents.base",
    "Arm": "suite.task",
    "Backend": "suite.backends.base",
    "CheckedRun": "suite.checked_run",
    "Completion": "suite.backends.base",
    "CouldNotRun": "suite.checked_run",
    "Episode": "suite.task",
    "EpisodeResult": "suite.task",
    "FinchmarkError": "suite.errors",
    "GenerateRequest": "suite.backends.base",
    "Item": "suite.task",
    "Level": "suite.records",
    "Message": "suite.backends.base",
    "Metric": "suite.records",
    "Observation": "suite.agents.base",
    "Outcome": "suite.records",
    "StoredRun": "suite.store",
    "Task": "suite.task",
    "Tier": "suite.task",
    "UsageError": "suite.errors",
    "build_leaderboard": "leaderboard:build",
    "compare": "suite.comparison",
    "evaluate": "suite.evaluation",
    "load_results": "suite.results:read_results",
    "run": "suite.checked_run",
    "standings": "leaderboard",
}


def load_run(path: str) -> StoredRun:
    """Read a run from its folder.

    Args:
        path: The folder that ``evaluate`` or ``finchmark run`` wrote.

    Raises:
        UsageError: There is no run there.
        StoreError: It is damaged, or from a newer version.
    """
    from finchmark.suite.store import StoredRun

    return StoredRun(path)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'finchmark' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    value = getattr(importlib.import_module(f"finchmark.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
