"""Three ways to put the same question, crossed with the games: how much of a score is the wording's?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...suite.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["WORDINGS", "Shares", "Wording", "ask", "find_wording", "shares", "told"]

_SENTENCE = re.compile(r"(?<=[.:;]) (?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Wording:
    """A way to put the question. What is known and what may be answered is the same in all.

    Args:
        name: Part of the names of items.
        aim: What is wanted.
        warning: What the arm ``warned`` adds to it.
        answer: How to answer.
        can: What stands before the names of the moves.
        points: Whether the rules come as a list of sentences.
        first: Whether the aim comes before the rules.
    """

    name: str
    aim: str
    warning: str
    answer: str
    can: str
    points: bool = False
    first: bool = False


WORDINGS = (
    Wording(
        "plain",
        "You play to win as much as you can on average. You see a situation and choose what to do.",
        "The other player knows how often you do what in every situation, but not your luck, and plays the best answer "
        "to it. Where it helps, choose at random with suitable chances.",
        "Answer with only the name of what you do, in tags: <action>name</action>",
        "You can: ",
    ),
    Wording(
        "goal-first",
        "Please take part in a game. Your goal is the largest profit over many hands; each hand stands for itself. You "
        "are shown one moment of a hand and asked for your move.",
        "Your opponent has watched thousands of your hands, has learnt how likely each of your moves is in each "
        "situation, and uses that as well as it can be used. Mixing your moves may protect you.",
        "Reply with one of the moves that are listed, between <action> and </action>, and write nothing else.",
        "Your moves: ",
        first=True,
    ),
    Wording(
        "list",
        "TASK: choose one legal move in the situation below. OBJECTIVE: maximise your expected winnings.",
        "OPPONENT: knows your probability of every move in every situation and plays a best response. You may "
        "randomise.",
        "FORMAT: <action>MOVE</action>, where MOVE is one of the legal moves. No other text.",
        "Legal moves: ",
        points=True,
    ),
)


def find_wording(name: str) -> Wording:
    """The wording of a name.

    Raises:
        UsageError: There is none.
    """
    for wording in WORDINGS:
        if wording.name == name:
            return wording
    raise UsageError(f"There is no wording {name!r}; there are {', '.join(one.name for one in WORDINGS)}.")


def told(wording: Wording, rules: str, *, warned: bool) -> str:
    """What an agent is told before it is asked: rules, aim, how to answer."""
    known = "\n".join(f"- {part}" for part in _SENTENCE.split(rules)) if wording.points else rules
    aim = f"{wording.aim} {wording.warning}" if warned else wording.aim
    return "\n\n".join([aim, known, wording.answer] if wording.first else [known, aim, wording.answer])


def ask(described: str, names: Sequence[str], wording: Wording) -> str:
    """The question at an information state."""
    return f"{described}\n{wording.can}{', '.join(names)}."


@dataclass(frozen=True, slots=True)
class Shares:
    """Whose the variance of a score is, in shares of 1, by sums of squares of the crossed layout.

    Attributes:
        game: Of the games' means.
        wording: Of the wordings' means.
        both: Of what is left of the cells' means: a wording that suits one game.
        sample: Within cells; of one sample a cell NaN, as it cannot be told from ``both`` then.
    """

    game: float
    wording: float
    both: float
    sample: float


def shares(cells: Mapping[tuple[str, str], ArrayLike]) -> Shares | None:
    """Split the variance of a score by game and wording.

    The sums of squares of a two-way layout with cells of equal weight (Fisher 1925, "Statistical methods for research
    workers", chapter 7), over their total: what these games and wordings did, no estimate for others.

    Args:
        cells: Scores of the samples by game and wording; every game in every wording.

    Returns:
        The shares; None where the layout is not complete, has one wording, or nothing varies.
    """
    import numpy as np

    games, names = (sorted({key[axis] for key in cells}) for axis in (0, 1))
    if len(names) < 2 or len(cells) != len(games) * len(names):
        return None
    rows = [[np.asarray(cells[game, name], dtype=np.float64) for name in names] for game in games]
    if any(cell.size == 0 for row in rows for cell in row):
        return None
    means = np.array([[cell.mean() for cell in row] for row in rows])
    within = float(np.mean([[((cell - cell.mean()) ** 2).mean() for cell in row] for row in rows]))
    grand = means.mean()
    game = float(((means.mean(axis=1) - grand) ** 2).mean())
    wording = float(((means.mean(axis=0) - grand) ** 2).mean())
    both = max(float(((means - grand) ** 2).mean()) - game - wording, 0.0)
    total = game + wording + both + within
    if total <= 1e-15:
        return None
    single = all(cell.size == 1 for row in rows for cell in row)
    return Shares(game / total, wording / total, both / total, float("nan") if single else within / total)
