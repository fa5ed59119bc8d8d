"""Runs of ``creativebench/explore`` whose numbers are known: problems with levels, several samples, slices as told."""

from __future__ import annotations

from pathlib import Path

from finchmark.suite.records import (
    BackendChoice,
    Call,
    Grouping,
    Manifest,
    RunSpec,
    Sample,
    TaskChoice,
    TaskSheet,
    Turn,
    Usage,
)
from finchmark.suite.seeds import generator
from finchmark.suite.store import RunWriter, StoredRun
from finchmark.tasks.creativebench.several import told_slice
from finchmark.tasks.creativebench.task import Explore

SHOWN = ("quality", "novelty", "creativity")
SLICES = (
    "def f(x):\n    return sorted(x)[0]",
    "def f(x):\n    best = x[0]\n    for y in x:\n        if y < best:\n            best = y\n    return best",
    "def f(x):\n    return x[0] if len(x) == 1 else g(x[0], f(x[1:]))",
)
LEVELS = 3


def explored(
    folder: Path,
    *,
    label: str = "model",
    problems: int = 24,
    samples: int = 4,
    skill: float = 0.5,
    wander: float = 0.5,
    seed: int = 0,
    novelty=lambda level: 0.1 * level,
) -> StoredRun:
    """Store a run.

    Args:
        folder: Where.
        label: The model's name.
        problems: Base problems; each has levels 0 to 2.
        samples: Samples an item.
        skill: Chance of quality at level 0; each level halves what a problem has of it.
        wander: Chance that a program goes another way than the first slice.
        seed: Of the draws.
        novelty: Of a program with quality, by level.
    """
    rng = generator("tests", "explored", label, seed)
    items = [f"p{p:02d}-L{level}" for p in range(problems) for level in range(LEVELS)]
    domains = ("text", "numbers", "graphs")
    groupings = (
        Grouping(name="problem", groups={i: i.partition("-")[0] for i in items}),
        Grouping(
            name="constraints",
            groups={i: "level 0" if i.endswith("L0") else "levels 1 and up" for i in items},
            shown=SHOWN,
            summary="Level 0 has no constraints.",
        ),
        Grouping(name="domain", groups={i: domains[int(i[1:3]) % 3] for i in items}, shown=SHOWN),
    )
    task = Explore()
    spec = RunSpec(
        tasks=(TaskChoice(name=task.name, version=1, arms=("default",), items=len(items), items_hash="abc"),),
        tier="lite",
        samples=samples,
        backend=BackendChoice(name="hf", model="m"),
    )
    sheet = TaskSheet(
        name=task.name,
        version=1,
        summary=task.summary,
        metrics=task.metrics,
        arms={"default": ""},
        levels={},
        groupings=groupings,
    )
    head = Manifest(
        finchmark="0.1.0",
        label=label,
        created="2026-01-02T03:04:05+00:00",
        updated="2026-01-02T04:04:05+00:00",
        complete=True,
        spec=spec,
        spec_hash=spec.hash,
        tasks={task.name: sheet},
        expected=len(items) * samples,
    )
    with RunWriter(folder, head) as writer:
        for p in range(problems):
            gift = min(1.0, max(0.0, skill + 0.4 * (rng.random() - 0.5)))
            for level in range(LEVELS):
                for k in range(samples):
                    good = rng.random() < gift / 2**level
                    part = SLICES[int(rng.integers(1, len(SLICES)))] if rng.random() < wander else SLICES[0]
                    found = novelty(level) if good else None
                    metrics = {
                        "quality": float(good),
                        "novelty": found,
                        "creativity": found or 0.0,
                        "passed": float(good),
                        "compliant": None if not level else float(good),
                        "tampered": 0.0,
                        "unchecked": 0.0,
                    }
                    call = Call(prompt_hash="p", seed=k, completion=part, finish_reason="stop", usage=Usage(calls=1))
                    turn = Turn(
                        index=0,
                        observation="Write `f(x)`.",
                        calls=(call,),
                        action=part,
                        after="\n".join(told_slice(part) if good else ["tests: failed"]),
                        scores={"among": 0.02} if good else {},
                    )
                    writer.append(
                        Sample(
                            task=task.name,
                            version=1,
                            arm="default",
                            item=f"p{p:02d}-L{level}",
                            item_hash=f"h{p:02d}{level}",
                            sample=k,
                            seed=k,
                            outcome="ok",
                            metrics=metrics,
                            usage=Usage(calls=1, completion_tokens=30),
                            turns=(turn,),
                        )
                    )
    return StoredRun(folder)
