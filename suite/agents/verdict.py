"""What is to be made of how an episode was judged: a number, a failure or not, and words for a prompt."""

from __future__ import annotations

from .experience import Experience

__all__ = ["failed", "verdict", "worth"]


def worth(experience: Experience) -> float | None:
    """The episode as a number, higher being better: its score, or 1 and 0 for solved and not.

    Returns:
        To 6 decimals, as states are kept; None where the episode has neither.
    """
    feedback = experience.feedback
    if feedback.score is not None:
        return round(feedback.score, 6) + 0.0
    return None if feedback.solved is None else float(feedback.solved)


def failed(experience: Experience) -> bool:
    """Whether there is a mistake to learn from.

    An episode that was not played to its end failed. Where the task knows success, so did one without it; where it does
    not, one below the middle of the score's scale; where that is open, every one: there is always more to gain.
    """
    feedback = experience.feedback
    if feedback.outcome != "ok":
        return True
    if feedback.solved is not None:
        return not feedback.solved
    if feedback.score is None:
        return False
    if experience.low is None or experience.high is None:
        return True
    return feedback.score < (experience.low + experience.high) / 2


def verdict(experience: Experience) -> str:
    """How the episode was judged, in words that a model reads: ``solved, score 1 (from 0 to 1)``."""
    feedback = experience.feedback
    words = []
    if feedback.outcome != "ok":
        words.append(f"{feedback.outcome} ({feedback.reason})" if feedback.reason else feedback.outcome)
    if feedback.solved is not None:
        words.append("solved" if feedback.solved else "not solved")
    if feedback.score is not None:
        closed = experience.low is not None and experience.high is not None
        scale = f" (from {experience.low:.4g} to {experience.high:.4g})" if closed else ""
        words.append(f"score {feedback.score:.4g}{scale}")
    return ", ".join(words) or "not judged"
