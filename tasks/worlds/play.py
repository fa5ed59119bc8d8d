"""One episode in a world, played by an agent."""

from __future__ import annotations

from dataclasses import dataclass

from ...environments.worlds.level import Level
from ...environments.worlds.world import Moment, World, episode_key
from ...suite.agents.base import Observation
from ...suite.agents.percept import MOST_OPTIONS, Option, Percept
from ...suite.model import ModelStopped
from ...suite.records import Outcome
from ...suite.task import Episode
from ..actions import ACTION_STOP, NO_TAG, UNUSABLE_IN_A_ROW, find_action
from .prompt import instructions, practice

__all__ = ["Played", "options", "percept", "play"]


@dataclass(frozen=True, slots=True)
class Played:
    """How an episode went.

    Attributes:
        moment: Where it ended.
        unusable: How many of its actions could not be used.
        outcome: ``ok``; ``invalid`` if no action was ever usable or 20 in a row were not; what stopped the model.
        reason: Why it is not ``ok``.
    """

    moment: Moment
    unusable: int
    outcome: Outcome = Outcome.OK
    reason: str = ""


def options(world: World) -> tuple[Option, ...]:
    """The actions that the instructions describe, in the skin's words; none where they are many or not finite."""
    schema = world.dynamics.actions
    if not schema.finite or len(schema.all) > MOST_OPTIONS:
        return ()
    words = map(world.reader.show, schema.all)
    return tuple([Option(f"<action>{text}</action>", text) for text in words])


def percept(world: World, moment: Moment, choices: tuple[Option, ...]) -> Percept:
    """What there is to see, without the count of steps, and what the last action earned as far as the text says it."""
    reward = None if moment.time == 0 else float(f"{moment.reward:.6g}")
    return Percept(world.skin.text(world.view(moment)), choices, reward=reward)


async def play(ctx: Episode, world: World, level: Level) -> Played:
    """Let the player act until the world or the horizon ends the episode.

    The luck of sample k on a level is the same in every run: runs are compared with equal chances. The agent reads
    what the world shows; past observations, actions and rewards are in its history if it keeps one.

    Args:
        ctx: The sample.
        world: The world.
        level: One of its core's levels.
    """
    told, shown = instructions(world), practice(world, level.hash)
    moment = world.begin(world.load(level), episode_key(level, ctx.sample))
    choices = options(world)
    unusable = streak = 0
    while not moment.over and streak < UNUSABLE_IN_A_ROW:
        try:
            seen = percept(world, moment, choices)
            reply = await ctx.act(Observation(world.show(moment), told, shown, stop=(ACTION_STOP,), percept=seen))
        except ModelStopped as stop:
            return Played(moment, unusable, stop.outcome, stop.reason)
        text, tagged = find_action(reply.text)
        action = world.reader.read(text)
        # What the reader says of a whole reply would only lead a small model to repeat it.
        moment = world.advance(moment, NO_TAG if isinstance(action, str) and not tagged else action)
        usable = moment.problem is None
        unusable += not usable
        streak = 0 if usable else streak + 1
        ended = moment.over or streak == UNUSABLE_IN_A_ROW
        ctx.judge(text, usable=usable, after=world.show(moment) if ended else "")
    if streak == UNUSABLE_IN_A_ROW:
        return Played(moment, unusable, Outcome.INVALID, "unusable_in_a_row")
    if unusable == moment.time:
        return Played(moment, unusable, Outcome.INVALID, "never_usable")
    return Played(moment, unusable)
