"""Runs as a table sees them: in a fixed order, each under a name of its own."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ..suite.errors import UsageError
from ..suite.records import STOPPED_EARLY, Manifest
from ..suite.results import deciding_rows, grouped

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Badge", "Badges", "Entry", "Run", "board_badges", "entries"]

_log = logging.getLogger(__name__)

_KINDS = ("withdrawn", "self-reported", "replayed", "re-run by us")


class Run(Protocol):
    """What is read of a stored run; :class:`finchmark.suite.store.StoredRun` is one."""

    @property
    def path(self) -> Path:
        """The run folder."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What was run where."""
        ...

    def frame(self) -> pd.DataFrame:
        """One row a sample."""
        ...


class Badge(Protocol):
    """What is known of how an entry came about; :class:`finchmark.leaderboard.badges.Badge` is one."""

    @property
    def kind(self) -> str:
        """``self-reported``, ``replayed``, ``re-run by us`` or ``withdrawn``."""
        ...

    @property
    def attempts(self) -> int:
        """How often this model was submitted, this entry counted."""
        ...

    @property
    def note(self) -> str:
        """What is to be said besides; for a withdrawn entry why."""
        ...


Badges: TypeAlias = "Mapping[Path, Badge | Mapping[str, Badge]]"
"""By run folder its badge, or its badges by column."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A run under its name in the table.

    Attributes:
        name: The run's label; where runs share one, with what tells them apart.
        run: The run.
        reference: Whether a scripted policy played (random, heuristic, oracle), not a model.
        badges: How the entry came about, by column, and under an empty name for columns that are not named; without
            any nobody looked.
    """

    name: str
    run: Run
    reference: bool
    badges: Mapping[str, Badge] = field(default_factory=dict)

    def badge(self, column: str = "") -> Badge | None:
        """The badge in a column (:attr:`.columns.ColumnKey.name`); without a name the one with the most attempts."""
        if column:
            return self.badges.get(column, self.badges.get(""))
        return max(self.badges.values(), key=lambda b: b.attempts, default=None)

    @property
    def standing(self) -> str:
        """The badge's kind; an entry at which nobody looked is ``self-reported``."""
        kinds = {b.kind for b in self.badges.values()}
        # Badges of one entry differ by their attempts alone; if not, the least of them holds.
        return next((kind for kind in _KINDS if kind in kinds), next(iter(sorted(kinds)), "self-reported"))

    @property
    def withdrawn(self) -> bool:
        """Whether the entry was taken back: it stays listed, and is not ranked."""
        return self.standing == "withdrawn"

    @property
    def ranked(self) -> bool:
        """Whether it takes part in rankings: it is listed, and no gate stopped it.

        When a gate stops depends on the scores so far, and what is missing is missing for that reason.
        """
        return self.listed and not self.stopped_early

    @property
    def listed(self) -> bool:
        """Whether it stands among the models: a model's entry that was not withdrawn."""
        return not self.reference and not self.withdrawn

    @property
    def stopped_early(self) -> bool:
        """Whether a sequential gate stopped the run before all samples were there."""
        return STOPPED_EARLY in self.run.manifest.notes

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The run's samples, read once."""
        return self.run.frame()

    def samples_of(self, task: str, arm: str) -> pd.DataFrame:
        """The samples of one task in one arm that its numbers are of; none where there are none.

        A column for each grouping of the task's items stands after the metrics.
        """
        found, sheet = self.played_of(task, arm), self.run.manifest.tasks.get(task)
        return found if sheet is None else grouped(deciding_rows(found, sheet), sheet)

    def played_of(self, task: str, arm: str) -> pd.DataFrame:
        """All samples of one task in one arm, what agents lived through included: what its numbers cost."""
        found = self._split.get((task, arm))
        return self.samples.iloc[:0] if found is None else found

    @cached_property
    def _split(self) -> dict[tuple[str, str], pd.DataFrame]:
        return {(str(task), str(arm)): rows for (task, arm), rows in self.samples.groupby(["task", "arm"], sort=False)}

    @property
    def decoding(self) -> str:
        """How tokens were drawn: ``greedy``, ``sampled T=0.7``, or ``scripted`` where no token was."""
        return self.run.manifest.spec.decoding


def board_badges(file: Path) -> dict[Path, dict[str, Badge]]:
    """Read the badges of a board's file, for :func:`.site.build`.

    Args:
        file: Written by ``finchmark leaderboard accept``; its folders lie beside it.

    Returns:
        Badges by run folder and column.

    Raises:
        UsageError: There is no such file.
        StoreError: It is no board.
    """
    from .badges import read_board

    board = read_board(file)
    return {file.parent / e.folder: {column: board.badge(e, column) for column in e.attempts} for e in board.entries}


def entries(runs: Iterable[Run], badges: Badges | None = None) -> list[Entry]:
    """Order runs and give each a name that no other has.

    A label that several runs share gets the start of the specification's hash appended; runs of one specification
    get their folder's name, and at the very last a number. A folder given twice counts once, with a warning.

    Args:
        runs: Stored runs, in any order.
        badges: Badges by run folder; an entry without any is self-reported.

    Returns:
        One entry a run; the same runs give the same entries whatever their order.

    Raises:
        UsageError: There is no run.
    """
    given = {path.resolve(): b if isinstance(b, Mapping) else {"": b} for path, b in (badges or {}).items()}
    unique: dict[Path, Run] = {}
    for run in runs:
        if run.path.resolve() in unique:
            _log.warning("%s was given more than once; it counts once.", run.path)
        unique[run.path.resolve()] = run
    if not unique:
        raise UsageError("A leaderboard needs at least one run. `finchmark run` makes one.")
    ordered = sorted(
        unique.values(),
        key=lambda run: (run.manifest.label, run.manifest.spec_hash, run.path.name, str(run.path.resolve())),
    )
    additions: tuple[Callable[[Run], str], ...] = (lambda r: r.manifest.spec_hash[:8], lambda r: r.path.name)
    names = [run.manifest.label or "(no label)" for run in ordered]
    for addition in additions:
        shared = Counter(names)
        names = [
            f"{name} · {addition(run)}" if shared[name] > 1 else name for name, run in zip(names, ordered, strict=True)
        ]
    taken: set[str] = set()
    result = []
    for name, run in zip(names, ordered, strict=True):
        distinct, number = name, 2
        while distinct in taken or (distinct != name and distinct in names):
            distinct, number = f"{name} #{number}", number + 1
        taken.add(distinct)
        result.append(
            Entry(distinct, run, run.manifest.spec.backend.name == "scripted", given.get(run.path.resolve(), {}))
        )
    return result
