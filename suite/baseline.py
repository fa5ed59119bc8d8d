"""The baseline file of a gate: small, to be reviewed and committed, and protected by a hash of its content.

It holds an *anchor* that never moves and the run that was *accepted* last: a candidate has to hold its ground against
both, or many small losses, each within the margin, would add up. A baseline is a run that was declared beforehand, not
the best of several.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from .canonical import content_hash
from .errors import StoreError, UsageError
from .records import MAX_LOST, Metric, Record
from .results import Cell, CellKey, Results, cell_name

__all__ = ["Attempt", "Baseline", "Snapshot", "SnapshotCell", "make_baseline", "read_baseline", "snapshot"]

FORMAT = "finchmark-baseline/1"


class SnapshotCell(Record):
    """What a run scored in one task and arm, item by item.

    Args:
        task: Name of the task.
        version: Its version.
        arm: The arm.
        metrics: What the numbers mean.
        items: By metric, by hash of the item: number of samples, their mean, and for a graded metric their variance
            (denominator n - 1; 0 with one sample).
        expected: Samples that were to be made.
        lost: Samples lost to errors or not there.
    """

    task: str
    version: str
    arm: str
    metrics: tuple[Metric, ...]
    items: dict[str, dict[str, tuple[float, ...]]]
    expected: int
    lost: int
    levels: dict[str, tuple[float | None, float | None]] = Field(default_factory=dict)

    @property
    def key(self) -> CellKey:
        """Task, version and arm."""
        return self.task, self.version, self.arm

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return next(m for m in self.metrics if m.primary)


class Snapshot(Record):
    """A run as a baseline keeps it."""

    label: str
    origin: str
    decoding: str
    seed: int
    cells: tuple[SnapshotCell, ...]

    @property
    def hash(self) -> str:
        """Content hash, 16 hexadecimal digits."""
        return content_hash(self.model_dump(mode="json"), digits=16)

    def cell(self, key: CellKey) -> SnapshotCell | None:
        """The cell of that task, version and arm, None if there is none."""
        return next((c for c in self.cells if c.key == key), None)


class Attempt(Record):
    """A gate that was decided and recorded: what it spent of the lifetime's level."""

    candidate: str
    verdict: Literal["pass", "regression", "inconclusive"]
    alpha: float


