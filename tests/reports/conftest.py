"""Runs for reports: small ones, stored for real."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from finchmark.suite.records import (
    AgentChoice,
    BackendChoice,
    Call,
    Level,
    Manifest,
    Metric,
    Outcome,
    RunSpec,
    Sample,
    Sampling,
    TaskChoice,
    TaskSheet,
    Turn,
    Usage,
)
from finchmark.suite.store import RunWriter, StoredRun

PAYLOAD = "\"><script>window.hit=1</script><img src=x onerror='window.hit=1'><style>*{display:none}</style>]]>&lt;"

SOLVED = Metric(name="solved", summary="share solved", kind="binary", failure=0.0, chance=0.25, primary=True)
SHARP = Metric(name="sharpness", summary="how sharp", low=None, high=None, failure=0.0, primary=True)

Outcomes = Sequence[float | str]


def turns(n: int, text: str, *, unusable: Sequence[int] = (), scores: Sequence[dict[str, float]] = ()) -> list[Turn]:
    """Turns of an episode: ``text`` is what the model writes; the last one shows the end."""
    return [
        Turn(
            index=i,
            observation=f"you see {i} {text}",
            instructions="0123",
            calls=(
                Call(
                    prompt_hash="p",
                    seed=i,
                    completion=f"{text} {i}",
                    reasoning=text if i == 0 else "",
                    finish_reason="stop" if i else "length",
                    usage=Usage(calls=1, prompt_tokens=10, completion_tokens=5, cost=0.001),
                ),
            ),
            action=f"do {text}",
            usable=i not in unusable,
            after=f"the end {text}" if i == n - 1 else "",
            scores=scores[i] if i < len(scores) else {},
        )
        for i in range(n)
    ]


def make_run(
    folder: Path,
    results: dict[str, dict[str, Outcomes]],
    *,
    label: str = "model",
    task: str = "family/task",
    version: int = 1,
    metric: Metric = SOLVED,
    length: Callable[[str, int], int] = lambda item, sample: 3,
    text: Callable[[str, int], str] = lambda item, sample: f"{item} {sample}",
    temperature: float = 0.7,
    levels: dict[str, dict[str, Level]] | None = None,
    scores: Sequence[dict[str, float]] = (),
    unusable: Sequence[int] = (),
    expected_items: int | None = None,
    **manifest: Any,
) -> StoredRun:
    """Store a run.

    Args:
        folder: Where.
        results: Arm to item to its samples: a number, or an outcome other than ``ok`` with a reason after a colon.
    """
    most = max(len(s) for items in results.values() for s in items.values())
    items = expected_items or max(len(items) for items in results.values())
    spec = RunSpec(
        tasks=(TaskChoice(name=task, version=version, arms=tuple(results), items=items, items_hash="abc"),),
        tier="lite",
        samples=most,
        backend=BackendChoice(name="hf", model="m"),
        agent=AgentChoice(),
        sampling=Sampling(temperature=temperature),
        model_identity="1d3n71ty",
    )
    sheet = TaskSheet(
        name=task,
        version=version,
        summary="A task.",
        metrics=(metric, Metric(name="speed", summary="how fast")),
        arms=dict.fromkeys(results, "an arm"),
        levels=levels or {},
    )
    head = Manifest(
        **{
            "finchmark": "0.1.0",
            "label": label,
            "created": "2026-01-02T03:04:05+00:00",
            "updated": "2026-01-02T04:04:05+00:00",
            "complete": True,
            "spec": spec,
            "spec_hash": spec.hash,
            "tasks": {task: sheet},
            "expected": items * most * len(results),
            **manifest,
        }
    )
    with RunWriter(folder, head) as writer:
        for arm, by_item in results.items():
            for item, values in by_item.items():
                for number, value in enumerate(values):
                    outcome, _, reason = value.partition(":") if isinstance(value, str) else ("ok", "", "")
                    worth = value if isinstance(value, int | float) else metric.failure
                    gone = outcome == "error"
                    played = turns(length(item, number), text(item, number), unusable=unusable, scores=scores)
                    writer.append(
                        Sample(
                            task=task,
                            version=version,
                            arm=arm,
                            item=item,
                            item_hash=f"h-{item}",
                            sample=number,
                            seed=number,
                            outcome=Outcome(outcome),
                            reason=reason,
                            metrics={} if gone else {metric.name: worth, "speed": 0.5},
                            usage=sum((c.usage for t in played for c in t.calls), Usage()),
                            turns=tuple(played),
                            texts={"0123": f"Play. {text(item, number)}"},
                            error="Traceback: it broke" if gone else "",
                        )
                    )
    return StoredRun(folder)


@pytest.fixture(name="make_run")
def _make_run(tmp_path):
    made = 0

    def go(results: dict[str, dict[str, Outcomes]] | dict[str, Outcomes], **options: Any) -> StoredRun:
        nonlocal made
        made += 1
        nested = results if isinstance(next(iter(results.values())), dict) else {"default": results}
        return make_run(tmp_path / f"run-{made}", nested, **options)

    return go


@pytest.fixture(name="payload")
def _payload():
    return PAYLOAD
