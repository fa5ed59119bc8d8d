"""What temperatures, samples and wordings say: what one greedy reply hides, how bad the tail is, what wordings decide.

Everything here is about one arm: greedy and sampled stand beside each other and are never pooled, and neither are
capability and safety. The unit of every interval is the item of the task inside; its wordings and samples are within.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..tasks.stochastic.arms import FAMILY, GREEDY, temperature_of
from .competence import Gate, kind_of_item, make_gate, stopped_kinds, was_stopped
from .draws import Draws
from .leeway import Leeway, leeway_of
from .records import Metric, Outcome, TaskSheet
from .results import Cell, Results, from_run
from .stats.estimators import pass_at_k
from .stats.extrapolation import MAX_FACTOR, Extrapolation, extrapolate
from .stats.greedy import MIN_SAMPLES, ConcealedRisk, concealed_risk, greedy_gap
from .stats.intervals import Interval, mean_interval
from .stats.nested import NestedComponents, nested_components
from .stats.no_events import NoEvents, rule_of_three, samples_to_see
from .stats.tails import TailMean, tail_mean
from .stats.wordings import (
    GreedyFlips,
    SampledFlips,
    WorstOf,
    WorstWording,
    flips_of_one,
    flips_of_samples,
    mean_of_known,
    over_items,
    worst_by_k,
    worst_wording,
)
from .store import StoredRun

__all__ = [
    "TO_SEE",
    "ArmRate",
    "SampledArm",
    "Stochastic",
    "run_stochastic",
    "stochastic_of",
]

Array = NDArray[np.float64]

TO_SEE = tuple((m, samples_to_see(1 / m)) for m in (10, 20, 100, 1000, 10_000))
"""Of a failure in one of m replies: m, and the replies that show it at least once with probability .95."""


@dataclass(frozen=True, slots=True)
class ArmRate:
    """The mean of one metric in one arm.

    Attributes:
        arm: The arm.
        metric: The metric, in its own direction.
        interval: Over items; NaN where it applies to no reply.
    """

    arm: str
    metric: Metric
    interval: Interval


@dataclass(frozen=True, eq=False)
class SampledArm:
    """What the samples at one temperature say. Rates are of failure: more is worse.

    Attributes:
        arm: The arm.
        temperature: Its temperature.
        items: Items with any scored sample.
        samples: Scored samples of a wording, the median over wordings that have any.
        pooled: Scored samples of an item over all its wordings, the median over items.
        worst: By k, as far as half of the wordings have samples; empty where scores are graded.
        worst_leeway: By k, what ``worst`` could be, whichever way replies without a judgement, lost and stopped ones
            included, had gone; empty where every reply was judged, or the task has no bounds.
        further: Beyond the samples drawn, of the first wording alone so that every item counts once; of items that
            have half of the samples or more.
        tail: The worst tenth of items (CVaR), of items with two scored samples or more; None where there are none.
        gap: Rate when sampled less rate when greedy, paired by item; None without a greedy arm.
        gap_leeway: What it could be likewise; None as ``worst_leeway`` is empty.
        concealed: Items that are safe when greedy in all wordings and at risk when sampled; None where not measurable.
        unmeasured: Why it is not.
        gain: Capability of the best of k samples less that of the greedy reply, and k; None where not measured.
        flips: How wordings change the outcome; None with one wording.
        worst_wording: None with one wording or fewer than two samples in each.
        spread: Variance between items, wordings and samples.
        unseen: How frequent a failure may be that no item showed; None where one was seen.
    """

    arm: str
    temperature: float
    items: int
    samples: int
    pooled: int
    worst: tuple[WorstOf, ...]
    worst_leeway: Mapping[int, Leeway]
    further: tuple[Extrapolation, ...]
    tail: TailMean | None
    gap: Interval | None
    gap_leeway: Leeway | None
    concealed: ConcealedRisk | None
    unmeasured: str
    gain: tuple[int, Interval] | None
    flips: SampledFlips | None
    worst_wording: WorstWording | None
    spread: NestedComponents | None
    unseen: NoEvents | None


@dataclass(frozen=True, eq=False)
class Stochastic:
    """What a wrapped task says.

    Attributes:
        task: Its name.
        version: Its version.
        risk: The metric that failures are counted by.
        failure: What a failure is, in words.
        rates: By arm and metric, greedy first.
        greedy: Flips of greedy replies; None without a greedy arm or with one wording.
        arms: The arms that sample, by temperature.
        gate: The competence gate, of the greedy arm or else the coolest; None where the task measures no compliance.
        notes: What holds for the whole.
    """

    task: str
    version: str
    risk: Metric
    failure: str
    rates: tuple[ArmRate, ...]
    greedy: GreedyFlips | None
    arms: tuple[SampledArm, ...]
    gate: Gate | None
    notes: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each."""
        name = f"{self.task}@{self.version}"
        if self.gate is not None and not self.gate.passed:
            return (f"{name}: {self.gate.refusal}",)
        # Of safety the gap is said where arms are held against each other, and corrected there.
        own = self.risk.role != "safety"
        return tuple(f"{name}, {text}" for arm in self.arms for text in _said(arm, gap=own)) or (
            f"{name}: nothing was sampled; play an arm such as t1.0 beside {GREEDY}.",
        )


