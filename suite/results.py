"""Results: what a comparison reads of a run, whichever harness made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .errors import StoreError, UsageError
from .records import REPLAYED, STOPPED_EARLY, Grouping, Level, Metric, Outcome, TaskSheet
from .store import StoredRun

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "ENOUGH_UNITS",
    "Cell",
    "CellKey",
    "Results",
    "cell_name",
    "deciding_rows",
    "deciding_samples",
    "from_run",
    "grouped",
    "read_results",
    "unit_level",
]

Origin = Literal["finchmark", "lm-eval", "inspect"]

COLUMNS: Mapping[str, Any] = MappingProxyType(
    {
        "item": "",
        "item_hash": "",
        "sample": 0,
        "stream": "",
        "position": 0,
        "checkpoint": 0,
        "outcome": "ok",
        "reason": "",
        "turns": 0,
        "calls": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost": 0.0,
        "transcript": "",
    }
)
"""The columns of every cell's frame before its metrics, with the value that stands where a harness does not tell."""

ENOUGH_UNITS = 10
"""Units of a level from which on a claim is about new units of it; with fewer it is about these items only."""

CellKey = tuple[str, str, str]
"""Task, its version, arm: what must be the same on both sides of a comparison."""


def cell_name(task: str, version: str | int, arm: str) -> str:
    """A task and arm as tables call them: ``odyssey/lights@1 · inductive``."""
    return f"{task}@{version}" + ("" if arm in ("", "default") else f" · {arm}")


@dataclass(frozen=True, eq=False)
class Cell:
    """The samples of one task in one arm of one run.

    Attributes:
        task: Name of the task.
        version: Its version, as text; versions are never compared with one another.
        arm: The arm; ``default`` where the harness has none.
        metrics: What the metric columns mean; exactly one is primary.
        frame: One row a sample: the columns of :data:`COLUMNS`, then one of float64 a metric (NaN where it does not
            apply, and throughout for ``error``). ``item_hash`` names the item's content: samples of two runs are of the
            same item if and only if it is equal.
        expected: Samples that the run was to make here; the rows may be fewer.
        levels: What the references reach, by metric.
        prompts: Hash of the prompts as they were put to the model, empty where it is not known: items may be equal and
            prompts not (other examples, another template).
        repeats: Samples an item that the run was to make; 0 where the harness does not tell.
        groupings: Which items belong together.
    """

    task: str
    version: str
    arm: str
    metrics: tuple[Metric, ...]
    frame: pd.DataFrame
    expected: int
    levels: Mapping[str, Level] = field(default_factory=lambda: MappingProxyType({}))
    repeats: int = 0
    prompts: str = ""
    groupings: tuple[Grouping, ...] = ()

    @property
    def key(self) -> CellKey:
        """What must be the same on both sides of a comparison."""
        return self.task, self.version, self.arm

    @property
    def name(self) -> str:
        """The cell as tables call it: ``odyssey/lights@1 · inductive``."""
        return cell_name(*self.key)

    def reach(self, metric: Metric) -> tuple[float | None, float | None]:
        """Chance and ceiling of a metric here: what is known of these items, else what the metric declares."""
        level = self.levels.get(metric.name) or Level()
        return (
            metric.chance if level.chance is None else level.chance,
            metric.ceiling if level.ceiling is None else level.ceiling,
        )

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return next(m for m in self.metrics if m.primary)

    def groups(self, name: str, items: pd.Series) -> pd.Series | None:
        """The group of each item by one grouping, empty where an item has none; None where there is no such grouping.

        Args:
            name: Of the grouping.
            items: Names of items, as in the frame's column ``item``.
        """
        grouping = next((g for g in self.groupings if g.name == name), None)
        return None if grouping is None else items.map(grouping.groups).fillna("").astype(object)

    @property
    def errors(self) -> int:
        """Samples lost: those that ended as ``error``, and those that are not there."""
        return int((self.frame["outcome"] == Outcome.ERROR.value).sum()) + max(self.expected - len(self.frame), 0)

    @property
    def scored(self) -> pd.DataFrame:
        """The rows that count: all but errors."""
        return self.frame[self.frame["outcome"] != Outcome.ERROR.value]


@dataclass(frozen=True, eq=False)
class Results:
    """A run as a comparison sees it.

    Attributes:
        label: The model's name in tables.
        origin: Which harness made it.
        path: Where it was read.
        decoding: ``greedy``, ``sampled …``, ``scripted`` or ``unknown``; different decodings are compared, never
            pooled.
        cells: Task by task, arm by arm.
        notes: What a reader must know of how it was read.
        seed: The run's seed, from which a sequential gate's order of looks follows; 0 where the harness has none.
        stopped_early: Whether a sequential gate stopped the run when it could tell.
    """

    label: str
    origin: Origin
    path: Path
    decoding: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    seed: int = 0
    stopped_early: bool = False

    def cell(self, key: CellKey) -> Cell | None:
        """The cell of that task, version and arm, None if there is none."""
        return next((c for c in self.cells if c.key == key), None)


