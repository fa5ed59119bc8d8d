"""Divergence over a server: a true lower bound of what the same model gives in full."""

import asyncio
import math

import pytest

import finchmark
from finchmark.suite.backends import Message
from finchmark.suite.backends.base import DivergenceRequest
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.conformance import check_backend
from finchmark.suite.errors import BackendError, UsageError

from .model_server import ModelServer

PAIRS = [
    ("Which lamp?", "What colour is the lamp? It is blue.", "It is blue."),
    ("The finch sat on the lamp. " * 9, "9", "The finch looked at the seven stones."),
]


def asked(test, reference, reply, **changes):
    return DivergenceRequest((Message("user", test),), (Message("user", reference),), reply, **changes)


def diverged(server, *requests, **arguments):
    async def go():
        backend = OpenAIBackend("toy", base_url=server.url, tries=2, patience=1, **arguments)
        await backend.start()
        try:
            return backend, [await backend.diverge(one) for one in requests]
        finally:
            await backend.aclose()

    return asyncio.run(go())


@pytest.fixture
def sharp(llama, tokenizer):
    """A toy that is surer of its words than a random one."""
    return llama(tokenizer, initializer_range=0.6, max_position_embeddings=8192)


def test_it_lies_below_the_whole_and_reaches_it_with_the_whole_vocabulary(sharp, tokenizer, serve):
    requests = [asked(*texts) for texts in PAIRS]

    async def whole(backend):
        return [await backend.diverge(one) for one in requests]

    true = serve(whole, served=sharp)
    before = [0.0] * len(requests)
    with ModelServer(sharp, tokenizer, most_logprobs=10**6) as server:
        for count in (1, 5, 20, len(tokenizer)):
            _, found = diverged(server, *requests, diverge=count)
            for k, (one, other) in enumerate(zip(found, true, strict=True)):
                assert not one.exact
                assert len(one.kl) == len(other.kl)
                # Beyond float32 of two ways to compute the same.
                assert all(a <= b + 2e-5 for a, b in zip((*one.kl, *one.js), (*other.kl, *other.js), strict=True))
                assert sum(one.kl) > before[k] or count == 1
                before[k] = sum(one.kl)
        for one, other in zip(found, true, strict=True):
            assert one.kl == pytest.approx(other.kl, abs=1e-4)
            assert one.js == pytest.approx(other.js, abs=1e-4)
        _, (few,) = diverged(server, asked(*PAIRS[0], top_k=2))
        _, (same,) = diverged(server, asked(*PAIRS[0]), diverge=2)
        assert few == same


def test_a_prompt_is_not_apart_from_itself_and_an_empty_reply_has_no_tokens(sharp, tokenizer):
    with ModelServer(sharp, tokenizer) as server:
        _, (same, none) = diverged(server, asked("Which lamp?", "Which lamp?", "It is blue."), asked("a", "b", ""))
    assert same.kl == same.js == (0.0,) * len(same.kl)
    assert len(same.kl) > 2
    assert none.kl == ()


def test_it_passes_the_conformance_suite(sharp, tokenizer):
    with ModelServer(sharp, tokenizer) as server:
        check_backend(lambda: OpenAIBackend("toy", base_url=server.url))


