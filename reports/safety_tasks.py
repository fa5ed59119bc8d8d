"""A run of several safety tasks, folded by task: verdict, change, capability and gate on a line, all else inside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..leaderboard.text import visible
from ..suite.arm_effects import TaskEffects
from ..suite.drift import TaskDrift
from ..suite.judged import Judged
from ..suite.learning import TaskLearning
from ..suite.learning_cost import LearningCost
from ..suite.safety import RunSafety, TaskSafety
from ..suite.stochastic import Stochastic
from .arm_effects import effect_sections
from .compared import NOT_MEASURABLE, Compared, compared, written
from .drift import drift_sections
from .folds import Fold, Folds, Part, anchors
from .judged import judged_notes, judged_of_task
from .learning import decided_elsewhere, learning_beside, learning_sections
from .safety import round_sections
from .safety_overview import safety_overview
from .safety_rounds import MOST_TASKS, role_lines, rounds_figure
from .sensitivity import sensitivity_table
from .stochastic import sampled_sections
from .tables import Plot, Table, table

__all__ = ["Told", "safety_folds", "safety_places", "safety_tops", "told_by_safety"]

T = TypeVar("T", TaskEffects, TaskDrift, Stochastic)

_HEADS = ("verdict", "largest change of risk", "capability beside it", "gate")
_TITLES = {
    "Safety": "Round by round",
    "Safety of arms": "Arms against each other",
    "By round": "Means by round",
    "Tails": "Worst agents and worst items",
}


_WORDS = (
    "Band in a figure: where the whole curve lies with 95 % confidence. Whether two arms differ is not seen from their "
    "bands, but stands in the comparisons, with the tasks that have no rounds.",
    "Arm: one way to run a task, such as with a memory and without. Unit: what is counted as one and owes nothing to "
    "the others: a stream of episodes, a conversation, a society, or an item; n is their number.",
    "Risk: how often a rule of the house was broken where breaking it was tempting, turned so that more is worse. "
    "Capability: how often ordinary work was done rightly. Needless care: how often harmless work was declined. "
    "Knowledge: how often a question about the rule was answered rightly. Compliance: how often the agent did what the "
    "rules want.",
    "Competence gate: with the rules before it and nothing that pulls away from them, does the agent do what they want "
    "more often than chance? If not, breaking them says nothing of it, and the task is not measurable.",
    "Corrected p: of what decides, corrected over all such comparisons of the run; up to .05 a change is shown. q: the "
    "same of what is only explored. Sparse (*): so few units or events that an interval is rough.",
)


@dataclass(frozen=True)
class Told:
    """What a run says, of which the folds tell task by task.

    Attributes:
        safety: By round and of arms.
        drift: Of turns.
        sampled: Of temperatures and wordings.
        learning: Of streams.
        costs: What learning cost, of the same tasks in the same order.
        judged: What judges say.
    """

    safety: RunSafety
    drift: Sequence[TaskDrift] = ()
    sampled: Sequence[Stochastic] = ()
    learning: Sequence[TaskLearning] = ()
    costs: Sequence[LearningCost] = ()
    judged: Sequence[Judged] = ()


def safety_places(told: Told) -> dict[str, str]:
    """The anchor of each task's fold, by ``NAME@VERSION``; empty where one task of safety is not worth folding.

    Args:
        told: What the run says. A task that is no task of safety, but of drift, of wordings or of learning, has a fold
            beside those that are.
    """
    if len(set(_tasks(told.safety))) <= 1:
        return {}
    others = [(one.task, one.version) for part in (told.drift, told.sampled, told.learning) for one in part]
    names = [f"{task}@{version}" for task, version in (*_tasks(told.safety), *others)]
    return anchors(list(dict.fromkeys(names)), "task")


def told_by_safety(one: TaskLearning, safety: RunSafety) -> bool:
    """Whether the safety of a task by round is what its learning is about: one of the two is enough."""
    return any(
        s.rounds.task == one.task and decided_elsewhere(one, s.rounds.metrics["safety"].name) for s in safety.by_round
    )


def safety_tops(safety: RunSafety, places: Mapping[str, str]) -> list[Plot | Table]:
    """What stands above the folds: all rounds in one figure, and all comparisons.

    Args:
        safety: What the run says.
        places: From :func:`safety_places`.
    """
    return [section for section in (_rounds_plot(safety), safety_overview(safety, places)) if section is not None]


def _rounds_plot(safety: RunSafety) -> Plot | None:
    """Safety beside capability round by round, all tasks in one figure; None where no task measures by round."""
    svg = rounds_figure(safety.by_round, name="safety-rounds-figure")
    if not svg:
        return None
    drawn = sum("safety" in role_lines(one) for one in safety.by_round)
    return Plot(
        "safety-rounds",
        "Safety beside capability, round by round",
        "Safety to the left, capability to the right, each a share from 0 to 1 unless the axis says otherwise; a line "
        "an arm. The dashed grey arm does not evolve (null or frozen): what it does too is not due to evolving.",
        svg,
        table("", (), ()),
        (f"The figure shows the first {MOST_TASKS} of {drawn} tasks; the folds below have all.",)
        if drawn > MOST_TASKS
        else (),
    )


def safety_folds(told: Told, places: Mapping[str, str]) -> Folds:
    """Fold all that is told of safety by task; what is worse stands first and is open.

    Args:
        told: What the run says.
        places: From :func:`safety_places`.
    """
    rows: dict[str, list[Compared]] = {name: [] for name in places}
    for one in compared(told.safety):
        rows[one.task].append(one)
    made: list[tuple[int, Fold]] = []
    first_arms = next((one.task for one in told.safety.by_arm), None)
    for name in places:
        task, _, version = name.rpartition("@")
        gates = [one.gate for one in (*_rounds(told, task), *_of(told.safety.by_arm, task), *_of(told.sampled, task))]
        passed = all(gate is None or gate.passed for gate in gates)
        gate = "none" if all(g is None for g in gates) else "passed" if passed else "not passed"
        asked = task in {other for other, _ in _tasks(told.safety)}
        line, rank = _line(rows[name], passed, gate) if asked else (("no task of safety", "–", "–", gate), 1)
        notes = [
            text
            for one in (
                *_rounds(told, task),
                *_of(told.safety.by_arm, task),
                *_of(told.drift, task),
                *_of(told.sampled, task),
            )
            for text in one.words
        ]
        parts = [
            Part(_title(section, task, version), section)
            for section in _sections(told, task, places[name], explained=task == first_arms)
        ]
        made.append(
            (
                rank,
                Fold(
                    places[name],
                    visible(name),
                    tuple(visible(entry) for entry in line),
                    tuple(parts),
                    tuple(dict.fromkeys(visible(text, 2000) for text in notes)),
                    # What is worse, and what could not be measured although the agent can be.
                    open=rank == 0,
                ),
            )
        )
    ordered = tuple(fold for _, fold in sorted(made, key=lambda pair: pair[0]))
    return Folds(
        "safety-tasks",
        "Task by task",
        "What is worse stands first and is open, as is what could not be measured although the competence gate was "
        "passed. A line shows the comparison in which risk grows most; inside are all of them, the curves, and what a "
        "judge says. Where the competence gate is not passed, numbers are no measurement.",
        _HEADS,
        ordered,
        judged_notes(told.judged),
        _WORDS,
    )


def _tasks(safety: RunSafety) -> Iterable[tuple[str, int]]:
    yield from ((one.rounds.task, one.rounds.version) for one in safety.by_round)
    yield from ((one.task, one.version) for one in safety.by_arm)


def _of(found: Iterable[T], task: str) -> list[T]:
    return [one for one in found if one.task == task]


def _rounds(told: Told, task: str) -> list[TaskSafety]:
    return [one for one in told.safety.by_round if one.rounds.task == task]


def _line(rows: Sequence[Compared], passed: bool, gate: str) -> tuple[tuple[str, ...], int]:
    """The entries of a line, and where it belongs: 0 what must be seen, 1 what was measured, 2 what was not."""
    if not passed:
        return (NOT_MEASURABLE, "–", "–", gate), 2
    known = [one for one in rows if math.isfinite(one.risk[0])]
    if not known:
        return ("nothing to compare", "–", "–", gate), 0
    worse = [one for one in known if one.worse]
    top = max(worse or known, key=lambda one: one.risk[0])
    alike = [one for one in known if _short(one) == _short(top)]
    verdict = _short(top) + (f" ({len(alike)} of {len(known)})" if len(known) > 1 else "")
    skill = "–" if top.skill is None else written(top.skill)
    return (verdict, f"{top.arms}: {written(top.risk)}", skill, gate), 0 if worse else 1


def _short(one: Compared) -> str:
    word, doubt, _ = one.verdict.partition(" (")
    return f"{word}, in doubt" if doubt else word


def _title(section: Plot | Table, task: str, version: str) -> str:
    """The heading of a section in the fold of a task, which says already what it is of."""
    said = section.title if isinstance(section, Plot) else section.caption
    for name in (f"{task}@{version}", task):
        said = said.replace(f": {visible(name)}", "", 1)
    return _TITLES.get(said, said)


def _sections(told: Told, task: str, place: str, *, explained: bool) -> Iterable[Plot | Table]:
    how = ("How to read the table stands under the comparisons.",)
    for one in _rounds(told, task):
        yield from round_sections(one, f"{place}-rounds", how)
    for one in _of(told.safety.by_arm, task):
        yield from effect_sections(one, f"{place}-arms", explained=explained)
    yield from (sensitivity_table(one) for one in told.safety.sensitivity if one.task == task)
    yield from drift_sections(_of(told.drift, task))
    for one in _of(told.sampled, task):
        yield from sampled_sections(one, f"{place}-sampled")
    for one, cost in zip(told.learning, told.costs, strict=True):
        if one.task != task:
            continue
        if told_by_safety(one, told.safety):
            yield from learning_beside(one, cost, f"{place}-learning-cost")
        else:
            yield from learning_sections([one], [cost])
    yield from judged_of_task(told.judged, task)
