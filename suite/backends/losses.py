"""What workers' deaths have cost each session, in seconds."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Losses"]

_SESSIONS = 1 << 16  # kept at most, for callers that never release any


class Losses:
    """An account of time lost.

    A session loses in two ways: its own requests lose (work is thrown away, and they wait for a worker), and while some
    of the workers are away the others have more to do, so that everybody loses that share of the time. The longer of
    the two is what it has lost. All times are of one clock, in seconds.

    Args:
        workers: How many there are in all.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._away, self._since, self._share = 0, 0.0, 0.0
        self._own: dict[str, float] = {}
        self._born: OrderedDict[str, float] = OrderedDict()

    def share(self, now: float) -> float:
        """Seconds of all computing that were missing so far: one of four workers away for 8 s is 2 s."""
        return self._share + self._away / self._workers * (now - self._since)

    def away(self, count: int, now: float) -> None:
        """Note how many workers are away from now on."""
        self._share = self.share(now)
        self._away, self._since = count, now

    def meet(self, session: str, now: float) -> None:
        """Note a session that asks; what was lost before its first request is not its loss."""
        if session not in self._born:
            self._born[session] = self.share(now)
            if len(self._born) > _SESSIONS:
                self._own.pop(self._born.popitem(last=False)[0], None)

    def book(self, session: str, seconds: float) -> None:
        """Add to what a session's own requests have lost."""
        if session in self._born:
            self._own[session] = self._own.get(session, 0.0) + seconds

    def of(self, session: str, now: float, waiting: float = 0.0) -> float:
        """What a session has lost.

        Args:
            session: Its name; one that never asked has lost nothing.
            now: The time.
            waiting: What its requests are losing just now and is not booked yet.
        """
        born = self._born.get(session)
        if born is None:
            return 0.0
        return max(self._own.get(session, 0.0) + waiting, self.share(now) - born)

    def forget(self, session: str) -> None:
        """Close a session's account."""
        self._born.pop(session, None)
        self._own.pop(session, None)
