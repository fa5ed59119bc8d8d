"""Safety: by round and beside capability, with the arm that does not evolve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill

import numpy as np

from ..leaderboard.text import visible
from ..suite.nouns import several
from ..suite.safety import ArmSafety, RunSafety, TaskSafety
from ..suite.stats.change import ArmTest
from .arm_effects import arms_worst, as_sentence, effect_sections, gate_note
from .curves import curve_legend, legend_lines, paint_curves
from .exploratory import exploratory_table, exploratory_text
from .leeway import WHICHEVER_HEAD, whichever_way
from .panels import MOST_PANELS, panels
from .safety_overview import FEW_COMPARISONS, HOW_TO_READ, safety_overview, summed_claims
from .safety_rounds import ROLE_NAMES, role_lines
from .sensitivity import sensitivity_table, sensitivity_text
from .table_text import table_text
from .tables import Plot, Table, interval, number, table
from .worst_cases import worst_table

__all__ = ["round_sections", "safety_claims", "safety_sections", "safety_text"]

_COLUMNS = (
    "arm",
    "since round 0>",
    "more than null>",
    "corrected p>",
    "verdict",
    WHICHEVER_HEAD,
    "slope>",
    "area>",
    "capability>",
    "both>",
    "tipped",
    "units>",
)


def safety_claims(safety: RunSafety) -> tuple[str, ...]:
    """What can be said of safety, in sentences fit to be seen."""
    return tuple(visible(text, 2000) for text in summed_claims(safety))


def safety_sections(safety: RunSafety) -> list[Plot | Table]:
    """The sections of a report on safety: for every task its curves beside those of capability, and its contrasts."""
    overview = safety_overview(safety)
    found: list[Plot | Table] = [] if overview is None else [overview]
    # How to read the tables is told once.
    elsewhere = "How to read the table stands under the overview."
    told = (*HOW_TO_READ, safety.correction) if overview is None else (elsewhere,)
    for i, one in enumerate(safety.by_round):
        found += round_sections(one, f"safety-{i}", told)
    for i, one in enumerate(safety.by_arm):
        found += effect_sections(one, f"safety-arms-{i}", explained=i == 0)
        found += [sensitivity_table(told) for told in safety.sensitivity if told.task == one.task]
    return found


def round_sections(one: TaskSafety, name: str, told: Sequence[str]) -> list[Plot | Table]:
    """The sections on the rounds of one task.

    Args:
        one: What its rounds say.
        name: Anchor.
        told: How to read its table, or where that stands.
    """
    found: list[Plot | Table | None] = [
        _plot(one, name, told), exploratory_table(one), _tail_table(one), _worst_table(one), _curve_table(one),
    ]  # fmt: skip
    return [section for section in found if section is not None]


def safety_text(read: RunSafety, *, width: int | None = None) -> list[str]:
    """The same for a terminal: of many comparisons first what they come to, then a line a claim.

    Args:
        read: What the run says.
        width: Columns; None: 120.
    """
    lines = list[str]()
    if not read:
        return lines
    if len({*(one.rounds.task for one in read.by_round), *(one.task for one in read.by_arm)}) > FEW_COMPARISONS:
        claims = (fill(visible(text, 2000), width or 120) for text in summed_claims(read))
        lines += ["", "Safety: the whole run", *claims]
    said = [(f"{one.rounds.task}@{one.rounds.version}", one) for one in read.by_round]
    for name, one in [*said, *((f"{one.task}@{one.version}, arms", one) for one in read.by_arm)]:
        lines += ["", visible(f"Safety: {name}")]
        lines += [fill(visible(text, 2000), width or 120) for text in one.words]
        lines += exploratory_text(one, width=width) if isinstance(one, TaskSafety) else []
        tails = (_tail_table(one), _worst_table(one)) if isinstance(one, TaskSafety) else (arms_worst(one),)
        lines += [
            line for made in tails if made is not None and one.measurable for line in table_text(made, width=width)
        ]
        for told in read.sensitivity:
            lines += sensitivity_text(told, width=width) if name == f"{told.task}@{told.version}, arms" else []
        lines += [fill(visible("; ".join(one.notes), 2000) + ".", width or 120)] if one.notes else []
    lines += ["", fill(read.correction, width or 120)]
    return lines


def _plot(one: TaskSafety, name: str, told: Sequence[str]) -> Plot:
    rounds = one.rounds
    shown = list(role_lines(one).values())
    svg = ""
    if shown:
        svg = panels(
            shown,
            paint_curves,
            lambda lines: lines.title,
            name=f"{name}-figure",
            title=f"Safety and capability of {rounds.task}",
            description="Means by round, one line an arm, with bands that hold for a whole curve.",
            legend=lambda canvas: curve_legend(canvas, rounds.arms),
            height=150,
            legend_lines=legend_lines(rounds.arms),
        )
    null = "no arm that stays as it was" if rounds.null is None else f"the arm {rounds.null!r}"
    gate = []
    if one.gate is not None:
        gate.append(gate_note(one.gate))
    gate += [
        f"{arm}: of the breaches at the last round, in {number(share)} the same agent knew the very rule when asked."
        for arm, share in one.knowing.items()
        if share is not None
    ]
    return Plot(
        name,
        f"Safety: {visible(rounds.task)}@{rounds.version}",
        f"Safety beside capability by {rounds.at}; {visible(several(rounds.unit))} are units, {_units(one)} an arm; "
        f"each arm is held against {null}. The bands hold for a whole curve. Whether arms differ is not seen from "
        "bands: they are held against each other unit by unit, in the table. Capability and safety are never made one "
        "number.",
        svg,
        table(
            f"Change of risk ({rounds.metrics['safety'].name}): {rounds.task}",
            _COLUMNS,
            [_row(a, one) for a in one.arms],
        ),
        (
            *(visible(text) for text in gate),
            *(visible(as_sentence(note, rounds.arms)) for note in one.notes),
            *told,
            *([f"The figure shows the first {MOST_PANELS} panels."] if len(shown) > MOST_PANELS else []),
        ),
    )


def _units(one: TaskSafety) -> str:
    """How many units the curves of safety rest on."""
    counts = sorted({c.units for c in one.curves if c.role == "safety"})
    return "none" if not counts else str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _estimate(test: ArmTest | None, digits: int = 3) -> str:
    return "–" if test is None else number(test.estimate, digits)


def _bounded(test: ArmTest | None) -> str:
    return "–" if test is None else f"{number(test.estimate)} {interval(test.low, test.high)}"


def _row(arm: ArmSafety, one: TaskSafety) -> tuple[str, ...]:
    points = one.rounds.points
    tipped = "–"
    if arm.tipping is not None and arm.verdict == "less safe":
        tipped = "no" if arm.tipping.round is None else f"at {points[arm.tipping.round]:g}"
    return (
        arm.arm,
        _bounded(arm.since),
        _bounded(arm.against),
        "–" if not np.isfinite(arm.adjusted) else f"{arm.adjusted:.3f}",
        _verdict(arm) if one.measurable else "not measurable",
        whichever_way(arm.leeway),
        _estimate(arm.slope, 4),
        "–" if arm.area is None else f"{number(arm.area[0])} {interval(arm.area[1], arm.area[2])}",
        _estimate(arm.skill),
        "–" if arm.signature is None else f"{arm.signature.p_value:.3f}",
        tipped,
        f"{arm.units[0]} of {arm.units[1]}",
    )


def _verdict(arm: ArmSafety) -> str:
    doubt = arm.unsure and arm.verdict in ("less safe", "safer")
    return f"{arm.verdict} (but not if what has no decision had gone the other way)" if doubt else arm.verdict


def _curve_table(one: TaskSafety) -> Table:
    rows = [
        (
            ROLE_NAMES[c.role],
            one.rounds.metrics[c.role].name,
            c.arm,
            f"{c.curve.points[k]:g}",
            number(float(c.curve.mean[k])),
            interval(c.curve.low[k], c.curve.high[k]),
            interval(c.curve.band_low[k], c.curve.band_high[k]),
            str(c.units),
        )
        for c in one.curves
        for k in range(len(c.curve.points))
    ]
    heads = ("what", "metric", "arm", f"{one.rounds.at}>", "mean>", "pointwise>", "whole curve>", "units>")
    return table(f"By round: {one.rounds.task}", heads, rows)


def _worst_table(one: TaskSafety) -> Table | None:
    rounds = one.rounds
    return worst_table(rounds.task, one.worst, unit=rounds.unit, at=rounds.at, points=rounds.points.tolist())


def _tail_table(one: TaskSafety) -> Table | None:
    rows = list(_tail_rows(one))
    if not rows:
        return None
    return table(
        f"Tails: {one.rounds.task}",
        ("arm", f"{one.rounds.at}>", "worst of>", "k>", "worst tenth of items>", "if all alike>"),
        rows,
        [
            "Worst of k: how often at least one of k agents breaks the rule of an item, on average over items. Worst "
            "tenth: chosen by one half of the agents and valued by the other; beside it what noise alone would show "
            "if all items were alike and the same half chose and valued. No interval: it would have to take in new "
            "agents too. * sparse: fewer than 5 items in the tail, or 30 in all."
        ],
    )


def _tail_rows(one: TaskSafety) -> Iterable[tuple[str, ...]]:
    for arm in one.arms:
        for tail in arm.tails:
            items = tail.items
            yield (
                arm.arm,
                f"{one.rounds.points[tail.round]:g}",
                number(tail.worst_of),
                str(tail.k),
                "–" if items is None else f"{number(items.estimate)}{'*' if items.sparse else ''}",
                "–" if items is None else number(items.null),
            )
