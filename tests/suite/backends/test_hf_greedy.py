"""Greedy replies are those of transformers' own generate, token for token, however rows come and go."""

import asyncio

import pytest
import torch

from finchmark.suite.backends import Message

QUESTIONS = [
    "Which lamp?",
    "The finch sat on the lamp and looked at the seven stones under the tree. What colour is the second lamp?",
    "9",
    "Turn the switch on, then turn it off again. " * 6,
    "Žluťoučký kůň 🐦",
    "Answer with one word.",
    "Every year the rain came late.",
]


def _visible(tokenizer, ids):
    return tuple(i for i in ids if i not in tokenizer.all_special_ids)


def _check(done, requests, by_generate, tokenizer, model):
    for completion, request in zip(done, requests, strict=True):
        expected = by_generate(model, request.messages, request.max_tokens)
        assert completion.completion_tokens == len(expected)
        visible = _visible(tokenizer, expected)
        text = tokenizer.decode(visible)
        if completion.finish_reason == "length" and text.endswith("\ufffd"):  # cut off inside a character: left out
            assert completion.text == tokenizer.decode(completion.token_ids) == text.rstrip("\ufffd")
        else:
            assert completion.token_ids == visible


def test_one_request_alone_agrees_with_generate(serve, ask, by_generate, tokenizer, model):
    request = ask(QUESTIONS[0], max_tokens=40)
    done = serve(lambda b: b.generate(request))
    _check([done], [request], by_generate, tokenizer, model)


def test_a_ragged_batch_agrees_with_generate(serve, ask, by_generate, tokenizer, model):
    requests = [ask(q, f"s{i}", max_tokens=30) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests))

    _check(serve(use), requests, by_generate, tokenizer, model)


def test_rows_that_end_early_make_room_without_disturbing_others(serve, ask, by_generate, tokenizer, model):
    requests = [ask(q, f"s{i}{k}", max_tokens=3 + 5 * ((i + k) % 6)) for k in range(3) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests))

    _check(serve(use, batch_size=3), requests, by_generate, tokenizer, model)


def test_a_late_request_joins_a_batch_in_work(serve, ask, by_generate, tokenizer, model):
    requests = [ask(q, f"s{i}", max_tokens=40) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        async def late(i):
            while backend.stats()["steps"] < 3 * i:
                await asyncio.sleep(0)
            return await backend.generate(requests[i])

        return await asyncio.gather(*(late(i) for i in range(len(requests))))

    _check(serve(use), requests, by_generate, tokenizer, model)


@pytest.mark.parametrize(("cache_bytes", "least", "most"), [(None, 0.6, 1), (60_000, 0.2, 1), (0, 0, 0.5)])
def test_turns_agree_with_generate_with_and_without_reuse(
    serve, ask, by_generate, tokenizer, model, cache_bytes, least, most
):
    async def episode(backend, k):
        messages, seen = (Message("system", "You are a helpful agent."),), []
        for turn in range(4):
            messages += (Message("user", QUESTIONS[(k + turn) % len(QUESTIONS)]),)
            request = ask(messages, f"episode {k}", max_tokens=10 + k)
            completion = await backend.generate(request)
            seen.append((completion, request))
            messages += (Message("assistant", completion.text, completion.token_ids),)
        return seen

    async def use(backend):
        done = await asyncio.gather(*(episode(backend, k) for k in range(6)))
        return done, backend.stats()

    episodes, stats = serve(use, batch_size=4, cache_bytes=cache_bytes)
    for seen in episodes:
        for completion, request in seen:
            ids = [t for m in request.messages[:-1] if m.token_ids for t in m.token_ids]
            text = tokenizer.decode(ids)
            if tokenizer.encode(text) == ids:  # else the plain text is another prompt
                _check([completion], [request], by_generate, tokenizer, model)
    share = stats["cached_tokens"] / (stats["cached_tokens"] + stats["prefilled_tokens"])
    assert least <= share <= most  # rows in work share the system prompt even without a cache


def test_reuse_spares_all_but_the_new_turn(serve, ask):
    async def use(backend):
        first = await backend.generate(ask(QUESTIONS[3], max_tokens=8))
        history = (Message("user", QUESTIONS[3]), Message("assistant", first.text, first.token_ids))
        second = await backend.generate(ask((*history, Message("user", "9")), max_tokens=8))
        return first, second

    first, second = serve(use)
    assert second.cached_tokens >= first.prompt_tokens + len(first.token_ids) - 1
    assert second.cached_tokens < second.prompt_tokens


def test_eviction_under_a_tiny_cache_gives_the_same_replies(serve, ask):
    async def use(backend):
        replies = []
        for turn in range(3):
            requests = [ask(f"{q} {turn}", f"s{i}") for i, q in enumerate(QUESTIONS)]
            replies += [c.token_ids for c in await asyncio.gather(*map(backend.generate, requests))]
        return replies

    assert serve(use, cache_bytes=40_000) == serve(use)


def test_equal_prompts_are_computed_once(serve, ask, by_generate, tokenizer, model):
    requests = [ask(QUESTIONS[1], f"s{i}", max_tokens=20) for i in range(6)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests)), backend.stats()

    done, stats = serve(use)
    _check(done, requests, by_generate, tokenizer, model)
    assert stats["prefilled_tokens"] == done[0].prompt_tokens


