"""What the check of a submission found: kinds, places, counts, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from .text import visible

__all__ = ["CAVEAT", "KINDS", "SHOWN", "Finding", "Findings", "Kind", "Severity", "Verification", "verification_text"]

Severity = Literal["error", "warning", "note"]
"""``error``: the submission is not accepted. ``warning``: a person should look. ``note``: what a reader should know."""

CAVEAT = (
    "A replay shows that these replies earn these scores on these items. It cannot show who wrote the replies, how "
    "often they were drawn before, or that counted tokens, costs and seconds are true."
)
"""What stands wherever a badge or a verdict is shown."""

SHOWN = 20
"""How many findings of one kind are kept; the others are counted."""


class Kind(NamedTuple):
    """A sort of finding.

    Attributes:
        severity: What it means for the verdict.
        meaning: One line for people.
    """

    severity: Severity
    meaning: str


_ERROR: Mapping[str, str] = {
    "missing-file": "a file that every run has is not there",
    "strange-file": "something in the folder is not part of a run, or not a plain file",
    "open-log": "the store's log was not folded in, so that what is read may change",
    "too-large": "more bytes than a run needs; not read",
    "changed": "the files changed while they were being checked",
    "damaged": "the store is damaged",
    "schema": "the store is not laid out as Finchmark lays it out",
    "manifest": "the manifest cannot be read, or contradicts itself",
    "spec-hash": "the hash of the specification does not belong to it",
    "model-hash": "the specification names another model than the manifest describes",
    "sheet": "metrics or levels in the manifest are not those of the task",
    "streams": "agents that learn: their episodes cannot be replayed one by one yet, so nothing of them is checked",
    "unknown-task": "a task that is not known here, so nothing of it can be checked",
    "task-version": "another version of the task than is known here; its samples cannot be replayed",
    "plan": "the specification asks for what the task does not have",
    "items": "the items are not those that name, version, tier and seed give",
    "row": "a stored value cannot be read as what it must be",
    "missing-sample": "samples that the specification asks for are not there",
    "extra-sample": "samples that the specification does not ask for",
    "attempts": "a sample that had a result was played again, or attempts are not numbered from 1",
    "item-hash": "a sample was played on another item than its name says",
    "seed": "a seed is not the one that the specification implies",
    "value": "a number that the metric or the record cannot have",
    "transcript": "the stored digest or count of the turns does not belong to them",
    "text": "a text that turns refer to is missing, altered, or referred to by none",
    "loose-turns": "turns that belong to no sample",
    "usage": "a sample's usage is not the sum over its calls",
    "limit": "a sample says that it met a limit that the run does not have or that it did not reach",
    "too-many-errors": "so many samples were lost to errors that those left may be a choice",
    "replay": "the stored replies do not lead through the episode",
    "replay-outcome": "the replay ends otherwise than the sample says",
    "replay-metric": "the replay gives another score than the sample says",
    "replay-turn": "the replay sees, does or records something else than the turn says",
    "prompt": "a reply was given to another prompt than the task asks",
}

_WARNING: Mapping[str, str] = {
    "not-replayed": "samples whose scores could not be recomputed",
    "errors": "samples lost to errors; they are not scored, and nothing shows what they would have been",
    "retried": "samples that needed more than one attempt",
    "stopped": "samples cut short by what a replay does not meet: a context, a clock, a filter",
    "over-cap": "replies with more tokens than the run allows",
    "same-transcript": "samples of one item that read the same although their seeds differ",
    "same-across-items": "samples of different items that read the same",
    "wording": "the manifest describes a task in other words than the task does",
    "label": "the model's name could deceive the eye",
}

_NOTE: Mapping[str, str] = {
    "first-items": "not all items of the tier",
    "some-arms": "not all arms of the task",
    "scripted": "a scripted policy played, no model",
    "other-version": "made with another version of Finchmark",
    "notes": "the manifest carries notes",
}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **{name: Kind("error", meaning) for name, meaning in _ERROR.items()},
        **{name: Kind("warning", meaning) for name, meaning in _WARNING.items()},
        **{name: Kind("note", meaning) for name, meaning in _NOTE.items()},
    }
)
"""Every kind of finding by its stable name, the grave ones first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: One of :data:`KINDS`.
        severity: What it means for the verdict.
        where: File, sample (``task/arm/item/sample``) and turn.
        text: What is wrong, with the values; made safe to look at.
    """

    kind: str
    severity: Severity
    where: str
    text: str


class Findings:
    """Collects findings: the first :data:`SHOWN` of each kind, and the number of all."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, where: str, text: str, *, times: int = 1) -> None:
        """Note a finding.

        Args:
            kind: One of :data:`KINDS`.
            where: File, sample and turn.
            text: What is wrong. It may hold a stranger's text.
            times: How often it is found, where one line stands for many.
        """
        severity = KINDS[kind].severity
        if self.counts[kind] < SHOWN:
            self.kept.append(Finding(kind, severity, visible(where, 200), visible(text, 600)))
        self.counts[kind] += times

    def all(self) -> tuple[Finding, ...]:
        """The findings kept, by severity and kind, otherwise in the order in which they were found."""
        order = {name: index for index, name in enumerate(KINDS)}
        return tuple(sorted(self.kept, key=lambda finding: order[finding.kind]))


@dataclass(frozen=True)
class Verification:
    """The outcome of checking a submission.

    Attributes:
        path: The folder.
        label: The model's name as the submission states it; empty where no manifest could be read.
        spec_hash: Hash of the specification, recomputed; empty likewise.
        findings: By severity and kind, at most :data:`SHOWN` of each.
        counts: How many there are of each kind.
        checked: What was checked, in words, with figures.
        expected: Samples that the specification asks for.
        samples: Samples found, each at its last attempt.
        replayed: Samples played again whose every turn and score came out as stored.
        errors: Samples that are errors, which have nothing to replay.
        digest: SHA-256 of manifest and store, as they were checked.
    """

    path: Path
    label: str
    spec_hash: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    checked: tuple[str, ...]
    expected: int = 0
    samples: int = 0
    replayed: int = 0
    errors: int = 0
    digest: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that forbids to accept it."""
        return not any(KINDS[kind].severity == "error" for kind in self.counts)

    @property
    def fully_replayed(self) -> bool:
        """Whether every score was recomputed: all samples there, and all but errors replayed."""
        return self.ok and self.replayed > 0 and self.replayed + self.errors == self.samples == self.expected


def verification_text(verification: Verification) -> str:
    """Say for a terminal what was checked, what was found, and what follows.

    Args:
        verification: From :func:`.verify`.
    """
    found = verification
    verdict = "can be accepted" if found.ok else "cannot be accepted"
    lines = [f"{visible(found.path)}: {verdict}." + (f" Model: {visible(found.label)}." if found.label else "")]
    lines += [f"  checked: {text}" for text in found.checked]
    for kind, group in groupby(found.findings, key=lambda finding: finding.kind):
        severity, meaning = KINDS[kind]
        shown = [f"  {finding.where}: {finding.text}" for finding in group]
        lines += [f"{severity}: {kind} ({found.counts[kind]}): {meaning}", *shown]
        if len(shown) == SHOWN < found.counts[kind]:
            lines.append(f"  and {found.counts[kind] - SHOWN} more")
    if found.fully_replayed:
        lines.append("Every score was recomputed from the stored replies and came out the same.")
    elif found.ok:
        lines.append(
            f"{found.replayed} of {found.samples} samples were replayed; the scores of the others are the "
            "submitter's word."
        )
    lines.append(CAVEAT)
    return "\n".join(lines)
