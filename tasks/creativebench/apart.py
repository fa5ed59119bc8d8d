"""Columns that stand apart from a run's own: what an embedder or a judge model says of its stored programs.

They are made afterwards, from the transcripts, and are written to a file of their own: nothing of them can get into a
headline, and two judges of one run are two files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...suite.canonical import content_hash
from ...suite.errors import UsageError
from ...suite.records import Outcome
from .constraints import Rule
from .official import read_rows
from .problem import load_problems
from .several import slice_of

if TYPE_CHECKING:
    from ...suite.stats.intervals import Interval
    from ...suite.store import StoredRun

__all__ = ["Column", "Constraint", "Value", "Written", "write_column", "written"]

_TASK = "creativebench/explore"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint of a level.

    Args:
        text: What the model read.
        rules: The rules that say all of it; empty where rules cannot.
    """

    text: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A program that a model wrote in a run.

    Args:
        item: The item's id.
        sample: Which repeat.
        problem: What levels of one problem share; the unit of all claims.
        level: How many constraints were added.
        code: The program; it could be read, and may do anything else.
        part: What the tests need of it; empty where that was not found, None where it had no quality.
        constraints: All that held.
    """

    item: str
    sample: int
    problem: str
    level: int
    code: str
    part: str | None
    constraints: tuple[Constraint, ...]


def written(run: StoredRun, data: Path | None = None) -> Iterator[Written]:
    """The programs of a run of ``creativebench/explore``, in the order of the store.

    Args:
        run: The run.
        data: Its official rows, for a run on such.

    Raises:
        UsageError: The run has no such task, or its items are others than those of today or of ``data``.
    """
    if _TASK not in {choice.name for choice in run.manifest.spec.tasks}:
        raise UsageError(f"{run.path}: has no samples of {_TASK}.")
    known = _own() if data is None else _official(data)
    for sample in run.samples():
        if sample.task != _TASK or sample.outcome is not Outcome.OK or not sample.turns:
            continue
        if sample.item not in known:
            way = "give its rows by --data" if data is None else "give the rows that it was played on"
            raise UsageError(f"{run.path}: the item {sample.item} is not known here; {way}.")
        digest, problem, level, constraints = known[sample.item]
        if digest != sample.item_hash:
            raise UsageError(f"{run.path}: the item {sample.item} is another one today than the run played.")
        turn = sample.turns[-1]
        if turn.action is not None:
            yield Written(sample.item, sample.sample, problem, level, turn.action, slice_of(turn), constraints)


_Known = dict[str, tuple[str, str, int, tuple[Constraint, ...]]]


def _own() -> _Known:
    from .task import Explore

    items = {item.id: item for item in Explore().items(Explore.tiers["full"], 0)}
    found: _Known = {}
    for problem in load_problems().values():
        for level in range(len(problem.levels) + 1):
            item = items[f"{problem.name}-L{level}"]
            rules = tuple(Constraint(rule.sentence, (rule,)) for rule in problem.rules(level))
            found[item.id] = item.hash, problem.name, level, rules
    return found


def _official(data: Path) -> _Known:
    from .task import Explore

    items = {item.id: item for item in Explore().read_items(data, Explore.tiers["full"])}
    return {
        row.id: (
            items[row.id].hash,
            row.problem,
            row.level,
            tuple(Constraint(one.text, one.rules if one.known else ()) for one in row.constraints),
        )
        for row in read_rows(data)
    }


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a column.

    Args:
        item: The item's id.
        sample: Which repeat.
        problem: The unit.
        level: The level.
        value: The number; None where nothing can be said.
        detail: What it was made of.
    """

    item: str
    sample: int
    problem: str
    level: int
    value: float | None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column that stands apart.

    Args:
        name: Its name; no metric of the task has it.
        kind: ``binary`` or ``graded``.
        high: Upper end of its range; the lower one is 0.
        values: Its numbers, in the order of the store.
        made_by: What made it: an embedder or a judge, as exactly as it can be named.
        more: What else was found, such as how a judge agrees with the rules.
    """

    name: str
    kind: Literal["binary", "graded"]
    high: float
    values: tuple[Value, ...]
    made_by: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    def interval(self, constrained: bool | None = None) -> Interval:
        """Its mean over problems, with the interval of :func:`.mean_interval`.

        Args:
            constrained: Only levels from 1 (true), only level 0 (false), or all.
        """
        from ...suite.stats.intervals import mean_interval

        found = [
            (one.value, one.problem)
            for one in self.values
            if one.value is not None and (constrained is None or (one.level > 0) == constrained)
        ]
        return mean_interval(
            [value for value, _ in found], [unit for _, unit in found], kind=self.kind, low=0.0, high=self.high
        )

    def lines(self) -> list[str]:
        """What people read of it."""
        made = []
        for title, constrained in (("level 0", False), ("levels from 1", True)):
            mean = self.interval(constrained)
            if mean.samples:
                bounds = f"[{mean.low:.3f}, {mean.high:.3f}]" + (", sparse" if mean.sparse else "")
                of = f"{mean.samples} programs of {mean.units} problems"
                made.append(f"{self.name}, {title}: {mean.estimate:.3f} {bounds} ({of})")
        silent = sum(one.value is None for one in self.values)
        if silent:
            made.append(f"{self.name}: nothing can be said of {silent} of {len(self.values)} programs.")
        return made or [f"{self.name}: the run has no program that it could be said of."]


def write_column(column: Column, run: StoredRun, path: Path) -> None:
    """Write a column to a file of its own.

    Args:
        column: The column.
        run: The run that it is about; the file names its specification.
        path: The file.
    """
    plain = {
        "format": "finchmark-column/1",
        "column": column.name,
        "run": run.manifest.spec_hash,
        "made_by": dict(column.made_by),
        "more": dict(column.more),
        "values": [asdict(value) for value in column.values],
    }
    plain["hash"] = content_hash(plain, digits=16)
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
