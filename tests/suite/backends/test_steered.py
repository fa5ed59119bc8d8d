"""A steered model is another model: its tokens, its identity, its keys; and the company it keeps changes nothing."""

import asyncio
import dataclasses

import numpy as np
import pytest

from finchmark.suite.backends import HiddenRequest, Message, ScoreRequest, Steering
from finchmark.suite.backends.cached import CachedBackend
from finchmark.suite.backends.direction import Choices, Direction
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.local import LocalBackend
from finchmark.suite.backends.response_cache import ResponseCache
from finchmark.suite.backends.steered import SteeredBackend
from finchmark.suite.backends.vector_file import VectorFile, write_vector
from finchmark.suite.broker import Broker
from finchmark.suite.errors import SpecMismatch, UsageError
from finchmark.suite.evaluation import make_backend
from finchmark.suite.seeds import generator

QUESTION = "The finch sat on the lamp and looked at the seven stones under the tree. Which lamp?"


def _backend(model, tokenizer):
    return HFBackend("toy", model_object=model, tokenizer_object=tokenizer, batch_size=8)


@pytest.fixture
def vector(model, tokenizer):
    values = (3 * generator("steered test").normal(size=64)).astype(np.float32)
    identity = _backend(model, tokenizer).identity()
    return VectorFile(identity, 0, Choices(), Direction(values, 8, 0.5, 1.0, 9.0, 1.0), "principal", "00")


@pytest.fixture
def served(model, tokenizer):
    def run(use, *, wrap=lambda b: b):
        async def main():
            backend = wrap(_backend(model, tokenizer))
            await asyncio.to_thread(backend.locate)
            try:
                await backend.start()
                return await asyncio.wait_for(use(backend), 120)
            finally:
                await backend.aclose()

        return asyncio.run(main())

    return run


async def _all(backend, ask, n=6):
    done = await asyncio.gather(
        *(backend.generate(ask(f"{QUESTION} {k}", f"s{k}", temperature=0.7, seed=k)) for k in range(n))
    )
    return [d.text for d in done]


@pytest.mark.parametrize("where", ["all", "reply"])
def test_at_strength_0_every_token_stays(served, ask, vector, where):
    plain = served(lambda b: _all(b, ask))
    assert served(lambda b: _all(b, ask), wrap=lambda b: SteeredBackend(b, vector, strength=0, where=where)) == plain
    assert served(lambda b: _all(b, ask), wrap=lambda b: SteeredBackend(b, vector, strength=2, where=where)) != plain


def test_it_is_the_request_with_the_vector_in_it(served, ask, vector):
    steering = (Steering(0, vector.direction.vector, 1.5, "reply"),)

    async def by_request(backend):
        reply = await backend.generate(ask(QUESTION, steering=steering))
        scores = await backend.score(ScoreRequest((Message("user", QUESTION),), "nine", "s", steering))
        states = await backend.hidden_states(HiddenRequest((Message("user", QUESTION),), (1,), "nine", "all", steering))
        return reply.text, scores.logprobs, states

    async def by_backend(backend):
        reply = await backend.generate(ask(QUESTION))
        scores = await backend.score(ScoreRequest((Message("user", QUESTION),), "nine", "s"))
        states = await backend.hidden_states(HiddenRequest((Message("user", QUESTION),), (1,), "nine", "all"))
        return reply.text, scores.logprobs, states

    one = served(by_request)
    other = served(by_backend, wrap=lambda b: SteeredBackend(b, vector, strength=1.5, where="reply"))
    assert one[0] == other[0]
    assert one[1] == other[1]
    np.testing.assert_array_equal(one[2], other[2])


@pytest.mark.parametrize("where", ["all", "reply"])
def test_rows_of_several_strengths_say_in_one_batch_what_they_say_alone(served, ask, vector, where):
    """Through one decode loop, over turns, so that prefixes are shared, kept and lent."""
    strengths = (0.0, 1.0, 0.0, -1.5, 1.0)

    async def episode(backend, k):
        messages, texts = (), []
        for turn in range(3):
            messages += (Message("user", f"{QUESTION} {turn}"),)
            steering = (Steering(0, vector.direction.vector, strengths[k], where),) if strengths[k] else ()
            done = await backend.generate(ask(messages, f"e{k}", max_tokens=8 + k, steering=steering))
            texts.append(done.text)
            messages += (Message("assistant", done.text, done.token_ids),)
        return texts

    async def company(backend):
        return await asyncio.gather(*(episode(backend, k) for k in range(5)))

    async def steered(backend, k):
        messages, texts = (), []
        for turn in range(3):
            messages += (Message("user", f"{QUESTION} {turn}"),)
            done = await backend.generate(ask(messages, f"e{k}", max_tokens=8 + k))
            texts.append(done.text)
            messages += (Message("assistant", done.text, done.token_ids),)
        return texts

    together = served(company)
    for k, strength in tuple(enumerate(strengths))[1:4]:
        wrap = lambda b, s=strength: SteeredBackend(b, vector, strength=s, where=where)  # noqa: E731 - short
        assert served(lambda b, k=k: steered(b, k), wrap=wrap) == together[k]
    assert together[0] != together[1]


