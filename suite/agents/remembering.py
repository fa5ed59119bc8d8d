"""The base of agents whose memory is text put before the task."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..backends.base import Message
from ..errors import UsageError
from ..model import Model
from ..records import Record
from .base import Action, Observation
from .clipping import clip
from .experience import Experience
from .history import HistoryAgent
from .placebo import filler
from .verdict import verdict

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CAP", "SIGHT", "RememberingAgent", "at_least"]

CAP = 2400
"""Characters of memory shown by default: about 600 tokens of English, a fourteenth of a context of 8,192."""

SIGHT = 3000
"""Characters of an episode shown by default when it is learnt from."""

_LEAST = 200

S = TypeVar("S", bound=Record)


def at_least(agent: str, name: str, value: Any, least: int) -> int:
    """Check an argument that counts something.

    Raises:
        UsageError: It is no whole number from ``least`` on.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"agent {agent}: {name} must be a whole number from {least} on, not {value!r}.")
    return value


class RememberingAgent(HistoryAgent, Generic[S]):
    """Shows the model what its state says, between the instructions and the episode.

    The prompt is that of :class:`.history.HistoryAgent`, with the memory under :attr:`heading` after the instructions.
    It is read once, at the first observation of an episode, and stands at the same place for all of its turns, so that
    a prompt's beginning does not change within an episode and a cached prefix is found. An empty memory shows nothing:
    until something was learnt, the prompts are the same as ``history``'s.

    A subclass says what it remembers in a :class:`.records.Record` of plain data, gives :meth:`memory`, and ends
    ``learn`` with :meth:`become`: records are not changed in place, so what raised before that has changed nothing.

    Args:
        empty: The state before anything was learnt.
        cap: Characters of memory that are shown at most, at least 200. What goes when they are reached is each agent's
            rule; what :meth:`memory` still gives beyond them is cut at its end.
        sight: Characters of an episode (task and turns) that are shown when it is learnt from, at least 200.
        window: How many past turns of the episode are shown; None shows all.
    """

    heading: ClassVar[str] = "What you know from earlier episodes:"
    marks: ClassVar[frozenset[str]] = frozenset()
    """Names of fields whose texts say nothing of the task, such as ids. The placebo keeps these."""

    def __init__(self, empty: S, *, cap: int = CAP, sight: int = SIGHT, window: int | None = None) -> None:
        super().__init__(window if window is None else at_least(self.name, "window", window, 0))
        self.state: S = empty
        self.cap = at_least(self.name, "cap", cap, _LEAST)
        self.sight = at_least(self.name, "sight", sight, _LEAST)
        self._shown: str | None = None

    @abc.abstractmethod
    def memory(self, observation: Observation) -> str:
        """What to show, empty where there is nothing. It changes no state.

        Args:
            observation: The first of the episode, for agents that look for what fits.
        """

    def begin(self) -> None:
        """Forget the last episode's turns and the memory that was shown in it."""
        super().begin()
        self._shown = None

    async def act(self, observation: Observation, model: Model) -> Action:
        """Send instructions, memory, past turns and the new observation."""
        if self._shown is None:
            self._shown = clip(self.memory(observation), self.cap)
        if self._shown:
            parts = (observation.instructions, f"{self.heading}\n{self._shown}")
            observation = replace(observation, instructions="\n\n".join(part for part in parts if part))
        return await super().act(observation, model)

    async def ask(
        self, model: Model, prompt: str, *, practice: tuple[str, str] | None = None, max_tokens: int = 256
    ) -> str:
        """Ask the model to think about an episode.

        Args:
            model: The model to learn with.
            prompt: The whole question.
            practice: A question of the same form and its answer, put before it as if they had been said; see
                :mod:`.practice`.
            max_tokens: Cap on the answer; the model's own holds too.

        Raises:
            ModelStopped: The model cannot go on.
        """
        messages = [Message("user", prompt)]
        if practice is not None:
            messages = [Message("user", practice[0]), Message("assistant", practice[1]), *messages]
        completion = await model.generate(messages, max_tokens=max_tokens)
        return completion.text.strip()

    def become(self, state: S, change: str) -> str:
        """Take a new state, last of all in :meth:`learn`.

        Args:
            state: The new one.
            change: What was changed, in words.

        Returns:
            ``change``, empty where the new state is the old one.
        """
        if state == self.state:
            return ""
        self.state = state
        return change

    def scene(self, experience: Experience) -> str:
        """The episode as a part of a prompt, in about ``sight`` characters: task, turns, and how it was judged."""
        task = clip(experience.instructions, self.sight // 3)
        turns = experience.transcript(most=self.sight - len(task))
        return f"The task:\n{task}\n\nThe episode:\n{turns}\n\nHow it ended: {verdict(experience)}."

    def snapshot(self) -> Any:
        """The state as plain data."""
        return self.state.model_dump(mode="json")

    def restore(self, state: Any) -> None:
        """Take up a state.

        Raises:
            ValueError: It is not one of this agent's.
        """
        self.state = type(self.state).model_validate(state)
        self._shown = None

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """The state with every text replaced by as many characters of plain words, but for :attr:`marks`."""
        return _blank(state, rng, self.marks)


def _blank(state: Any, rng: np.random.Generator, marks: frozenset[str]) -> Any:
    if isinstance(state, str):
        return filler(len(state), rng)
    if isinstance(state, dict):
        return {key: value if key in marks else _blank(value, rng, marks) for key, value in state.items()}
    if isinstance(state, list):
        return [_blank(value, rng, marks) for value in state]
    return state
