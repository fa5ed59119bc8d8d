"""Rule prediction: after the episode the agent says what unseen actions would do in states that it was not asked in.

Each question has one answer, yes or no, and is asked by itself: the agent that answers is a copy of the one that
played, so no question is seen by the next. The same questions go to the seat ``control``, which played nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ...suite.agents.base import Observation
from ...suite.agents.percept import Option, Percept
from ...suite.records import Metric
from ...suite.task import Episode
from ..actions import ACTION_STOP, find_action

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "CONTROL",
    "PREDICTION_METRICS",
    "Majority",
    "Question",
    "Step",
    "balanced",
    "examine",
    "question_text",
    "read_answer",
    "read_question",
    "say_answer",
]

CONTROL = "control"
"""The seat of the no-episode control: the same model and kind of agent, which has seen no turn of the episode."""

PREDICTION_METRICS: tuple[Metric, ...] = (
    Metric(
        name="rule_accuracy",
        summary="share of the questions after the episode, what would unseen actions do, that were answered right",
        chance=0.5,
        ceiling=1.0,
    ),
    Metric(
        name="rule_skill",
        summary="rule_accuracy less that of always expecting of an action what it mostly did in this episode",
        low=-1.0,
        chance=0.0,
    ),
    Metric(
        name="rule_gain",
        summary="rule_accuracy less that of the same model and agent without the episode",
        low=-1.0,
        chance=0.0,
    ),
    Metric(
        name="rule_unanswered",
        summary="share of the questions after the episode answered by neither yes nor no (these count as wrong)",
        direction="lower",
        chance=0.0,
        ceiling=0.0,
    ),
)

_HEAD = "This is a question about how this world works. It is no turn, and nothing that you answer changes anything."
_MARK = "Question: "
_FOOT = "Answer with nothing but <action>yes</action> or <action>no</action>."
_QUESTION = re.compile(rf"^{_MARK}(.*)\n{re.escape(_FOOT)}\Z", re.DOTALL | re.MULTILINE)
_ANSWERS = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Question:
    """A question about what an action would do.

    Args:
        text: State, action and what is asked; yes or no answers it.
        answer: The right answer, by the world's true rules.
        action: What the action is for a predictor that knows actions and no states.
        visited: Whether the episode was in the question's state (never with this action taken there).
        numbers: The numbers that the text shows, by name, for learners without language.
        follows: The number for which yes says that it grows, where the question is about that.
    """

    text: str
    answer: bool
    action: str
    visited: bool
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    follows: str = ""

    @property
    def percept(self) -> Percept:
        """The question for learners without language: a view of its own, and yes and no as options."""
        yes, no = (say_answer(answer) for answer in (True, False))
        return Percept(self.text, (Option(yes, "yes", self.follows), Option(no, "no")), self.numbers)


@dataclass(frozen=True, slots=True)
class Step:
    """One usable action of the episode.

    Args:
        before: The true state before it.
        action: The action's text.
        after: The true state after it.
    """

    before: Mapping[str, Any]
    action: str
    after: Mapping[str, Any]


class Case(Protocol):
    """What the sampler has to know of a question, or of what becomes one."""

    @property
    def action(self) -> str: ...
    @property
    def answer(self) -> bool: ...
    @property
    def visited(self) -> bool: ...


_C = TypeVar("_C", bound=Case)


class _Cell(list[_C]):
    """The cases of one action and answer that are left."""

    def take(self, *, visited: bool) -> _C:
        """Take a case of the wanted kind, or else of the other."""
        fitting = next((i for i, case in enumerate(self) if case.visited is visited), 0)
        return self.pop(fitting)


def balanced(cases: Sequence[_C], count: int, rng: np.random.Generator) -> list[_C]:
    """Draw a set in which half of the answers are yes.

    Cases are drawn in pairs, one yes and one no. As long as there is an action with both left, a pair is about one
    action, and actions take turns: whoever knows only the action is right half of the time. After that a pair's two
    actions differ. Of every two pairs the first is about states that were not visited, the second about visited ones,
    where there are such: whoever knows only whether a state was visited is right half of the time as well.

    Args:
        cases: To draw from.
        count: How many are wanted; an odd one is lowered by one.
        rng: Decides.

    Returns:
        ``count`` cases in random order, or as many as there are pairs of.
    """
    cells: dict[tuple[str, bool], _Cell[_C]] = {}
    for index in rng.permutation(len(cases)):
        case = cases[index]
        cells.setdefault((case.action, case.answer), _Cell()).append(case)
    names = sorted({action for action, _ in cells})
    actions = [names[i] for i in rng.permutation(len(names))]
    used: Counter[str] = Counter()
    chosen: list[_C] = []

    def least_used(answer: bool) -> list[str]:
        return sorted((a for a in actions if cells.get((a, answer))), key=lambda a: used[a])

    while len(chosen) + 2 <= count:
        yes, no = least_used(True), least_used(False)
        if not yes or not no:
            break
        both = [action for action in yes if action in no]
        pair = (both[0], both[0]) if both else (yes[0], no[0])
        visited = len(chosen) % 4 == 2
        for action, answer in zip(pair, (True, False), strict=True):
            chosen.append(cells[action, answer].take(visited=visited))
            used[action] += 1
    return [chosen[i] for i in rng.permutation(len(chosen))]


class Majority:
    """Expects of each action what it mostly did in the episode, whatever the state. Knows no rule.

    Args:
        shown: What the episode showed, as pairs of an action and the answer that a question about it would have had.
    """

    def __init__(self, shown: Iterable[tuple[str, bool]]) -> None:
        self._balance: Counter[str] = Counter()
        for action, answer in shown:
            self._balance[action] += 1 if answer else -1
        self._overall = sum(self._balance.values())

    def predict(self, action: str) -> bool:
        """The answer to expect; where an action is tied or unknown, what actions mostly did; where that is tied, no."""
        return (self._balance[action] or self._overall) > 0


def question_text(question: Question) -> str:
    """What a seat is asked: the question between a sentence before it and the form of the answer."""
    return f"{_HEAD}\n{_MARK}{question.text}\n{_FOOT}"


def read_question(text: str) -> str | None:
    """The question that a message ends with, None if it ends with none."""
    found = _QUESTION.search(text)
    return None if found is None else found[1]


def say_answer(answer: bool) -> str:
    """Write an answer as an agent's reply."""
    return f"<action>{'yes' if answer else 'no'}</action>"


