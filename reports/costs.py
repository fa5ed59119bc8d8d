"""What scores cost: tokens and dollars beside the score, by item and by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..suite.results import Cell, Results
from ..suite.seeds import generator
from .drawing import COLOURS, label
from .panels import MOST_PANELS, panels
from .tables import Plot, number, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cost_plot", "pair_cost_plot"]

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


def pair_cost_plot(pairs: Sequence[tuple[Cell, Cell]], labels: tuple[str, str], *, name: str = "cost") -> Plot | None:
    """Draw what the score of two sides cost.

    Args:
        pairs: Their cells.
        labels: Their names.
        name: Anchor.

    Returns:
        The figure; None where no tokens were counted.
    """
    rows = []
    shown = []
    for cells in pairs:
        ends = []
        for cell, side in zip(cells, labels, strict=True):
            scored = cell.scored
            score = float(scored.groupby("item")[cells[0].primary.name].mean().mean())
            per = scored[["calls", "prompt_tokens", "completion_tokens", "cost"]].mean()
            tokens = float(per["completion_tokens"])
            ends.append((tokens, score))
            counts = f"{per['calls']:,.1f}", f"{per['prompt_tokens']:,.0f}", f"{tokens:,.0f}"
            money = number(float(per["cost"]), 4) if per["cost"] else "–"
            rows.append((cell.name, side, number(score), *counts, money))
        if np.isfinite(ends).all() and any(tokens for tokens, _ in ends):
            shown.append((cells[0].name, ends))
    if not shown:
        return None
    styles = [{"color": COLOURS[c], "marker": "o", "markersize": 7, "linewidth": 0} for c in ("strong", "accent")]
    svg = panels(
        shown,
        lambda axes, pair: _paint_pair(axes, pair[1]),
        lambda pair: pair[0],
        name=f"{name}-figure",
        title="Cost and score",
        description="Tokens written in a sample, and score, of the baseline and the candidate.",
        legend=lambda canvas: canvas.legend(12, [(label(t, 40), s) for t, s in zip(labels, styles, strict=True)]),
        height=110,
    )
    notes = []
    if len(shown) > MOST_PANELS:
        notes.append(f"The figure shows the first {MOST_PANELS} of {len(shown)} cells; the table has all.")
    heads = ("task and arm", "side", "mean score>", "calls>", "tokens read>", "tokens written>", "cost>")
    return Plot(
        name,
        "Cost and score",
        "Tokens that a side wrote in a sample, and its score, both means; grey the baseline, green the candidate. "
        "Costs in US dollars a sample. Means without intervals: the differences above decide.",
        svg,
        table("Cost and score", heads, rows),
        tuple(notes),
    )


def _paint_pair(axes: Axes, ends: list[tuple[float, float]]) -> None:
    tokens, scores = zip(*ends, strict=True)
    axes.plot(tokens, scores, color=COLOURS["strong"], linewidth=1)
    for place, colour in zip(ends, ("strong", "accent"), strict=True):
        axes.plot(*([v] for v in place), "o", color=COLOURS[colour], markersize=7, clip_on=False)
    axes.set_xlim(0, max(tokens) * 1.15)
    _score_axis(axes, min(scores), max(scores))
    axes.set_xlabel("tokens written in a sample")


def _score_axis(axes: Axes, low: float, high: float) -> None:
    if low >= 0 and high <= 1:
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.5, 1])
    else:
        axes.locator_params(axis="y", nbins=4)
    axes.locator_params(axis="x", nbins=4)


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
    _score_axis(axes, float(cloud.scores.min()), float(cloud.scores.max()))
    axes.set_xlabel("tokens written in a sample")
