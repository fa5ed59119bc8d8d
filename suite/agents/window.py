"""The last turns of the episode only."""

from __future__ import annotations

from typing import ClassVar

from .history import HistoryAgent
from .remembering import at_least

__all__ = ["WindowAgent"]


class WindowAgent(HistoryAgent):
    """Shows the model the instructions and the last turns of the episode.

    ``history`` with a window, as an agent of its own, so that tables name it. No paper: it is the plainest way to keep
    a prompt short, and what a memory must beat to be worth its tokens.

    Args:
        window: How many past turns are shown, from 0 on.
    """

    name: ClassVar[str] = "window"

    def __init__(self, window: int = 8) -> None:
        super().__init__(at_least(self.name, "window", window, 0))
