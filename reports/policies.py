"""Policy information: what can still be read of the policies that societies were given, and isolated against open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from ..leaderboard.text import visible
from ..suite.arm_effects import p_words
from ..suite.policy_information import ArmInformation, OpenContrast, TaskInformation, run_policies
from ..suite.store import StoredRun
from .folds import Fold, Folds, Part
from .tables import Table, interval, number, share, table

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


def policy_sections(found: Sequence[TaskInformation]) -> list[Table]:
    """The sections of a report: what is claimed first, and then what it is made of, by measurement and arm."""
    return [section for one in found for section in _sections(one)]


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
        parts = tuple(Part(title, each) for title, each in zip(titles, _sections(one), strict=True))
        folds.append(Fold(f"policies-{k}", visible(f"{one.task}@{one.version}"), line, parts))
    if not folds:
        return []
    lead = "How much of a policy that societies were given can still be read from what they do."
    return [Folds("policies", "Policy information", lead, _HEADS, tuple(folds))]


def policy_text(run: StoredRun, *, width: int | None = None) -> list[str]:
    """The same for a terminal, a line a claim.

    Args:
        run: The run.
        width: Columns; None: 120.
    """
    lines = list[str]()
    for one in run_policies(run):
        lines += ["", visible(f"Policy information: {one.task}@{one.version}")]
        lines += [fill(visible(text, 2000), width or 120) for text in (*one.words, *one.notes)]
    return lines


def _sections(one: TaskInformation) -> Iterator[Table]:
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
    yield table(
        f"Policy information by measurement: {name}",
        _BY_ROUND,
        [_row(at, arm) for at in range(one.rounds) for arm in one.arms],
        [
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
        ],
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
