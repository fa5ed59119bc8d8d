"""What was computed once is not computed again, whoever asks; and long prompts do not stop those who are speaking."""

import asyncio
from itertools import pairwise

import numpy as np
import pytest
import torch

from finchmark.suite.backends import GenerateRequest, Message, ScoreRequest
from finchmark.suite.backends.arena_runner import ArenaRunner

LONG = "Turn the switch on, then turn it off again. " * 8


def _texts(done):
    return [c.text for c in done]


def test_prompts_of_one_admission_share_their_beginning(serve, ask):
    requests = [ask(LONG + f"Lamp {k % 3}?", f"s{k}", seed=k, temperature=1.0, max_tokens=15) for k in range(8)]

    async def together(backend):
        return await asyncio.gather(*map(backend.generate, requests)), backend.stats()

    async def apart(backend):
        return [await backend.generate(r) for r in requests]

    done, stats = serve(together)
    assert _texts(done) == _texts(serve(apart, cache_bytes=0))
    size = done[0].prompt_tokens
    assert stats["prefilled_tokens"] < size + 2 * 32  # one prompt, and the ends of two that differ from it
    assert stats["cached_tokens"] + stats["prefilled_tokens"] == sum(c.prompt_tokens for c in done)


def test_a_row_in_work_lends_its_prompt(serve, ask, endless):
    async def use(backend):
        first = asyncio.create_task(backend.generate(ask(LONG + "9", "s0", max_tokens=60)))
        while backend.stats()["active"] < 1:
            await asyncio.sleep(0.001)
        second = await backend.generate(ask(LONG + "Which lamp?", "s1", max_tokens=5))
        return await first, second

    first, second = serve(use, served=endless, cache_bytes=0)
    assert second.cached_tokens > first.prompt_tokens - 16
    assert second.text == serve(lambda b: b.generate(ask(LONG + "Which lamp?", max_tokens=5)), served=endless).text


def _traced(monkeypatch):
    """Notes each forward pass: how many tokens a row, and how many rows."""
    passes = []
    forward = ArenaRunner._forward

    def traced(self, first, rows, ids, *rest):
        passes.append(ids.shape)
        return forward(self, first, rows, ids, *rest)

    monkeypatch.setattr(ArenaRunner, "_forward", traced)
    return passes


def test_a_long_prompt_is_computed_in_pieces_between_the_steps_of_others(serve, ask, endless, monkeypatch):
    long = " ".join(str((7 * k) % 10) for k in range(300))

    async def use(backend):
        backend._decode.runner.beside_tokens = 64
        short = [asyncio.create_task(backend.generate(ask(f"Lamp {k}?", f"s{k}", max_tokens=90))) for k in range(3)]
        while backend.stats()["active"] < 3:
            await asyncio.sleep(0.001)
        passes = _traced(monkeypatch)
        late = await backend.generate(ask(long, "late", max_tokens=8))
        return [late, *await asyncio.gather(*short)], passes

    done, passes = serve(use, served=endless)
    columns = [shape[1] for shape in passes[: passes.index((4, 1))]]
    pieces = [k for k, n in enumerate(columns) if n > 1]
    assert len(pieces) > 4
    assert max(columns) <= 64
    assert all(b - a == 2 for a, b in pairwise(pieces)), columns  # one step of the others between

    async def alone(backend):
        requests = [ask(long, "late", max_tokens=8), *(ask(f"Lamp {k}?", f"s{k}", max_tokens=90) for k in range(3))]
        return [await backend.generate(r) for r in requests]

    assert _texts(done) == _texts(serve(alone, served=endless))


def test_rows_that_leave_while_others_come_do_not_mix_them_up(serve, ask, endless, monkeypatch):
    """Rows end in the midst of an admission, more and fewer than it brings: the new ones move into their slots."""
    short = [ask(f"Lamp {k}?", f"s{k}", seed=k, temperature=1.0, max_tokens=4 + k) for k in range(6)]
    late = [
        ask(" ".join(str((k + j) % 10) for j in range(90 + 9 * k)), f"l{k}", seed=k, max_tokens=9) for k in range(4)
    ]

    async def use(backend):
        backend._decode.runner.beside_tokens = 16
        first = [asyncio.create_task(backend.generate(r)) for r in short]
        # On a busy machine the first may have ended before the last is there.
        while backend.stats()["active"] < 6 and not any(task.done() for task in first):
            await asyncio.sleep(0.001)
        return _texts(await asyncio.gather(*map(backend.generate, late))) + _texts(await asyncio.gather(*first))

    async def alone(backend):
        return _texts([await backend.generate(r) for r in [*late, *short]])

    expected = serve(alone, served=endless, cache_bytes=0)
    for size in (8, 10):
        assert serve(use, served=endless, batch_size=size) == expected


def test_cancelling_and_closing_in_the_midst_of_an_admission(serve, ask, endless, monkeypatch):
    long = " ".join(str((7 * k) % 10) for k in range(300))

    async def use(backend):
        backend._decode.runner.beside_tokens = 16
        talker = asyncio.create_task(backend.generate(ask("9", "talker", max_tokens=200)))
        while backend.stats()["active"] < 1:
            await asyncio.sleep(0.001)
        late = asyncio.create_task(backend.generate(ask(long, "late")))
        while backend._decode._admission is None:
            await asyncio.sleep(0.001)
        late.cancel()
        again = asyncio.create_task(backend.generate(ask(long, "again")))
        reply = await talker
        while not again.done() and backend._decode._admission is None:
            await asyncio.sleep(0.001)
        return reply, await again

    reply, again = serve(use, served=endless)
    assert reply.text == serve(lambda b: b.generate(ask("9", "talker", max_tokens=200)), served=endless).text
    assert again.text == serve(lambda b: b.generate(ask(long, "again")), served=endless).text


