"""The decode loop: one thread in which rows are admitted, step together, and leave as each is done.

No row waits for the slowest. A request becomes a :class:`Ticket`; the event loop hands tickets over in lists and gets
what is done back in lists, once a step.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from ..errors import BackendError
from .base import Completion, ContextOverflow, GenerateRequest, ScoreRequest, TokenScores
from .chat import ChatFormat, ChatPrompt, may_open, part
from .runner import Interrupted, Prompt, Runner
from .sampling import BROKEN, Uniforms, pick

__all__ = ["DecodeLoop", "Ticket"]

_PATIENCE = 4  # steps after which a waiting row is let in whatever the others do
_WINDOW = 32  # tokens that are decoded again at each step to see stop strings
_OVERLAP = 6  # of these stay when the window moves on


@dataclass(slots=True, eq=False)
class Ticket:
    """One request on its way.

    Args:
        request: What is asked.
        key: Whatever the caller needs to give the result back.
        cancelled: Set by the caller, at any time: nobody waits any more.
    """

    request: GenerateRequest | ScoreRequest
    key: Any
    cancelled: bool = False
    prompt: ChatPrompt | None = None
    targets: np.ndarray | None = None
    need: int = 0
    waited: int = 0


type_of_result = Completion | TokenScores | Exception
Deliver = Callable[[list[tuple[Ticket, type_of_result]]], None]


@dataclass(slots=True, eq=False)
class _Row:
    """A request in work."""

    ticket: Ticket
    request: GenerateRequest
    prompt: ChatPrompt
    cached: int
    uniforms: Uniforms
    watched: bool
    phase: Literal["start", "thinking", "reply"]
    tokens: list[int] = field(default_factory=list)  # all that were generated, as the model's cache has them
    visible: list[int] = field(default_factory=list)  # without those that spell nothing
    forced: list[int] = field(default_factory=list)  # to be put in next, in the place of sampled ones
    thought: int = 0  # tokens of the thinking part, once it is closed
    text: str = ""
    window: int = 0  # visible tokens before it are settled
    settled: int = 0  # characters of ``text`` that they spell
    head: str = ""  # text of the window's first tokens, in front of what was settled


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
        self._inbox: list[Ticket] = []
        self._released: list[str] = []
        self._wake = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._waiting: deque[Ticket] = deque()
        self._scoring: deque[Ticket] = deque()
        self._rows: list[_Row] = []
        self._done: list[tuple[Ticket, type_of_result]] = []
        self.counters = {
            "prefilled_tokens": 0,
            "cached_tokens": 0,
            "generated_tokens": 0,
            "steps": 0,
            "row_steps": 0,
            "halvings": 0,
        }
        self.busy_s = 0.0

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
    def active(self) -> int:
        """Rows in work."""
        return len(self._rows)

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._waiting) + len(self._scoring) + len(self._inbox)

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
            open_tickets = [r.ticket for r in self._rows] + list(self._waiting) + list(self._scoring) + rest
            self._rows, self._waiting, self._scoring = [], deque(), deque()
            self._done += [(t, self._parting()) for t in open_tickets]
            self._hand_out()
            self.runner.clear()

    def _parting(self) -> BackendError:
        if self._failure is not None:
            return _wrapped("the decode loop died", self._failure)
        return BackendError("the backend was closed before the request was answered")

    def _is_closing(self) -> bool:
        return self._closing

    def _receive(self) -> bool:
        """Take new tickets in, waiting for some if there is nothing else to do. False when it is time to end."""
        with self._wake:
            while not (self._inbox or self._rows or self._waiting or self._scoring or self._closing or self._released):
                self._wake.wait()
            fresh, self._inbox = self._inbox, []
            released, self._released = self._released, []
            if self._closing:
                self._inbox = fresh
                return False
        sessions = getattr(self.runner, "sessions", None)
        if sessions is not None:
            for session in released:
                sessions.drop(session)
        for ticket in fresh:
            if not ticket.cancelled:
                self._prepare(ticket)
        return True

    def _prepare(self, ticket: Ticket) -> None:
        """Build the prompt and queue the ticket."""
        request = ticket.request
        try:
            ticket.prompt = self.chat.prompt(request.messages)
            if not len(ticket.prompt.tokens):
                raise BackendError("the prompt has no tokens")
            if isinstance(request, ScoreRequest):
                ticket.targets = np.array(self.chat.encode(request.continuation), dtype=np.int64)
                ticket.need = len(ticket.prompt.tokens) + len(ticket.targets)
            else:
                think = 0 if request.think_budget is None else request.think_budget + len(self.chat.close_tokens)
                ticket.need = len(ticket.prompt.tokens) + request.max_tokens + think
            if ticket.need > self.context:
                raise ContextOverflow(ticket.need, self.context)
        except (BackendError, ContextOverflow) as error:
            self._done.append((ticket, error))
        except Exception as error:  # noqa: BLE001 - a prompt that cannot be built fails its own request only
            self._done.append((ticket, _wrapped("the prompt could not be built", error)))
        else:
            (self._scoring if isinstance(request, ScoreRequest) else self._waiting).append(ticket)

    def _round(self) -> None:
        """One turn of the loop: drop, score, admit, step, hand out."""
        self._drop_cancelled()
        scoring = False
        try:
            if self._scoring:
                scoring = True
                self._score()
                scoring = False
            admitted = self._admit() if self._waiting and self._is_time() else False
            if self._rows and not admitted:
                self._step()
        except Interrupted:
            pass
        except torch.OutOfMemoryError as error:
            self._halve(error, self._scoring if scoring else self._waiting)
        except Exception as error:  # noqa: BLE001 - any fault of the model fails what was in work, and no more
            self._fail(error)
        self._hand_out()

    def _drop_cancelled(self) -> None:
        for queue in (self._waiting, self._scoring):
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

    def _admit(self) -> bool:
        """Let waiting rows in; their first tokens are sampled at once."""
        tickets = [self._waiting[i] for i in range(min(len(self._waiting), self.limit - len(self._rows)))]
        if not self.runner.refills:  # whole waves: rows of one length together
            tickets.sort(key=lambda t: len(t.prompt.tokens) if t.prompt else 0)
        prompts = [_prompt(t) for t in tickets]
        n = self.runner.room(prompts)
        if not n:
            return False
        tickets, prompts = tickets[:n], prompts[:n]
        chosen = set(map(id, tickets))
        self._waiting = deque(t for t in self._waiting if id(t) not in chosen)
        try:
            admitted = self.runner.admit(prompts, self._is_closing)
        except (torch.OutOfMemoryError, Interrupted):
            self._waiting.extendleft(reversed(tickets))
            raise
        except Exception as error:  # noqa: BLE001 - rows in work are untouched: only these fail
            self._done += [(t, _wrapped("the model failed", error)) for t in tickets]
            return False
        first = len(self._rows)
        for k, i in enumerate(admitted.order):
            self._rows.append(self._row(tickets[i], admitted.cached[k]))
            self.counters["cached_tokens"] += admitted.cached[k]
            self.counters["prefilled_tokens"] += len(prompts[i].tokens) - admitted.cached[k]
        self._advance(first, admitted.logits)
        return True

    def _row(self, ticket: Ticket, cached: int) -> _Row:
        request, prompt = ticket.request, ticket.prompt
        assert isinstance(request, GenerateRequest)
        assert prompt is not None
        watched = bool(request.stop or self.chat.end_strings) or request.think_budget is not None
        row = _Row(ticket, request, prompt, cached, Uniforms(request.seed), watched, "start")
        if prompt.thinking:
            row.phase = "thinking"
            if request.think_budget == 0:
                row.forced = list(self.chat.close_tokens)
        return row

    def _step(self) -> None:
        self.counters["steps"] += 1
        self.counters["row_steps"] += len(self._rows)
        self._advance(0, self.runner.step([r.tokens[-1] for r in self._rows]))

    def _advance(self, first: int, logits: torch.Tensor) -> None:
        """Sample for the rows from ``first`` on and end those that are done."""
        rows = self._rows[first:]
        tokens = pick(
            logits,
            [r.request.temperature for r in rows],
            [r.request.top_p for r in rows],
            [r.uniforms.take() if r.request.temperature > 0 else 0.0 for r in rows],
        )
        ends, hidden = self.chat.ends, self.chat.hidden
        outcomes: list[Completion | Exception | None] = [None] * len(rows)
        watched = []
        for i, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            if row.forced:
                token = row.forced.pop(0)  # the model's own choice is overruled
            elif token == BROKEN:
                outcomes[i] = BackendError("the model gave logits that are not finite (NaN or infinity)")
                continue
            elif token in ends:
                row.tokens.append(token)
                outcomes[i] = self._completion(row, "stop", ended=True)
                continue
            row.tokens.append(token)
            if token not in hidden:
                row.visible.append(token)
            if row.watched:
                watched.append(i)
            elif len(row.tokens) >= row.request.max_tokens:
                outcomes[i] = self._completion(row, "length")
        if watched:
            for i in self._read([rows[i] for i in watched], watched):
                outcomes[i] = self._completion(rows[i], "stop")
            for i in watched:
                if outcomes[i] is None and self._is_full(rows[i]):
                    outcomes[i] = self._completion(rows[i], "length")
        for i in range(len(rows) - 1, -1, -1):
            outcome = outcomes[i]
            if outcome is not None:
                self._done.append((rows[i].ticket, outcome))
                self._remove(first + i, keep=isinstance(outcome, Completion))

    # -- stop strings and thinking

    def _read(self, rows: Sequence[_Row], keys: Sequence[int]) -> list[int]:
        """Spell the rows' latest tokens; returns the keys of those that met a stop string."""
        tails = self.chat.decode_all([r.visible[r.window :] for r in rows])
        stopped = []
        for row, key, tail in zip(rows, keys, tails, strict=True):
            if tail.endswith("\ufffd"):  # a character in the making
                continue
            known = len(row.text)
            row.text = row.text[: row.settled] + tail[len(row.head) :]
            if len(row.visible) - row.window > _WINDOW:
                row.window = len(row.visible) - _OVERLAP
                row.head = self.chat.decode(row.visible[row.window :])
                row.settled = len(row.text)
            if row.phase != "reply":
                known = self._think(row)
            if row.phase == "reply" and self._meets_stop(row, known):
                stopped.append(key)
        return stopped

    def _meets_stop(self, row: _Row, known: int) -> bool:
        stops = row.request.stop + self.chat.end_strings
        return any(s and row.text.find(s, max(0, known - len(s) + 1)) >= 0 for s in stops)

    def _think(self, row: _Row) -> int:
        """Follow a row through its thinking part; returns where its reply begins, as far as it is known."""
        if row.phase == "start":
            if may_open(row.text) and len(row.text.lstrip()) < len("<think>"):
                return 0
            row.phase = "thinking" if may_open(row.text) else "reply"
            if row.phase == "reply":
                return 0
        parted = part(row.text, row.prompt.thinking)
        if parted.closed:
            row.phase, row.thought = "reply", len(row.tokens) + len(row.forced)
            return parted.start
        return len(row.text)

    def _is_full(self, row: _Row) -> bool:
        """Whether a watched row is at a cap. At the thinking cap the part is closed, and the row goes on."""
        request = row.request
        if request.think_budget is None:
            return len(row.tokens) >= request.max_tokens
        if row.phase == "thinking":
            if not row.forced and len(row.tokens) >= request.think_budget:
                row.forced = list(self.chat.close_tokens)
            return False
        return len(row.tokens) - row.thought >= request.max_tokens

    def _completion(self, row: _Row, reason: Literal["stop", "length"], ended: bool = False) -> Completion:
        """Put a row's result together."""
        chat, request = self.chat, row.request
        self.counters["generated_tokens"] += len(row.tokens)
        text = chat.decode(row.visible)
        if reason == "length" and text.endswith("\ufffd"):  # cut off inside a character
            text = text.rstrip("\ufffd")
        parted = part(text, row.prompt.thinking)
        reply, end = parted.reply, None
        for stop in request.stop:
            at = reply.find(stop) if stop else -1
            if at >= 0 and (end is None or at + len(stop) < end):
                end = at + len(stop)
        for stop in chat.end_strings:
            at = reply.find(stop)
            if at >= 0 and (end is None or at < end):
                end = at
        reply = reply[:end]
        reasoning_tokens = 0
        if parted.thinks:
            total = len(row.tokens)
            reasoning_tokens = total if not parted.closed else row.thought or chat.thinking_length(row.visible)
        if not parted.thinks:
            history = chat.history_tokens(row.visible, reply)
        elif request.keep_thinking:
            opening = chat.encode(_opening(row, chat)) if row.prompt.thinking else []
            history = (*opening, *chat.history_tokens(row.visible, text[: parted.start] + reply))
        else:
            history = self._after_thinking(row, reply)
        return Completion(
            text=reply,
            finish_reason=reason,
            prompt_tokens=len(row.prompt.tokens),
            completion_tokens=len(row.tokens) - ended,
            reasoning=parted.reasoning,
            reasoning_tokens=reasoning_tokens,
            cached_tokens=row.cached,
            token_ids=history,
        )

    def _after_thinking(self, row: _Row, reply: str) -> tuple[int, ...]:
        """Tokens of a reply without the thinking before it."""
        start = self.chat.thinking_length(row.visible)
        rest = row.visible[start:]
        while rest and not self.chat.decode(rest[:1]).strip("\n"):
            rest = rest[1:]
        return self.chat.history_tokens(rest, reply)

    # -- leaving

    def _remove(self, slot: int, keep: bool) -> None:
        row = self._rows[slot]
        session = row.request.session if keep else ""

        def tokens() -> np.ndarray:
            return np.concatenate([row.prompt.tokens, np.array(row.tokens, dtype=np.int64)])

        self.runner.remove(slot, session, tokens)
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
        self._done += [(t, TokenScores((), (), ())) for t in empty]
        batch = [t for t in batch if t not in empty]
        while batch:
            prompts = [_prompt(t) for t in batch]
            part_of = batch[: max(1, self.runner.room(prompts))]
            try:
                results = self.runner.score(
                    prompts[: len(part_of)], [t.targets for t in part_of if t.targets is not None], self._is_closing
                )
            except (torch.OutOfMemoryError, Interrupted):
                self._scoring.extendleft(reversed(batch))
                raise
            except Exception as error:  # noqa: BLE001 - fails these requests only
                self._done += [(t, _wrapped("scoring failed", error)) for t in part_of]
            else:
                for ticket, (scores, greedy) in zip(part_of, results, strict=True):
                    assert ticket.targets is not None
                    result = TokenScores(tuple(ticket.targets.tolist()), tuple(scores.tolist()), tuple(greedy.tolist()))
                    self._done.append((ticket, result))
            batch = batch[len(part_of) :]

    # -- faults

    def _halve(self, error: BaseException, queue: deque[Ticket]) -> None:
        """Out of memory: half the rows at once from now on; those in work start again, with the same seeds."""
        tickets = [r.ticket for r in self._rows]
        self._rows = []
        self.runner.clear()
        sessions = getattr(self.runner, "sessions", None)
        if sessions is not None:
            sessions.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._waiting.extendleft(reversed(tickets))
        size = min(self.limit, max(len(queue), 1))
        if size == 1:
            self._done.append((queue.popleft(), _wrapped("not even one request fits into memory", error)))
            return
        self.limit = size // 2
        self.counters["halvings"] += 1

    def _fail(self, error: Exception) -> None:
        """A step failed: so have the rows in it."""
        self._done += [(r.ticket, _wrapped("the model failed", error)) for r in self._rows]
        self._rows = []
        self.runner.clear()


def _prompt(ticket: Ticket) -> Prompt:
    assert ticket.prompt is not None
    return Prompt(ticket.prompt.tokens, ticket.request.session, ticket.need)


def _opening(row: _Row, chat: ChatFormat) -> str:
    """The end of the prompt from its opening tag on."""
    tail = chat.decode(row.prompt.tokens[-16:].tolist())
    return tail[tail.rindex("<think>") :] if "<think>" in tail else "<think>\n"


def _wrapped(what: str, error: BaseException) -> BackendError:
    wrapped = BackendError(f"{what}: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
