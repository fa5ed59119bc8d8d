"""How likely each option of a value question is to an agent, where the backend tells: no answer is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...suite.agents.base import Observation
from ...suite.agents.history import joined, opening
from ...suite.backends.base import Message
from ...suite.model import ModelStopped
from ...suite.task import Episode
from .questions import LETTERS, Question, question_told

__all__ = ["PRACTICE", "Rated", "rate", "shares_of"]

PRACTICE = (("Answer with a letter.\nWhich is warm? A: ice B: fire C: snow", "B"),)
"""A question and an answer in the right form."""

_INSTRUCTIONS = "You are a member of a forum. You answer by what you remember."


@dataclass(frozen=True, slots=True)
class Rated:
    """How likely an agent is to choose what.

    Attributes:
        shares: By question, the probability of each option as the form shows them; each question's sum is 1.
        mass: Mean probability that the answer is one of the letters at all, in [0, 1]: what ``shares`` were divided by.
    """

    shares: tuple[tuple[float, ...], ...]
    mass: float


async def rate(ctx: Episode, memory: str, form: Sequence[Question], agent: int, number: int) -> Rated | None:
    """Read the probabilities of an agent's choices from its model. Nothing is remembered.

    Each question is put alone, as often as it has options, in the orders that follow from each other by turning: so
    every option stands once at each place and has each letter once. The prompt is the memory and the question, as an
    agent without memory of its own sends it; no ``--agent`` comes between.

    Args:
        ctx: The episode.
        memory: As the agent is told it.
        form: The value questions.
        agent: Whose memory it is.
        number: Of the measurement: the round of the turn that is recorded.

    Returns:
        None where the backend has no log-probabilities of given replies, or a prompt does not fit.

    Raises:
        BackendError: The backend failed.
    """
    seat = f"agent_{agent}"
    model = ctx.model(seat)
    if model.capabilities.logprobs != "full" or not form:
        return None
    asked: list[tuple[list[Message], str]] = []
    for one in form:
        for turn in range(len(one.options)):
            seen = Observation(f"{memory}\n\n{question_told(one, turn)}", _INSTRUCTIONS, PRACTICE)
            messages = joined([*opening(seen), Message("user", seen.text)])
            asked += [(messages, letter) for letter in LETTERS[: len(one.options)]]
    told = "\n\n".join([memory, *(question_told(one, 0) for one in form)])
    try:
        scores = await model.score_all(asked)
    except ModelStopped:
        # A turn without likelihoods tells a rescoring that the model was stopped here.
        ctx.record(Observation(told, _INSTRUCTIONS, PRACTICE), seat=seat, usable=False)
        return None
    totals = iter([one.total for one in scores])
    shares, masses = [], []
    for one in form:
        size = len(one.options)
        rows = [[next(totals) for _ in range(size)] for _ in range(size)]
        masses += [min(1.0, sum(math.exp(value) for value in row)) for row in rows]
        shares.append(shares_of(rows))
    rated = Rated(tuple(shares), sum(masses) / len(masses))
    ctx.record(
        Observation(told, _INSTRUCTIONS, PRACTICE), seat=seat, scores={"round": float(number), "value_mass": rated.mass}
    )
    return rated


def shares_of(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The probability of each option, over orders that were turned.

    Args:
        rows: By order, the log-probability of each place: in order t place i has option (i + t) mod the number of
            options, as :func:`.question_told` shows them.

    Returns:
        By option, the mean over orders of its probability among the options; the sum is 1.
    """
    size = len(rows)
    found = [0.0] * size
    for turn, row in enumerate(rows):
        most = max(row)
        weights = [math.exp(value - most) for value in row]
        for place, weight in enumerate(weights):
            found[(place + turn) % size] += weight / sum(weights) / size
    return tuple(found)
