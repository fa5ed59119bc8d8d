from __future__ import annotations

import pytest

from finchmark.suite.records import (
    Call,
    ItemsChoice,
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

METRICS = (
    Metric(name="steps", summary="turns used", direction="lower", high=None, unit="turns"),
    Metric(name="success", summary="share solved", kind="binary", failure=0.0, primary=True),
)


def turn_of(index=0, *, completion="<action>1</action>", finish="stop", reasoning="", **changes):
    usage = Usage(calls=1, prompt_tokens=20, cached_tokens=8, completion_tokens=4, cost=0.25)
    call = Call(prompt_hash="p", seed=7, completion=completion, reasoning=reasoning, finish_reason=finish, usage=usage)
    base = {
        "index": index,
        "observation": f"You see {index}.",
        "instructions": "rules",
        "calls": (call,),
        "action": "1",
    }
    return Turn(**{**base, **changes})


def sample_of(item=0, number=0, **changes):
    turns = changes.pop("turns", (turn_of(0), turn_of(1, after="Done.")))
    usage = Usage()
    for turn in turns:
        for call in turn.calls:
            usage += call.usage
    base = {
        "task": "demo/t", "version": 3, "arm": "default", "item": f"i{item}", "item_hash": f"hash{item}",
        "sample": number, "agent": "history", "seed": 1, "outcome": Outcome.OK,
        "metrics": {"success": float(item % 2), "steps": 2.0}, "usage": usage, "turns": turns, "seconds": 1.5,
        "texts": {"rules": "The rules."},
    }  # fmt: skip
    return Sample(**{**base, **changes})


@pytest.fixture
def make_turn():
    return turn_of


@pytest.fixture
def make_sample():
    return sample_of


@pytest.fixture
def store(tmp_path):
    """Writes a run of the task ``demo/t`` and reads it back."""

    def store(*samples, folder="run", arms=("default",), complete=True, private=False, **spec):
        items = ItemsChoice(kind="private", commitment="c" * 64) if private else ItemsChoice()
        choice = TaskChoice(name="demo/t", version=3, arms=arms, items=2, items_hash="h")
        fields = {
            "tasks": (choice,),
            "tier": "smoke",
            "samples": 2,
            "items": items,
            "sampling": Sampling(temperature=0),
        }
        backend = {"name": "openai", "model": "m"}
        made = RunSpec(**{**fields, "backend": backend, "sampling": Sampling(temperature=0), **spec})
        sheet = TaskSheet(
            name="demo/t",
            version=3,
            summary="a <b>demo</b>",
            metrics=METRICS,
            arms=dict.fromkeys(arms, "an arm"),
            levels={arm: {"success": Level(chance=0.5, ceiling=1.0)} for arm in arms},
        )
        manifest = Manifest(
            finchmark="0.1.0",
            label="org/model",
            created="2026-11-01T10:00:00+00:00",
            updated="2026-11-01T11:00:00+00:00",
            complete=complete,
            spec=made,
            spec_hash=made.hash,
            tasks={"demo/t": sheet},
        )
        with RunWriter(tmp_path / folder, manifest) as writer:
            for sample in samples:
                writer.append(sample)
        return StoredRun(tmp_path / folder)

    return store


@pytest.fixture
def a_run(store):
    """A run with every outcome."""
    failed = {"success": 0.0, "steps": None}
    return store(
        sample_of(0, 0),
        sample_of(0, 1, turns=(turn_of(reasoning="I think."),)),
        sample_of(1, 0, outcome=Outcome.INVALID, reason="context_overflow", metrics=failed),
        sample_of(1, 1, outcome=Outcome.ERROR, reason="OSError", metrics={}, turns=(), error="Traceback\nOSError: x"),
    )
