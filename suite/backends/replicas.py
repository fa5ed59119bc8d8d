"""One model on several devices: a worker process for each, and sessions spread over them.

What a worker's death costs is time. Its requests run again elsewhere, from the same seeds; a request is given up only
after it was alone in a worker that died with it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BackendError, BackendUnavailable, FinchmarkError, UsageError
from .base import Backend, Capabilities, Completion, GenerateRequest, ScoreRequest, TokenScores
from .frames import Kind, as_error
from .hf import HFBackend
from .seating import Seating
from .weights import BUILT_IN, resolve
from .worker_process import COMMAND, Death, WorkerProcess

if TYPE_CHECKING:
    import numpy as np

    from .base import HiddenRequest

__all__ = ["ReplicaBackend"]

_log = logging.getLogger(__name__)

_DEATHS = 3
"""A request that was aboard so many workers when they died, the last time alone, is given up; a worker that dies so
often in a row without an answer in between is not started again."""
_TICK_S = 5.0
_SILENT_TICKS = 24
_STUCK_TICKS = 60
_ROUNDS = 8  # turns of the event loop that a list of requests may go on growing, as in one process
_SESSIONS = 1 << 16  # whose losses are kept, for callers that never release any


class _Died(Exception):
    """A worker died before it was ready."""


@dataclass(slots=True, eq=False)
class _Ask:
    """One request on its way."""

    number: int
    method: str
    request: Any
    session: str
    named: bool  # whether the session is the caller's, or only this request's
    future: asyncio.Future[Any]
    deaths: int = 0
    alone: bool = False
    slot: _Slot | None = None
    sent: float = 0.0
    lost_since: float | None = None  # from when on a fault of ours has kept it from being answered


@dataclass(slots=True, eq=False)
class _Slot:
    """The place of one worker."""

    number: int
    device: str
    state: Literal["new", "loading", "ready", "lost"] = "new"
    process: WorkerProcess | None = None
    greeting: asyncio.Future[dict[str, Any]] | None = None
    life: asyncio.Task[None] | None = None
    asks: dict[int, _Ask] = field(default_factory=dict)
    row: int = 0  # deaths since its last answer
    ready: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, float] = field(default_factory=dict)
    past: dict[str, float] = field(default_factory=dict)  # counters of the processes that died here
    fallen: bool = False  # it died before it was ready
    silent: int = 0  # ticks without a word
    stuck: int = 0  # ticks without progress
    progress: tuple[float, ...] = ()
    why: str = ""  # its last death, or why it is lost

    def __str__(self) -> str:
        return f"worker {self.number} ({self.device})"


class ReplicaBackend(Backend):
    """Copies of one model, each in a process of its own; made by ``hf:`` where ``devices`` names more than one.

    A session stays with its worker, which has its cache; new sessions go where there are fewest, and sessions with
    equal first prompts to one worker (:class:`.Seating`).

    A worker that dies (out of memory, a crash, ``kill -9``, a broken CUDA context) is started again. Its requests run
    again elsewhere. Requests that were aboard two dead workers are run one at a time; the one that takes a third worker
    along fails. A worker that dies three times in a row without one answer is not started again; the run goes on
    with the others, and ends (:class:`BackendUnavailable`) when none is left.

    A worker that is slow is left alone: how long a forward pass may take is not ours to know, and a deadline would kill
    long prompts. :meth:`notice` says which has made no progress for five minutes. Each sends a sign of life every
    second, from a thread that does not compute; one that was silent for two minutes is stopped or deadlocked, and is
    killed. (The two minutes are counted in turns of our own loop, so that a run that is stopped and continued as a
    whole kills nobody.)

    Args:
        model: As for :class:`.HFBackend`.
        devices: Where the copies run: ``cuda:0``, ``cuda:1`` … or ``cpu`` several times; at least two.
        command: How a worker is started; for tests.
        **arguments: As for :class:`.HFBackend`; ``batch_size`` and ``cache_bytes`` count for each worker.

    Raises:
        UsageError: An argument is unknown, has a wrong value, or does not go with several devices.
    """

    name = "hf"
    placement = HFBackend.placement | {"devices"}

    def __init__(
        self, model: str = BUILT_IN, *, devices: Sequence[str], command: Sequence[str] = COMMAND, **arguments: Any
    ) -> None:
        if len(devices) < 2:
            raise UsageError(f"hf: several devices are at least two, not {list(devices)!r}; one is named by device.")
        for other, why in {
            "device": "it names one device",
            "device_map": "it spreads one copy of a model, devices makes several",
            "model_object": "a model in this process cannot be copied into others; save it and name its folder",
            "tokenizer_object": "it belongs to a model in this process",
        }.items():
            if arguments.get(other) is not None:
                raise UsageError(f"hf: devices does not go with {other}: {why}.")
        self.model, self.devices = model, tuple(devices)
        self._arguments = {key: value for key, value in arguments.items() if value is not None}
        self._command = tuple(command)
        # Never started: it checks the arguments, and says who the model is exactly as it would alone.
        self._plain = HFBackend(model, device=self.devices[0], **self._arguments)
        self.capabilities = dataclasses.replace(
            self._plain.capabilities, concurrency=self._plain.capabilities.concurrency * len(self.devices)
        )
        self._settings: dict[str, Any] | None = None
        self._environment: dict[str, str] = {}
        self._slots = [_Slot(k, device) for k, device in enumerate(self.devices)]
        self._seats = Seating()
        self._numbers = itertools.count()
        self._outbox: list[_Ask] = []
        self._flushing = False
        self._pending: deque[_Ask] = deque()
        self._suspects: deque[_Ask] = deque()
        self._ward: _Slot | None = None  # the worker that runs suspects, one at a time
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None
        self._started = self._closed = False
        self._over = ""  # why no worker is left
        self.deaths: Counter[str] = Counter()
        self.restarts = self.run_again = self.given_up = 0
        # Time lost. Of each session: its own, and the share of the computing that was missing when it began.
        self._lost: dict[str, float] = {}
        self._born: OrderedDict[str, float] = OrderedDict()
        self._share = self._share_at = 0.0

    def __repr__(self) -> str:
        return f"ReplicaBackend({self.model!r}, devices={list(self.devices)!r})"

    # -- who and where

    def identity(self) -> dict[str, Any]:
        """The same as of one process: where copies run, and how many, is no part of it."""
        self.locate()
        return self._plain.identity()

    def locate(self) -> None:
        """Find the weights, and fetch them if need be, once for all workers.

        Raises:
            BackendUnavailable: There are no weights, or a package is missing.
        """
        if self._settings is not None:
            return
        plain = self._plain
        weights = resolve(plain.model, plain.revision, trust_remote_code=plain.trust_remote_code)
        plain.locate()
        import torch

        from .loading import free_memory

        count = len(self.devices)
        settings = {
            **self._arguments,
            # By its path: a branch of the hub that moves on must not give later workers other weights.
            "model": weights.name if weights.kind == "built-in" else str(weights.path),
            "revision": None,
            "dtype": plain.identity()["dtype"],
            "chat_template": plain.chat_template,
        }
        if self.devices[0].startswith("cpu"):  # they share one memory, of which each would take its quarter
            settings.setdefault("cache_bytes", free_memory(torch.device("cpu")) // 4 // count)
        # As many threads in all as one process would have.
        threads = str(max(1, torch.get_num_threads() // count))
        self._environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        self._settings = settings

    def describe(self) -> dict[str, Any]:
        """What the workers run on, and how often they died. What all have in common is said once."""
        ready = [slot.description for slot in self._slots if slot.description]
        if not ready:
            return {}
        common: dict[str, Any] = {}
        for key in ready[0]:
            values = [description.get(key) for description in ready]
            common[key] = values[0] if all(v == values[0] for v in values) else values
        return {
            **common,
            "workers": len(self._slots),
            "devices": list(self.devices),
            "threads": int(self._environment.get("OMP_NUM_THREADS", 0)),
            "counts": {
                "deaths": dict(sorted(self.deaths.items())),
                "restarts": self.restarts,
                "requests_run_again": self.run_again,
                "requests_given_up": self.given_up,
                "workers_lost": sum(slot.state == "lost" for slot in self._slots),
            },
        }

    def stats(self) -> dict[str, float]:
        """Counters of all workers together, dead ones included, about a second old; rates and queues of the living."""
        if not self._started:
            return {}
        found = {"queue": float(len(self._outbox) + len(self._pending) + len(self._suspects))}
        steps = fill = 0.0
        for slot in self._slots:
            for key, value in (*slot.past.items(), *slot.stats.items()):
                found[key] = found.get(key, 0.0) + value
            now = slot.stats.get("steps", 0.0)
            steps, fill = steps + now, fill + now * slot.stats.get("batch_fill", 0.0)
        return {
            **found,
            "batch_fill": fill / steps if steps else 0.0,
            "workers": float(sum(slot.state == "ready" for slot in self._slots)),
            "deaths": float(self.deaths.total()),
            "restarts": float(self.restarts),
            "run_again": float(self.run_again),
        }

    def notice(self) -> str:
        """Which worker is away or stands still, and what has happened before; empty where nothing has."""
        said = []
        for slot in self._slots:
            if slot.state == "loading" and self._started:
                said.append(f"{slot} died ({slot.why}) and is being started again")
            elif slot.state == "lost":
                said.append(f"{slot} is lost ({slot.why})")
            elif slot.stuck >= _STUCK_TICKS:
                said.append(f"{slot} has made no progress for {slot.stuck * _TICK_S / 60:.0f} min")
        if self.deaths:
            causes = ", ".join(f"{name} {n}" for name, n in sorted(self.deaths.items()))
            said.append(f"workers died: {causes}; {self.run_again} requests were run again")
        return "; ".join(said)

    # -- life

    async def start(self) -> None:
        """Start the workers, all at once, and wait until each has loaded.

        Raises:
            BackendUnavailable: A worker cannot load, or died at it three times.
            UsageError: An argument does not fit this machine.
        """
        if self._started or self._closed:
            raise BackendError("the backend was started already")
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self.locate)
        try:
            ups = [asyncio.ensure_future(self._bring_up(slot)) for slot in self._slots]
            try:
                await asyncio.gather(*ups)
            finally:
                for up in ups:
                    up.cancel()
                await asyncio.gather(*ups, return_exceptions=True)
        except BaseException:
            await self._end_all()
            raise
        concurrency = sum(slot.ready["capabilities"].concurrency for slot in self._slots)
        capabilities: Capabilities = self._slots[0].ready["capabilities"]
        self.capabilities = dataclasses.replace(capabilities, concurrency=concurrency)
        self._started, self._share_at = True, self._loop.time()
        self._watching = asyncio.create_task(self._watch())

    async def _bring_up(self, slot: _Slot) -> None:
        """Start a worker until it is ready.

        Raises:
            BackendUnavailable: It cannot load, or died ``_DEATHS`` times in a row.
        """
        while True:
            try:
                await self._load(slot)
            except _Died:
                slot.row += 1
                if slot.row >= _DEATHS:
                    raise BackendUnavailable(
                        f"hf: {slot} died {slot.row} times in a row without an answer: {slot.why}"
                    ) from None
                await asyncio.sleep(slot.row - 1)
            else:
                return

    async def _load(self, slot: _Slot) -> None:
        assert self._loop is not None
        assert self._settings is not None
        self._put(slot, "loading")
        slot.greeting, slot.fallen = self._loop.create_future(), False
        slot.process = WorkerProcess(
            on_frame=partial(self._on_frame, slot),
            on_death=partial(self._on_death, slot),
            command=self._command,
            environment=self._environment,
        )
        try:
            await slot.process.start({**self._settings, "device": slot.device})
            slot.ready = await slot.greeting
            if slot.fallen:
                raise _Died
            self._check_identity(slot)
        except BaseException:
            await slot.process.close()
            raise
        slot.description, slot.stats = slot.ready["description"], {}
        slot.silent = slot.stuck = 0
        self._put(slot, "ready")

    def _check_identity(self, slot: _Slot) -> None:
        """Refuse a worker that has loaded another model: the files may have changed since the run began."""
        mine, theirs = self._plain.identity(), slot.ready["identity"]
        for key in ("sha256", "dtype", "adapter", "chat_template"):
            if key in theirs and theirs[key] != mine[key]:
                raise BackendUnavailable(
                    f"hf: {slot} loaded another model than the run began with: {key} is {theirs[key]!r}, not "
                    f"{mine[key]!r}. The files of {self.model!r} were changed meanwhile; begin another run for them."
                )

    def _put(self, slot: _Slot, state: Literal["loading", "ready", "lost"]) -> None:
        """Change a slot's state, and keep account of the share of the computing that is missing."""
        self._share = self._share_now()
        self._share_at = self._loop.time() if self._loop else 0.0
        slot.state = state

    def _share_now(self) -> float:
        """Seconds of all the computing that faults have taken since the start."""
        if not self._started or self._loop is None:
            return 0.0
        missing = sum(slot.state != "ready" for slot in self._slots) / len(self._slots)
        return self._share + missing * (self._loop.time() - self._share_at)

    async def aclose(self) -> None:
        """End the workers, whatever they compute, and fail what is open. No process stays behind."""
        self._closed = True
        rest = [*self._outbox, *self._pending, *self._suspects]
        for slot in self._slots:
            rest += slot.asks.values()
            slot.asks.clear()
        self._outbox, self._ward = [], None
        self._pending.clear()
        self._suspects.clear()
        for ask in rest:
            self._fail(ask, BackendError("the backend was closed before the request was answered"))
        await self._end_all()

    async def _end_all(self) -> None:
        tasks = [t for t in (self._watching, *(slot.life for slot in self._slots)) if t is not None]
        for task in tasks:
            task.cancel()
        processes = [slot.process for slot in self._slots if slot.process is not None]
        await asyncio.gather(*tasks, *(p.close() for p in processes), return_exceptions=True)

    # -- requests

    async def generate(self, request: GenerateRequest) -> Completion:
        """Answer one request.

        Raises:
            ContextOverflow: The prompt and the caps do not fit into the context.
            BackendError: The model failed, the request took workers along, or the backend is not running.
            BackendUnavailable: No worker is left.
            UsageError: The request itself is wrong.
        """
        return await self._ask("generate", request, request.session)

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the log-probabilities of a continuation; errors as for :meth:`generate`."""
        return await self._ask("score", request, request.session)

    async def hidden_states(self, request: HiddenRequest) -> np.ndarray:
        """Give the residual stream after some layers; errors as for :meth:`generate`."""
        return await self._ask("hidden_states", request, "")

    async def _ask(self, method: str, request: Any, session: str) -> Any:
        if not self._started or self._closed or self._loop is None:
            raise BackendError("the hf backend is not running; start it first, and make no requests after closing it")
        if self._over:
            raise BackendUnavailable(self._over)
        number = next(self._numbers)
        ask = _Ask(number, method, request, session or f"\0{number}", bool(session), self._loop.create_future())
        if session and session not in self._born:
            self._born[session] = self._share_now()
            if len(self._born) > _SESSIONS:
                self._lost.pop(self._born.popitem(last=False)[0], None)
        self._outbox.append(ask)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush, 0, 0)
        try:
            return await ask.future
        finally:
            if not ask.named:
                self._seats.leave(ask.session)
            if ask.future.cancelled():
                self._forget(ask)

    def _flush(self, seen: int, rounds: int) -> None:
        """Send what has gathered once no more comes: episodes that woke together ask within a few turns of the loop."""
        assert self._loop is not None
        if len(self._outbox) > seen and rounds < _ROUNDS and not self._closed:
            self._loop.call_soon(self._flush, len(self._outbox), rounds + 1)
            return
        self._flushing = False
        self._pending.extend(self._outbox)
        self._outbox = []
        self._dispatch()

    def _dispatch(self) -> None:
        """Send whatever can be sent."""
        if self._closed or self._loop is None:
            return
        self._isolate()
        free = [slot for slot in self._slots if slot.state == "ready" and slot is not self._ward]
        pending = [ask for ask in self._pending if not ask.future.done()]
        self._pending.clear()
        if free:
            kin = {ask.session: hash(ask.request.messages) for ask in pending if self._seats.at(ask.session) is None}
            self._seats.seat(list(kin.items()), [slot.number for slot in free])
            batches: dict[int, list[_Ask]] = {}
            for ask in pending:
                at = self._seats.at(ask.session)
                batches.setdefault(free[0].number if at is None else at, []).append(ask)
            for at, asks in batches.items():
                self._send(self._slots[at], asks)
        else:
            self._pending.extend(pending)
        for ask in itertools.chain(self._pending, self._suspects):
            if ask.lost_since is None:  # waiting here has no other reason than somebody's death
                ask.lost_since = self._loop.time()

    def _isolate(self) -> None:
        """Run requests that were aboard dead workers alone, so that the one that kills takes no others along."""
        while self._suspects and self._suspects[0].future.done():
            self._suspects.popleft()
        if self._ward is not None and (self._ward.state != "ready" or not (self._suspects or self._ward.asks)):
            self._ward = None
        if not self._suspects:
            return
        if self._ward is None:
            ready = [slot for slot in self._slots if slot.state == "ready"]
            idle = [slot for slot in ready if not slot.asks]
            if not idle and (not ready or any(slot.state == "loading" for slot in self._slots)):
                return  # the one that is coming up will be empty
            # The one whose own deaths are fewest, so that a bad device does not make requests look bad.
            self._ward = min(idle or ready, key=lambda slot: (slot.row, len(slot.asks)))
            self._seats.clear(self._ward.number)
        if not self._ward.asks:
            ask = self._suspects.popleft()
            ask.alone = True
            self._send(self._ward, [ask])

    def _send(self, slot: _Slot, asks: Sequence[_Ask]) -> None:
        assert slot.process is not None
        assert self._loop is not None
        now = self._loop.time()
        try:
            slot.process.send(Kind.ASK, [(ask.number, ask.method, ask.request) for ask in asks])
        except BackendError as error:
            if len(asks) == 1:
                self._fail(asks[0], error)
            else:
                for ask in asks:
                    self._send(slot, [ask])
            return
        for ask in asks:
            self._book(ask)
            ask.slot, ask.sent = slot, now
            slot.asks[ask.number] = ask

    def _forget(self, ask: _Ask) -> None:
        """Nobody waits for it any more."""
        self._book(ask)
        slot = ask.slot
        if slot is None or slot.asks.pop(ask.number, None) is None or slot.process is None:
            return
        slot.process.send(Kind.CANCEL, ask.number)
        if slot is self._ward:
            self._dispatch()

    def _fail(self, ask: _Ask, error: Exception) -> None:
        if not ask.future.done():
            ask.future.set_exception(error)

    def _book(self, ask: _Ask) -> None:
        """Add what a request has lost to its session's account."""
        if ask.lost_since is not None and ask.named and self._loop is not None:
            self._lost[ask.session] = self._lost.get(ask.session, 0.0) + self._loop.time() - ask.lost_since
        ask.lost_since = None

    def release(self, session: str) -> None:
        """Forget a session, and have its worker drop its cache."""
        self._lost.pop(session, None)
        self._born.pop(session, None)
        at = self._seats.at(session)
        self._seats.leave(session)
        if at is not None and (process := self._slots[at].process) is not None and not self._closed:
            process.send(Kind.RELEASE, session)

    def delayed(self, session: str) -> float:
        """Seconds that workers' deaths have cost a session.

        That is the longer of two times: what its own requests lost (work thrown away, and waiting for a worker), and
        the share of all computing that was missing since it began, which every session feels.
        """
        if not self.deaths or self._loop is None or session not in self._born:
            return 0.0
        now = self._loop.time()
        waiting = [ask for ask in (*self._pending, *self._suspects) if ask.session == session]
        own = self._lost.get(session, 0.0) + sum(now - a.lost_since for a in waiting if a.lost_since is not None)
        return max(own, self._share_now() - self._born[session])

    # -- what workers say, and when they fall silent

    def _on_frame(self, slot: _Slot, kind: Kind, body: Any) -> None:
        slot.silent = 0
        if kind is Kind.ANSWERS:
            self._take(slot, body)
        elif kind is Kind.BEAT:
            slot.stats, description = body
            slot.description = description or slot.description
            progress = tuple(slot.stats.get(k, 0.0) for k in ("steps", "prefilled_tokens", "generated_tokens"))
            if progress != slot.progress or not slot.asks:
                slot.progress, slot.stuck = progress, 0
        elif kind in (Kind.READY, Kind.REFUSED) and slot.greeting is not None and not slot.greeting.done():
            if kind is Kind.READY:
                slot.greeting.set_result(body)
            else:
                error = as_error(body)
                wrong = type(error) is UsageError  # BackendUnavailable is one too
                slot.greeting.set_exception(error if wrong else BackendUnavailable(f"hf: {slot}: {error}"))
        else:
            raise BackendError(f"a worker sent a message of the kind {kind.name} out of turn")

    def _take(self, slot: _Slot, answers: Sequence[tuple[int, bool, Any]]) -> None:
        slot.stuck = 0
        for number, failed, answer in answers:
            if failed and _is_broken_for_good(answer) and number in slot.asks and slot.process is not None:
                # Every later request of that process would fail too, through no fault of its own.
                slot.process.kill(Death("CUDA error", answer[-1]))
                continue
            ask = slot.asks.pop(number, None)
            if not failed:
                slot.row = 0
            if ask is None or ask.future.done():
                continue
            if failed:
                ask.future.set_exception(as_error(answer))
            else:
                ask.future.set_result(answer)
        if slot is self._ward:
            self._dispatch()

    def _on_death(self, slot: _Slot, death: Death) -> None:
        assert self._loop is not None
        self.deaths[death.name] += 1
        slot.why = str(death)
        for key, value in slot.stats.items():
            if key not in ("batch_fill", "queue", "active", "tokens_per_second"):
                slot.past[key] = slot.past.get(key, 0.0) + value
        slot.stats = {}
        _log.warning("%s died: %s", slot, death)
        if slot.state == "loading":
            slot.fallen = True
            if slot.greeting is not None and not slot.greeting.done():
                slot.greeting.set_exception(_Died())
            return
        asks, slot.asks = list(slot.asks.values()), {}
        self._seats.clear(slot.number)
        # A death of a request that was alone is that request's, not the worker's.
        condemned = len(asks) == 1 and asks[0].alone
        if not condemned:
            slot.row += 1
        self._put(slot, "loading")
        for ask in reversed(asks):
            self._again(ask, death)
        if slot.row >= _DEATHS:
            self._lose(slot, f"it died {slot.row} times in a row without an answer: {death}")
        else:
            slot.life = self._loop.create_task(self._revive(slot))
        self._dispatch()

    def _again(self, ask: _Ask, death: Death) -> None:
        """Have a request run again, unless it is the one that kills."""
        if ask.future.done():
            return
        ask.deaths, ask.slot = ask.deaths + 1, None
        ask.lost_since = ask.sent
        if ask.alone and ask.deaths >= _DEATHS:
            self.given_up += 1
            self._book(ask)
            self._fail(
                ask,
                BackendError(
                    f"this request was aboard {ask.deaths} workers that died, the last time alone: {death}. If memory "
                    "is short, a lower max_length or batch_size may help; other requests are not affected"
                ),
            )
            return
        self.run_again += 1
        (self._suspects if ask.deaths >= _DEATHS - 1 else self._pending).appendleft(ask)

    async def _revive(self, slot: _Slot) -> None:
        try:
            await self._bring_up(slot)
        except FinchmarkError as error:
            self._lose(slot, str(error))
        else:
            self.restarts += 1
            _log.warning("%s is back", slot)
        self._dispatch()

    def _lose(self, slot: _Slot, why: str) -> None:
        """Do without a worker from now on."""
        slot.why = why
        self._put(slot, "lost")
        _log.error("%s is not started again: %s", slot, why)
        if any(other.state != "lost" for other in self._slots):
            return
        self._over = f"hf: none of the {len(self._slots)} workers is left; the last: {why}"
        for ask in [*self._outbox, *self._pending, *self._suspects]:
            self._book(ask)
            self._fail(ask, BackendUnavailable(self._over))
        self._outbox = []
        self._pending.clear()
        self._suspects.clear()

    async def _watch(self) -> None:
        """Kill workers that give no sign of life; slow ones do."""
        while True:
            await asyncio.sleep(_TICK_S)
            for slot in self._slots:
                if slot.state != "ready" or slot.process is None:
                    continue
                slot.stuck += bool(slot.asks)
                slot.silent += 1
                if slot.silent >= _SILENT_TICKS:
                    slot.process.kill(
                        Death("silence", f"no sign of life for {slot.silent * _TICK_S:.0f} s: stopped or deadlocked")
                    )


def _is_broken_for_good(answer: tuple[Any, ...]) -> bool:
    """Whether an error leaves a process without a usable CUDA context; being out of memory does not."""
    return answer[0] in ("backend", "failed") and "CUDA error" in str(answer[1])
