"""What is known to be wrong with AutoEnv's environments, by their number: shown beside scores, never mended.

Found by running the release of December 2025 (commit 8aa4c21). A listed maximum that is too low makes scores above 1
out of trivial play; one that cannot be reached makes the best play look poor.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DEFECTS", "UNSEEDED", "WRONG_MAXIMUM", "defects_of"]

_TOO_LOW: Mapping[int, str] = {
    1: "only increments of profit that are positive pay, so that the listed maximum can be exceeded",
    2: "after one accepted reply any unknown action pays 1 at every step: 40 against a listed maximum of 3",
    6: "the number of tokens is not checked: one action earns 422 against 243.5",
    9: "one action pays without end: 3601 against 1195; a random player exceeds the maximum",
    10: "a random player exceeds the listed maximum on some level; its largest term can hardly be reached",
    11: "a bonus of 100 is paid again at every step: 1743 against 393; and it is kept over resets",
    31: "writing the same right pixel pays every time: 35 against 16",
    33: "a limit on gathering is not enforced: two steps earn 0.9 to 1.0 of 1.4 to 2.2",
}
_TOO_HIGH: Mapping[int, str] = {
    4: "half of the answer is shown and half cannot be known: 0.6 of 1.2 is the ceiling",
    7: "the maze is connected in about a third of the episodes only",
    12: "reaching the goal ends the episode at about a third of the listed maximum",
    17: "the purity that the bonus asks for cannot be reached: 32 % of the listed maximum is the ceiling",
    20: "level_04 is enclosed: 9 of 10 levels can be won",
    23: "nothing is told of unvisited tiles: no player expects more than 9.1 %",
    25: "a bonus is never paid: 90.9 % is the ceiling",
    30: "a bonus is never paid: 83.8 % is the ceiling; some chores are done at the start",
    35: "several levels need more steps than there are: 7.5 of 10 is the ceiling",
    36: "level_04 cannot be won: 9 of 10",
}
_OTHER: Mapping[int, str] = {
    9: "three displayed quantities stay at 0 though the player must control them",
    13: "a reference library is announced and never shown; 7 of its 15 levels differ",
    17: "3 of its 15 levels differ, so that test levels are in the validation set",
    22: "all its 15 levels are the same",
    24: "its labels are those of another environment",
    25: "its labels are those of another environment",
    26: "its labels are those of another environment; two steps are counted for each taken",
    27: "its observation is no text, and its step count stands still",
    29: "3 of its 15 levels differ, so that test levels are in the validation set",
    31: "a pixel that was written rightly is still shown as missing",
}

UNSEEDED = frozenset({1, 2, 7, 8, 9, 11, 12, 17, 22, 33, 34})
"""Environments that draw from global generators while they are played. Both are seeded for every episode here."""

WRONG_MAXIMUM = frozenset(_TOO_LOW) | frozenset(_TOO_HIGH)
"""Environments whose listed maximum is known not to be what the best play earns."""

DEFECTS: Mapping[int, tuple[str, ...]] = {
    number: (
        *([f"listed maximum too low: {_TOO_LOW[number]}"] if number in _TOO_LOW else []),
        *([f"listed maximum too high: {_TOO_HIGH[number]}"] if number in _TOO_HIGH else []),
        *([_OTHER[number]] if number in _OTHER else []),
        *(["draws from global generators (seeded here)"] if number in UNSEEDED else []),
    )
    for number in sorted({*_TOO_LOW, *_TOO_HIGH, *_OTHER, *UNSEEDED})
}
"""Sentences by number."""


def defects_of(number: int | None) -> tuple[str, ...]:
    """What is known to be wrong with an environment; nothing for one without a known number."""
    return DEFECTS.get(number, ()) if number is not None else ()
