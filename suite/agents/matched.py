"""A frozen agent that spends as many tokens as another one does: what sampling alone would buy."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Self

from ..model import Model, ModelStopped
from .actions import in_tags
from .base import Action, Agent, Observation

__all__ = ["MOST_VOTES", "MatchedAgent"]

MOST_VOTES = 64
"""Replies at one turn at most, whatever there is to spend."""


class MatchedAgent(Agent):
    """Lets copies of an agent answer each turn, and gives the answer that most of them gave.

    Votes are drawn one by one as long as one more of average cost keeps what was spent so far within the turns so far
    times ``tokens_a_turn``; so an episode costs what it may cost, to within one vote a turn from below, and never less
    than one vote a turn. This is self-consistency (Wang et al. 2022, arXiv:2203.11171) with the number of votes set by
    what another agent spends. A further vote that is stopped (a filter, the context) is none. Two answers are the same
    vote if their actions are, after case and white space; the first of a tie wins. The agent's state is never changed.

    Args:
        agent: The agent; it takes up the winning copy's episode.
        tokens_a_turn: Read and written, prompts counted in full.
    """

    name: ClassVar[str] = "compute-matched"

    def __init__(self, agent: Agent, tokens_a_turn: float) -> None:
        self.agent, self.tokens_a_turn = agent, tokens_a_turn
        self._turns = self._spent = 0

    def begin(self) -> None:
        """Start a new episode with nothing spent."""
        self.agent.begin()
        self._turns = self._spent = 0

    def fork(self) -> Self:
        """A copy with a copy of the agent."""
        other = type(self)(self.agent.fork(), self.tokens_a_turn)
        other._turns, other._spent = self._turns, self._spent
        return other

    async def act(self, observation: Observation, model: Model) -> Action:
        """Draw votes while there is something to spend, and follow the majority."""
        self._turns += 1
        allowed = self._turns * self.tokens_a_turn
        votes: list[tuple[Action, Agent]] = []
        before = model.tokens
        while len(votes) < MOST_VOTES:
            spent = model.tokens - before
            if votes and self._spent + spent + spent / len(votes) > allowed:
                break
            copy = self.agent.fork()
            try:
                votes.append((await copy.act(observation, model), copy))
            except ModelStopped:
                # The agent alone would have been stopped by its one answer, and by no other.
                if not votes:
                    raise
                break
            if model.tokens == before:
                break  # whoever answers without tokens would vote for ever
        self._spent += model.tokens - before
        counts = Counter(_vote(action.text) for action, _ in votes)
        most = max(counts.values())
        action, self.agent = next((a, agent) for a, agent in votes if counts[_vote(a.text)] == most)
        return action

    def snapshot(self) -> object:
        """The agent's state."""
        return self.agent.snapshot()

    def restore(self, state: object) -> None:
        """Give the agent a state."""
        self.agent.restore(state)


def _vote(text: str) -> str:
    found = in_tags(text, "action")
    return " ".join((found[-1] if found else text).casefold().split())
