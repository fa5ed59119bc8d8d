"""Vectors in the residual stream: by row, by position, never by way of somebody's cache; and what is read there."""

import asyncio

import numpy as np
import pytest
import torch

from finchmark.suite.backends import HiddenRequest, Message, ScoreRequest, Steering
from finchmark.suite.broker import Broker
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

QUESTION = "The finch sat on the lamp and looked at the seven stones under the tree. Which lamp?"


def _vector(seed=0, size=64, scale=3.0):
    return scale * generator("steering test", seed).normal(size=size).astype(np.float32)


def _plain(model, tokenizer, text, continuation, steering):
    """Log-probabilities of a continuation by a plain forward pass whose stream is changed by hand."""
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
    )
    targets = tokenizer.encode(continuation)
    begins, whole = len(ids), ids + targets

    def hook(one):
        def add(module, args, output):
            hidden = output[0] if isinstance(output, tuple) else output
            hidden = hidden.clone()
            a = begins if one.where == "reply" else 0
            hidden[:, a:] += torch.from_numpy(one.strength * one.vector)
            return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

        return add

    hooks = [model.model.layers[s.layer].register_forward_hook(hook(s)) for s in steering]
    try:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([whole]), use_cache=False).logits[0].float().log_softmax(-1)
    finally:
        for h in hooks:
            h.remove()
    return [float(logits[begins + k - 1, t]) for k, t in enumerate(targets)]


@pytest.mark.parametrize("where", ["all", "reply"])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_scores_are_those_of_a_model_whose_stream_was_changed_by_hand(serve, model, tokenizer, where, layer):
    steering = (Steering(layer, _vector(), 0.7, where),)
    request = ScoreRequest((Message("user", QUESTION),), "seven and nine", "s", steering)
    scores = serve(lambda b: b.score(request))
    plain = serve(lambda b: b.score(ScoreRequest(request.messages, request.continuation, "s")))
    np.testing.assert_allclose(
        scores.logprobs, _plain(model, tokenizer, QUESTION, "seven and nine", steering), atol=1e-3
    )
    assert not np.allclose(scores.logprobs[1:], plain.logprobs[1:], atol=1e-2)


@pytest.mark.parametrize("where", ["all", "reply"])
def test_a_steered_reply_is_the_same_alone_in_company_and_in_later_turns(serve, ask, where):
    steering = (Steering(0, _vector(1), 1.0, where),)

    async def episode(backend, k, steered):
        messages, texts = (), []
        for turn in range(3):
            messages += (Message("user", f"{QUESTION} {k} {turn}"),)
            extra = {"steering": steering} if steered else {}
            done = await backend.generate(ask(messages, f"e{k}", max_tokens=12, **extra))
            texts.append(done.text)
            messages += (Message("assistant", done.text, done.token_ids),)
        return texts

    async def company(backend):
        return await asyncio.gather(*(episode(backend, k, k % 2 == 0) for k in range(6)))

    async def alone(backend):
        return [await episode(backend, k, k % 2 == 0) for k in range(6)]

    texts = serve(company)
    assert texts == serve(alone, cache_bytes=0)
    assert texts != serve(lambda b: asyncio.gather(*(episode(b, k, False) for k in range(6))))


def test_a_plain_row_never_uses_what_was_computed_for_a_steered_one(serve, ask):
    steered = ask(QUESTION, "a", steering=(Steering(0, _vector(2)),))

    async def use(backend):
        together = await asyncio.gather(backend.generate(steered), backend.generate(ask(QUESTION, "b")))
        return together, await backend.generate(ask(QUESTION, "a"))

    (first, second), after = serve(use)
    plain = serve(lambda b: b.generate(ask(QUESTION)))
    assert second.text == after.text == plain.text
    assert second.cached_tokens == 0
    assert first.text == serve(lambda b: b.generate(steered)).text


def test_the_padded_way_steers_too(serve, ask, monkeypatch):
    from finchmark.suite.backends import arena_runner

    requests = [
        ask(QUESTION * (k + 1), f"s{k}", steering=(Steering(k % 2, _vector(k), 0.5, w),))
        for k, w in enumerate(("all", "reply", "all", "reply"))
    ]

    async def use(backend):
        return [c.text for c in await asyncio.gather(*map(backend.generate, requests))]

    expected = serve(use)

    def refuse(self, *args, **kwargs):
        raise NotImplementedError("not today")

    monkeypatch.setattr(arena_runner.ArenaRunner, "__init__", refuse)
    assert serve(use) == expected


