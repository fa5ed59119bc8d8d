"""Sends requests to a server until they are answered: in bounds, again after faults, never past a limit on costs."""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import BackendError, BackendUnavailable, RunStopped
from .base import Completion, ContextOverflow
from .circuit import Circuit
from .limiter import Limiter
from .openai_http import Answer, Http
from .openai_refusal import FieldRefused
from .prices import Purse
from .retry import Patience, Transient, backoff

__all__ = ["Client"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_PRESSURE = frozenset(("rate_limited", "overloaded", "timeout"))
_NOTHING = 0.001  # seconds of waiting that are nobody's fault


class Client:
    """Asks one server on behalf of many samples.

    Args:
        name: The model's, for messages.
        patience: How long one request is tried.
        limiter: Bounds the requests under way.
        circuit: Holds all of them back while nobody answers.
        purse: Pays for them.
        refuse: Says what an answer means that is no reply; see :func:`.refusal`.
        rephrase: Is told by which name the server wants the cap on tokens.
    """

    def __init__(
        self,
        name: str,
        *,
        patience: Patience,
        limiter: Limiter,
        circuit: Circuit,
        purse: Purse,
        refuse: Callable[[Answer], Exception | Completion | None],
        rephrase: Callable[[str], None],
    ) -> None:
        self.name, self.patience = name, patience
        self.limiter, self.circuit, self.purse = limiter, circuit, purse
        self.refuse, self.rephrase = refuse, rephrase
        self.counts: collections.Counter[str] = collections.Counter()
        self.delays: dict[str, float] = {}
        self._http: Http | None = None

    async def open(self, http: Http) -> None:
        """Begin to ask over ``http``.

        Raises:
            BackendError: It has begun already.
        """
        if self._http is not None:
            raise BackendError(f"{self.name} was started already")
        self._http = http
        await http.open()

    async def close(self) -> None:
        """Close the connections."""
        self.circuit.close()
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def http(self) -> Http:
        """The way to the server.

        Raises:
            BackendError: It is not open.
        """
        if self._http is None:
            raise BackendError(f"{self.name} is not running; start it first, and ask nothing after closing it")
        return self._http

    async def ask(
        self,
        make: Callable[[], tuple[str, bytes]],
        read: Callable[[Answer], _T],
        *,
        session: str,
        path: tuple[str | int, ...],
        bound: Callable[[int], float],
        cost: Callable[[_T], float],
        declined: Callable[[Completion], _T] | None,
    ) -> _T:
        """Send a request until it is answered or patience ends.

        Args:
            make: Gives address and body; called before each try, because the request's form may have to change.
            read: Reads an answer of status 200.
            session: Whose time is lost by faults.
            path: Decides the pauses.
            bound: The most that a body of so many bytes can cost.
            cost: What a reading did cost.
            declined: Makes a reading of what the provider declined; None: that is an error here.

        Raises:
            BackendError: It failed for good, or nobody has answered for too long.
            BackendUnavailable: No request can be answered.
            ContextOverflow: The server says that it does not fit.
            RunStopped: It could cost more than is left.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tries = failures = 0
        while True:
            http = self.http()
            probe = False
            if self.circuit.is_open or not self.limiter.take():
                try:
                    probe = await self._place(session)
                except BackendError:
                    self.counts["failures"] += 1
                    raise
            sent = loop.time()
            held = most = 0.0
            booked = True
            try:
                url, body = make()
                most = bound(len(body))
                if self.purse.most is not None:
                    await self.purse.reserve(most)
                held = most
                booked = False
                self.counts["requests"] += 1
                sent = loop.time()
                answer = await http.post(url, body)
                wrong = None if answer.whole else self.refuse(answer)
                if wrong is None:
                    found = _read(read, answer)
                elif isinstance(wrong, Completion) and declined is not None:
                    found = declined(wrong)
                else:
                    raise (
                        BackendError(f"the provider declined: {wrong.text}") if isinstance(wrong, Completion) else wrong
                    )
                self.circuit.succeeded()
                self.limiter.succeeded()
                booked = True
                self.purse.settle(held, cost(found))
                return found
            except Transient as fault:
                last = fault
                if fault.kind in ("rate_limited", "conflict"):
                    self.circuit.succeeded()  # who says "not so fast" is there
                else:
                    self.circuit.failed(fault.detail, probe=probe)
                probe = False
                if fault.kind in _PRESSURE:
                    self.limiter.complained(sent, loop.time())
                booked = True
                self.purse.settle(held, most if fault.billed else 0.0, lost=fault.billed)
            except FieldRefused as change:
                booked = True
                self.purse.settle(held, 0.0)
                self.circuit.succeeded()
                self.rephrase(change.name)
                self.counts["rephrased"] += 1
                continue
            except RunStopped:
                raise
            except (BackendError, BackendUnavailable, ContextOverflow):
                booked = True
                self.purse.settle(held, 0.0)
                self.circuit.succeeded()
                self.counts["refusals"] += 1
                raise
            finally:
                # Whatever else came (a cancellation): a reply that is on its way may be charged for.
                if not booked:
                    self.purse.settle(held, most, lost=True)
                if probe and self.circuit.is_open:
                    self.circuit.left()
                self.limiter.release()

            failures += 1
            # While nobody is there tries are not counted, only time: an outage costs no sample. A prompt that breaks
            # the server again and again is given up all the same.
            tries += not (last.away and self.circuit.is_open)
            self.counts[f"fault_{last.kind}"] += 1
            _log.debug("try %d of a request failed: %s", failures, last.detail)
            wait = backoff(min(failures, self.patience.tries) - 1, self.patience, *path)
            if last.wait is not None:
                wait = last.wait + min(wait, 1.0)
            passed = loop.time() - begun
            if tries >= self.patience.tries or passed + wait > self.patience.total:
                self.counts["failures"] += 1
                raise BackendError(
                    f"{self.name}: a request failed {failures} times in {passed:.0f} s, the last time with: "
                    f"{last.detail}"
                )
            self.counts["retries"] += 1
            self._delay(session, loop.time() - sent)
            paused = loop.time()
            try:
                await asyncio.sleep(wait)
            finally:
                self._delay(session, loop.time() - paused)

    async def _place(self, session: str) -> bool:
        """Wait for a place among the requests under way, and for the server to be there.

        Returns:
            Whether this request is to try whether the server is back.
        """
        while True:
            began = time.monotonic()
            faulty = self.circuit.is_open
            try:
                probe = await self.circuit.enter() if faulty else False
                faulty = faulty or self.limiter.throttled
                try:
                    await self.limiter.acquire()
                except asyncio.CancelledError:
                    if probe:
                        self.circuit.left()
                    raise
            finally:
                seconds = time.monotonic() - began
                if faulty and seconds > _NOTHING:
                    self._delay(session, seconds)
            if probe or not self.circuit.is_open:
                return probe
            self.limiter.release()

    def _delay(self, session: str, seconds: float) -> None:
        if session:
            self.delays[session] = self.delays.get(session, 0.0) + seconds


def _read(read: Callable[[Answer], _T], answer: Answer) -> _T:
    """Read an answer; JSON of another form than it should have is a fault of the server, whatever it trips over."""
    try:
        return read(answer)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        detail = f"the reply has not the form it should have: {type(error).__name__}: {str(error)[:100]}"
        raise Transient("bad_body", detail, billed=True) from None
