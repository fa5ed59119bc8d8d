"""Whether any text and any action at all is survived: flagged, told, unpaid, counted, and nothing changed."""

from __future__ import annotations

from typing import Any

from ..keys import Key
from ..world import Moment, World
from .farming import out_of_range, unusable
from .finding import Finding
from .subject import Subject

NAME = "fuzz"

_PIECES = (
    "", " ", "\x00", "\ud800", "é", "\N{SNOWMAN}", "=", ",", "{", "}", '"', "[]", "null", "nan", "1e999", "-0", "0x1",
    "9" * 400, "true", "action", '{"action":', '"params":{', "\n", "\t",
)  # fmt: skip


def texts(world: World, key: Key, count: int) -> list[str]:
    """Random texts out of pieces of actions and of what breaks parsers."""
    reader = world.reader
    words = [part for action in world.dynamics.actions.tried[:40] for part in reader.show(action).split()]
    pool = [*_PIECES, *dict.fromkeys(words), *unusable(world)]
    found = []
    for number in range(count):
        draw = key.at(number)
        parts = [pool[draw.integer(len(pool), slot + 1)] for slot in range(1 + draw.integer(5))]
        found.append((" " if draw.uniform(99) < 0.7 else "").join(parts))
    return found


def check(subject: Subject) -> Finding:
    """Random texts and impossible actions, in random states."""
    world, tried, bad = subject.world, 0, 0
    impossible = out_of_range(world.dynamics.actions)
    for level, params, key in subject.walks(count=1, per_level=5):
        attempts: list[Any] = [*texts(world, Key.of("worlds", "fuzz", level.hash), 150), *impossible]
        moment = world.begin(params, key)
        for number, attempt in enumerate(attempts):
            if moment.over:
                moment = world.begin(params, key.at(number))
            try:
                after = world.act(moment, attempt) if isinstance(attempt, str) else world.advance(moment, attempt)
                world.show(after)
            except Exception as error:  # noqa: BLE001  # whatever is raised is the finding
                return Finding(NAME, False, f"{attempt!r} raises {type(error).__name__}: {error}.", {"attempts": tried})
            tried += 1
            if after.time != moment.time + 1:
                return Finding(NAME, False, f"{attempt!r} does not count as a step.", {"attempts": tried})
            if after.problem is not None:
                bad += 1
                if _changed(moment, after):
                    return Finding(
                        NAME, False, f"The unusable {attempt!r} changes or pays something.", {"attempts": tried}
                    )
                if after.problem not in world.show(after):
                    return Finding(NAME, False, f"The player is not told about {attempt!r}.", {"attempts": tried})
            moment = after
    return Finding(
        NAME, True, f"{tried} random texts and actions, {bad} of them unusable, none did harm.", {"attempts": tried}
    )


def _changed(before: Moment, after: Moment) -> bool:
    return after.state != before.state or after.reward != 0 or bool(after.events) or after.terminated
