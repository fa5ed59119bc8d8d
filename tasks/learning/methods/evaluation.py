"""Evaluations: the episodes that a candidate played on levels of one split, their scores and their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from ....environments.worlds.level import Split
from .cost import Cost, total

__all__ = ["Evaluation", "Move", "Trajectory"]


@dataclass(frozen=True, slots=True)
class Move:
    """One turn of an episode, as its player saw it.

    Attributes:
        observation: What was shown.
        action: What the world took of the reply; None where nothing was found in it.
        usable: Whether the world could use it.
        reward: What it earned; None where the world did not say.
    """

    observation: str
    action: str | None
    usable: bool
    reward: float | None = None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One episode.

    Attributes:
        level: The level's hash.
        sample: Which repeat of the level.
        score: On the world's scale: 0 is chance and 1 the reference. Raw reward in worlds that are not averaged.
        reward: What the episode earned.
        outcome: ``ok``, ``invalid`` or ``refused``.
        reason: Why it is not ``ok``.
        cost: What its calls cost.
        moves: Its turns; kept of training episodes only.
        after: What the world showed at the end.
    """

    level: str
    sample: int
    score: float
    reward: float
    outcome: str = "ok"
    reason: str = ""
    cost: Cost = field(default_factory=Cost)
    moves: tuple[Move, ...] = ()
    after: str = ""

    def data(self) -> dict[str, Any]:
        """The trajectory as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Trajectory:
        """Make a trajectory of :meth:`data`."""
        fields = {**data, "cost": Cost.from_data(data["cost"]), "moves": tuple(Move(**m) for m in data["moves"])}
        return cls(**fields)

    def text(self, most: int | None = None) -> str:
        """The episode in words: what was shown, actions after ``>``, how it ended and what it scored.

        Args:
            most: Characters at most, at least 40; what is over is left out of the middle, because the beginning and the
                end say most. None: all.
        """
        lines: list[str] = []
        for move in self.moves:
            said = "(no action found)" if move.action is None else move.action
            lines += [move.observation, f"> {said}" + ("" if move.usable else "  [could not be used]")]
        if self.after:
            lines.append(self.after)
        ended = f"Ended as {self.outcome}{f' ({self.reason})' if self.reason else ''}; "
        text, last = "\n".join(lines), f"{ended}reward {self.reward:.6g}, score {self.score:.3f}."
        if most is not None and len(text) > most:
            gap = "\n[…]\n"
            head = (most - len(gap)) // 2
            text = text[:head] + gap + text[len(text) - (most - len(gap) - head) :]
        return f"{text}\n{last}"


@dataclass(frozen=True)
class Evaluation:
    """What a candidate did on some levels.

    Attributes:
        split: Of the levels.
        trajectories: In the order of levels, samples of one level together.
    """

    split: Split
    trajectories: tuple[Trajectory, ...]

    @property
    def by_level(self) -> dict[str, float]:
        """The mean score of each level by its hash, in their order."""
        found: dict[str, list[float]] = {}
        for trajectory in self.trajectories:
            found.setdefault(trajectory.level, []).append(trajectory.score)
        return {level: fmean(scores) for level, scores in found.items()}

    @property
    def score(self) -> float:
        """The mean over levels; failed episodes count as the failures that they are.

        It has 9 decimals: sums of the same levels in another order differ in the last bits, and would decide ties.
        """
        return round(fmean(self.by_level.values()), 9)

    @property
    def cost(self) -> Cost:
        """What all episodes cost."""
        return total(trajectory.cost for trajectory in self.trajectories)

    @property
    def failures(self) -> int:
        """Episodes that are not ``ok``."""
        return sum(trajectory.outcome != "ok" for trajectory in self.trajectories)

    def worst_first(self) -> Sequence[Trajectory]:
        """The trajectories by score, the lowest first."""
        return sorted(self.trajectories, key=lambda trajectory: trajectory.score)
