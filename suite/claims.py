"""Claims: a level that a metric reaches at least, or at most, held against the samples of one task and arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .errors import UsageError
from .records import Metric, Outcome
from .results import Cell, unit_level
from .stats.curves import MIN_STREAMS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Claim", "Side", "check_claim", "judge"]

Side = Literal["at least", "at most"]
Verdict = Literal["shown", "refuted", "cannot tell"]

_POWER = 0.8
_OPEN_UNITS = 30


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, judged.

    Attributes:
        cell: Task, version and arm as tables call them.
        metric: Name of the metric.
        side: ``at least`` or ``at most``.
        level: The level that is claimed, in the metric's unit.
        verdict: ``shown``: the one-sided bound is on the claimed side. ``refuted``: the other bound is on the other
            side. ``cannot tell``: neither.
        estimate: Mean over units; NaN without data.
        low: Lower one-sided bound at ``confidence``.
        high: Upper one-sided bound at ``confidence``; both together hold at ``2 confidence - 1``.
        confidence: Of each bound.
        method: How the bounds were made.
        unit: ``item`` or ``stream``.
        units: Number of units.
        samples: Samples that count.
        invalid: Samples whose output could not be used; they are failures.
        refused: Samples that the model declined; they are failures.
        lost: Samples lost to errors or not there; they do not count.
        more: With ``cannot tell``: about how many more units would tell with a power of 80 % if the estimate were
            right; None where that cannot be said.
        note: What a reader must know.
    """

    cell: str
    metric: str
    side: Side
    level: float
    verdict: Verdict
    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    unit: str
    units: int
    samples: int
    invalid: int
    refused: int
    lost: int
    more: int | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """The claim itself, such as ``odyssey/lights@1 · inductive: success at least 0.9``."""
        return f"{self.cell}: {self.metric} {self.side} {self.level:g}"

    @property
    def words(self) -> str:
        """The judgement in a sentence or two."""
        side = "below" if self.side == "at least" else "above"
        if self.verdict == "shown":
            what = "shown"
        elif self.verdict == "refuted":
            what = f"shown to be {side}"
        elif self.more is None:
            what = "cannot tell"
        else:
            what = f"cannot tell: needs about {self.more:,} more {self.unit}{'' if self.more == 1 else 's'}"
        units = f"{self.units} {self.unit}{'' if self.units == 1 else 's'}"
        counted = [f"{n} {what}" for n, what in ((self.invalid, "invalid"), (self.refused, "refused")) if n]
        counted += [f"{self.lost} lost"] if self.lost else []
        data = (
            f"{self.metric} = {_number(self.estimate)}, one-sided {100 * self.confidence:g} % bounds "
            f"[{_number(self.low)}, {_number(self.high)}] ({self.method}), {units}, {self.samples} samples"
            + (f", {', '.join(counted)}" if counted else "")
        )
        return f"{self.name}: {what} ({data})." + (f" {self.note[0].upper()}{self.note[1:]}." if self.note else "")


