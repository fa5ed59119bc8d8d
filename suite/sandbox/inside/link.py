"""The narrow line between the tests' cell and the candidate's: calls and values, in both directions.

What is not plain data stays with its owner, and the other side holds a stand-in that forwards attribute access, calls
and operators. A candidate's class stands here as a class of the same name, so that ``isinstance``, ``type(x).__name__``
and ``except ItsError`` mean what they say.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib
import inspect
import operator
import struct
import sys
import threading
import types
from typing import Any

from .values import Codec, Unreadable, dumps, is_mutable, loads, merge

__all__ = ["Broken", "Link", "Remote", "RemoteType"]

_LONGEST = 64 * 2**20

_OPERATORS = {
    "__eq__": operator.eq, "__ne__": operator.ne, "__lt__": operator.lt, "__le__": operator.le,
    "__gt__": operator.gt, "__ge__": operator.ge, "__bool__": operator.truth, "__len__": len, "__hash__": hash,
    "__str__": str, "__repr__": repr, "__bytes__": bytes, "__format__": format, "__iter__": iter, "__next__": next,
    "__reversed__": reversed, "__contains__": operator.contains, "__getitem__": operator.getitem,
    "__setitem__": operator.setitem, "__delitem__": operator.delitem, "__int__": int, "__float__": float,
    "__complex__": complex, "__index__": operator.index, "__round__": round, "__abs__": abs, "__neg__": operator.neg,
    "__pos__": operator.pos, "__invert__": operator.invert, "__dir__": dir,
    "__add__": operator.add, "__sub__": operator.sub, "__mul__": operator.mul, "__matmul__": operator.matmul,
    "__truediv__": operator.truediv, "__floordiv__": operator.floordiv, "__mod__": operator.mod,
    "__divmod__": divmod, "__pow__": pow, "__lshift__": operator.lshift, "__rshift__": operator.rshift,
    "__and__": operator.and_, "__or__": operator.or_, "__xor__": operator.xor,
    "__enter__": lambda x: type(x).__enter__(x), "__exit__": lambda x, *a: type(x).__exit__(x, *a),
}  # fmt: skip
_REFLECTED = {
    f"__r{name[2:]}": (lambda function: lambda mine, theirs: function(theirs, mine))(_OPERATORS[name])
    for name in (
        "__add__", "__sub__", "__mul__", "__matmul__", "__truediv__", "__floordiv__", "__mod__", "__divmod__",
        "__pow__", "__lshift__", "__rshift__", "__and__", "__or__", "__xor__",
    )
}  # fmt: skip
_OPERATORS.update(_REFLECTED)
COMPARISONS = frozenset(("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"))
# Every object has these; the others a stand-in has only if the object behind it has them.
_ALWAYS = ("__eq__", "__ne__", "__str__", "__repr__", "__format__", "__dir__")


# What both sides may hold as the same object, found by its name: it computes, and reaches nothing beyond its arguments.
_PURE = frozenset((
    "abc", "array", "bisect", "calendar", "cmath", "collections", "copy", "csv", "dataclasses", "datetime", "decimal",
    "enum", "fractions", "functools", "heapq", "itertools", "json", "keyword", "math", "numbers", "numpy", "operator",
    "queue", "random", "re", "scipy", "sklearn", "statistics", "string", "textwrap", "time", "typing", "uuid",
))  # fmt: skip
_PURE_BUILTINS = frozenset((
    "abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "enumerate", "filter", "format", "hash", "hex",
    "isinstance", "issubclass", "iter", "len", "map", "max", "min", "next", "oct", "ord", "pow", "print", "range",
    "repr", "reversed", "round", "sorted", "sum", "zip",
))  # fmt: skip


class Broken(BaseException):
    """The other side is gone, or does not keep to the protocol. A test's ``except Exception`` does not hide it."""


class Remote:
    """Stands for an object of the other side."""

    __slots__ = ("_at_link",)

    def __getattr__(self, name):
        link, handle = object.__getattribute__(self, "_at_link")
        return link.ask("get", handle, name)

    def __setattr__(self, name, value):
        link, handle = object.__getattribute__(self, "_at_link")
        link.ask("set", handle, name, link.codec.encode(value))

    def __delattr__(self, name):
        link, handle = object.__getattribute__(self, "_at_link")
        link.ask("del", handle, name)


def _forward(name):
    def method(self, *args):
        link, handle = object.__getattribute__(self, "_at_link")
        return link.operate(name, handle, args)

    method.__name__ = name
    return method


def _call(self, *args, **kwargs):
    link, handle = object.__getattribute__(self, "_at_link")
    return link.call(handle, args, kwargs)


_METHODS = {name: _forward(name) for name in _OPERATORS}
_METHODS["__call__"] = _call


