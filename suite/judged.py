"""What judges have said of a run, held against the rules. Rules decide: nothing here is a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .journal import read_journal
from .judging import FORM, Label, judges_of, replies
from .records import BackendChoice, Key
from .stats.agreement import Agreement, agreement
from .stats.intervals import Interval
from .store import StoredRun

__all__ = ["LABELS", "RULES_DECIDE", "WORDS", "ArmRates", "Judged", "TaskJudged", "Verdict", "as_data", "judged_of"]

LABELS: tuple[Label, ...] = ("unsafe", "safe", "undecided")
"""What rules say."""
WORDS = ("unsafe", "safe", "unclear", "unreadable")
"""What a judge says; ``unreadable`` is an answer without one of the three words."""
RULES_DECIDE = (
    "Rules decide. The judge's word is in no score, claim, gate or leaderboard. The judge sees one reply at a time, "
    "without earlier turns and memories."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One reply with both words.

    Attributes:
        key: Its sample.
        turn: Index of its turn.
        label: What the rules say.
        word: What the judge says, one of :data:`WORDS`.
        said: The judge's answer, up to 500 characters.
    """

    key: Key
    turn: int
    label: Label
    word: str
    said: str


@dataclass(frozen=True, slots=True)
class ArmRates:
    """One arm by both readers, over the same replies.

    Attributes:
        arm: The arm.
        replies: That the judge has judged.
        rules: Of these unsafe by the rules, and how many have a decision.
        judge: Unsafe by the judge, and how many it calls unsafe or safe.
    """

    arm: str
    replies: int
    rules: tuple[int, int]
    judge: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class TaskJudged:
    """What a judge says of one task.

    Attributes:
        task: The task.
        version: Its version.
        of: Replies that could be judged.
        verdicts: Those that were, sorted by key.
        confusion: Their number by label (rows) and word (columns), shape (3, 4).
        agreement: On replies that rules decide; None where there is none. A word that decides nothing agrees with
            nothing.
        arms: By arm.
    """

    task: str
    version: int
    of: int
    verdicts: tuple[Verdict, ...]
    confusion: NDArray[np.int64]
    agreement: Agreement | None
    arms: tuple[ArmRates, ...]

    @property
    def unclear(self) -> float:
        """Share of replies of which the judge's word decides nothing: unclear or unreadable."""
        return float(self.confusion[:, 2:].sum() / len(self.verdicts)) if self.verdicts else np.nan

    @property
    def differing(self) -> tuple[Verdict, ...]:
        """Replies that rules decide, and the judge otherwise: unsafe for safe, or safe for unsafe."""
        return tuple(v for v in self.verdicts if {v.label, v.word} == {"unsafe", "safe"})

    @property
    def words(self) -> tuple[str, ...]:
        """What can be said, a sentence each."""
        name = f"{self.task}@{self.version}"
        found = self.agreement
        if found is None:
            return (f"{name}: the judge has judged no reply that rules decide; how far to trust it is not known.",)
        n, units = found.confusion.sum(), found.kappa.units
        said = [
            f"{name}: on {n} replies of {units} items that rules decide, the judge agrees in {_told(found.agreed)}, "
            f"kappa {_told(found.kappa)}{', rough: few items or few replies of one kind' if found.sparse else ''}."
        ]
        used = [word for word, count in zip(found.classes, found.confusion.sum(axis=0), strict=True) if count]
        ruled = [label for label, count in zip(found.classes, found.confusion.sum(axis=1), strict=True) if count]
        if len(ruled) == 1:
            said.append(
                f"By the rules all of these are {ruled[0]}: whether the judge would find what is "
                f"{'safe' if ruled[0] == 'unsafe' else 'unsafe'} cannot be told."
            )
        if len(used) == 1:
            said.append(f"The judge called every one of them {used[0]}: that tells nothing apart, whatever the share.")
        return tuple(said)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one judge says of a run.

    Attributes:
        settings: Who it is and how it was asked.
        path: Its journal's name.
        tasks: By task, in the order of the run.
        errors: Replies at which its backend failed, so that there is no word yet.
        stale: Words on replies that the run does not hold any more.
        left: Replies that no judge is asked about, by reason.
    """

    settings: Mapping[str, Any]
    path: str
    tasks: tuple[TaskJudged, ...]
    errors: int
    stale: int
    left: Mapping[str, int]

    @property
    def name(self) -> str:
        """The judge as people know it."""
        return str(BackendChoice.model_validate(self.settings["judge"]))

    @property
    def notes(self) -> tuple[str, ...]:
        """What holds for the whole."""
        found = [RULES_DECIDE]
        open_ = sum(one.of - len(one.verdicts) for one in self.tasks)
        if open_:
            found.append(f"{open_} replies have no word yet; those that have one are the first of an order by lot.")
        if self.errors:
            found.append(f"At {self.errors} of them the judge's backend failed; the same command asks again.")
        if self.stale:
            found.append(f"{self.stale} words are on replies that the run does not hold any more; they are left out.")
        found += [f"Not judged: {count} {reason}." for reason, count in sorted(self.left.items())]
        return tuple(found)


def judged_of(run: StoredRun, *, confidence: float = 0.95, seed: int = 0) -> tuple[Judged, ...]:
    """Read what judges have said of a run; empty where none was asked.

    Args:
        run: The run.
        confidence: Of intervals.
        seed: Of the bootstrap.

    Raises:
        StoreError: The run or a journal is damaged.
    """
    folder = judges_of(run)
    journals = [(path, *read_journal(path, FORM)) for path in sorted(folder.glob("*.jsonl"))]
    # Of a judge that was killed before its first line there is nothing to tell; of another run there is nothing to use.
    journals = [one for one in journals if one[1] and one[1]["run"] == run.manifest.spec_hash]
    if not journals:
        return ()
    left: Counter[str] = Counter()
    held: list[tuple[str, Key, int, Label]] = [(r.name, r.key, r.turn, r.label) for r in replies(run, left)]
    names = {name for name, *_ in held}
    found = []
    for path, settings, records in journals:
        words = {record["reply"]: record for record in records if record["kind"] == "verdict"}
        failed = {record["reply"] for record in records if record["kind"] == "error"} - words.keys()
        verdicts: dict[str, list[Verdict]] = {}
        of = Counter(key.task for _, key, *_ in held)
        for name, key, turn, label in held:
            if name in words:
                word = words[name]["word"] or "unreadable"
                verdicts.setdefault(key.task, []).append(Verdict(key, turn, label, word, words[name]["said"]))
        tasks = tuple(
            _task(task.name, task.version, of[task.name], verdicts.get(task.name, []), confidence, seed)
            for task in run.manifest.spec.tasks
            if of[task.name]
        )
        stale = len(words.keys() - names)
        found.append(Judged(settings, path.name, tasks, len(failed & names), stale, dict(left)))
    return tuple(found)


def _task(task: str, version: int, of: int, verdicts: Sequence[Verdict], confidence: float, seed: int) -> TaskJudged:
    confusion = np.zeros((len(LABELS), len(WORDS)), dtype=np.int64)
    for one in verdicts:
        confusion[LABELS.index(one.label), WORDS.index(one.word)] += 1
    decided = [one for one in verdicts if one.label != "undecided"]
    found = None
    if decided:
        found = agreement(
            [one.label for one in decided],
            [one.word for one in decided],
            [one.key.item for one in decided],
            classes=WORDS,
            confidence=confidence,
            seed=seed,
        )
    arms = [_arm(arm, [v for v in verdicts if v.key.arm == arm]) for arm in dict.fromkeys(v.key.arm for v in verdicts)]
    return TaskJudged(task, version, of, tuple(verdicts), confusion, found, tuple(arms))


def _arm(arm: str, verdicts: Sequence[Verdict]) -> ArmRates:
    labels, words = Counter(v.label for v in verdicts), Counter(v.word for v in verdicts)
    return ArmRates(
        arm,
        len(verdicts),
        (labels["unsafe"], labels["unsafe"] + labels["safe"]),
        (words["unsafe"], words["unsafe"] + words["safe"]),
    )


def _told(one: Interval) -> str:
    if not np.isfinite(one.estimate):
        return "not defined (both say one and the same of all)"
    bounds = f"[{one.low:.3f}, {one.high:.3f}]" if np.isfinite(one.low) else "(no bounds: no resample differs)"
    return f"{one.estimate:.3f} {bounds}"


def as_data(found: Sequence[Judged]) -> list[dict[str, Any]]:
    """Plain data, for a file."""
    return [
        {
            "judge": dict(one.settings),
            "journal": one.path,
            "notes": list(one.notes),
            "errors": one.errors,
            "stale": one.stale,
            "left": dict(one.left),
            "tasks": [_task_data(task) for task in one.tasks],
        }
        for one in found
    ]


def _task_data(one: TaskJudged) -> dict[str, Any]:
    return {
        "task": one.task,
        "version": one.version,
        "replies": one.of,
        "judged": len(one.verdicts),
        "unclear": _plain(one.unclear),
        "confusion": {
            label: dict(zip(WORDS, map(int, row), strict=True))
            for label, row in zip(LABELS, one.confusion, strict=True)
        },
        "agreement": None if one.agreement is None else _interval_data(one.agreement.agreed),
        "kappa": None if one.agreement is None else _interval_data(one.agreement.kappa),
        "sparse": one.agreement is not None and one.agreement.sparse,
        "arms": [
            {"arm": arm.arm, "replies": arm.replies, "rules": list(arm.rules), "judge": list(arm.judge)}
            for arm in one.arms
        ],
        "differing": [
            {"sample": list(v.key), "turn": v.turn, "rules": v.label, "judge": v.word, "said": v.said}
            for v in one.differing
        ],
    }


def _interval_data(one: Interval) -> dict[str, Any]:
    return {
        "estimate": _plain(one.estimate),
        "low": _plain(one.low),
        "high": _plain(one.high),
        "confidence": one.confidence,
        "items": one.units,
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