class Baseline(Record):
    """The baseline file.

    Args:
        anchor: The run that everything is held against until a new baseline is declared.
        accepted: The run that was accepted last; the anchor itself in the beginning.
        attempts: Gates decided since the anchor, as far as they were recorded.
    """

    format: Literal["finchmark-baseline/1"] = FORMAT
    anchor: Snapshot
    accepted: Snapshot | None = None
    attempts: tuple[Attempt, ...] = ()

    def level(self, alpha: float, lifetime: float | None) -> float:
        """The level of the next gate.

        With a lifetime's level the k-th gate since the anchor gets ``6 / (pi k)^2`` of it, a series whose sum is 1: the
        chance of any wrong verdict over the whole cycle stays under it, however many gates follow.
        """
        if lifetime is None:
            return alpha
        k = len(self.attempts) + 1
        return min(alpha, lifetime * 6 / (math.pi * k) ** 2)

    def accept(self, results: Results) -> Baseline:
        """The baseline after a run was accepted: the anchor stays.

        Raises:
            UsageError: The run lacks a task of the anchor, or played other items.
        """
        taken = snapshot(results, {m.name for cell in self.anchor.cells for m in cell.metrics})
        for cell in self.anchor.cells:
            found = taken.cell(cell.key)
            name = cell_name(*cell.key)
            if found is None:
                raise UsageError(
                    f"{results.path}: the run did not play {name}, which the baseline holds. Play it, or declare a new "
                    "baseline with `finchmark baseline`."
                )
            if found.items[found.primary.name].keys() != cell.items[cell.primary.name].keys():
                raise UsageError(
                    f"{results.path}: the run's scored items of {name} are not those of the baseline. Play the same "
                    "items, or declare a new baseline."
                )
        return self.model_copy(update={"accepted": taken})

    def text(self) -> str:
        """The file: canonical JSON, one item a line, with the hash of all of it."""
        data = self.model_dump(mode="json")
        data["sha256"] = _digest(data)
        return _readable(data) + "\n"

    def write(self, path: Path) -> None:
        """Write the file, by rename.

        Raises:
            StoreError: It cannot be written.
        """
        temporary = path.with_name(path.name + ".tmp")
        try:
            temporary.write_text(self.text(), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise StoreError(f"{path}: the baseline cannot be written ({error.strerror or error}).") from error
        finally:
            temporary.unlink(missing_ok=True)


def make_baseline(results: Results, metrics: Collection[str] = ()) -> Baseline:
    """Declare a run the baseline.

    Args:
        results: The run.
        metrics: Metrics to keep besides those that decide.

    Raises:
        UsageError: A task of it has no scored sample.
    """
    return Baseline(anchor=snapshot(results, metrics))


def snapshot(results: Results, metrics: Collection[str] = (), *, check: bool = True) -> Snapshot:
    """Take from a run what a baseline keeps.

    Args:
        results: The run.
        metrics: Metrics to keep besides those that decide.
        check: Whether to refuse a run that is not fit to be held against: unfinished, stopped early, or with lost
            samples.

    Raises:
        UsageError: The run is not fit, a task has no scored sample, no task has a metric of that name, or the run is
            made of streams.
    """
    known = {m.name for cell in results.cells for m in cell.metrics}
    odd = next((name for name in metrics if name not in known), None)
    if odd is not None:
        raise UsageError(f"{results.path}: no task has a metric {odd!r}; there are {', '.join(sorted(known))}.")
    if check and results.stopped_early:
        raise UsageError(
            f"{results.path}: a gate stopped this run early, so that its scores depend on when. `finchmark run` with "
            "the same flags and --out plays the rest."
        )
    cells = []
    for cell in results.cells:
        absent, lost = max(cell.expected - len(cell.frame), 0), cell.errors
        if check and absent:
            raise UsageError(
                f"{results.path}: unfinished, {absent} of {cell.expected} samples of {cell.name} are missing. The same "
                "`finchmark run` goes on."
            )
        if check and cell.expected and lost / cell.expected > MAX_LOST:
            raise UsageError(
                f"{results.path}: {lost} of {cell.expected} samples of {cell.name} are errors; a baseline may lose "
                f"{100 * MAX_LOST:g} %. The same `finchmark run` plays them again."
            )
        if len(cell.frame) and (cell.frame["stream"] != "").any():
            raise UsageError(f"{cell.name}: a baseline of streams is not supported yet; compare the runs instead.")
        found = _snapshot_cell(cell, metrics)
        if not found.items.get(cell.primary.name):
            raise UsageError(
                f"{results.path}: {cell.name} has no scored sample, so that nothing can be held against it."
            )
        cells.append(found)
    if not cells:
        raise UsageError(f"{results.path}: the run has no task.")
    return Snapshot(
        label=results.label, origin=results.origin, decoding=results.decoding, seed=results.seed, cells=tuple(cells)
    )


def _snapshot_cell(cell: Cell, names: Collection[str]) -> SnapshotCell:
    items: dict[str, dict[str, tuple[float, ...]]] = {}
    rows = cell.scored
    kept = tuple(m for m in cell.metrics if m.primary or m.name in names)
    for metric in kept:
        known = rows[rows[metric.name].notna()]
        grouped = known.groupby("item_hash", sort=True)[metric.name].agg(["size", "mean", "var"])
        items[metric.name] = {
            str(name): (float(n), round(float(mean), 12))
            if metric.kind == "binary"
            else (float(n), round(float(mean), 12), 0.0 if n < 2 else round(float(var), 12))
            for name, n, mean, var in grouped.itertuples()
        }
    return SnapshotCell(
        task=cell.task,
        version=cell.version,
        arm=cell.arm,
        metrics=kept,
        items=items,
        expected=cell.expected,
        lost=cell.errors,
        levels={metric.name: cell.reach(metric) for metric in kept},
    )


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file and hold it against its hash.

    Raises:
        UsageError: There is no such file.
        StoreError: It is damaged, was edited by hand, or is from a newer version.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{path}: this is not UTF-8 (a shell's `>` may write another encoding). Make it with "
            f"`finchmark baseline RUN --out {path}`."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path}: the baseline cannot be read ({error.strerror or error}). `finchmark baseline RUN > {path}` makes "
            "one."
        ) from error
    try:
        data = json.loads(text)
    except ValueError as error:
        raise StoreError(f"{path}: this is not JSON ({error}).") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise StoreError(f"{path}: the format is {found!r}, this version of Finchmark reads {FORMAT!r}.")
    stated = data.pop("sha256", None)
    if stated != _digest(data):
        raise StoreError(
            f"{path}: its content does not fit its hash: it was edited by hand, or merged badly. Take it from the "
            "last commit, or declare a new baseline."
        )
    try:
        return Baseline.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise StoreError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def _digest(data: Any) -> str:
    """SHA-256 of the exact content, whatever the white space; canonical JSON would round small edits away."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _readable(data: Any, depth: int = 0) -> str:
    """JSON whose lists of numbers stay on one line, so that a diff shows an item a line."""
    pad = " " * (depth + 1)
    if isinstance(data, Mapping) and data:
        parts = [f"{pad}{json.dumps(k)}: {_readable(v, depth + 1)}" for k, v in sorted(data.items())]
        return "{\n" + ",\n".join(parts) + "\n" + " " * depth + "}"
    if isinstance(data, list) and data and any(isinstance(x, Mapping | list) for x in data):
        parts = [f"{pad}{_readable(v, depth + 1)}" for v in data]
        return "[\n" + ",\n".join(parts) + "\n" + " " * depth + "]"
    return json.dumps(data, ensure_ascii=True)