def deciding_rows(rows: pd.DataFrame, sheet: TaskSheet) -> pd.DataFrame:
    """The rows that the numbers of a task are of: all, or where there are streams the probes of the last checkpoint.

    What an agent can do once it has lived is asked by the probes on unseen levels of its worlds. The episodes that it
    lived through, and probes before, belong to the curves.

    Args:
        rows: Of the task in one arm.
        sheet: What the manifest says of the task.
    """
    if sheet.streams is None:
        return rows
    items = {item for probes in sheet.streams.levels for item in probes.items}
    return rows[(rows["checkpoint"] == len(sheet.streams.checkpoints)) & rows["item"].isin(sorted(items))]


def grouped(rows: pd.DataFrame, sheet: TaskSheet) -> pd.DataFrame:
    """Samples of a task with a column for each of its groupings: the group of the item, empty where it has none."""
    made = {g.name: rows["item"].map(g.groups).fillna("").astype(object) for g in sheet.groupings}
    return rows.assign(**made) if made else rows


def unit_level(metric: Metric, labels: Mapping[str, Sequence[str]]) -> str:
    """The level of a metric's cluster path that claims are about: the highest with at least 10 units, else ``item``.

    Source: the rule of the project's page on validity, section 1; under ten units an interval over them says little.

    Args:
        metric: The metric.
        labels: By level above ``item``, the unit of every sample that counts; a level that lacks a label is left out.
    """
    found = "item"
    for level in metric.clusters[1:]:
        own = labels.get(level)
        if own is not None and len(own) and "" not in (units := set(own)) and len(units) >= ENOUGH_UNITS:
            found = level
    return found


def deciding_samples(sheet: TaskSheet, items: int, samples: int) -> int:
    """How many of them there should be in an arm.

    Args:
        sheet: What the manifest says of the task.
        items: Items of the run.
        samples: Repeats of an item, or of a probe.
    """
    if sheet.streams is None:
        return items * samples
    return sheet.streams.streams * samples * sum(len(probes.items) for probes in sheet.streams.levels)


def from_run(run: StoredRun) -> Results:
    """Read a Finchmark run.

    Raises:
        StoreError: It is damaged, or its manifest does not describe a task that it played.
    """
    manifest = run.manifest
    spec = manifest.spec
    frame = run.frame()
    cells = []
    for choice in spec.tasks:
        sheet = manifest.tasks.get(choice.name)
        if sheet is None:
            raise StoreError(f"{run.path}: the manifest does not describe {choice.name}, which the run played.")
        names = [*COLUMNS, *(m.name for m in sheet.metrics)]
        of_task = frame[frame["task"] == choice.name]
        for arm in choice.arms:
            rows = deciding_rows(of_task[of_task["arm"] == arm], sheet)
            streams = sheet.streams.streams if sheet.streams is not None else 0
            # How long streams are that no sheet describes is not known: of them only what is there counts.
            unknown = not streams and bool((rows["stream"] != "").any())
            cells.append(
                Cell(
                    task=choice.name,
                    version=str(choice.version),
                    arm=arm,
                    metrics=sheet.metrics,
                    frame=rows[names].reset_index(drop=True),
                    expected=len(rows) if unknown else deciding_samples(sheet, choice.items, spec.samples),
                    levels=sheet.levels.get(arm, {}),
                    # Every stream is asked every probe.
                    repeats=0 if unknown else spec.samples * max(streams, 1),
                    groupings=sheet.groupings,
                )
            )
    notes = [note for note in manifest.notes if REPLAYED in note]
    if spec.sandbox is not None:
        notes.append(f"code that the model wrote ran on {spec.sandbox}; on other packages its scores may be others")
    return Results(
        manifest.label,
        "finchmark",
        run.path,
        spec.decoding,
        tuple(cells),
        seed=spec.seed,
        stopped_early=STOPPED_EARLY in manifest.notes,
        notes=tuple(f"{manifest.label}: {note}" for note in notes),
    )


def read_results(path: str | Path) -> Results:
    """Read results of any harness that is known.

    Args:
        path: A run folder of Finchmark; a ``samples_*.jsonl`` of lm-eval's ``--log_samples``, or the folder that holds
            one or several; an ``.eval`` or ``.json`` log of inspect-ai, or a folder of them.

    Raises:
        UsageError: There is nothing that can be read.
        StoreError: It is there and damaged.
    """
    path = Path(path)
    if (path / "manifest.json").exists():
        return from_run(StoredRun(path))
    if not path.exists():
        raise UsageError(f"{path}: there is nothing here. Give a run folder, or a log of lm-eval or inspect-ai.")
    from .foreign import read_foreign

    return read_foreign(path)
