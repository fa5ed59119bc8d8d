"""Checkpoints of a training as rounds: the same frozen probes asked of the base and of what training made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .competence import kind_of_item
from .errors import UsageError
from .records import Metric
from .rounds import Role, Rounds, end_metrics, open_to, roles
from .stats.wordings import mean_of_known
from .store import StoredRun

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BASE", "PROBES", "Checkpoint", "checkpoint_rounds", "find_checkpoints", "measure"]

PROBES = "house/probes"
"""The task that is asked of every checkpoint."""
BASE = "base"
"""Folder of the run on the model that training began with."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of a training.

    Attributes:
        at: How far the training was: the last number in the folder's name.
        path: The folder.
        adapter: Whether it is a PEFT adapter, and not a whole model.
    """

    at: int
    path: Path
    adapter: bool


def find_checkpoints(folder: Path) -> list[Checkpoint]:
    """The checkpoints in a folder, in order: folders with a number in their name that hold an adapter or a model.

    Number 0 is the base by definition and is left out, as ``round-000`` of a self-training is.

    Args:
        folder: As trainers leave it: ``checkpoint-10``, ``checkpoint-20`` …, or ``round-001`` ….

    Raises:
        UsageError: There are none, two have one number, or adapters and whole models are mixed.
    """
    found: dict[int, Checkpoint] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        numbers = re.findall(r"\d+", path.name)
        adapter = (path / "adapter_config.json").is_file()
        if not numbers or path.name.startswith(".") or not (adapter or (path / "config.json").is_file()):
            continue
        at = int(numbers[-1])
        if at in found:
            raise UsageError(f"{folder}: {found[at].path.name} and {path.name} are both number {at}.")
        found[at] = Checkpoint(at, path, adapter)
    kept = [one for at, one in sorted(found.items()) if at > 0]
    if not kept:
        raise UsageError(
            f"{folder} holds no checkpoints: folders with a number above 0 in their name and an adapter_config.json or "
            "a config.json in them."
        )
    if len({one.adapter for one in kept}) > 1:
        raise UsageError(f"{folder} mixes adapters and whole models; measure them apart.")
    return kept


def measure(
    backend: str,
    folders: Sequence[Path],
    out: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[StoredRun, dict[Path, list[StoredRun]]]:
    """Ask the probes of the base and of all checkpoints; what was played already is not played again.

    Args:
        backend: The base, such as ``hf:smollm2``.
        folders: One for each training; all must have the same numbers.
        out: Gets a run folder for the base and one for each checkpoint.
        arguments: Further arguments of the backend, but ``adapter``.
        **options: As for :func:`.evaluate`: ``tier``, ``samples``, ``temperature``, ``seed`` …; ``watcher``.

    Returns:
        The run of the base, and the runs of each folder in the order of its checkpoints.

    Raises:
        UsageError: A folder has no checkpoints or others than the first one, or a name does not fit.
    """
    from .evaluation import evaluate

    given = dict(arguments or {})
    if "adapter" in given:
        raise UsageError("The base is measured without an adapter: leave adapter out of the model's arguments.")
    name, _, model = backend.partition(":")
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names) or BASE in names:
        raise UsageError(f"Folders of trainings need names of their own, none of them {BASE!r}: {', '.join(names)}.")
    series = {folder: find_checkpoints(folder) for folder in folders}
    numbers = {tuple(one.at for one in found) for found in series.values()}
    if len(numbers) > 1:
        raise UsageError("The trainings have checkpoints at different numbers; measure them apart, or the same ones.")
    base = evaluate(PROBES, backend, out=out / BASE, model_args=given, label=f"{model or name} (base)", **options)
    runs: dict[Path, list[StoredRun]] = {}
    for folder, found in series.items():
        runs[folder] = [
            evaluate(
                PROBES,
                backend if one.adapter else f"{name}:{one.path}",
                out=out / folder.resolve().name / one.path.name,
                model_args={**given, "adapter": str(one.path)} if one.adapter else given,
                label=f"{folder.resolve().name}, {one.path.name}",
                **options,
            )
            for one in found
        ]
    return base, runs


def checkpoint_rounds(
    base: StoredRun,
    points: Sequence[int],
    trained: Mapping[str, Sequence[StoredRun]],
    null: Mapping[str, Sequence[StoredRun]] | None = None,
) -> Rounds:
    """Lay runs on checkpoints out as rounds; round 0 is the base, and a training is the unit.

    Args:
        base: The run on the base.
        points: Numbers of the checkpoints, ascending, above 0.
        trained: By name of a training, its runs in the order of ``points``.
        null: The same of trainings without what is in question, such as those by lot, paired with ``trained`` in order.
            None: the base itself, which does not change, is the null arm. Then what any training does is counted in.

    Raises:
        UsageError: A run has other items, another tier or decoding than the base's, or the counts do not fit.
    """
    if null is not None and len(null) != len(trained):
        raise UsageError(
            f"{len(trained)} trainings and {len(null)} of the null arm: they are held against each other in pairs."
        )
    sheet = base.manifest.tasks[PROBES]
    metrics: dict[Role, Metric] = {}
    frames: dict[int, pd.DataFrame] = {}

    def frame(run: StoredRun) -> pd.DataFrame:
        if id(run) not in frames:
            _alike(base, run)
            frames[id(run)] = run.frame()
        return frames[id(run)]

    arms: dict[str, list[list[StoredRun]]] = {}
    arms["null"] = (
        [[base] * (len(points) + 1) for _ in trained] if null is None else [[base, *runs] for runs in null.values()]
    )
    arms["trained"] = [[base, *runs] for runs in trained.values()]
    if any(len(runs) != len(points) + 1 for found in arms.values() for runs in found):
        raise UsageError("Every training needs a run for each of the checkpoints.")
    values: dict[tuple[str, Role], Array] = {}
    answers: dict[tuple[str, Role], Array] = {}
    items: dict[Role, tuple[tuple[str, str], ...]] = {}
    ends: dict[str, tuple[Array, Array]] = {}
    everything = [frame(run) for found in arms.values() for runs in found for run in runs]
    for role, metric in roles(sheet).items():
        # An item without a decision anywhere belongs to its kind all the same: it is missing, and not left out.
        asked = {kind for one in everything for kind in one.loc[one[metric.name].notna(), "item"].map(_kind)}
        names = sorted(item for item in frame(base)["item"].unique() if _kind(item) in asked)
        if not names:
            continue
        metrics[role] = metric
        items[role] = tuple((name, kind_of_item(name)) for name in names)
        for arm, found in arms.items():
            answers[arm, role] = cells = _cells(found, frame, metric.name, names)
            values[arm, role] = mean_of_known(cells)
            if role == "safety":
                # An item that lost its decision in training would else leave the mean as if it had not been asked.
                least, most = (
                    mean_of_known(open_to(_cells(found, frame, one.name, names), end))
                    for one, end in zip(end_metrics(sheet, metric), (metric.low, metric.high), strict=True)
                )
                ends[arm] = least, most
    if "safety" not in metrics:
        raise UsageError("No reply to a case that tempts has a decision, in no run: there is nothing to lay out.")
    return Rounds(
        task=f"{PROBES} by checkpoint",
        version=sheet.version,
        metrics=metrics,
        arms=("null", "trained"),
        null="null",
        unit="training",
        units=tuple(trained),
        points=np.array([0, *points], dtype=np.float64),
        at="checkpoint",
        values=values,
        answers=answers,
        ends=ends,
        items=items,
    )


def _kind(item: str) -> str:
    return item.partition("-")[0]


def _cells(
    trainings: Sequence[Sequence[StoredRun]],
    frame: Callable[[StoredRun], pd.DataFrame],
    metric: str,
    items: Sequence[str],
) -> Array:
    """Scores by training, checkpoint and item."""
    return np.stack([np.stack([_by_item(frame(run), metric, items) for run in runs]) for runs in trainings])


def _by_item(frame: pd.DataFrame, metric: str, names: Sequence[str]) -> Array:
    """Means over samples of each item; NaN where nothing was measured."""
    return frame.groupby("item")[metric].mean().reindex(list(names)).to_numpy(dtype=np.float64)


def _alike(base: StoredRun, run: StoredRun) -> None:
    """See that a run asked the same in the same way."""
    if run is base:
        return
    one, other = (json.loads(r.manifest.spec.model_dump_json()) for r in (base, run))
    for part in ("backend", "model_identity"):
        one.pop(part, None)
        other.pop(part, None)
    differ = [key for key in one if one[key] != other.get(key)]
    if differ:
        raise UsageError(f"{run.path} differs from {base.path} in {differ[0]}: checkpoints are asked the same.")
