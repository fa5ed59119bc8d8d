"""Sends requests to workers, and sends them again when a worker dies with them."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BackendError, BackendUnavailable
from .frames import Kind, as_error
from .losses import Losses
from .replica import Answer, Replica
from .seating import Seating
from .worker_process import Death

__all__ = ["ABOARD", "Ask", "Dispatcher"]

ABOARD = 3
"""A request that was aboard so many workers when they died, the last time alone, is given up."""


@dataclass(slots=True, eq=False)
class Ask:
    """One request on its way.

    Args:
        number: Its name between us and the worker.
        method: Of the worker's backend.
        request: What is asked.
        session: Whose it is; a name of its own where ``named`` is False.
        named: Whether the session is the caller's.
        future: Gets the answer.
    """

    number: int
    method: str
    request: Any
    session: str
    named: bool
    future: asyncio.Future[Any]
    deaths: int = 0
    alone: bool = False
    replica: Replica | None = None
    sent: float = 0.0
    lost_since: float | None = None  # from when on a fault of ours has kept it from being answered


class Dispatcher:
    """Requests on their way.

    Requests of a dead worker go first to the others. Those that were aboard two dead workers are suspects: they run one
    at a time on a worker of their own, so that the one that kills is known and takes no others along.

    Args:
        replicas: The places of the workers.
        losses: Is told what requests lose.
        clock: Seconds.
    """

    def __init__(self, replicas: Sequence[Replica], losses: Losses, clock: Callable[[], float]) -> None:
        self._replicas, self._losses, self._clock = replicas, losses, clock
        self.seats = Seating()
        self._open: dict[int, dict[int, Ask]] = {replica.number: {} for replica in replicas}
        self._waiting: deque[Ask] = deque()
        self._suspects: deque[Ask] = deque()
        self._ward: Replica | None = None  # the worker that runs suspects
        self._over = ""
        self.run_again = self.given_up = 0

    @property
    def waiting(self) -> int:
        """Requests that no worker has."""
        return len(self._waiting) + len(self._suspects)

    def busy(self, replica: Replica) -> bool:
        """Whether a worker has requests."""
        return bool(self._open[replica.number])

    def submit(self, asks: Sequence[Ask]) -> None:
        """Take requests in and send what can be sent."""
        self._waiting.extend(asks)
        self.send()

    def lost_now(self, session: str) -> float:
        """Seconds that a session's waiting requests are losing, not yet booked."""
        now = self._clock()
        asks = (ask for ask in (*self._waiting, *self._suspects) if ask.session == session)
        return sum(now - ask.lost_since for ask in asks if ask.lost_since is not None)

    def send(self) -> None:
        """Send whatever can be sent."""
        if all(replica.state == "lost" for replica in self._replicas):
            why = self._replicas[-1].why
            self.end(BackendUnavailable(f"hf: none of the {len(self._replicas)} workers is left; the last: {why}"))
            return
        self._isolate()
        free = [r for r in self._replicas if r.state == "ready" and r is not self._ward]
        waiting = [ask for ask in self._waiting if not ask.future.done()]
        self._waiting.clear()
        if free:
            kin = {a.session: hash(a.request.messages) for a in waiting if self.seats.at(a.session) is None}
            self.seats.seat(list(kin.items()), [r.number for r in free])
            batches: dict[int, list[Ask]] = {}
            for ask in waiting:
                at = self.seats.at(ask.session)
                batches.setdefault(free[0].number if at is None else at, []).append(ask)
            for replica in free:
                if replica.number in batches:
                    self._send(replica, batches[replica.number])
        else:
            self._waiting.extend(waiting)
        for ask in itertools.chain(self._waiting, self._suspects):
            if ask.lost_since is None:  # waiting here has no other reason than somebody's death
                ask.lost_since = self._clock()

    def _isolate(self) -> None:
        """Give the next suspect a worker of its own."""
        while self._suspects and self._suspects[0].future.done():
            self._suspects.popleft()
        if self._ward is not None and (self._ward.state != "ready" or not (self._suspects or self.busy(self._ward))):
            self._ward = None
        if not self._suspects:
            return
        if self._ward is None:
            ready = [r for r in self._replicas if r.state == "ready"]
            idle = [r for r in ready if not self.busy(r)]
            if not idle and (not ready or any(r.state == "loading" for r in self._replicas)):
                return  # the one that is coming up will be empty
            # The one whose own deaths are fewest, so that a bad device does not make requests look bad.
            self._ward = min(idle or ready, key=lambda r: (r.row, len(self._open[r.number])))
            self.seats.clear(self._ward.number)
        if not self.busy(self._ward):
            ask = self._suspects.popleft()
            ask.alone = True
            self._send(self._ward, [ask])

    def _send(self, replica: Replica, asks: Sequence[Ask]) -> None:
        try:
            replica.send(Kind.ASK, [(ask.number, ask.method, ask.request) for ask in asks])
        except BackendError as error:
            if len(asks) == 1:
                _fail(asks[0], error)
            else:  # whose fault it is
                for ask in asks:
                    self._send(replica, [ask])
            return
        for ask in asks:
            self._book(ask)
            ask.replica, ask.sent = replica, self._clock()
            self._open[replica.number][ask.number] = ask

    def _book(self, ask: Ask) -> None:
        """Add what a request has lost to its session's account."""
        if ask.lost_since is not None:
            self._losses.book(ask.session, self._clock() - ask.lost_since)
            ask.lost_since = None

    # -- what becomes of them

    def take(self, replica: Replica, answers: Sequence[Answer]) -> None:
        """Give answers to those who asked."""
        asks = self._open[replica.number]
        for number, failed, answer in answers:
            if failed and number in asks and _is_broken_for_good(answer):
                # Every later request of that process would fail too, through no fault of its own.
                replica.kill(Death("CUDA error", answer[-1]))
                continue
            ask = asks.pop(number, None)
            if ask is None or ask.future.done():
                continue
            if failed:
                ask.future.set_exception(as_error(answer))
            else:
                ask.future.set_result(answer)
        if replica is self._ward:
            self.send()

    def died(self, replica: Replica, death: Death) -> bool:
        """Take the requests of a dead worker back; returns whether one of them is known to be the reason."""
        asks = list(self._open[replica.number].values())
        self._open[replica.number].clear()
        self.seats.clear(replica.number)
        for ask in reversed(asks):
            if not ask.future.done():
                self._again(ask, death)
        return len(asks) == 1 and asks[0].alone

    def _again(self, ask: Ask, death: Death) -> None:
        ask.deaths, ask.replica, ask.lost_since = ask.deaths + 1, None, ask.sent
        if ask.alone and ask.deaths >= ABOARD:
            self.given_up += 1
            self._book(ask)
            error = (
                f"this request was aboard {ask.deaths} workers that died, the last time alone: {death}. If memory is "
                "short, a lower max_length or batch_size may help; other requests are not affected"
            )
            _fail(ask, BackendError(error))
            return
        self.run_again += 1
        (self._suspects if ask.deaths >= ABOARD - 1 else self._waiting).appendleft(ask)

    def forget(self, ask: Ask) -> None:
        """Nobody waits for a request any more, or it is done."""
        if not ask.named:
            self.seats.leave(ask.session)
        if not ask.future.cancelled():
            return
        self._book(ask)
        replica = ask.replica
        if replica is not None and self._open[replica.number].pop(ask.number, None) is not None:
            replica.send(Kind.CANCEL, ask.number)
            if replica is self._ward:
                self.send()

    def release(self, session: str) -> None:
        """A session has ended: its worker may drop its cache."""
        at = self.seats.at(session)
        self.seats.leave(session)
        for replica in self._replicas:
            if replica.number == at:
                replica.send(Kind.RELEASE, session)

    def end(self, error: Exception) -> None:
        """Fail everything that is open."""
        rest = [*self._waiting, *self._suspects]
        for asks in self._open.values():
            rest += asks.values()
            asks.clear()
        self._waiting.clear()
        self._suspects.clear()
        for ask in rest:
            self._book(ask)
            _fail(ask, type(error)(str(error)))  # each its own: they are raised in different places


def _fail(ask: Ask, error: Exception) -> None:
    if not ask.future.done():
        ask.future.set_exception(error)


def _is_broken_for_good(answer: tuple[Any, ...]) -> bool:
    """Whether an error leaves a process without a usable CUDA context; being out of memory does not."""
    return answer[0] in ("backend", "failed") and "CUDA error" in str(answer[1])
