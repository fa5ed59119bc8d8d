"""Calls a function that a model wrote so that the same source, arguments and seed give the same answer.

Runs in the candidate's cell. The rules of `faults` are a language, not a boundary: they keep honest programs from
what would make their answers depend on time, luck without a seed, or files. The boundary is the cell. What shows where
an object lies in memory (the text or the hash of one that defines neither) is not kept from them.
"""

from __future__ import annotations

import ast
import builtins
import contextvars
import importlib
import itertools
import random  # noqa: TID251 - the program's own luck, seeded by who calls it
import sys
from types import ModuleType
from typing import Any

__all__ = ["FILE", "PURE", "call", "faults"]

FILE = "function.py"
PURE = (
    "bisect", "collections", "copy", "dataclasses", "decimal", "enum", "fractions", "functools", "heapq", "itertools",
    "json", "math", "operator", "random", "re", "statistics", "string", "textwrap", "typing",
)  # fmt: skip

_BARRED = frozenset(
    (
        "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "help", "id",
        "input", "locals", "open", "quit", "setattr", "vars",
    )
)  # fmt: skip
_WITHIN = {"collections": ("abc",), "json": ("decoder", "encoder")}
"""Modules inside modules that honest programs name; all others are the module's own business."""
_NOT_OFFERED = {"random": ("SystemRandom",), "statistics": ("kde_random",)}
"""What takes its luck from the system."""
_OWN = frozenset(("__init__", "__name__", "__class__", "__dict__", "__doc__"))


class _TooLong(BaseException):
    """The program made more steps than it may."""


def _place(node):
    return f"line {node.lineno}"


def faults(source, name, parameters):
    """What keeps a source from being a function in this language.

    Args:
        source: Python, as a model wrote it.
        name: The function that it must define at its top level.
        parameters: How many arguments that takes, by position.

    Returns:
        Why not, in a sentence; empty where nothing is wrong.
    """
    try:
        tree = ast.parse(source, FILE)
        compile(source, FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"it does not parse: {error or type(error).__name__}"
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found:
        return f"it defines no function {name}"
    wanted = found[-1].args
    least = len(wanted.posonlyargs) + len(wanted.args) - len(wanted.defaults)
    many = len(wanted.posonlyargs) + len(wanted.args)
    needs = [one for one, default in zip(wanted.kwonlyargs, wanted.kw_defaults) if default is None]
    if not (least <= parameters and (parameters <= many or wanted.vararg)) or needs:
        return f"{name} must take {parameters} arguments by position"
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in PURE
    }
    for node in ast.walk(tree):
        fault = _fault(node) or _hidden(node, imported)
        if fault:
            return f"{_place(node)}: {fault}"
    return ""


def _offered(module):
    """Names of a module that a program may use: those that it is for, and none of what it uses itself."""
    barred = _NOT_OFFERED.get(module.__name__, ())
    within = _WITHIN.get(module.__name__, ())
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if name[0] != "_" and not isinstance(value, ModuleType)
    ]
    return {*names, *within}.difference(barred)


def _hidden(node, imported):
    """What a program takes of a module although it is not offered.

    Names that the module has not are left to Python: a variable may have the name of an imported module.
    """
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
        name, wanted = imported[node.value.id], [node.attr]
    elif isinstance(node, ast.ImportFrom) and node.module:
        name, wanted = node.module, [alias.name for alias in node.names if alias.name != "*"]
    else:
        return ""
    module = importlib.import_module(name)
    offered = _offered(module)
    found = [one for one in wanted if one not in offered and hasattr(module, one) and one not in _OWN]
    return f"{name}.{found[0]} is not part of the language" if found else ""


def _fault(node):
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name not in PURE:
                return f"import {alias.name}: only {', '.join(PURE)} can be imported"
    elif isinstance(node, ast.ImportFrom):
        if node.level or node.module not in PURE:
            return f"import {node.module}: only {', '.join(PURE)} can be imported"
    elif isinstance(node, ast.Name) and (node.id in _BARRED or (node.id.startswith("__") and node.id not in _OWN)):
        return f"{node.id} is not part of the language"
    elif isinstance(node, ast.Attribute) and node.attr.startswith("__") and node.attr not in _OWN:
        return f".{node.attr} is not part of the language"
    elif isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)):
        return "nothing here waits: async is not part of the language"
    return ""


