"""Lookahead: continuations that the model imagines, and the first action of the best that recurs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import ClassVar

from ..backends.base import Completion, Message
from ..model import Model, ModelStopped
from .actions import in_tags, plain, spoken_action
from .base import Action, Observation
from .draws import draw, most_given, with_actions
from .history import HistoryAgent
from .remembering import at_least

__all__ = ["Continuation", "LookaheadAgent", "best_recurring"]

_PREDICT = (
    "Do not act now. From all that you have seen, predict what will be shown after this action. "
    "Answer with that alone, in one line."
)
_RATE = (
    "Do not act now. How close to the goal is this? Answer with a whole number from 0, hopeless, to 10, reached, "
    "in tags: <action>number</action>"
)
_PREDICTED = 64
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class Continuation:
    """A way on that the model imagines.

    Args:
        messages: What was said in it so far.
        replies: The actions.
        outcomes: What the model expects the world to show after each of them.
        value: How good its end is, from 0 to 10; None where the model did not say.
    """

    messages: list[Message]
    replies: list[Completion] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    value: float | None = None

    @property
    def start(self) -> tuple[str, str]:
        """First action and first predicted outcome, made plain: what has to recur."""
        return spoken_action(self.replies[0].text), plain(self.outcomes[0])


def best_recurring(ways: Sequence[Continuation]) -> Continuation | None:
    """The first continuation of the best group, by the consistency rule; None where no start recurs.

    Continuations with the same first action and the same first outcome are a group. Groups of one do not count. Of the
    others the one with the highest mean value wins, values that are not known left out and a group without any worth
    least; of equal ones the larger, then the one that came first.
    """
    groups: dict[tuple[str, str], list[Continuation]] = {}
    for way in ways:
        groups.setdefault(way.start, []).append(way)
    recurring = [group for group in groups.values() if len(group) > 1]
    if not recurring:
        return None

    def worth(group: list[Continuation]) -> tuple[float, int]:
        known = [way.value for way in group if way.value is not None]
        return (fmean(known) if known else -1.0, len(group))

    return max(recurring, key=worth)[0]


class LookaheadAgent(HistoryAgent):
    """Imagines several continuations of some turns and takes the first action of the best one that recurs.

    The model plays both sides: it acts, it predicts in a line what the world would show, and so on for ``depth`` turns;
    then it says from 0 to 10 how close to the goal the end is. A continuation counts only if another one begins with
    the same action *and* expects the same of it: what the model makes up once may be made up. Of the recurring
    beginnings the one with the best mean value is taken (:func:`best_recurring`). Where none recurs, or the context has
    no room to imagine in, it is the action that most continuations begin with. A turn asks the model 2 x depth + 1
    times for each continuation. History keeps the reply that was taken, and nothing that was imagined.

    Sources: tree search with language models (LATS, Zhou et al. 2023, arXiv:2310.04406), whose value of a state joins
    the model's own rating with how often it is sampled; planning with the model as the world (RAP, Hao et al. 2023,
    arXiv:2305.14992); self-consistency (Wang et al. 2022, arXiv:2203.11171). Ours: no tree and no real feedback, since
    a world here cannot be set back; and recurrence is a condition rather than a summand.

    Args:
        k: Continuations a turn, at least 1.
        depth: Turns of each, at least 1.
        window: How many past turns are shown; None shows all.
    """

    name: ClassVar[str] = "lookahead"

    def __init__(self, k: int = 4, depth: int = 2, window: int | None = None) -> None:
        super().__init__(window)
        self.k, self.depth = at_least(self.name, "k", k, 1), at_least(self.name, "depth", depth, 1)

    @property
    def calls_a_turn(self) -> int:
        """By continuation an action and what comes of it for every turn ahead, and a rating."""
        return self.k * (2 * self.depth + 1)

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Imagine, and answer with the best beginning."""
        ways = [Continuation(self.prompt(observation)) for _ in range(self.k)]
        # All continuations go in step: a call's seed is its number, and must not depend on which reply came first.
        ways = await _act(ways, observation, model)
        first = with_actions([way.replies[0] for way in ways])
        ways = [way for way in ways if way.replies[0] in first]
        try:
            ways = await _predict(ways, model)
            for _ in range(1, self.depth):
                ways = await _predict(await _act(ways, observation, model), model)
            await _rate(ways, observation, model)
            best = best_recurring(ways)
        except ModelStopped:  # what was imagined did not fit, where the turn itself did
            best = None
        return self.keep(observation.text, best.replies[0] if best else most_given(first), model)


async def _act(ways: list[Continuation], observation: Observation, model: Model) -> list[Continuation]:
    """Add an action to each; those whose reply was stopped are left out."""
    prompts = [way.messages for way in ways]
    drawn = await draw(model, prompts, stop=observation.stop, max_tokens=observation.max_tokens)
    left = []
    for way, reply in zip(ways, drawn, strict=True):
        if reply is not None:
            way.replies.append(reply)
            way.messages.append(Message("assistant", reply.text, reply.token_ids))
            left.append(way)
    return left


async def _predict(ways: list[Continuation], model: Model) -> list[Continuation]:
    """Add what the model expects the world to show; it becomes what the next action answers."""
    drawn = await draw(model, [[*way.messages, Message("user", _PREDICT)] for way in ways], max_tokens=_PREDICTED)
    left = []
    for way, reply in zip(ways, drawn, strict=True):
        if reply is not None:
            outcome = next((line.strip() for line in reply.text.splitlines() if line.strip()), "")
            way.outcomes.append(outcome)
            way.messages.append(Message("user", outcome or "(nothing)"))
            left.append(way)
    return left


async def _rate(ways: list[Continuation], observation: Observation, model: Model) -> None:
    prompts = [[*way.messages[:-1], Message("user", f"{way.messages[-1].content}\n\n{_RATE}")] for way in ways]
    drawn = await draw(model, prompts, stop=observation.stop, max_tokens=observation.max_tokens)
    for way, reply in zip(ways, drawn, strict=True):
        named = _NUMBER.search((in_tags(reply.text, "action") or [reply.text])[-1]) if reply is not None else None
        if named and len(named[0]) <= 2 and int(named[0]) <= 10:
            way.value = float(named[0])
