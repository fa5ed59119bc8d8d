"""What a task of lm-eval asks: its requests, as text or as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...suite.agents.base import Observation
from ...suite.agents.history import joined, opening
from ...suite.backends.base import Message
from ...suite.canonical import canonical_json

__all__ = ["Asked", "Chat", "asked_of"]


class Chat(str):
    """A context that lm-eval takes for text, and that still knows the messages it was made of."""

    messages: tuple[tuple[str, str], ...]

    @classmethod
    def template(cls, chat: Sequence[Mapping[str, str]], **_: Any) -> Chat:
        """Stand in for a model's chat template."""
        pairs = tuple((m["role"], m["content"]) for m in chat)
        made = cls(canonical_json([list(pair) for pair in pairs]))
        made.messages = pairs
        return made


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a document.

    Args:
        kind: ``generate``: a reply is wanted. ``score``: the log-probability of ``continuation``.
        system: What a system message would say; put before the first message, as agents do with instructions.
        examples: Questions and answers shown as turns.
        text: The question; where the prompt is one text, all of it.
        continuation: For ``score``.
        stop: For ``generate``: strings that end the reply and are no part of it.
    """

    kind: Literal["generate", "score"]
    system: str
    examples: tuple[tuple[str, str], ...]
    text: str
    continuation: str = ""
    stop: tuple[str, ...] = ()

    @property
    def observation(self) -> Observation:
        """What an agent gets to see."""
        return Observation(self.text, self.system, self.examples, self.stop)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt, as an agent without a past would send it."""
        return tuple(joined([*opening(self.observation), Message("user", self.text)]))

    def plain(self) -> dict[str, Any]:
        """As plain data, for the item's hash."""
        return {
            "kind": self.kind,
            "system": self.system,
            "examples": [list(pair) for pair in self.examples],
            "text": self.text,
            "continuation": self.continuation,
            "stop": list(self.stop),
        }


def asked_of(request_type: str, arguments: Sequence[Any]) -> Asked:
    """Read one of lm-eval's requests.

    Args:
        request_type: ``generate_until`` or ``loglikelihood``.
        arguments: Context and settings, or context and continuation.

    Raises:
        ValueError: It is of another type, or its messages are in an order that no chat has.
    """
    context, second = arguments[0], arguments[1] if len(arguments) > 1 else None
    system, examples, text = "", (), str(context)
    if isinstance(context, Chat):
        turns = list(context.messages)
        if turns and turns[0][0] == "system":
            system = turns.pop(0)[1]
        roles = [role for role, _ in turns]
        if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
            raise ValueError(f"its prompt is {', '.join(roles)}: not examples and then a question")
        texts = [content for _, content in turns]
        examples, text = tuple(zip(texts[:-1:2], texts[1:-1:2], strict=True)), texts[-1]
    if request_type == "loglikelihood":
        return Asked("score", system, examples, text, continuation=str(second))
    if request_type == "generate_until" and isinstance(second, Mapping):
        until = second.get("until") or ()
        stop = (until,) if isinstance(until, str) else tuple(str(term) for term in until)
        return Asked("generate", system, examples, text, stop=tuple(term for term in stop if term))
    raise ValueError(f"requests of the type {request_type} cannot be asked here")
