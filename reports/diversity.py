"""How much the samples of an item differ: as a figure of distinct transcripts, and as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..leaderboard.text import plural
from ..suite.records import Outcome
from ..suite.results import Cell, Results
from ..suite.stats.diversity import Diversity, reply_diversity
from .drawing import COLOURS
from .panels import MOST_PANELS, panels
from .tables import Plot, interval, number, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Spread", "diversity_plot", "spread"]

_BARS = 16


@dataclass(frozen=True, eq=False)
class Spread:
    """How transcripts of one cell spread.

    Attributes:
        cell: Task and arm.
        distinct: Distinct transcripts by item, shape (items,); items with at least 2 samples.
        samples: Samples by item, likewise.
        measured: Duplicates and entropy, averaged over items.
    """

    cell: Cell
    distinct: NDArray[np.int64]
    samples: NDArray[np.int64]
    measured: Diversity


def spread(cell: Cell) -> Spread | None:
    """Measure one cell; None where no item has two samples in which a model wrote something."""
    frame = cell.frame[(cell.frame["outcome"] != Outcome.ERROR.value) & (cell.frame["calls"] > 0)]
    frame = frame[frame["transcript"] != ""]
    # Two streams of one item are two histories, not two samples of one question.
    items = frame["item"].astype(str) + "\n" + frame["position"].astype(str) + "\n" + frame["checkpoint"].astype(str)
    groups = frame["transcript"].groupby(items)
    distinct, samples = (np.asarray(counts, dtype=np.int64) for counts in (groups.nunique(), groups.size()))
    enough = samples >= 2
    if not enough.any():
        return None
    return Spread(
        cell,
        distinct[enough],
        samples[enough],
        reply_diversity(frame["transcript"].tolist(), items.tolist()),
    )


def diversity_plot(results: Results, *, name: str = "diversity") -> Plot | None:
    """Draw how many distinct transcripts items have.

    Returns:
        The figure; None where no item was sampled twice, or a fixed policy played.
    """
    if results.decoding == "scripted":
        return None
    found = [s for cell in results.cells if (s := spread(cell)) is not None]
    if not found:
        return None
    greedy = results.decoding == "greedy"
    svg = panels(
        [s for s in found if len(s.distinct) > 1],
        _paint,
        lambda s: s.cell.name,
        name=f"{name}-figure",
        title="Distinct transcripts by item",
        description="How many items have so many distinct transcripts among their samples.",
        height=90,
    )
    rows = []
    for s in found:
        m = s.measured
        rows.append(
            (
                f"{s.cell.task}@{s.cell.version}",
                s.cell.arm,
                f"{m.items:,}",
                f"{m.samples:,}",
                f"{m.identical:,}",
                number(m.duplicate.estimate),
                interval(m.duplicate.low, m.duplicate.high),
                number(m.collision.estimate),
                number(m.entropy.estimate, 2),
                number(m.normalised.estimate),
            )
        )
    notes = [
        "Duplicates: share of samples whose transcript an earlier sample of the item has. Same twice: chance that two "
        "samples of an item read the same. Entropy in nats, corrected for the number of samples (Miller, 1955); "
        "relative: 0 where all samples of an item are the same, 1 where all differ."
    ]
    for s in found:
        notes += _remarks(s, greedy=greedy)
    if len(found) > MOST_PANELS:
        notes.append(f"The figure shows the first {MOST_PANELS} of {len(found)} cells; the table has all.")
    columns = ("task", "arm", "items>", "samples>", "items all the same>", "duplicates>", "95 % interval>")
    return Plot(
        name,
        "Sample diversity",
        "How many distinct transcripts the samples of an item have, counted over items. Samples that read the same are "
        "worth less than they seem; under greedy decoding all of an item should be the same.",
        svg,
        table("Sample diversity", (*columns, "same twice>", "entropy>", "relative>"), rows),
        tuple(notes),
    )


def _remarks(s: Spread, *, greedy: bool) -> list[str]:
    differ = int((s.distinct > 1).sum())
    if greedy and differ:
        return [
            f"{s.cell.name}: decoding is greedy, yet {plural(differ, 'item')} of {len(s.distinct):,} "
            f"{'has' if differ == 1 else 'have'} samples that differ; the backend is not deterministic."
        ]
    if not greedy and s.measured.identical == len(s.distinct):
        return [f"{s.cell.name}: all samples of every item read the same; they count as one sample an item."]
    return []


def _paint(axes: Axes, s: Spread) -> None:
    most = int(s.samples.max())
    if most <= _BARS:
        counts = np.bincount(s.distinct, minlength=most + 1)[1:]
        axes.bar(np.arange(1, most + 1), counts, width=0.7, color=COLOURS["accent"], linewidth=0)
        axes.set_xticks(np.arange(1, most + 1) if most <= 8 else np.arange(1, most + 1, 3))
        axes.set_xlim(0.4, most + 0.6)
        axes.set_xlabel(f"distinct transcripts of {plural(most, 'sample')}")
    else:
        counts, edges = np.histogram(s.distinct / s.samples, bins=10, range=(0, 1))
        axes.bar(edges[:-1] + 0.05, counts, width=0.08, color=COLOURS["accent"], linewidth=0)
        axes.set_xlim(0, 1)
        axes.set_xlabel("distinct transcripts as a share of samples")
    axes.set_ylim(0, max(float(counts.max()), 1) * 1.05)
    axes.locator_params(axis="y", nbins=3, integer=True)
    axes.set_ylabel("items")
