"""Log-probabilities are those of a plain forward pass over prompt and continuation."""

import asyncio

import pytest
import torch

from finchmark.suite.backends import Message, ScoreRequest

ASKED = [
    ("Which lamp?", "It is blue."),
    ("9", "<action>toggle lamp two</action>"),
    ("Turn the switch on, then turn it off again. " * 5, "s"),
    ("The finch sat on the lamp.", "The finch sat on the lamp and looked at the seven stones under the tree. " * 4),
]


def _request(text, continuation, session=""):
    return ScoreRequest((Message("user", text),), continuation, session)


def _manual(model, tokenizer, request):
    chat = [{"role": m.role, "content": m.content} for m in request.messages]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    ids = tokenizer.encode(request.continuation, add_special_tokens=False)
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    scores = logits.log_softmax(-1)
    return (
        ids,
        scores[range(len(ids)), ids].tolist(),
        [int(i) == t for i, t in zip(logits.argmax(-1), ids, strict=True)],
    )


def _check(results, requests, model, tokenizer):
    for result, request in zip(results, requests, strict=True):
        ids, scores, greedy = _manual(model, tokenizer, request)
        assert list(result.token_ids) == ids
        assert result.logprobs == pytest.approx(scores, abs=1e-4)
        assert list(result.greedy) == greedy


def test_scores_agree_with_a_plain_log_softmax(serve, model, tokenizer):
    requests = [_request(*a) for a in ASKED]

    async def use(backend):
        return await asyncio.gather(*map(backend.score, requests))

    _check(serve(use), requests, model, tokenizer)


def test_scores_in_small_chunks_are_the_same(serve, model, tokenizer, monkeypatch):
    from finchmark.suite.backends import arena_runner, runner

    monkeypatch.setattr(arena_runner, "_CHUNK", 16)
    monkeypatch.setattr(runner, "_LOGITS", 500)
    requests = [_request(*a) for a in ASKED]

    async def use(backend):
        return await asyncio.gather(*map(backend.score, requests))

    _check(serve(use), requests, model, tokenizer)


def test_scores_beside_rows_in_work_disturb_neither(serve, ask, model, tokenizer):
    request = _request(*ASKED[3])

    async def use(backend):
        long = asyncio.create_task(backend.generate(ask(max_tokens=60)))
        while not backend.stats()["active"]:
            await asyncio.sleep(0)
        return await backend.score(request), await long

    score, long = serve(use)
    _check([score], [request], model, tokenizer)
    assert long.text == serve(lambda b: b.generate(ask(max_tokens=60))).text


def test_a_session_that_was_generated_in_is_scored_from_its_cache(serve, ask, model, tokenizer):
    request = _request("Which lamp?", "It is blue.", "s")

    async def use(backend):
        await backend.generate(ask("Which lamp?", "s"))
        return await backend.score(request)

    _check([serve(use)], [request], model, tokenizer)


def test_greedy_replies_score_as_greedy(serve, ask):
    async def use(backend):
        done = await backend.generate(ask(max_tokens=10, stop=("\ufffd",)))
        return done, await backend.score(_request("Which lamp?", done.text))

    done, score = serve(use)
    if score.token_ids == done.token_ids:  # else the text has another spelling in tokens
        assert all(score.greedy)


def test_an_empty_continuation_has_no_scores(serve):
    result = serve(lambda b: b.score(_request("9", "")))
    assert (result.token_ids, result.total) == ((), 0)


def test_a_model_served_in_waves_scores_too(serve, model, tokenizer, monkeypatch):
    from finchmark.suite.backends import arena_runner

    def refuse(self, *args, **kwargs):
        raise NotImplementedError("not today")

    monkeypatch.setattr(arena_runner.ArenaRunner, "__init__", refuse)
    requests = [_request(*a) for a in ASKED]

    async def use(backend):
        return await asyncio.gather(*map(backend.score, requests))

    _check(serve(use), requests, model, tokenizer)
