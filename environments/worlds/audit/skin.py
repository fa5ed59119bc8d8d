"""Whether the skin shows what the observation lets through: all of it, in characters and lengths that fit."""

from __future__ import annotations

from ..env import LONGEST_TEXT, characters
from ..keys import Key
from .finding import Finding
from .subject import Subject

NAME = "skin"

_MOST_VIEWS = 20_000


def check(subject: Subject) -> Finding:
    """Different views have different texts, every action reads back as itself, and texts fit the observation space.

    A text that two views share hides what tells them apart. Views come from random episodes and the best known plays.
    """
    world = subject.world
    allowed = characters(world)
    texts: dict[str, object] = {}
    views = 0
    plans = {fact.hash: fact.plan for fact in subject.facts}
    for level, params, key in subject.walks(count=6):
        own = Key.of("worlds", "views", key.value)
        plan = plans[level.hash]
        # Every second episode follows the best known play, so that late states are seen, with random actions between.
        for planned in (False, True):
            moment = world.begin(params, key)
            while True:
                view = world.view(moment)
                hash(view)
                text = world.skin.text(view)
                views += 1
                if texts.setdefault(text, view) != view:
                    return Finding(
                        NAME,
                        False,
                        f"Level {level.hash}: one text for two views, {texts[text]} and {view}. Show what differs.",
                        {"views": views},
                    )
                odd = set(text) - allowed
                if odd or len(world.show(moment)) > LONGEST_TEXT - 500:
                    return Finding(
                        NAME,
                        False,
                        f"A text has the characters {sorted(odd)} that the skin's glyphs do not name."
                        if odd
                        else f"A text is longer than {LONGEST_TEXT - 500} characters.",
                        {"views": views},
                    )
                world.skin.picture(view)
                if moment.over or views > _MOST_VIEWS:
                    break
                draw = own.at(moment.time)
                if planned and moment.time < len(plan) and draw.uniform(9) < 0.9:
                    moment = world.act(moment, plan[moment.time])
                else:
                    moment = world.advance(moment, world.dynamics.actions.sample(draw))
    for action in world.dynamics.actions.tried:
        if world.reader.read(world.reader.show(action)) != action:
            return Finding(
                NAME, False, f"{world.reader.show(action)!r} does not read back as {action}.", {"views": views}
            )
    told = world.instructions()
    if "{" in told.replace('{"', ""):
        return Finding(NAME, False, "The instructions have a hole that no word filled.", {"views": views})
    return Finding(NAME, True, f"{len(texts)} different views, {len(texts)} different texts.", {"views": views})
