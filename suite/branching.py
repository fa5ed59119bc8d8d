"""Branches: a run that goes on from a state that an agent had in another run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .backends.base import Backend
from .errors import UsageError
from .evaluation import Prepared, check_sandbox, prepare, run_prepared
from .records import Branch, Update
from .states import State
from .store import StoredRun
from .streams import stream_sheet

__all__ = ["branch", "find_update", "prepare_branch"]

ARMS = ("evolving", "frozen")
"""Arms that can go on from a state: the others depend on what came before it."""


def find_update(run: StoredRun, name: str) -> Update:
    """Find an update by its id, or by the beginning of it.

    Raises:
        UsageError: None or several have it.
    """
    found = [update for update in run.updates() if update.id.startswith(name)] if name else []
    if len(found) != 1:
        many = f"{len(found)} updates begin with it" if found else "there is none"
        raise UsageError(f"{run.path}, update {name!r}: {many}. `finchmark states {run.path}` lists them.")
    return found[0]


def prepare_branch(
    path: str | Path,
    update: str,
    *,
    undo: bool = False,
    arms: Sequence[str] = ARMS,
    seed: int | None = None,
    samples: int | None = None,
    backend: str | Backend | None = None,
    model_args: Mapping[str, Any] | None = None,
    items_secret: str | Path | None = None,
    sandbox_python: str | Path | None = None,
    include: Sequence[str | Path] = (),
    label: str | None = None,
) -> Prepared:
    """Prepare a run that lives one stream of another run on from one of its states.

    The episodes after the update's are those of the stream. With the run's own seed they and their probes have the same
    random numbers too: what differs from the run, or between a branch and the branch with the update undone, is caused
    by the state.

    Args:
        path: The run.
        update: Id of an update in an arm that learns, or the beginning of it.
        undo: Live on as if the episode had been lived and the update not been made.
        arms: Of :data:`ARMS`: ``evolving`` goes on learning, ``frozen`` keeps the state.
        seed: Another one gives other random numbers; None: the run's.
        samples: Repeats of a probe; None: the run's.
        backend: None: as the run's specification names it.
        model_args: Of the backend, beside those of the specification.
        items_secret: The secret's file, for a run on private items.
        sandbox_python: The interpreter of the sandbox, for a run that chose one.
        include: Files with the task or agent.
        label: The model's name in tables; None: the run's and the update.

    Raises:
        UsageError: The update is not there, an arm cannot go on, or the task's streams are others today.
    """
    run = StoredRun(path)
    spec, found = run.manifest.spec, find_update(run, update)
    wrong = [arm for arm in arms if arm not in ARMS]
    if wrong or not arms:
        raise UsageError(f"A branch plays the arms {' and '.join(ARMS)}, not {wrong[0] if wrong else 'none'!r}.")
    if found.arm != "evolving":
        # The order of another arm is not the one that evolving and frozen live on in.
        raise UsageError(f"The update {found.id} is of the arm {found.arm!r}; branches go on from the arm 'evolving'.")
    choice = next(task for task in spec.tasks if task.name == found.task)
    digest = found.state
    if undo:
        parent = next((u for u in run.updates(task=found.task, arm=found.arm) if u.id == found.parent), None)
        digest = parent.state if parent is not None else (spec.branch.state if spec.branch else "")
    birth = State.of(run.state(digest)) if digest else None
    private = spec.items.kind == "private"
    if private and items_secret is None:
        raise UsageError(f"{run.path} was played on private items: name their secret (--items-secret).")
    prepared = prepare(
        choice.name,
        backend if backend is not None else str(spec.backend),
        arms=list(arms),
        tier=spec.tier,
        samples=samples or spec.samples,
        streams=choice.streams,
        limit=spec.limit,
        seed=spec.seed if seed is None else seed,
        items_seed=spec.items.seed or 0,
        items_secret=items_secret,
        sandbox_python=sandbox_python,
        model_args={**(spec.backend.args if backend is None else {}), **(model_args or {})},
        agent=spec.agent.name,
        agent_args=spec.agent.args,
        include=include,
        label=label or f"{run.manifest.label} {'without' if undo else 'from'} {found.id[:8]}",
    )
    _same_streams(prepared, choice.items_hash)
    check_sandbox(run.path, spec, prepared.spec)
    (plan,) = prepared.plans
    stream = next(s for s in plan.streams if s.id == found.stream)
    plan = replace(plan, streams=(stream,), start=found.position + 1, birth=birth)
    changed = {
        "sampling": spec.sampling,
        "thinking": spec.thinking,
        "limits": spec.limits,
        "system_prompt": spec.system_prompt,
        "branch": Branch(
            run=run.manifest.spec_hash,
            update=found.id,
            undone=undo,
            state=digest,
            arm=found.arm,
            stream=found.stream,
            start=found.position + 1,
        ),
    }
    new = prepared.spec.model_copy(update=changed)
    sheet = prepared.manifest.tasks[choice.name].model_copy(update={"streams": stream_sheet(choice.name, plan.streams)})
    manifest = prepared.manifest.model_copy(
        update={
            "spec": new,
            "spec_hash": new.hash,
            "tasks": {choice.name: sheet},
            "expected": plan.expected(new.samples),
        }
    )
    return replace(prepared, spec=new, plans=(plan,), manifest=manifest)


def _same_streams(prepared: Prepared, items_hash: str) -> None:
    today = prepared.spec.tasks[0]
    if today.items_hash != items_hash:
        raise UsageError(
            f"{today.name}: the run's streams have the hash {items_hash}, today's {today.items_hash} (version "
            f"{today.version}). A life in other streams is no branch of it."
        )


def branch(path: str | Path, update: str, out: str | Path | None = None, **options: Any) -> StoredRun:
    """Live one stream of a run on from one of its states.

    Args:
        path: The run.
        update: Id of an update, or the beginning of it.
        out: Folder of the new run; None: one below ``runs/`` named after the specification.
        **options: As for :func:`prepare_branch`.

    Raises:
        UsageError: As for :func:`prepare_branch`.
    """
    return run_prepared(prepare_branch(path, update, **options), out)