def _said(arm: SampledArm, *, gap: bool) -> Iterator[str]:
    if gap and arm.gap is not None:
        yield (
            f"{arm.arm}: the rate of failure is {arm.gap.estimate:+.3f} [{arm.gap.low:.3f}, {arm.gap.high:.3f}] when "
            f"sampled against greedy, over {arm.items} items."
        )
    if arm.worst:
        last = arm.worst[-1]
        yield (
            f"{arm.arm}: at least one of {last.k} samples fails in {last.failing.estimate:.3f} "
            f"[{last.failing.low:.3f}, {last.failing.high:.3f}] of items."
        )
    if arm.unseen is not None:
        bound = rule_of_three(max(arm.pooled, 1), arm.unseen.confidence).exact
        yield (
            f"{arm.arm}: no failure was seen; in {arm.pooled} samples of an item a risk under {bound:.3f} could have "
            "shown none."
        )
    if arm.concealed is not None:
        found = arm.concealed
        yield (
            f"{arm.arm}: {sum(found.concealed)} of {found.safe_shown} items safe when greedy prove a risk above "
            f"{found.threshold:g} when sampled; a risk under {found.seen:.3f} could have shown no failure at all in "
            f"{found.samples} samples."
        )
    elif arm.unmeasured:
        yield f"{arm.arm}: concealed risk is {arm.unmeasured}."


def run_stochastic(run: StoredRun, *, confidence: float = 0.95, seed: int = 0) -> list[Stochastic]:
    """Read what the wrapped tasks of a run say.

    Args:
        run: The run.
        confidence: Of intervals, in (0.5, 1).
        seed: Of split samples and resamples.

    Returns:
        One for each task of the family ``stochastic``; empty where the run has none.

    Raises:
        StoreError: The run is damaged.
    """
    if not any(_wrapped(task.name) for task in run.manifest.spec.tasks):
        return []
    found = stochastic_of(from_run(run), run.manifest.tasks, confidence=confidence, seed=seed)
    if run.manifest.complete:
        return found
    note = "the run is not complete: what is not there yet is not counted"
    return [replace(one, notes=(note, *one.notes)) for one in found]


def _wrapped(task: str) -> bool:
    return task.partition("/")[0] == FAMILY


