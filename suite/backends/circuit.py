"""Pauses all requests while a server is down, and says why."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from ..errors import BackendError

__all__ = ["Circuit"]

_log = logging.getLogger(__name__)


class Circuit:
    """A circuit breaker (M. Nygard, "Release It!", 2007, chapter 5).

    After ``threshold`` failures in a row, over all requests, nothing is sent any more but one request at a time, which
    tries whether the server is back. When an answer comes, everything goes on. When none has come for ``give_up``
    seconds, whoever waits gets a :class:`BackendError`, and so does whoever comes later, but for those that try.

    Args:
        threshold: Failures in a row that open it, at least 1.
        probe_every: Seconds before the first try; they double up to ``probe_longest``.
        probe_longest: Seconds between tries at most.
        give_up: Seconds after which those that wait fail.
    """

    def __init__(
        self, threshold: int = 5, probe_every: float = 1.0, probe_longest: float = 30.0, give_up: float = 900.0
    ) -> None:
        self.threshold, self.probe_every, self.probe_longest = threshold, probe_every, probe_longest
        self.give_up = give_up
        self.opened = 0
        self._paused = 0.0
        self._since: float | None = None
        self._why = ""
        self._row = 0
        self._given_up = False
        self._probing = False
        self._pause = probe_every
        self._next = 0.0
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def is_open(self) -> bool:
        """Whether requests are held back."""
        return self._since is not None

    def paused(self) -> float:
        """Seconds for which requests were held back, up to now."""
        if self._since is None:
            return self._paused
        return self._paused + asyncio.get_running_loop().time() - self._since

    def notice(self) -> str:
        """Say why requests are held back; empty while they are not."""
        if self._since is None:
            return ""
        if self._given_up:
            return f"given up after {self.give_up:g} s without an answer; the last failure: {self._why}"
        return (
            f"paused: {self._row} requests in a row failed, the last with: {self._why}; single requests try whether "
            f"the server is back, for at most {self.give_up:g} s"
        )

    async def enter(self) -> bool:
        """Wait until a request may be sent.

        Returns:
            Whether this request is the one that tries; it must report by :meth:`succeeded`, :meth:`failed` or
            :meth:`left`.

        Raises:
            BackendError: The server has been away for too long.
        """
        if self._since is None:
            return False
        loop = asyncio.get_running_loop()
        if not self._probing and loop.time() >= self._next:
            self._probing = True
            return True
        if self._given_up:
            raise BackendError(self.notice())
        place: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            # It was chosen to try while it was being cancelled; another must.
            if place.done() and not place.cancelled() and place.exception() is None and place.result():
                self.left()
            raise

    def succeeded(self) -> None:
        """The server answered; also when the answer was a refusal."""
        self._row = 0
        if self._since is None:
            return
        loop = asyncio.get_running_loop()
        seconds = loop.time() - self._since
        self._paused += seconds
        self._since, self._given_up, self._probing, self._pause = None, False, False, self.probe_every
        self._stop_timers()
        _log.warning("the server answers again; the run goes on after a pause of %.1f s", seconds)
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(False)

    def failed(self, why: str, *, probe: bool) -> None:
        """A request failed.

        Args:
            why: One line without secrets.
            probe: Whether it was the one that tried.
        """
        loop = asyncio.get_running_loop()
        self._why = why
        if self._since is not None:
            if probe:
                self._pause = min(self.probe_longest, 2 * self._pause)
                self.left()
            return
        self._row += 1
        if self._row < self.threshold:
            return
        self._since, self._probing = loop.time(), False
        self.opened += 1
        _log.warning("%s", self.notice())
        self._next = loop.time() + self._pause
        self._timers = [loop.call_later(self._pause, self._choose), loop.call_later(self.give_up, self._abandon)]

    def left(self) -> None:
        """The request that tried is gone; after a pause another tries."""
        self._probing = False
        if self._since is None:
            return
        loop = asyncio.get_running_loop()
        self._next = loop.time() + self._pause
        if not self._given_up:
            self._timers[0].cancel()
            self._timers[0] = loop.call_later(self._pause, self._choose)

    def _choose(self) -> None:
        """Have the first that waits try."""
        while self._waiting and not self._probing and self._since is not None:
            place = self._waiting.popleft()
            if not place.done():
                self._probing = True
                place.set_result(True)

    def _abandon(self) -> None:
        self._given_up = True
        _log.error("%s", self.notice())
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(BackendError(self.notice()))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def close(self) -> None:
        """Let go of the timers."""
        self._stop_timers()
