"""Sampling: the distribution, the nucleus, seeds, and independence of the batch."""

import asyncio

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from finchmark.suite.backends.sampling import BROKEN, Uniforms, pick


def _reference(logits, temperature, top_p):
    """Probabilities by the definition, one row, in plain Python."""
    x = np.asarray(logits, dtype=np.float64) / temperature
    p = np.exp(x - x.max())
    p /= p.sum()
    kept, mass = np.zeros_like(p), 0.0
    for i in sorted(range(len(p)), key=lambda i: (-p[i], i)):
        if mass >= top_p:
            break
        kept[i] = p[i]
        mass += p[i]
    return kept / kept.sum()


def _grid(n):
    return [(k + 0.5) / n for k in range(n)]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (1.5, 0.5), (1.0, 0.05), (2.0, 0.999)])
def test_shares_are_those_of_the_definition(temperature, top_p):
    logits = torch.tensor(np.random.Generator(np.random.PCG64(1)).normal(size=40) * 2, dtype=torch.float32)
    n = 20_000
    tokens = pick(logits.expand(n, -1), [temperature] * n, [top_p] * n, _grid(n))
    counts = np.bincount(tokens, minlength=40)
    expected = _reference(logits.numpy(), temperature, top_p)
    assert np.abs(counts / n - expected).max() < 2 / n + 1e-4  # an even grid of uniforms gives the shares exactly


def test_random_uniforms_pass_a_chi_square_test():
    logits = torch.tensor([0.1, 1.0, -2.0, 0.5, 3.0])
    n = 5_000
    uniforms = Uniforms(7)
    tokens = pick(logits.expand(n, -1), [1.0] * n, [1.0] * n, [uniforms.take() for _ in range(n)])
    expected = _reference(logits.numpy(), 1.0, 1.0) * n
    assert chisquare(np.bincount(tokens, minlength=5), expected).pvalue > 1e-3


@pytest.mark.parametrize("spread", [0.0, 0.05, 3.0])
def test_the_quick_nucleus_of_a_large_vocabulary_is_the_exact_one(spread):
    """With a flat distribution the nucleus is larger than what is tried first, and full of ties."""
    rng = np.random.Generator(np.random.PCG64(2))
    logits = torch.tensor(np.round(rng.normal(size=5_000) * spread, 1), dtype=torch.float32)
    n, top_p = 64, 0.8
    tokens = pick(logits.expand(n, -1), [1.0] * n, [top_p] * n, _grid(n))
    p = _reference(logits.numpy(), 1.0, top_p)
    order = np.array(sorted(range(5_000), key=lambda i: (-p[i], i)))
    cumulative = p[order].cumsum()
    assert tokens == [int(order[np.searchsorted(cumulative, u, side="right")]) for u in _grid(n)]


def test_temperature_zero_takes_the_most_likely_token_beside_sampled_rows():
    logits = torch.tensor([[0.0, 5.0, 1.0]] * 3)
    assert pick(logits, [0.0, 1.0, 1.0], [1.0, 1.0, 0.9], [0.999, 0.999, 0.999]) == [1, 2, 1]


def test_the_largest_uniform_never_picks_an_impossible_token():
    logits = torch.tensor([[1.0, 2.0, -torch.inf, -torch.inf]])
    assert pick(logits, [1.0], [1.0], [1 - 2.0**-53]) == [1]
    assert pick(logits, [1.0], [0.999999], [1 - 2.0**-53]) in ([0], [1])


@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (1.0, 1.0), (1.0, 0.5)])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_are_reported(temperature, top_p, bad):
    logits = torch.tensor([[1.0, bad, 0.0], [1.0, 2.0, 0.0]])
    tokens = pick(logits, [temperature] * 2, [top_p] * 2, [0.5, 0.5])
    assert tokens[0] == BROKEN
    assert tokens[1] != BROKEN


def test_a_seed_names_one_sequence_of_uniforms():
    first, again, other = Uniforms(3), Uniforms(3), Uniforms(4)
    a, b, c = ([u.take() for _ in range(600)] for u in (first, again, other))
    assert a == b
    assert a != c
    assert all(0 <= x < 1 for x in a)


def _sampled(ask, k, **changes):
    return ask(f"Which lamp {k}?" * (1 + k % 3), f"s{k}", seed=k, temperature=0.8, max_tokens=16 + k, **changes)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_a_sample_is_the_same_alone_in_a_batch_and_in_another_order(serve, ask, top_p):
    requests = [_sampled(ask, k, top_p=top_p) for k in range(7)]

    async def alone(backend):
        return [await backend.generate(r) for r in requests]

    async def together(backend):
        return await asyncio.gather(*map(backend.generate, requests))

    async def turned(backend):
        return (await asyncio.gather(*map(backend.generate, requests[::-1])))[::-1]

    texts = [[c.text for c in serve(use, batch_size=size)] for use, size in ((alone, 8), (together, 8), (turned, 3))]
    assert texts[0] == texts[1] == texts[2]


def test_another_seed_gives_another_sample(serve, ask):
    async def use(backend):
        return await asyncio.gather(
            *(backend.generate(ask(session=f"s{k}", seed=k, temperature=1.0, max_tokens=20)) for k in range(6))
        )

    assert len({c.text for c in serve(use)}) == 6


def test_torchs_global_generator_is_left_alone(serve, ask):
    before = torch.random.get_rng_state()
    serve(lambda b: b.generate(ask(temperature=1.0)))
    assert torch.equal(before, torch.random.get_rng_state())