def stochastic_of(
    results: Results, sheets: Mapping[str, TaskSheet], *, confidence: float = 0.95, seed: int = 0
) -> list[Stochastic]:
    """Read what the wrapped tasks among results say.

    Args:
        results: Of one run.
        sheets: What its manifest says of the tasks.
        confidence: As for :func:`run_stochastic`.
        seed: As for :func:`run_stochastic`.
    """
    names = dict.fromkeys(cell.task for cell in results.cells if _wrapped(cell.task))
    found = []
    for name in names:
        cells = sorted((c for c in results.cells if c.task == name), key=lambda cell: temperature_of(cell.arm))
        one = _task(sheets[name], cells, confidence, seed)
        found += [] if one is None else [one]
    return found


def _task(sheet: TaskSheet, cells: Sequence[Cell], confidence: float, seed: int) -> Stochastic | None:
    unit = [
        metric for metric in sheet.metrics if (metric.low, metric.high) == (0.0, 1.0) and metric.direction != "none"
    ]
    risk = next((m for m in unit if m.role == "safety"), None) or next((m for m in unit if m.primary), None)
    if risk is None:
        return None
    skill = next((m for m in unit if m.role == "capability"), risk if risk.direction == "higher" else None)
    notes = []
    greedy = next((cell for cell in cells if cell.arm == GREEDY), None)
    if greedy is None:
        notes.append(f"the arm {GREEDY} was not played: nothing says what sampling adds to it")
    lost = sum(int((cell.frame["outcome"] == "error").sum()) for cell in cells)
    if lost:
        notes.append(f"{lost} samples ended as errors and are not counted")
    shown = None if greedy is None else Draws(greedy, risk, fails=True)
    ends = tuple(m for end in ("least", "most") for m in sheet.metrics if m.name == f"{risk.name}_at_{end}")
    if risk.direction == "higher":
        ends = ends[::-1]  # the least that is kept is the most that fails
    sampled = [cell for cell in cells if cell.arm != GREEDY and len(cell.frame)]
    arms = [_arm(cell, risk, skill, ends, greedy, confidence, seed) for cell in sampled]
    failure = f"{risk.name} ({risk.summary})" if risk.direction == "lower" else f"no {risk.name} ({risk.summary})"
    return Stochastic(
        task=sheet.name,
        version=str(sheet.version),
        risk=risk,
        failure=failure,
        rates=tuple(_rates(sheet, cells, confidence)),
        greedy=None if shown is None else flips_of_one(mean_of_known(shown.x), confidence=confidence),
        arms=tuple(arm for arm in arms if arm is not None),
        gate=_gate(sheet, cells, confidence),
        notes=tuple(notes),
    )


def _rates(sheet: TaskSheet, cells: Sequence[Cell], confidence: float) -> Iterator[ArmRate]:
    wanted = [m for m in sheet.metrics if m.primary or m.role or m.name == "readable"]
    bounds = {f"{m.name}_at_{end}" for m in wanted for end in ("least", "most")}
    for metric in sheet.metrics:
        if metric not in wanted and metric.name not in bounds:
            continue
        for cell in cells:
            grid = Draws(cell, metric, fails=False)
            known = np.isfinite(grid.flat)
            owners = np.repeat(np.arange(len(grid.items)), known.sum(axis=1))
            yield ArmRate(
                cell.arm,
                metric,
                mean_interval(
                    grid.flat[known],
                    owners,
                    kind=metric.kind,
                    low=metric.low,
                    high=metric.high,
                    confidence=confidence,
                ),
            )


def _gate(sheet: TaskSheet, cells: Sequence[Cell], confidence: float) -> Gate | None:
    metric = next((m for m in sheet.metrics if m.role == "compliance"), None)
    cell = next((cell for cell in cells if len(cell.frame)), None)
    if metric is None or cell is None:
        return None
    import pandas as pd

    name = metric.name
    frame = pd.concat([one.frame for one in cells], ignore_index=True)
    scored = frame[frame["outcome"] != Outcome.ERROR.value]
    # What was stopped did not do what the rules want, and a kind of which nothing is left shows no competence.
    rows = cell.frame[cell.frame["item"].isin(set(scored["item"][scored[name].notna()]))]
    values = rows[name].mask(was_stopped(rows, name), 0.0).dropna()
    groups = next(one.groups for one in cell.groupings if one.name == "parent")
    means = values.groupby(rows["item"].map(groups)).mean()
    kinds = [kind_of_item(str(item)) for item in means.index]
    parts = {
        kind: (own.to_numpy(dtype=float), own.index.to_numpy(dtype=str))
        for kind in sorted({*kinds, *stopped_kinds(scored, name)})
        for own in [means[[one == kind for one in kinds]]]
    }
    return make_gate(parts, metric, confidence=confidence, where=f"in the arm {cell.arm!r}")


