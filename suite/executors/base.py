"""What an executor is: the place where samples are played. The engine decides which and when, and stores them."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..broker import Broker
    from ..player import Played
    from ..records import RunSpec
    from ..schedule import Unit

__all__ = ["Executor", "open_at_once"]


def open_at_once(spec: RunSpec, useful: int, asked: int | None) -> int:
    """How many episodes are open: twice what is worked on, so that a place never stays empty.

    With a time limit no more than what is worked on, whatever was asked for: an episode's clock must not run while it
    waits for its turn behind others, or the number of open episodes would decide scores.

    Args:
        spec: The run's specification.
        useful: How many requests are worked on at once.
        asked: How many episodes the caller asks for; None: what is useful.
    """
    useful = max(1, useful)
    if spec.limits.seconds is not None:
        return min(asked or useful, useful)
    return asked or 2 * useful


class Executor(abc.ABC):
    """Base of all executors. Where a sample is played decides no number: it is no part of a run's specification."""

    @property
    @abc.abstractmethod
    def broker(self) -> Broker:
        """What a display reads: counters and notices of the backend. From :meth:`start` on."""

    @abc.abstractmethod
    async def locate(self) -> dict[str, Any]:
        """Find what is needed to play, without loading it. Called once, before anything is written.

        Returns:
            The backend's :meth:`~.Backend.identity`.

        Raises:
            UsageError: It cannot be played there; the message says what is missing.
        """

    @abc.abstractmethod
    async def start(self) -> None:
        """Load what must be loaded."""

    @abc.abstractmethod
    def open_at_once(self, asked: int | None) -> int:
        """How many samples the engine hands out at once.

        Args:
            asked: How many the caller asks for; None: what is useful.
        """

    def keep_in(self, folder: Path) -> None:  # noqa: B027 - an executor that plays elsewhere has no use for it
        """Say where turns of open samples may lie that are too many for memory. Called once, before :meth:`start`.

        Args:
            folder: Of the run.
        """

    @abc.abstractmethod
    async def play(self, unit: Unit, attempt: int) -> Played:
        """Play one sample. What goes wrong in it is its outcome; what it raises ends the run.

        Args:
            unit: What is played.
            attempt: From 1.

        Raises:
            BackendUnavailable: No sample can be played any more.
            RunStopped: A limit of the whole run was reached.
            StoreError: The turns of a long sample cannot be kept on disk.
        """

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """Describe where it plays, for the manifest only; as :meth:`.Backend.describe`, with its ``counts``."""

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Free everything; also after a failure, and more than once."""
