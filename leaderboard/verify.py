"""Checks a run from elsewhere before it stands on a board: everything that its files can be held against.

The replies are played again through the tasks' own worlds, and every score is computed anew. That shows that these
replies earn these scores. It cannot show who wrote the replies, nor how often they were drawn before.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from ..suite.canonical import content_hash
from ..suite.environment import version
from ..suite.private_items import read_secret
from ..suite.records import MAX_LOST, Key, Manifest, Outcome, RunSpec, Sample, Turn
from ..suite.registry import include_file
from .findings import Findings, Verification
from .known_tasks import AGENTS, KnownTask, Means, known_task
from .sample_checks import differences, record_faults
from .submission import MANIFEST, MOST_BYTES, STORE, Row, Store, Submission
from .text import visible

__all__ = ["verify"]

T = TypeVar("T")

_CUT_SHORT = ("context_overflow", "time_limit", "token_limit")
_NAMED = 20
"""How many missing samples are named; the others are counted."""


def verify(
    submission: str | Path,
    *,
    include: Sequence[str | Path] = (),
    items_secret: str | Path | None = None,
    data: str | Path | None = None,
    sandbox_python: str | Path | None = None,
    agents: Collection[str] = AGENTS,
    most_bytes: int = MOST_BYTES,
) -> Verification:
    """Check a run folder from elsewhere. It is read only, and nothing in it is trusted.

    Checked are the folder, the store's layout and integrity, all hashes, the items and their coverage, seeds, values,
    and by a replay every turn and score, to nine digits. Not checked, because nothing decides them: seconds, whether
    counts of tokens and costs are true, kind and text of errors, names, dates and notes in the manifest, and the
    machine that it describes.

    Args:
        submission: The folder.
        include: Python files with tasks of one's own, trusted ones.
        items_secret: The secret's file, for a run on private items; without it they are not replayed.
        data: The files, for a run on items from files; likewise.
        sandbox_python: The interpreter of the sandbox, for a run that chose one; likewise.
        agents: Agents that may be made with the arguments that the submission states; a run with another agent is not
            replayed.
        most_bytes: The largest store that is read.

    Returns:
        What was checked and found; ``.ok`` says whether it can be accepted.

    Raises:
        UsageError: There is no folder, or ``include`` or ``items_secret`` cannot be read.
    """
    for file in include:
        include_file(Path(file))
    if items_secret is not None:
        read_secret(Path(items_secret))
    means = Means(
        items_secret=None if items_secret is None else Path(items_secret),
        data=None if data is None else Path(data),
        sandbox_python=None if sandbox_python is None else Path(sandbox_python),
        agents=agents,
    )

    def check() -> Verification:
        with asyncio.Runner() as runner:
            # The loop itself: Runner.run puts a signal handler in place each time, which costs more than a sample.
            return _Check(Path(submission), means, most_bytes, runner.get_loop()).verification()

    return _outside_a_loop(check)


def _outside_a_loop(call: Callable[[], T]) -> T:
    """Call a function that runs an event loop of its own, also where one runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


