"""The decode loop: one thread in which rows are admitted, step together, and leave as each is done.

No row waits for the slowest. A request becomes a :class:`Ticket`; the event loop hands tickets over in lists and gets
what is done back in lists, once a step.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import BackendError, UsageError
from .base import (
    Completion,
    ContextOverflow,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    HiddenRequest,
    ScoreRequest,
    TokenScores,
)
from .chat import ChatFormat, ChatPrompt
from .divergence import compare
from .reply import Reply, read_all
from .runner import Admitted, Interrupted, Prompt, Runner
from .sampling import BROKEN, pick

__all__ = ["DecodeLoop", "Ticket", "is_out_of_memory"]

_COMPARED = 512  # predicted tokens at once at most, where predictions are compared: their logits are held whole
_PATIENCE = 4  # steps after which a waiting row is let in whatever the others do
# How the CPU's allocators say it, and the libraries of CUDA that find no room for their workspace.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "STATUS_ALLOC_FAILED")


@dataclass(slots=True, eq=False)
class Ticket:
    """One request on its way.

    Args:
        request: What is asked.
        key: Whatever the caller needs to give the result back.
        cancelled: Set by the caller, at any time: nobody waits any more.
    """

    request: GenerateRequest | ScoreRequest | HiddenRequest | DivergenceRequest
    key: Any
    cancelled: bool = False
    prompt: ChatPrompt | None = None
    reference: ChatPrompt | None = None
    targets: np.ndarray | None = None
    need: int = 0
    waited: int = 0
    began: float = 0.0


type_of_result = Completion | TokenScores | Divergence | np.ndarray | Exception
Deliver = Callable[[list[tuple[Ticket, type_of_result]]], None]


@dataclass(slots=True, eq=False)
class _Row:
    """A ticket in work."""

    ticket: Ticket
    reply: Reply


@dataclass(slots=True, eq=False)
class _Admission:
    """Tickets whose prompts are being computed."""

    tickets: list[Ticket]
    work: Generator[None, None, Admitted]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


class DecodeLoop:
    """The loop and its queue.

    Args:
        runner: Runs the model.
        chat: Makes prompts and texts.
        context: Tokens that the model's context holds.
        limit: Rows in work at most.
        deliver: Called in the loop's thread with what is done.
    """

    def __init__(self, runner: Runner, chat: ChatFormat, *, context: int, limit: int, deliver: Deliver) -> None:
        self.runner, self.chat, self.context, self.limit, self.deliver = runner, chat, context, limit, deliver
        self._most = limit
        self._inbox: list[Ticket] = []
        self._released: list[str] = []
        self._wake = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._waiting: deque[Ticket] = deque()
        self._scoring: deque[Ticket] = deque()
        self._reading: deque[Ticket] = deque()
        self._admission: _Admission | None = None
        self._rows: list[_Row] = []
        self._done: list[tuple[Ticket, type_of_result]] = []
        self.counters = {
            "prefilled_tokens": 0,
            "cached_tokens": 0,
            "generated_tokens": 0,
            "steps": 0,
            "row_steps": 0,
            "out_of_memory": 0,
        }
        self.busy_s = 0.0
        self.lost: dict[str, float] = {}
        """Seconds by session that were worked in vain, because memory ran out."""

    # -- called from the event loop

    def submit(self, tickets: Sequence[Ticket]) -> None:
        """Hand tickets over.

        Raises:
            BackendError: The loop has ended.
        """
        with self._wake:
            if self._closing:
                raise BackendError("the backend is closed") from self._failure
            self._inbox.extend(tickets)
            self._wake.notify()

    def release(self, session: str) -> None:
        """Have a session's cache dropped."""
        with self._wake:
            self._released.append(session)

    def close(self) -> None:
        """Have the loop end after the forward pass in work; open tickets fail."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    @property
    def most(self) -> int:
        """Rows in work at most, before memory ever ran out."""
        return self._most

    @property
    def active(self) -> int:
        """Rows in work."""
        return len(self._rows)

    @property
    def queued(self) -> int:
        """Requests that wait."""
        coming = 0 if self._admission is None else len(self._admission.tickets)
        return len(self._waiting) + len(self._scoring) + len(self._reading) + coming + len(self._inbox)

    # -- the thread

    def run(self) -> None:
        """Work until closed. Runs in a thread of its own."""
        try:
            with torch.inference_mode():
                while self._receive():
                    began = time.perf_counter()
                    self._round()
                    self.busy_s += time.perf_counter() - began
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody may wait for a dead thread
            self._failure = error
        finally:
            with self._wake:
                self._closing = True
                rest = self._inbox
                self._inbox = []
            open_tickets = [*self._drop_work(), *self._waiting, *self._scoring, *self._reading, *rest]
            self._waiting, self._scoring, self._reading = deque(), deque(), deque()
            self._done += [(t, self._parting()) for t in open_tickets]
            self._hand_out()

    def _parting(self) -> BackendError:
        if self._failure is not None:
            return _wrapped("the decode loop died", self._failure)
        return BackendError("the backend was closed before the request was answered")

    def _is_closing(self) -> bool:
        return self._closing

    def _receive(self) -> bool:
        """Take new tickets in, waiting for some if there is nothing else to do. False when it is time to end."""
        with self._wake:
            while not (
                self._inbox
                or self._rows
                or self._admission
                or self._waiting
                or self._scoring
                or self._reading
                or self._closing
                or self._released
            ):
                self._wake.wait()
            fresh, self._inbox = self._inbox, []
            released, self._released = self._released, []
            if self._closing:
                self._inbox = fresh
                return False
        sessions = getattr(self.runner, "sessions", None)
        if sessions is not None:
            for session in released:
                sessions.release(session)
        for session in released:
            self.lost.pop(session, None)
        for ticket in fresh:
            if not ticket.cancelled:
                self._prepare(ticket)
        return True

    def _prepare(self, ticket: Ticket) -> None:
        """Build the prompt and queue the ticket."""
        request = ticket.request
        queue = self._waiting
        try:
            if request.steering or isinstance(request, HiddenRequest):
                self.runner.residual.check(request.steering)
            ticket.prompt = self.chat.prompt(request.messages)
            if not len(ticket.prompt.tokens):
                raise BackendError("the prompt has no tokens")
            ticket.need = len(ticket.prompt.tokens)
            if isinstance(request, GenerateRequest):
                think = 0 if request.think_budget is None else request.think_budget + len(self.chat.close_tokens)
                ticket.need += request.max_tokens + think
            else:
                queue = self._reading if isinstance(request, HiddenRequest) else self._scoring
                if isinstance(request, DivergenceRequest):
                    ticket.reference = self.chat.prompt(request.reference)
                    if not len(ticket.reference.tokens):
                        raise BackendError("the prompt to compare with has no tokens")
                    ticket.need = max(ticket.need, len(ticket.reference.tokens))
                ticket.targets = np.array(self.chat.encode(request.continuation), dtype=np.int64)
                ticket.need += len(ticket.targets)
            if ticket.need > self.context:
                raise ContextOverflow(ticket.need, self.context)
        except (BackendError, ContextOverflow, UsageError) as error:
            self._done.append((ticket, error))
        except Exception as error:  # noqa: BLE001 - a prompt that cannot be built fails its own request only
            self._done.append((ticket, _wrapped("the prompt could not be built", error)))
        else:
            queue.append(ticket)

    def _round(self) -> None:
        """One turn of the loop: drop, score, read, compute a piece of new prompts, step, hand out."""
        self._drop_cancelled()
        queue = self._scoring
        try:
            if self._scoring:
                self._score()
            queue = self._reading
            if self._reading:
                self._read_hidden()
            queue = self._waiting
            if self._admission is None and self._waiting and self._is_time():
                self._begin_admission()
            landed = self._admission is not None and self._go_on()
            if self._rows and not landed:
                self._step()
        except Interrupted:
            pass
        except Exception as error:  # noqa: BLE001 - any fault of the model fails what was in work, and no more
            if is_out_of_memory(error):
                self._relieve(error, queue)
            else:
                self._done += [(t, _wrapped("the model failed", error)) for t in self._drop_work()]
        self._hand_out()

    def _drop_cancelled(self) -> None:
        for queue in (self._waiting, self._scoring, self._reading):
            if any(t.cancelled for t in queue):
                alive = [t for t in queue if not t.cancelled]
                queue.clear()
                queue.extend(alive)
        for slot in range(len(self._rows) - 1, -1, -1):
            if self._rows[slot].ticket.cancelled:
                self._remove(slot, keep=False)

    def _is_time(self) -> bool:
        """Whether to admit now: at once into an empty batch, else not for one row in a large one, but soon."""
        active = len(self._rows)
        if not active:
            return True
        if active >= self.limit or not self.runner.refills:
            return False
        for ticket in self._waiting:
            ticket.waited += 1
        return len(self._waiting) >= max(1, active // 4) or self._waiting[0].waited >= _PATIENCE

    def _begin_admission(self) -> None:
        """Choose the waiting tickets that come next."""
        tickets = [self._waiting[i] for i in range(min(len(self._waiting), self.limit - len(self._rows)))]
        if not self.runner.refills:  # whole waves: rows of one length together, those of who waits longest first
            lengths = {id(t): len(t.prompt.tokens) if t.prompt else 0 for t in tickets}
            oldest = lengths[id(tickets[0])]
            tickets.sort(key=lambda t: (lengths[id(t)] != oldest, lengths[id(t)]))
        prompts = [_prompt(t) for t in tickets]
        n = self.runner.room(prompts)
        if not n:
            return
        chosen = set(map(id, tickets[:n]))
        rest = [t for t in self._waiting if id(t) not in chosen]
        self._waiting.clear()
        self._waiting.extend(rest)
        now = time.perf_counter()
        for ticket in tickets[:n]:
            ticket.began = now
        self._admission = _Admission(tickets[:n], self.runner.admission(prompts[:n]))

    def _go_on(self) -> bool:
        """Compute a piece of the new prompts; when they are done, their first tokens are sampled at once."""
        assert self._admission is not None
        tickets = self._admission.tickets
        try:
            next(self._admission.work)
        except StopIteration as end:
            self._land(tickets, end.value)
            return True
        except Exception as error:
            if is_out_of_memory(error):
                raise  # with the admission still known, so that nothing is lost
            self._admission = None
            self._done += [(t, _wrapped("the model failed", error)) for t in tickets]  # rows in work are untouched
        return False

    def _land(self, tickets: Sequence[Ticket], admitted: Admitted) -> None:
        first, rows = len(self._rows), []
        for i, cached in zip(admitted.order, admitted.cached, strict=True):
            ticket = tickets[i]
            assert ticket.prompt is not None
            assert isinstance(ticket.request, GenerateRequest)
            rows.append(_Row(ticket, Reply(self.chat, ticket.request, ticket.prompt, cached)))
            self.counters["cached_tokens"] += cached
            self.counters["prefilled_tokens"] += len(ticket.prompt.tokens) - cached
        self._admission = None  # not before its tickets are rows: whatever fails, each of them is known in one place
        self._rows += rows
        self._advance(first, admitted.logits)

    def _step(self) -> None:
        self.counters["steps"] += 1
        self.counters["row_steps"] += len(self._rows)
        self._advance(0, self.runner.step([r.reply.tokens[-1] for r in self._rows]))

    def _advance(self, first: int, logits: torch.Tensor) -> None:
        """Sample for the rows from ``first`` on and end those that are done."""
        replies = [r.reply for r in self._rows[first:]]
        tokens = pick(
            logits,
            [r.request.temperature for r in replies],
            [r.request.top_p for r in replies],
            [r.uniforms.take() if r.request.temperature > 0 else 0.0 for r in replies],
        )
        outcomes: list[Completion | Exception | None] = [None] * len(replies)
        watched = []
        for i, (reply, token) in enumerate(zip(replies, tokens, strict=True)):
            if reply.forced:
                token = reply.forced.pop(0)  # the model's own choice is overruled
            elif token == BROKEN:
                outcomes[i] = BackendError("the model gave logits that are not finite (NaN or infinity)")
                continue
            elif token in self.chat.ends:
                reply.tokens.append(token)
                outcomes[i] = reply.completion("stop", ended=True)
                continue
            reply.take(token)
            if reply.watched:
                watched.append(i)
        if watched:
            for i, stopped in zip(watched, read_all(self.chat, [replies[i] for i in watched]), strict=True):
                if stopped:
                    outcomes[i] = replies[i].completion("stop")
        for i, reply in enumerate(replies):
            if outcomes[i] is None and reply.is_full():
                outcomes[i] = reply.completion("length")
        for i in range(len(replies) - 1, -1, -1):
            outcome = outcomes[i]
            if outcome is not None:
                if isinstance(outcome, Completion):
                    self.counters["generated_tokens"] += len(replies[i].tokens)
                ticket = self._rows[first + i].ticket
                self._remove(first + i, keep=isinstance(outcome, Completion))
                self._done.append((ticket, outcome))  # no more a row: a fault now does not run it again

    # -- leaving

    def _remove(self, slot: int, keep: bool) -> None:
        reply = self._rows[slot].reply
        session = reply.request.session if keep else ""

        def tokens() -> np.ndarray:
            return np.concatenate([reply.prompt.tokens, np.array(reply.tokens, dtype=np.int64)])

        try:
            self.runner.remove(slot, session, tokens)
        except Exception as error:
            if not session or not is_out_of_memory(error) or self.runner.count < len(self._rows):
                raise
            # The row is still there and its reply is whole; only a copy of its keys and values found no room.
            self.counters["out_of_memory"] += 1
            self._forget_sessions()
            self.runner.remove(slot, "", tokens)
        last = self._rows.pop()
        if slot < len(self._rows):
            self._rows[slot] = last

    def _hand_out(self) -> None:
        if self._done:
            done, self._done = self._done, []
            self.deliver(done)

    # -- scores

    def _score(self) -> None:
        batch = []
        while self._scoring and len(batch) < max(1, self.limit - len(self._rows)):
            batch.append(self._scoring.popleft())
        empty = [t for t in batch if t.targets is None or not len(t.targets)]
        for ticket in empty:
            compared = isinstance(ticket.request, DivergenceRequest)
            self._done.append((ticket, Divergence((), ()) if compared else TokenScores((), (), ())))
        batch = [t for t in batch if t not in empty]
        self._compare(batch)
        batch = [t for t in batch if not isinstance(t.request, DivergenceRequest)]
        while batch:
            prompts = [_prompt(t) for t in batch]
            part_of = batch[: max(1, self.runner.room(prompts))]
            try:
                results = self.runner.score(
                    prompts[: len(part_of)], [t.targets for t in part_of if t.targets is not None], self._is_closing
                )
            except Exception as error:
                if isinstance(error, Interrupted) or is_out_of_memory(error):
                    self._scoring.extendleft(reversed(batch))
                    raise
                self._done += [(t, _wrapped("scoring failed", error)) for t in part_of]  # and no others
            else:
                for ticket, (scores, greedy) in zip(part_of, results, strict=True):
                    assert ticket.targets is not None
                    result = TokenScores(tuple(ticket.targets.tolist()), tuple(scores.tolist()), tuple(greedy.tolist()))
                    self._done.append((ticket, result))
            batch = batch[len(part_of) :]

    def _compare(self, batch: Sequence[Ticket]) -> None:
        """Compare predictions, some pairs of prompts at once; if memory runs out, the rest of ``batch`` waits again."""
        left = [t for t in batch if isinstance(t.request, DivergenceRequest)]
        while left:
            part, pairs, columns = list[Ticket](), list[Prompt](), 0
            for ticket in left:
                assert ticket.targets is not None
                assert ticket.reference is not None
                columns = max(columns, len(ticket.targets))
                more = [_prompt(ticket), dataclasses.replace(_prompt(ticket), tokens=ticket.reference.tokens)]
                fits = columns * len(pairs + more) <= _COMPARED and self.runner.room(pairs + more) >= len(pairs + more)
                if part and not fits:
                    break
                part.append(ticket)
                pairs += more
            targets = [t.targets for t in part for _ in range(2) if t.targets is not None]
            try:
                logits = self.runner.logits(pairs, targets, self._is_closing)
                for k, ticket in enumerate(part):
                    assert isinstance(ticket.request, DivergenceRequest)
                    self._done.append((ticket, compare(logits[2 * k], logits[2 * k + 1], ticket.request.top_k)))
            except Exception as error:
                if isinstance(error, Interrupted) or is_out_of_memory(error):
                    done = {id(t) for t, _ in self._done}
                    self._scoring.extendleft(t for t in reversed(batch) if id(t) not in done)
                    raise
                done = {id(t) for t, _ in self._done}
                self._done += [(t, _wrapped("comparing failed", error)) for t in part if id(t) not in done]
            left = left[len(part) :]

    def _read_hidden(self) -> None:
        while self._reading:
            ticket = self._reading[0]
            request, prompt, targets = ticket.request, ticket.prompt, ticket.targets
            assert isinstance(request, HiddenRequest)
            assert prompt is not None
            assert targets is not None
            begins = len(prompt.tokens)
            try:
                states = self.runner.residual.states(
                    np.concatenate([prompt.tokens, targets]), request.layers, request.steering, begins
                )
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                if not isinstance(error, UsageError):
                    error = _wrapped("reading hidden states failed", error)
                self._done.append((ticket, error))
            else:
                states = states[:, begins:] if len(targets) else states
                self._done.append((ticket, states[:, -1:] if request.positions == "last" else states))
            self._reading.popleft()

    # -- faults

    def _drop_work(self) -> list[Ticket]:
        """Let go of all rows and of the admission in work; returns their tickets."""
        tickets = [r.ticket for r in self._rows]
        self._rows = []
        if self._admission is not None:
            tickets += self._admission.tickets
            self._admission.work.close()
            self._admission = None
        self.runner.clear()
        return tickets

    def _relieve(self, error: BaseException, queue: deque[Ticket]) -> None:
        """Out of memory: keep nothing between turns, or else half the rows at once from now on.

        Rows in work start again, with the same seeds.
        """
        self.counters["out_of_memory"] += 1
        dropped = self._drop_work()
        now = time.perf_counter()
        for ticket in dropped:
            session = getattr(ticket.request, "session", "")
            self.lost[session] = self.lost.get(session, 0.0) + now - ticket.began
        beside = 0 if queue is self._waiting else len(dropped)  # rows that had their share of what is scored or read
        self._waiting.extendleft(reversed(dropped))
        if self._forget_sessions():
            return
        size = max(min(self.limit, len(queue)), 1) + beside
        if size > 1:
            self.limit = min(self.limit, size // 2)
        elif queue:
            self._done.append((queue.popleft(), _wrapped("not even one request fits into memory", error)))
            self.limit = self._most  # this one was to blame; the others need not go one by one

    def _forget_sessions(self) -> bool:
        """Let go of what is kept between turns, and keep half as much from now on; returns whether there was any."""
        sessions = getattr(self.runner, "sessions", None)
        kept = 0
        if sessions is not None and sessions.size:
            kept = sessions.size
            sessions.clear()
            sessions.limit = min(sessions.limit, kept) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return kept > 0


def _prompt(ticket: Ticket) -> Prompt:
    assert ticket.prompt is not None
    assert not isinstance(ticket.request, HiddenRequest)
    return Prompt(ticket.prompt.tokens, ticket.request.session, ticket.need, ticket.request.steering)


def _wrapped(what: str, error: BaseException) -> BackendError:
    wrapped = BackendError(f"{what}: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
