"""Values as they travel between the cells: plain data by copy, everything else by a handle that its owner keeps.

What arrives is data only: reading it runs no code of the sender's, unlike a pickle.
"""

from __future__ import annotations

import base64
import collections
import datetime
import decimal
import fractions
import importlib
import json
import sys
import uuid
from typing import Any

__all__ = ["Codec", "Unreadable", "dumps", "is_mutable", "loads", "merge"]

_SCALARS = (type(None), bool, str, float)
_SMALL = 2**63
_MUTABLE_TAGS = frozenset(("l", "d", "s", "B", "nd", "q", "od", "dd", "C"))
_ARRAY_KINDS = "biufcSUmM"
_AS_TEXT = {
    "Decimal": (decimal.Decimal, str, decimal.Decimal),
    "Fraction": (fractions.Fraction, str, fractions.Fraction),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "UUID": (uuid.UUID, str, uuid.UUID),
}
_TEXT_TAGS = {kind: name for name, (kind, _, _) in _AS_TEXT.items()}


class Unreadable(Exception):
    """A message that is no value: its sender does not keep to the protocol."""


def dumps(message):
    """A message as bytes."""
    return json.dumps(message, separators=(",", ":"), check_circular=False).encode()


def loads(text):
    """A message from bytes that cannot be trusted.

    Raises:
        Unreadable: They are no message.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None


class Codec:
    """Encodes and decodes values.

    Args:
        own: Called with an object that travels by handle; returns its encoding, a list that starts with ``"h"``.
        other: Called with an encoding that starts with ``"h"`` or ``"o"``; returns what stands for it here.
    """

    def __init__(self, own, other):
        self._own, self._other = own, other

    def encode(self, value):
        """A value as lists, texts, numbers, booleans and None."""
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is int:
            return value if -_SMALL < value < _SMALL else ["i", hex(value)]
        if kind is list:
            return ["l", self._several(value)]
        if kind is tuple:
            return ["t", self._several(value)]
        if kind is dict:
            return ["d", self._pairs(value)]
        if kind is set:
            return ["s", self._several(value)]
        if kind is frozenset:
            return ["f", self._several(value)]
        if kind is bytes:
            return ["b", base64.b64encode(value).decode()]
        if kind is bytearray:
            return ["B", base64.b64encode(value).decode()]
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind is range:
            return ["r", *(self.encode(part) for part in (value.start, value.stop, value.step))]
        if kind is slice:
            return ["S", *(self.encode(part) for part in (value.start, value.stop, value.step))]
        if value is Ellipsis or value is NotImplemented:
            return ["k", repr(value)]
        if kind in _TEXT_TAGS and not (kind is datetime.datetime and value.tzinfo is not None):
            name = _TEXT_TAGS[kind]
            return ["x", name, _AS_TEXT[name][1](value)]
        if kind is datetime.timedelta:
            return ["td", value.days, value.seconds, value.microseconds]
        if kind is collections.OrderedDict:
            return ["od", self._pairs(value)]
        if kind is collections.Counter:
            return ["C", self._pairs(value)]
        if kind is collections.deque:
            return ["q", self._several(value), value.maxlen]
        if kind is collections.defaultdict and value.default_factory in (None, int, list, set, dict, float, str):
            factory = value.default_factory
            return ["dd", self._pairs(value), factory and factory.__name__]
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            if kind is numpy.ndarray:
                if value.dtype.kind in _ARRAY_KINDS:
                    body = base64.b64encode(numpy.ascontiguousarray(value).tobytes()).decode()
                    return ["nd", value.dtype.str, list(value.shape), body]
                if value.dtype.kind == "O":
                    return ["no", list(value.shape), [self.encode(item) for item in value.ravel()]]
            elif isinstance(value, numpy.generic) and kind.__module__ == "numpy" and value.dtype.kind in _ARRAY_KINDS:
                return ["n", value.dtype.str, base64.b64encode(value.tobytes()).decode()]
        return self._own(value)

    def _several(self, values):
        return [self.encode(value) for value in values]

    def _pairs(self, values):
        return [[self.encode(key), self.encode(value)] for key, value in values.items()]

    def decode(self, data) -> Any:
        """The value of an encoding.

        Raises:
            Unreadable: It is none.
        """
        try:
            return self._decode(data)
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError) as error:
            raise Unreadable(f"no value: {error}") from None

    def _decode(self, data):
        if type(data) is not list:
            if type(data) is dict:
                raise Unreadable("an object where a value was expected")
            return data
        tag = data[0]
        if tag == "l":
            return [self._decode(item) for item in data[1]]
        if tag == "t":
            return tuple([self._decode(item) for item in data[1]])
        if tag == "d":
            return {self._decode(key): self._decode(value) for key, value in data[1]}
        if tag == "i":
            return int(data[1], 16)
        if tag == "s":
            return {self._decode(item) for item in data[1]}
        if tag == "f":
            return frozenset([self._decode(item) for item in data[1]])
        if tag == "b":
            return base64.b64decode(data[1])
        if tag == "B":
            return bytearray(base64.b64decode(data[1]))
        if tag == "c":
            return complex(data[1], data[2])
        if tag == "r":
            return range(*(self._decode(part) for part in data[1:]))
        if tag == "S":
            return slice(*(self._decode(part) for part in data[1:]))
        if tag == "k":
            return {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[data[1]]
        if tag == "x":
            return _AS_TEXT[data[1]][2](data[2])
        if tag == "td":
            return datetime.timedelta(data[1], data[2], data[3])
        if tag == "od":
            return collections.OrderedDict([(self._decode(key), self._decode(value)) for key, value in data[1]])
        if tag == "C":
            return collections.Counter({self._decode(key): self._decode(value) for key, value in data[1]})
        if tag == "q":
            return collections.deque([self._decode(item) for item in data[1]], data[2])
        if tag == "dd":
            factories = {"int": int, "list": list, "set": set, "dict": dict, "float": float, "str": str, None: None}
            pairs = {self._decode(key): self._decode(value) for key, value in data[1]}
            return collections.defaultdict(factories[data[2]], pairs)
        if tag in ("nd", "n", "no"):
            return self._decode_array(tag, data)
        if tag in ("h", "o"):
            return self._other(data)
        raise Unreadable(f"the kind of value {tag!r} is unknown")

    def _decode_array(self, tag, data):
        numpy = importlib.import_module("numpy")
        if tag == "no":
            array = numpy.empty(len(data[2]), dtype=object)
            for index, item in enumerate(data[2]):
                array[index] = self._decode(item)
            return array.reshape(data[1])
        dtype = numpy.dtype(data[1])
        if dtype.kind not in _ARRAY_KINDS or dtype.itemsize == 0:
            raise Unreadable(f"an array of {data[1]!r}")
        array = numpy.frombuffer(base64.b64decode(data[-1]), dtype=dtype)
        return array.reshape(data[2]).copy() if tag == "nd" else array[0]


def is_mutable(data):
    """Whether an encoded value holds anything that its receiver could change in place."""
    return type(data) is list and (
        data[0] in _MUTABLE_TAGS or (data[0] == "t" and any(is_mutable(item) for item in data[1]))
    )


def merge(old, new):
    """Make an old value equal to a new one, in place as far as their kinds agree.

    Args:
        old: What this side holds.
        new: What the other side made of it.

    Returns:
        The old object where it could be changed, else the new one.
    """
    kind = type(old)
    if kind is not type(new):
        return new
    if kind is list:
        old[:] = [merge(old[i], item) if i < len(old) else item for i, item in enumerate(new)]
    elif kind in (dict, collections.OrderedDict, collections.defaultdict, collections.Counter):
        merged = {key: merge(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(merged)
    elif kind is set:
        old.clear()
        old.update(new)
    elif kind is bytearray:
        old[:] = new
    elif kind is collections.deque:
        old.clear()
        old.extend(new)
    elif kind is tuple and len(old) == len(new):
        parts = [merge(a, b) for a, b in zip(old, new)]
        return old if all(a is b for a, b in zip(parts, old)) else tuple(parts)
    elif kind.__name__ == "ndarray" and old.shape == new.shape and old.dtype == new.dtype and old.flags.writeable:
        old[...] = new
    else:
        return new
    return old
