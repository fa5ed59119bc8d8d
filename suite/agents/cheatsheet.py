"""One text that is rewritten after every episode."""

from __future__ import annotations

import re
from typing import ClassVar

from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .practice import FAILED, own
from .remembering import CAP, SIGHT, RememberingAgent

__all__ = ["CheatsheetAgent", "Sheet"]

_TAGS = re.compile(r"</?cheat_?sheet>", re.IGNORECASE)
_EXAMPLE = "- The toaster does nothing while it is unplugged: plug it in, then press its lever."


class Sheet(Record):
    """The text."""

    text: str = ""


class CheatsheetAgent(RememberingAgent[Sheet]):
    """Rewrites one text after every episode, and shows it in the next.

    Suzgun et al., "Dynamic Cheatsheet: Test-Time Learning with Adaptive Memory" (2025, arXiv:2504.07952), its
    cumulative form. Changed: the curator is told how the episode was judged (there it is not, and judges itself); the
    sheet has a size; there is no retrieval of past answers.

    A rewrite may lose what was there: that is the method, and ``playbook`` is the answer to it. At the cap the new
    sheet is cut at its end. An empty answer leaves the sheet as it was.

    Args:
        cap: Characters of the sheet at most, at least 200.
        sight: Characters of an episode that are shown when it is learnt from, at least 200.
        window: How many past turns of the present episode are shown; None shows all.
    """

    name: ClassVar[str] = "cheatsheet"
    heading: ClassVar[str] = "Your cheat sheet from earlier episodes:"

    def __init__(self, cap: int = CAP, sight: int = SIGHT, window: int | None = None) -> None:
        super().__init__(Sheet(), cap=cap, sight=sight, window=window)

    def memory(self, observation: Observation) -> str:
        """The sheet."""
        return self.state.text

    async def learn(self, experience: Experience, model: Model) -> str:
        """Rewrite the sheet; one call."""
        practice = (_question("", self.scene(FAILED), self.cap), _EXAMPLE)
        question = _question(self.state.text, self.scene(experience), self.cap)
        answer = await self.ask(model, question, practice=practice, max_tokens=self.cap // 3)
        text = clip(own(_TAGS.sub("", answer), experience), self.cap)
        if not text:
            return ""
        sizes = f"{len(self.state.text)} characters before, {len(text)} now"
        return self.become(Sheet(text=text), f"rewrote the sheet ({sizes}): {clip(text, 200)}")


def _question(sheet: str, scene: str, cap: int) -> str:
    return (
        f"You keep a cheat sheet for a task. This is it now:\n{sheet or '(empty)'}\n\n{scene}\n\n"
        f"Write the whole new cheat sheet, at most {cap // 8} words: keep what still holds, correct what was wrong, "
        "add what this episode showed about how the task works and what to do. Write nothing else."
    )
