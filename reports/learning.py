"""Learning: curves of arms over checkpoints, contrasts between arms, what was forgotten, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np

from ..leaderboard.text import visible
from ..suite.contrast import Contrast
from ..suite.learning import ArmCurve, TaskLearning, run_learning
from ..suite.learning_cost import LearningCost, LearningTokens, learning_cost
from ..suite.stats.curves import MIN_STREAMS
from ..suite.store import StoredRun
from ..suite.stream_contrasts import EVOLVING, FROZEN, SHUFFLED, probe_sets
from ..suite.stream_scores import ALL_LEVELS, LIVED, primary_probes
from .curves import Lines, curve_legend, paint_curves
from .panels import MOST_PANELS, panels
from .tables import Plot, Table, interval, number, table

__all__ = [
    "decided_elsewhere",
    "learning_beside",
    "learning_claims",
    "learning_costs",
    "learning_sections",
    "learning_text",
]

_ALWAYS = (EVOLVING, FROZEN, SHUFFLED)
_KINDS = {
    "levels": "unseen levels",
    "worlds": "unseen worlds",
    "inverse": "inverse worlds",
    "beside": "beside what decides",
}
_MEASURES = {
    "end": "at the end",
    "slope": "slope",
    "area": "mean height",
    "forgetting": "forgotten",
    "falls": "falls",
}


def learning_claims(learning: Sequence[TaskLearning]) -> tuple[str, ...]:
    """What can be said of learning, in sentences fit to be seen."""
    return tuple(visible(text, 2000) for one in learning for text in one.words)


def learning_costs(
    run: StoredRun, learning: Sequence[TaskLearning], spent: LearningTokens | None = None
) -> list[LearningCost]:
    """What learning cost, task by task.

    Args:
        run: The run.
        learning: What its streams say.
        spent: What was asked while learning; None: read from the run's samples, which takes a pass over all turns.
    """
    if not learning:
        return []
    if spent is None:
        spent = LearningTokens()
        for sample in run.samples():
            spent.add(sample)
    frame = run.frame()
    return [learning_cost(one, frame[frame["task"] == one.task], run.updates(task=one.task), spent) for one in learning]


def learning_sections(learning: Sequence[TaskLearning], costs: Sequence[LearningCost]) -> list[Plot | Table]:
    """The sections of a report on learning: for every task its curves and contrasts, and what it cost.

    Args:
        learning: What the streams say, task by task.
        costs: What it cost, of the same tasks in the same order.
    """
    found = list[Plot | Table]()
    for i, (one, cost) in enumerate(zip(learning, costs, strict=True)):
        found += [_curve_plot(one, f"learning-{i}"), _contrast_table(one), _curve_table(one)]
        plot = _cost_plot(one, cost, f"learning-cost-{i}")
        found += [plot] if plot is not None else []
    return found


def decided_elsewhere(one: TaskLearning, metric: str) -> bool:
    """Whether the contrast that decides is one of a metric that another section of the page decides."""
    return one.metric.name == metric and one.primary is not None


def learning_beside(one: TaskLearning, cost: LearningCost, name: str) -> list[Plot | Table]:
    """The sections of a task whose deciding contrast and curves another section of the page holds already.

    Args:
        one: What its streams say.
        cost: What it cost.
        name: Anchor.
    """
    decides = primary_probes(one.scores.sheet)
    left = [c for c in one.contrasts if c.streams and (c.probes != decides or c.measure not in _TOLD)]
    found: list[Plot | Table | None] = []
    if left:
        note = (
            f"The change of {visible(one.metric.name)} at the end and its curve stand above, where they decide; they "
            "are not told twice. These are exploratory, corrected by Benjamini and Hochberg."
        )
        found.append(table(f"Learning besides: {one.task}", _COLUMNS, map(_contrast_row, left), [note]))
    found.append(_cost_plot(one, cost, name))
    return [section for section in found if section is not None]


def _curve_plot(one: TaskLearning, name: str) -> Plot:
    shown = _groups(one)
    svg = panels(
        shown,
        paint_curves,
        lambda lines: lines.title,
        name=f"{name}-figure",
        title=f"Learning curves of {one.task}",
        description="Mean score by episodes lived, one line an arm, with bands that hold for a whole curve.",
        legend=lambda canvas: curve_legend(canvas, [arm for lines in shown for arm, _ in lines.arms]),
        height=150,
    )
    decides = (
        "Nothing decides."
        if one.primary is None
        else "What decides is the difference evolving less frozen at the last checkpoint on "
        f"{visible(one.primary.probes)!r}; all else is exploratory."
    )
    more = [f"The figure shows the first {MOST_PANELS} of {len(shown)} panels; the table has all."]
    return Plot(
        name,
        f"Learning: {visible(one.task)}@{one.version}",
        f"Mean {visible(one.metric.name)} by episodes lived; streams are the units. Probes are asked of a copy of the "
        "agent that does not learn from them; lived episodes are what it learns from, averaged from one checkpoint to "
        "the next. The bands hold for a whole "
        f"curve with {100 * one.confidence:g} % confidence. That two bands overlap says nothing of the difference: "
        f"arms are held against each other stream by stream, in the table. {decides}",
        svg,
        table(
            f"Contrasts between arms: {one.task}",
            [_COLUMNS[i] for i in _SHORT],
            [_short(c) for c in one.contrasts if _telling(one, c)],
        ),
        (
            *(visible(f"{note[0].upper()}{note[1:]}.") for note in one.notes),
            "Effect: the first arm less the second, on the same streams, with Student's t over streams; slopes are per "
            "episode. p: by "
            "exchanging the arms' labels of whole streams. Exploratory p-values are corrected by Benjamini and "
            "Hochberg. Falls: share of checkpoints that are worse than the one before, equal ones counting half; noise "
            "alone makes it one half. Forgotten: score when it had been learnt less that at the end. "
            f"No claim: under {MIN_STREAMS} streams a number describes these agent states only.",
            *(visible(text) for c in one.contrasts if _telling(one, c) for text in _bounds(c)),
            *(more if len(shown) > MOST_PANELS else ()),
        ),
    )


_COLUMNS = (
    "contrast",
    "probes",
    "measure",
    "first>",
    "second>",
    "effect>",
    "95 % interval>",
    "p>",
    "corrected p>",
    "streams>",
    "up, down>",
    "verdict",
)
_SHORT = (0, 1, 2, 3, 4, 5, 6, 8, 9, 11)
"""Columns of the short table; there the p-value of what decides stands among the corrected ones."""
_TOLD = ("end", "slope", "area")
"""Measures of the probes that decide which a section on safety by round has as well."""
_MEANS = (3, 4)
"""Columns that the terminal has no room for."""


def _contrast_row(c: Contrast) -> tuple[str, ...]:
    digits = 4 if c.measure == "slope" else 3
    streams = str(c.streams) if c.streams == c.planned else f"{c.streams} of {c.planned}"
    return (
        f"{c.arm} − {c.other}",
        "lived" if c.kind == "lived" else c.probes,
        _MEASURES[c.measure],
        number(c.arm_mean, digits),
        number(c.other_mean, digits),
        number(c.estimate, digits),
        interval(c.low, c.high, digits),
        _p(c.p_value),
        _p(c.adjusted),
        streams,
        f"{c.up}, {c.down}",
        "no claim" if c.verdict == "no claim" else c.verdict_words.removesuffix(", exploratory"),
    )


def _short(c: Contrast) -> tuple[str, ...]:
    row = list(_contrast_row(c))
    row[8] = _p(c.adjusted)
    row[11] = f"decides: {row[11]}" if c.primary else row[11]
    return tuple(row[i] for i in _SHORT)


def _telling(one: TaskLearning, c: Contrast) -> bool:
    """Whether a contrast stands in the short table.

    Of evolving less frozen what decides, transfers or warns; of other arms the end on the probes that decide.
    """
    decides = c.probes == primary_probes(one.scores.sheet)
    if (c.arm, c.other) == (EVOLVING, FROZEN):
        return decides or c.measure in ("end", "forgetting", "falls")
    return decides and c.measure == "end"


def _bounds(c: Contrast) -> list[str]:
    if not c.notes:
        return []
    ends = "" if not np.isfinite(c.worst) else f" From {number(c.worst)} to {number(c.best)}, worst and best case."
    return [f"{c.name}: {'; '.join(c.notes)}.{ends}"]


def _contrast_table(one: TaskLearning) -> Table:
    return table(
        f"All contrasts: {one.task}",
        _COLUMNS,
        [_contrast_row(c) for c in one.contrasts],
    )


def _curve_table(one: TaskLearning) -> Table:
    rows = []
    for found in one.curves:
        c = found.curve
        rows += [
            (
                found.probes,
                found.arm,
                f"{c.points[k]:,.0f}",
                number(float(c.mean[k])),
                interval(c.low[k], c.high[k]),
                interval(c.band_low[k], c.band_high[k]),
                f"{found.streams} of {found.planned}",
            )
            for k in range(len(c.points))
        ]
    return table(
        f"Learning curves: {one.task}",
        ("probes", "arm", "episodes lived>", "mean>", "pointwise>", "whole curve>", "streams>"),
        rows,
    )


def _groups(one: TaskLearning) -> list[Lines]:
    """What stands in which panel: the arms that every run has together, the controls in panels of their own."""
    groups = list[Lines]()
    arms = one.scores.arms
    controls = [arm for arm in arms if arm not in _ALWAYS]
    sets = [probes for probes, _ in probe_sets(one.scores)]
    for chosen in ([arm for arm in arms if arm in _ALWAYS], [EVOLVING, *controls] if controls else []):
        for probes in sets:
            found = [c for arm in chosen for c in one.curves if (c.arm, c.probes) == (arm, probes)]
            if found:
                lines = tuple((c.arm, c.curve) for c in found)
                title = _title(found[0]) + ("" if set(chosen) <= set(_ALWAYS) else ", controls")
                groups.append(Lines(title, lines, one.metric.low, one.metric.high, one.scores.sheet.episodes))
    return groups


def _title(found: ArmCurve) -> str:
    if found.probes == LIVED:
        return "lived episodes"
    if found.probes == ALL_LEVELS:
        return "unseen levels of all worlds"
    kind = _KINDS[str(found.kind)]
    return f"{found.probes}: {kind}" if found.probes != found.kind else kind


def _cost_plot(one: TaskLearning, cost: LearningCost, name: str) -> Plot | None:
    if not any(arm.streams for arm in cost.arms):
        return None
    curves = tuple((arm.arm, arm.sizes) for arm in cost.arms if arm.sizes is not None)
    svg = ""
    if curves:
        svg = panels(
            [Lines("bytes of the state", curves, None, None, one.scores.sheet.episodes)],
            paint_curves,
            lambda lines: lines.title,
            name=f"{name}-figure",
            title=f"Size of the state in {one.task}",
            description="Bytes of the state by episodes lived, one line an arm.",
            legend=lambda canvas: curve_legend(canvas, [arm for arm, _ in curves]),
            height=150,
        )
    rows = [
        (
            arm.arm,
            f"{arm.streams} of {one.scores.sheet.streams}",
            _whole(arm.acting.estimate, arm.acting.low, arm.acting.high),
            _whole(arm.learning.estimate, arm.learning.low, arm.learning.high),
            f"{arm.updates.estimate:,.1f}" if arm.updates.units else "–",
            _whole(arm.size.estimate, arm.size.low, arm.size.high),
        )
        for arm in cost.arms
    ]
    return Plot(
        name,
        f"What learning cost: {visible(one.task)}@{one.version}",
        "Tokens are those read and written in lived episodes; probes are left out, since they only measure. Intervals "
        "are over streams that were lived to their end.",
        svg,
        table(
            f"Size and cost: {one.task}",
            (
                "arm",
                "streams>",
                "tokens to play an episode>",
                "to learn from it>",
                "updates a stream>",
                "bytes at end>",
            ),
            rows,
        ),
        tuple(visible(text) for text in cost.words),
    )


def _whole(estimate: float, low: float, high: float) -> str:
    if not np.isfinite(estimate):
        return "–"
    bounds = f" [{low:,.0f}, {high:,.0f}]" if np.isfinite(low) and np.isfinite(high) else ""
    return f"{estimate:,.0f}{bounds}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.0005 else number(value)


def learning_text(run: StoredRun, *, width: int | None = None) -> list[str]:
    """What a run's streams say, for the terminal: a short table a task and the sentence that decides.

    Args:
        run: The run.
        width: The terminal's width; None: as wide as needed.

    Returns:
        Lines; none where no task has streams.

    Raises:
        StoreError: The run is damaged.
    """
    from .terminal import draw, text_table

    lines = list[str]()
    for one in run_learning(run):
        made = text_table(*(_COLUMNS[i] for i in _SHORT if i not in _MEANS))
        for c in one.contrasts:
            if _telling(one, c) and c.streams:
                made.add_row(*(visible(text) for i, text in zip(_SHORT, _short(c), strict=True) if i not in _MEANS))
        lines += ["", visible(f"Learning: {one.task}@{one.version}, {one.metric.name}")]
        if made.row_count:
            lines.append(draw(made, width))
        if one.primary is not None and one.metric.role == "safety":
            told = f"What the change of {one.metric.name} comes to is said under Safety, corrected over the run."
            lines.append(fill(visible(told, 2000), width or 120))
        elif one.primary is not None:
            lines.append(fill(visible(one.words[0], 2000), width or 120))
        notes = [*one.notes, *(["only what decides is a claim; the others are exploratory"] if one.contrasts else [])]
        lines.append(fill(visible("; ".join(notes) + ".", 2000), width or 120))
    return lines
