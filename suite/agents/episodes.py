"""Past episodes as they were, put before the present one."""

from __future__ import annotations

from typing import ClassVar

from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .remembering import RememberingAgent
from .verdict import verdict

__all__ = ["EpisodesAgent", "Log"]


class Log(Record):
    """The transcripts of past episodes, oldest first."""

    episodes: tuple[str, ...] = ()


class EpisodesAgent(RememberingAgent[Log]):
    """Shows past episodes verbatim, each with how it was judged: a history that does not end with the episode.

    What a model makes of its own past attempts and their rewards without any summary is studied as in-context
    reinforcement learning: Monea et al., "LLMs Are In-Context Bandit Reinforcement Learners" (2024, arXiv:2410.05362);
    Song et al., "Reward Is Enough: LLMs Are In-Context Reinforcement Learners" (2025, arXiv:2506.06303). Changed: whole
    episodes in other levels are shown, not attempts at one question; nothing is sampled from the past, the newest are
    kept.

    At the cap the oldest episodes go. An episode that alone is longer keeps its beginning and its end.

    Args:
        cap: Characters of past episodes, at least 200.
        window: How many past turns of the present episode are shown; None shows all.
    """

    name: ClassVar[str] = "episodes"
    heading: ClassVar[str] = "Your earlier episodes:"

    def __init__(self, cap: int = 6000, window: int | None = None) -> None:
        super().__init__(Log(), cap=cap, window=window)

    def memory(self, observation: Observation) -> str:
        """The kept episodes."""
        return "\n\n".join(self.state.episodes)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Keep the episode, and of the older ones the newest that fit. The model is not asked."""
        header = clip(f"Episode {experience.position + 1}, {experience.task}: {verdict(experience)}", self.cap // 3)
        text = clip(f"{header}\n{experience.transcript(most=self.cap - len(header) - 1)}", self.cap)
        kept, room = [text], self.cap - len(text)
        for older in reversed(self.state.episodes):
            room -= len(older) + 2
            if room < 0:
                break
            kept.append(older)
        gone = len(self.state.episodes) + 1 - len(kept)
        change = f"kept the episode ({len(text)} characters)" + (f", dropped the {gone} oldest" if gone else "")
        return self.become(Log(episodes=tuple(reversed(kept))), change)
