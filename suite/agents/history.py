"""Agents without training: the whole conversation, its last turns, or only the present."""

from __future__ import annotations

import copy
from typing import ClassVar, Self

from ..backends.base import Completion, Message
from ..errors import UsageError
from ..model import Model
from .base import Action, Agent, Observation

__all__ = ["HistoryAgent", "StatelessAgent", "joined", "opening"]


def _action(completion: Completion) -> Action:
    return Action(completion.text, cut_off=completion.finish_reason == "length")


def opening(observation: Observation) -> list[Message]:
    """The messages before the first turn: the instructions, and the practice as if it had been said."""
    messages = [Message("user", observation.instructions)] if observation.instructions else []
    for question, answer in observation.practice:
        messages += [Message("user", question), Message("assistant", answer)]
    return messages


def joined(messages: list[Message]) -> list[Message]:
    """Join neighbouring messages of one role: chat templates want roles to alternate."""
    out: list[Message] = []
    for message in messages:
        if out and out[-1].role == message.role == "user":
            out[-1] = Message("user", f"{out[-1].content}\n\n{message.content}")
        else:
            out.append(message)
    return out


class HistoryAgent(Agent):
    """Shows the model the instructions and all turns of the episode so far, or the last ``window`` of them.

    Args:
        window: How many past turns are shown; None shows all. A window saves tokens, but makes induction partly a
            memory test, and every turn beyond it is prefilled again, because the prompt's beginning changes.
    """

    name: ClassVar[str] = "history"

    def __init__(self, window: int | None = None) -> None:
        if window is not None and (not isinstance(window, int) or window < 0):
            raise UsageError(f"agent history: window must be a whole number of turns from 0 on, not {window!r}.")
        self.window = window
        self._turns: list[tuple[str, Message]] = []

    def begin(self) -> None:
        """Forget the turns of the last episode."""
        self._turns = []

    def fork(self) -> Self:
        """A copy that shares the turns so far, which never change."""
        other = copy.copy(self)
        other._turns = list(self._turns)
        return other

    def prompt(self, observation: Observation) -> list[Message]:
        """Instructions, practice, the turns that are shown, and what is new."""
        turns = self._turns
        if self.window is not None:
            turns = turns[len(turns) - min(self.window, len(turns)) :]
        messages = opening(observation)
        for seen, reply in turns:
            messages += [Message("user", seen), reply]
        return joined([*messages, Message("user", observation.text)])

    def keep(self, seen: str, completion: Completion, model: Model) -> Action:
        """Add a turn to the history.

        Args:
            seen: What the model was told.
            completion: What it answered.
            model: Says whether its thinking is kept.

        Returns:
            The answer as an action.
        """
        content = completion.text
        if model.thinking.keep and completion.reasoning:
            content = f"<think>{completion.reasoning}</think>{content}"
        self._turns.append((seen, Message("assistant", content, completion.token_ids)))
        return _action(completion)

    async def act(self, observation: Observation, model: Model) -> Action:
        """Answer the new observation; see :meth:`answer`."""
        return await self.answer(observation, model)

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Send instructions, past turns and the new observation. What asks more than once a turn overrides this."""
        messages = self.prompt(observation)
        completion = await model.generate(messages, stop=observation.stop, max_tokens=observation.max_tokens)
        return self.keep(observation.text, completion, model)


class StatelessAgent(Agent):
    """Shows the model the instructions and the present observation, nothing of the past."""

    name: ClassVar[str] = "stateless"

    async def act(self, observation: Observation, model: Model) -> Action:
        """Send instructions and the new observation."""
        messages = joined([*opening(observation), Message("user", observation.text)])
        completion = await model.generate(messages, stop=observation.stop, max_tokens=observation.max_tokens)
        return _action(completion)
