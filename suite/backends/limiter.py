"""How many requests are under way at once: as many as the server bears."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Limiter"]

_WINDOWS = 32  # windows without a complaint that lead from one request back to the most


class Limiter:
    """Bounds the requests under way, by additive increase and multiplicative decrease.

    It starts at the most. A complaint of the server halves the bound, at most once for all requests that were under
    way at that time; every full window of answers raises it again by a fixed step (D.-M. Chiu and R. Jain, "Analysis of
    the increase and decrease algorithms for congestion avoidance in computer networks", 1989). Who waits is served in
    order.

    Args:
        most: The bound that is never passed, at least 1.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.in_flight = 0
        self.lowered = 0
        self._step = max(1.0, most / _WINDOWS)
        self._lowered_at = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def throttled(self) -> bool:
        """Whether the bound is below the most at present."""
        return self.limit < self.most

    def take(self) -> bool:
        """Take a place if one is free and nobody waits for it; otherwise say no."""
        if self.in_flight + 1 > self.limit or self._waiting:
            return False
        self.in_flight += 1
        return True

    async def acquire(self) -> None:
        """Wait for a place."""
        if self.take():
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given the place while it was being cancelled
                self.release()
            raise

    def release(self) -> None:
        """Give a place back."""
        self.in_flight -= 1
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        while self._waiting and self.in_flight < int(self.limit):
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)

    def succeeded(self) -> None:
        """An answer came."""
        if self.limit < self.most:
            self.limit = min(float(self.most), self.limit + self._step / self.limit)
            self._wake()

    def complained(self, begun: float, now: float) -> None:
        """The server says, or shows by a time-out, that it is too much.

        Args:
            begun: When the request was sent, in seconds of the loop's clock. One that was sent before the bound was
                last lowered says nothing new.
            now: The time on the same clock.
        """
        if begun < self._lowered_at:
            return
        self._lowered_at = now
        self.lowered += 1
        self.limit = max(1.0, self.limit / 2)
