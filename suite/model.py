"""A model: a backend bound to one seat of one sample."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from .backends.base import (
    Capabilities,
    Completion,
    ContextOverflow,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    Message,
    ScoreRequest,
    TokenScores,
)
from .broker import Broker
from .errors import BackendError, UsageError
from .records import Call, Likelihood, Limits, Outcome, Sampling, Thinking, Usage, storable
from .seeds import derive

__all__ = ["HIGHEST_LOGPROB", "Model", "ModelStopped", "TokenMeter"]

HIGHEST_LOGPROB = 1e-3
"""No probability is above 1; servers that count in half precision round a little past it."""


class ModelStopped(Exception):
    """The sample cannot go on, and that is the model's doing: over its context or a limit, or filtered.

    Args:
        outcome: ``invalid`` or ``refused``.
        reason: A short stable name: ``context_overflow``, ``token_limit``, ``time_limit``, ``content_filter``.
        detail: A sentence with the figures.
    """

    def __init__(self, outcome: Outcome, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.outcome, self.reason, self.detail = outcome, reason, detail


class TokenMeter:
    """Counts the tokens that one sample generates, over all its seats.

    Args:
        limits: Of these only ``tokens`` is used here.
    """

    def __init__(self, limits: Limits) -> None:
        self.cap = limits.tokens
        self.used = 0

    def room(self) -> int | None:
        """Tokens left, None without a limit.

        Raises:
            ModelStopped: Nothing is left.
        """
        if self.cap is None:
            return None
        if self.used >= self.cap:
            raise ModelStopped(Outcome.INVALID, "token_limit", f"the sample's {self.cap} tokens are used up")
        return self.cap - self.used


def prompt_hash(messages: Sequence[Message]) -> str:
    """Hash a prompt by the roles and texts of its messages, 16 hexadecimal digits."""
    digest = blake2b(digest_size=8)
    for message in messages:
        content = message.content.encode("utf-8", "surrogatepass")
        digest.update(f"{message.role} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


class Model:
    """What an agent talks through: derives a seed for every call, applies the run's sampling, records every call.

    Args:
        broker: Carries the requests.
        session: Names the sample and seat for the backend's cache.
        seed: The sample's seed; call ``i`` of this seat gets ``derive(seed, seat, i)``.
        seat: The seat's name.
        sampling: How tokens are drawn.
        thinking: How thinking is treated.
        max_tokens: The task's cap on one reply, unless ``sampling`` states one.
        meter: Shared by the seats of the sample.
        system_prompt: Put before every prompt as a system message.
        limits: Of the sample; the tokens are counted by the meter, the seconds by whoever waits.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        session: str,
        seed: int,
        seat: str,
        sampling: Sampling,
        thinking: Thinking,
        max_tokens: int,
        meter: TokenMeter,
        system_prompt: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.session = session
        self.thinking = thinking
        self.limits = limits or Limits()
        self.tokens = 0
        """Read and written by this seat so far."""
        self._broker, self._seed, self._seat = broker, seed, seat
        self._sampling, self._meter = sampling, meter
        self._max_tokens = sampling.max_tokens or max_tokens
        self._capped = sampling.max_tokens is not None
        self._system = (Message("system", system_prompt),) if system_prompt else ()
        self._count = 0
        self._calls: list[tuple[int, Call]] = []
        self._likelihoods: list[Likelihood] = []
        self._last: tuple[tuple[Message, ...], Completion] | None = None

    @property
    def seed(self) -> int:
        """A seed of this sample and seat, for agents that draw without asking; no call of the model gets it."""
        return derive(self._seed, self._seat)

    @property
    def capabilities(self) -> Capabilities:
        """What the backend can do."""
        return self._broker.backend.capabilities

    def lower_cap(self, max_tokens: int) -> None:
        """Lower the task's cap on one reply, where a task of several kinds of episodes plays one of short replies.

        A cap that the run states stays as it is, and no cap is raised.
        """
        if not self._capped:
            self._max_tokens = min(self._max_tokens, max_tokens)

    def at_temperature(self, temperature: float) -> None:
        """Draw at another temperature than the run's, for a task whose arms are temperatures.

        An agent that names a temperature of its own keeps it.

        Args:
            temperature: From 0 (greedy).
        """
        self._sampling = self._sampling.model_copy(update={"temperature": temperature})

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        stop: Sequence[str] = (),
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Completion:
        """Ask for one reply.

        Args:
            messages: The prompt, without the run's system prompt.
            stop: Strings that end the reply.
            max_tokens: A lower cap than the run's, for short answers.
            temperature: Overrides the run's, for agents that sample at several.

        Raises:
            ModelStopped: Context overflow, a limit, or a content filter.
            BackendError: The backend failed.
        """
        cap = self._max_tokens if max_tokens is None else min(max_tokens, self._max_tokens)
        budget = self.thinking.budget
        room = self._meter.room()
        if room is not None:
            cap = min(cap, room)
            budget = None if budget is None else min(budget, room - cap)
        prompt = (*self._system, *messages)
        number = self._count
        seed = derive(self._seed, self._seat, number)
        self._count += 1
        request = GenerateRequest(
            messages=prompt,
            session=self.session,
            seed=seed,
            max_tokens=cap,
            temperature=self._sampling.temperature if temperature is None else temperature,
            top_p=self._sampling.top_p,
            stop=tuple(stop),
            think_budget=budget,
            keep_thinking=self.thinking.keep,
        )
        started = time.perf_counter()
        try:
            completion = await self._broker.generate(request)
        except ContextOverflow as overflow:
            raise ModelStopped(Outcome.INVALID, "context_overflow", str(overflow)) from overflow
        completion = replace(completion, text=storable(completion.text), reasoning=storable(completion.reasoning))
        self._meter.used += completion.completion_tokens
        self.tokens += completion.prompt_tokens + completion.completion_tokens
        usage = Usage(
            calls=1,
            prompt_tokens=completion.prompt_tokens,
            cached_tokens=completion.cached_tokens,
            completion_tokens=completion.completion_tokens,
            reasoning_tokens=completion.reasoning_tokens,
            seconds=time.perf_counter() - started,
            cost=completion.cost,
            replayed=int(completion.replayed),
            spared=completion.spared,
        )
        call = Call(
            prompt_hash=prompt_hash(prompt),
            seed=seed,
            completion=completion.text,
            reasoning=completion.reasoning,
            finish_reason=completion.finish_reason,
            usage=usage,
        )
        self._calls.append((number, call))
        self._last = prompt, completion
        if completion.finish_reason == "content_filter":
            raise ModelStopped(Outcome.REFUSED, "content_filter", "the backend's content filter stopped the reply")
        return completion

    async def score(self, messages: Sequence[Message], continuation: str) -> TokenScores:
        """Give the log-probabilities of ``continuation`` after ``messages``; recorded as :meth:`score_all` does.

        Raises:
            ModelStopped: Context overflow.
            UsageError: The backend has none.
            BackendError: The backend failed, or gave a number that is none.
        """
        (scores,) = await self.score_all([(messages, continuation)])
        return scores

    async def score_all(self, asked: Sequence[tuple[Sequence[Message], str]]) -> tuple[TokenScores, ...]:
        """Give the log-probabilities of several continuations, asked for at once.

        They are recorded in the order of ``asked``, whatever order they come in, and only if all came.

        Args:
            asked: Pairs of messages and continuation, the messages without the run's system prompt.

        Returns:
            One for each pair. An impossible token (log-probability minus infinity) has the lowest float.

        Raises:
            ModelStopped: Context overflow.
            UsageError: The backend has none.
            BackendError: The backend failed, or gave a number that is none.
        """
        prompts = [(*self._system, *messages) for messages, _ in asked]
        requests = [ScoreRequest(p, said, self.session) for p, (_, said) in zip(prompts, asked, strict=True)]
        # All are waited for, so that none goes on after its episode; the first in order speaks for those that failed.
        answers = await asyncio.gather(*(self._broker.score(r) for r in requests), return_exceptions=True)
        found: list[TokenScores] = []
        for answer in answers:
            if isinstance(answer, ContextOverflow):
                raise ModelStopped(Outcome.INVALID, "context_overflow", str(answer)) from answer
            if isinstance(answer, BaseException):
                raise answer
            found.append(replace(answer, logprobs=tuple(map(_storable_logprob, answer.logprobs))))
        self._likelihoods += [
            Likelihood(
                prompt_hash=prompt_hash(request.messages),
                continuation=storable(request.continuation),
                logprobs=scores.logprobs,
                greedy=tuple(map(bool, scores.greedy)),
            )
            for request, scores in zip(requests, found, strict=True)
        ]
        return tuple(found)

    async def diverge(self, reply: str, reference: Sequence[Message]) -> Divergence | None:
        """Tell how far what led to the last reply is from another prompt, along that reply.

        The test side is the prompt of the last call as it was sent. Nothing of it is recorded here.

        Args:
            reply: What was answered; it must be the last call's, as an agent that asks once a turn gives it.
            reference: Another prompt, without the run's system prompt.

        Returns:
            None where it cannot be told: the backend compares no predictions, the reply is empty, not the last call's
            or has a thinking part, or a prompt does not fit.

        Raises:
            BackendError: The backend failed.
        """
        if self._last is None or not self.capabilities.divergence:
            return None
        prompt, completion = self._last
        if not reply or completion.text != reply or completion.reasoning:
            return None
        asked = DivergenceRequest(prompt, (*self._system, *reference), reply, self.session)
        try:
            return await self._broker.diverge(asked)
        except ContextOverflow:
            return None
        except UsageError:
            # Some servers are known to compare none only once they were asked.
            if self.capabilities.divergence:
                raise
            return None

    @property
    def pending(self) -> bool:
        """Whether calls or likelihoods wait to be drained."""
        return bool(self._calls or self._likelihoods)

    def drain(self) -> tuple[tuple[Call, ...], tuple[Likelihood, ...]]:
        """Hand over the calls and likelihoods since the last time, in the order in which they were asked for."""
        # Replies to calls that an agent makes at once come in any order; what is stored must not.
        calls = tuple(call for _, call in sorted(self._calls, key=lambda numbered: numbered[0]))
        self._calls = []
        likelihoods, self._likelihoods = tuple(self._likelihoods), []
        return calls, likelihoods


def _storable_logprob(value: float) -> float:
    """A log-probability that a store can hold.

    Raises:
        BackendError: It is NaN or above 0 by more than a rounding.
    """
    if math.isnan(value) or value > HIGHEST_LOGPROB:
        raise BackendError(f"the backend gave {value} as a log-probability")
    return max(float(value), -sys.float_info.max)