@pytest.mark.parametrize(
    ("given", "features", "arguments"),
    [
        ({"owner": "llamacpp"}, (), {}),
        ({}, ("prompt_logprobs", "tokenize"), {"score": "none"}),
        ({}, ("prompt_logprobs", "tokenize"), {"diverge": 0}),
        ({}, ("prompt_logprobs", "tokenize"), {"api": "completions", "score": "echo"}),
    ],
)
def test_a_server_that_gives_none_says_so_beforehand(sharp, tokenizer, given, features, arguments):
    with (
        ModelServer(sharp, tokenizer, features=("models", *features), **given) as server,
        pytest.raises(UsageError, match="compares no predictions"),
    ):
        diverged(server, asked(*PAIRS[0]), **arguments)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"most_logprobs": 5}, "greater than max allowed: 5"),
        ({"features": ("models", "tokenize")}, "no prompt_logprobs"),
        ({"features": ("models", "prompt_logprobs")}, "not there"),
    ],
)
def test_a_server_that_refuses_is_asked_no_more(sharp, tokenizer, given, said, caplog):
    async def go(server):
        backend = OpenAIBackend("toy", base_url=server.url)
        await backend.start()
        try:
            assert backend.capabilities.divergence
            with pytest.raises(UsageError, match=said):
                await backend.diverge(asked(*PAIRS[0]))
            assert not backend.capabilities.divergence
        finally:
            await backend.aclose()

    server = ModelServer(sharp, tokenizer, **given)
    if "tokenize" not in server.features:
        server._tokenize = super(ModelServer, server)._tokenize
    with server:
        asyncio.run(go(server))
    assert "predictions are not compared" in caplog.text


def test_a_passing_fault_ends_one_request_and_not_the_comparisons(sharp, tokenizer):
    with ModelServer(sharp, tokenizer, faults=lambda number: "500" if number < 2 else "") as server:

        async def go():
            backend = OpenAIBackend("toy", base_url=server.url, tries=2)
            await backend.start()
            try:
                with pytest.raises(BackendError, match="failed 2 times"):
                    await backend.diverge(asked(*PAIRS[0]))
                return await backend.diverge(asked(*PAIRS[0]))
            finally:
                await backend.aclose()

        assert asyncio.run(go()).kl


LIES: list[dict[str, dict[str, float]] | None] = [
    {"1": {"logprob": 0.0}, "2": {"logprob": 0.0}},
    {"lamp": {"logprob": -1.0}},
    {"3": {"rank": 1}},
    None,
]


@pytest.mark.parametrize("lie", LIES)
def test_places_that_lie_are_faults(sharp, tokenizer, lie):
    class Liar(ModelServer):
        def places(self, tokens, count):
            told = super().places(tokens, count)[1:]
            return [None, *(None if lie is None else {**(place or {}), **lie} for place in told)]

    with Liar(sharp, tokenizer) as server, pytest.raises(BackendError):
        diverged(server, asked(*PAIRS[0]))


def rewritten(server, out, **arguments):
    return finchmark.evaluate(
        "drift/rewrite",
        "openai:toy",
        model_args={"base_url": server.url, **arguments},
        tier="smoke",
        samples=1,
        limit=1,
        arms=["null", "plain"],
        out=out,
    )


def test_a_drift_task_records_bounds_under_a_name_of_their_own(sharp, tokenizer, tmp_path):
    with ModelServer(sharp, tokenizer) as server:
        run = rewritten(server, tmp_path / "r")
    for sample in run.samples():
        found = [turn.scores for turn in sample.turns if "similarity" in turn.scores]  # what is asked beside has none
        assert not any("kl" in scores or "js" in scores for scores in found)
        bounds = [scores["kl_at_least"] for scores in found]
        assert len(bounds) == 4
        # At the first turn nothing has been said that the re-grounded prompt lacks.
        assert bounds[0] == 0
        assert min(bounds[1:]) > 1e-4
        assert max(scores["js_at_least"] for scores in found) <= math.log(2)
        assert sample.metrics["kl_at_least"] == pytest.approx(sum(bounds) / 4)
        assert sample.metrics["kl"] is None


def test_where_the_server_gives_none_a_drift_task_runs_without(sharp, tokenizer, tmp_path):
    with ModelServer(sharp, tokenizer, most_logprobs=1) as server:
        run = rewritten(server, tmp_path / "r")
    assert run.manifest.complete
    for sample in run.samples():
        assert sample.outcome != "error"
        assert not any(name.startswith(("kl", "js")) for turn in sample.turns for name in turn.scores)
