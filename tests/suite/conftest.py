from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from finchmark.suite.records import Metric
from finchmark.suite.results import COLUMNS, Cell, Results

SUCCESS = Metric(name="success", summary="it worked", kind="binary", primary=True)

MakeCell = Callable[..., Cell]
MakeResults = Callable[..., Results]


@pytest.fixture
def make_cell() -> MakeCell:
    """Make a cell of item -> values of its samples; None is an error."""

    def make(
        items: Mapping[str, Sequence[float | None]],
        *,
        task: str = "demo/coins",
        version: str = "1",
        arm: str = "default",
        metrics: Sequence[Metric] = (SUCCESS,),
        expected: int | None = None,
        extra: Mapping[str, Callable[[float], float]] | None = None,
        **fields: object,
    ) -> Cell:
        primary = next(m for m in metrics if m.primary)
        rows = []
        for item, values in items.items():
            for sample, value in enumerate(values):
                row = {
                    **COLUMNS,
                    "item": item,
                    "item_hash": f"hash-{item}",
                    "sample": sample,
                    "outcome": "error" if value is None else "ok",
                    primary.name: float("nan") if value is None else float(value),
                }
                for name, of in (extra or {}).items():
                    row[name] = float("nan") if value is None else of(value)
                rows.append(row)
        frame = pd.DataFrame(rows, columns=[*COLUMNS, *(m.name for m in metrics)])
        repeats = max((len(v) for v in items.values()), default=0)
        return Cell(
            task,
            version,
            arm,
            tuple(metrics),
            frame,
            expected=len(rows) if expected is None else expected,
            repeats=repeats,
            **fields,  # type: ignore[arg-type]  # tests give what a cell has
        )

    return make


@pytest.fixture
def make_results() -> MakeResults:
    """Make results of cells."""

    def make(label: str, *cells: Cell, decoding: str = "scripted", **fields: object) -> Results:
        return Results(
            label,
            "finchmark",
            Path("runs") / label,
            decoding,
            tuple(cells),
            **fields,  # type: ignore[arg-type]  # tests give what results have
        )

    return make
