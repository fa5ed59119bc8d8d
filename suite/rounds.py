"""Scores by round: what was measured of agents that change, laid out by arm, unit and round."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .competence import kind_of_metric
from .leeway import Leeway, leeway_of
from .records import Metric, Sample, TaskSheet
from .results import unit_level
from .stats.wordings import mean_of_known
from .stream_scores import lay_out
from .worst_cases import Replies

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KNEW",
    "NULL_ARMS",
    "ROLES",
    "ROUND",
    "Role",
    "RoundGatherer",
    "Rounds",
    "TurnRounds",
    "end_metrics",
    "open_to",
    "roles",
    "rounds_of_streams",
]

Array = NDArray[np.float64]
Role = Literal["safety", "capability", "caution", "knowledge", "compliance"]
ROLES: tuple[Role, ...] = ("safety", "capability", "caution", "knowledge", "compliance")

ROUND = "round"
"""The name under which a turn's scores say which round it belongs to, from 0."""

KNEW = "knew"
"""The name under which a turn says, where a rule was broken, whether the question about it was answered rightly."""

_ENDS = ("least", "most")

NULL_ARMS = ("null", "frozen")
"""Arms that live through the same rounds and do not evolve; others are held against the first that a task has."""


@dataclass(frozen=True, eq=False)
class Rounds:
    """What a task measured by round.

    Attributes:
        task: Its name.
        version: Its version.
        metrics: The metric of each role that the task has.
        arms: The arms played, in the run's order.
        null: The arm that does not evolve; None where none was played.
        unit: What a row is: ``stream``; or ``item``, or what the task calls its items (``conversation``, ``society``);
            or what items belong to, where there are at least 10 of these.
        units: Names of the rows.
        points: When the rounds were, shape (rounds,): episodes lived, or the rounds' numbers.
        at: What ``points`` count, in words.
        values: By arm and role, shape (units, rounds): means over probe items and samples; NaN where nothing was
            measured.
        answers: By arm and role, shape (units, rounds, items): of streams, the means over samples of each probe item.
        ends: By arm, the least and the most that the metric of safety can be, whichever way what has no decision would
            have gone, shape (units, rounds) each: replies that say nothing, rounds that a sample which broke off did
            not come to, and samples lost to errors. NaN where nothing was played yet, or the metric does not apply.
        items: By role, the names of these items and the set of probes that each is of. Items named KIND-RULE-NUMBER in
            two sets are about the same rule.
        competence: Where a task has several metrics of compliance: by kind of cases, the metric, and what was reached
            at round 0 in the arm that does not evolve, shape (units,).
        knew: By arm, of what was broken the share whose very rule was known when asked, shape (units, rounds); NaN
            where nothing was broken. Of tasks with a metric of that name, which say it turn by turn.
        domains: By grouping that shows the metric of safety: the group of each unit, empty where it lies in several.
        replies: By arm and index of the round, of the first and the last one: safety of the judged replies by item and
            sample. Of rounds inside episodes; the replies of streams are the ``answers``.
        owners: The unit of each item of ``replies``.
    """

    task: str
    version: int
    metrics: Mapping[Role, Metric]
    arms: tuple[str, ...]
    null: str | None
    unit: str
    units: tuple[str, ...]
    points: Array
    at: str
    values: Mapping[tuple[str, Role], Array]
    answers: Mapping[tuple[str, Role], Array]
    ends: Mapping[str, tuple[Array, Array]] = field(default_factory=lambda: MappingProxyType({}))
    items: Mapping[Role, tuple[tuple[str, str], ...]] = field(default_factory=lambda: MappingProxyType({}))
    competence: Mapping[str, tuple[Metric, Array]] = field(default_factory=lambda: MappingProxyType({}))
    knew: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    replies: Mapping[tuple[str, int], Replies] = field(default_factory=lambda: MappingProxyType({}))
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def risk(self, arm: str) -> Array:
        """Safety of an arm as a number of which more is worse, shape (units, rounds)."""
        return self.values[arm, "safety"] * (1.0 if self.metrics["safety"].direction == "lower" else -1.0)

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Of which units safety was asked at all, in any arm, shape (units,); to some items it may not apply."""
        found = [v for (_, role), v in self.values.items() if role == "safety"]
        found += [end for both in self.ends.values() for end in both]
        return np.any([np.isfinite(one).any(axis=1) for one in found], axis=0)

    def between(self, arm: str, against: str, *, confidence: float = 0.95) -> Leeway | None:
        """What the change since round 0 can differ between two arms, over units, whichever way what is open had gone.

        In the own direction of the metric of safety; None where nothing is open, or it is not known.
        """
        if arm not in self.ends or against not in self.ends:
            return None
        (least, most), (other_least, other_most) = self.ends[arm], self.ends[against]
        low = (least[:, -1] - most[:, 0]) - (other_most[:, -1] - other_least[:, 0])
        high = (most[:, -1] - least[:, 0]) - (other_least[:, -1] - other_most[:, 0])
        span = self.metrics["safety"].span
        return leeway_of(low, high, reach=None if span is None else 2 * span, confidence=confidence)

    def skill(self, arm: str) -> Array | None:
        """Capability of an arm as a number of which more is better; None where the task measures none."""
        found = self.values.get((arm, "capability"))
        return None if found is None else found * (1.0 if self.metrics["capability"].direction == "higher" else -1.0)


def roles(sheet: TaskSheet) -> dict[Role, Metric]:
    """The first metric of each role."""
    found: dict[Role, Metric] = {}
    for role in ROLES:
        metric = next((m for m in sheet.metrics if m.role == role), None)
        if metric is not None:
            found[role] = metric
    return found


def end_metrics(sheet: TaskSheet, safety: Metric) -> tuple[Metric, Metric]:
    """The metrics that bound that of safety from below and above: NAME_at_least and NAME_at_most, or else itself."""
    by_name = {m.name: m for m in sheet.metrics}
    least, most = (by_name.get(f"{safety.name}_at_{end}") for end in _ENDS)
    return (safety, safety) if least is None or most is None else (least, most)


def _null(arms: Sequence[str]) -> str | None:
    return next((name for name in NULL_ARMS if name in arms), None)


def rounds_of_streams(frame: pd.DataFrame, sheet: TaskSheet, arms: Sequence[str]) -> Rounds | None:
    """Read rounds from the checkpoints of a task's streams.

    Args:
        frame: The samples of the task.
        sheet: What the manifest says of it.
        arms: The arms that the run plays.

    Returns:
        None where the task has no streams, or no metric of safety.

    Raises:
        StoreError: A sample stands where the layout has no place for it.
    """
    metrics = roles(sheet)
    if sheet.streams is None or "safety" not in metrics:
        return None
    if not any(probes.has(metrics["safety"].name) for probes in sheet.streams.probes):
        return None
    values, answers, items_of = {}, {}, {}
    units: tuple[str, ...] = ()
    for role, metric in list(metrics.items()):
        sets = [probes.name for probes in sheet.streams.probes if probes.has(metric.name)]
        if not sets:
            del metrics[role]
            continue
        items_of[role] = tuple((item, p.name) for p in sheet.streams.probes if p.name in sets for item in p.items)
        scores = lay_out(frame, sheet.streams, metric, arms)
        units = scores.streams
        for arm in arms:
            items = np.concatenate([scores.block(arm, name).items for name in sets], axis=2)
            values[arm, role] = mean_of_known(items)
            answers[arm, role] = items
    safety, streams = metrics["safety"], sheet.streams

    def laid(metric: Metric, sets: Sequence[str], end: float | None) -> list[Array]:
        scores = lay_out(frame, streams, metric, arms)
        found = [np.concatenate([scores.block(arm, name).items for name in sets], axis=2) for arm in arms]
        return [mean_of_known(open_to(items, end)) for items in found]

    ends = [
        laid(metric, sets, end)
        for metric, end in zip(end_metrics(sheet, safety), (safety.low, safety.high), strict=True)
        if (sets := [probes.name for probes in streams.probes if probes.has(metric.name)])
    ]
    return Rounds(
        task=sheet.name,
        version=sheet.version,
        metrics=metrics,
        arms=tuple(arms),
        null=_null(arms),
        unit="stream",
        units=units,
        points=np.asarray(sheet.streams.checkpoints, dtype=np.float64),
        at="episodes lived",
        values=values,
        answers=answers,
        ends={arm: (ends[0][k], ends[1][k]) for k, arm in enumerate(arms)} if len(ends) == 2 else {},
        items=items_of,
    )


def open_to(items: Array, end: float | None) -> Array:
    """Put an end of the range where a unit that was played at all has no score.

    Args:
        items: Shape (units, rounds, items); NaN where there is no score.
        end: Of the metric's range; None where it is open: then nothing is put there.
    """
    played = np.isfinite(items).any(axis=(1, 2), keepdims=True)
    return items if end is None else np.where(played & np.isnan(items), end, items)


class TurnRounds:
    """Gathers rounds from turns' scores, sample by sample: of replies only the scores of the first and last round.

    Args:
        sheet: What the manifest says of the task.
        arms: The arms that the run plays.
    """

    def __init__(self, sheet: TaskSheet, arms: Sequence[str]) -> None:
        self.sheet, self.arms = sheet, tuple(arms)
        self.metrics = roles(sheet)
        ends = end_metrics(sheet, self.metrics["safety"]) if "safety" in self.metrics else ()
        self._ends = dict(zip(_ENDS, (m.name for m in ends), strict=False))
        kinds = [metric for metric in sheet.metrics if metric.role == "compliance"]
        self._kinds = {kind_of_metric(metric.name): metric for metric in kinds if len(kinds) > 1}
        named = {f"compliance of {kind}": metric.name for kind, metric in self._kinds.items()}
        if any(metric.name == KNEW for metric in sheet.metrics):
            named[KNEW] = KNEW
        self._names = {**{role: metric.name for role, metric in self.metrics.items()}, **self._ends, **named}
        self._sums: dict[tuple[str, str, str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._samples: Counter[tuple[str, str]] = Counter()
        self._there: Counter[tuple[str, str, str, int]] = Counter()
        self._replies: dict[tuple[str, int], dict[str, list[list[float]]]] = {}
        self._last = 0

    def add(self, sample: Sample) -> None:
        """Take in a sample of the task; turns that say no round count for nothing, and errors for bounds alone."""
        if sample.task != self.sheet.name or sample.stream:
            return
        self._samples[sample.arm, sample.item] += 1
        if sample.outcome == "error":
            return
        there: set[tuple[str, int]] = set()
        own: dict[int, list[float]] = defaultdict(list)
        for turn in sample.turns:
            at = turn.scores.get(ROUND)
            if at is None:
                continue
            for role, name in self._names.items():
                value = turn.scores.get(name)
                if value is not None:
                    cell = self._sums[sample.arm, role, sample.item, int(at)]
                    cell[0] += value
                    cell[1] += 1
                    there.add((role, int(at)))
                    if role == "safety":
                        own[int(at)].append(value)
        self._keep(sample, own)
        self._there.update((sample.arm, role, sample.item, at) for role, at in there if role in _ENDS)

    def _keep(self, sample: Sample, own: Mapping[int, list[float]]) -> None:
        """Hold the judged replies of round 0, and of the last round that any sample has come to so far."""
        last = max(own, default=0)
        if last > self._last:
            self._replies = {key: found for key, found in self._replies.items() if key[1] == 0}
            self._last = last
        for at in {0, self._last} & set(own):
            self._replies.setdefault((sample.arm, at), {}).setdefault(sample.item, []).append(own[at])

    def rounds(self) -> Rounds | None:
        """What was gathered; None where no turn had a score of safety, or bounds of one."""
        if not any(role in ("safety", "least") for _, role, _, _ in self._sums):
            return None
        items = tuple(sorted({item for _, _, item, _ in self._sums}))
        last = max(at for _, _, _, at in self._sums)
        row = {item: k for k, item in enumerate(items)}
        values = {(arm, role): np.full((len(items), last + 1), np.nan) for arm in self.arms for role in self._names}
        for (arm, role, item, at), (total, count) in self._sums.items():
            values[arm, role][row[item], at] = total / count
        self._open(values, row)
        labels = {g.name: [g.groups.get(item, "") for item in items] for g in self.sheet.groupings if not g.dyadic}
        # Units are counted among items that safety applies to: a claim on it rests on no others.
        asked = {item for _, role, item, _ in self._sums if role in ("safety", "least")}
        held = {
            name: [of for item, of in zip(items, own, strict=True) if item in asked] for name, own in labels.items()
        }
        unit = unit_level(self.metrics["safety"], held)
        units = items
        if unit != "item":
            units = tuple(sorted(set(labels[unit])))
            values = {key: _grouped(found, labels[unit], units, partly=key[1] == KNEW) for key, found in values.items()}
        seen = {"safety", *(role for _, role, _, _ in self._sums)}
        null = _null(self.arms)
        return Rounds(
            task=self.sheet.name,
            version=self.sheet.version,
            metrics={role: metric for role, metric in self.metrics.items() if role in seen},
            arms=self.arms,
            null=null,
            unit=(self.sheet.noun or unit) if unit == "item" else unit,
            units=units,
            points=np.arange(last + 1, dtype=np.float64),
            at="round",
            values={(arm, role): values[arm, role] for arm in self.arms for role in self.metrics if role in seen},
            answers={},
            ends={arm: (values[arm, "least"], values[arm, "most"]) for arm in self.arms if seen >= set(_ENDS)},
            competence={
                kind: (metric, values[null, f"compliance of {kind}"][:, 0])
                for kind, metric in self._kinds.items()
                if null is not None
            },
            knew={arm: values[arm, KNEW] for arm in self.arms if KNEW in self._names},
            domains=self._domains(items, labels.get(unit, items), units),
            replies={key: found for key, found in self._replies.items() if key[1] in (0, last)},
            owners=dict(zip(items, labels.get(unit, items), strict=True)),
        )

    def _domains(self, items: Sequence[str], owners: Sequence[str], units: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found = {}
        for grouping in self.sheet.groupings:
            if grouping.dyadic or self.metrics["safety"].name not in grouping.shown:
                continue
            of = defaultdict(set)
            for item, owner in zip(items, owners, strict=True):
                of[owner].add(grouping.groups.get(item, ""))
            found[grouping.name] = tuple("".join(of[unit]) if len(of[unit]) == 1 else "" for unit in units)
        return found

    def _open(self, values: Mapping[tuple[str, str], Array], row: Mapping[str, int]) -> None:
        """Let bounds hold what samples that broke off or were lost might have done, in items that safety applies to."""
        safety = self.metrics["safety"]
        asked = {(item, role) for _, role, item, _ in self._there}
        rounds = sorted({at for *_, at in self._there})
        for (arm, item), samples in self._samples.items():
            for role, end in zip(_ENDS, (safety.low, safety.high), strict=True):
                if end is None or (item, role) not in asked or arm not in self.arms:
                    continue
                own = values[arm, role][row[item]]
                for at in rounds:
                    share = self._there[arm, role, item, at] / samples
                    own[at] = share * own[at] + (1 - share) * end if share else end


def _grouped(values: Array, labels: Sequence[str], units: Sequence[str], *, partly: bool) -> Array:
    """Means over the items of each unit, round by round; NaN where an item of the unit, or ``partly`` all, lack it."""
    own = np.asarray(labels, dtype=object)
    if partly:
        return np.stack([mean_of_known(values[own == unit].T).T for unit in units])
    return np.stack([values[own == unit].mean(axis=0) for unit in units])


class RoundGatherer:
    """Gathers the rounds inside episodes of all tasks of a run, in one pass over its samples.

    Args:
        sheets: What the manifest says of the tasks, and the arms played of each. Tasks of streams, whose rounds are
            checkpoints, and those without a metric of safety are left out.
    """

    def __init__(self, sheets: Iterable[tuple[TaskSheet, Sequence[str]]]) -> None:
        self._tasks = {
            sheet.name: TurnRounds(sheet, arms)
            for sheet, arms in sheets
            if sheet.streams is None and "safety" in roles(sheet)
        }

    def __bool__(self) -> bool:
        """Whether there is anything to gather."""
        return bool(self._tasks)

    def add(self, sample: Sample) -> None:
        """Take in a sample of any task."""
        task = self._tasks.get(sample.task)
        if task is not None:
            task.add(sample)

    def rounds(self) -> list[Rounds]:
        """What was gathered, of the tasks that measured by round."""
        return [found for task in self._tasks.values() if (found := task.rounds()) is not None]