def _counter(most):
    """Counts lines of the program as they run; beyond ``most`` it ends the program.

    Lines are counted, not time: a busy machine must not decide what a program says.
    """
    count = [0]

    def line(frame, event, arg):
        if event == "line":
            count[0] += 1
            if count[0] > most:
                raise _TooLong
        return line

    def enter(frame, event, arg):
        return line if frame.f_code.co_filename == FILE else None

    return count, enter


def _random(seed):
    """The module ``random`` without luck of its own: what is not seeded by the program is seeded from ``seed``."""
    unseeded = (f"{seed} {number}" for number in itertools.count())

    class Random(random.Random):
        __doc__ = random.Random.__doc__

        def __new__(cls, *args, **kwargs):
            self = super().__new__(cls)
            random.Random.seed(self, next(unseeded))  # for a class of the program's that never calls seed
            return self

        def seed(self, a=None, version=2):
            super().seed(next(unseeded) if a is None else a, version)

    Random.__module__, Random.__qualname__ = "random", "Random"
    one = Random(seed)
    offered = _offered(random) - {"Random"}
    return {"Random": Random, **{name: getattr(one, name) for name in offered}}


def _importer(seed):
    """Imports for one call: a module of the language is a copy that has what it offers, and nothing else."""
    copies: dict[str, ModuleType] = {}

    def copied(module):
        name = module.__name__
        if name not in copies:
            copies[name] = copy = ModuleType(name)
            if name == "random":
                vars(copy).update(_random(seed))
            else:
                for one in _offered(module):
                    value = getattr(module, one)
                    vars(copy)[one] = copied(value) if isinstance(value, ModuleType) else value
            vars(copy)["__all__"] = sorted(vars(copy).keys() - vars(ModuleType("")).keys())
        return copies[name]

    def importer(name, globals=None, locals=None, fromlist=(), level=0):
        # Python's own modules import in this way too while the program runs: whether it may is the business of faults.
        module = builtins.__import__(name, globals, locals, fromlist, level)
        return copied(module) if name in PURE and not level else module

    return importer


def call(source, name, calls, most):
    """Call a function several times, each time in a fresh module.

    Args:
        source: Python that `faults` finds nothing wrong with.
        name: The function.
        calls: For each call its arguments, by position, and a seed: that of ``random``, and of every ``Random()`` that
            gets none.
        most: Lines of the program that one call may run, its module's included.

    Returns:
        For each call ``["ok", value, arguments]``, the arguments as the function left them; ``["error", kind,
        message]``; or ``["long"]``.
    """
    code = compile(source, FILE, "exec", dont_inherit=True)
    # A context of its own: that of decimal would else last from call to call.
    return [contextvars.Context().run(_one, code, name, list(arguments), seed, most) for arguments, seed in calls]


def _one(code, name, arguments, seed, most):
    random.seed(f"{seed} of modules")  # such as statistics, which draws from it
    count, enter = _counter(most)
    whole = ModuleType("function")
    module: dict[str, Any] = vars(whole)
    module["__builtins__"] = {**vars(builtins), "__import__": _importer(seed)}
    before = sys.gettrace()
    sys.modules["function"] = whole  # dataclasses looks for the module of a class there
    try:
        sys.settrace(enter)
        try:
            exec(code, module)  # noqa: S102 - what this cell is for
            value = module[name](*arguments)
        finally:
            sys.settrace(before)
            sys.modules.pop("function", None)
    except BaseException as error:  # noqa: BLE001 - SystemExit is an error too
        if count[0] > most:
            return ["long"]
        try:
            return ["error", type(error).__name__, str(error)[:300]]
        except Exception:  # noqa: BLE001 - the program's own class may fail at this
            return ["error", type(error).__name__, ""]
    return ["long"] if count[0] > most else ["ok", value, arguments]
