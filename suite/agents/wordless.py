"""Learners without language: they read percepts, know options by name, and ask no model."""

from __future__ import annotations

import abc
from hashlib import blake2b
from typing import ClassVar

from ..errors import UsageError
from ..model import Model
from .base import Action, Agent, Observation
from .percept import Option, Percept

__all__ = ["WordlessAgent", "name_of"]


def name_of(view: str) -> str:
    """A short name of a view for tables: 12 hexadecimal digits of its hash."""
    return blake2b(view.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


class WordlessAgent(Agent):
    """Base of agents that take one of a percept's options. They are references: a model could read the same facts.

    What is left to chance is drawn from :attr:`luck`, a seed of the sample's, so that repeats of an item and streams of
    episodes are repeats and not copies. A learner that leaves nothing to chance plays every repeat alike, and more
    samples of it say nothing more.
    """

    asks_model: ClassVar[bool] = False
    luck: int = 0
    """What decides where nothing else does: from the model of the episode, set before the first choice."""

    @abc.abstractmethod
    def choose(self, percept: Percept) -> Option:
        """Take one of the options, of which there is at least one."""

    async def act(self, observation: Observation, model: Model) -> Action:
        """Answer with the option's text.

        Raises:
            UsageError: The observation has no percept, or its percept no options.
        """
        percept = observation.percept
        if percept is None:
            raise UsageError(
                f"The agent {self.name} reads no text, and this task gives no percept (Observation.percept is None). "
                "Play it where there is one, such as odyssey/lights, or take an agent that asks a model."
            )
        if not percept.options:
            raise UsageError(
                f"The agent {self.name} takes one of a few options, and this task's percept lists none: its actions "
                "are too many. Play a task or tier with few, or take an agent that asks a model."
            )
        self.luck = model.seed
        return Action(self.choose(percept).text)
