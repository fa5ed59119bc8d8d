"""Scores of streams laid out in arrays: by arm, stream, point in time, item and sample; with what was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import StoreError
from .records import Metric, Outcome, StreamSheet

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL_LEVELS", "LIVED", "Block", "StreamScores", "lay_out", "primary_probes"]

Array = NDArray[np.float64]

LIVED = "lived episodes"
"""Name of the block of the episodes that streams consist of; no set of probes can be called so."""

ALL_LEVELS = "all levels"
"""Name of the sets that ask for unseen levels, taken together, where there are several."""


@dataclass(frozen=True, eq=False)
class Block:
    """Scores of one arm on one set of probes, or of the episodes that it lived.

    Attributes:
        values: Shape (streams, points, items, samples); NaN where nothing was scored. Lived episodes have one item.
        lost: Where a sample ended as ``error`` or is not there; what is NaN and not lost has no such metric.
    """

    values: Array
    lost: NDArray[np.bool_]

    @cached_property
    def items(self) -> Array:
        """Means over samples, shape (streams, points, items); NaN where none was scored."""
        return _mean(self.values)

    @cached_property
    def means(self) -> Array:
        """Means over items of the means over samples, shape (streams, points)."""
        return _mean(self.items)

    def filled(self, end: float) -> Array:
        """As ``items``, with every lost sample at one end of the metric's range."""
        return _mean(np.where(self.lost, end, self.values))


@dataclass(frozen=True, eq=False)
class StreamScores:
    """The scores of a task's streams.

    Attributes:
        metric: What was measured.
        sheet: How the streams were laid out.
        arms: The arms of the run, in its order.
        streams: Names of the streams; those that left nothing at all stand last and have no name.
        blocks: By arm and set of probes; :data:`LIVED` for the episodes that the streams consist of, and
            :data:`ALL_LEVELS` where several sets ask for levels.
    """

    metric: Metric
    sheet: StreamSheet
    arms: tuple[str, ...]
    streams: tuple[str, ...]
    blocks: Mapping[tuple[str, str], Block]

    def block(self, arm: str, probes: str) -> Block:
        """The scores of an arm on a set of probes."""
        return self.blocks[arm, probes]

    def points(self, probes: str) -> Array:
        """When a set was scored: episodes lived before."""
        lived = probes == LIVED
        return np.asarray(range(self.sheet.episodes) if lived else self.sheet.checkpoints, dtype=np.float64)

    def lost(self, arm: str) -> tuple[int, int]:
        """Samples of an arm that were lost, and how many it should have."""
        own = [block.lost for (name, probes), block in self.blocks.items() if name == arm and probes != ALL_LEVELS]
        return sum(int(lost.sum()) for lost in own), sum(lost.size for lost in own)


def lay_out(frame: pd.DataFrame, sheet: StreamSheet, metric: Metric, arms: Sequence[str]) -> StreamScores:
    """Lay out the samples of a stream task.

    Args:
        frame: One row a sample of the task: the columns ``arm``, ``item``, ``stream``, ``position``, ``checkpoint``,
            ``outcome`` and that of the metric (:meth:`.store.StoredRun.frame`).
        sheet: How the streams are laid out.
        metric: What to lay out.
        arms: The arms that were to be played.

    Returns:
        All scores; what the layout promises and the frame lacks counts as lost.

    Raises:
        StoreError: A sample stands where the layout has no place for it.
    """
    names = sorted(set(frame["stream"]), key=lambda name: (len(name), name))
    if len(names) > sheet.streams:
        raise StoreError(f"There are samples of {len(names)} streams, of which the manifest knows {sheet.streams}.")
    streams = (*names, *[""] * (sheet.streams - len(names)))
    lived = frame[frame["checkpoint"] == 0]
    probed = frame[frame["checkpoint"] > 0]
    _check(lived["position"], sheet.episodes, "position")
    _check(probed["checkpoint"] - 1, len(sheet.checkpoints), "checkpoint")
    known = {item for probes in sheet.probes for item in probes.items}
    odd = sorted(set(probed["item"]) - known)
    if odd:
        raise StoreError(f"The probe {odd[0]!r} is in none of the sets that the manifest describes.")
    row = {name: i for i, name in enumerate(names)}
    repeats = _repeats(probed, ["arm", "stream", "checkpoint", "item"])
    again = _repeats(lived, ["arm", "stream", "position"])
    blocks: dict[tuple[str, str], Block] = {}
    for arm in arms:
        mine, ours = lived["arm"] == arm, probed["arm"] == arm
        shape = (len(streams), sheet.episodes, 1, int(again.max()) + 1 if len(again) else 1)
        at = lived.loc[mine, "position"].to_numpy(dtype=np.int64)
        none = np.zeros(len(at), dtype=np.int64)
        blocks[arm, LIVED] = _block(lived[mine], shape, row, at, none, again[mine], metric)
        for probes in sheet.probes:
            places = {item: i for i, item in enumerate(probes.items)}
            here = ours & probed["item"].isin(places)
            shape = (len(streams), len(sheet.checkpoints), len(places), int(repeats.max()) + 1 if len(repeats) else 1)
            at = probed.loc[here, "checkpoint"].to_numpy(dtype=np.int64) - 1
            item = np.array([places[name] for name in probed.loc[here, "item"]], dtype=np.int64)
            blocks[arm, probes.name] = _block(probed[here], shape, row, at, item, repeats[here], metric)
        if primary_probes(sheet) == ALL_LEVELS:
            own = [blocks[arm, probes.name] for probes in sheet.levels]
            values, lost = (np.concatenate([getattr(b, name) for b in own], axis=2) for name in ("values", "lost"))
            blocks[arm, ALL_LEVELS] = Block(values, lost)
    return StreamScores(metric, sheet, tuple(arms), streams, blocks)


def primary_probes(sheet: StreamSheet) -> str | None:
    """The probes that decide: those of kind ``levels``, all together; None where there are none.

    What an agent can do at the end in the worlds that it has lived in, on levels that it has not met: also in those
    that it has left since, so that what it forgot on the way counts.
    """
    levels = [probes.name for probes in sheet.levels]
    return (levels[0] if len(levels) == 1 else ALL_LEVELS) if levels else None


def _block(
    rows: pd.DataFrame,
    shape: tuple[int, int, int, int],
    row: Mapping[str, int],
    at: NDArray[np.int64],
    item: NDArray[np.int64],
    repeat: pd.Series,
    metric: Metric,
) -> Block:
    values, lost = np.full(shape, np.nan), np.ones(shape, dtype=bool)
    where = rows["stream"].map(row).to_numpy(dtype=np.int64), at, item, repeat.to_numpy(dtype=np.int64)
    values[where] = rows[metric.name].to_numpy(dtype=np.float64)
    lost[where] = (rows["outcome"] == Outcome.ERROR.value).to_numpy()
    return Block(np.where(lost, np.nan, values), lost)


def _repeats(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    """The how manieth a sample is of its place."""
    return rows.groupby(key, sort=False).cumcount()


def _check(places: pd.Series, many: int, name: str) -> None:
    if len(places) and not (places.min() >= 0 and places.max() < many):
        raise StoreError(f"There is a sample at the {name} {places.max()}, and the manifest knows {many} of them.")


def _mean(x: Array) -> Array:
    known = np.isfinite(x)
    count = known.sum(axis=-1)
    total = np.where(known, x, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
