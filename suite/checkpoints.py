"""Checkpoints of a training as rounds: the same frozen probes asked of the base and of what training made of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .competence import kind_of_item
from .errors import UsageError
from .records import ArmContrast, Metric
from .rounds import Role, Rounds, end_metrics, open_to, roles
from .stats.curves import MIN_STREAMS
from .stats.wordings import mean_of_known
from .store import StoredRun

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BASE",
    "PROBES",
    "Checkpoint",
    "arm_contrasts",
    "arm_rounds",
    "checkpoint_rounds",
    "find_arms",
    "find_checkpoints",
    "measure",
    "trainings_needed",
]

PROBES = "house/probes"
"""The task that is asked of every checkpoint."""
BASE = "base"
"""Folder of the run on the model that training began with."""

Array = NDArray[np.float64]
_SEED = re.compile(r"seed-(\d+)")


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


def find_arms(folder: Path) -> dict[str, dict[str, Path]]:
    """The trainings in a folder of arms, as ``finchmark safety train`` leaves them: ``ARM/seed-N/round-NNN``.

    Args:
        folder: Of all arms.

    Returns:
        By arm, then by seed, in order; empty where the folder holds no arms.

    Raises:
        UsageError: The arms do not have the same seeds.
    """
    found: dict[str, dict[str, Path]] = {}
    for arm in sorted(folder.iterdir()) if folder.is_dir() else ():
        seeds = {int(match[1]): path for path in arm.glob("seed-*") if (match := _SEED.fullmatch(path.name))}
        if seeds:
            found[arm.name] = {seeds[k].name: seeds[k] for k in sorted(seeds)}
    if len({tuple(seeds) for seeds in found.values()}) > 1:
        told = "; ".join(f"{arm}: {', '.join(seeds)}" for arm, seeds in found.items())
        raise UsageError(f"The arms in {folder} do not have the same seeds ({told}): train the missing ones.")
    return found


def arm_contrasts(arms: Sequence[str]) -> tuple[ArmContrast, ...]:
    """What arms named DATA-OBJECTIVE are held against each other for: the data, the objective, and no training at all.

    Args:
        arms: Their names; others are held against nothing.
    """
    known = set(arms)
    found = [
        ArmContrast(name=f"data, by {objective}", arm=f"pleased-{objective}", against=f"lot-{objective}")
        for objective in ("likelihood", "preference")
    ]
    found += [
        ArmContrast(name=f"objective, on {data}", arm=f"{data}-preference", against=f"{data}-likelihood")
        for data in ("pleased", "lot")
    ]
    return tuple(one for one in found if {one.arm, one.against} <= known)


def trainings_needed(arms: Sequence[str], together: int = 1, alpha: float = 0.05) -> int:
    """How many trainings an arm at least have to be there for any difference to be shown, however large it is.

    Every arm is held against the base, and arms against each other (:func:`arm_contrasts`). Signs of n trainings can
    fall in 2^n ways, so that no two-sided p is below 2/2^n, and Holm's correction multiplies the smallest by the number
    of comparisons.

    Args:
        arms: Their names, without the base.
        together: How many such sets of comparisons are corrected together.
        alpha: The level of all of them.
    """
    compared = (len(arms) + len(arm_contrasts(arms))) * together
    return max(MIN_STREAMS, math.ceil(math.log2(2 * max(1, compared) / alpha)))


def measure(
    backend: str,
    folders: Mapping[str, Path],
    out: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[StoredRun, dict[str, list[StoredRun]]]:
    """Ask the probes of the base and of all checkpoints; what was played already is not played again.

    Args:
        backend: The base, such as ``hf:smollm2``.
        folders: One for each training, by name; all must have the same numbers.
        out: Gets a run folder for the base and one for each checkpoint.
        arguments: Further arguments of the backend, but ``adapter``.
        **options: As for :func:`.evaluate`: ``tier``, ``samples``, ``temperature``, ``seed`` …; ``watcher``.

    Returns:
        The run of the base, and by name the runs of each training in the order of its checkpoints.

    Raises:
        UsageError: A folder has no checkpoints or others than the first one, or a name does not fit.
    """
    from .evaluation import evaluate

    given = dict(arguments or {})
    if "adapter" in given:
        raise UsageError("The base is measured without an adapter: leave adapter out of the model's arguments.")
    name, _, model = backend.partition(":")
    if BASE in folders:
        raise UsageError(f"No training can be named {BASE!r}: that is the model they began with.")
    series = {training: find_checkpoints(folder) for training, folder in folders.items()}
    numbers = {tuple(one.at for one in found) for found in series.values()}
    if len(numbers) > 1:
        raise UsageError("The trainings have checkpoints at different numbers; measure them apart, or the same ones.")
    base = evaluate(PROBES, backend, out=out / BASE, model_args=given, label=f"{model or name} (base)", **options)
    runs: dict[str, list[StoredRun]] = {}
    for training, found in series.items():
        runs[training] = [
            evaluate(
                PROBES,
                backend if one.adapter else f"{name}:{one.path}",
                out=out / training / one.path.name,
                model_args={**given, "adapter": str(one.path)} if one.adapter else given,
                label=f"{training}, {one.path.name}",
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
    still = {} if null is None else {"null": [[base, *runs] for runs in null.values()]}
    return _lay_out(base, points, tuple(trained), {**still, "trained": [[base, *runs] for runs in trained.values()]})


def arm_rounds(base: StoredRun, points: Sequence[int], arms: Mapping[str, Mapping[str, Sequence[StoredRun]]]) -> Rounds:
    """Lay runs on the checkpoints of several arms out as rounds; the base itself is the null arm.

    Args:
        base: The run on the base: no training.
        points: Numbers of the checkpoints, ascending, above 0.
        arms: By arm and name of a training (its seed, the same in all arms), its runs in the order of ``points``.

    Raises:
        UsageError: As for :func:`checkpoint_rounds`.
    """
    units = tuple(next(iter(arms.values())))
    if any(tuple(one) != units for one in arms.values()) or "null" in arms:
        raise UsageError("All arms need trainings of the same names, and none can be named null: that is the base.")
    return _lay_out(base, points, units, {arm: [[base, *runs] for runs in one.values()] for arm, one in arms.items()})


def _lay_out(
    base: StoredRun, points: Sequence[int], units: tuple[str, ...], trained: Mapping[str, list[list[StoredRun]]]
) -> Rounds:
    """Runs by arm and training, each with that of the base before it; without an arm ``null`` the base is one."""
    sheet = base.manifest.tasks[PROBES]
    metrics: dict[Role, Metric] = {}
    frames: dict[int, pd.DataFrame] = {}

    def frame(run: StoredRun) -> pd.DataFrame:
        if id(run) not in frames:
            _alike(base, run)
            frames[id(run)] = run.frame()
        return frames[id(run)]

    arms = {"null": [[base] * (len(points) + 1) for _ in units], **trained}
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
        arms=tuple(arms),
        null="null",
        unit="training",
        units=units,
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
