"""Scores of a wrapped task laid out by item, wording and sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .records import Metric, Outcome
from .results import Cell

__all__ = ["Draws"]

Array = NDArray[np.float64]
_GONE = (Outcome.ERROR.value, Outcome.INVALID.value, Outcome.REFUSED.value)


class Draws:
    """The scores of one metric in one arm, laid out by item, wording and sample.

    Args:
        cell: The arm's samples.
        metric: The metric.
        fails: Whether they are turned into failures: one less the score where higher is better.
        gone: What stands for samples that were lost or stopped and have no score, of items that the metric applies to;
            None: nothing does.
    """

    def __init__(self, cell: Cell, metric: Metric, *, fails: bool, gone: float | None = None) -> None:
        groups = {grouping.name: grouping.groups for grouping in cell.groupings}
        frame = cell.frame
        values = frame[metric.name].to_numpy(dtype=np.float64)
        if fails and metric.direction == "higher":
            values = 1.0 - values
        known = np.isfinite(values)
        if gone is not None:
            parents = frame["item"].map(groups["parent"])
            lost = frame["outcome"].isin(_GONE) & parents.isin(set(parents[known]))
            values = np.where(lost.to_numpy() & ~known, gone, values)
            known = np.isfinite(values)
        names = frame["item"].to_numpy(dtype=object)[known]
        owners = np.array([groups["parent"][item] for item in names], dtype=object)
        wordings = np.array([groups["wording"][item] for item in names], dtype=object)
        samples = frame["sample"].to_numpy(dtype=np.intp)[known]
        self.binary = bool(np.isin(values[known], (0.0, 1.0)).all())
        self.items = sorted(set(owners))
        self.wordings = sorted(set(groups["wording"].values()))
        row, column = ({name: k for k, name in enumerate(found)} for found in (self.items, self.wordings))
        self.x = np.full((len(self.items), len(self.wordings), int(samples.max(initial=-1)) + 1), np.nan)
        if len(names):
            at = [row[one] for one in owners], [column[one] for one in wordings], samples
            self.x[at] = values[known]

    @property
    def n(self) -> Array:
        """Scored samples, shape (items, wordings)."""
        return np.isfinite(self.x).sum(axis=2).astype(np.float64)

    @property
    def c(self) -> Array:
        """Their sum, likewise."""
        return np.nansum(self.x, axis=2)

    @property
    def flat(self) -> Array:
        """All samples of an item in one row."""
        return self.x.reshape(len(self.items), self.x.shape[1] * self.x.shape[2])

    def rows(self, items: Sequence[str]) -> Array:
        """The scores of some items, in their order; NaN where there are none."""
        place = {name: k for k, name in enumerate(self.items)}
        found = np.full((len(items), *self.x.shape[1:]), np.nan)
        for k, name in enumerate(items):
            if name in place:
                found[k] = self.x[place[name]]
        return found
