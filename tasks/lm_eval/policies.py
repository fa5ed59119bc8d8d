"""References for lm-eval's tasks: one that names a choice, one that says the answer."""

from __future__ import annotations

from collections.abc import Sequence

from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import choose

__all__ = ["Chooser", "Speaker"]


class Chooser:
    """Names one of some choices by its number, drawn uniformly.

    Args:
        choices: Numbers of the choices, at least one.
    """

    def __init__(self, choices: Sequence[int]) -> None:
        self.choices = choices

    def reply(self, request: GenerateRequest) -> str:
        """A number."""
        return str(self.choices[choose(len(self.choices), request)])


class Speaker:
    """Says what is right.

    Args:
        answer: It.
    """

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def reply(self, request: GenerateRequest) -> str:
        """The answer."""
        return self.answer
