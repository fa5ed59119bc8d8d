"""Policy information: what can still be read of the policies that societies were given, and isolated against open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..leaderboard.text import visible
from ..suite.arm_effects import p_words
from ..suite.policy_information import ArmInformation, OpenContrast, TaskInformation
from ..suite.stats.curves import Curve
from .curves import Lines, curve_legend, legend_lines, paint_curves
from .drawing import COLOURS
from .folds import Fold, Folds, Part
from .panels import panels
from .tables import Plot, Table, interval, number, share, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["policy_claims", "policy_folds", "policy_sections", "policy_text"]

_BY_ROUND = (
    "measurement>",
    "arm",
    "error>",
    "Fano's bound>",
    "at the error>",
    "plug-in>",
    "corrected>",
    "by luck>",
    "p>",
    "unread>",
    "error, whatever was unread>",
    "bound, at worst>",
)
_HEADS = ("verdict", "isolated − open", "societies an arm", "gate")
_CONTRAST = ("measurement>", "information>", "p>", "read>", "read, whatever was unread>")


def policy_claims(found: Sequence[TaskInformation]) -> tuple[str, ...]:
    """What can be said of policies that societies were given, in sentences fit to be seen."""
    return tuple(visible(text, 2000) for one in found for text in one.words)


def policy_sections(found: Sequence[TaskInformation]) -> list[Plot | Table]:
    """The sections of a report: what is claimed first, and then what it is made of, by measurement and arm."""
    return [section for k, one in enumerate(found) for section in _sections(one, k)]


def policy_folds(found: Sequence[TaskInformation]) -> list[Folds]:
    """The same, folded, for a page that is about many tasks; empty where nothing was found."""
    folds = []
    for k, one in enumerate(found):
        if one.gate is not None and not one.gate.passed:
            verdict = "not measurable"
        elif one.too_few:
            verdict = "too few societies"
        else:
            verdict = "no claim" if one.contrast is None else one.contrast.verdict
        told = "–"
        if one.measurable and one.contrast is not None:
            told = f"{_signed(one.contrast.found.information[-1])} nats"
        line = verdict, told, str(one.societies), "passed" if one.measurable else "not passed"
        titles = ["By measurement and arm" if one.arms else "What it could show at best"]
        if one.contrast is not None:
            titles.insert(0, "What is claimed")
        parts = tuple(Part(title, each) for title, each in zip(titles, _sections(one, k), strict=True))
        folds.append(Fold(f"policies-{k}", visible(f"{one.task}@{one.version}"), line, parts))
    if not folds:
        return []
    lead = "How much of a policy that societies were given can still be read from what they do."
    return [Folds("policies", "Policy information", lead, _HEADS, tuple(folds))]


def policy_text(found: Sequence[TaskInformation], *, width: int | None = None) -> list[str]:
    """The same for a terminal, a line a claim.

    Args:
        found: What the run says.
        width: Columns; None: 120.
    """
    lines = list[str]()
    for one in found:
        lines += ["", visible(f"Policy information: {one.task}@{one.version}")]
        lines += [fill(visible(text, 2000), width or 120) for text in (*one.words, *one.notes)]
    return lines


def _sections(one: TaskInformation, k: int) -> Iterator[Plot | Table]:
    name = f"{visible(one.task)}@{one.version}"
    notes = [visible(text, 2000) for text in (*one.words, *one.notes)]
    if not one.arms:
        heads = ("societies an arm>", "policies>", "all there is to know>", "bound at best>")
        row = str(one.societies), str(one.policies), number(one.most), number(one.at_best)
        yield table(f"Policy information: {name}", heads, [row], notes)
        return
    if one.contrast is not None:
        rows = _contrast_rows(one.contrast, one.rounds)
        yield table(f"Policy information, isolated less open: {name}", _CONTRAST, rows, [*notes, _CLAIM])
    yield Plot(
        f"policy-curves-{k}",
        f"Policy information by measurement: {name}",
        "How often a society's policy is guessed wrongly from what it answers, with the limits of each measurement by "
        "itself, and what answers hold of it at least. The dotted lines are luck, and all there is to know.",
        _drawn(one, f"policy-curves-{k}-figure"),
        table(
            f"By measurement and arm: {name}",
            _BY_ROUND,
            [_row(at, arm) for at in range(one.rounds) for arm in one.arms],
        ),
        (
            *(notes if one.contrast is None else ()),
            f"{one.societies} societies an arm, as many of each of {one.policies} policies: ln K = {number(one.most)} "
            f"nats is all there is to know, and with so many societies the bound is {number(one.at_best)} at best. "
            "Measurement 0 is before the first round.",
            "A policy is guessed from a society's answers by naive Bayes, learnt from how other societies answered at "
            "measurement 0. The error stands with Clopper and Pearson's limits; whatever the guess, answers hold at "
            "least Fano's bound at the upper one. The mutual information of policies and guesses stands as it is "
            "(plug-in) and corrected after Miller and Madow, beside its mean when policies are dealt out anew (by "
            "luck); p says that there is any, for all measurements of the arm together. It is too high where societies "
            "are few, so that only its difference and its p decide.",
            "What could not be read counts as an answer of its own kind. In the last two columns every society with "
            "such an answer is guessed rightly, or wrongly.",
        ),
    )


@dataclass(frozen=True)
class _Panel:
    """Curves, and a level that none of them can pass or stays at by luck."""

    lines: Lines
    level: float


def _drawn(one: TaskInformation, name: str) -> str:
    arms = tuple(arm.arm for arm in one.arms)
    at = np.arange(one.rounds, dtype=np.float64)
    unknown = np.full(one.rounds, np.nan)

    def curve(mean: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], level: float) -> Curve:
        units = np.full(one.rounds, one.societies)
        return Curve(at, mean, low, high, low, high, units, level, 1 - level)

    def lines(title: str, curves: Sequence[Curve], most: float) -> Lines:
        return Lines(title, tuple(zip(arms, curves, strict=True)), 0.0, most, float(at[-1]), "measurement", arms)

    found = [arm.found for arm in one.arms]
    wrong = [curve(f.error, f.error_low, f.error_high, f.confidence) for f in found]
    proven = [curve(f.fano, unknown, unknown, f.confidence) for f in found]
    shown = [
        _Panel(lines("policy guessed wrongly, share of societies", wrong, 1.0), 1 - 1 / one.policies),
        _Panel(lines("information at least (Fano), nats", proven, one.most), one.most),
    ]

    def paint(axes: Axes, panel: _Panel) -> None:
        paint_curves(axes, panel.lines)
        axes.set_ylim(0.0, max(axes.get_ylim()[1], 1.05 * panel.level))
        axes.axhline(panel.level, color=COLOURS["soft"], linestyle=":", linewidth=1)

    return panels(
        shown,
        paint,
        lambda panel: panel.lines.title,
        name=name,
        title=f"Policy information of {visible(one.task)}",
        description="By measurement, one line an arm: the share of societies whose policy is guessed wrongly, with "
        "limits, and the information that answers hold of it at least.",
        legend=lambda canvas: curve_legend(canvas, arms),
        height=120,
        legend_lines=legend_lines(arms),
    )


_CLAIM = (
    "Information in nats, corrected. p by exchanging the arms of whole pairs of societies that were given the same "
    "policy, for all measurements together; read is the difference of the shares of societies whose policy was "
    "guessed, with Tango's limits. Only this contrast is claimed, at the last measurement: that isolated societies "
    "show less with time is neither assumed nor shown by them alone, and showing more violates nothing."
)


def _contrast_rows(contrast: OpenContrast, rounds: int) -> Iterator[tuple[str, ...]]:
    held = contrast.found
    for at in range(rounds):
        yield (
            str(at),
            _signed(held.information[at]),
            p_words(float(held.adjusted[at])).removeprefix("= "),
            f"{_signed(held.read[at])} {interval(held.read_low[at], held.read_high[at])}",
            interval(contrast.least[at], contrast.most[at]),
        )


def _signed(value: float) -> str:
    text = number(float(value))
    return text if text.startswith("−") or not float(text) else f"+{text}"


def _row(at: int, arm: ArmInformation) -> tuple[str, ...]:
    found = arm.found
    return (
        str(at),
        arm.arm,
        f"{number(found.error[at])} {interval(found.error_low[at], found.error_high[at])}",
        number(found.fano[at]),
        number(found.at_error[at]),
        number(found.plug_in[at]),
        number(found.corrected[at]),
        number(found.baseline[at]),
        p_words(float(found.adjusted[at])).removeprefix("= "),
        share(float(arm.unread[at]), 1.0),
        interval(arm.error_least[at], arm.error_most[at]),
        number(arm.fano_least[at]),
    )
