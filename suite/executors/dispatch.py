"""Which worker plays which sample, and what becomes of the samples of a worker that is lost. Knows nothing of Ray."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .ticket import Ticket

if TYPE_CHECKING:
    from ..player import Played
    from ..schedule import Unit

__all__ = ["COMPANY", "LOSSES", "Dispatch", "Job", "Seat"]

COMPANY = 2
"""Workers that may be lost with a sample aboard before it is played alone."""
LOSSES = 4
"""Workers that may be lost with a sample aboard before it is given up: what is killed from outside may be unlucky."""


@dataclass(eq=False, slots=True)
class Job:
    """A sample that waits for its result.

    Args:
        ticket: What the worker is told.
        unit: What is played.
        future: Takes the result.
        losses: How many workers were lost with it aboard.
    """

    ticket: Ticket
    unit: Unit
    future: asyncio.Future[Played]
    losses: int = 0

    @property
    def alone(self) -> bool:
        """Whether nothing else may be aboard its worker: it, or another that was with it, may be what kills."""
        return self.losses >= COMPANY

    @property
    def home(self) -> Hashable | None:
        """Names the life that it belongs to, None where there is none: lives stay with one worker."""
        key = self.ticket.key
        return (key.task, key.arm, key.stream) if self.ticket.course is not None else None

    @property
    def near(self) -> Hashable:
        """Names what has the same beginning of prompts."""
        return self.ticket.key[:3]


@dataclass(eq=False, slots=True)
class Seat:
    """One worker, as the dispatch sees it.

    Args:
        number: Names it.
        places: How many samples are aboard at most.
    """

    number: int
    places: int = 1
    open: bool = False
    aboard: dict[int, Job] = field(default_factory=dict)
    outbox: list[Job] = field(default_factory=list)
    """Of those aboard, what the worker has not been told yet."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where there is something in the outbox."""
    kept: Job | None = None
    """Who waits until it is empty, or is alone in it."""

    @property
    def free(self) -> bool:
        """Whether it takes another sample."""
        return self.open and self.kept is None and len(self.aboard) < self.places


class Dispatch:
    """Hands samples to seats.

    Lives stay with one seat as long as it is open. Other samples go where the last one of their item went if there is
    a place, so that the beginnings of prompts stay cached, and else where there is most room.

    When a worker is lost, what was aboard goes to others, before all that waits. A sample that was aboard two lost
    workers goes into an empty one and stays alone there; when two such are lost too, the sample is given up.
    """

    def __init__(self) -> None:
        self.waiting: deque[Job] = deque()
        self.seats: list[Seat] = []
        self._homes: dict[Hashable, Seat] = {}
        # By load; an entry counts if it still says what is. A thousand workers are too many to look through each time.
        self._free: list[tuple[float, int, Seat]] = []
        self._keeping = 0
        self._last: tuple[Hashable, Seat] | None = None

    def add(self, job: Job) -> None:
        """Take in a sample."""
        self.waiting.append(job)
        self._assign()

    def open(self, seat: Seat, places: int) -> None:
        """A worker is ready.

        Args:
            seat: Its seat.
            places: How many samples it takes at once.
        """
        seat.places, seat.open = places, True
        if seat not in self.seats:
            self.seats.append(seat)
        self._note(seat)
        self._assign()

    def take(self, seat: Seat) -> list[Ticket]:
        """What the worker is to be told now; it counts as aboard from here on."""
        seat.wake.clear()
        told = [job.ticket for job in seat.outbox]
        seat.outbox.clear()
        return told

    def finished(self, seat: Seat, number: int) -> Job | None:
        """A worker has played a sample; None if nobody waits for it any more."""
        job = seat.aboard.pop(number, None)
        if job is not None and seat.kept is job:
            self._keep(seat, None)
        self._note(seat)
        self._assign()
        return job

    def forget(self, job: Job) -> None:
        """Nobody waits for a sample any more: it does not begin; where it has begun, its end frees the place."""
        if job in self.waiting:
            self.waiting.remove(job)
        for seat in self.seats:
            if job in seat.outbox:
                seat.outbox.remove(job)
                del seat.aboard[job.ticket.number]
                self._note(seat)
            if seat.kept is job and job.ticket.number not in seat.aboard:
                self._keep(seat, None)

    def lost(self, seat: Seat, *, blame: bool = True) -> list[Job]:
        """A worker is gone.

        Args:
            seat: Its seat.
            blame: Whether what was aboard may be why.

        Returns:
            The samples that are given up; all others that were aboard wait again, in their order.
        """
        untold = {id(job) for job in seat.outbox}
        again, given_up = [], []
        for job in seat.aboard.values():
            if job.future.done():
                continue
            job.losses += blame and id(job) not in untold
            (given_up if job.losses >= LOSSES else again).append(job)
        seat.open = False
        self._keep(seat, None)
        seat.aboard.clear()
        seat.outbox.clear()
        seat.wake.clear()
        self._homes = {life: home for life, home in self._homes.items() if home is not seat}
        if self._last is not None and self._last[1] is seat:
            self._last = None
        self.waiting.extendleft(reversed(again))
        self._assign()
        return given_up

    def _assign(self) -> None:
        passed: list[Job] = []
        while self.waiting and (self._keeping or self._emptiest() is not None):
            job = self.waiting.popleft()
            seat = self._seat_for(job)
            if seat is None:
                passed.append(job)
                continue
            seat.aboard[job.ticket.number] = job
            seat.outbox.append(job)
            seat.wake.set()
            self._note(seat)
        self.waiting.extendleft(reversed(passed))

    def _note(self, seat: Seat) -> None:
        """The load of a seat is another."""
        if seat.free:
            heapq.heappush(self._free, (len(seat.aboard) / seat.places, seat.number, seat))
            if len(self._free) > 64 + 4 * len(self.seats):
                self._free = [(len(s.aboard) / s.places, s.number, s) for s in self.seats if s.free]
                heapq.heapify(self._free)

    def _keep(self, seat: Seat, job: Job | None) -> None:
        self._keeping += (job is not None) - (seat.kept is not None)
        seat.kept = job
        self._note(seat)

    def _emptiest(self) -> Seat | None:
        """The seat with most room, None where there is none."""
        while self._free:
            load, _, seat = self._free[0]
            if seat.free and load == len(seat.aboard) / seat.places:
                return seat
            heapq.heappop(self._free)
        return None

    def _seat_for(self, job: Job) -> Seat | None:
        if job.alone:
            return self._empty_seat(job)
        home = job.home
        if home is not None and home in self._homes:
            seat = self._homes[home]
            return seat if seat.free else None
        if self._last is not None and self._last[0] == job.near and self._last[1].free:
            return self._last[1]
        seat = self._emptiest()
        if seat is not None:
            self._last = (job.near, seat)
            if home is not None:
                self._homes[home] = seat
        return seat

    def _empty_seat(self, job: Job) -> Seat | None:
        """An empty seat, kept for one sample; where there is none, the emptiest takes nothing more until it is."""
        seat = next((s for s in self.seats if s.kept is job), None)
        if seat is None:
            open_ = [s for s in self.seats if s.open and s.kept is None]
            if not open_:
                return None
            seat = min(open_, key=lambda s: len(s.aboard))
            self._keep(seat, job)
        if seat.aboard:
            return None
        if job.home is not None:
            self._homes[job.home] = seat
        return seat
