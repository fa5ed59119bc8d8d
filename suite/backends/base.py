"""What a backend is: text in, text out, and a record of what it can do. A backend knows no task."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .steering import Steering

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Backend",
    "Capabilities",
    "Completion",
    "ContextOverflow",
    "Divergence",
    "DivergenceRequest",
    "GenerateRequest",
    "HiddenRequest",
    "Message",
    "ScoreRequest",
    "Steering",
    "TokenLogprob",
    "TokenScores",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat.

    Args:
        role: Who speaks.
        content: The text.
        token_ids: For a reply of the same backend: its tokens as they were generated, so that the prompt of the next
            turn repeats them exactly and a cached prefix is found. Never part of equality of text or of hashes.
    """

    role: Literal["system", "user", "assistant"]
    content: str
    token_ids: tuple[int, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One request for one completion.

    Args:
        messages: The prompt, rebuilt in full for every call.
        session: Names the episode (and seat) that asks; a backend may keep a cache by it until :meth:`Backend.release`.
        seed: In [0, 2**63). All randomness of the reply comes from it, whatever else is in the batch.
        max_tokens: Cap on the reply's tokens; a thinking part is not counted when ``think_budget`` is set.
        temperature: 0 takes the most likely token.
        top_p: Nucleus: the smallest set of tokens with at least this probability, in (0, 1].
        stop: Strings that end the reply; the one that was met stays at the end of the text.
        think_budget: Cap on the tokens of a ``<think>`` part; when it is reached the part is closed and the reply
            goes on. None: thinking counts as reply.
        keep_thinking: Whether ``Completion.token_ids`` keeps the thinking part, for histories that keep it.
        steering: Vectors that are added to residual streams, for backends whose ``capabilities.steering`` is set.
    """

    messages: tuple[Message, ...]
    session: str
    seed: int
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    think_budget: int | None = None
    keep_thinking: bool = False
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token with its log-probability.

    Args:
        token: Its text.
        logprob: Natural logarithm of its probability.
        top: The most likely tokens at its place and their log-probabilities, the likeliest first; may be empty.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a backend answered.

    Args:
        text: The reply without its thinking part, with the stop string that ended it.
        finish_reason: ``stop`` (end of turn or stop string), ``length`` (cut off at ``max_tokens``),
            ``content_filter`` (the provider declined).
        prompt_tokens: Tokens of the whole prompt, padding not counted.
        completion_tokens: Tokens generated, thinking included.
        reasoning: The thinking part, without its tags.
        reasoning_tokens: Tokens of the thinking part.
        cached_tokens: Prompt tokens that a cache spared.
        token_ids: The reply's tokens for the next prompt, or None where the backend has none.
        cost: US dollars, 0 where nothing is paid by the token.
        logprobs: One a generated token, where the backend was asked for them.
        replayed: Whether it was given before and comes from a response cache; nothing is paid for it then.
        spared: US dollars that a replayed answer cost when it was first given.
    """

    text: str
    finish_reason: Literal["stop", "length", "content_filter"]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning: str = ""
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    token_ids: tuple[int, ...] | None = None
    cost: float = 0.0
    logprobs: tuple[TokenLogprob, ...] | None = None
    replayed: bool = False
    spared: float = 0.0


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Asks for the log-probability of a given reply.

    Args:
        messages: The prompt.
        continuation: The reply to be scored, as text.
        session: As in :class:`GenerateRequest`.
        steering: As in :class:`GenerateRequest`.
    """

    messages: tuple[Message, ...]
    continuation: str
    session: str = ""
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True, slots=True)
class HiddenRequest:
    """Asks for the residual stream at a prompt, and at a reply if one is given.

    Args:
        messages: The prompt.
        layers: After which layers; layer 0 is the first block, negative numbers count from the last.
        continuation: A reply, as text. With one, only its positions are given back, without one the prompt's.
        positions: ``last`` or ``all``.
        steering: As in :class:`GenerateRequest`; what is read after a layer has what was added to it.
    """

    messages: tuple[Message, ...]
    layers: tuple[int, ...]
    continuation: str = ""
    positions: Literal["last", "all"] = "last"
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Log-probabilities of given tokens.

    Args:
        token_ids: The continuation's tokens, length n.
        logprobs: Natural logarithms of their probabilities given the prompt and the tokens before, length n.
        greedy: Whether each was the most likely one, length n.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    greedy: tuple[bool, ...]

    @property
    def total(self) -> float:
        """Log-probability of the whole continuation."""
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True)
class DivergenceRequest:
    """Asks how far the model's predictions after one prompt are from those after another, along one reply.

    Both are of the same weights and the same tokens: across tokenizers nothing is compared.

    Args:
        messages: The prompt that is tested.
        reference: The prompt that it is held against.
        continuation: The reply along which predictions are compared, as text.
        session: As in :class:`GenerateRequest`.
        steering: As in :class:`GenerateRequest`, for both prompts.
        top_k: Compare only the tokens that are among the ``top_k`` likeliest after both prompts, and all others as one;
            None: the whole vocabulary.
    """

    messages: tuple[Message, ...]
    reference: tuple[Message, ...]
    continuation: str
    session: str = ""
    steering: tuple[Steering, ...] = ()
    top_k: int | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """How far predictions after one prompt are from those after another, at each token of a reply, in nats.

    Args:
        kl: KL(test || reference), test first, length n; infinite where the reference excludes what the test does not.
        js: Jensen-Shannon divergence, at most ln 2, length n.
        exact: Whether the whole vocabulary was compared. If not, each number is a lower bound: merging outcomes can
            only bring distributions nearer.
    """

    kl: tuple[float, ...]
    js: tuple[float, ...]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do.

    Args:
        scheduling: ``own``: takes requests as they come and batches them itself. ``waves``: wants lists, through
            :meth:`Backend.generate_wave`. ``concurrent``: independent requests, at most ``concurrency`` at once.
        concurrency: How many requests it makes good use of at once.
        seeds: Whether the same seed gives the same reply.
        logprobs: What :meth:`Backend.score` can give.
        deterministic: Whether equal requests give equal replies, bit for bit, whatever the batch.
        steering: Whether residual streams can be steered and read.
        scripted: Whether a policy or a fixed text answers in the place of a model; tasks that ask a model for
            log-probabilities let it name its choice instead.
        divergence: Whether predictions after two prompts can be compared (:meth:`Backend.diverge`).
    """

    scheduling: Literal["own", "waves", "concurrent"]
    concurrency: int
    seeds: bool = True
    logprobs: Literal["none", "top-k", "full"] = "none"
    deterministic: bool = False
    steering: bool = False
    scripted: bool = False
    divergence: bool = False


class ContextOverflow(Exception):
    """The prompt and the reply's cap do not fit into the model's context. The sample becomes ``invalid``.

    Args:
        needed: Tokens of the prompt plus the cap on the reply.
        available: The model's context in tokens.
        detail: What to say instead, where the figures are only bounds: a server that does not name them.
    """

    def __init__(self, needed: int, available: int, detail: str = "") -> None:
        super().__init__(
            detail or f"the prompt and the reply need {needed} tokens, the model's context holds {available}"
        )
        self.needed, self.available = needed, available


class Backend(abc.ABC):
    """Base of all backends.

    A backend is made outside any event loop, then used from one loop. It raises
    :class:`~finchmark.suite.errors.BackendError` for faults that are its own and :class:`ContextOverflow` when a
    prompt is too long; it never answers a fault with an empty reply.
    """

    capabilities: Capabilities
    price: tuple[float, float] | None = None
    """US dollars per million prompt and completion tokens; None where nothing is paid by the token."""
    placement: frozenset[str] = frozenset()
    """Names of the arguments that only say where, how fast and for how much the model runs. They decide no number, so
    a run may go on with others."""

    @property
    def reference(self) -> str | None:
        """Name of the reference that a task must supply; None for everything that writes its replies itself."""
        return None

    def bind(self, session: str, policy: Any) -> None:
        """Let a policy play a session. For backends with a ``reference`` only."""
        raise NotImplementedError(f"{type(self).__name__} plays no policies")

    @abc.abstractmethod
    def identity(self) -> dict[str, Any]:
        """Describe the model so that another's answers are never taken for its own: name, revision, hash, dtype.

        Returns:
            Plain data; part of the run's specification through its hash, so without paths, hosts or keys.
        """

    def describe(self) -> dict[str, Any]:
        """Describe where and how the model runs (device, versions), for the manifest only.

        Of these ``counts`` is what has happened since the backend was made (requests, retries, faults by kind): numbers
        that add up over the calls that work on one run. Asked for at any time, also before the start and after the end.
        """
        return {}

    def origin(self) -> dict[str, Any] | None:
        """Tell what parts this model's answers from another's of the same identity, such as a server's address.

        A response cache asks for it, and keeps no more of it than a hash.

        Returns:
            Plain data, right once :meth:`start` has returned; paths and addresses may be in it, keys may not. None:
            there is nothing but :meth:`identity`. Then answers are kept only if that holds the weights' ``sha256``.
        """
        return None

    def locate(self) -> None:  # noqa: B027 - an optional hook, not a forgotten abstract method
        """Find or fetch what the model is made of, without loading it; :meth:`identity` is right from then on.

        Called once, in a worker thread, before anything is written.

        Raises:
            BackendUnavailable: It cannot be had here.
        """

    async def start(self) -> None:  # noqa: B027 - an optional hook, not a forgotten abstract method
        """Load what must be loaded. Called once, before the first request, in the loop that will make requests."""

    @abc.abstractmethod
    async def generate(self, request: GenerateRequest) -> Completion:
        """Answer one request."""

    def generate_wave(self, requests: Sequence[GenerateRequest]) -> list[Completion | Exception]:
        """Answer many requests at once, in their order; runs in a worker thread. For ``waves`` backends only."""
        raise NotImplementedError(f"{type(self).__name__} schedules {self.capabilities.scheduling!r}, not waves")

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the log-probabilities of a continuation.

        Raises:
            UsageError: The backend has no log-probabilities (``capabilities.logprobs`` is ``none``).
        """
        from ..errors import UsageError

        raise UsageError(f"The backend {type(self).__name__} gives no log-probabilities (logprobs = none).")

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Tell how far the predictions after one prompt are from those after another, along one reply.

        Raises:
            UsageError: The backend cannot (``capabilities.divergence`` is False).
        """
        from ..errors import UsageError

        raise UsageError(f"The backend {type(self).__name__} compares no predictions (divergence = False).")

    async def hidden_states(self, request: HiddenRequest) -> np.ndarray:
        """Give the residual stream after some layers.

        Returns:
            float32, ``[layers, tokens, hidden]``.

        Raises:
            UsageError: The backend shows no hidden states (``capabilities.steering`` is False).
        """
        from ..errors import UsageError

        raise UsageError(f"The backend {type(self).__name__} shows no hidden states (steering = False).")

    def release(self, session: str) -> None:  # noqa: B027 - an optional hook
        """Forget what is kept for a session. Its episode has ended."""

    async def aclose(self) -> None:  # noqa: B027 - an optional hook
        """Free everything. Called once, also after a failure."""

    def delayed(self, session: str) -> float:
        """Seconds that the backend's own faults (failed tries, pauses) have cost a session so far.

        An episode that runs out of time is the model's failure only where this is 0.
        """
        return 0.0

    def notice(self) -> str:
        """What people who watch should know, such as why the run is paused; empty where there is nothing."""
        return ""

    def stats(self) -> dict[str, float]:
        """Counters for the progress display, such as ``batch_fill`` in [0, 1] and ``queue``."""
        return {}
