"""Sentences before a task's own words that ask for nothing: other wordings of a task that has none of its own."""

from __future__ import annotations

from dataclasses import replace

from ...suite.agents.base import Observation

__all__ = ["FRAMES", "framed"]

FRAMES = (
    "",
    "What follows is all that is given.",
    "Below stands a task as it was written down.",
    "This is the text that you work from.",
)
"""By wording. None asks for care, speed or obedience: that would be another condition, not another wording."""


def framed(observation: Observation, wording: int) -> Observation:
    """The same observation with a sentence before it, where the instructions begin, or else the text.

    Nothing is taken out or put behind: tasks and agents find what they look for at the end, or by its form.

    Args:
        observation: What the task shows.
        wording: From 0, which changes nothing, to below ``len(FRAMES)``.
    """
    frame = FRAMES[wording]
    if not frame:
        return observation
    if observation.instructions:
        return replace(observation, instructions=f"{frame}\n\n{observation.instructions}")
    return replace(observation, text=f"{frame}\n\n{observation.text}")
