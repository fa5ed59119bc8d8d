"""Transcripts as static pages: one sample each, bounded in size, everything from the run escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..leaderboard.text import encode, visible
from ..suite.canonical import content_hash
from ..suite.records import Key, Sample, Turn
from .document import render
from .tables import number

__all__ = ["LONGEST_PAGE", "LONGEST_TEXT", "Transcripts", "legible", "page_name"]

LONGEST_TEXT = 12_000
"""Characters of one text that a page shows: its beginning and its end."""
LONGEST_PAGE = 400_000
"""Characters of turns that a page shows: the first turns and the last."""

_OWN = re.compile(r"s-[0-9a-f]{16}\.html")


def page_name(key: Key) -> str:
    """The file of a sample's transcript: no part of it comes from the run, and no two samples share one."""
    return f"s-{content_hash(list(key))[:16]}.html"


def legible(text: str, longest: int = LONGEST_TEXT) -> str:
    """Make a text of several lines safe to look at: control characters visible, a long one cut in its middle.

    Args:
        text: What a model or a world wrote.
        longest: Characters that are kept.
    """
    if len(text) > longest:
        head, tail = longest * 2 // 3, longest // 3
        text = f"{text[:head]}\n… ({len(text) - head - tail:,} characters left out) …\n{text[len(text) - tail :]}"
    lines = (line.expandtabs(4) for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(line if line.isprintable() else visible(line, longest + 100) for line in lines)


@dataclass(frozen=True)
class Passage:
    """A piece of a turn: who speaks, and what."""

    kind: str
    head: str
    text: str


@dataclass(frozen=True)
class Scene:
    """One turn as a page shows it."""

    title: str
    passages: tuple[Passage, ...]

    @property
    def size(self) -> int:
        """Characters in it."""
        return sum(len(p.text) for p in self.passages)


class Transcripts:
    """Writes the transcripts that were chosen, as the samples of a run go by.

    Args:
        folder: Where to; made if need be. Pages of an earlier report are removed at the end, other files left alone.
        chosen: Keys of the samples, in the order of the report.
        title: The run's name.
        back: The way from a page to the report.
        text: Gives the text behind a hash that turns refer to.
    """

    def __init__(
        self, folder: Path, chosen: Sequence[Key], *, title: str, back: str, text: Callable[[str], str]
    ) -> None:
        self.folder = folder
        self._order = {key: i for i, key in enumerate(chosen)}
        self._keys = list(chosen)
        self._title, self._back, self._text = title, back, text

    def add(self, sample: Sample) -> None:
        """Write the sample's page if it is among the chosen."""
        place = self._order.get(sample.key)
        if place is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        around = {
            word: page_name(self._keys[i])
            for word, i in (("previous", place - 1), ("next", place + 1))
            if 0 <= i < len(self._keys)
        }
        scenes, left_out = _bounded([self._scene(turn, sample.turns) for turn in sample.turns])
        html = render(
            "transcript.html",
            title=visible(f"{sample.item}, sample {sample.sample}", 120),
            run=visible(self._title, 120),
            back=self._back,
            around=around,
            place=f"{place + 1:,} of {len(self._keys):,}",
            facts=[(name, visible(value, 300)) for name, value in _facts(sample)],
            metrics=[(visible(name), number(value)) for name, value in sample.metrics.items()],
            instructions=legible(self._text(sample.turns[0].instructions)) if sample.turns else "",
            scenes=scenes,
            left_out=left_out,
            error=legible(sample.error),
        )
        (self.folder / page_name(sample.key)).write_bytes(encode(html))

    def close(self) -> None:
        """Remove pages of an earlier report."""
        if self.folder.is_dir():
            kept = {page_name(key) for key in self._keys}
            for file in self.folder.iterdir():
                if _OWN.fullmatch(file.name) and file.name not in kept:
                    file.unlink()

    def _scene(self, turn: Turn, turns: Sequence[Turn]) -> Scene:
        parts = [Passage("sees", "sees", turn.observation)]
        if turn.instructions != turns[0].instructions:
            parts.insert(0, Passage("sees", "new instructions", self._text(turn.instructions)))
        for call in turn.calls:
            if call.reasoning:
                parts.append(Passage("thinks", "thinks", call.reasoning))
            cut = "" if call.finish_reason == "stop" else f" [{call.finish_reason}]"
            parts.append(Passage("writes", visible(f"writes{cut}", 60), call.completion))
        parts += [Passage("does", "weighs", likelihood.words) for likelihood in turn.likelihoods]
        if turn.action is not None or not turn.likelihoods:
            done = "nothing" if turn.action is None else turn.action
            head = "does" if turn.usable else "does (unusable)"
            parts.append(Passage("does" if turn.usable else "unusable", head, done))
        if turn.after:
            parts.append(Passage("sees", "then sees", turn.after))
        scores = "".join(f" · {name} {value:g}" for name, value in turn.scores.items())
        title = visible(f"Turn {turn.index + 1:,} · {turn.seat}{scores}", 200)
        return Scene(title, tuple(Passage(p.kind, p.head, legible(p.text)) for p in parts))


def _facts(sample: Sample) -> Iterable[tuple[str, object]]:
    yield "task", f"{sample.task}@{sample.version}"
    yield "arm", sample.arm
    yield "item", f"{sample.item} ({sample.item_hash})"
    yield "sample", sample.sample
    if sample.stream:
        yield "stream", f"{sample.stream}, position {sample.position}, checkpoint {sample.checkpoint}"
    yield "outcome", f"{sample.outcome}{f': {sample.reason}' if sample.reason else ''}"
    yield "turns", f"{len(sample.turns):,}"
    yield "tokens read", f"{sample.usage.prompt_tokens:,}"
    yield "tokens written", f"{sample.usage.completion_tokens:,}"
    yield "seed", sample.seed


def _bounded(scenes: list[Scene]) -> tuple[list[Scene | None], int]:
    """The first and the last scenes that fit a page, with None for those between, and how many these are."""
    if sum(s.size for s in scenes) <= LONGEST_PAGE:
        return [*scenes], 0
    head, room = 0, LONGEST_PAGE * 3 // 4
    while head < len(scenes) and scenes[head].size <= room:
        room -= scenes[head].size
        head += 1
    tail, room = len(scenes), LONGEST_PAGE // 4
    while tail > head and scenes[tail - 1].size <= room:
        room -= scenes[tail - 1].size
        tail -= 1
    return [*scenes[:head], None, *scenes[tail:]], tail - head
