"""Optimise: from a candidate and its episodes to another text of one component."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ....suite.backends.base import Backend, Completion, Message
from .candidate import Component
from .evaluation import Evaluation
from .signals import Signal, edit_prompt, find_edit, guide_hash, signal_prompt

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Ask", "Case", "Edit", "FunctionOptimiser", "ModelOptimiser", "NoOptimiser", "Optimiser"]

Ask = Callable[[Sequence[Message]], Awaitable[Completion]]
"""Puts a prompt to the optimiser's model: seeded, counted, recorded. It raises ``ModelStopped`` where the model is over
its context or declines."""


@dataclass(frozen=True)
class Case:
    """What an optimiser gets to see: nothing of validation and test.

    Attributes:
        world: The world's name.
        told: Its instructions.
        signal: What to make of the episodes first.
        component: What to edit.
        current: The component's present text.
        evaluation: The parent's training episodes.
        iteration: From 1.
        most_characters: Of a component; a longer edit is refused.
        most_read: Characters of all episodes together that a prompt may hold.
    """

    world: str
    told: str
    signal: Signal
    component: Component
    current: str
    evaluation: Evaluation
    iteration: int
    most_characters: int = 6_000
    most_read: int = 24_000

    def episodes(self) -> list[str]:
        """The episodes as texts, each cut to its share of :attr:`most_read`."""
        trajectories = self.evaluation.trajectories
        share = max(400, self.most_read // max(1, len(trajectories)))
        return [trajectory.text(share) for trajectory in trajectories]


@dataclass(frozen=True, slots=True)
class Edit:
    """What an optimiser hands back.

    Attributes:
        text: The component's new text; None where it has none to offer.
        change: What was changed, or why there is nothing, in a line.
        analysis: What it made of the episodes.
    """

    text: str | None
    change: str
    analysis: str = ""


class Optimiser(abc.ABC):
    """Base of all optimisers. An optimiser keeps nothing between two edits: all it may know is in its case."""

    name: ClassVar[str] = ""
    backend: Backend | None = None
    """The model that it asks; None for one that works offline."""

    def identity(self) -> dict[str, Any]:
        """What tells it from others, as plain data."""
        return {"name": self.name}

    @abc.abstractmethod
    async def propose(self, case: Case, ask: Ask, rng: np.random.Generator) -> Edit:
        """Propose an edit.

        Args:
            case: The parent and its episodes.
            ask: Puts prompts to :attr:`backend`; an offline optimiser does not use it.
            rng: All randomness that is not the model's.

        Raises:
            ModelStopped: The model is over its context or declines; the experiment notes it and goes on.
        """


class ModelOptimiser(Optimiser):
    """A language model: one call for the report, one for the edit, in one conversation.

    Args:
        backend: The model.
    """

    name = "model"

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def identity(self) -> dict[str, Any]:
        """The model's, and a hash of what it is asked."""
        assert self.backend is not None
        return {"name": self.name, "backend": self.backend.identity(), "guide": guide_hash()}

    async def propose(self, case: Case, ask: Ask, rng: np.random.Generator) -> Edit:
        """Ask for the report, and then for the component's new text."""
        asked = Message("user", signal_prompt(case.signal, case))
        report = (await ask([asked])).text
        edit = await ask([asked, Message("assistant", report), Message("user", edit_prompt(case))])
        what = "program" if case.component == "agent" else "advice"
        wanted = f"it has no {'def act' if case.component == 'agent' else '<advice>…</advice>'}"
        cut = edit.finish_reason == "length"
        text = find_edit(case, edit.text)
        # Advice has an end that shows whether it is whole; half a program may run.
        if text is None or (cut and case.component == "agent"):
            return Edit(None, f"the reply holds no {what}: {'it was cut off' if cut else wanted}", report)
        return Edit(text, f"rewritten from a report on {case.signal}", report)


class NoOptimiser(Optimiser):
    """Changes nothing: the control that no gain may be claimed for."""

    name = "nothing"

    async def propose(self, case: Case, ask: Ask, rng: np.random.Generator) -> Edit:
        """Nothing."""
        return Edit(None, "this optimiser changes nothing")


class FunctionOptimiser(Optimiser):
    """A Python function as an optimiser, for scripted experiments.

    Args:
        function: Given the case and a generator; returns the edit.
        label: Tells it from other functions: experiments of two labels are two experiments.
    """

    name = "function"

    def __init__(self, function: Callable[[Case, np.random.Generator], Edit], label: str) -> None:
        self.function, self.label = function, label

    def identity(self) -> dict[str, Any]:
        """The label."""
        return {"name": self.name, "label": self.label}

    async def propose(self, case: Case, ask: Ask, rng: np.random.Generator) -> Edit:
        """What the function says."""
        return self.function(case, rng)
