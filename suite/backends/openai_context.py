"""The model's context, held by us where a server does not hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .base import Completion, ContextOverflow, GenerateRequest, Message, ScoreRequest

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """Refuses what does not fit into a context.

    Some servers read on past the positions that a model was trained for (``transformers serve``), so that a long
    episode would be scored on rubbish and a very long one would take the server's whole memory.

    Args:
        tokens: What prompt and reply may have together; None: the server refuses by itself.
    """

    tokens: int | None = None

    def before(self, request: GenerateRequest | ScoreRequest) -> None:
        """Refuse a prompt that cannot fit, before it is sent.

        Only the server has the tokeniser. Hardly one makes fewer tokens than there are words between spaces.

        Raises:
            ContextOverflow: The prompt has more words than the context has tokens.
        """
        if self.tokens is None or sum(len(m.content) for m in request.messages) <= self.tokens:
            return
        words = _words(request.messages)
        if words > self.tokens:
            raise ContextOverflow(
                words, self.tokens, f"a prompt of {words} words does not fit into context={self.tokens} tokens"
            )

    def after(self, completion: Completion) -> Completion:
        """Refuse a reply that the server wrote past the context, by the tokens that it counted.

        Raises:
            ContextOverflow: Prompt and reply together are longer.
        """
        used = completion.prompt_tokens + completion.completion_tokens
        if self.tokens is not None and used > self.tokens:
            raise ContextOverflow(
                used, self.tokens, f"the server read and wrote {used} tokens, past context={self.tokens}"
            )
        return completion


def _words(messages: Sequence[Message]) -> int:
    return sum(len(m.content.split()) for m in messages)
