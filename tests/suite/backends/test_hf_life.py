"""Starting, closing, cancelling and failing: nothing hangs, nothing is lost, no fault is an empty reply."""

import asyncio
import time

import pytest
import torch

from finchmark.suite.backends import ContextOverflow, Message, ScoreRequest
from finchmark.suite.backends.arena_runner import ArenaRunner
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.errors import BackendError, BackendUnavailable, UsageError


def test_a_prompt_that_does_not_fit_is_an_overflow(serve, ask):
    async def use(backend):
        with pytest.raises(ContextOverflow) as caught:
            await backend.generate(ask(max_tokens=90, think_budget=5))
        fitting = await backend.generate(ask(max_tokens=20))
        return caught.value, fitting

    overflow, fitting = serve(use, max_length=100)
    assert overflow.available == 100
    assert overflow.needed > fitting.prompt_tokens + 95
    assert fitting.completion_tokens <= 20


def test_the_models_own_context_bounds_a_request(serve, ask):
    async def use(backend):
        with pytest.raises(ContextOverflow):
            await backend.generate(ask(max_tokens=1024))

    serve(use)


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"temperature": -0.5}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_a_wrong_request_is_refused(serve, ask, wrong):
    async def use(backend):
        with pytest.raises(UsageError):
            await backend.generate(ask(**wrong))

    serve(use)


def _slowly(monkeypatch, seconds=0.02):
    step = ArenaRunner.step

    def slow(self, tokens):
        time.sleep(seconds)
        return step(self, tokens)

    monkeypatch.setattr(ArenaRunner, "step", slow)


async def _until(condition):
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to it")


def test_cancelling_a_request_frees_its_row_and_leaves_the_others(serve, ask, monkeypatch, endless):
    _slowly(monkeypatch)

    async def use(backend):
        long = asyncio.create_task(backend.generate(ask(session="long", max_tokens=900)))
        await _until(lambda: backend.stats()["active"] == 1)
        other = asyncio.create_task(backend.generate(ask("9", "other", max_tokens=15)))
        await _until(lambda: backend.stats()["active"] == 2)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        reply = await other
        await _until(lambda: backend.stats()["active"] == 0)
        return reply, backend.stats()["steps"]

    reply, steps = serve(use, served=endless)
    assert reply.text == serve(lambda b: b.generate(ask("9", "other", max_tokens=15)), served=endless).text
    assert steps < 200


def test_a_request_cancelled_in_the_queue_is_never_run(serve, ask, monkeypatch):
    _slowly(monkeypatch)

    async def use(backend):
        first = asyncio.create_task(backend.generate(ask(session="first", max_tokens=30)))
        await _until(lambda: backend.stats()["active"] == 1)
        second = asyncio.create_task(backend.generate(ask(session="second")))
        await _until(lambda: backend.stats()["queue"] == 1)
        second.cancel()
        done = await first
        return done, backend.stats()

    done, stats = serve(use, batch_size=1)
    assert stats["generated_tokens"] - done.completion_tokens <= 1  # the end of the turn may have been counted


def test_closing_in_mid_decode_is_prompt_and_fails_what_is_open(endless, tokenizer, ask, monkeypatch):
    _slowly(monkeypatch)

    async def main():
        backend = HFBackend("toy", model_object=endless, tokenizer_object=tokenizer, batch_size=2)
        await backend.start()
        tasks = [asyncio.create_task(backend.generate(ask(session=f"s{k}", max_tokens=900))) for k in range(5)]
        await _until(lambda: backend.stats()["active"] == 2)
        began = time.perf_counter()
        await backend.aclose()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert time.perf_counter() - began < 2
        assert backend._thread is not None
        assert not backend._thread.is_alive()
        with pytest.raises(BackendError):
            await backend.generate(ask())
        return results

    assert all(isinstance(r, BackendError) for r in asyncio.run(main()))


def test_closing_without_a_start_is_harmless():
    asyncio.run(HFBackend("nowhere/nothing").aclose())


def test_a_request_before_the_start_is_refused(ask):
    with pytest.raises(BackendError, match="start"):
        asyncio.run(HFBackend("nowhere/nothing").generate(ask()))


def test_running_out_of_memory_halves_the_batch_and_loses_no_sample(serve, ask, monkeypatch):
    requests = [ask(f"Which lamp {k}?", f"s{k}", seed=k, temperature=1.0, max_tokens=10 + k) for k in range(9)]

    async def use(backend):
        return [c.text for c in await asyncio.gather(*map(backend.generate, requests))], backend._decode.limit

    plenty, _ = serve(use)
    step, tried = ArenaRunner.step, []

    def scarce(self, tokens):
        tried.append(len(tokens))
        if len(tokens) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory (not really)")
        return step(self, tokens)

    monkeypatch.setattr(ArenaRunner, "step", scarce)
    texts, limit = serve(use)
    assert max(tried) > 2
    assert limit <= 2
    assert texts == plenty


