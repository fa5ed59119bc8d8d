"""How far predictions after two prompts are apart, from servers that give log-probabilities of prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BackendError
from .base import ContextOverflow, Divergence, DivergenceRequest, Message
from .divergence_bound import lower_bound
from .openai_request import Shape
from .openai_score import Ask, prompt_places, prompt_tokens, reply_tokens
from .retry import Transient

__all__ = ["TOP_K", "bound_by_prompt_logprobs"]

TOP_K = 20
"""Tokens a place that are asked for by default: what vLLM gives where it is not started with ``--max-logprobs``."""

_EXCLUDED = -9999.0
"""What vLLM writes for a probability of 0: JSON has no infinity."""
_LETTERS = 100
"""Of JSON that vLLM writes for one token of one place; 80 to 95 were seen with texts of tokens in ASCII."""


async def bound_by_prompt_logprobs(
    request: DivergenceRequest, shape: Shape, ask: Ask, top_k: int, most: int
) -> Divergence:
    """Ask for the likeliest tokens along the reply after both prompts, and bound the divergence from below.

    The server makes the tokens of both prompts and of the reply, so both sides are of one tokenizer, and tokens are
    compared by id: texts would not do, since two tokens can have one text. vLLM gives the reply's own token too where
    it is not among the likeliest. Three small requests are made, and two large ones, whose answers hold the
    likeliest tokens of the whole prompt, too.

    Args:
        request: What to compare; its ``top_k`` goes before that of the backend.
        shape: How prompts are put.
        ask: Sends requests.
        top_k: How many tokens a place.
        most: Bytes that an answer may have.

    Raises:
        RequestRefused: The server gives none, or not as many.
        ContextOverflow: The answer would be longer than ``most``.
        Transient: An answer is malformed.
    """
    wanted = top_k if request.top_k is None else request.top_k
    reply = await reply_tokens(request.continuation, shape, ask)
    if not reply:
        return Divergence((), (), exact=False)

    async def side(messages: Sequence[Message]) -> list[dict[int, float]]:
        before = await prompt_tokens(messages, shape, ask)
        letters = (len(before) + len(reply)) * (wanted + 1) * _LETTERS
        if letters > most:
            raise ContextOverflow(
                len(before) + len(reply),
                most // ((wanted + 1) * _LETTERS),
                f"the likeliest {wanted} tokens of {len(before) + len(reply)} places are about {letters} bytes, more "
                f"than max_bytes={most}",
            )
        places = await prompt_places(before, reply, shape, ask, wanted)
        return [_known(place, token) for place, token in zip(places, reply, strict=True)]

    test = await side(request.messages)
    try:
        return lower_bound(test, await side(request.reference))
    except ValueError as error:
        raise BackendError(f"{shape.model}: {error}") from None


def _known(place: Mapping[str, Any], token: int) -> dict[int, float]:
    """Log-probabilities of a place, by token."""
    found: dict[int, float] = {}
    for name, one in place.items():
        value = one.get("logprob") if isinstance(one, dict) else None
        if not name.isdecimal() or isinstance(value, bool) or not isinstance(value, int | float):
            raise Transient("bad_body", f"prompt_logprobs name a token {name[:40]!r} without a log-probability")
        found[int(name)] = -math.inf if value <= _EXCLUDED else min(float(value), 0.0)
    if token not in found:
        raise Transient("bad_body", f"prompt_logprobs say nothing of the token {token}")
    return found
