"""The scores of a run: each with interval, chance, ceiling and counts, as a figure, a table and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..leaderboard.standings import Standing
from ..leaderboard.text import plural, visible
from ..suite.results import cell_name
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .tables import Plot, Table, interval, number, table

__all__ = ["against_chance", "claim", "score_cells", "score_plot", "score_table"]

_COLUMNS = (
    "task",
    "arm",
    "metric",
    "mean>",
    "95 % interval>",
    "chance>",
    "ceiling>",
    "against chance",
    "units",
    "samples>",
    "invalid>",
    "refused>",
    "errors>",
    "missing>",
    "method",
    "levels",
    "note",
)


def against_chance(s: Standing) -> str:
    """Say where the interval lies to the level of the random policy, which is taken as known."""
    if s.chance is None or not all(map(math.isfinite, (s.low, s.high))):
        return "–"
    if s.low > s.chance:
        return "above"
    return "below" if s.high < s.chance else "not told apart"


def claim(s: Standing) -> str:
    """Say one score in a sentence, with all that it must be read against."""
    where = f"{s.task}@{s.version}, {s.arm}: "
    if not math.isfinite(s.mean):
        return visible(f"{where}nothing was scored." if s.primary else f"{where}no sample has a value of {s.metric}.")
    text = f"{where}{s.metric} {number(s.mean)}, {100 * s.confidence:g} % interval {interval(s.low, s.high)}"
    text += f" over {plural(s.units, s.unit)} and {plural(s.samples, 'sample')}"
    words = {"above": "above", "below": "below", "not told apart": "not told apart from"}
    place = against_chance(s)
    if place in words and s.chance is not None:
        text += f"; {words[place]} chance ({number(s.chance)})"
    if s.ceiling is not None:
        text += f"; the ceiling is {number(s.ceiling)}"
    if s.sparse:
        text += "; sparse"
    if s.note:
        text += f"; {s.note}"
    return visible(f"{text}.")


def score_plot(made: Sequence[Standing], *, name: str = "scores") -> Plot:
    """Draw the primary scores of a run.

    Args:
        made: Standings of one run, in any metric; only primary ones are shown.
        name: Anchor.
    """
    shown = [s for s in made if s.primary]
    panels: dict[tuple[str, str], list[ForestRow]] = {}
    for s in shown:
        row = ForestRow(
            name=cell_name(s.task, s.version, s.arm),
            mean=s.mean,
            low=s.low,
            high=s.high,
            text=f"{number(s.mean)} {interval(s.low, s.high)}" + ("*" if s.sparse else ""),
            chance=s.chance,
            ceiling=s.ceiling,
            faint=s.sparse,
        )
        # What lies between 0 and 1 may share an axis; anything else has one of its own.
        unit = all(0 <= v <= 1 for v in row.values)
        panels.setdefault((s.metric, "" if unit else s.task), []).append(row)
    drawn = [
        ForestPanel(metric + (f" ({task})" if task else ""), tuple(rows), *((None, None) if task else (0.0, 1.0)))
        for (metric, task), rows in panels.items()
    ]
    title = "Scores"
    svg = forest(
        drawn,
        name=f"{name}-figure",
        title=title,
        description=f"Mean and interval of {plural(len(shown), 'score')}, with the levels of chance and ceiling.",
    )
    notes = []
    if len(shown) > MOST_ROWS:
        notes.append(f"The figure shows the first {MOST_ROWS} of {len(shown)} scores; the table has all.")
    return Plot(
        name,
        title,
        "The primary metric of every task and arm: its mean over items and the interval for new items of the same "
        "kind. Orange marks chance (the random policy), violet the ceiling (the oracle).",
        svg,
        score_table(shown, "Primary metrics"),
        tuple(notes),
    )


def score_cells(s: Standing, sparse: str = "*") -> tuple[str, ...]:
    """A score with its interval (``sparse`` marks a rough one), levels, units and counts, as tables write it."""
    return (
        number(s.mean),
        interval(s.low, s.high) + (sparse if s.sparse else ""),
        number(s.chance),
        number(s.ceiling),
        against_chance(s),
        plural(s.units, s.unit),
        f"{s.samples:,}",
        f"{s.invalid:,}",
        f"{s.refused:,}",
        f"{s.error:,}",
    )


def score_table(made: Sequence[Standing], caption: str) -> Table:
    """List scores with everything that they must be read against."""
    rows = []
    notes = []
    for s in made:
        rows.append(
            (
                f"{s.task}@{s.version}",
                s.arm,
                s.metric,
                *score_cells(s),
                f"{s.missing:,}",
                s.method,
                s.levels or "–",
                s.note,
            )
        )
    if any(s.sparse for s in made):
        notes.append(
            "* sparse: under 30 items or 5 expected events; the interval is rough; one item is no claim about others."
        )
    notes.append("Invalid and refused samples are failures; errors are not scored, always counted.")
    if any(s.levels for s in made):
        notes.append(
            "Levels of chance and ceiling are exact (computed for these items) or declared by the task; either is "
            "taken as known."
        )
    if len(made) > 1:
        notes.append(
            f"Each interval stands alone: of {len(made)}, one in twenty misses on average. No two rows are compared "
            "here; a difference needs a paired comparison (finchmark compare)."
        )
    for s in made:
        if s.primary and s.flag:
            text = f"{s.task}@{s.version}, {s.arm}: {s.flag}."
            if (s.error or s.missing) and math.isfinite(s.worst):
                text += (
                    f" Had all unscored samples been at the lower or the upper end, the mean would lie between "
                    f"{number(s.worst)} and {number(s.best)}."
                )
            notes.append(visible(text))
    return table(caption, _COLUMNS, rows, notes)