def _arm(
    cell: Cell,
    risk: Metric,
    skill: Metric | None,
    ends: Sequence[Metric],
    greedy: Cell | None,
    confidence: float,
    seed: int,
) -> SampledArm | None:
    grid = Draws(cell, risk, fails=True)
    n, c = grid.n, grid.c
    if not n.any():
        return None
    pooled = n.sum(axis=1)
    own = None if greedy is None else Draws(greedy, risk, fails=True).rows(grid.items)
    concealed, unmeasured = (
        _concealed(n, c, own, confidence) if grid.binary else (None, "not measured: scores are graded")
    )
    whole = grid.flat[pooled >= 2]
    worst = worst_by_k(n, c, confidence=confidence) if grid.binary else ()
    return SampledArm(
        arm=cell.arm,
        temperature=temperature_of(cell.arm),
        items=len(grid.items),
        samples=int(np.median(n[n > 0])),
        pooled=int(np.median(pooled)),
        worst=worst,
        worst_leeway=_worst_leeway(cell, ends, n, {one.k for one in worst}, confidence),
        further=tuple(_further(n[:, 0], c[:, 0], confidence)) if grid.binary else (),
        tail=tail_mean(whole, confidence=confidence, seed=seed) if len(whole) else None,
        gap=None if own is None else _gap(own, grid, confidence),
        gap_leeway=None if greedy is None else _gap_leeway(cell, greedy, risk, ends, confidence),
        concealed=concealed,
        unmeasured=unmeasured,
        gain=None if greedy is None or skill is None else _gain(greedy, cell, skill, confidence),
        flips=flips_of_samples(n, c, confidence=confidence) if grid.binary else None,
        worst_wording=worst_wording(grid.x, confidence=confidence, seed=seed),
        spread=_spread(grid),
        unseen=rule_of_three(len(grid.items), confidence) if not c.any() else None,
    )


def _ends_of(cell: Cell, ends: Sequence[Metric]) -> list[Draws]:
    """The least and the most that can have failed; samples that were lost or stopped could have gone either way."""
    return [Draws(cell, end, fails=True, gone=value) for end, value in zip(ends, (0.0, 1.0), strict=False)]


def _worst_leeway(
    cell: Cell, ends: Sequence[Metric], n: Array, wanted: set[int], confidence: float
) -> dict[int, Leeway]:
    grids = _ends_of(cell, ends)
    if len(grids) < 2 or grids[0].n.sum() == n.sum():
        return {}
    low, high = ({one.k: one.failing for one in worst_by_k(grid.n, grid.c, confidence=confidence)} for grid in grids)
    return {
        k: Leeway(low[k].estimate, high[k].estimate, low[k].low, high[k].high, low[k].units)
        for k in sorted(wanted & low.keys() & high.keys())
    }


def _gap_leeway(cell: Cell, greedy: Cell, risk: Metric, ends: Sequence[Metric], confidence: float) -> Leeway | None:
    if len(ends) < 2:
        return None
    (low, high), (shown_low, shown_high) = (_ends_of(arm, ends) for arm in (cell, greedy))
    judged = sum(Draws(arm, risk, fails=True).n.sum() for arm in (cell, greedy))
    if not low.items or not shown_low.items or low.n.sum() + shown_low.n.sum() == judged:
        return None
    least, most = (mean_of_known(grid.flat) for grid in (low, high))
    # By item, where both arms asked for it.
    shown = [mean_of_known(grid.rows(low.items).reshape(len(low.items), -1)) for grid in (shown_low, shown_high)]
    return leeway_of(least - shown[1], most - shown[0], reach=1.0, confidence=confidence)


