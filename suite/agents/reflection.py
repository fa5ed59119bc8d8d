"""Verbal reflection after failed episodes."""

from __future__ import annotations

from typing import ClassVar

from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .practice import FAILED, own
from .remembering import CAP, SIGHT, RememberingAgent, at_least
from .verdict import failed

__all__ = ["Reflection", "ReflectionAgent", "Reflections"]


_EXAMPLE = "I pressed the lever although the toaster was unplugged. Next time I plug it in first."


class Reflection(Record):
    """What was thought of an episode."""

    episode: str
    text: str


class Reflections(Record):
    """The last reflections, oldest first."""

    kept: tuple[Reflection, ...] = ()


class ReflectionAgent(RememberingAgent[Reflections]):
    """After a failed episode, writes down what went wrong and what to do next time; shows the last of these.

    Shinn et al., "Reflexion: Language Agents with Verbal Reinforcement Learning" (2023, arXiv:2303.11366). There the
    same question is tried again after each reflection; here the next episode is another level, so that what is measured
    is what carries over. The evaluator is the task's own verdict. The number of reflections shown is the paper's bound
    on its memory (its Omega, 1 to 3).

    Each reflection has an equal share of the cap and is cut at its end; of more than ``reflections`` the oldest goes.
    What counts as failed: :func:`.verdict.failed`.

    Args:
        reflections: How many are kept and shown, from 1 on.
        cap: Characters of memory at most, at least 200.
        sight: Characters of an episode that are shown when it is learnt from, at least 200.
        window: How many past turns of the present episode are shown; None shows all.
    """

    name: ClassVar[str] = "reflection"
    heading: ClassVar[str] = "What you noted after earlier episodes that failed:"
    marks: ClassVar[frozenset[str]] = frozenset({"episode"})

    def __init__(self, reflections: int = 3, cap: int = CAP, sight: int = SIGHT, window: int | None = None) -> None:
        super().__init__(Reflections(), cap=cap, sight=sight, window=window)
        self.reflections = at_least(self.name, "reflections", reflections, 1)

    def memory(self, observation: Observation) -> str:
        """The kept reflections, the newest last."""
        return "\n".join(f"- {reflection.text}" for reflection in self.state.kept)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Reflect on a failed episode; one call."""
        if not failed(experience):
            return ""
        practice = (_question(self.scene(FAILED)), _EXAMPLE)
        answer = await self.ask(model, _question(self.scene(experience)), practice=practice)
        text = clip(" ".join(own(answer, experience).split()), self.cap // self.reflections - 3)
        if not text:
            return ""
        kept = (*self.state.kept, Reflection(episode=experience.id, text=text))
        return self.become(Reflections(kept=kept[-self.reflections :]), f"reflected: {text}")


def _question(scene: str) -> str:
    return (
        f"You played an episode of a task, and it failed.\n\n{scene}\n\n"
        "You will play other episodes of this kind. In at most three sentences: what went wrong, and what will you do "
        "differently next time? Be concrete. Do not play on."
    )
