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

    For equality they are made so that nothing about the set of all of them gives the right one away: numbers lie in
    one row, in which its place is drawn; texts and containers differ from it and from one another in one place, all
    in the same. An object that knows this and not what is expected then finds the right one by luck only. Values that
    stand out by themselves (None, what is empty) do so among any others.

    Args:
        operator: The comparison, such as ``"__eq__"``.
        value: The value that it was asked with.

    Returns:
        Values for which an honest comparison does not hold, 3 at most; empty where none of the kind is known to be
        wrong.
    """
    kind = type(value)
    if operator in ("__lt__", "__le__", "__gt__", "__ge__"):
        if kind not in (int, float):
            return []
        sign = -1 if operator in ("__lt__", "__le__") else 1
        return [kind(sign * (10**15 + secrets.randbelow(10**15))) for _ in range(_FEW)]
    if operator == "__contains__":
        return _unlikely(value)
    return _alike(value, 0)


def _unlikely(value):
    """Values that no honest container holds: its neighbours may well be in it."""
    kind = type(value)
    if value is None:
        return [secrets.randbelow(10**6) for _ in range(_FEW)]
    made: list[Any] = []
    for index in range(1, _FEW + 1):
        step, word = 10**12 + 3 * secrets.randbelow(50) + index, secrets.token_hex(2 + index)
        if kind in (int, float):
            made.append(value + step * (1 if kind is int else 1.0 + abs(value)))
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


def _alike(value, depth):
    kind = type(value)
    if value is None:
        return [secrets.randbelow(10**6) for _ in range(_FEW)]
    if kind is bool:
        return [not value]
    if kind is int:
        return _row(value)
    if kind is float:
        return _floats(value)
    if kind is str:
        return _changed(value, lambda sign: _signs(sign, 0x110000)) or [secrets.token_hex(2 + k) for k in range(_FEW)]
    if kind is bytes:
        return _changed(value, lambda sign: bytes(_signs(chr(sign), 256), "latin-1"))
    if depth > 20:
        return []
    if kind in (list, tuple):
        return [kind([*value[:k], new, *value[k + 1 :]]) for k, new in _one_place(list(enumerate(value)), depth)] or [
            value + kind([number]) for number in _row(secrets.randbelow(100))
        ]
    if kind in (set, frozenset):
        changed = [(value - {old}) | {new} for old, new in _one_place([(x, x) for x in value], depth, hashed=True)]
        return [kind(one) for one in changed if one != value] or [value | {n} for n in _row(10**9) if n not in value]
    if kind is dict:
        return [{**value, key: new} for key, new in _one_place(list(value.items()), depth)] or [
            {**value, f"k{number}": number} for number in _row(10**9)
        ]
    return []


def _row(value):
    """Whole numbers beside one, in a row of equally drawn steps; which place in it is its own is drawn too."""
    most = 10 ** max(1, value.bit_length() * 3 // 10 - 1)  # no wider than the number itself
    places = [0]
    for _ in range(_FEW):
        places.append(places[-1] + 1 + most // 10 + secrets.randbelow(most))
    own = secrets.choice(places)
    return [value + place - own for place in places if place != own]


def _floats(value):
    """Numbers with as many decimals."""
    text = repr(value)
    if "e" in text or "n" in text:  # very large, very small, infinite, none
        return [value * factor if value - value == 0.0 and value else float(factor) for factor in (-3.0, 2.0, 5.0)]
    decimals = len(text.partition(".")[2])
    return [float(f"{number}e-{decimals}") for number in _row(int(text.replace(".", "")))]


_KINDS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ".,:;#*+-_/|")


def _signs(sign, top):
    """Signs of the kind of one, others than it in either case."""
    kind = next((kind for kind in _KINDS if sign in kind), None)
    if kind is None:
        near = (chr(k) for k in range(max(1, ord(sign) - 12), min(top, ord(sign) + 13)) if not 0xD800 <= k < 0xE000)
        kind = [k for k in near if (k.isalpha(), k.isupper()) == (sign.isalpha(), sign.isupper())]
    return "".join(other for other in kind if other.lower() != sign.lower())


def _changed(value, signs):
    """Texts with another sign in one place; none where there is no place."""
    places = [k for k in range(len(value)) if value[k : k + 1].isalnum()] or list(range(len(value)))
    if not places:
        return [value + b"x", value + b"y", value + b"z"] if type(value) is bytes else []
    place = secrets.choice(places)
    others = signs(value[place])
    picked = secrets.SystemRandom().sample(range(len(others)), min(_FEW, len(others)))
    return [value[:place] + others[k : k + 1] + value[place + 1 :] for k in picked]


def _one_place(parts, depth, hashed=False):
    """Other values for one of some parts, drawn among those that have most."""
    best: list[Any] = []
    shuffled = list(parts)
    secrets.SystemRandom().shuffle(shuffled)
    for key, old in shuffled[:50]:
        if hashed and type(old) in (set, frozenset):
            continue
        found = [(key, new) for new in _alike(old, depth + 1)]
        if len(found) > len(best):
            best = found
        if len(best) >= _FEW:
            break
    return best


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
