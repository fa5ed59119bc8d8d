"""What is sent to an OpenAI-compatible server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import BackendError
from .base import GenerateRequest, Message
from .chat import PLAIN

__all__ = ["PLAIN_ENDS", "SEEDS", "Shape"]

PLAIN_ENDS = ("\n\nUser:", "\n\nSystem:")
"""What ends a reply besides the request's own stop strings where messages are put into the plain format."""

SEEDS = 2**31
"""Seeds go out modulo this: some servers keep 32 bits, read the highest as "random", or go through doubles."""

_TAILS = 256  # settings of requests that are remembered as JSON
_quoted = json.encoder.encode_basestring_ascii


@dataclass(frozen=True)
class Shape:
    """How a request is put.

    Args:
        model: The model's name on the server.
        api: ``chat``: messages; ``completions``: one text.
        omit: Names of fields that are not sent.
        extra: Further fields.
        logprobs: Whether log-probabilities of the reply's tokens are asked for.
        top_logprobs: How many alternatives a token.
        stream: Whether the reply is asked for in pieces.
        cap_field: Name of the field with the cap on tokens.
        template: For ``completions``: the Jinja template that makes one text of the messages.
    """

    model: str
    api: Literal["chat", "completions"] = "chat"
    omit: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)
    logprobs: bool = False
    top_logprobs: int = 0
    stream: bool = False
    cap_field: str = "max_tokens"
    template: str = PLAIN

    tails: dict[tuple[Any, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def path(self) -> str:
        """Where requests go, below the API's address."""
        return "/chat/completions" if self.api == "chat" else "/completions"

    def body(self, request: GenerateRequest) -> dict[str, Any]:
        """The body of a request for one reply."""
        body: dict[str, Any] = {"model": self.model}
        if self.api == "chat":
            body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
        else:
            body["prompt"] = self.render(request.messages)
        # A server knows no cap on a thinking part of its own: thinking and reply share one.
        body[self.cap_field] = request.max_tokens + (request.think_budget or 0)
        body["temperature"] = request.temperature
        body["top_p"] = request.top_p
        body["seed"] = request.seed % SEEDS
        stop = self.stops(request)
        if stop:
            body["stop"] = list(stop)
        if self.logprobs:
            body["logprobs"] = True if self.api == "chat" else max(1, self.top_logprobs)
            if self.api == "chat" and self.top_logprobs:
                body["top_logprobs"] = self.top_logprobs
        if self.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        for name in self.omit:
            body.pop(name, None)
        body.update(self.extra)
        return body

    def encode(self, request: GenerateRequest) -> bytes:
        """The body of a request as JSON: that of :meth:`body`, where only prompt and seed are written anew."""
        key = (request.max_tokens, request.think_budget, request.temperature, request.top_p, request.stop)
        tail = self.tails.get(key)
        if tail is None:
            rest = self.body(request)
            for name in ("messages", "prompt", "seed"):
                rest.pop(name, None)
            if len(self.tails) >= _TAILS:
                self.tails.clear()
            tail = self.tails[key] = json.dumps(rest)[1:]
        if self.api == "chat":
            messages = ", ".join([f'{{"role": "{m.role}", "content": {_quoted(m.content)}}}' for m in request.messages])
            prompt = f'"messages": [{messages}]'
        else:
            prompt = f'"prompt": {_quoted(self.render(request.messages))}'
        seed = "" if "seed" in self.omit else f', "seed": {request.seed % SEEDS}'
        return f"{{{prompt}{seed}, {tail}".encode()

    def stops(self, request: GenerateRequest) -> tuple[str, ...]:
        """What ends a reply: the request's stop strings, and those of the plain format."""
        plain = PLAIN_ENDS if self.api == "completions" and self.template == PLAIN else ()
        return tuple(s for s in request.stop if s) + plain

    def render(self, messages: Sequence[Message]) -> str:
        """Make one text of messages, up to where the model is to speak.

        Raises:
            BackendError: The template refuses them.
        """
        from jinja2 import TemplateError

        try:
            return _template(self.template).render(
                messages=[{"role": m.role, "content": m.content} for m in messages],
                add_generation_prompt=True,
                bos_token="",
                eos_token="",
            )
        except TemplateError as error:
            raise BackendError(f"chat_template refuses the messages: {error}; give another.") from error


_TEMPLATES: dict[str, Any] = {}


def _template(text: str) -> Any:
    found = _TEMPLATES.get(text)
    if found is None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        found = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(text)
        _TEMPLATES[text] = found
    return found