def test_continuations_of_one_prompt_share_it(serve):
    prompts = [(Message("user", LONG + f"Lamp {k}?"),) for k in range(2)]
    requests = [ScoreRequest(p, c, f"{c}") for p in prompts for c in ("yes", "no, it is off", "seven")]

    async def together(backend):
        counted = []
        runner = backend._decode.runner
        forward = runner._forward

        def traced(first, rows, ids, *rest):
            counted.append(ids.size)
            return forward(first, rows, ids, *rest)

        runner._forward = traced
        return await asyncio.gather(*map(backend.score, requests)), sum(counted)

    async def apart(backend):
        return [await backend.score(r) for r in requests]

    done, computed = serve(together, cache_bytes=0)
    for one, other in zip(done, serve(apart, cache_bytes=0), strict=True):
        assert one.greedy == other.greedy
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
    size = serve(lambda b: b.generate(GenerateRequest(prompts[0], "s", 1, 1))).prompt_tokens
    assert computed < 2.6 * size


@pytest.mark.parametrize(
    "error", [RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), MemoryError()]
)
def test_running_out_of_the_cpus_memory_loses_nothing(serve, ask, monkeypatch, error):
    requests = [ask(f"Which lamp {k}?", f"s{k}", seed=k, temperature=1.0, max_tokens=10 + k) for k in range(9)]

    async def use(backend):
        return _texts(await asyncio.gather(*map(backend.generate, requests))), backend.stats(), backend.notice()

    plenty, _, quiet = serve(use)
    assert quiet == ""
    step = ArenaRunner.step

    def scarce(self, tokens):
        if len(tokens) > 3:
            raise error
        return step(self, tokens)

    monkeypatch.setattr(ArenaRunner, "step", scarce)
    texts, stats, notice = serve(use)
    assert texts == plenty
    assert stats["out_of_memory"] >= 2
    assert stats["batch_limit"] <= 3
    assert "memory ran out: " in notice


def test_when_memory_runs_out_what_is_kept_goes_before_rows_do(serve, ask, monkeypatch):
    async def use(backend):
        await asyncio.gather(*(backend.generate(ask(LONG, f"s{k}")) for k in range(6)))
        runner = backend._decode.runner
        assert runner.sessions.size
        step, scarce = runner.step, [True]

        def once(tokens):
            if scarce and runner.sessions.size:
                scarce.clear()
                raise torch.OutOfMemoryError("CUDA out of memory (not really)")
            return step(tokens)

        runner.step = once
        done = await asyncio.gather(*(backend.generate(ask(f"{k}", f"t{k}")) for k in range(6)))
        return _texts(done), backend.stats(), runner.sessions

    texts, stats, sessions = serve(use)
    assert texts == _texts(serve(lambda b: asyncio.gather(*(b.generate(ask(f"{k}", f"t{k}")) for k in range(6)))))
    assert (stats["out_of_memory"], stats["batch_limit"]) == (1, 8)
    assert sessions.size <= sessions.limit


def test_the_batch_size_is_found_by_trial(model, monkeypatch):
    from finchmark.suite.backends.kv_cache import SessionCache
    from finchmark.suite.backends.loading import find_batch_size
    from finchmark.suite.errors import BackendUnavailable

    runner = ArenaRunner(model, SessionCache(0), arena_bytes=1 << 30, prefill_tokens=256)
    vocabulary = model.config.vocab_size
    assert find_batch_size(runner, 48, vocabulary) == 48
    step, fits = ArenaRunner.step, [13]

    def scarce(self, tokens):
        if len(tokens) > fits[0]:
            raise torch.OutOfMemoryError("CUDA out of memory (not really)")
        return step(self, tokens)

    monkeypatch.setattr(ArenaRunner, "step", scarce)
    assert find_batch_size(runner, 48, vocabulary) == 12
    assert (runner.count, runner.arena.slots) == (0, 0)
    fits[0] = 0
    with pytest.raises(BackendUnavailable, match="not even one row"):
        find_batch_size(runner, 48, vocabulary)


def test_time_that_was_lost_to_memory_is_not_the_models(serve, ask, monkeypatch):
    step, scarce = ArenaRunner.step, [True]

    def once(self, tokens):
        if scarce and len(tokens) == 3:
            scarce.clear()
            raise torch.OutOfMemoryError("CUDA out of memory (not really)")
        return step(self, tokens)

    monkeypatch.setattr(ArenaRunner, "step", once)

    async def use(backend):
        before = backend.delayed("s0")
        await asyncio.gather(*(backend.generate(ask(f"Lamp {k}?", f"s{k}")) for k in range(3)))
        lost = [backend.delayed(f"s{k}") for k in range(4)]
        backend.release("s0")
        await backend.generate(ask("9", "s9"))
        return before, lost, backend.delayed("s0")

    before, lost, after = serve(use)
    assert before == after == lost[3] == 0
    assert min(lost[:3]) > 0