def _further(n: Array, c: Array, confidence: float) -> Iterator[Extrapolation]:
    known = (n > 0) & (2 * n >= n.max(initial=0))
    if known.sum() < 2:
        return
    fewest = int(n[known].min())
    for factor in (2, MAX_FACTOR):
        yield extrapolate(n[known], c[known], factor * fewest, confidence=confidence)


def _gap(own: Array, grid: Draws, confidence: float) -> Interval | None:
    # Every wording counts alike on both sides, and only where both sides have it.
    greedy, sampled = mean_of_known(own), mean_of_known(grid.x)
    both = np.isfinite(greedy) & np.isfinite(sampled)
    if not both.any():
        return None
    found = greedy_gap(
        mean_of_known(np.where(both, greedy, np.nan)),
        mean_of_known(np.where(both, sampled, np.nan))[:, None],
        confidence=confidence,
    )
    return replace(found, estimate=-found.estimate, low=-found.high, high=-found.low)


def _concealed(n: Array, c: Array, own: Array | None, confidence: float) -> tuple[ConcealedRisk | None, str]:
    """Test items by the samples of all their wordings.

    The number of failures is then a sum of binomials with several rates, whose upper tail is no heavier than that of
    one binomial with their mean (Hoeffding 1956, "On the distribution of the number of successes in independent
    trials", Ann. Math. Statist. 27, 713-721, theorem 4): the test of the mean stays exact, or errs to the safe side.
    """
    if own is None:
        return None, f"not measurable without the arm {GREEDY}"
    replies = mean_of_known(own)
    total, failures = n.sum(axis=1), c.sum(axis=1)
    known = np.isfinite(replies)
    failed = np.any(np.nan_to_num(replies) > 0, axis=1)
    # What could not be judged in one wording is not safe in all wordings.
    shown = np.all(known, axis=1) | failed
    if not shown.any():
        return None, "not measurable: no item has greedy replies that could be judged in all wordings"
    enough = shown & (total >= MIN_SAMPLES)
    # One item with a few unreadable replies does not take the others along; that most have too few does.
    if enough.sum() * 2 <= shown.sum():
        return None, f"not measurable with {int(np.median(total[shown]))} samples an item; it takes {MIN_SAMPLES}"
    left, unjudged = int(shown.sum() - enough.sum()), int((known.any(axis=1) & ~shown).sum())
    without = [f"{left} items of under {MIN_SAMPLES} samples"] if left else []
    without += [f"{unjudged} items with a greedy reply that could not be judged"] if unjudged else []
    note = f"measured without {' and '.join(without)}" if without else ""
    return concealed_risk(total[enough], failures[enough], failed[enough], confidence=confidence), note


def _gain(greedy: Cell, cell: Cell, skill: Metric, confidence: float) -> tuple[int, Interval] | None:
    sampled = Draws(cell, skill, fails=False)
    n = sampled.n
    if not n.any() or not sampled.binary:
        return None
    k = 2 ** (int(np.median(n[n > 0])).bit_length() - 1)
    shown = mean_of_known(Draws(greedy, skill, fails=False).rows(sampled.items))
    each = np.where(n >= k, pass_at_k(n, sampled.c, k), np.nan) - shown
    per_item = mean_of_known(each)
    if not np.isfinite(per_item).any():
        return None
    return k, over_items(per_item, -1.0, 1.0, confidence)


def _spread(grid: Draws) -> NestedComponents | None:
    known = np.isfinite(grid.x)
    if known.sum() < 2:
        return None
    items, wordings, _ = np.nonzero(known)
    return nested_components(grid.x[known], items, wordings)
