"""One model on several devices: a worker process for each, and sessions spread over them.

What a worker's death costs is time. Its requests run again elsewhere, from the same seeds; a request is given up only
after it was alone in a worker that died with it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BackendError, BackendUnavailable, UsageError
from .base import (
    Backend,
    Capabilities,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    ScoreRequest,
    TokenScores,
)
from .dispatcher import Ask, Dispatcher
from .hf import HFBackend
from .losses import Losses
from .replica import Answer, Replica
from .weights import BUILT_IN, resolve
from .worker_process import COMMAND, Death

if TYPE_CHECKING:
    import numpy as np

    from .base import HiddenRequest

__all__ = ["SILENT", "STUCK", "WATCH_S", "ReplicaBackend"]

WATCH_S = 5.0
"""Seconds between two looks at the workers."""
SILENT = 24
"""Looks without a sign of life after which a worker is killed."""
STUCK = 60
"""Looks without progress after which a worker is named in :meth:`ReplicaBackend.notice`."""

_ROUNDS = 8  # turns of the event loop that a list of requests may go on growing, as in one process


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
        # Never started: it checks the arguments, and says who the model is exactly as it would alone.
        self._plain = HFBackend(model, device=self.devices[0], **self._arguments)
        self.capabilities = dataclasses.replace(
            self._plain.capabilities, concurrency=self._plain.capabilities.concurrency * len(self.devices)
        )
        self._settings: dict[str, Any] | None = None
        self._environment: dict[str, str] = {}
        self.replicas = [Replica(k, device, self, command) for k, device in enumerate(self.devices)]
        self._losses = Losses(len(self.devices))
        self.dispatcher = Dispatcher(self.replicas, self._losses, self._time)
        self._numbers = itertools.count()
        self._outbox: list[Ask] = []
        self._flushing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None
        self._started = self._closed = False

    def __repr__(self) -> str:
        return f"ReplicaBackend({self.model!r}, devices={list(self.devices)!r})"

    def _time(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

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
        if self.devices[0].startswith("cpu"):  # they share one memory, of which each would take what one may
            share = free_memory(torch.device("cpu")) // count
            settings.setdefault("cache_bytes", share // 4)
            settings.setdefault("arena_bytes", share // 2)
        # As many threads in all as one process would have.
        threads = str(max(1, torch.get_num_threads() // count))
        self._environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        self._settings = settings

    def describe(self) -> dict[str, Any]:
        """What the workers run on, and how often they died. What all have in common is said once."""
        described = [replica.description for replica in self.replicas if replica.description]
        if not described:
            return {}
        common: dict[str, Any] = {}
        for key in described[0]:
            values = [description.get(key) for description in described]
            common[key] = values[0] if all(v == values[0] for v in values) else values
        return {
            **common,
            "devices": list(self.devices),
            "threads": int(self._environment.get("OMP_NUM_THREADS", 0)),
            "counts": {
                "deaths": dict(sorted(self._deaths().items())),
                "restarts": sum(replica.restarts for replica in self.replicas),
                "requests_run_again": self.dispatcher.run_again,
                "requests_given_up": self.dispatcher.given_up,
                "workers_lost": sum(replica.state == "lost" for replica in self.replicas),
            },
        }

    def _deaths(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for replica in self.replicas:
            found.update(replica.deaths)
        return found

    def stats(self) -> dict[str, float]:
        """Counters of all workers together, dead ones included, about a second old; rates and queues of the living."""
        if not self._started:
            return {}
        found = {"queue": float(len(self._outbox) + self.dispatcher.waiting)}
        steps = fill = 0.0
        for replica in self.replicas:
            stats = replica.stats
            for key, value in stats.items():
                found[key] = found.get(key, 0.0) + value
            steps, fill = steps + stats.get("steps", 0.0), fill + stats.get("steps", 0.0) * stats.get("batch_fill", 0.0)
        return {
            **found,
            "batch_fill": fill / steps if steps else 0.0,
            "workers": float(sum(replica.state == "ready" for replica in self.replicas)),
            "deaths": float(self._deaths().total()),
            "restarts": float(sum(replica.restarts for replica in self.replicas)),
            "run_again": float(self.dispatcher.run_again),
        }

    def notice(self) -> str:
        """Which worker is away or stands still, and what has happened before; empty where nothing has."""
        parts = []
        for replica in self.replicas:
            if replica.state == "loading" and self._started:
                parts.append(f"{replica} died ({replica.why}) and is being started again")
            elif replica.state == "lost":
                parts.append(f"{replica} is lost ({replica.why})")
            elif replica.stuck >= STUCK:
                parts.append(f"{replica} has made no progress for {replica.stuck * WATCH_S / 60:.0f} min")
            elif replica.said:
                parts.append(f"{replica}: {replica.said}")
        if deaths := self._deaths():
            causes = ", ".join(f"{name} {n}" for name, n in sorted(deaths.items()))
            parts.append(f"workers died: {causes}; {self.dispatcher.run_again} requests were run again")
        return "; ".join(parts)

    # -- life

    async def start(self) -> None:
        """Start the workers, all at once, and wait until each has loaded.

        Raises:
            BackendUnavailable: A worker cannot load, or died at it three times.
            UsageError: An argument does not fit this machine.
        """
        if self._loop is not None or self._closed:
            raise BackendError("the backend was started already")
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self.locate)
        assert self._settings is not None
        starts = [asyncio.create_task(r.start(self._settings, self._environment)) for r in self.replicas]
        try:
            await asyncio.gather(*starts)
        except BaseException:  # one is enough, and so is a cancellation: no process stays behind
            for start in starts:
                start.cancel()
            await self._end_all()
            raise
        capabilities: Capabilities = self.replicas[0].greeting["capabilities"]
        concurrency = sum(replica.greeting["capabilities"].concurrency for replica in self.replicas)
        self.capabilities = dataclasses.replace(capabilities, concurrency=concurrency)
        self._losses.away(0, self._time())
        self._started = True
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Kill workers that give no sign of life; slow ones do."""
        while True:
            await asyncio.sleep(WATCH_S)
            for replica in self.replicas:
                if replica.state != "ready":
                    continue
                replica.stuck = replica.stuck + 1 if self.dispatcher.busy(replica) else 0
                replica.silent += 1
                if replica.silent >= SILENT:
                    seconds = replica.silent * WATCH_S
                    replica.kill(Death("silence", f"no sign of life for {seconds:.0f} s: stopped or deadlocked"))

    async def aclose(self) -> None:
        """End the workers, whatever they compute, and fail what is open. No process stays behind."""
        self._closed = True
        outbox, self._outbox = self._outbox, []
        error = BackendError("the backend was closed before the request was answered")
        for ask in outbox:
            if not ask.future.done():
                ask.future.set_exception(BackendError(str(error)))
        self.dispatcher.end(error)
        await self._end_all()

    async def _end_all(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        try:
            await asyncio.gather(*(replica.close() for replica in self.replicas), return_exceptions=True)
        finally:  # also where we are cancelled before any of that has begun
            for replica in self.replicas:
                replica.finish()

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

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Compare predictions after two prompts along a reply; errors as for :meth:`generate`."""
        return await self._ask("diverge", request, request.session)

    async def hidden_states(self, request: HiddenRequest) -> np.ndarray:
        """Give the residual stream after some layers; errors as for :meth:`generate`."""
        return await self._ask("hidden_states", request, "")

    async def _ask(self, method: str, request: Any, session: str) -> Any:
        if not self._started or self._closed or self._loop is None:
            raise BackendError("the hf backend is not running; start it first, and make no requests after closing it")
        number = next(self._numbers)
        ask = Ask(number, method, request, session or f"\0{number}", bool(session), self._loop.create_future())
        if session:
            self._losses.meet(session, self._time())
        self._outbox.append(ask)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush, 0, 0)
        try:
            return await ask.future
        finally:
            self.dispatcher.forget(ask)

    def _flush(self, seen: int, rounds: int) -> None:
        """Send what has gathered once no more comes: episodes that woke together ask within a few turns of the loop."""
        assert self._loop is not None
        if len(self._outbox) > seen and rounds < _ROUNDS and not self._closed:
            self._loop.call_soon(self._flush, len(self._outbox), rounds + 1)
            return
        self._flushing = False
        outbox, self._outbox = self._outbox, []
        if outbox:
            self.dispatcher.submit(outbox)

    def release(self, session: str) -> None:
        """Forget a session, and have its worker drop its cache."""
        self._losses.forget(session)
        self.dispatcher.release(session)

    def delayed(self, session: str) -> float:
        """Seconds that workers' deaths have cost a session; see :class:`.Losses`."""
        return self._losses.of(session, self._time(), self.dispatcher.lost_now(session))

    # -- what happens at the workers' places

    def fits(self, replica: Replica) -> None:
        """Refuse a worker that has loaded another model: the files may have changed since the run began.

        Raises:
            BackendUnavailable: It has.
        """
        mine, theirs = self._plain.identity(), replica.greeting["identity"]
        for key in ("sha256", "dtype", "adapter", "chat_template"):
            if key in theirs and theirs[key] != mine[key]:
                raise BackendUnavailable(
                    f"hf: {replica} loaded another model than the run began with: {key} is {theirs[key]!r}, not "
                    f"{mine[key]!r}. The files of {self.model!r} were changed meanwhile; begin another run for them."
                )

    def answered(self, replica: Replica, answers: Sequence[Answer]) -> None:
        """Hand answers to those who asked."""
        self.dispatcher.take(replica, answers)

    def died(self, replica: Replica, death: Death) -> bool:
        """Take back what a dead worker had to do."""
        return self.dispatcher.died(replica, death)

    def changed(self, replica: Replica) -> None:
        """Count who is away, and send what can be sent now."""
        if self._started and not self._closed:
            self._losses.away(sum(r.state != "ready" for r in self.replicas), self._time())
            self.dispatcher.send()
