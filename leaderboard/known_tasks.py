"""The tasks of a submission as they are known here: their items made anew, their metrics, and a replay."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..suite.errors import FinchmarkError, UsageError
from ..suite.evaluation import Prepared, check_sandbox, prepare
from ..suite.private_items import commitment, read_secret
from ..suite.records import Manifest, Metric, TaskChoice, TaskSheet
from ..suite.registry import TASKS
from ..suite.rescore import Replay, ReplayBackend
from ..suite.task import Task
from .findings import Findings

__all__ = ["AGENTS", "KnownTask", "Means", "known_task"]

AGENTS = ("history", "stateless")
"""Agents that may be made with arguments that a stranger wrote."""

_LEVELS = 1e-6
"""Chance and ceiling are compared to six decimals, as content hashes round."""


@dataclass(frozen=True)
class Means:
    """What the one who verifies has and a submission lacks.

    Attributes:
        items_secret: The secret's file, for private items.
        data: The files, for items from files.
        sandbox_python: The interpreter of the sandbox, for runs that chose one.
        agents: Agents that may be made with the arguments that the submission states.
    """

    items_secret: Path | None = None
    data: Path | None = None
    sandbox_python: Path | None = None
    agents: Collection[str] = AGENTS


@dataclass(frozen=True, eq=False)
class KnownTask:
    """A task of the submission as far as it is known here.

    Attributes:
        choice: What the specification says of it.
        metrics: Its metrics by name: of the task itself where that is known, or else of the manifest.
        items: Content hash by item, in the task's order; None where the items cannot be had here.
        cap: Most tokens of one reply, None where unknown.
        replay: Plays its samples again; None where they cannot be replayed.
        why: Why not.
    """

    choice: TaskChoice
    metrics: Mapping[str, Metric]
    items: Mapping[str, str] | None = None
    cap: int | None = None
    replay: Replay | None = None
    why: str = ""


def known_task(manifest: Manifest, choice: TaskChoice, means: Means, found: Findings) -> KnownTask:
    """Find a task of the specification here, make its items, and hold what the manifest says of it against it.

    Args:
        manifest: The submission's.
        choice: One of its tasks.
        means: What is needed for items that are not public.
        found: Takes what does not agree.
    """
    name, spec = choice.name, manifest.spec
    sheet = manifest.tasks.get(name)
    told = KnownTask(choice, {} if sheet is None else {metric.name: metric for metric in sheet.metrics})
    try:
        task: Task = TASKS.load(name)()  # by its exact name: a stranger's selector must not choose tasks
    except FinchmarkError as error:
        found.add("unknown-task", name, str(error))
        return replace(told, why=f"{name} is not known here")
    if task.version != choice.version:
        text = f"the run played version {choice.version}, here is {task.version}; verify it with one that has it"
        found.add("task-version", name, text)
        return replace(told, why=f"{name} is of version {task.version} here")
    known = replace(told, metrics={metric.name: metric for metric in task.metrics})
    if spec.tier in task.tiers:
        known = replace(known, cap=spec.sampling.max_tokens or task.tiers[spec.tier].max_tokens)
    why = _lacking(manifest, means)
    if why:
        # Levels and groups are those of the items, so they are the submitter's word as well; metrics are the task's.
        told_by = {"groupings": () if sheet is None else sheet.groupings}
        true = task.sheet({} if sheet is None else sheet.levels).model_copy(update=told_by)
        _compare_sheets(sheet, true, choice, found)
        return replace(known, why=why)
    prepared = _prepared(manifest, choice, means, found)
    if prepared is None:
        return replace(known, why=f"what is asked of {name} cannot be")
    _compare_plans(manifest, choice, prepared, found)
    _compare_sheets(sheet, prepared.manifest.tasks[name], choice, found)
    items = {item.id: item.hash for item in prepared.plans[0].items}
    return replace(known, items=items, replay=Replay(manifest, prepared))


def _lacking(manifest: Manifest, means: Means) -> str:
    """Why the items or the agent of a run cannot be had here; empty where they can."""
    spec = manifest.spec
    if spec.agent.name not in means.agents:
        return f"the agent {spec.agent.name!r} is not among those that may be made: {', '.join(means.agents)}"
    if spec.items.kind == "data" and means.data is None:
        return "the items are from files; give them as data"
    if spec.items.kind == "private":
        if means.items_secret is None:
            return "the items are private; give the secret"
        if commitment(read_secret(means.items_secret)) != spec.items.commitment:
            return "the items are private, and from another secret than the one given"
    if spec.sandbox is not None and means.sandbox_python is None:
        return f"its code ran on an interpreter of its own ({spec.sandbox.python}); give one by sandbox_python"
    return ""


def _prepared(manifest: Manifest, choice: TaskChoice, means: Means, found: Findings) -> Prepared | None:
    spec = manifest.spec
    kind = spec.items.kind
    try:
        prepared = prepare(
            choice.name,
            ReplayBackend(manifest),
            arms=choice.arms,
            tier=spec.tier,
            samples=spec.samples,
            limit=spec.limit,
            seed=spec.seed,
            items_seed=(spec.items.seed or 0) if kind == "regenerated" else 0,
            items_secret=means.items_secret if kind == "private" else None,
            data=means.data if kind == "data" else None,
            agent=spec.agent.name,
            agent_args=spec.agent.args,
            sandbox_python=None if spec.sandbox is None else means.sandbox_python,
        )
        check_sandbox(Path("the submission"), spec, prepared.spec)
        return prepared
    except UsageError as error:
        found.add("plan", choice.name, str(error))
    except Exception as error:  # noqa: BLE001 - a stranger's numbers made a task fail: that is a finding
        found.add("plan", choice.name, f"{type(error).__name__}: {error}")
    return None


def _compare_plans(manifest: Manifest, choice: TaskChoice, prepared: Prepared, found: Findings) -> None:
    """Hold items and arms of the specification against those of the task."""
    spec, name = manifest.spec, choice.name
    (now,), (plan,) = prepared.spec.tasks, prepared.plans
    if spec.items != prepared.spec.items:
        found.add("items", name, f"the items are said to be {spec.items!r}, which is {prepared.spec.items!r}")
    if (now.items, now.items_hash) != (choice.items, choice.items_hash):
        said = f"{choice.items} items {choice.items_hash}"
        found.add("items", name, f"the run says {said}; tier and seed give {now.items} items {now.items_hash}")
    if now.arms != choice.arms:
        found.add("plan", name, f"the run says the arms {choice.arms}, of which there are {now.arms}")
    if len(plan.arms) < len(plan.task.arms):
        every = ", ".join(arm.name for arm in plan.task.arms)
        found.add("some-arms", name, f"{', '.join(choice.arms)} of {every}")


def _compare_sheets(said: TaskSheet | None, true: TaskSheet, choice: TaskChoice, found: Findings) -> None:
    """Hold what the manifest says about a task against the task: tables read it from the manifest."""
    if said is None:
        return
    worded, grave = list[str](), list[str]()
    for path, there, here in _apart(said.model_dump(mode="json"), true.model_dump(mode="json")):
        if path.endswith(".summary"):
            worded.append(path)
        elif not path.startswith(".arms."):
            grave.append(f"{path[1:]} is {there!r:.80}, the task has {here!r:.80}")
        elif path.removeprefix(".arms.") in choice.arms and there is not None:
            worded.append(path)
    if sorted(said.arms) != sorted(choice.arms):
        grave.append(f"it describes the arms {sorted(said.arms)}, the run plays {sorted(choice.arms)}")
    for arm, levels in said.levels.items():
        for column, level in levels.items():
            if not all(value is None or math.isfinite(value) for value in (level.chance, level.ceiling)):
                grave.append(f"levels.{arm}.{column} is {level!r}")
    for text in grave:
        found.add("sheet", choice.name, text)
    if worded:
        found.add("wording", choice.name, ", ".join(path[1:] for path in worded))


def _apart(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two plain values differ: path and both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from _apart(a.get(key), b.get(key), f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _apart(x, y, f"{path}.{index}")
    elif isinstance(a, float) and isinstance(b, float):
        if not math.isclose(a, b, rel_tol=_LEVELS, abs_tol=_LEVELS):
            yield path, a, b
    elif a != b:
        yield path, a, b