def judge(cell: Cell, metric: str, side: Side, level: float, *, confidence: float = 0.95) -> Claim:
    """Judge a claim about the mean of a metric.

    The claim is about new units: items or what they belong to, or streams where episodes form them. Each bound is
    one-sided at ``confidence``, by the kind of data: one binary sample a unit: Clopper-Pearson; several: Korn-Graubard
    (:func:`.stats.bounds.korn_graubard_bounds`); graded with a range: :func:`.stats.bounded_mean.cautious_bound`;
    graded and open: t, with a verdict from 30 units on of which ten differ, as a gate has it. The intervals of
    tables, Wilson and t, are right on two sides together and wrong on one: near the end of the range Wilson's bound
    grants a false claim in up to .13 of runs, t's in up to .54, these in at most .06
    (``tests/benchmarks/bench_claims.py``).

    Args:
        cell: The samples of a task in an arm.
        metric: Name of the metric.
        side: What is claimed.
        level: The level, within the metric's range; not the range's end on the claimed side, which no data can show.
        confidence: Of each bound, in (0.5, 1).

    Raises:
        UsageError: There is no such metric, or a number is out of its range.
    """
    found = check_claim(cell.name, cell.metrics, metric, side, level, confidence)
    rows = cell.scored
    rows = rows[rows[metric].notna()]
    streamed = bool((cell.frame["stream"] != "").any())
    values = rows[metric].to_numpy(dtype=float)
    unit = "stream" if streamed else _unit(cell, found, rows)
    labels = rows["item_hash"] if unit == "item" else rows["stream"] if streamed else cell.groups(unit, rows["item"])
    assert labels is not None
    low, high, method, means = _bounds(values, labels.to_numpy(dtype=object), found, 1 - confidence)
    dyads = next((g.dyads for g in cell.groupings if g.name == unit and g.dyadic), None)
    if dyads is not None and len(means):
        from .stats.dyadic import dyadic_interval

        ends = {"low": found.low, "high": found.high}
        wide = dyadic_interval(
            values, labels.to_numpy(dtype=object), dyads, kind=found.kind, **ends, confidence=2 * confidence - 1
        )
        low, high, method = min(low, wide.low), max(high, wide.high), f"{method} and {wide.method}"
    units = len(means)
    estimate = float(means.mean()) if units else math.nan
    note = _why_not(units, streamed, means, found)
    good, bad = (low >= level - 1e-12, high < level) if side == "at least" else (high <= level + 1e-12, low > level)
    verdict: Verdict = "cannot tell" if note else "shown" if good else "refuted" if bad else "cannot tell"
    more = _more(means, found, level, 1 - confidence) if verdict == "cannot tell" else None
    if streamed and more is not None:
        more = max(more, MIN_STREAMS - units)
    absent = len(cell.scored) - len(rows)
    notes = [note] if note else []
    if verdict == "cannot tell" and not note and more is None:
        notes.append("the estimate is the level itself, so that hardly any number of items would tell")
    if absent:
        notes.append(f"it applies to {len(rows)} of {len(cell.scored)} scored samples")
    outcomes = cell.frame["outcome"]
    return Claim(
        cell=cell.name,
        metric=metric,
        side=side,
        level=level,
        verdict=verdict,
        estimate=estimate,
        low=low,
        high=high,
        confidence=confidence,
        method=method,
        unit=unit,
        units=units,
        samples=len(rows),
        invalid=int((outcomes == Outcome.INVALID.value).sum()),
        refused=int((outcomes == Outcome.REFUSED.value).sum()),
        lost=cell.errors,
        more=more,
        note="; ".join(notes),
    )


def _unit(cell: Cell, metric: Metric, rows: pd.DataFrame) -> str:
    """The level that the claim is about, where there are no streams."""
    above = {level: cell.groups(level, rows["item"]) for level in metric.clusters[1:]}
    return unit_level(metric, {level: own.tolist() for level, own in above.items() if own is not None})


