"""The control: a comparison that the candidate's own object answers is put to it with wrong values as well.

The right value and the wrong ones come in an order drawn anew each time, so that an object cannot know which of them
it is asked about, nor whether this run is the control. One that says yes to a wrong value has not compared.
"""

from __future__ import annotations

import secrets
from typing import Any

from .link import Broken, Remote

__all__ = ["Control", "Nothing", "decoys"]

_FEW = 3


class Nothing:
    """A fresh object that equals nothing, not even itself, and comes before and after nothing."""

    __slots__ = ()

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    __hash__ = None  # type: ignore[assignment] # it must not be found in a set


def decoys(operator, value: Any) -> list[Any]:
    """Wrong values of the kind of a right one.

    Args:
        operator: The comparison, such as ``"__eq__"``.
        value: The value that it was asked with.

    Returns:
        Values for which an honest comparison does not hold; empty where none of the kind is known to be wrong.
    """
    kind = type(value)
    far = operator == "__contains__"
    if operator in ("__lt__", "__le__", "__gt__", "__ge__"):
        if kind not in (int, float):
            return []
        sign = -1 if operator in ("__lt__", "__le__") else 1
        return [kind(sign * (10**15 + secrets.randbelow(10**15))) for _ in range(_FEW)]
    if value is None:
        return [secrets.randbelow(10**6) for _ in range(_FEW)]
    if kind is bool:
        return [] if far else [not value]
    made: list[Any] = []
    for index in range(1, _FEW + 1):
        step = (10**12 if far else 0) + 3 * secrets.randbelow(50) + index
        word = f"{secrets.token_hex(2 + index)}"
        if kind is int:
            made.append(value + step)
        elif kind is float:
            made.append(value + step * (1.0 + abs(value)))
        elif kind is str:
            made.append(value[: secrets.randbelow(len(value) + 1)] + word)
        elif kind is bytes:
            made.append(value + word.encode())
        elif kind in (list, tuple):
            made.append(value + kind([step]))
        elif kind in (set, frozenset):
            made.append(value | {word})
        elif kind is dict:
            made.append({**value, word: step})
    return made


class Control:
    """Answers comparisons in place of the candidate's object, after asking it about wrong values too.

    Args:
        link: The line to the candidate.
    """

    def __init__(self, link):
        self._link = link
        self.held = []

    def __call__(self, name, handle, args):
        """Ask in an order drawn at random, and return the answer for the right value."""
        if name == "__ne__":  # holds for a wrong value by right
            return self._link.apply(name, handle, args)
        wrong = [(Nothing(),), *((value,) for value in decoys(name, args[0]))]
        if isinstance(args[0], Remote):
            wrong = wrong[:1]
        asked = [*((False, values) for values in wrong), (True, args)]
        secrets.SystemRandom().shuffle(asked)
        answer, failure = None, None
        for right, values in asked:
            try:
                said = self._link.apply(name, handle, values)
                if not right and said is not NotImplemented and bool(said):
                    self.held.append(f"{name} held for a wrong value")
            except Broken:
                raise
            except BaseException as error:  # noqa: BLE001 - comparing with a wrong value may fail in any way
                if right:
                    failure = error
            else:
                if right:
                    answer = said
        if failure is not None:
            raise failure
        return answer