class _Check:
    """One check of one submission."""

    def __init__(self, path: Path, means: Means, most_bytes: int, loop: asyncio.AbstractEventLoop) -> None:
        self.path, self.means, self.loop = path, means, loop
        self.found = Findings()
        self.submission = Submission(path, self.found, most_bytes=most_bytes)
        self.checked: list[str] = []
        self.expected = self.replayed = self.turns = 0
        self.outcomes: Counter[str] = Counter()
        self.seen: set[Key] = set()
        self.unplayed: Counter[str] = Counter()
        self.item_hashes: dict[tuple[str, str], str] = {}
        self.texts_used: set[str] = set()
        self.twins = _Twins()

    def verification(self) -> Verification:
        """Check everything, in the order in which one thing rests on another."""
        digest = self.submission.digest()
        manifest = self.submission.manifest()
        streamed = [choice.name for choice in manifest.spec.tasks if choice.streams] if manifest is not None else []
        for name in streamed:
            self.found.add("streams", name, "it has streams")
        if manifest is not None and not streamed:
            self._manifest(manifest)
            tasks = {choice.name: self._task(manifest, choice.name) for choice in manifest.spec.tasks}
            with self.submission.store() as store:
                if store is not None:
                    self.checked.append("the store: layout, integrity, types of values")
                    self._samples(store, manifest, tasks)
                    self._texts(store)
        if self.submission.digest() != digest:
            self.found.add("changed", STORE, "another process writes to it; check a copy")
        return Verification(
            path=self.path,
            label="" if manifest is None else manifest.label,
            spec_hash="" if manifest is None else manifest.spec.hash,
            findings=self.found.all(),
            counts=dict(self.found.counts),
            checked=tuple(self.checked),
            expected=self.expected,
            samples=len(self.seen),
            replayed=self.replayed,
            errors=self.outcomes[Outcome.ERROR],
            digest=digest,
        )

    def _manifest(self, manifest: Manifest) -> None:
        """Hold the manifest against itself."""
        add, spec = self.found.add, manifest.spec
        if manifest.spec_hash != spec.hash:
            add("spec-hash", MANIFEST, f"it says {manifest.spec_hash}, the specification gives {spec.hash}")
        try:
            identity = content_hash(manifest.model, digits=16)
        except (TypeError, ValueError) as error:
            identity = f"none ({error})"
        if spec.model_identity != identity:
            add("model-hash", MANIFEST, f"the specification says {spec.model_identity!r}, the description {identity}")
        names = [choice.name for choice in spec.tasks]
        if sorted(manifest.tasks) != sorted(names) or not names:
            add("manifest", MANIFEST, f"it describes {sorted(manifest.tasks)}, the specification plays {names}")
        for choice in spec.tasks:
            if len(set(choice.arms)) != len(choice.arms) or not choice.arms or choice.items < 1:
                add("plan", choice.name, f"{choice.items} items in the arms {list(choice.arms)}")
        self.expected = sum(len(choice.arms) * choice.items for choice in spec.tasks) * spec.samples
        if manifest.expected != self.expected:
            add("manifest", MANIFEST, f"it expects {manifest.expected} samples, the specification {self.expected}")
        if not manifest.complete:
            add("manifest", MANIFEST, "it says that the run is not complete; the same `finchmark run` goes on with it")
        if manifest.label != visible(manifest.label, 100) or not manifest.label.strip():
            add("label", MANIFEST, repr(manifest.label))
        if spec.backend.name == "scripted":
            add("scripted", MANIFEST, str(spec.backend))
        if spec.limit is not None:
            add("first-items", MANIFEST, f"limit = {spec.limit}")
        if manifest.finchmark != version():
            add("other-version", MANIFEST, f"{manifest.finchmark}; here is {version()}")
        for note in manifest.notes:
            add("notes", MANIFEST, note)
        self.checked.append(f"the manifest: specification {spec.hash}, hashes, {self.expected} samples asked for")

    def _task(self, manifest: Manifest, name: str) -> KnownTask:
        choice = next(choice for choice in manifest.spec.tasks if choice.name == name)
        task = known_task(manifest, choice, self.means, self.found)
        if task.items is not None:
            self.checked.append(f"{name}: {len(task.items)} items made anew, {choice.items_hash}")
        return task

    def _samples(self, store: Store, manifest: Manifest, tasks: Mapping[str, KnownTask]) -> None:
        spec = manifest.spec
        for row in self._attempts(store.rows()):
            sample = row.sample
            where = _name(sample)
            self.turns += len(sample.turns)
            self.texts_used.update(turn.instructions for turn in sample.turns if turn.instructions)
            if row.last:
                self.seen.add(sample.key)
                self.outcomes[sample.outcome] += 1
            task = tasks.get(sample.task)
            if task is None or not _asked_for(sample, task, spec):
                self.found.add("extra-sample", where, f"its key is {tuple(sample.key)}")
                continue
            for fault in record_faults(row, task, spec):
                self.found.add(fault.kind, _at(where, fault.turn), fault.text)
            self._look(row, task, spec)
            if row.last and sample.outcome is not Outcome.ERROR:
                self._replay(sample, task)
        for task in tasks.values():
            self._coverage(store, task, spec)
        for why, count in self.unplayed.items():
            self.found.add("not-replayed", STORE, f"{count} samples: {why}", times=count)
        counts = {str(outcome): self.outcomes[outcome] for outcome in Outcome}
        if manifest.counts != counts and not store.unreadable:
            self.found.add("manifest", MANIFEST, f"it counts {manifest.counts}, the store holds {counts}")
        self._shares(spec)
        read = f"{len(self.seen)} samples, {self.turns} turns"
        self.checked.append(f"{read}: keys, seeds, values, digests; {self.replayed} replayed alike")

    def _attempts(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Hand the rows on, and see that only errors were played again, each attempt with its number."""
        key, expected, told = None, 0, False
        for row in rows:
            sample = row.sample
            if sample.key != key:
                key, expected, told = sample.key, 0, False
            expected += 1
            where = _name(sample)
            if sample.attempt != expected and not told:
                told = True
                self.found.add("attempts", where, f"attempt {sample.attempt} stands where {expected} belongs")
            if not row.last and sample.outcome is not Outcome.ERROR:
                text = f"attempt {sample.attempt} ended as {sample.outcome}, and yet it was played again"
                self.found.add("attempts", where, text)
            if row.last and expected > 1:
                self.found.add("retried", where, f"{expected} attempts")
            yield row

    def _replay(self, sample: Sample, task: KnownTask) -> None:
        """Play a sample again and hold it against what is stored."""
        if task.replay is None or task.items is None:
            self.unplayed[task.why] += 1
        elif task.items[sample.item] != sample.item_hash:
            self.unplayed[f"{task.choice.name}: the item is another one"] += 1
        else:
            faults = list(differences(sample, self.loop.run_until_complete(task.replay.play(sample))))
            self.replayed += not faults
            for fault in faults:
                self.found.add(fault.kind, _at(_name(sample), fault.turn), fault.text)

    def _look(self, row: Row, task: KnownTask, spec: RunSpec) -> None:
        """Note what is no fault of one sample, but tells something of many."""
        sample, where = row.sample, _name(row.sample)
        if task.items is None:
            first = self.item_hashes.setdefault((sample.task, sample.item), sample.item_hash)
            if first != sample.item_hash:
                self.found.add("item-hash", where, f"played on {sample.item_hash}, other samples on {first}")
        if not row.last or sample.outcome is Outcome.ERROR:
            return
        if sample.reason in _CUT_SHORT or (sample.turns and not _answered(sample.turns[-1])):
            self.found.add("stopped", where, f"{sample.outcome}, {sample.reason}")
        self.twins.add(sample, row.transcript)
        if task.cap is not None:
            cap = task.cap + (spec.thinking.budget or 0)
            most = max((c.usage.completion_tokens for turn in sample.turns for c in turn.calls), default=0)
            if most > cap:
                self.found.add("over-cap", where, f"{most} tokens in one reply, the cap is {cap}")

    def _coverage(self, store: Store, task: KnownTask, spec: RunSpec) -> None:
        """See that every item was played in every arm as often as asked."""
        name, add = task.choice.name, self.found.add
        present = {key for key in self.seen | store.unreadable if key.task == name}
        items: Collection[str] | None = task.items
        if items is None:
            # Only how many there are is known; which, the store alone says.
            items = dict.fromkeys(sorted({key.item for key in present}))
            if len(items) != task.choice.items:
                kind = "missing-sample" if len(items) < task.choice.items else "extra-sample"
                add(kind, name, f"{len(items)} items are there, the specification says {task.choice.items}")
        # A stranger may ask for any number of samples: the search ends with the first that are not there.
        wanted = _wanted(task, items, spec)
        absent = list(itertools.islice((key for key in wanted if key not in present), _NAMED))
        for key in absent:
            add("missing-sample", "/".join(map(str, key[:4])), "it is not in the store")
        there = sum(key.arm in task.choice.arms and key.item in items and key.sample < spec.samples for key in present)
        short = len(task.choice.arms) * len(items) * spec.samples - there
        if short > len(absent):
            add("missing-sample", name, "and others", times=short - len(absent))

    def _shares(self, spec: RunSpec) -> None:
        """Report what only counts as a share of all samples."""
        total, lost = self.outcomes.total(), self.outcomes[Outcome.ERROR]
        if lost:
            kind = "errors" if lost <= MAX_LOST * total else "too-many-errors"
            share = f"{100 * lost / total:.1f} %; at most {100 * MAX_LOST:g} % are accepted"
            self.found.add(kind, STORE, f"{lost} of {total} samples, {share}", times=lost)
        if spec.backend.name == "scripted":
            return
        sampled = spec.sampling.temperature > 0 and spec.samples > 1
        for kind, count, of, example in self.twins.shares(sampled=sampled):
            share = f"{100 * count / of:.1f} %"
            self.found.add(kind, example, f"{count} of {of} samples, {share}; here for the first time", times=count)

    def _texts(self, store: Store) -> None:
        """See that turns and texts belong to each other and to samples."""
        loose = store.loose_turns()
        if loose:
            self.found.add("loose-turns", STORE, f"{loose} turns", times=loose)
        there = set[str]()
        for digest, text in store.stored_texts():
            there.add(digest)
            real = blake2b(text.encode(), digest_size=8).hexdigest()
            if digest != real:
                self.found.add("text", f"text {digest}", f"its hash is {real}")
            if digest not in self.texts_used and not store.unreadable:
                self.found.add("text", f"text {digest}", f"no turn refers to it: {text!r:.60}")
        for digest in sorted(self.texts_used - there):
            self.found.add("text", f"text {digest}", "turns refer to it, and it is not there")


class _Twins:
    """Counts samples that read the same: within their item, and across items."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str, str], Counter[str]] = {}
        self._first: dict[str, tuple[str, str]] = {}
        self._shared: dict[str, str] = {}

    def add(self, sample: Sample, transcript: str) -> None:
        """Take a sample; without replies it reads like nothing."""
        if not any(turn.calls for turn in sample.turns):
            return
        self._items.setdefault((sample.task, sample.arm, sample.item), Counter())[transcript] += 1
        # An item is played in several arms, and a short reply may well be the same in two of them.
        if self._first.setdefault(transcript, (sample.task, sample.item)) != (sample.task, sample.item):
            self._shared.setdefault(transcript, _name(sample))

    def shares(self, *, sampled: bool) -> Iterator[tuple[str, int, int, str]]:
        """Kind of finding, how many samples, of how many, and where the first one is.

        Args:
            sampled: Whether samples of one item can differ by chance.
        """
        total = sum(counter.total() for counter in self._items.values())
        alike = {place: sum(n for n in counter.values() if n > 1) for place, counter in self._items.items()}
        if sampled and any(alike.values()):
            yield "same-transcript", sum(alike.values()), total, "/".join(next(p for p, n in alike.items() if n))
        if self._shared:
            count = sum(n for counter in self._items.values() for text, n in counter.items() if text in self._shared)
            yield "same-across-items", count, total, next(iter(self._shared.values()))


def _answered(turn: Turn) -> bool:
    """Whether a model was asked in a turn and has answered."""
    return bool(turn.calls or turn.likelihoods)


def _wanted(task: KnownTask, items: Iterable[str], spec: RunSpec) -> Iterator[Key]:
    """The keys that the specification asks for."""
    for arm in task.choice.arms:
        for item in items:
            for sample in range(spec.samples):
                yield Key(task.choice.name, arm, item, sample, agent=spec.agent.name)


def _asked_for(sample: Sample, task: KnownTask, spec: RunSpec) -> bool:
    """Whether the specification asks for a sample of this key."""
    return (
        sample.key == Key(sample.task, sample.arm, sample.item, sample.sample, agent=spec.agent.name)
        and sample.arm in task.choice.arms
        and 0 <= sample.sample < spec.samples
        and (task.items is None or sample.item in task.items)
    )


def _name(sample: Sample) -> str:
    return "/".join(map(str, sample.key[:4]))


def _at(where: str, turn: int | None) -> str:
    return where if turn is None else f"{where}, turn {turn}"