def test_hidden_states_are_those_of_transformers(serve, model, tokenizer):
    request = HiddenRequest((Message("user", QUESTION),), layers=(0, 1, -1), positions="all")
    states = serve(lambda b: b.hidden_states(request))
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}], add_generation_prompt=True, return_dict=False
    )
    with torch.inference_mode():
        theirs = model(input_ids=torch.tensor([ids]), output_hidden_states=True, use_cache=False).hidden_states
    np.testing.assert_allclose(states[0], theirs[1][0].numpy(), atol=1e-4)
    normed = model.model.norm(torch.from_numpy(states[1])).detach().numpy()  # theirs has the last norm in it
    np.testing.assert_allclose(normed, theirs[2][0].numpy(), atol=1e-3)
    np.testing.assert_array_equal(states[1], states[2])
    assert states.dtype == np.float32


def test_of_a_continuation_its_own_positions_are_given(serve, tokenizer):
    size = len(tokenizer.encode("seven and nine"))

    async def use(backend):
        ask = (Message("user", QUESTION),)
        everything = await backend.hidden_states(HiddenRequest(ask, (1,), "seven and nine", "all"))
        last = await backend.hidden_states(HiddenRequest(ask, (1,), "seven and nine"))
        return everything, last

    everything, last = serve(use)
    assert everything.shape == (1, size, 64)
    np.testing.assert_array_equal(last, everything[:, -1:])


def test_what_is_read_has_what_was_added(serve):
    vector = _vector(3)

    async def use(backend):
        messages = (Message("user", QUESTION),)
        plain = await backend.hidden_states(HiddenRequest(messages, (0,)))
        steered = await backend.hidden_states(HiddenRequest(messages, (0,), steering=(Steering(0, vector, 2.0),)))
        return plain, steered

    plain, steered = serve(use)
    np.testing.assert_allclose(steered[0, 0] - plain[0, 0], 2 * vector, atol=1e-4)


@pytest.mark.parametrize(
    ("request_of", "message"),
    [
        (lambda ask: ask(steering=(Steering(7, _vector()),)), "no layer 7: this model has 2"),
        (lambda ask: ask(steering=(Steering(0, np.ones(5)),)), "5 numbers, the residual stream 64"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(serve, ask, request_of, message):
    with pytest.raises(UsageError, match=message):
        serve(lambda b: b.generate(request_of(ask)))
    with pytest.raises(UsageError, match="no layer 9"):
        serve(lambda b: b.hidden_states(HiddenRequest((Message("user", "x"),), (9,))))


@pytest.mark.parametrize("vector", [np.ones((2, 2)), np.array([]), np.array([1.0, np.nan])])
def test_a_steering_vector_is_finite_and_flat(vector):
    with pytest.raises(ValueError, match="vector"):
        Steering(0, vector)


def test_equal_steerings_are_equal_and_cannot_be_changed():
    one, other = Steering(0, _vector()), Steering(0, _vector())
    assert one == other
    assert (
        len({one, other, Steering(0, _vector(), 2.0), Steering(1, _vector()), Steering(0, _vector(), where="reply")})
        == 4
    )
    with pytest.raises(ValueError, match="read-only"):
        one.vector[0] = 1


def test_a_backend_without_a_stream_refuses_and_never_ignores(ask):
    from finchmark.suite.backends.scripted import ScriptedBackend

    async def use(broker):
        with pytest.raises(UsageError, match="shows no hidden states"):
            await broker.backend.hidden_states(HiddenRequest((Message("user", "x"),), (0,)))
        steering = (Steering(0, _vector()),)
        with pytest.raises(UsageError, match="cannot steer"):
            await broker.generate(ask(steering=steering))
        with pytest.raises(UsageError, match="cannot steer"):
            await broker.score(ScoreRequest((Message("user", "x"),), "y", "s", steering))

    asyncio.run(use(Broker(ScriptedBackend("canned", replies=["<action>0</action>"]))))