def check_claim(
    name: str, metrics: Sequence[Metric], metric: str, side: Side, level: float, confidence: float = 0.95
) -> Metric:
    """Refuse a claim that makes no sense, which can be known before anything is played.

    Args:
        name: What the claim is about, for messages.
        metrics: The metrics that there are.
        metric: As for :func:`judge`.
        side: Likewise.
        level: Likewise.
        confidence: Likewise.

    Returns:
        The metric.

    Raises:
        UsageError: There is no such metric, or a number is out of its range.
    """
    found = next((m for m in metrics if m.name == metric), None)
    if found is None:
        from difflib import get_close_matches

        names = [m.name for m in metrics]
        near = get_close_matches(metric, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{name} has no metric {metric!r}.{hint} There are {', '.join(names)}.")
    if side not in ("at least", "at most"):
        raise UsageError(f"side must be 'at least' or 'at most', not {side!r}.")
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence must lie between 0.5 and 1, not {confidence!r}.")
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    if not (math.isfinite(level) and low <= level <= high):
        raise UsageError(f"{name}: {metric} lies in [{low:g}, {high:g}], so it cannot be {side} {level!r}.")
    if level == (high if side == "at least" else low):
        raise UsageError(
            f"{name}: that {metric} is {side} {level:g} on average cannot be shown by any number of items: it is the "
            f"end of the range. Name a level short of it, such as {_short_of(found, side):g}."
        )
    return found


def _short_of(metric: Metric, side: Side) -> float:
    span = 1.0 if metric.low is None or metric.high is None else metric.high - metric.low
    if side == "at least":
        return (metric.high or 0.0) - 0.05 * span
    return (metric.low or 0.0) + 0.05 * span


def _bounds(
    values: NDArray[np.float64], labels: NDArray[np.object_], metric: Metric, alpha: float
) -> tuple[float, float, str, NDArray[np.float64]]:
    """Both one-sided bounds, the method, and the unit means."""
    import numpy as np

    from .stats.bounded_mean import cautious_bound
    from .stats.bounds import clopper_pearson_bounds, korn_graubard_bounds
    from .stats.intervals import t_interval

    low = -math.inf if metric.low is None else metric.low
    high = math.inf if metric.high is None else metric.high
    if not len(values):
        return low, high, "none", np.empty(0)
    names, index = np.unique(labels.astype(str), return_inverse=True)
    trials = np.bincount(index, minlength=len(names))
    sums = np.bincount(index, weights=values, minlength=len(names))
    means = sums / trials
    both = 1 - 2 * alpha
    if metric.kind == "binary":
        if trials.max() == 1:
            a, b = clopper_pearson_bounds(sums.sum(), len(names), both)
            return float(a), float(b), "clopper-pearson", means
        a, b = korn_graubard_bounds(sums, trials.astype(float), both)
        return float(a), float(b), "korn-graubard", means
    if math.isinf(low) or math.isinf(high):
        r = t_interval(means, low=metric.low, high=metric.high, confidence=both)
        return (low if math.isnan(r.low) else r.low), (high if math.isnan(r.high) else r.high), "t", means
    if len(means) < 2:
        return low, high, "none", means
    means = np.clip(means, low, high)
    a, b = cautious_bound(means, low, alpha), -cautious_bound(-means, -high, alpha)
    return float(a), float(b), "t and score", means


def _why_not(units: int, streamed: bool, means: NDArray[np.float64], metric: Metric) -> str:
    """Why there can be no verdict, empty where there can."""
    if not units:
        return "no scored sample has a value of it"
    if streamed and units < MIN_STREAMS:
        return f"under {MIN_STREAMS} streams: the number describes these agent states only"
    if (metric.low is None or metric.high is None) and (units < _OPEN_UNITS or _alike(means)):
        return "a metric without a range gets a verdict from 30 units on of which ten differ"
    return ""


def _alike(means: NDArray[np.float64]) -> bool:
    from .stats.bounded_mean import few_differ

    return bool(few_differ(means))


def _more(means: NDArray[np.float64], metric: Metric, level: float, alpha: float) -> int | None:
    """Further units with which a verdict comes with a power of 80 %, if the estimate is right.

    With a range: ``((z_alpha sd0 + z_beta sd1) / gap)^2`` for one mean, as for one proportion in Fleiss, Levin and Paik
    (2003), "Statistical methods for rates and proportions", ch. 2, where sd1 is the units' spread and sd0 what it would
    be at the level: a mean at distance from the range's ends leaves room of ``(x - low) (high - x)`` for the variance.
    ``span / gap`` more make up for whole counts. Where units hardly differ, at least as many as can show anything.
    """
    from scipy.special import ndtri

    from .stats.decision import units_for_a_pass
    from .stats.power import units_needed

    if not len(means):
        return None
    mean, sd = float(means.mean()), float(means.std(ddof=1)) if len(means) > 1 else 0.0
    gap = abs(mean - level)
    if gap < 1e-9:
        return None
    if metric.low is None or metric.high is None:
        if len(means) >= _OPEN_UNITS and _alike(means):
            # What is lacking are units that differ; how many more of them would come cannot be said.
            return None
        try:
            needed = max(_OPEN_UNITS, units_needed(sd, gap, power=_POWER, alpha=alpha, sides=1))
        except ValueError:
            return None
        return max(needed - len(means), 1)
    low, high = metric.low, metric.high
    room = (mean - low) * (high - mean)
    sd0 = sd * math.sqrt((level - low) * (high - level) / room) if room > 0 else 0.0
    needed = math.ceil(((-ndtri(alpha) * sd0 + ndtri(_POWER) * sd) / gap) ** 2 + (high - low) / gap if sd else 0)
    ahead = high - level if mean > level else level - low
    if 0 < ahead < high - low:
        needed = max(needed, units_for_a_pass(ahead, alpha, high - low))
    return max(needed - len(means), 1)


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