def test_running_out_of_memory_while_rows_are_let_in_loses_no_sample(serve, ask, monkeypatch):
    requests = [ask(f"Which lamp {k}?", f"s{k}", seed=k, temperature=1.0, max_tokens=10 + k) for k in range(9)]

    async def use(backend):
        return [c.text for c in await asyncio.gather(*map(backend.generate, requests))]

    plenty = serve(use)
    prefill = ArenaRunner._prefill

    def scarce(self, first, prompts, starts, closing):
        if first + len(prompts) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (not really)")
        return prefill(self, first, prompts, starts, closing)

    monkeypatch.setattr(ArenaRunner, "_prefill", scarce)
    assert serve(use) == plenty


def test_one_row_that_does_not_fit_fails_alone(serve, ask, monkeypatch):
    prefill = ArenaRunner._prefill

    def scarce(self, first, prompts, starts, closing):
        if any(p.length > 100 for p in prompts):
            raise torch.OutOfMemoryError("CUDA out of memory (not really)")
        return prefill(self, first, prompts, starts, closing)

    monkeypatch.setattr(ArenaRunner, "_prefill", scarce)
    requests = [ask("Which lamp? " * (40 if k == 2 else 1), f"s{k}") for k in range(5)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests), return_exceptions=True)

    results = serve(use)
    assert [isinstance(r, BackendError) for r in results] == [False, False, True, False, False]


def test_a_fault_in_a_step_fails_the_rows_in_it_with_its_cause_and_the_loop_goes_on(serve, ask, monkeypatch):
    step, broken = ArenaRunner.step, [True]

    def faulty(self, tokens):
        if broken:
            broken.clear()
            raise ValueError("a fault of the model")
        return step(self, tokens)

    monkeypatch.setattr(
        ArenaRunner, "step", lambda self, tokens: faulty(self, tokens) if self.count == 3 else step(self, tokens)
    )

    async def use(backend):
        failed = await asyncio.gather(
            *(backend.generate(ask(session=f"s{k}")) for k in range(3)), return_exceptions=True
        )
        return failed, await backend.generate(ask())

    failed, good = serve(use)
    assert all(isinstance(f, BackendError) and isinstance(f.__cause__, ValueError) for f in failed)
    assert good.completion_tokens > 0


def test_a_fault_while_rows_are_let_in_spares_the_rows_in_work(serve, ask, monkeypatch):
    _slowly(monkeypatch, 0.005)
    prefill = ArenaRunner._prefill

    def faulty(self, first, prompts, starts, closing):
        if any(p.length > 100 for p in prompts):
            raise ValueError("a fault of the model")
        return prefill(self, first, prompts, starts, closing)

    monkeypatch.setattr(ArenaRunner, "_prefill", faulty)

    async def use(backend):
        good = asyncio.create_task(backend.generate(ask(max_tokens=40)))
        await _until(lambda: backend.stats()["active"] == 1)
        with pytest.raises(BackendError, match="a fault of the model"):
            await backend.generate(ask("Which lamp? " * 40, "other"))
        return await good

    assert serve(use).text == serve(lambda b: b.generate(ask(max_tokens=40))).text


def test_a_dead_thread_fails_all_requests(serve, ask, monkeypatch):
    from finchmark.suite.backends.decode import DecodeLoop

    monkeypatch.setattr(DecodeLoop, "_drop_cancelled", lambda self: 1 / 0)

    async def use(backend):
        with pytest.raises(BackendError, match="ZeroDivisionError"):
            await backend.generate(ask())
        with pytest.raises(BackendError):
            await backend.generate(ask())

    serve(use)


def test_logits_that_are_not_finite_fail_the_request(serve, ask, tokenizer, llama):
    model = llama(tokenizer)
    bad = tokenizer.encode("漢")[0]
    with torch.no_grad():
        model.model.embed_tokens.weight[bad] = torch.nan

    async def use(backend):
        return await asyncio.gather(
            backend.generate(ask("漢", "bad")),
            backend.generate(ask("9", "good", max_tokens=1)),
            return_exceptions=True,
        )

    bad_one, good = serve(use, served=model)
    assert isinstance(bad_one, BackendError)
    assert "finite" in str(bad_one)
    assert good.completion_tokens > 0


def test_of_released_sessions_only_the_last_few_are_kept(serve, ask):
    async def use(backend):
        for k in range(12):
            await backend.generate(ask(f"Which lamp {k}?", session=f"s{k}"))
        kept = set(backend._decode.runner.sessions._kept)
        for k in range(10):
            backend.release(f"s{k}")
        await backend.generate(ask("9", session="s11"))
        return len(kept), set(backend._decode.runner.sessions._kept)

    kept, left = serve(use)
    assert kept == 12
    assert left == {"s6", "s7", "s8", "s9", "s10", "s11"}