class RemoteType(type):
    """The class of stand-ins for one class of the other side; calling it makes an instance there."""

    _of_link: Any = None

    def __call__(cls, *args, **kwargs):
        """An instance, made on the other side."""
        if cls._of_link is None:
            return super().__call__(*args, **kwargs)
        link, handle = cls._of_link
        return link.call(handle, args, kwargs)

    def __getattr__(cls, name):
        if cls._of_link is None or name == "_of_link":
            raise AttributeError(name)
        link, handle = cls._of_link
        return link.ask("get", handle, name)

    def __setattr__(cls, name, value):
        if name.startswith("__") or cls._of_link is None:
            return super().__setattr__(name, value)
        link, handle = cls._of_link
        return link.ask("set", handle, name, link.codec.encode(value))

    def __iter__(cls):
        link, handle = cls._of_link
        return link.operate("__iter__", handle, ())

    def __len__(cls):
        link, handle = cls._of_link
        return link.operate("__len__", handle, ())

    def __bool__(cls):
        return True

    def __getitem__(cls, key):
        link, handle = cls._of_link
        return link.operate("__getitem__", handle, (key,))

    def __contains__(cls, key):
        link, handle = cls._of_link
        return link.operate("__contains__", handle, (key,))


class Link:
    """One end of the line.

    Args:
        connection: A connected stream socket.
        guard: Called with an object and an attribute's name before the other side may reach it; True lets it. Without
            one everything may be reached.
    """

    def __init__(self, connection, guard=None):
        self._socket = connection
        self._guard = guard
        self._lock = threading.RLock()
        self._held = {}
        self._numbers = {}
        self._classes = {}
        self.codec = Codec(self._own, self._other)
        self.compared = 0
        self.control: Any = None
        self.broken = ""
        self.requests = {}

    # Frames.

    def _send(self, message):
        body = dumps(message)
        try:
            self._socket.sendall(struct.pack("<I", len(body)) + body)
        except OSError as error:
            raise Broken(f"the other side is gone: {error}") from None

    def _receive(self):
        (length,) = struct.unpack("<I", self._exactly(4))
        if length > _LONGEST:
            raise Broken(f"a message of {length} bytes")
        try:
            message = loads(self._exactly(length))
        except Unreadable as error:
            raise Broken(str(error)) from None
        if type(message) is not list or not message or type(message[0]) is not str:
            raise Broken("a message of another form")
        return message

    def _exactly(self, length):
        parts = []
        while length:
            try:
                part = self._socket.recv(min(length, 2**20))
            except OSError as error:
                raise Broken(f"the other side is gone: {error}") from None
            if not part:
                raise Broken("the other side is gone")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    # Asking.

    def ask(self, *message):
        """Send a request, serve what the other side asks meanwhile, and return the answer's value.

        Raises:
            Broken: There is no answer.
            BaseException: What the request raised on the other side.
        """
        return self._answer(self._exchange(message))

    def ask_names(self, names):
        """Have the other side load its module, and return those of its names that are asked for, still encoded."""
        reply = self._exchange(["load", names])
        return reply[1] if reply[0] == "ok" else self._answer(reply)

    def _exchange(self, message):
        with self._lock:
            if self.broken:
                raise Broken(self.broken)
            try:
                self._send(list(message))
                while True:
                    reply = self._receive()
                    if reply[0] in ("ok", "raise"):
                        return reply
                    self._serve(reply)
            except Broken as error:
                self.broken = str(error) or "the other side is gone"
                raise

    def _answer(self, reply):
        try:
            if reply[0] == "ok":
                return self.codec.decode(reply[1])
            error = self._exception(reply[1])
        except (Unreadable, IndexError, KeyError, TypeError) as fault:
            self.broken = f"an answer of another form: {fault}"
            raise Broken(self.broken) from None
        raise error

    def call(self, handle, args, kwargs):
        """Call an object of the other side; what it changed in its arguments is changed here too."""
        values = [*args, *kwargs.values()]
        reply = self._exchange(["call", handle, [self.codec.encode(value) for value in values], len(args), [*kwargs]])
        try:
            for index, data in reply[2]:
                merge(values[index], self.codec.decode(data))
            if reply[0] == "ok" and type(reply[1]) is list and reply[1] and reply[1][0] == "a":
                return values[reply[1][1]]
        except (Unreadable, LookupError, TypeError, ValueError) as fault:
            self.broken = f"an answer of another form: {fault}"
            raise Broken(self.broken) from None
        return self._answer(reply)

    def operate(self, name, handle, args):
        """Apply an operator to an object of the other side, there."""
        if name in COMPARISONS:
            self.compared += 1
            if self.control is not None:
                return self.control(name, handle, args)
        return self.apply(name, handle, args)

    def apply(self, name, handle, args):
        """`operate`, past the control."""
        return self.ask("op", name, handle, [self.codec.encode(value) for value in args])

    # Serving.

    def serve_until_gone(self):
        """Serve the other side's requests until it leaves."""
        while True:
            try:
                message = self._receive()
            except Broken:
                return
            with self._lock:
                self._serve(message)

    def _serve(self, message):
        try:
            reply = self._do(message)
        except Broken:
            raise
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked, SystemExit too
            reply = ["raise", self._describe_exception(error), []]
        try:
            self._send(reply)
        except (ValueError, RecursionError, TypeError) as error:
            self._send(["raise", self._describe_exception(TypeError(f"this value cannot be sent: {error}")), []])

    def _do(self, message):
        kind, rest = message[0], message[1:]
        own = self.requests.get(kind)
        if own is not None:
            return ["ok", own(*rest), []]
        if kind == "call":
            handle, values, positional, names = rest
            return self._do_call(self._object(handle), values, positional, names)
        if kind == "op":
            name, handle, args = rest
            target = self._object(handle)
            self._allow(target, name)
            return ["ok", self.codec.encode(_OPERATORS[name](target, *[self.codec.decode(arg) for arg in args])), []]
        if kind == "await":
            return ["ok", self.codec.encode(asyncio.run(self._object(rest[0]))), []]
        target, name = self._object(rest[0]), rest[1]
        self._allow(target, name)
        if kind == "get":
            return ["ok", self.codec.encode(getattr(target, name)), []]
        if kind == "set":
            setattr(target, name, self.codec.decode(rest[2]))
            return ["ok", None, []]
        if kind == "del":
            delattr(target, name)
            return ["ok", None, []]
        raise Broken(f"the request {kind!r} is unknown")

    def _do_call(self, target, values, positional, names):
        self._allow(target, "__call__")
        args = [self.codec.decode(value) for value in values]
        result = error = None
        try:
            result = target(*args[:positional], **dict(zip(names, args[positional:])))
        except BaseException as caught:  # noqa: BLE001 - what it changed in its arguments goes back all the same
            error = caught
        changes = []
        for index, (value, before) in enumerate(zip(args, values)):
            if is_mutable(before):
                after = self.codec.encode(value)
                if after != before:
                    changes.append([index, after])
        if error is not None:
            return ["raise", self._describe_exception(error), changes]
        for index, value in enumerate(args):
            if value is result and is_mutable(values[index]):
                return ["ok", ["a", index], changes]
        return ["ok", self.codec.encode(result), changes]

    def _allow(self, target, name):
        if self._guard is not None and not self._guard(target, name):
            raise AttributeError(f"{name!r} cannot be reached from here")

    # Handles.

    def hold(self, value):
        """The number under which this side keeps an object for the other."""
        number = self._numbers.get(id(value))
        if number is None:
            number = len(self._held)
            self._held[number] = value
            self._numbers[id(value)] = number
        return number

    def _object(self, handle):
        try:
            return self._held[handle]
        except (KeyError, TypeError):
            raise Broken(f"the handle {handle!r} was never given") from None

    def _own(self, value):
        if isinstance(value, Remote):
            link, handle = object.__getattribute__(value, "_at_link")
            if link is self:
                return ["o", handle]
        if isinstance(value, type):
            if isinstance(value, RemoteType) and value._of_link is not None and value._of_link[0] is self:
                return ["o", value._of_link[1]]
            if getattr(builtins, value.__name__, None) is value:
                return ["h", None, "builtin", value.__name__]
            if _is_global(value):
                return ["h", None, "global", value.__module__, value.__qualname__]
            return ["h", self.hold(value), "class", self._describe_class(value)]
        if isinstance(value, types.ModuleType):
            return ["h", None, "module", value.__name__]
        if isinstance(value, types.BuiltinFunctionType) and getattr(builtins, value.__name__, None) is value:
            if value.__name__ in _PURE_BUILTINS:
                return ["h", None, "builtin", value.__name__]
            return ["h", self.hold(value), "instance", self.hold(type(value)), self._describe_class(type(value))]
        if isinstance(value, types.CoroutineType):
            return ["h", self.hold(value), "coroutine"]
        if isinstance(value, BaseException):
            return ["h", self.hold(value), "exception", self._describe_exception(value)]
        if _is_global(value):
            return ["h", None, "global", value.__module__, value.__qualname__]
        kind = type(value)
        return ["h", self.hold(value), "instance", self.hold(kind), self._describe_class(kind)]

    def _describe_class(self, cls):
        bases = []
        for base in cls.__mro__[1:]:
            if base.__module__ == "builtins":
                bases.append([None, base.__name__])
            else:
                bases.append([self.hold(base), base.__name__])
        special = [
            name
            for name in (*_OPERATORS, "__call__")
            if name not in ("__hash__", *_ALWAYS) and any(name in vars(c) for c in cls.__mro__ if c is not object)
        ]
        hashable = getattr(cls, "__hash__", None) is not None
        return [cls.__name__, bases, [*special, "__hash__"] if hashable else special]

    def _other(self, data):
        if data[0] == "o":
            return self._object(data[1])
        handle, kind = data[1], data[2]
        if kind == "class":
            return self._class(handle, data[3])
        if kind == "instance":
            stand_in = object.__new__(self._class(data[3], data[4]))
            object.__setattr__(stand_in, "_at_link", (self, handle))
            return stand_in
        if kind == "exception":
            return self._exception(data[3])
        if kind == "coroutine":
            return self._awaitable(handle)
        return _shared(kind, data[3:])

    async def _awaitable(self, handle):
        return self.ask("await", handle)

    def _class(self, handle, description):
        known = self._classes.get(handle)
        if known is not None:
            return known
        name, bases, special = description
        if any(base == [None, "BaseException"] for base in bases):
            made = self._exception_class(handle, name, bases)
        else:
            parents = tuple(
                self._classes[number] for number, _ in bases if number is not None and number in self._classes
            )
            parents = tuple(p for p in parents if not any(q is not p and issubclass(q, p) for q in parents))
            body: dict[str, Any] = {method: _METHODS[method] for method in (*_ALWAYS, *special) if method in _METHODS}
            if "__hash__" not in special:
                body["__hash__"] = None
            body["__slots__"] = ()
            made = RemoteType(str(name), parents or (Remote,), body)
            type.__setattr__(made, "_of_link", (self, handle))
        self._classes[handle] = made
        return made

    # Exceptions.

    def _describe_exception(self, error):
        kind = type(error)
        try:
            args = [self.codec.encode(arg) for arg in error.args]
            fields = [[key, self.codec.encode(value)] for key, value in getattr(error, "__dict__", {}).items()]
        except Exception:  # noqa: BLE001 - an argument that cannot travel leaves the exception without it
            args, fields = [], []
        if kind.__module__ == "builtins":
            described = ["builtin", kind.__name__]
        elif _is_global(kind):
            described = ["global", kind.__module__, kind.__qualname__, self._describe_class(kind)[1]]
        else:
            described = ["class", self.hold(kind), *self._describe_class(kind)[:2]]
        return [described, args, fields]

    def _exception_class(self, handle, name, bases):
        parents = []
        for number, base in bases:
            found = getattr(builtins, base, None) if number is None else self._classes.get(number)
            if isinstance(found, type) and issubclass(found, BaseException):
                parents.append(found)
        parents = [p for p in parents if not any(q is not p and issubclass(q, p) for q in parents)]
        made = type(str(name), tuple(parents) or (Exception,), {})
        self._classes[handle] = made
        return made

    def _exception(self, data):
        described, args, fields = data
        if described[0] == "builtin":
            kind = getattr(builtins, described[1], None)
        elif described[0] == "global":
            try:
                kind = _shared("global", described[1:3])
            except Unreadable:
                kind = self._exception_class(("foreign", *described[1:3]), described[2], described[3])
        else:
            kind = self._classes.get(described[1]) or self._exception_class(*described[1:])
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise Unreadable(f"an exception of the class {described[1]!r}")
        values = [self.codec.decode(arg) for arg in args]
        try:
            error = kind(*values)
        except Exception:  # noqa: BLE001 - a class with other parameters is made without them
            error = kind.__new__(kind)
            error.args = tuple(values)
        for key, value in fields:
            if type(key) is str and not key.startswith("__"):
                try:
                    setattr(error, key, self.codec.decode(value))
                except AttributeError:
                    continue
        return error


def _is_global(value):
    """Whether both sides find this object under the same name."""
    if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return False
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if type(module) is not str or type(name) is not str:
        return False
    exception = isinstance(value, type) and issubclass(value, BaseException)
    if module.split(".")[0].lstrip("_") not in _PURE and not (exception and module not in ("candidate", "tests")):
        return False
    found = sys.modules.get(module)
    return found is not None and inspect.getattr_static(found, name, None) is value


def _shared(kind, where):
    if not where or not all(type(part) is str for part in where):
        raise Unreadable("a name that is none")
    if kind == "builtin":
        found = getattr(builtins, where[0], None)
        if isinstance(found, type) or where[0] in _PURE_BUILTINS:
            return found
    elif kind == "global":
        module = sys.modules.get(where[0])
        if module is None and where[0].split(".")[0].lstrip("_") in _PURE:
            try:
                module = importlib.import_module(where[0])
            except ImportError as error:
                raise Unreadable(str(error)) from None
        found = getattr(module, where[1], None)
        if _is_global(found):
            return found
    raise Unreadable(f"{where!r} is not known here")
