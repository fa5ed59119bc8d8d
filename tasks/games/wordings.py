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
    """Whose the variance of one score is: estimated components of variance, as shares of their sum.

    Attributes:
        game: Of the games; NaN of one game.
        wording: Of the wordings; of one game their part by that game with it.
        both: Of wordings by game: a wording that suits one game. NaN where it cannot be told from something else: of
            one game from ``wording``, with one sample a cell from ``sample``.
        sample: Of samples of one cell.
        pvalue: Of the F test that no wording matters in these games; the null says nothing of other games.
    """

    game: float
    wording: float
    both: float
    sample: float
    pvalue: float


def shares(cells: Mapping[tuple[str, str], ArrayLike]) -> Shares | None:
    """Split the variance of a score by game and wording.

    The components are estimated by moments from the mean squares of the crossed layout of cell means (Searle, Casella
    and McCulloch 1992, "Variance components", chapter 4; cells of unequal size by their harmonic mean), negative ones
    set to 0. Plain shares of sums of squares would not do: of a player who takes no notice of the wording, one sample a
    cell, they gave the wording .62.

    Args:
        cells: Scores of the samples by game and wording; every game in every wording.

    Returns:
        The shares; None where the layout is not complete, has one wording, nothing varies, or where there is one game
        with one sample a cell, so that nothing tells wordings from samples.
    """
    import numpy as np
    from scipy.stats import f

    games, names = (sorted({key[axis] for key in cells}) for axis in (0, 1))
    a, b = len(games), len(names)
    if b < 2 or len(cells) != a * b:
        return None
    rows = [[np.asarray(cells[game, name], dtype=np.float64) for name in names] for game in games]
    sizes = np.array([[cell.size for cell in row] for row in rows])
    if (sizes == 0).any() or (a == 1 and (sizes == 1).all()):
        return None
    means = np.array([[cell.mean() for cell in row] for row in rows])
    by_game, by_name, grand = means.mean(axis=1), means.mean(axis=0), means.mean()
    of_games = b * float(((by_game - grand) ** 2).sum()) / max(a - 1, 1)
    of_names = a * float(((by_name - grand) ** 2).sum()) / (b - 1)
    rest = means - by_game[:, None] - by_name + grand
    of_both = float((rest**2).sum()) / max((a - 1) * (b - 1), 1)
    spare = int(sizes.sum()) - a * b
    within = sum(float(((cell - cell.mean()) ** 2).sum()) for row in rows for cell in row) / max(spare, 1)
    noise = within * float((1 / sizes).mean())  # of a cell's mean
    if spare == 0:
        # One sample a cell: what is left over both factors stands for the samples, and wordings by game with them.
        parts = [of_games - of_both, of_names - of_both, 0.0, of_both]
        parts = [parts[0] / b, parts[1] / a, 0.0, parts[3]]
        ratio, free = (of_names, of_both), (b - 1, (a - 1) * (b - 1))
    elif a == 1:
        parts = [0.0, of_names - noise, 0.0, within]
        ratio, free = (of_names, noise), (b - 1, spare)
    else:
        parts = [(of_games - of_both) / b, (of_names - of_both) / a, of_both - noise, within]
        ratio, free = (of_names, noise), (b - 1, spare)
    found = np.maximum(parts, 0.0)
    if found.sum() <= 1e-15:
        return None
    game, wording, both, sample = (float(part) for part in found / found.sum())
    pvalue = float(f.sf(ratio[0] / ratio[1], *free)) if ratio[1] > 0 else 0.0 if ratio[0] > 1e-15 else 1.0
    nan = float("nan")
    return Shares(nan if a == 1 else game, wording, nan if a == 1 or spare == 0 else both, sample, pvalue)
