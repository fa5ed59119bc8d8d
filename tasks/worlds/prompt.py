"""What a language model is told of a world: the world's own words, and an action in tags."""

from __future__ import annotations

from ...environments.worlds.keys import Key
from ...environments.worlds.world import World
from ...suite.seeds import derive

__all__ = ["PROMPTS", "instructions", "practice"]

PROMPTS = 1
"""Raise it with any change to these texts: it raises the version of every task of the family."""


def instructions(world: World) -> str:
    """Setting, goal, horizon and actions, as :meth:`.World.instructions` has them, but for tags around the action.

    Tags let a model think before it acts; a world by itself takes an action and nothing else.
    """
    return (
        f"{world.skin.setting()}\n\n"
        f"{world.skin.vocabulary.fill(world.reward.goal)} You have {world.horizon} steps. "
        "How this place works is for you to find out.\n\n"
        f"Actions:\n{world.reader.describe()}\n\n"
        "Each turn you see the step, what the last action earned, and what there is to see. Answer with one action: "
        "its word and its values, separated by spaces, in tags: <action>…</action>. "
        "An action that cannot be read changes nothing and uses up a step."
    )


def practice(world: World, *path: str | int) -> tuple[tuple[str, str], ...]:
    """Two actions in words and tags, drawn as the random player draws them.

    Which ones differs from item to item, so that copying them is no policy.

    Args:
        world: Whose actions.
        path: Names the draw.
    """
    schema, key = world.dynamics.actions, Key(derive("worlds", "practice", *path))
    drawn = [world.reader.show(schema.sample(key.at(n))) for n in range(8)]
    first = drawn[0]
    second = next((text for text in drawn if text != first), first)
    return (
        (f"First show that you know how to answer: how do you write the action {first}?", f"<action>{first}</action>"),
        (f"And {second}?", f"<action>{second}</action>"),
    )
