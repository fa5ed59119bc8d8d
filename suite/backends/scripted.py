"""The backend without a model: policies that a task supplies, fixed replies, or a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..canonical import content_hash
from ..errors import BackendError, UsageError
from ..seeds import derive, generator
from .base import Backend, Capabilities, Completion, GenerateRequest

__all__ = ["Policy", "ScriptedBackend"]

_WORDS = ("lamp", "water", "under", "<action>", "the", "999", "[]", "}", "not", "été", "-1", "💡", "</action>", "3.5")


class Policy(Protocol):
    """Plays one episode in the place of a model. One object lives for one episode and may keep what it saw."""

    def reply(self, request: GenerateRequest) -> str:
        """Answer a prompt as a model would, with all randomness from ``request.seed``."""
        ...


class _Canned:
    def __init__(self, replies: Sequence[str]) -> None:
        self.replies, self.count = replies, 0

    def reply(self, request: GenerateRequest) -> str:
        self.count += 1
        return self.replies[(self.count - 1) % len(self.replies)]


class _Nonsense:
    def reply(self, request: GenerateRequest) -> str:
        rng = generator("nonsense", request.seed)
        return " ".join(_WORDS[i] for i in rng.integers(len(_WORDS), size=int(rng.integers(0, 12))))


class _Function:
    def __init__(self, function: Callable[[GenerateRequest], str]) -> None:
        self.function = function

    def reply(self, request: GenerateRequest) -> str:
        return self.function(request)


def _fingerprint(function: Callable[..., object]) -> str:
    """Name a function by its place and its code, so that two lambdas are two models."""
    code = getattr(function, "__code__", None)
    # Nested code objects print their address, which differs from process to process.
    constants = repr([c for c in getattr(code, "co_consts", ()) if isinstance(c, (str, bytes, int, float))])
    body = "" if code is None else content_hash([code.co_code.hex(), list(code.co_names), constants])
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name} {body}".strip()


class ScriptedBackend(Backend):
    """Deterministic replies without a model, along the same path that a model's replies take.

    ``scripted:NAME`` plays the reference policy NAME (``random``, ``heuristic``, ``oracle``) of whatever task asks.
    ``scripted:canned`` goes round ``replies``, from the first in every episode. ``scripted:nonsense`` writes seeded
    rubbish. A "token" is a word here; prompts are not counted.

    Args:
        model: The policy's name, ``canned`` or ``nonsense``.
        replies: For ``canned``: the replies, a list or a JSON list of strings.
        function: For use from Python: called with each request.
    """

    name = "scripted"
    capabilities = Capabilities(
        scheduling="own", concurrency=256, seeds=True, logprobs="none", deterministic=True, scripted=True
    )

    def __init__(
        self,
        model: str = "random",
        *,
        replies: Sequence[str] | str | None = None,
        function: Callable[[GenerateRequest], str] | None = None,
    ) -> None:
        if isinstance(replies, str):
            try:
                parsed = json.loads(replies)
            except ValueError:
                parsed = [replies]
            replies = parsed if isinstance(parsed, list) else [replies]
        if replies is not None and (not replies or not all(isinstance(r, str) for r in replies)):
            raise UsageError(f"scripted: replies must be a list of at least one string, not {replies!r}.")
        if model == "canned" and replies is None:
            raise UsageError(
                "scripted:canned needs its replies, for example --model-args 'replies=[\"<action>0</action>\"]'."
            )
        if replies is not None and model != "canned":
            raise UsageError(f"scripted:{model} takes no replies; they belong to scripted:canned.")
        self.model, self.replies, self.function = model, replies, function
        self._policies: dict[str, Policy] = {}

    @property
    def reference(self) -> str | None:
        """Name of the reference that a task must supply, None where the replies are fixed."""
        return None if self.function is not None or self.model in ("canned", "nonsense") else self.model

    def identity(self) -> dict[str, Any]:
        """The policy's name, and the replies where they are fixed."""
        identity: dict[str, Any] = {"name": f"scripted:{self.model}"}
        if self.replies is not None:
            identity["replies"] = list(self.replies)
        if self.function is not None:
            identity["function"] = _fingerprint(self.function)
        return identity

    def bind(self, session: str, policy: Policy) -> None:
        """Let ``policy`` play the session."""
        self._policies[session] = policy

    async def generate(self, request: GenerateRequest) -> Completion:
        """Ask the session's policy.

        Raises:
            BackendError: The policy raised.
        """
        policy = self._policies.get(request.session)
        if policy is None:
            policy = self._policies[request.session] = self._make()
        try:
            text = policy.reply(request)
        except Exception as error:
            raise BackendError(f"the policy scripted:{self.model} failed: {type(error).__name__}: {error}") from error
        ends = [text.index(s) + len(s) for s in request.stop if s and s in text]
        text = text[: min(ends)] if ends else text
        words = text.split(" ")
        if len(words) > request.max_tokens:
            return Completion(
                " ".join(words[: request.max_tokens]), finish_reason="length", completion_tokens=request.max_tokens
            )
        return Completion(text, finish_reason="stop", completion_tokens=len(words))

    def _make(self) -> Policy:
        if self.function is not None:
            return _Function(self.function)
        if self.replies is not None:
            return _Canned(self.replies)
        if self.model == "nonsense":
            return _Nonsense()
        raise BackendError(f"no policy {self.model!r} was bound to this session; ScriptedBackend.bind does that")

    def release(self, session: str) -> None:
        """Forget the session's policy."""
        self._policies.pop(session, None)


def choose(options: int, request: GenerateRequest) -> int:
    """Pick one of ``options`` uniformly, from the request's seed alone.

    Args:
        options: How many there are, at least 1.
        request: Its seed decides.

    Returns:
        An integer in [0, options). The bias of the modulo is below ``options`` / 2**63.
    """
    return derive("choose", request.seed) % options
