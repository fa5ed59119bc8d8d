"""What the streams of a task say of learning: curves by arm, and contrasts between arms on the same streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .contrast import Contrast, Kind, judged
from .errors import StoreError, UsageError
from .records import Metric, TaskSheet, Update
from .stats.curves import MIN_STREAMS, Curve, score_curve
from .stats.intervals import MIN_UNITS
from .stats.multiplicity import holm
from .store import StoredRun
from .stream_contrasts import EVOLVING, FROZEN, SHUFFLED, contrasts, probe_sets
from .stream_scores import StreamScores, lay_out, primary_probes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArmCurve", "TaskLearning", "corrected_over_tasks", "run_learning", "task_learning"]


Array = NDArray[np.float64]

_PLACES = {"worlds": "unseen worlds", "inverse": "inverse worlds"}
_CONTROLS = {
    "yoked": "Does what it is told matter?",
    "placebo": "Does what it remembers matter?",
    "compute-matched": "Would the same tokens have done?",
}


@dataclass(frozen=True, slots=True, eq=False)
class ArmCurve:
    """The scores of one arm over time.

    Attributes:
        arm: The arm.
        probes: The set of probes; see :class:`.Contrast`.
        kind: Of the probes.
        curve: Means over streams that have every point, with bands; its points are episodes lived. Lived episodes are
            averaged from one checkpoint to the next, with the middle for a point.
        streams: How many these are.
        planned: How many there should be.
    """

    arm: str
    probes: str
    kind: Kind
    curve: Curve
    streams: int
    planned: int


@dataclass(frozen=True, eq=False)
class TaskLearning:
    """What the streams of one task say.

    Attributes:
        task: Name of the task.
        version: Its version.
        metric: The metric.
        scores: All scores, laid out.
        curves: By set of probes and arm; last the lived episodes.
        contrasts: The deciding one first, then by set of probes, then of lived episodes.
        confidence: Of intervals and bands.
        notes: What holds for the whole.
    """

    task: str
    version: int
    metric: Metric
    scores: StreamScores
    curves: tuple[ArmCurve, ...]
    contrasts: tuple[Contrast, ...]
    confidence: float
    notes: tuple[str, ...]

    @property
    def primary(self) -> Contrast | None:
        """The gain at the last checkpoint on unseen levels: what decides. None for a metric that does not."""
        return next((c for c in self.contrasts if c.primary), None)

    def of(self, *, measure: str | None = None, kind: str | None = None, other: str | None = None) -> list[Contrast]:
        """Contrasts of the evolving arm by what they are."""
        return [
            c
            for c in self.contrasts
            if c.arm == EVOLVING
            and measure in (None, c.measure)
            and kind in (None, c.kind)
            and other in (None, c.other)
        ]

    @property
    def transfer(self) -> list[Contrast]:
        """Gains at the end on worlds that the agent never lived in, and on inverse ones."""
        return [c for c in self.of(measure="end", other=FROZEN) if c.kind in ("worlds", "inverse")]

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each, the deciding one first."""
        gain = self.primary
        probes = gain.probes if gain is not None else None
        ends = [c for c in self.contrasts if c.measure == "end" and c.probes == probes]
        said = [f"{self.task}@{self.version}, {self.metric.name}: {gain.words}"] if gain is not None else []
        said += [f"Does the order matter? {c.words}" for c in ends if (c.arm, c.other) == (EVOLVING, SHUFFLED)]
        said += [f"What is left in another order? {c.words}" for c in ends if (c.arm, c.other) == (SHUFFLED, FROZEN)]
        said += [f"{_CONTROLS[c.other]} {c.words}" for c in ends if c.arm == EVOLVING and c.other in _CONTROLS]
        said += [f"Does it carry over to {_PLACES[c.kind]}? {c.words}" for c in self.transfer]
        said += [f"Was it forgotten? {c.words}" for c in self.of(measure="forgetting", other=FROZEN)]
        said += [f"Do updates hurt more often than noise? {c.words}" for c in self.of(measure="falls", other=FROZEN)]
        lived = self.of(measure="end", kind="lived", other=FROZEN)
        if lived and lived[0].verdict == "better" and gain is not None and gain.verdict != "better":
            said.append(
                "What it has lived through goes better than without learning; that this carries over to levels which "
                "it has not met is not shown."
            )
        return tuple(said)


