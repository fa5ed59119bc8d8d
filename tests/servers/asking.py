"""Questions that are put to two backends and compared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from finchmark.suite.backends.base import (
    Backend,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    Message,
    ScoreRequest,
    TokenScores,
)
from finchmark.suite.broker import Broker

# Greedy texts in float32 are equal only where no two tokens are nearly tied: for "the moon" the logits of " Earth" and
# " our" lie 6e-6 apart in float64, and transformers' generate() takes the other one in float32.
PROMPTS = tuple(
    f"Write about {topic}."
    for topic in (
        *("a finch and a lamp", "how rain forms", "the number seven", "a lighthouse", "why bread rises", "a lost key"),
        *("making tea", "three friends", "how to plant a tree", "a quiet river", "counting stars", "an old clock"),
    )
)
REPLIES = (" It is a good day to be outside.", "The answer is 42.", "Yes", "<action>3</action>", "Zwölf\nBoxkämpfer")


def request(prompt: str, session: str = "", **changes: object) -> GenerateRequest:
    """One greedy request of 24 tokens, or what the changes make of it."""
    given = {"seed": 5, "max_tokens": 24, "temperature": 0.0, **changes}
    return GenerateRequest((Message("user", prompt),), f"{session}{prompt}", **given)


def replies(backend: Backend, *waves: Sequence[GenerateRequest]) -> list[list[Completion]]:
    """The answers to waves of requests, each wave at once."""

    async def go() -> list[list[Completion]]:
        await asyncio.to_thread(backend.locate)
        await backend.start()
        try:
            broker = Broker(backend)
            return [list(await asyncio.gather(*(broker.generate(r) for r in wave))) for wave in waves]
        finally:
            await backend.aclose()

    return asyncio.run(go())


def scores(backend: Backend) -> list[TokenScores]:
    """The scores of all replies to some prompts."""

    async def go() -> list[TokenScores]:
        await asyncio.to_thread(backend.locate)
        await backend.start()
        try:
            asked = [ScoreRequest((Message("user", p),), c) for p in PROMPTS[:4] for c in REPLIES]
            return [await backend.score(one) for one in asked]
        finally:
            await backend.aclose()

    return asyncio.run(go())


def divergences(backend: Backend) -> list[Divergence]:
    """How far the first prompts are from the ones after them, along all replies."""

    async def go() -> list[Divergence]:
        await asyncio.to_thread(backend.locate)
        await backend.start()
        try:
            sides = [(Message("user", one),) for one in PROMPTS[:3]]
            asked = [DivergenceRequest(a, b, c) for a, b in pairwise(sides) for c in REPLIES]
            return [await backend.diverge(one) for one in asked]
        finally:
            await backend.aclose()

    return asyncio.run(go())


def texts(completions: Sequence[Completion]) -> list[str]:
    """The texts of completions."""
    return [one.text for one in completions]
