"""One sandbox for everything that an event loop runs, opened where it is first asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, cast
from weakref import WeakKeyDictionary

from ..errors import UsageError
from .sandbox import Sandbox, open_sandbox
from .tiers import SandboxUnavailable, available

__all__ = ["VARIABLE", "chosen_python", "need_sandbox", "shared_sandbox"]

Kind = Literal["auto", "bubblewrap", "process"]

VARIABLE = "FINCHMARK_SANDBOX"
"""The environment variable that names the tier: ``auto`` (a boundary or nothing; the default), ``bubblewrap``, or
``process``, which is no boundary and must be asked for by name."""

_KINDS = ("auto", "bubblewrap", "process")

_PYTHON: ContextVar[str | None] = ContextVar("finchmark_sandbox_python", default=None)

_Opened = dict[str | None, tuple[asyncio.Future["Sandbox"], asyncio.Task[None]]]
_open: WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = WeakKeyDictionary()


@contextmanager
def chosen_python(python: str | None) -> Iterator[None]:
    """Let what is run within this block have its sandbox on another interpreter.

    Args:
        python: Its path, or its virtual environment's; None for Finchmark's own.
    """
    token = _PYTHON.set(python)
    try:
        yield
    finally:
        _PYTHON.reset(token)


def _kind() -> Kind:
    kind = os.environ.get(VARIABLE, "auto")
    if kind not in _KINDS:
        raise UsageError(f"{VARIABLE}={kind}: there is no such sandbox; there are {', '.join(_KINDS)}.")
    return cast("Kind", kind)


def need_sandbox(who: str) -> None:
    """Make sure that there is a sandbox here, before anything is spent.

    Args:
        who: Who needs it, as the message names it: ``"agent skills: form=code"``.

    Raises:
        SandboxUnavailable: There is none on this machine; the message names the ways out.
        UsageError: The environment variable names no tier.
    """
    boundary, process = available()
    tier = process if _kind() == "process" else boundary
    if not tier.usable:
        raise SandboxUnavailable(
            f"{who}: code that a model wrote runs in the sandbox only, and {tier.kind} cannot be had here: "
            f"{tier.detail}. Where no boundary is needed, {VARIABLE}=process asks for limits alone."
        )


async def shared_sandbox() -> Sandbox:
    """The sandbox of the running event loop; it closes when the loop ends its tasks, as ``asyncio.run`` does.

    :data:`VARIABLE` names its tier, :func:`chosen_python` its interpreter.

    Raises:
        UsageError: The variable names no tier, or the interpreter cannot be used.
        SandboxUnavailable: There is none on this machine.
    """
    loop, python = asyncio.get_running_loop(), _PYTHON.get()
    opened = _open.setdefault(loop, {})
    if python not in opened:
        ready: asyncio.Future[Sandbox] = loop.create_future()
        opened[python] = (ready, loop.create_task(_keep(ready, python)))
    return await asyncio.shield(opened[python][0])


async def _keep(ready: asyncio.Future[Sandbox], python: str | None) -> None:
    """Hold the sandbox open until the loop cancels its tasks."""
    try:
        async with open_sandbox(_kind(), python=python) as sandbox:
            ready.set_result(sandbox)
            await asyncio.Event().wait()
    except Exception as error:  # noqa: BLE001 - whoever waits gets it
        if not ready.done():
            ready.set_exception(error)
