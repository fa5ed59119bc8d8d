"""What the generators of worlds after OdysseyArena share: presets by name, and the key that a world is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from ...suite.canonical import content_hash
from ...suite.errors import UsageError

__all__ = ["difficulty_key", "preset"]

_Difficulty = TypeVar("_Difficulty")


def preset(difficulty: str | _Difficulty, presets: Mapping[str, _Difficulty], family: str) -> _Difficulty:
    """The preset of a name; a difficulty is handed through.

    Args:
        difficulty: The name, or a difficulty.
        presets: At least one.
        family: The world's name, for the message.

    Raises:
        UsageError: There is no preset of that name.
    """
    kind = type(next(iter(presets.values())))
    if isinstance(difficulty, kind):
        return difficulty
    if isinstance(difficulty, str) and difficulty in presets:
        return presets[difficulty]
    article = "an" if kind.__name__[0] in "AEIO" else "a"
    raise UsageError(
        f"There is no {family} difficulty {difficulty!r}. The presets are {', '.join(presets)}; for others make "
        f"{article} {kind.__name__}."
    )


def difficulty_key(difficulty: Any, seed_path: tuple[str | int, ...]) -> str:
    """The hash that stands for a difficulty in a world's seed path.

    The number of attempts is no part of it: a world that was found within fewer stays the same with more.

    Args:
        difficulty: A difficulty, a dataclass with ``attempts`` among its fields.
        seed_path: What follows it; must not be empty.

    Raises:
        UsageError: The seed path is empty.
    """
    if not seed_path:
        raise UsageError("generate() needs a seed path after the difficulty, as in generate('lite', 7).")
    return content_hash({name: value for name, value in asdict(difficulty).items() if name != "attempts"})
