"""Carries what waiting episodes ask to their backend: bounded, and in waves where the backend wants lists."""

from __future__ import annotations

import asyncio
import time

from .backends.base import (
    Backend,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    ScoreRequest,
    TokenScores,
)
from .errors import BackendError, UsageError

__all__ = ["Broker"]


class Broker:
    """Stands between episodes and one backend, inside one event loop.

    ``own`` backends get each request at once: they batch by themselves. ``concurrent`` backends get at most
    ``capabilities.concurrency`` at once. ``waves`` backends get lists: all requests that wait when the last wave has
    ended, longest prompt first, so that padding is small.

    Args:
        backend: Must have been started.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._scheduling = backend.capabilities.scheduling
        self._slots = asyncio.Semaphore(max(1, backend.capabilities.concurrency))
        self._waiting: list[tuple[GenerateRequest, asyncio.Future[Completion]]] = []
        self._waves: asyncio.Task[None] | None = None
        self.in_flight = 0
        self.calls = 0
        self.completion_tokens = 0
        self.started = time.monotonic()

    async def generate(self, request: GenerateRequest) -> Completion:
        """Ask for one completion.

        Raises:
            BackendError: The backend failed.
            ContextOverflow: The prompt does not fit.
            UsageError: It is to be steered, and the backend cannot.
        """
        self._check(request)
        self.in_flight += 1
        try:
            if self._scheduling == "own":
                completion = await self.backend.generate(request)
            elif self._scheduling == "concurrent":
                async with self._slots:
                    completion = await self.backend.generate(request)
            else:
                completion = await self._join_wave(request)
        finally:
            self.in_flight -= 1
        self.calls += 1
        self.completion_tokens += completion.completion_tokens
        return completion

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Ask for the log-probabilities of a given reply."""
        self._check(request)
        async with self._slots:
            return await self.backend.score(request)

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Ask how far predictions after two prompts are apart."""
        self._check(request)
        async with self._slots:
            return await self.backend.diverge(request)

    def _check(self, request: GenerateRequest | ScoreRequest | DivergenceRequest) -> None:
        if request.steering and not self.backend.capabilities.steering:
            raise UsageError(f"{type(self.backend).__name__} cannot steer; run the model with hf: instead.")

    async def _join_wave(self, request: GenerateRequest) -> Completion:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Completion] = loop.create_future()
        self._waiting.append((request, future))
        if self._waves is None or self._waves.done():
            self._waves = loop.create_task(self._run_waves())
        return await future

    async def _run_waves(self) -> None:
        while True:
            # Two turns of the loop: all episodes that the last wave woke have asked again by then.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            wave = [(r, f) for r, f in self._waiting if not f.cancelled()]
            self._waiting.clear()
            if not wave:
                return
            size = max(1, self.backend.capabilities.concurrency)
            wave.sort(key=lambda pair: sum(len(str(m.content)) for m in pair[0].messages), reverse=True)
            wave, rest = wave[:size], wave[size:]
            self._waiting.extend(rest)
            try:
                answers = await asyncio.to_thread(self.backend.generate_wave, [r for r, _ in wave])
                if len(answers) != len(wave):
                    raise BackendError(
                        f"{type(self.backend).__name__} answered {len(answers)} of {len(wave)} requests of a wave."
                    )
            except Exception as error:  # noqa: BLE001 - whatever a wave raises belongs to its requests
                answers = [error] * len(wave)
            for (_, future), answer in zip(wave, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, BaseException):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def stats(self) -> dict[str, float]:
        """Counters for the progress display; ``tokens_per_second`` is since the broker was made."""
        seconds = max(1e-9, time.monotonic() - self.started)
        return {
            "calls": self.calls,
            "in_flight": self.in_flight,
            "tokens_per_second": self.completion_tokens / seconds,
            **self.backend.stats(),
        }
