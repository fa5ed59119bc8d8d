"""What an agent is: a state that acts through a model, learns, snapshots and restores."""

from __future__ import annotations

import abc
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..model import Model
from .experience import Experience
from .percept import Percept
from .placebo import placebo

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Action", "Agent", "Observation"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a seat sees at one turn.

    Args:
        text: What is new this turn.
        instructions: What holds for the whole episode: goal, rules, format of an action. Given with every observation,
            so that an agent that forgets can still act; an agent with a history shows it once.
        practice: Questions and answers that show the format of an action, put before the first observation as if they
            had been said. They tell nothing about the world; without them small models rarely find the format.
        stop: Strings that end a reply.
        max_tokens: A lower cap on the reply than the run's, or None.
        percept: The same facts for learners without language; no model is shown it. None where the task gives none.
    """

    text: str
    instructions: str = ""
    practice: tuple[tuple[str, str], ...] = ()
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    percept: Percept | None = None

    @property
    def preamble(self) -> str:
        """Instructions and practice as one text, for transcripts."""
        return "\n\n".join([self.instructions, *(f"{question}\n> {answer}" for question, answer in self.practice)])


@dataclass(frozen=True, slots=True)
class Action:
    """What an agent answers.

    Args:
        text: The reply as the model wrote it, thinking removed; the task finds the action in it.
        cut_off: Whether the reply ended at its token cap.
    """

    text: str
    cut_off: bool = False


class Agent(abc.ABC):
    """Base of all agents. One object plays one seat of one episode; what lasts beyond it is in its state.

    A subclass is made with its arguments as keywords; unknown ones are refused by Python itself. In a stream of
    episodes every episode gets a fresh object that takes up the state that the last one left: what is not in
    :meth:`snapshot` is forgotten, so a stream that was cut off goes on as if it had not been.
    """

    name: ClassVar[str] = ""
    asks_model: ClassVar[bool] = True
    """Whether it acts through its model. Learners without language do not, and say so."""

    @property
    def calls_a_turn(self) -> int:
        """At most how often it asks its model at one turn: what forecasts of calls and tokens are made of."""
        return int(self.asks_model)

    def begin(self) -> None:  # noqa: B027 - an optional hook
        """Start a new episode: forget what belongs to one episode only."""

    @abc.abstractmethod
    async def act(self, observation: Observation, model: Model) -> Action:
        """Answer an observation."""

    def fork(self) -> Self:
        """An agent in the same state, episode included, that can go its own way: what it does changes nothing here.

        Questions beside an episode are asked of forks. Default: a deep copy; an agent with large parts that are never
        changed in place shares them instead.
        """
        return copy.deepcopy(self)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Learn from an episode that has ended. Default: nothing.

        Called on the object that played the episode. The model is one of its own: other seeds, and what it is asked is
        counted as the cost of learning. If it is stopped (over its context, a limit), the state stays as it was.

        Args:
            experience: The episode and how it was judged.
            model: To think with.

        Returns:
            What was changed, in words for people, empty where nothing was.

        Raises:
            ModelStopped: The model cannot go on; leave it to the caller, or learn with what there is.
        """
        return ""

    def snapshot(self) -> Any:
        """The state that lasts beyond an episode, as plain data (canonical JSON). Default: none.

        Equal states give equal data, and floats are kept to 6 decimals: what :meth:`restore` takes up is what was kept.
        """
        return None

    def restore(self, state: Any) -> None:
        """Take up a state from :meth:`snapshot`.

        Raises:
            ValueError: The state is not one of this agent's.
        """
        if state is not None:
            raise ValueError(f"{type(self).__name__} has no state, so it cannot take up {state!r}")

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """A state of the same size and shape that says nothing: what the arm ``placebo`` acts with.

        Args:
            state: From :meth:`snapshot`.
            rng: Chooses the words.

        Returns:
            Plain data that :meth:`restore` takes up. Default: :func:`.placebo.placebo`, every longer text replaced by
            others' words; an agent whose numbers say something replaces those too.
        """
        return placebo(state, rng)
