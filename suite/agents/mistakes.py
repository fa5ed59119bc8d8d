"""A notebook of mistakes: notes on groups of failures, kept only if the episodes after them go better."""

from __future__ import annotations

from typing import ClassVar

from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .practice import FAILED, own
from .remembering import CAP, SIGHT, RememberingAgent, at_least
from .similarity import clusters
from .verdict import failed, worth

__all__ = ["Failure", "MistakesAgent", "Notebook"]

_ALIKE = 0.65
"""Cosine down to which groups of failures are joined.

Measured on transcripts of Odyssey's four smoke tiers, four at a time, 5 and 95 %: of one task played in one way .74 to
.94, of one task played at random and in nonsense .58 to .66, of two tasks .27 to .40.
"""

_NOTES = 3
_EXAMPLES = 2
_EXAMPLE = "The lever was pressed while the toaster was unplugged. Plug it in first."


class Failure(Record):
    """A failed episode, for the notes to be written from."""

    episode: str
    text: str


class Notebook(Record):
    """The notes, and where the agent stands in its batches.

    Args:
        notes: Those accepted, oldest first.
        trial: Those on trial; none while a batch is played without.
        failures: Failed episodes of the present batch without a trial.
        scores: What the episodes of the present batch were worth.
        lived: How many episodes of it were lived.
        before: Mean worth of the batch before, without the notes that are on trial; None: none was judged.
        accepted: How many trials were accepted.
        rejected: How many were not.
    """

    notes: tuple[str, ...] = ()
    trial: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    scores: tuple[float, ...] = ()
    lived: int = 0
    before: float | None = None
    accepted: int = 0
    rejected: int = 0


class MistakesAgent(RememberingAgent[Notebook]):
    """Groups failed episodes, writes a note on each group, and keeps the notes only if a batch with them goes better.

    Su et al., "Mistake Notebook Learning: Batch-Clustered Failures for Training-Free Agent Adaptation" (2025,
    arXiv:2512.11485; Findings of ACL 2026): failures of a batch are grouped by subject, a note is distilled from each
    group, and the memory changes only if the batch, played again, gets better. Changed: a stream goes on, no episode
    can be played again, so the batch with the notes is the next one; groups are found by TF-IDF and average linkage,
    not by subjects that a model names; all notes are shown, not those of a subject; no second model supervises. Their
    structured fields, their merging of notes and their test-time scaling are left out.

    The rule: batches of ``batch`` episodes alternate. After one without a trial its failures are grouped, a note is
    written on each of the 3 largest groups, and all go on trial together; after one with a trial they are accepted if
    its mean score is above that of the batch before, else forgotten. So a trial is always held against the batch right
    before it, played with the same notes but those on trial: neither a lucky batch nor a bad trial stands as the
    measure for later ones.

    Its noise: if the notes do nothing, a trial is still accepted in up to half of the cases; with binary scores of mean
    .5 and batches of 4 in .36, of 16 in .43, because ties are rejected; notes that raise .5 to .75 are accepted in .66
    and .91. A batch is too small to prove anything: whether the method helps is what the arms of a task measure.

    Accepted notes have half of the cap, of more the oldest go; those on trial have the other half, a third of it each.
    What counts as failed: :func:`.verdict.failed`; an episode without a score counts in no mean. Higher scores are
    taken to be better.

    Args:
        batch: Episodes of a batch, from 1 on.
        cap: Characters of notes at most, at least 200.
        sight: Characters of the episodes that are shown when a note is written, at least 200.
        window: How many past turns of the present episode are shown; None shows all.
    """

    name: ClassVar[str] = "mistakes"
    heading: ClassVar[str] = "Notes on mistakes in earlier episodes:"
    marks: ClassVar[frozenset[str]] = frozenset({"episode"})

    def __init__(self, batch: int = 4, cap: int = CAP, sight: int = SIGHT, window: int | None = None) -> None:
        super().__init__(Notebook(), cap=cap, sight=sight, window=window)
        self.batch = at_least(self.name, "batch", batch, 1)

    def memory(self, observation: Observation) -> str:
        """The accepted notes and those on trial."""
        return _shown((*self.state.notes, *self.state.trial))

    async def learn(self, experience: Experience, model: Model) -> str:
        """Count the episode; at the end of a batch judge the trial, or begin one: up to 3 calls."""
        now, value = self.state, worth(experience)
        scores = now.scores if value is None else (*now.scores, value)
        failures = now.failures
        if not now.trial and failed(experience):
            failures = (*failures, Failure(episode=experience.id, text=self._told(experience)))
        lived = now.lived + 1
        if lived < self.batch:
            counted = now.model_copy(update={"scores": scores, "failures": failures, "lived": lived})
            return self.become(counted, f"counted episode {lived} of a batch of {self.batch}")
        mean = round(sum(scores) / len(scores), 6) if scores else None
        fresh = {"trial": (), "failures": (), "scores": (), "lived": 0, "before": None}
        if now.trial:
            better = mean is not None and now.before is not None and mean > now.before
            notes = self._fitting((*now.notes, *now.trial)) if better else now.notes
            counts = {"accepted": now.accepted + better, "rejected": now.rejected + (not better)}
            change = f"{'accepted' if better else 'rejected'} {len(now.trial)} notes: "
            change += f"mean {_number(mean)} with them, {_number(now.before)} before"
            return self.become(now.model_copy(update={**fresh, **counts, "notes": notes}), change)
        trial = await self._notes(experience, failures, model)
        change = f"ended a batch of mean {_number(mean)} without a new note"
        if trial:
            change = f"put on trial against a mean of {_number(mean)}: " + "; ".join(trial)
        return self.become(now.model_copy(update={**fresh, "trial": trial, "before": mean if trial else None}), change)

    def _told(self, experience: Experience) -> str:
        room = self.sight // _EXAMPLES
        return clip(experience.transcript(most=room), room)

    async def _notes(self, experience: Experience, failures: tuple[Failure, ...], model: Model) -> tuple[str, ...]:
        """A note on each of the largest groups, as far as all fit beside the newest accepted ones."""
        notes: list[str] = []
        for group in clusters([failure.text for failure in failures], _ALIKE)[:_NOTES]:
            episodes = "\n\n".join(failures[i].text for i in group[-_EXAMPLES:])
            question = _question(clip(experience.instructions, self.sight // 3), len(group), episodes)
            practice = (_question(FAILED.instructions, 2, FAILED.transcript()), _EXAMPLE)
            answer = await self.ask(model, question, practice=practice)
            note = clip(" ".join(own(answer, experience).split()), self.cap // (2 * _NOTES) - 3)
            if note and note not in (*self.state.notes, *notes):
                notes.append(note)
        return tuple(notes)

    def _fitting(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        """The newest notes that leave room for a trial."""
        while notes and len(_shown(notes)) > self.cap - self.cap // 2:
            notes = notes[1:]
        return notes


def _question(task: str, count: int, episodes: str) -> str:
    return (
        f"The task:\n{task}\n\n{count} of your episodes failed in a like way. For example:\n\n{episodes}\n\n"
        "Write one note for later episodes, in at most two sentences: what the mistake is, and what to do instead. Be "
        "concrete. Write nothing else."
    )


def _shown(notes: tuple[str, ...]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
