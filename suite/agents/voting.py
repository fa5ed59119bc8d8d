"""Self-consistency: several replies a turn, and the action that most of them give."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from ..backends.base import Completion, Message
from ..model import Model, ModelStopped
from .base import Action, Observation
from .draws import draw, most_given
from .history import HistoryAgent
from .remembering import at_least

__all__ = ["TURNS", "VotingAgent"]

TURNS = 20
"""Turns that an episode is taken to have where its first observation does not say so."""

_COUNTED = re.compile(r"\b(?:turn|step|day|round)s?(?: over)?:? *\d+ of (\d+)", re.IGNORECASE)


class VotingAgent(HistoryAgent):
    """Draws several replies to the same prompt and takes the action that most of them give.

    Actions are compared by what stands in the ``<action>`` tags, case and blanks aside; of equally frequent ones the
    first given counts, and replies without a tag have no vote while others have one. History keeps the first reply that
    gave the winner, and nothing of the others.

    With ``tokens`` it spends a budget over an episode: a frozen agent with as many tokens as another spends on
    learning. The rule: at every turn what is left of the budget is divided by the turns that are left, and votes are
    drawn while one more, at the mean cost of the votes so far, fits into that share. A turn always gets one vote, over
    budget or not, and never more than ``votes``. How many turns there are is read from the first observation ("Turn 1
    of 40"), else taken to be :data:`TURNS`; after the last of them there is no share, and one vote a turn. Tokens are
    those that the model generates, as in a run's token limit. What an episode that ends early has not spent stays
    unspent. Questions beside an episode are no turns: a fork draws one vote.

    Source: self-consistency (Wang et al. 2022, arXiv:2203.11171). Ours: votes are on actions turn by turn, where the
    paper votes on the final answers of chains of thought; and the budget.

    Args:
        votes: Replies a turn, at least 1; with ``tokens`` the most.
        tokens: Budget of generated tokens for an episode; None: ``votes`` replies at every turn.
        window: How many past turns are shown; None shows all.
    """

    name: ClassVar[str] = "self-consistency"

    def __init__(self, votes: int = 5, tokens: int | None = None, window: int | None = None) -> None:
        super().__init__(window)
        self.votes = at_least(self.name, "votes", votes, 1)
        self.tokens = None if tokens is None else at_least(self.name, "tokens", tokens, 0)
        self._forget()

    def _forget(self) -> None:
        self._spent = self._drawn = self._turn = 0
        self._expected: int | None = None

    @property
    def calls_a_turn(self) -> int:
        """One a vote."""
        return self.votes

    def begin(self) -> None:
        """Forget the last episode, and start with the whole budget."""
        super().begin()
        self._forget()

    def fork(self) -> Self:
        """A copy that shares the turns so far; where there is a budget, it has none left."""
        other = super().fork()
        if other.tokens is not None:
            other.tokens = 0
        return other

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Draw votes, and answer with the winner."""
        prompt = self.prompt(observation)
        if self.tokens is None:
            replies = await self._wave(self.votes, prompt, observation, model)
        else:
            replies = await self._within_budget(prompt, observation, model)
        self._turn += 1
        return self.keep(observation.text, most_given(replies), model)

    async def _wave(
        self, count: int, prompt: list[Message], observation: Observation, model: Model
    ) -> list[Completion]:
        drawn = await draw(model, [prompt] * count, stop=observation.stop, max_tokens=observation.max_tokens)
        replies = [reply for reply in drawn if reply is not None]
        self._spent += sum(reply.completion_tokens for reply in replies)
        self._drawn += len(replies)
        return replies

    async def _within_budget(self, prompt: list[Message], observation: Observation, model: Model) -> list[Completion]:
        assert self.tokens is not None
        if self._expected is None:
            counted = _COUNTED.search(observation.text)
            self._expected = int(counted[1]) if counted else TURNS
        left = self._expected - self._turn
        until = self._spent + (max(0, self.tokens - self._spent) / left if left > 0 else 0.0)
        replies: list[Completion] = []
        while len(replies) < self.votes:
            # What a vote costs is not known before the first: it is drawn alone.
            cost = max(1.0, self._spent / self._drawn) if self._drawn else max(1.0, until)
            fitting = int((until - self._spent) // cost)
            if fitting < 1 and replies:
                break
            try:
                wave = await self._wave(min(max(1, fitting), self.votes - len(replies)), prompt, observation, model)
            except ModelStopped:
                if not replies:
                    raise
                break
            replies += wave
        return replies
