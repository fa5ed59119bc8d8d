"""What scores cost: tokens and dollars beside the score, by item and by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..suite.results import Cell, Results
from ..suite.seeds import generator
from .drawing import COLOURS
from .panels import MOST_PANELS, panels
from .tables import Plot, number, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cost_plot"]

_POINTS = 2000
"""Points that one figure shows."""


@dataclass(frozen=True, eq=False)
class _Cloud:
    """Items of one cell: mean tokens written and mean score, shape (items,) each."""

    cell: Cell
    tokens: NDArray[np.float64]
    scores: NDArray[np.float64]


def cost_plot(results: Results, *, name: str = "cost") -> Plot | None:
    """Draw the score of every item against the tokens that its samples took.

    Returns:
        The figure; None where no tokens were counted.
    """
    clouds = [cloud for cell in results.cells if (cloud := _cloud(cell)) is not None]
    if not clouds:
        return None
    most = max(_POINTS // min(len(clouds), MOST_PANELS), 50)
    svg = panels(
        [_thinned(cloud, most) for cloud in clouds if len(cloud.tokens) > 1],
        _paint,
        lambda cloud: cloud.cell.name,
        name=f"{name}-figure",
        title="Score against tokens",
        description="Each point is an item: tokens written in a sample, and score, both means over its samples.",
        height=110,
    )
    rows = []
    for cell in results.cells:
        scored = cell.scored
        metric = cell.primary
        if not len(scored):
            continue
        per = scored[["prompt_tokens", "completion_tokens", "calls", "turns", "cost"]].mean()
        total = float(scored["cost"].sum())
        wins = float((scored[metric.name] == 1).sum()) if metric.kind == "binary" else 0.0
        rows.append(
            (
                f"{cell.task}@{cell.version}",
                cell.arm,
                f"{metric.name} {number(float(scored.groupby('item')[metric.name].mean().mean()))}",
                f"{per['turns']:,.1f}",
                f"{per['calls']:,.1f}",
                f"{per['prompt_tokens']:,.0f}",
                f"{per['completion_tokens']:,.0f}",
                number(float(per["cost"]), 4) if total else "–",
                number(total, 2) if total else "–",
                number(total / wins, 4) if total and wins else "–",
            )
        )
    notes = []
    if any(len(cloud.tokens) > most for cloud in clouds):
        notes.append(f"At most {most:,} items a panel are drawn, chosen at random, always the same ones.")
    if len(clouds) > MOST_PANELS:
        notes.append(f"The figure shows the first {MOST_PANELS} of {len(clouds)} cells; the table has all.")
    columns = ("task", "arm", "mean score", "turns>", "calls>", "tokens read>", "tokens written>")
    return Plot(
        name,
        "Cost and score",
        "Each point is an item: how many tokens the model wrote in a sample of it, and its score, both means over its "
        "samples. Numbers in the table are means over scored samples; costs in US dollars.",
        svg,
        table("Cost and score", (*columns, "cost>", "cost in all>", "cost a success>"), rows),
        tuple(notes),
    )


def _cloud(cell: Cell) -> _Cloud | None:
    scored = cell.scored
    by_item = scored.groupby("item")[["completion_tokens", cell.primary.name]].mean().dropna()
    if by_item.empty or not by_item["completion_tokens"].any():
        return None
    return _Cloud(cell, by_item["completion_tokens"].to_numpy(float), by_item[cell.primary.name].to_numpy(float))


def _thinned(cloud: _Cloud, most: int) -> _Cloud:
    if len(cloud.tokens) <= most:
        return cloud
    rng = generator("report", "cost", *cloud.cell.key)
    kept = np.sort(rng.choice(len(cloud.tokens), most, replace=False))
    return _Cloud(cloud.cell, cloud.tokens[kept], cloud.scores[kept])


def _paint(axes: Axes, cloud: _Cloud) -> None:
    style: dict[str, Any] = {"markersize": 5, "markeredgewidth": 0, "alpha": 0.45, "clip_on": False}
    axes.plot(cloud.tokens, cloud.scores, "o", color=COLOURS["accent"], **style)
    axes.set_xlim(0, float(cloud.tokens.max()) * 1.05)
    if cloud.scores.min() >= 0 and cloud.scores.max() <= 1:
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.5, 1])
    else:
        axes.locator_params(axis="y", nbins=4)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("tokens written in a sample")
