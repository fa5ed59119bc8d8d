"""What the tests' cell does: runs the tests on stand-ins for the candidate's names, and writes the verdict.

The candidate is in another process, which has neither the tests nor the descriptor that the verdict goes to.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import linecache
import os
import sys
import traceback
import types
from typing import Any

from .candidate import read_all
from .control import Control
from .link import Broken, Link
from .values import Unreadable

__all__ = ["examine"]

_ALIASES = {
    "np": "numpy", "pd": "pandas", "sp": "scipy", "plt": "matplotlib.pyplot", "dt": "datetime", "path": "posixpath",
    "ET": "xml.etree.ElementTree", "mp": "multiprocessing", "nx": "networkx",
}  # fmt: skip
_SAFE_SPECIAL = frozenset((
    "__call__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__", "__hash__",
    "__str__", "__repr__", "__format__", "__iter__", "__next__", "__reversed__", "__contains__", "__getitem__",
    "__setitem__", "__delitem__", "__int__", "__float__", "__index__", "__round__", "__abs__", "__neg__", "__enter__",
    "__exit__", "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__mod__",
    "__name__",
))  # fmt: skip
_CLOSED = (
    types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType, types.CodeType,
    types.FrameType, types.TracebackType, types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType,
)  # fmt: skip


def reachable(target, name):
    """Whether the candidate may reach this of a test's object: calls, operators, and public attributes of instances.

    Functions, generators and the like give nothing but their call: through their attributes lie the tests themselves.
    """
    if name in _SAFE_SPECIAL:
        return True
    if name.startswith("_") or isinstance(target, _CLOSED):
        return False
    return not inspect.isclass(target) or target.__module__ == "tests"


class _Fault(Exception):
    """The verdict is known before the tests have run."""

    def __init__(self, reason, error="", detail="", line=0):
        super().__init__(detail)
        self.said = {"status": "failed", "reason": reason, "error": error, "detail": detail[:2000], "line": line}


def examine(connection, payload, report):
    """Run the tests and write the verdict.

    Args:
        connection: The line to the candidate's cell.
        payload: A descriptor with the tests.
        report: A descriptor that the verdict goes to.
    """
    job = read_all(payload)
    link = Link(connection, guard=reachable)
    control = Control(link) if job["control"] else None
    link.control = control
    try:
        said: dict[str, Any] = _run(job["tests"], link)
    except _Fault as fault:
        said = fault.said
    if link.broken and said["status"] == "passed":
        said = {"status": "failed", "reason": "exit", "detail": link.broken}
    if control is not None and control.held:
        said = {"status": "tampered", "detail": "; ".join(sorted(set(control.held)))}
    said["comparisons"] = link.compared
    if not link.broken:
        with contextlib.suppress(BaseException):  # the verdict stands without the candidate's last words
            link.ask("flush")
    body = json.dumps(said).encode()
    while body:
        body = body[os.write(report, body) :]


def _run(source, link):
    try:
        tree = ast.parse(source, "tests.py")
        code = compile(tree, "tests.py", "exec")
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _Fault("tests", type(error).__name__, str(error), getattr(error, "lineno", 0) or 0) from None
    linecache.cache["tests.py"] = (len(source), None, source.splitlines(keepends=True), "tests.py")
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    space = vars(module)
    space.update(_load(tree, link))
    said = {"status": "failed", "test": "", "tests": 0}
    try:
        said["test"] = "module"
        exec(code, space)  # noqa: S102 - what this cell is for
        names = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and (node.name == "test" or node.name.startswith("test_"))
        ]
        for name in dict.fromkeys(names):
            if not inspect.signature(space[name]).parameters:
                said["test"] = name
                space[name]()
                said["tests"] += 1
    except BaseException as error:  # noqa: BLE001 - whatever ends the tests is a verdict
        said.update(_failure(error, link, tree))
        return said
    if not said["tests"]:
        if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)) or names:
            raise _Fault("tests", detail="the tests hold no test function and no assertion")
        said["tests"] = 1
    return {"status": "passed", "tests": said["tests"]}


def _load(tree, link):
    wanted = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    try:
        exported = link.ask_names(wanted)
        found = {}
        for name, data in exported:
            if type(data) is list and data[:3] == ["h", None, "module"]:
                module = _module(name, data[3])
                if module is not None:
                    found[name] = module
            elif name in wanted:
                found[name] = link.codec.decode(data)
        return found
    except Broken as error:
        raise _Fault("exit", detail=str(error)) from None
    except (Unreadable, ValueError, TypeError, IndexError, KeyError) as error:
        if link.broken or isinstance(error, Unreadable):
            raise _Fault("exit", detail=f"the candidate's names could not be read: {error}") from None
        raise _loading(error) from None
    except BaseException as error:  # noqa: BLE001 - whatever the candidate raised while it loaded
        raise _loading(error) from None


def _loading(error):
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return _Fault("syntax", kind, _text(error))
    if isinstance(error, ImportError):
        return _Fault("import", kind, _text(error))
    if isinstance(error, SystemExit):
        return _Fault("exit", kind, "the module left with sys.exit")
    return _Fault("exception", kind, _text(error))


def _module(name, path):
    """The module that the candidate calls by a name, only if that is the name by which it is known."""
    known = path == name or _ALIASES.get(name) == path or path.endswith("." + name)
    if not known or path.split(".")[0] in ("candidate", "tests", "inside"):
        return None
    try:
        return importlib.import_module(path)
    except ImportError:
        return None


def _failure(error, link, tree):
    line = 0
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == "tests.py":
            line = frame.lineno or 0
    kind = type(error).__name__
    said = {"error": kind, "detail": _text(error), "line": line}
    if isinstance(error, Broken) or link.broken:
        return {**said, "error": "", "reason": "exit", "detail": link.broken or _text(error)}
    if isinstance(error, AssertionError):
        return {**said, "reason": "assertion"}
    if isinstance(error, ImportError) and _imports_at(tree, line):
        return {**said, "reason": "tests"}
    return {**said, "reason": "exception"}


def _imports_at(tree, line):
    return any(isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno == line for node in ast.walk(tree))


def _text(error):
    try:
        return str(error)[:2000]
    except BaseException:  # noqa: BLE001 - a stand-in in its arguments may fail at this
        return ""
