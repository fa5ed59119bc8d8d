"""The result of an experiment, and its numbers as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....suite.errors import StoreError
from .candidate import Candidate, lineage
from .cost import Cost, total

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RESULT", "MethodsResult", "Table", "read_result"]

RESULT = "result.json"


@dataclass(frozen=True, eq=False)
class Table:
    """Scores of runs by method, for the worlds that may be averaged.

    A row is one run in one world: a method learnt there once, on its own.

    Attributes:
        methods: Names, length M.
        worlds: The world of each row, length R.
        cores: The core of each row, length R.
        runs: The run of each row, length R.
        features: Kinds of parts of each row's world.
        validation: Scores that choices are made by, shape (R, M).
        test: Scores that are reported, shape (R, M).
        start_test: Scores of the first candidate on test, shape (R,).
        start_validation: Likewise on validation.
        levels: For each row the test scores by level, shape (levels, M).
        start_levels: Likewise of the first candidate, shape (levels,).
        chosen: For each row the id of each method's candidate; empty: all differ.
    """

    methods: tuple[str, ...]
    worlds: tuple[str, ...]
    cores: tuple[str, ...]
    runs: tuple[int, ...]
    features: tuple[Mapping[str, str], ...]
    validation: NDArray[np.float64]
    test: NDArray[np.float64]
    start_validation: NDArray[np.float64]
    start_test: NDArray[np.float64]
    levels: tuple[NDArray[np.float64], ...]
    start_levels: tuple[NDArray[np.float64], ...]
    chosen: tuple[tuple[str, ...], ...] = ()

    @property
    def distinct(self) -> tuple[NDArray[np.float64], ...]:
        """Test scores by level with one column a candidate: methods that chose the same one share its luck."""
        if not self.chosen:
            return self.levels
        return tuple(
            row[:, [ids.index(id) for id in dict.fromkeys(ids)]]
            for row, ids in zip(self.levels, self.chosen, strict=True)
        )


@dataclass(frozen=True)
class MethodsResult:
    """An experiment that is complete.

    Attributes:
        path: Its folder.
        settings: All that decided it.
        worlds: Name, core, kinds of parts, and whether the world is averaged.
        starts: Scores of the first candidate by world and run.
        cells: One a world, run and method: candidates with parents, what was chosen, scores, costs.
        spent: What it cost, shared work counted once.
    """

    path: Path
    settings: Mapping[str, Any]
    worlds: Sequence[Mapping[str, Any]]
    starts: Sequence[Mapping[str, Any]]
    cells: Sequence[Mapping[str, Any]]
    spent: Cost

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, in their order."""
        return tuple(self.settings["methods"])

    def cell(self, world: str, method: str, run: int = 0) -> Mapping[str, Any]:
        """One cell.

        Raises:
            StoreError: There is none.
        """
        found = self._cells.get((world, run, method))
        if found is None:
            raise StoreError(f"{self.path} holds no {method} in {world}, run {run}.")
        return found

    @cached_property
    def _cells(self) -> dict[tuple[str, int, str], Mapping[str, Any]]:
        return {(cell["world"], cell["run"], cell["method"]): cell for cell in self.cells}

    def start(self, world: str, run: int = 0) -> Mapping[str, Any]:
        """The first candidate's scores in a world and run."""
        return next(start for start in self.starts if (start["world"], start["run"]) == (world, run))

    def lineage(self, world: str, method: str, run: int = 0) -> tuple[Candidate, ...]:
        """The ancestors of what a method chose, the first candidate first."""
        cell = self.cell(world, method, run)
        return lineage((Candidate.from_data(one) for one in cell["candidates"]), cell["chosen"])

    def cost(self, method: str, *parts: str) -> Cost:
        """What a method cost over all worlds and runs, as if it had been run alone.

        Args:
            method: Its name.
            parts: Of ``optimise``, ``train``, ``validation`` and ``test``; none: all.
        """
        return total(
            Cost.from_data(cell["costs"][part])
            for cell in self.cells
            if cell["method"] == method
            for part in (parts or cell["costs"])
        )

    def table(self, *, averaged: bool = True) -> Table:
        """The scores as arrays.

        Args:
            averaged: Only worlds whose scores may be averaged (validity, section 5). If false: all.
        """
        import numpy as np

        shown = [world for world in self.worlds if world["averaged"] or not averaged]
        runs = range(self.settings["runs"])
        rows = [(world, run) for world in shown for run in runs]
        cells = [[self.cell(world["name"], method, run) for method in self.methods] for world, run in rows]
        starts = [self.start(world["name"], run) for world, run in rows]
        shape = (len(rows), len(self.methods))

        def scores(split: str) -> Any:
            return np.array([[cell[split]["score"] for cell in row] for row in cells], dtype=float).reshape(shape)

        def levels(cell: Mapping[str, Any]) -> list[float]:
            return list(cell["test"]["levels"].values())

        return Table(
            methods=self.methods,
            worlds=tuple(world["name"] for world, _ in rows),
            cores=tuple(world["core"] for world, _ in rows),
            runs=tuple(run for _, run in rows),
            features=tuple(world["features"] for world, _ in rows),
            validation=scores("validation"),
            test=scores("test"),
            start_validation=np.array([start["validation"]["score"] for start in starts], dtype=float),
            start_test=np.array([start["test"]["score"] for start in starts], dtype=float),
            levels=tuple(np.array([levels(cell) for cell in row], dtype=float).T for row in cells),
            start_levels=tuple(np.array(levels(start), dtype=float) for start in starts),
            chosen=tuple(tuple(cell["chosen"] for cell in row) for row in cells),
        )


def read_result(out: Path) -> MethodsResult:
    """Read an experiment's result.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    path = out / RESULT
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return MethodsResult(
            out, data["settings"], data["worlds"], data["starts"], data["cells"], Cost.from_data(data["spent"])
        )
    except FileNotFoundError:
        raise StoreError(
            f"{out} holds no finished experiment (no {RESULT}). `finchmark learn methods … --out {out}` goes on."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"The result {path} cannot be read: {type(error).__name__}: {error}.") from None