def test_the_next_sample_of_an_item_borrows_from_one_that_has_ended(serve, ask):
    async def use(backend):
        first = await backend.generate(ask("Turn the switch on, then off again. " * 8, session="item/0"))
        backend.release("item/0")
        second = await backend.generate(ask("Turn the switch on, then off again. " * 8, session="item/1"))
        return first, second

    first, second = serve(use)
    assert second.cached_tokens == first.prompt_tokens - 1
    assert second.text == first.text


def test_an_unknown_argument_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"'batchsize'.*batch_size"):
        HFBackend("smollm2", batchsize=4)


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"batch_size": "many"}, {"cache_bytes": -1}, {"trust_remote_code": "perhaps"}]
)
def test_a_wrong_value_is_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        HFBackend("smollm2", **wrong)


def test_numbers_may_come_as_text_from_the_command_line():
    assert HFBackend("smollm2", batch_size="4", cache_bytes="1000", trust_remote_code="false").batch_size == 4


def test_an_unknown_dtype_is_refused(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="float32"):
        asyncio.run(HFBackend(str(tmp_path), dtype="int3").start())


def test_cuda_that_is_not_there_is_said_so(model, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BackendUnavailable, match="device=cpu"):
        asyncio.run(HFBackend(str(tmp_path), device="cuda", dtype="float32").start())


def test_identity_is_the_same_before_and_after_the_start_and_names_no_path(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path / "finch")
    tokenizer.save_pretrained(tmp_path / "finch")

    async def main():
        backend = HFBackend(str(tmp_path / "finch"))
        before = backend.identity()
        await backend.start()
        after = backend.identity()
        described = backend.describe()
        await backend.aclose()
        return before, after, described

    before, after, described = asyncio.run(main())
    assert before == after
    assert before["name"] == "finch"
    assert str(tmp_path) not in str(before)
    assert {"device", "torch", "transformers", "batch_size"} <= described.keys()


def test_identity_tells_models_and_templates_apart(model, tokenizer, tmp_path, llama):
    for name, made in (("a", model), ("b", llama(tokenizer, seed=5))):
        made.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    a = HFBackend(str(tmp_path / "a")).identity()
    b = HFBackend(str(tmp_path / "b")).identity()
    other = HFBackend(str(tmp_path / "a"), chat_template="{{ messages[0]['content'] }}").identity()
    assert a["sha256"] != b["sha256"]
    assert a["chat_template"] != other["chat_template"]
    assert a["sha256"] == other["sha256"]


def test_an_adapter_changes_the_replies_and_the_identity(model, tokenizer, tmp_path, ask, llama):
    peft = pytest.importorskip("peft")
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        adapted = peft.get_peft_model(llama(tokenizer), peft.LoraConfig(r=4, init_lora_weights=False))
        adapted.save_pretrained(tmp_path / "adapter")

    async def main(**options):
        backend = HFBackend(str(tmp_path / "base"), batch_size=2, **options)
        await backend.start()
        reply = await backend.generate(ask(max_tokens=20))
        identity = backend.identity()
        await backend.aclose()
        return reply.text, identity

    plain, changed = asyncio.run(main()), asyncio.run(main(adapter=str(tmp_path / "adapter")))
    assert plain[0] != changed[0]
    assert plain[1]["adapter"] is None
    assert changed[1]["adapter"]["name"] == "adapter"


def test_stats_count_what_was_done(serve, ask):
    async def use(backend):
        assert backend.stats()["steps"] == 0
        done = await backend.generate(ask(max_tokens=10))
        await backend.score(ScoreRequest((Message("user", "9"),), "It"))
        return done, backend.stats()

    done, stats = serve(use)
    assert stats["prefilled_tokens"] >= done.prompt_tokens
    assert stats["generated_tokens"] >= done.completion_tokens
    assert 0 < stats["batch_fill"] <= 1
    assert stats["tokens_per_second"] > 0
    assert stats["queue"] == stats["active"] == 0


def test_a_models_origin_tells_hooks_and_configurations_apart(serve, tokenizer, llama):
    async def use(backend):
        return backend.origin(), backend.origin()

    plain, same = serve(use, served=llama(tokenizer))
    assert plain == same == serve(use, served=llama(tokenizer))[0]
    assert plain["device"] == "cpu"
    other = llama(tokenizer, rms_norm_eps=0.5)
    assert serve(use, served=other)[0] != plain
    asked = llama(tokenizer)
    asked(input_ids=torch.tensor([[1, 2]]), output_hidden_states=True)  # transformers leaves its own hooks behind
    assert serve(use, served=asked) == (plain, plain)
    hooked = llama(tokenizer)
    hooked.model.layers[0].register_forward_hook(lambda *a: None)
    once, twice = serve(use, served=hooked)
    assert once != twice
