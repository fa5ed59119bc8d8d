"""A stored run, made by hand: what the leaderboard reads of one, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finchmark.suite.records import (
    BackendChoice,
    Level,
    Manifest,
    Metric,
    RunSpec,
    Sampling,
    TaskChoice,
    TaskSheet,
)

SOLVED = Metric(
    name="solved",
    summary="share solved",
    kind="binary",
    failure=0.0,
    ceiling=1.0,
    primary=True,
    clusters=("sample", "item"),
)
REWARD = Metric(name="reward", summary="mean reward", failure=0.0)


@dataclass
class FakeRun:
    """Has the three things that are read: a folder's name, a manifest, a frame."""

    path: Path
    manifest: Manifest
    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        return self.table.copy()


def make_run(
    results: dict[str, list[Any]] | dict[str, dict[str, list[Any]]],
    *,
    label: str = "model",
    folder: str = "run",
    task: str = "family/task",
    version: int = 1,
    tier: str = "lite",
    items: int | None = None,
    samples: int | None = None,
    items_hash: str = "items0",
    temperature: float = 0.7,
    seed: int = 0,
    backend: BackendChoice | None = None,
    metrics: tuple[Metric, ...] = (SOLVED,),
    levels: dict[str, dict[str, Level]] | None = None,
    summary: str = "A task.",
    **manifest: Any,
) -> FakeRun:
    """Make a run from what its samples scored.

    Args:
        results: Item to its samples, or arm to that. A sample is a number (the first metric), a dict of metrics, or
            an outcome other than ``ok`` as text, with a reason after a colon (``"invalid:cut off"``).
    """
    arms = results if all(isinstance(v, dict) for v in results.values()) and results else {"default": results}
    rows = []
    for arm, by_item in arms.items():
        for item, values in by_item.items():  # type: ignore[union-attr]  # narrowed above, which mypy-likes cannot see
            for index, value in enumerate(values):
                outcome, _, reason = value.partition(":") if isinstance(value, str) else ("ok", "", "")
                if isinstance(value, dict):
                    scores = value
                elif outcome == "ok":
                    scores = {metrics[0].name: value}
                else:
                    scores = {m.name: None if outcome == "error" else m.failure for m in metrics}
                rows.append(
                    {"model": label, "backend": "b", "task": task, "version": version, "tier": tier, "arm": arm}
                    | {"item": item, "item_hash": f"h{item}", "sample": index, "stream": "", "position": 0}
                    | {"checkpoint": 0, "agent": "", "outcome": outcome, "reason": reason, "turns": 1, "calls": 1}
                    | {"prompt_tokens": 1, "completion_tokens": 1, "reasoning_tokens": 0}
                    | {m.name: scores.get(m.name) for m in metrics}
                )
    table = pd.DataFrame(rows)
    if len(table):
        table = table.astype({m.name: float for m in metrics})
    counted = [len(by_item) for by_item in arms.values()]
    most = max((len(v) for by_item in arms.values() for v in by_item.values()), default=1)  # type: ignore[union-attr]  # as above
    spec = RunSpec(
        tasks=(
            TaskChoice(
                name=task, version=version, arms=tuple(arms), items=items or max(counted), items_hash=items_hash
            ),
        ),
        tier=tier,
        samples=samples or most,
        seed=seed,
        backend=backend or BackendChoice(name="hf", model=label),
        sampling=Sampling(temperature=temperature),
        model_identity="1d3n71ty",
    )
    sheet = TaskSheet(
        name=task,
        version=version,
        summary=summary,
        metrics=metrics,
        arms={arm: f"the arm {arm}" for arm in arms},
        levels=levels or {},
    )
    return FakeRun(
        Path("/runs") / folder,
        Manifest(
            **{
                "finchmark": "0.1.0",
                "label": label,
                "created": "2026-01-02T03:04:05+00:00",
                "updated": "2026-01-02T04:04:05+00:00",
                "complete": True,
                "spec": spec,
                "spec_hash": spec.hash,
                "tasks": {task: sheet},
                **manifest,
            }
        ),
        table,
    )


@pytest.fixture(name="make_run")
def _make_run():
    return make_run
