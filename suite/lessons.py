"""A lesson: what an agent is told of its episode, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from .agents.base import Agent
from .agents.experience import Experience, Step
from .backends.base import Backend, GenerateRequest
from .clock import within
from .errors import UsageError
from .lives import Moment
from .model import Model, ModelStopped
from .records import Turn, storable
from .states import State
from .store import LEARNING_SEAT
from .streams import StreamTask
from .task import Episode, EpisodeResult

__all__ = ["Lesson", "Speechless", "learn", "lesson_turn"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What came of learning from one episode.

    Args:
        state: The state after it.
        change: What was changed, in the agent's words, or why nothing could be.
        turn: The calls that it took, as the episode's last turn; None where there were none.
    """

    state: State
    change: str
    turn: Turn | None


class Speechless:
    """The policy of a session in which an agent thinks about what it lived, where a policy plays the model.

    Args:
        reference: The policy's name.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def reply(self, request: GenerateRequest) -> str:
        """Refuse: words made up here would look like a lesson.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            f"scripted:{self.reference} plays episodes and cannot say what it learnt from them. Take scripted:nonsense "
            "to try things out, a model, or an agent that learns without asking one."
        )


def _experience(task: StreamTask, ctx: Episode, moment: Moment, result: EpisodeResult) -> Experience:
    seat = task.seats[0]
    turns = [turn for turn in ctx.turns if turn.seat == seat]
    low, high = task.scale(moment.item)
    return Experience(
        id=f"{moment.life.stream.id}/{moment.position}",
        task=task.played(moment.item),
        position=moment.position,
        instructions=ctx.texts.get(turns[0].instructions, "") if turns else "",
        steps=tuple(
            Step(turn.observation, ctx.replies.get(turn.index, turn.action or ""), turn.action, turn.usable)
            for turn in turns
        ),
        after=turns[-1].after if turns else "",
        feedback=moment.feedback(task.feedback(moment.item, result)),
        low=low,
        high=high,
    )


def lesson_turn(model: Model, index: int, change: str = "") -> Turn | None:
    """What an agent asked its model while it learnt, as a turn; None where that was nothing.

    Args:
        model: Its own for learning.
        index: Of the turn.
        change: What came of it.
    """
    calls, likelihoods = model.drain()
    if not calls and not likelihoods:
        return None
    return Turn(index=index, seat=LEARNING_SEAT, observation="", calls=calls, after=change, likelihoods=likelihoods)


async def learn(
    task: StreamTask,
    agent: Agent,
    model: Model,
    backend: Backend,
    ctx: Episode,
    moment: Moment,
    result: EpisodeResult,
    before: State,
) -> Lesson:
    """Let an agent learn from the episode that it has just played.

    A model that cannot go on while it learns (over its context, a limit, a filter) leaves the state as it was: that is
    the agent's doing and no error of the episode.

    Args:
        task: Of the stream.
        agent: The object that played.
        model: Its own for learning.
        backend: Says what its own faults cost.
        ctx: The episode.
        moment: Where it stands in its stream.
        result: How it ended.
        before: The state that it was played with.

    Raises:
        BackendError: Time was up, but faults of the backend had used some of it.
        TypeError: The state that it left is not plain data.
        ValueError: Likewise.
    """
    try:
        told = await within(
            model.limits.seconds,
            agent.learn(_experience(task, ctx, moment, result), model),
            what="the {:g} s to learn in",
            delayed=lambda: backend.delayed(model.session),
        )
        state, change = State.of(agent.snapshot()), str(told or "")
    except ModelStopped as stop:
        state, change = before, f"nothing was learnt: {stop.reason}"
    change = storable(change)
    return Lesson(state, change, lesson_turn(model, len(ctx.turns), change))