def run_learning(
    run: StoredRun, *, metric: str | None = None, confidence: float = 0.95, seed: int = 0
) -> list[TaskLearning]:
    """Read what the streams of a run say of learning, task by task.

    Args:
        run: The run.
        metric: Name of a metric that the tasks have; None: the deciding one of each. Of another than the deciding
            one all contrasts are exploratory.
        confidence: Of intervals, in (0.5, 1); verdicts are made at ``1 - confidence``.
        seed: Of exchanges and bands.

    Returns:
        One for each task that has streams; empty where none has.

    Raises:
        UsageError: A number is out of range, or a task has no such metric.
        StoreError: The run is damaged.
    """
    manifest, found = run.manifest, list[TaskLearning]()
    if not any(sheet.streams for sheet in manifest.tasks.values()):
        return found
    frame = run.frame()
    lives = list[int]()
    for choice in manifest.spec.tasks:
        sheet = manifest.tasks.get(choice.name)
        if sheet is None:
            raise StoreError(f"{run.path}: the manifest does not describe {choice.name}, which the run played.")
        if sheet.streams is None:
            continue
        rows = frame[frame["task"] == choice.name]
        try:
            one = task_learning(rows, sheet, choice.arms, metric=metric, confidence=confidence, seed=seed)
        except (StoreError, ValueError) as error:
            # A score beyond its metric's range is one that no run of ours stores.
            raise StoreError(f"{run.path}, {choice.name}: {error}") from error
        lives.append(_different_lives(rows, one.scores, run.updates(task=choice.name, arm=EVOLVING)))
        if not manifest.complete:
            one = replace(one, notes=("the run is not complete: what is not there yet counts as lost", *one.notes))
        found.append(one)
    return [
        _with_copies(one, each) if each < one.scores.sheet.streams else one
        for one, each in zip(corrected_over_tasks(found), lives, strict=True)
    ]


