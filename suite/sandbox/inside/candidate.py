"""What the candidate's cell does: runs the candidate's module, and serves what the tests ask of it."""

from __future__ import annotations

import json
import linecache
import os
import sys
import time
import types
from typing import Any

from .link import Link
from .values import Codec, Unreadable

__all__ = ["alone", "with_tests"]


def read_all(handle):
    """What the host put into a descriptor, from its start."""
    with os.fdopen(handle, "rb") as file:
        file.seek(0)
        return json.load(file)


def _module(source):
    module = types.ModuleType("candidate")
    module.__file__ = "candidate.py"
    sys.modules["candidate"] = module
    linecache.cache["candidate.py"] = (len(source), None, source.splitlines(keepends=True), "candidate.py")
    return module


def _put(files):
    for name, text in files.items():
        if os.path.isabs(name) or ".." in name.split("/"):
            raise ValueError(f"the file {name!r} is not below the working directory")
        if os.path.dirname(name):
            os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - the candidate may have put anything there
            continue


def with_tests(connection, payload):
    """Run the candidate for its tests.

    Args:
        connection: The line to the tests' cell.
        payload: A descriptor with the source; the tests are never in this process.
    """
    job = read_all(payload)
    link = Link(connection)

    def load(names):
        module = _module(job["source"])
        sys.path.insert(0, os.getcwd())
        exec(compile(job["source"], "candidate.py", "exec"), module.__dict__)  # noqa: S102 - what this cell is for
        return [[name, link.codec.encode(vars(module)[name])] for name in names if name in vars(module)]

    def flush():
        _flush()

    link.requests.update(load=load, flush=flush)
    _put(job.get("files") or {})
    link.serve_until_gone()


def alone(report, payload):
    """Run a program, and write what came of it.

    Args:
        report: A descriptor to write to; the candidate could write to it as well, so what it says is only a claim.
        payload: A descriptor with the job.
    """
    job = read_all(payload)

    def refuse(value):
        raise Unreadable(f"{type(value).__name__} is not plain data")

    codec = Codec(refuse, refuse)
    said: dict[str, Any] = {"outcome": "ok"}
    started = time.process_time()
    try:
        _put(job.get("files") or {})
        module = _module(job["source"])
        sys.path.insert(0, os.getcwd())
        exec(compile(job["source"], "candidate.py", "exec"), module.__dict__)  # noqa: S102 - what this cell is for
        if job.get("call"):
            function = getattr(module, job["call"])
            result = function(*codec.decode(job["args"]), **codec.decode(job["kwargs"]))
            said["value"] = codec.encode(result)
    except BaseException as error:  # noqa: BLE001 - SystemExit too is an outcome
        said = {"outcome": "error", "error": type(error).__name__, "detail": _text(error)}
    _flush()
    said["cpu_s"] = time.process_time() - started
    try:
        body = json.dumps(said, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        body = json.dumps({"outcome": "error", "error": type(error).__name__, "detail": _text(error)}).encode()
    while body:
        body = body[os.write(report, body) :]


def _text(error):
    try:
        return str(error)[:2000]
    except Exception:  # noqa: BLE001 - the candidate's own class may fail at this too
        return ""
