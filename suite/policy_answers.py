"""What societies that were given a policy answered, round by round: the noun that turns store and estimates read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from .records import TaskSheet

__all__ = ["FIRST", "LAST", "POLICY", "Answer", "answer_scores", "answers_of", "asks_for_policies", "followed"]

POLICY = "policy"
"""The name under which a measured turn says which policy its society was given, from 0."""

FIRST, LAST = "follows_first", "follows_last"
"""Metrics that a task of policies has: how far a society follows the policy of its start, before all and after."""

_ANSWER = "answer_"


class Answer(IntEnum):
    """What an agent said to do in a case. What could not be read is a class of its own."""

    CHECK = 0
    ACT = 1
    DECLINE = 2
    UNREAD = 3


def asks_for_policies(sheet: TaskSheet) -> bool:
    """Whether a task's turns say what societies that were given a policy answered."""
    return {FIRST, LAST} <= {metric.name for metric in sheet.metrics}


def answer_scores(round_: int, policy: int, answers: Sequence[Answer]) -> dict[str, float]:
    """The scores of a measured turn.

    Args:
        round_: Number of the measurement.
        policy: What the society was given.
        answers: To the case of each policy, in order.
    """
    told = {f"{_ANSWER}{k}": float(answer) for k, answer in enumerate(answers)}
    return {"round": float(round_), POLICY: float(policy), **told}


def answers_of(scores: Mapping[str, float]) -> tuple[int, int, tuple[Answer, ...]] | None:
    """Read what :func:`answer_scores` wrote: round, policy and answers; None of another turn."""
    if POLICY not in scores or "round" not in scores:
        return None
    found = []
    while (value := scores.get(f"{_ANSWER}{len(found)}")) is not None:
        found.append(Answer(int(value)))
    return int(scores["round"]), int(scores[POLICY]), tuple(found)


def followed(replies: Sequence[Sequence[Answer]], policy: int) -> float | None:
    """How far agents follow a policy, in [0, 1]: where it permits and where it checks, each counting half.

    Who always acts, always checks, or chooses between both by lot has one half. What is declined or unread follows
    nothing.

    Args:
        replies: The answers of each agent.
        policy: The policy.

    Returns:
        None without any.
    """
    if not replies:
        return None
    acts = sum(one[policy] is Answer.ACT for one in replies) / len(replies)
    others = [answer for one in replies for k, answer in enumerate(one) if k != policy]
    return (acts + sum(answer is Answer.CHECK for answer in others) / len(others)) / 2
