"""Policy information of a run: what can be read of the policies that societies were given, by round and by arm."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arm_effects import p_words
from .competence import Gate
from .leeway import Leeway, leeway_of
from .nouns import several
from .policy_answers import FIRST, Answer, answers_of, asks_for_policies
from .records import Manifest, Sample, TaskSheet
from .stats.bounds import clopper_pearson_bounds
from .stats.curves import MIN_STREAMS
from .stats.information import (
    InformationContrast,
    PolicyInformation,
    fano_information,
    information_contrast,
    largest_fano_information,
    policy_information,
)
from .stats.intervals import mean_interval

__all__ = ["ISOLATED", "OPEN", "ArmInformation", "OpenContrast", "PolicyGatherer", "TaskInformation", "task_policies"]

Array = NDArray[np.float64]
Counts = NDArray[np.float64]

ISOLATED, OPEN = "isolated", "open"
"""The arms that are held against each other."""
_LEAST_EACH = 4
"""Societies of each policy under which no estimate is made: a guess would be learnt from one or two."""

_Cell = tuple[str, str]
"""Arm and society."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmInformation:
    """What can be read in one arm.

    Attributes:
        arm: The arm.
        found: The estimates by round; what was not read is a kind of answer like any other.
        unread: Share of answers that could not be read, shape (rounds,).
        error_least: The error if all societies with an unread answer had been guessed rightly, shape (rounds,).
        error_most: If all of them had been guessed wrongly.
        fano_least: Fano's bound at the upper limit of that.
    """

    arm: str
    found: PolicyInformation
    unread: Array
    error_least: Array
    error_most: Array
    fano_least: Array

    @property
    def rises(self) -> bool:
        """Whether more can be read at the end than at the start."""
        return bool(self.found.corrected[-1] > self.found.corrected[0] + 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class OpenContrast:
    """Isolated less open societies: all that is claimed.

    Attributes:
        found: By round.
        least: The least that the difference of the shares that were read can be, whichever way what is unread had been
            guessed, shape (rounds,).
        most: The most.
        leeway: Of that difference at the last round, with confidence bounds; None where all is read.
        adjusted: p at the last round, for all rounds together, corrected over the run (Holm); until then that p itself.
    """

    found: InformationContrast
    least: Array
    most: Array
    leeway: Leeway | None
    adjusted: float = math.nan

    def __post_init__(self) -> None:
        """Until it is corrected, p is that for all rounds together."""
        if math.isnan(self.adjusted):
            object.__setattr__(self, "adjusted", self.p_value)

    @property
    def p_value(self) -> float:
        """That the arms differ at the last round, for all rounds together."""
        return float(self.found.adjusted[-1])

    @property
    def verdict(self) -> str:
        """``isolated show less``, ``isolated show more`` or ``not shown``, at the last round."""
        one = self.found
        if not self.adjusted <= 1 - one.confidence + 1e-12 or not one.information[-1]:
            return "not shown"
        return "isolated show less" if one.information[-1] < 0 else "isolated show more"

    @property
    def unsure(self) -> bool:
        """Whether what is unread could take the verdict away."""
        return self.leeway is not None and self.leeway.turns(float(self.found.information[-1]))

    @property
    def words(self) -> str:
        """The contrast in a sentence."""
        one, last = self.found, len(self.found.information) - 1
        doubt = ", but not if what could not be read had been guessed the other way" * self.unsure
        bounds = f"[{one.read_low[last]:+.3f}, {one.read_high[last]:+.3f}]"
        return (
            f"isolated − open at the last measurement: information {one.information[last]:+.3f} nats, societies whose "
            f"policy was read {one.read[last]:+.3f} {bounds}, over {one.pairs} pairs of societies, corrected p "
            f"{p_words(self.adjusted)}: {self.verdict}{doubt if self.verdict != 'not shown' else ''}."
        )


@dataclass(frozen=True, slots=True, eq=False)
class TaskInformation:
    """What the societies of a task show of the policies that they were given.

    Attributes:
        task: Its name.
        version: Its version.
        policies: K.
        societies: How many an arm, as many of each policy.
        left: How many more there are, that are left out: lost to errors, or too many of their policy.
        rounds: Measurements.
        at_best: The most that Fano's bound could prove with so many, in nats.
        gate: Whether answers followed the policy before the first round; None without a society of each policy.
        arms: By arm; empty where there are too few societies.
        contrast: Isolated less open; None where one of both was not played, or there are too few.
        notes: What holds for the whole.
    """

    task: str
    version: int
    policies: int
    societies: int
    left: int
    rounds: int
    at_best: float
    gate: Gate | None
    arms: tuple[ArmInformation, ...]
    contrast: OpenContrast | None
    notes: tuple[str, ...] = ()

    @property
    def most(self) -> float:
        """All that there is to know of a policy: ln K, in nats."""
        return float(np.log(self.policies))

    @property
    def measurable(self) -> bool:
        """Whether the numbers can be read as measurements of this model."""
        return self.gate is not None and self.gate.passed

    @property
    def too_few(self) -> bool:
        """Whether so few societies say nothing."""
        return _too_few(self.societies, self.policies, self.at_best)

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each."""
        name = f"{self.task}@{self.version}"
        if self.gate is None:
            return (
                f"{name}: not one society of each of {self.policies} policies is there in every arm: too few to say "
                "anything.",
            )
        if not self.gate.passed:
            return (f"{name}: {self.gate.refusal}",)
        if self.too_few:
            return (
                f"{name}: {self.societies} {several('society') if self.societies != 1 else 'society'} an arm and "
                f"{self.policies} policies are too few for an estimate: with every policy guessed the bound would be "
                f"{self.at_best:.3f} of {self.most:.3f} nats.",
            )
        return (f"{name}: {self.contrast.words}",) if self.contrast is not None else ()


def _too_few(societies: int, policies: int, at_best: float) -> bool:
    return societies < max(_LEAST_EACH * policies, MIN_STREAMS) or at_best < np.log(policies) / 2


class PolicyGatherer:
    """Gathers answers, sample by sample: nothing that grows with transcripts is held.

    Args:
        manifest: Of the run. Tasks that give societies no policy are left out.
    """

    def __init__(self, manifest: Manifest) -> None:
        played = [(manifest.tasks[task.name], task.arms) for task in manifest.spec.tasks if task.name in manifest.tasks]
        self._tasks: dict[str, tuple[TaskSheet, Sequence[str]]] = {
            sheet.name: (sheet, arms) for sheet, arms in played if asks_for_policies(sheet)
        }
        self._answers: dict[str, dict[_Cell, dict[int, list[tuple[Answer, ...]]]]] = {
            task: defaultdict(lambda: defaultdict(list)) for task in self._tasks
        }
        self._policies: dict[str, dict[str, int]] = {task: {} for task in self._tasks}
        self._lost: dict[str, list[str]] = {task: [] for task in self._tasks}

    def __bool__(self) -> bool:
        """Whether there is anything to gather."""
        return bool(self._tasks)

    def add(self, sample: Sample) -> None:
        """Take in a sample of any task; a society that lost one to an error is left out."""
        if sample.task not in self._tasks:
            return
        if sample.outcome == "error":
            self._lost[sample.task].append(sample.item)
            return
        for turn in sample.turns:
            told = answers_of(turn.scores)
            if told is not None:
                round_, policy, answers = told
                self._policies[sample.task][sample.item] = policy
                self._answers[sample.task][sample.arm, sample.item][round_].append(answers)

    def found(self, *, permutations: int = 1000, confidence: float = 0.95, seed: int = 0) -> list[TaskInformation]:
        """What was gathered says, task by task.

        Args:
            permutations: As for :func:`.policy_information`.
            confidence: Of limits.
            seed: Of folds and permutations.
        """
        return [
            task_policies(
                sheet,
                arms,
                self._answers[task],
                self._policies[task],
                lost=self._lost[task],
                permutations=permutations,
                confidence=confidence,
                seed=seed,
            )
            for task, (sheet, arms) in self._tasks.items()
            if self._answers[task]
        ]


def task_policies(
    sheet: TaskSheet,
    arms: Sequence[str],
    answers: Mapping[_Cell, Mapping[int, Sequence[tuple[Answer, ...]]]],
    policies: Mapping[str, int],
    *,
    lost: Sequence[str] = (),
    permutations: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> TaskInformation:
    """Read what the societies of one task show. A society is the unit, the samples of an item together.

    Only societies that are there in every arm count, as many of each policy: information is that of policies that are
    equally likely. Where a policy has more than another its last ones are left out. What a society that broke off did
    not come to is unread.

    Args:
        sheet: What the manifest says of the task.
        arms: The arms played.
        answers: By arm and society, then by round, the answers of each agent.
        policies: What each society was given.
        lost: For each sample that was lost to an error, its society: what a fault took away is not the society's doing,
            so that none of its arms counts.
        permutations: As for :func:`.policy_information`.
        confidence: Of limits.
        seed: Of folds and permutations.
    """
    k = max(len(one) for of in answers.values() for replies in of.values() for one in replies)
    rounds = 1 + max(at for of in answers.values() for at in of)
    gone = set(lost)
    there = [item for item in sorted(policies) if item not in gone and all((arm, item) in answers for arm in arms)]
    of = [[item for item in there if policies[item] == policy] for policy in range(k)]
    each = min(map(len, of))
    kept = sorted(item for own in of for item in own[:each])
    at_best = largest_fano_information(len(kept), k, confidence=confidence) if kept else 0.0
    most = max((len(replies) for found in answers.values() for replies in found.values()), default=0)
    counts = {arm: np.stack([_counts(answers[arm, i], rounds, k, most) for i in kept]) for arm in arms if kept}
    labels = np.array([policies[item] for item in kept], dtype=np.intp)
    gate = _gate(sheet, counts, labels, kept, confidence)
    given = {"permutations": permutations, "confidence": confidence, "seed": seed}
    read: dict[str, ArmInformation] = {}
    contrast = None
    if not _too_few(len(kept), k, at_best):
        features = {arm: found.reshape(*found.shape[:2], -1) for arm, found in counts.items()}
        for arm in arms:
            found = policy_information(features[arm], labels, **given)
            read[arm] = _arm(arm, found, counts[arm], labels, confidence)
        if {ISOLATED, OPEN} <= read.keys():
            held = information_contrast(features[ISOLATED], features[OPEN], labels, **given)
            contrast = _contrast(held, read, counts, labels)
    left = len({item for _, item in answers} | policies.keys() | gone) - len(kept)
    return TaskInformation(
        task=sheet.name,
        version=sheet.version,
        policies=k,
        societies=len(kept),
        left=left,
        rounds=rounds,
        at_best=at_best,
        gate=gate,
        arms=tuple(read.values()),
        contrast=contrast,
        notes=tuple(_notes(read, left=left, errors=len(lost))),
    )


def _counts(of: Mapping[int, Sequence[tuple[Answer, ...]]], rounds: int, k: int, most: int) -> Counts:
    """How often each answer was given in each case, shape (rounds, cases, answers); what is missing is unread."""
    found = np.zeros((rounds, k, len(Answer)))
    for at, replies in of.items():
        for one in replies:
            found[at, np.arange(len(one)), one] += 1
    found[..., Answer.UNREAD] += most - found.sum(axis=-1)
    return found


def _gate(
    sheet: TaskSheet, counts: Mapping[str, Counts], labels: NDArray[np.intp], kept: Sequence[str], confidence: float
) -> Gate | None:
    """Before the first round, with the policy in memory; arms are repeats of the same society there."""
    if not counts:
        return None
    metric = next(metric for metric in sheet.metrics if metric.name == FIRST)
    values = np.stack([_follows(found[:, 0], labels) for found in counts.values()])
    units = np.broadcast_to(np.array(kept), values.shape)
    held = mean_interval(values.ravel(), units.ravel(), kind="graded", low=0.0, high=1.0, confidence=confidence)
    # Both halves stand in one number, and who does not look has half of it, whatever he does.
    chance = 0.5 if metric.chance is None else metric.chance
    return Gate({"all": held}, {"all": chance}, held.low > chance, "before the first round")


def _follows(counts: Counts, labels: NDArray[np.intp]) -> Array:
    """How far each society follows its policy, from counts of shape (societies, cases, answers)."""
    shares = counts / counts.sum(axis=-1, keepdims=True)
    own = np.arange(len(labels)), labels
    checks = shares[..., Answer.CHECK].copy()
    checks[own] = 0
    return (shares[..., Answer.ACT][own] + checks.sum(axis=1) / (counts.shape[1] - 1)) / 2


def _unread(counts: Counts) -> NDArray[np.bool_]:
    """Whether anything of a society could not be read, shape (societies, rounds)."""
    return np.any(counts[..., Answer.UNREAD] > 0, axis=2)


def _arm(
    arm: str, found: PolicyInformation, counts: Counts, labels: NDArray[np.intp], confidence: float
) -> ArmInformation:
    open_, wrong = _unread(counts), found.guesses != labels[:, None]
    most = (wrong | open_).sum(axis=0)
    high = clopper_pearson_bounds(most, len(labels), confidence)[1]
    return ArmInformation(
        arm=arm,
        found=found,
        unread=counts[..., Answer.UNREAD].sum(axis=(0, 2)) / counts.sum(axis=(0, 2, 3)),
        error_least=(wrong & ~open_).mean(axis=0),
        error_most=most / len(labels),
        fano_least=np.minimum(found.fano, fano_information(high, found.policies)),
    )


def _contrast(
    held: InformationContrast,
    read: Mapping[str, ArmInformation],
    counts: Mapping[str, Counts],
    labels: NDArray[np.intp],
) -> OpenContrast:
    ends = {}
    for arm in (ISOLATED, OPEN):
        right, open_ = read[arm].found.guesses == labels[:, None], _unread(counts[arm])
        ends[arm] = (right & ~open_).astype(np.float64), (right | open_).astype(np.float64)
    least, most = ends[ISOLATED][0] - ends[OPEN][1], ends[ISOLATED][1] - ends[OPEN][0]
    leeway = leeway_of(least[:, -1], most[:, -1], reach=1.0, confidence=held.confidence)
    return OpenContrast(held, least=least.mean(axis=0), most=most.mean(axis=0), leeway=leeway)


def _notes(read: Mapping[str, ArmInformation], *, left: int, errors: int) -> Iterator[str]:
    if left:
        why = f" ({errors} {'sample' if errors == 1 else 'samples'} lost to errors)" if errors else ""
        yield (
            f"{left} {'society is' if left == 1 else 'societies are'} left out: not there in every arm, or more of "
            f"their policy than of another{why}"
        )
    for one in read.values():
        if one.arm in (ISOLATED, OPEN) and one.rises:
            yield (
                f"{one.arm}: more can be read at the end than at the start ({one.found.corrected[0]:.3f} to "
                f"{one.found.corrected[-1]:.3f} nats); behaviour may show more of what was there all along, and this "
                "violates nothing"
            )
