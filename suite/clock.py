"""The clock of what a model is waited for: an episode, or learning from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import BackendError
from .model import ModelStopped
from .records import Outcome

__all__ = ["within"]

T = TypeVar("T")


async def within(seconds: float | None, work: Awaitable[T], *, what: str, delayed: Callable[[], float]) -> T:
    """Wait for work as long as a sample's limit allows. That time is up is the model's doing.

    Args:
        seconds: The limit; None: none.
        work: What is waited for; cancelled when time is up.
        what: Names the time in messages, with ``{:g}`` for the seconds.
        delayed: Tells how many of them faults of the backend took.

    Raises:
        ModelStopped: Time was up (``invalid``, reason ``time_limit``).
        BackendError: Time was up, but faults of the backend had used some of it.
    """
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            return await work
    except TimeoutError:
        if not timer.expired():
            raise
        lost = delayed()
        if lost > 0:
            raise BackendError(
                f"{what.format(seconds)} were up, but faults of the backend took {lost:.1f} s of them"
            ) from None
        raise ModelStopped(Outcome.INVALID, "time_limit") from None
