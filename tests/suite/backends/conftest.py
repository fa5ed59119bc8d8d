"""Toy models and tokenizers, made on the spot: nothing is fetched."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from ...toys import make_llama, make_talker, need_torch

torch = need_torch()

from finchmark.suite.backends import GenerateRequest, Message  # noqa: E402 - after the skips
from finchmark.suite.backends.hf import HFBackend  # noqa: E402 - after the skips


@pytest.fixture(autouse=True)
def _own_cache(request, tmp_path_factory, monkeypatch):
    """Keep toys out of the user's cache; tests of the real weights use it, since making them takes half a minute."""
    if request.node.get_closest_marker("weights") is None:
        monkeypatch.setenv("FINCHMARK_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def tokenizer():
    return make_talker()


@pytest.fixture(scope="session")
def llama() -> Callable[..., Any]:
    """Makes random Llamas."""
    return make_llama


@pytest.fixture(scope="session")
def model(tokenizer):
    """A random Llama of two layers with grouped heads."""
    return make_llama(tokenizer)


@pytest.fixture(scope="session")
def endless(tokenizer):
    """A random Llama that never ends its turn."""
    made = make_llama(tokenizer)
    with torch.no_grad():
        made.lm_head.weight[tokenizer.all_special_ids] = 0
    return made


@pytest.fixture(scope="session")
def speller(tokenizer) -> Callable[..., Any]:
    """Makes a model that says a given text: each token is followed by the one after it in the text.

    The tokens of the text must differ. It begins after the prompt's last token; where the text ends, the turn ends.
    """

    def make(text: str, *, after: str = "assistant\n", last: str = "<|im_end|>") -> Any:
        size = len(tokenizer)
        made = make_llama(tokenizer, hidden_size=-(-size // 4) * 4, num_attention_heads=2, num_key_value_heads=1)
        chain = [tokenizer.encode(after)[-1], *tokenizer.encode(text), *tokenizer.encode(last)]
        follows: dict[int, int] = {}
        for a, b in pairwise(chain):
            assert follows.setdefault(a, b) == b, f"{tokenizer.decode([a])!r} is there twice"
        with torch.no_grad():
            for layer in made.model.layers:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
            made.model.embed_tokens.weight.zero_().fill_diagonal_(1.0)
            made.lm_head.weight.zero_()
            for a, b in follows.items():
                made.lm_head.weight[b, a] = 5.0
        return made

    return make


@pytest.fixture
def serve(model, tokenizer) -> Callable[..., Any]:
    """Starts a backend on a toy model, lets a function use it, and closes it."""

    def run(
        use: Callable[[HFBackend], Awaitable[Any]], *, served: Any = None, words: Any = None, **options: Any
    ) -> Any:
        async def main() -> Any:
            backend = HFBackend(
                "toy", model_object=served or model, tokenizer_object=words or tokenizer, **{"batch_size": 8, **options}
            )
            await backend.start()
            try:
                return await asyncio.wait_for(use(backend), 120)
            finally:
                await backend.aclose()

        return asyncio.run(main())

    return run


@pytest.fixture
def ask() -> Callable[..., GenerateRequest]:
    """Makes a greedy request from a user's text."""

    def make(text: str | tuple[Message, ...] = "Which lamp?", session: str = "s", **changes: Any) -> GenerateRequest:
        messages = (Message("user", text),) if isinstance(text, str) else text
        return GenerateRequest(messages, session, **{"seed": 1, "max_tokens": 12, "temperature": 0.0, **changes})

    return make


@pytest.fixture
def by_generate(tokenizer) -> Callable[..., list[int]]:
    """What transformers' own ``generate`` says greedily, as token ids without the end of the turn."""

    def run(model: Any, messages: tuple[Message, ...], max_tokens: int) -> list[int]:
        chat = [{"role": m.role, "content": m.content} for m in messages]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        new = out[0, ids.shape[1] :].tolist()
        return new[: new.index(tokenizer.eos_token_id)] if tokenizer.eos_token_id in new else new

    return run
