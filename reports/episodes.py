"""What turns tell: how long episodes were open, how they ended, and what each turn was worth."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..suite.policy_answers import answers_of
from ..suite.records import Outcome, Sample, TaskSheet
from ..suite.store import LEARNING_SEAT

__all__ = ["Episodes", "Gatherer", "played_turns"]


def played_turns(sample: Sample) -> int:
    """Turns until the episode ended.

    What the world answers to the last action stands in that turn's ``after``; turns that follow, such as questions
    about the world and what an agent asked while it learnt, are no part of the play.
    """
    played = [turn for turn in sample.turns if turn.seat != LEARNING_SEAT]
    return next((i for i, turn in enumerate(played, 1) if turn.after), len(played))


@dataclass
class Episodes:
    """The scored episodes of one task in one arm, as they were gathered.

    Attributes:
        task: Name and version of the task.
        arm: The arm.
        units: What each episode is clustered by: its stream, else its item.
        lengths: Turns that each was open.
        solved: Whether it ended with success; None where the task has no binary primary metric to say so.
        unusable: Episode by episode, 1 for every turn whose action the world could not use.
        scores: Seat and name of a number that turns carry, to three columns: episode, turn (from 1), value.
        later: Turns after the end of play.
        lost: Units and turns of episodes that an error cut off; they are in no other field.
    """

    task: str
    arm: str
    units: list[str] = field(default_factory=list)
    lengths: array[int] = field(default_factory=lambda: array("l"))
    solved: array[int] | None = None
    unusable: list[bytes] = field(default_factory=list)
    scores: dict[tuple[str, str], tuple[array[int], array[int], array[float]]] = field(default_factory=dict)
    later: int = 0
    lost: list[tuple[str, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The cell as figures call it."""
        return self.task + ("" if self.arm == "default" else f" · {self.arm}")

    def length(self) -> NDArray[np.int64]:
        """Turns that each episode was open, shape (episodes,)."""
        return np.asarray(self.lengths, dtype=np.int64)

    def success(self) -> NDArray[np.bool_] | None:
        """Whether each episode ended with success, shape (episodes,); None where the task cannot say."""
        return None if self.solved is None else np.asarray(self.solved, dtype=bool)

    def unusable_turns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Every turn of play: its episode, its number from 1, and 1 where its action could not be used."""
        counts = [len(b) for b in self.unusable]
        episode = np.repeat(np.arange(len(counts)), counts)
        turn = np.concatenate([np.arange(1, n + 1) for n in counts]) if counts else np.zeros(0, dtype=np.int64)
        return episode, turn, np.frombuffer(b"".join(self.unusable), dtype=np.uint8).astype(np.float64)


class Gatherer:
    """Gathers episodes sample by sample, so that a run of any length is read once and never held.

    Args:
        sheets: What the tasks are.
    """

    def __init__(self, sheets: Iterable[TaskSheet]) -> None:
        self._sheets = {sheet.name: sheet for sheet in sheets}
        self._cells: dict[tuple[str, int, str], Episodes] = {}

    @property
    def cells(self) -> list[Episodes]:
        """What was gathered, in the order of the samples."""
        return list(self._cells.values())

    def add(self, sample: Sample) -> None:
        """Take one sample with its turns."""
        key = sample.task, sample.version, sample.arm
        cell = self._cells.get(key)
        primary = self._sheets[sample.task].primary
        told = primary.kind == "binary" and primary.direction == "higher"
        if cell is None:
            cell = Episodes(f"{sample.task}@{sample.version}", sample.arm, solved=array("b") if told else None)
            self._cells[key] = cell
        number, played = len(cell.units), played_turns(sample)
        unit = f"stream {sample.stream}" if sample.stream else sample.item
        if sample.outcome is Outcome.ERROR:
            cell.lost.append((unit, played))
            return
        cell.units.append(unit)
        cell.lengths.append(played)
        if cell.solved is not None:
            cell.solved.append(sample.metrics.get(primary.name) == 1)
        cell.unusable.append(bytes(not turn.usable for turn in sample.turns[:played]))
        cell.later += len(sample.turns) - played
        for position, turn in enumerate(sample.turns[:played], 1):
            if answers_of(turn.scores) is not None:
                # Names of answers, as numbers: their mean says nothing.
                continue
            for name, value in turn.scores.items():
                episodes, positions, values = cell.scores.setdefault(
                    (turn.seat, name), (array("l"), array("l"), array("d"))
                )
                episodes.append(number)
                positions.append(position)
                values.append(value)