def test_a_long_prompt_is_computed_in_chunks(serve, ask, by_generate, tokenizer, model, monkeypatch):
    from finchmark.suite.backends import arena_runner

    monkeypatch.setattr(arena_runner, "_CHUNK", 16)
    requests = [ask(q, f"s{i}", max_tokens=20) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests))

    _check(serve(use), requests, by_generate, tokenizer, model)


def test_a_llama_is_run_the_quick_way(serve):
    async def use(backend):
        return backend.describe()["way"]

    assert serve(use) == "grouped"


def test_a_way_that_computes_something_else_is_not_taken(serve, ask, by_generate, tokenizer, model, monkeypatch):
    from finchmark.suite.backends import attention

    monkeypatch.setattr(attention, "_repeated", lambda mask, groups: mask.repeat_interleave(groups, 2))
    request = ask(QUESTIONS[1], max_tokens=20)

    async def use(backend):
        return await backend.generate(request), backend.describe()["way"]

    done, way = serve(use)
    assert way.startswith("arena (grouped: ArithmeticError")
    _check([done], [request], by_generate, tokenizer, model)


def test_a_tokens_reach_is_the_sliding_window_in_the_cache_too(serve, ask, by_generate, tokenizer):
    """Turns whose cached part is far longer than the window."""
    model = _made("Mistral", **_kinds(len(tokenizer))["Mistral"])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    first = ask(QUESTIONS[3], max_tokens=8)

    async def use(backend):
        done = await backend.generate(first)
        second = ask((*first.messages, Message("assistant", done.text), Message("user", "9")), max_tokens=20)
        return second, await backend.generate(second)

    second, done = serve(use, served=model)
    assert done.cached_tokens > 50
    _check([done], [second], by_generate, tokenizer, model)


def _made(kind, **settings):
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = getattr(transformers, f"{kind}Config")(**settings)
        return getattr(transformers, {"GPT2": "GPT2LMHeadModel"}.get(kind, f"{kind}ForCausalLM"))(config).eval()


def _kinds(words):
    common = {
        "vocab_size": words,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.25,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    sliding = {"sliding_window": 12, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
    return {
        "Mistral": {**common, "sliding_window": 10},
        "Qwen2": {**common, "use_sliding_window": True, **sliding},
        "Gemma2": {**common, "head_dim": 16, **sliding},
        "GPTNeoX": {k: v for k, v in common.items() if k != "num_key_value_heads"},
        "GPT2": {
            "vocab_size": words,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "n_embd": 64,
            "n_layer": 2,
            "n_head": 4,
            "n_positions": 512,
            "initializer_range": 0.3,
        },
    }


@pytest.mark.parametrize("kind", ["Mistral", "Qwen2", "Gemma2", "GPTNeoX", "GPT2"])
def test_other_architectures_agree_with_generate(serve, ask, by_generate, tokenizer, kind):
    model = _made(kind, **_kinds(len(tokenizer))[kind])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    requests = [ask(q, f"s{i}", max_tokens=20) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests)), backend.describe()["way"]

    done, way = serve(use, served=model)
    assert way.split()[0] in ("grouped", "arena")
    _check(done, requests, by_generate, tokenizer, model)


def test_a_recurrent_model_is_served_in_waves(serve, ask, by_generate, tokenizer):
    model = _made("Mamba", vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=8, eos_token_id=2)
    requests = [ask(q, f"s{i}", max_tokens=3 + 4 * i) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests)), backend.describe()["way"]

    done, way = serve(use, served=model)
    assert way.startswith("padded")
    _check(done, requests, by_generate, tokenizer, model)


def test_the_padded_way_agrees_with_generate(serve, ask, by_generate, tokenizer, model, monkeypatch):
    from finchmark.suite.backends import arena_runner

    def refuse(self, *args, **kwargs):
        raise NotImplementedError("not today")

    monkeypatch.setattr(arena_runner.ArenaRunner, "__init__", refuse)
    requests = [ask(q, f"s{i}", max_tokens=3 + 4 * i) for i, q in enumerate(QUESTIONS)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests)), backend.describe()["way"]

    done, way = serve(use, batch_size=4)
    assert way.startswith("padded")
    _check(done, requests, by_generate, tokenizer, model)


def test_a_model_that_was_handed_over_gets_its_attention_back(serve, ask, model):
    before = model.config._attn_implementation
    serve(lambda b: b.generate(ask()))
    assert model.config._attn_implementation == before
