"""A stored run of a stream task whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from finchmark.suite.records import (
    AgentChoice,
    BackendChoice,
    Call,
    Manifest,
    Metric,
    Outcome,
    ProbeSheet,
    RunSpec,
    Sample,
    Sampling,
    StreamSheet,
    TaskChoice,
    TaskSheet,
    Turn,
    Update,
    Usage,
)
from finchmark.suite.seeds import generator
from finchmark.suite.states import State
from finchmark.suite.store import LEARNING_SEAT, RunWriter, StoredRun

SCORE = Metric(name="score", summary="how well", failure=0.0, primary=True)
PROBES = (
    ProbeSheet(name="levels", kind="levels", items=("l0", "l1", "l2", "l3")),
    ProbeSheet(name="first-world", kind="levels", items=("f0", "f1"), learnt=10),
    ProbeSheet(name="worlds", kind="worlds", items=("w0", "w1")),
    ProbeSheet(name="inverse", kind="inverse", items=("i0", "i1")),
)
LEARNS = ("evolving", "shuffled", "yoked")


def truth(arm: str, kind: str, name: str, position: int) -> float:
    """An agent that learns, forgets its first world, carries a little over, and is misled by inverse worlds."""
    rate = {"evolving": 0.02, "shuffled": 0.01, "yoked": 0.002}.get(arm, 0.0)
    if name == "first-world":
        return 0.3 + 2 * rate * (min(position, 10) - 0.7 * max(position - 10, 0))
    return 0.35 + rate * position * {"levels": 1.0, "lived": 1.2, "worlds": 0.3, "inverse": -0.6}[kind]


def streamed_run(
    folder: Path,
    *,
    arms: tuple[str, ...] = ("evolving", "frozen", "shuffled"),
    streams: int = 12,
    task: str = "learning/task",
    metric: Metric = SCORE,
    label: str = "model",
    probes: tuple[ProbeSheet, ...] = PROBES,
    truth: Callable[[str, str, str, int], float] = truth,
    lose: Callable[[str, int, int], bool] = lambda arm, stream, checkpoint: False,
    samples: int = 1,
    spread: float = 0.1,
    **manifest: Any,
) -> StoredRun:
    """Store a run of 20 episodes a stream with probes after every fifth."""
    checkpoints = (0, 5, 10, 15, 20)
    spec = RunSpec(
        tasks=(TaskChoice(name=task, version=1, arms=arms, items=40, items_hash="abc", streams=streams),),
        tier="lite",
        samples=samples,
        backend=BackendChoice(name="hf", model="m"),
        agent=AgentChoice(name="playbook"),
        sampling=Sampling(temperature=0.7),
        model_identity="1d3n71ty",
    )
    sheet = TaskSheet(
        name=task,
        version=1,
        summary="A task.",
        metrics=(metric, Metric(name="speed", summary="how fast")),
        arms=dict.fromkeys(arms, "an arm"),
        levels={},
        streams=StreamSheet(streams=streams, episodes=20, checkpoints=checkpoints, probes=probes),
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
            **manifest,
        }
    )
    rng = generator("tests", "streamed", task)
    own = rng.normal(0, 0.04, streams)
    with RunWriter(folder, head) as writer:
        writer.expect_streams()

        def add(arm: str, i: int, kind: str, name: str, item: str, position: int, checkpoint: int, repeat: int) -> None:
            learns = arm in LEARNS and checkpoint == 0
            more = 8 * position if arm in LEARNS else 0
            turns = [_turn(0, "player", 100 + more, 10)]
            if learns:
                turns.append(_turn(1, LEARNING_SEAT, 300 + i, 50))
            lost = lose(arm, i, checkpoint)
            value = min(max(truth(arm, kind, name, position) + own[i] + rng.normal(0, spread), 0.0), 1.0)
            sample = Sample(
                task=task,
                version=1,
                arm=arm,
                item=item,
                item_hash=f"h-{item}",
                sample=repeat,
                stream=f"s{i:03d}",
                position=position,
                checkpoint=checkpoint,
                agent="playbook",
                seed=repeat,
                outcome=Outcome.ERROR if lost else Outcome.OK,
                metrics={} if lost else {metric.name: value, "speed": 0.5},
                usage=sum((c.usage for t in turns for c in t.calls), Usage()),
                turns=tuple(turns),
                error="Traceback: it broke" if lost else "",
            )
            state = State.of({"notes": ["n" * 40] * (position + 1)})
            update = Update(
                id=f"{arm}-{i}-{position}",
                task=task,
                arm=arm,
                stream=f"s{i:03d}",
                position=position,
                parent="",
                state=state.hash,
                size=state.size,
                change="a note more",
            )
            writer.append(sample, *((update, state) if learns and not lost else (None, None)))

        for arm in arms:
            for i in range(streams):
                for position in range(20):
                    add(arm, i, "lived", "lived", f"e{position}", position, 0, 0)
                for checkpoint, position in enumerate(checkpoints, start=1):
                    for each in probes:
                        for item in each.items:
                            for repeat in range(samples):
                                add(arm, i, each.kind, each.name, item, position, checkpoint, repeat)
    return StoredRun(folder)


def _turn(index: int, seat: str, read: int, written: int) -> Turn:
    usage = Usage(calls=1, prompt_tokens=read, completion_tokens=written)
    call = Call(prompt_hash="p", seed=index, completion="a reply", finish_reason="stop", usage=usage)
    return Turn(index=index, seat=seat, observation="you see", calls=(call,), action="do")
