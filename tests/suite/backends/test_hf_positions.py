"""Models with two sets of rotary frequencies: a reply does not depend on how long its neighbours are."""

import asyncio
from typing import Any

import pytest

from finchmark.suite.backends import Message
from finchmark.suite.backends.rotary import settle_positions

from ...toys import make_small

SHORT = 128
LONG = "Turn the switch on, then turn it off again. " * 16


@pytest.fixture(scope="module")
def phi(tokenizer):
    """A random Phi-3 whose frequencies are others beyond 128 tokens."""
    factors = {"short_factor": [1.0] * 8, "long_factor": [4.0 + 3 * k for k in range(8)]}
    scaling: dict[str, Any] = {"rope_scaling": {"rope_type": "longrope", "type": "longrope", **factors}}
    return make_small("Phi3", tokenizer, seed=5, original_max_position_embeddings=SHORT, **scaling)


def _texts(serve, phi, requests, **options):
    async def use(backend):
        return [c.text for c in await asyncio.gather(*map(backend.generate, requests))], backend.describe()

    return serve(use, served=phi, **options)


def test_a_short_prompt_beside_a_long_one_is_answered_as_alone(serve, ask, phi):
    short, long = ask("Which lamp?", "a", max_tokens=20), ask(LONG, "b", max_tokens=20)
    (alone,), described = _texts(serve, phi, [short])
    (beside, _), _ = _texts(serve, phi, [short, long])
    assert beside == alone
    assert "long set" in described["positions"]


def test_a_session_that_grows_long_is_answered_alike_with_and_without_its_cache(serve, ask, phi):
    async def use(backend):
        messages, texts, size = (Message("user", "Which lamp?"),), [], 0
        for _ in range(3):
            done = await backend.generate(ask(messages, max_tokens=10))
            texts.append(done.text)
            size = done.prompt_tokens
            messages += (Message("assistant", done.text, done.token_ids), Message("user", LONG[:200]))
        return texts, size

    kept, size = serve(use, served=phi)
    assert size > SHORT
    assert (kept, size) == serve(use, served=phi, cache_bytes=0)


def test_long_prompts_agree_with_generate(serve, ask, phi, by_generate, tokenizer):
    request = ask(LONG, max_tokens=12)
    (text,), _ = _texts(serve, phi, [request])
    ids = by_generate(phi, request.messages, 12)
    assert text == tokenizer.decode(ids, skip_special_tokens=True).rstrip("\ufffd")


def test_a_context_of_the_short_set_keeps_to_it_and_agrees_with_generate(serve, ask, phi, by_generate, tokenizer):
    request = ask("Which lamp?", max_tokens=20)
    (text,), described = _texts(serve, phi, [request], max_length=SHORT)
    ids = by_generate(phi, request.messages, 20)
    assert text == tokenizer.decode(ids, skip_special_tokens=True).rstrip("\ufffd")
    assert "positions" not in described


def test_a_model_that_was_handed_over_gets_its_positions_back(serve, ask, phi, by_generate):
    request = ask("Which lamp?", max_tokens=20)
    before = by_generate(phi, request.messages, 20)
    _texts(serve, phi, [request])
    assert by_generate(phi, request.messages, 20) == before


def test_models_with_one_set_are_left_alone(model):
    assert settle_positions(model, 1 << 20) is None
