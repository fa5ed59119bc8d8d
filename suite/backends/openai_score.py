"""Log-probabilities of a given reply, from servers that give them for prompts."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from ..errors import BackendError
from .base import Message, ScoreRequest, TokenScores
from .openai_refusal import RequestRefused
from .openai_request import Shape
from .retry import Transient

__all__ = ["Ask", "ScoreWay", "by_echo", "by_prompt_logprobs", "prompt_places", "prompt_tokens", "reply_tokens"]

ScoreWay = Literal["prompt_logprobs", "echo", "none"]
Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Sends a body to a path (one that begins with ``//`` is below the server's root, not the API's) and gives the JSON."""


async def by_prompt_logprobs(request: ScoreRequest, shape: Shape, ask: Ask) -> TokenScores:
    """Score as vLLM can: tokenise prompt and continuation there, then ask for ``prompt_logprobs``.

    The tokens of the continuation are those of its text alone, as the ``hf`` backend takes them; they follow the
    prompt's. So three small requests are made for each score.

    Args:
        request: What to score.
        shape: How prompts are put.
        ask: Sends requests.

    Raises:
        Transient: An answer is malformed.
    """
    before = await prompt_tokens(request.messages, shape, ask)
    after = await reply_tokens(request.continuation, shape, ask)
    if not after:
        return TokenScores((), (), ())
    logprobs: list[float] = []
    greedy: list[bool] = []
    for token, place in zip(after, await prompt_places(before, after, shape, ask, 1), strict=True):
        one = place.get(str(token))
        if not isinstance(one, dict):
            raise Transient("bad_body", f"prompt_logprobs say nothing of the token {token}")
        value = float(one["logprob"])
        logprobs.append(min(value, 0.0))
        best = max(float(p["logprob"]) for p in place.values())
        greedy.append(one["rank"] == 1 if isinstance(one.get("rank"), int) else value >= best)
    return TokenScores(tuple(after), tuple(logprobs), tuple(greedy))


async def prompt_tokens(messages: Sequence[Message], shape: Shape, ask: Ask) -> list[int]:
    """The tokens that a prompt has on the server, up to where the model is to speak.

    Args:
        messages: The prompt.
        shape: How prompts are put.
        ask: Sends requests.

    Raises:
        Transient: The answer is malformed.
    """
    if shape.api == "chat":
        said = [{"role": m.role, "content": m.content} for m in messages]
        prompt: dict[str, Any] = {"messages": said, "add_generation_prompt": True}
        prompt |= {k: v for k, v in shape.extra.items() if k == "chat_template_kwargs"}
    else:
        prompt = {"prompt": shape.render(messages), "add_special_tokens": True}
    return _tokens(await ask("//tokenize", {"model": shape.model, **prompt}))


async def reply_tokens(reply: str, shape: Shape, ask: Ask) -> list[int]:
    """The tokens that a reply has on the server, by its text alone. Raises as :func:`prompt_tokens`."""
    return _tokens(await ask("//tokenize", {"model": shape.model, "prompt": reply, "add_special_tokens": False}))


async def prompt_places(
    before: Sequence[int], after: Sequence[int], shape: Shape, ask: Ask, top_k: int
) -> list[dict[str, Any]]:
    """Ask for the likeliest tokens at each place of a reply after a prompt.

    Args:
        before: The prompt's tokens.
        after: The reply's.
        shape: Names the model.
        ask: Sends requests.
        top_k: How many tokens a place; the reply's own is given too.

    Returns:
        For each of the reply's tokens, by id as text: ``logprob`` and, on some servers, ``rank``.

    Raises:
        RequestRefused: The server gives none.
        Transient: A place is malformed.
    """
    payload = await ask(
        "/completions",
        {
            "model": shape.model,
            "prompt": [*before, *after],
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": top_k,
        },
    )
    found = _first(payload).get("prompt_logprobs", payload.get("prompt_logprobs"))
    if not isinstance(found, list) or len(found) != len(before) + len(after):
        raise RequestRefused(
            f"{shape.model}: the server gave no prompt_logprobs for the {len(before) + len(after)} tokens of a prompt; "
            "choose score=echo or score=none."
        )
    places = found[len(before) :]
    if not all(isinstance(place, dict) for place in places):
        raise Transient("bad_body", "prompt_logprobs leave a place of the reply out")
    return places


async def by_echo(request: ScoreRequest, shape: Shape, ask: Ask) -> TokenScores:
    """Score by a completion that repeats its prompt (``echo``) with ``logprobs``.

    The continuation's tokens are those that begin at or after its first character. Where the server joins the prompt's
    end and the continuation's beginning into one token, that token counts as the continuation's. Token ids are -1:
    the format names none.

    Args:
        request: What to score.
        shape: How prompts are put; ``api`` must be ``completions``.
        ask: Sends requests.

    Raises:
        BackendError: The server does not repeat the prompt.
        Transient: The answer is malformed.
    """
    prompt = shape.render(request.messages)
    whole = prompt + request.continuation
    payload = await ask(
        "/completions",
        {
            "model": shape.model,
            "prompt": whole,
            "max_tokens": 1,
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
        },
    )
    choice = _first(payload)
    if not str(choice.get("text") or "").startswith(whole):
        raise BackendError(f"{shape.model}: the server does not repeat the prompt (echo); choose score=none.")
    found = choice.get("logprobs")
    if not isinstance(found, dict) or not isinstance(found.get("tokens"), list):
        raise BackendError(f"{shape.model}: the server gave no log-probabilities with echo; choose score=none.")
    tokens, values = found["tokens"], found.get("token_logprobs") or []
    tops = found.get("top_logprobs") or [None] * len(tokens)
    offsets = found.get("text_offset")
    if not isinstance(offsets, list):
        offsets, at = [], 0
        for token in tokens:
            offsets.append(at)
            at += len(str(token))
    if not len(tokens) == len(values) == len(tops) == len(offsets):
        raise Transient("bad_body", "the lists of log-probabilities differ in length")
    ends = [*offsets[1:], len(str(choice["text"]))]
    inside = [i for i, at in enumerate(offsets) if ends[i] > len(prompt) and at < len(whole)]
    logprobs: list[float] = []
    greedy: list[bool] = []
    ids: list[int] = []
    for i in inside:
        if values[i] is None:
            raise Transient("bad_body", f"the token {i} has no log-probability")
        value = float(values[i])
        top = tops[i]
        logprobs.append(min(value, 0.0))
        greedy.append(not top or value >= max(map(float, top.values())))
        named = re.fullmatch(r"token_id:(\d+)", str(tokens[i]))
        ids.append(int(named[1]) if named else -1)
    return TokenScores(tuple(ids), tuple(logprobs), tuple(greedy))


def _first(payload: Any) -> dict[str, Any]:
    choices = payload.get("choices") if isinstance(payload, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Transient("empty", "the reply has no choices")
    return choices[0]


def _tokens(payload: Any) -> list[int]:
    tokens = payload.get("tokens") if isinstance(payload, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(t, int) for t in tokens):
        raise Transient("bad_body", f"/tokenize gave no tokens: {json.dumps(payload)[:200]}")
    return tokens
