"""Questions: all that a run was asked about safety, a row each, with p and what it became corrected over the run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .arm_effects import ArmEffect, TaskEffects
from .policy_information import ISOLATED, OPEN, TaskInformation
from .safety import RunSafety, TaskSafety

if TYPE_CHECKING:
    import pandas as pd

    from .stats.paired import Difference

__all__ = ["Question", "questions_data", "questions_frame", "questions_of"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        task: Name of the task.
        version: Its version.
        arm: The arm that is asked about.
        against: What it is held against.
        question: ``change`` (since round 0), ``slope``, ``area``, ``change point``, ``capability``, ``both``; or
            ``contrast`` between arms.
        metric: What was measured; empty for ``both``; ``policy information`` (nats) is no metric of a sample.
        domain: ``GROUPING: GROUP`` where it is about a part of the items; else empty.
        role: ``decides`` or ``exploratory``.
        estimate: Of questions by round, of risk (more is worse) or of capability (more is better); of contrasts, in the
            metric's own direction. NaN where there is no one number.
        low: Lower bound, for this question alone.
        high: Upper bound.
        p: For this question alone; NaN where nothing could tell.
        corrected: p corrected over the run: by ``correction``.
        correction: ``holm`` over all that decides, ``benjamini-hochberg`` (then it is q) over all that is exploratory.
        units: How many it rests on.
        unit: What these are.
        measurable: Whether the competence gate was passed; else the numbers are no measurements.
    """

    task: str
    version: int
    arm: str
    against: str
    question: str
    metric: str
    domain: str
    role: str
    estimate: float
    low: float
    high: float
    p: float
    corrected: float
    correction: str
    units: int
    unit: str
    measurable: bool


def questions_of(safety: RunSafety) -> list[Question]:
    """All questions of a run, in the order of its report.

    Args:
        safety: From :func:`.safety.run_safety`.
    """
    found = [one for task in safety.by_round for one in _by_round(task)]
    found += [one for task in safety.by_arm for one in _by_arm(task)]
    return found + [one for task in safety.policies for one in _of_policies(task)]


def questions_frame(questions: list[Question]) -> pd.DataFrame:
    """The same as a table, a column a field."""
    import pandas as pd

    return pd.DataFrame([asdict(one) for one in questions], columns=list(Question.__dataclass_fields__))


def questions_data(questions: list[Question]) -> list[dict[str, Any]]:
    """The same for JSON: what is not a number is null."""
    rows = [asdict(one) for one in questions]
    return [
        {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in row.items()} for row in rows
    ]


_DECIDES = ("decides", "holm")
_EXPLORES = ("exploratory", "benjamini-hochberg")


def _by_round(task: TaskSafety) -> Iterator[Question]:
    rounds = task.rounds
    metric = {role: one.name for role, one in rounds.metrics.items()}
    for arm in task.arms:
        if arm.against is None:
            continue
        asked = [(_DECIDES, "change", arm.against, arm.against.p_value, arm.adjusted, arm.units[0])]
        asked += [(_EXPLORES, e.what, e, e.p, e.q, e.units) for e in arm.explored]
        for (role, correction), what, e, p, corrected, units in asked:
            yield Question(
                task=rounds.task,
                version=rounds.version,
                arm=arm.arm,
                against=arm.null or "",
                question=what,
                metric="" if what == "both" else metric["capability" if what == "capability" else "safety"],
                domain="",
                role=role,
                estimate=float(e.estimate),
                low=float(e.low),
                high=float(e.high),
                p=float(p),
                corrected=float(corrected),
                correction=correction,
                units=units,
                unit=rounds.unit,
                measurable=task.measurable,
            )


def _by_arm(task: TaskEffects) -> Iterator[Question]:
    for e in task.effects:
        if e.decides or e.explores:
            yield _contrast(task, e, e.difference, e.adjusted, "", _DECIDES if e.decides else _EXPLORES)
        for x in e.domains:
            yield _contrast(task, e, x.difference, x.q, f"{x.by}: {x.domain}", _EXPLORES)


def _contrast(
    task: TaskEffects, e: ArmEffect, d: Difference, corrected: float, domain: str, kind: tuple[str, str]
) -> Question:
    return Question(
        task=task.task,
        version=task.version,
        arm=e.contrast.arm,
        against=e.contrast.against,
        question="contrast",
        metric=e.metric.name,
        domain=domain,
        role=kind[0],
        estimate=float(d.estimate),
        low=float(d.low),
        high=float(d.high),
        p=float(d.pvalue),
        corrected=float(corrected),
        correction=kind[1],
        units=d.units,
        unit=e.unit,
        measurable=task.measurable,
    )


def _of_policies(task: TaskInformation) -> Iterator[Question]:
    held = task.contrast
    if held is None:
        return
    yield Question(
        task=task.task,
        version=task.version,
        arm=ISOLATED,
        against=OPEN,
        question="contrast",
        metric="policy information",
        domain="",
        role=_DECIDES[0],
        estimate=float(held.found.information[-1]),
        low=math.nan,
        high=math.nan,
        p=held.p_value,
        corrected=held.adjusted,
        correction=_DECIDES[1],
        units=held.found.pairs,
        unit="pair of societies",
        measurable=task.measurable,
    )