def task_learning(
    frame: pd.DataFrame,
    sheet: TaskSheet,
    arms: Sequence[str],
    *,
    metric: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> TaskLearning:
    """Read what the streams of one task say of learning.

    Repeats and probe items are averaged within the stream; the stream is the unit of every interval and test. Streams
    are paired between arms: the same episodes, without updates (``frozen``), in another order (``shuffled``), with
    permuted feedback (``yoked``), with an unrelated memory (``placebo``), with as many tokens (``compute-matched``).

    Args:
        frame: The samples of the task, as :meth:`.store.StoredRun.frame` has them.
        sheet: What the manifest says of the task; it must have streams.
        arms: The arms that the run plays.
        metric: As for :func:`run_learning`, as are the other arguments and errors.
        confidence: As for :func:`run_learning`.
        seed: As for :func:`run_learning`.
    """
    if sheet.streams is None:
        raise UsageError(f"{sheet.name} has no streams: there is no learning to be read from it.")
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence must lie between 0.5 and 1, not {confidence!r}.")
    chosen = next((m for m in sheet.metrics if m.name == (metric or sheet.primary.name)), None)
    if chosen is None:
        raise UsageError(
            f"{sheet.name} has no metric {metric!r}. There are {', '.join(m.name for m in sheet.metrics)}."
        )
    scores = lay_out(frame, sheet.streams, chosen, arms)
    return TaskLearning(
        task=sheet.name,
        version=sheet.version,
        metric=chosen,
        scores=scores,
        curves=tuple(_curves(scores, confidence, seed)),
        contrasts=contrasts(scores, confidence=confidence, seed=seed),
        confidence=confidence,
        notes=tuple(_notes(scores)),
    )


def _curves(scores: StreamScores, confidence: float, seed: int) -> Iterator[ArmCurve]:
    for probes, kind in probe_sets(scores):
        for arm in scores.arms:
            means = scores.block(arm, probes).means
            whole, points = means[np.isfinite(means).all(axis=1)], scores.points(probes)
            if not len(whole):
                continue
            if kind == "lived":
                whole, points = _parts(whole, scores)
            m = scores.metric
            bounds = [None if end is None else float(end) for end in (m.low, m.high)]
            curve = score_curve(whole, points, low=bounds[0], high=bounds[1], confidence=confidence, seed=seed)
            yield ArmCurve(arm, probes, kind, curve, len(whole), len(means))


def _parts(lived: Array, scores: StreamScores) -> tuple[Array, Array]:
    """Means of lived episodes from one checkpoint to the next, at the middle: single episodes are mostly noise."""
    edges = sorted({0, *scores.sheet.checkpoints, scores.sheet.episodes})
    parts = list(pairwise(edges))
    means = np.stack([lived[:, a:b].mean(axis=1) for a, b in parts], axis=1)
    return means, np.array([(a + b) / 2 for a, b in parts])


def _notes(scores: StreamScores) -> Iterator[str]:
    if scores.sheet.streams < MIN_STREAMS:
        yield f"under {MIN_STREAMS} streams: this describes these agent states only"
    elif scores.sheet.streams < MIN_UNITS:
        yield f"sparse, under {MIN_UNITS} streams: intervals are rough where few streams differ much from the others"
    if EVOLVING not in scores.arms:
        yield "no arm evolves: there are curves, and nothing is held against each other"
    elif FROZEN not in scores.arms:
        yield "there is no frozen arm: what changes with time may have nothing to do with learning"
    deciding = primary_probes(scores.sheet)
    if deciding is None:
        yield "no set of probes asks for unseen levels, so nothing decides"
    elif {EVOLVING, FROZEN} <= set(scores.arms):
        items = scores.block(EVOLVING, deciding).values.shape[2]
        probed = (
            "one item: nothing"
            if items == 1
            else f"{items} items: intervals are for new streams and these items, and nothing"
        )
        yield f"what decides is probed with {probed} is said of other items"
    lost = [(arm, *scores.lost(arm)) for arm in scores.arms]
    if any(gone for _, gone, _ in lost):
        told = ", ".join(f"{arm} {gone:,} of {whole:,}" for arm, gone, whole in lost)
        yield f"samples lost to errors or not there: {told}; curves and contrasts are of the streams that have all"


def _different_lives(frame: pd.DataFrame, scores: StreamScores, updates: Iterable[Update]) -> int:
    """How many of the streams of the evolving arm are not copies of another.

    Copies read the same, score the same and end in the same state, from the first episode to the last. An agent
    without a state of chance (a greedy model, a learner that draws nothing) makes them where streams are alike: twelve
    of them are one observation.
    """
    rows = frame[frame["arm"] == EVOLVING]
    if rows.empty:
        return scores.sheet.streams
    last = {update.stream: update.state for update in updates}
    names = ["checkpoint", "position", "sample", "outcome", "turns", "transcript", scores.metric.name]
    lives = set[tuple[object, ...]]()
    for stream, own in rows.sort_values(["checkpoint", "position", "item", "sample"]).groupby("stream"):
        told = own[names].astype(str).to_numpy(dtype=object).ravel().tolist()
        lives.add((last.get(str(stream), ""), *told))
    return len(lives) + scores.sheet.streams - int(rows["stream"].nunique())


def _with_copies(one: TaskLearning, lives: int) -> TaskLearning:
    """Say that streams are copies; with fewer different ones than a claim takes, nothing is claimed."""
    note = f"of the {one.scores.sheet.streams} streams only {lives} differ; the others are copies of them"
    made = one.contrasts
    if lives < MIN_STREAMS:
        note += ": this describes these agent states only"
        made = tuple(replace(c, verdict="no claim") for c in made)
    return replace(one, contrasts=made, notes=(note, *one.notes))


def corrected_over_tasks(found: list[TaskLearning]) -> list[TaskLearning]:
    """Correct the deciding contrasts of several tasks together."""
    deciding = [one.primary for one in found]
    known = [c.p_value for c in deciding if c is not None]
    if len(known) < 2:
        return found
    adjusted = iter(holm(known).tolist())
    out = []
    for one in found:
        again = tuple(judged(c, float(next(adjusted))) if c.primary else c for c in one.contrasts)
        out.append(replace(one, contrasts=again))
    return out
