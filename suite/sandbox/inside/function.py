"""Calls a function that a model wrote so that the same source and arguments give the same answer.

Runs in the candidate's cell. The rules of `faults` are a language, not a boundary: they keep honest programs from
what would make their answers depend on time, memory addresses or files. The boundary is the cell.
"""

from __future__ import annotations

import ast
import random  # noqa: TID251 - the program's own luck, seeded by who calls it
import sys
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
        compile(source, FILE, "exec")
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
    for node in ast.walk(tree):
        fault = _fault(node)
        if fault:
            return f"{_place(node)}: {fault}"
    return ""


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


def call(source, name, calls, most):
    """Call a function several times, each time in a fresh module.

    Args:
        source: Python that `faults` finds nothing wrong with.
        name: The function.
        calls: For each call its arguments, by position, and a seed: that of ``random``.
        most: Lines of the program that one call may run, its module's included.

    Returns:
        For each call ``["ok", value, arguments]``, the arguments as the function left them; ``["error", kind,
        message]``; or ``["long"]``.
    """
    code = compile(source, FILE, "exec")
    return [_one(code, name, list(arguments), seed, most) for arguments, seed in calls]


def _one(code, name, arguments, seed, most):
    random.seed(seed)
    count, enter = _counter(most)
    module: dict[str, Any] = {"__name__": "function"}
    before = sys.gettrace()
    try:
        sys.settrace(enter)
        try:
            exec(code, module)  # noqa: S102 - what this cell is for
            value = module[name](*arguments)
        finally:
            sys.settrace(before)
    except BaseException as error:  # noqa: BLE001 - SystemExit is an error too
        if count[0] > most:
            return ["long"]
        try:
            return ["error", type(error).__name__, str(error)[:300]]
        except Exception:  # noqa: BLE001 - the program's own class may fail at this
            return ["error", type(error).__name__, ""]
    return ["long"] if count[0] > most else ["ok", value, arguments]