def read_answer(reply: str) -> bool | None:
    """Read a reply: yes or no in any case, with or without tags and a full stop; None if it is neither."""
    action, _ = find_action(reply)
    return _ANSWERS.get(action.strip("\"'`*. \n").lower())


async def _asked(ctx: Episode, question: Question, observation: Observation, seat: str) -> bool | None:
    """Ask a copy of the seat's agent. The true answer stands in the transcript only."""
    action = await ctx.act(observation, seat, remember=False)
    said = read_answer(action.text)
    ctx.judge(
        find_action(action.text)[0],
        usable=said is not None,
        after=f"The answer is {'yes' if question.answer else 'no'}.",
        scores={"right": float(said is question.answer)},
    )
    return said


async def examine(
    ctx: Episode, questions: Sequence[Question], majority: Majority, *, opening: Observation, last: str
) -> dict[str, float | None]:
    """Ask all questions, first of the agent that played, then of the control.

    Args:
        ctx: The episode, its last turn judged.
        questions: What to ask; without any, nothing can be said and every metric is None.
        majority: Built from what the episode showed.
        opening: Instructions and practice as the episode had them; its text does not matter.
        last: What the world answered to the last action, which the agent has not seen yet.

    Returns:
        A number for each of :data:`PREDICTION_METRICS`.

    Raises:
        ModelStopped: The model cannot go on.
    """
    if not questions:
        return {metric.name: None for metric in PREDICTION_METRICS}
    said: dict[str, list[bool | None]] = {"player": [], CONTROL: []}
    for seat, before in (("player", f"{last}\n\n"), (CONTROL, "")):
        for question in questions:
            seen = Observation(
                f"{before}{question_text(question)}",
                opening.instructions,
                opening.practice,
                stop=(ACTION_STOP,),
                percept=question.percept,
            )
            said[seat].append(await _asked(ctx, question, seen, seat))

    def accuracy(answers: Iterable[bool | None]) -> float:
        return sum(a is q.answer for a, q in zip(answers, questions, strict=True)) / len(questions)

    own = accuracy(said["player"])
    return {
        "rule_accuracy": own,
        "rule_skill": own - accuracy(majority.predict(question.action) for question in questions),
        "rule_gain": own - accuracy(said[CONTROL]),
        "rule_unanswered": said["player"].count(None) / len(questions),
    }