def test_identities_differ_by_vector_strength_and_place(model, tokenizer, vector):
    plain = _backend(model, tokenizer)
    other = VectorFile(vector.model, 1, vector.choices, vector.direction, "principal", "00")
    made = [
        plain,
        *(SteeredBackend(plain, vector, strength=s) for s in (0, 1, 1 + 1e-9, -1)),
        SteeredBackend(plain, vector, where="reply"),
        SteeredBackend(plain, other),
    ]
    from finchmark.suite.canonical import content_hash

    assert len({content_hash(b.identity(), digits=16) for b in made}) == len(made)
    assert SteeredBackend(plain, vector, strength="1").identity() == made[2].identity()
    assert {**made[1].identity(), "steering": None} == {**plain.identity(), "steering": None}


def test_runs_of_a_plain_and_a_steered_model_share_no_key(model, tokenizer, vector, tmp_path):
    path = write_vector(vector, tmp_path)
    plain, _ = make_backend("hf:smollm2", {})
    found = [make_backend("hf:smollm2", {"steering": str(path), "steering_strength": s}) for s in (0, 0.1, 0.2)]
    assert len({str(c.args) for c in (plain, *(choice for choice, _ in found))}) == 4
    assert all(isinstance(b, SteeredBackend) for _, b in found)


def test_a_steered_run_is_of_another_specification(model, tokenizer, vector, tmp_path):
    from finchmark import evaluate

    def run(name, wrap):
        backend = wrap(_backend(model, tokenizer))
        return evaluate("odyssey/lights", backend, out=tmp_path / name, samples=1, limit=1, max_tokens=2).manifest

    plain = run("a", lambda b: b)
    steered = run("b", lambda b: SteeredBackend(b, vector, strength=1e-9))
    assert plain.spec.model_identity != steered.spec.model_identity
    assert plain.spec_hash != steered.spec_hash
    assert steered.model["steering"] == {"vector": vector.digest, "layer": 0, "strength": "1e-09", "where": "all"}
    with pytest.raises(SpecMismatch):
        run("a", lambda b: SteeredBackend(b, vector, strength=1e-9))


def test_a_response_cache_never_lends_a_plain_answer(served, ask, vector, tmp_path):
    def cached(wrap):
        return lambda b: CachedBackend(wrap(b), ResponseCache(tmp_path / "cache.sqlite"))

    plain = served(lambda b: _all(b, ask, 2), wrap=cached(lambda b: b))
    strong = cached(lambda b: SteeredBackend(b, vector, strength=2))
    texts = served(lambda b: _all(b, ask, 2), wrap=strong)
    assert texts != plain

    async def again(backend):
        done = await backend.generate(ask(f"{QUESTION} 0", "s0", temperature=0.7, seed=0))
        return done.text, done.replayed

    assert served(again, wrap=strong) == (texts[0], True)
    assert served(again, wrap=cached(lambda b: SteeredBackend(b, vector, strength=2.5)))[1] is False


def test_another_model_is_refused_before_it_starts(served, ask, vector):
    other = dataclasses.replace(vector, model={**vector.model, "sha256": "00" * 32, "name": "elsewhere"})
    with pytest.raises(UsageError, match="belongs to elsewhere, not to toy: their sha256 differ"):
        served(lambda b: _all(b, ask), wrap=lambda b: SteeredBackend(b, other))


@pytest.mark.parametrize(
    ("layer", "width", "match"), [(7, 64, "no layer 7: this model has 2"), (0, 5, "5 numbers, the residual stream 64")]
)
def test_another_shape_is_refused_at_the_start(served, ask, vector, layer, width, match):
    direction = dataclasses.replace(vector.direction, vector=np.ones(width, dtype=np.float32))
    other = dataclasses.replace(vector, layer=layer, direction=direction)
    with pytest.raises(UsageError, match=match):
        served(lambda b: _all(b, ask), wrap=lambda b: SteeredBackend(b, other))


def test_a_backend_without_a_stream_is_refused(vector):
    from finchmark.suite.backends.scripted import ScriptedBackend

    backend = SteeredBackend(
        ScriptedBackend("canned", replies=["x"]), dataclasses.replace(vector, model={"name": "scripted:canned"})
    )
    with pytest.raises(UsageError, match="cannot steer"):
        asyncio.run(backend.start())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"steering_strength": 1}, "need steering"),
        ({"steering_where": "all"}, "need steering"),
        ({"steering": "nowhere.json"}, "there is no steering vector"),
    ],
)
def test_arguments_that_say_nothing_are_refused(arguments, match):
    with pytest.raises(UsageError, match=match):
        LocalBackend("smollm2", **arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"strength": "much"}, "must be a number"),
        ({"strength": float("inf")}, "must be a number"),
        ({"where": "here"}, "'all' or 'reply'"),
    ],
)
def test_values_that_are_none_are_refused(model, tokenizer, vector, arguments, match):
    with pytest.raises(UsageError, match=match):
        SteeredBackend(_backend(model, tokenizer), vector, **arguments)


def test_the_rest_is_the_models(served, ask, vector):
    async def use(backend):
        broker = Broker(backend)
        await broker.generate(ask(QUESTION))
        backend.release("s")
        stats = broker.stats()
        return (
            backend.capabilities.steering,
            stats["generated_tokens"] > 0,
            backend.describe()["batch_size"],
            backend.notice(),
        )

    assert served(use, wrap=lambda b: SteeredBackend(b, vector)) == (True, True, 8, "")
