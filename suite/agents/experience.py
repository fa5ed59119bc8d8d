"""What an agent is told of an episode that has ended, so that it can learn from it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Experience", "Feedback", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the agent's.

    Args:
        observation: What it saw.
        reply: What it wrote, thinking removed.
        action: What the world took of it, None where there was no action in it.
        usable: Whether the world could use it.
    """

    observation: str
    reply: str
    action: str | None
    usable: bool


@dataclass(frozen=True, slots=True)
class Feedback:
    """How the episode was judged: all that the yoked arm takes from another stream.

    Args:
        score: The primary metric, on its own scale; None where the episode has none.
        solved: Whether the goal was reached, None where the task knows no success.
        outcome: ``ok``, ``invalid`` or ``refused``.
        reason: Why it is not ``ok``.
    """

    score: float | None
    solved: bool | None = None
    outcome: str = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Experience:
    """An episode as its agent lived it. Nothing in it was hidden from the agent but the feedback.

    Args:
        id: Names the episode within its stream, such as ``s003/7``: the cause of an update.
        task: What was played, such as ``odyssey/lights``.
        position: How many episodes the agent had lived through before it.
        instructions: What held for the whole episode.
        steps: Its turns.
        after: What the world said at the end.
        feedback: How it was judged.
        low: Lower end of the score's scale, None where it is open.
        high: Upper end, likewise.
    """

    id: str
    task: str
    position: int
    instructions: str
    steps: tuple[Step, ...]
    after: str
    feedback: Feedback
    low: float | None = 0.0
    high: float | None = 1.0

    def transcript(self, *, most: int | None = None) -> str:
        """The episode as text: observations, replies after ``>``, and what the world said at the end.

        Args:
            most: Characters at most; the middle is left out where it is longer, because how an episode began and how
                it ended say most about it. None: all.

        Raises:
            ValueError: ``most`` is under 40, which leaves no room for two ends.
        """
        lines: list[str] = []
        for step in self.steps:
            lines += [step.observation, f"> {step.reply}" + ("" if step.usable else "  [could not be used]")]
        text = "\n".join([*lines, self.after] if self.after else lines)
        if most is None or len(text) <= most:
            return text
        if most < 40:
            raise ValueError(f"most must be at least 40 characters, not {most}")
        gap = "\n[…]\n"
        head = (most - len(gap)) // 2
        return text[:head] + gap + text[len(text) - (most - len(gap) - head) :]
