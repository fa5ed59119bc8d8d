"""How far predictions after two prompts are apart: the numbers are those of plain forward passes."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
import torch

import finchmark
from finchmark.suite.backends import Message
from finchmark.suite.backends.base import DivergenceRequest
from finchmark.suite.backends.divergence import compare
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.errors import BackendError, UsageError

TEXTS = [
    ("Which lamp?", "What colour is the lamp? It is blue.", "It is blue."),
    ("The finch sat on the lamp.", "9", "The finch sat on the lamp and looked at the seven stones. " * 4),
    ("Turn the switch on, then turn it off again. " * 9, "Turn", "s"),
]


def asked(test, reference, reply, **changes):
    return DivergenceRequest((Message("user", test),), (Message("user", reference),), reply, **changes)


def plainly(model, tokenizer, request):
    """KL and JS token by token, from log-probabilities of two plain forward passes."""
    found = []
    ids = tokenizer.encode(request.continuation, add_special_tokens=False)
    for messages in (request.messages, request.reference):
        chat = [{"role": m.role, "content": m.content} for m in messages]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer.encode(text, add_special_tokens=False)
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        found.append(logits.double().log_softmax(-1))
    q, p = found
    middle = ((q.exp() + p.exp()) / 2).log()
    kl = torch.nn.functional.kl_div(p, q, log_target=True, reduction="none").sum(-1)
    one, other = (torch.nn.functional.kl_div(middle, x, log_target=True, reduction="none").sum(-1) for x in (q, p))
    return kl.tolist(), ((one + other) / 2).tolist()


class TestNumbers:
    def test_a_prediction_is_not_apart_from_itself(self):
        logits = torch.randn(5, 40, generator=torch.Generator().manual_seed(1))
        found = compare(logits, logits)
        assert found.kl == found.js == (0.0,) * 5
        assert found.exact

    def test_the_test_side_comes_first(self):
        # KL((.9, .1) || (.5, .5)) by hand, and the other way round.
        q, p = torch.tensor([[0.9, 0.1]]).log(), torch.tensor([[0.5, 0.5]]).log()
        assert compare(q, p).kl[0] == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
        assert compare(p, q).kl[0] == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(5))
        assert compare(p, q).js[0] == pytest.approx(compare(q, p).js[0])

    def test_what_is_excluded_is_infinite_and_never_more_than_ln_2(self):
        q, p = torch.tensor([[0.0, -torch.inf]]), torch.tensor([[-torch.inf, 0.0]])
        found = compare(q, p)
        assert found.kl == (math.inf,)
        assert found.js[0] == pytest.approx(math.log(2))
        assert compare(q, torch.tensor([[0.0, 0.0]])).kl[0] == pytest.approx(math.log(2))

    @pytest.mark.parametrize("top_k", [1, 3, 10, 39])
    def test_the_likeliest_alone_give_a_lower_bound(self, top_k):
        rng = torch.Generator().manual_seed(top_k)
        q, p = 3 * torch.randn(300, 40, generator=rng), 3 * torch.randn(300, 40, generator=rng)
        whole, bound = compare(q, p), compare(q, p, top_k)
        assert not bound.exact
        assert all(low <= value + 1e-12 for low, value in zip(bound.kl, whole.kl, strict=True))
        assert all(low <= value + 1e-12 for low, value in zip(bound.js, whole.js, strict=True))
        assert max(bound.kl) > 0
        assert compare(q, q, top_k).kl == pytest.approx((0.0,) * 300)

    def test_as_many_as_there_are_is_all(self):
        q, p = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[0.0, 2.0, 0.5]])
        assert compare(q, p, 3) == compare(q, p)

    def test_blocks_change_nothing(self, monkeypatch):
        from finchmark.suite.backends import divergence

        rng = torch.Generator().manual_seed(7)
        q, p = torch.randn(50, 40, generator=rng), torch.randn(50, 40, generator=rng)
        whole = compare(q, p)
        monkeypatch.setattr(divergence, "_BLOCK", 130)
        assert compare(q, p) == whole

    def test_what_is_no_number_is_a_fault(self):
        with pytest.raises(BackendError, match="not finite"):
            compare(torch.tensor([[math.nan, 0.0]]), torch.tensor([[0.0, 0.0]]))

    def test_other_shapes_are_refused(self):
        with pytest.raises(ValueError, match="one shape"):
            compare(torch.zeros(2, 5), torch.zeros(2, 6))


@pytest.mark.parametrize("attention", [None, "eager"])
def test_a_backend_agrees_with_plain_forward_passes(serve, llama, tokenizer, attention):
    model = llama(tokenizer)
    requests = [asked(*texts) for texts in TEXTS]

    async def use(backend):
        return await asyncio.gather(*map(backend.diverge, requests))

    for found, request in zip(serve(use, served=model, attn_implementation=attention), requests, strict=True):
        kl, js = plainly(model, tokenizer, request)
        assert found.kl == pytest.approx(kl, abs=1e-5)
        assert found.js == pytest.approx(js, abs=1e-5)
        assert found.exact
        assert max(found.js) <= math.log(2) + 1e-12


def test_models_with_a_recurrent_state_are_compared_too(serve, tokenizer):
    transformers = pytest.importorskip("transformers")
    config = transformers.MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.MambaForCausalLM(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(3)  # as it is made it predicts all words alike
    request = asked(*TEXTS[0])
    found = serve(lambda b: b.diverge(request), served=model)
    assert max(found.kl) > 1e-3
    assert found.kl == pytest.approx(plainly(model, tokenizer, request)[0], abs=1e-5)


def test_the_same_prompt_is_not_apart_and_the_other_order_is_another_number(serve):
    async def use(backend):
        long = "The finch sat on the lamp and looked at the seven stones. " * 20
        same = await backend.diverge(asked(long, long, "It is blue."))
        one = await backend.diverge(asked(*TEXTS[0]))
        other = await backend.diverge(asked(TEXTS[0][1], TEXTS[0][0], TEXTS[0][2]))
        return same, one, other

    same, one, other = serve(use)
    assert same.kl == pytest.approx((0.0,) * len(same.kl), abs=1e-9)
    assert one.kl != pytest.approx(other.kl, rel=0.01)
    assert one.js == pytest.approx(other.js, abs=1e-5)


def test_what_a_session_has_kept_changes_no_number(serve, model, tokenizer, ask):
    question = "The finch sat on the lamp and looked at the seven stones. " * 8
    request = asked(question, "Which lamp?", "It is blue.", session="s")

    async def use(backend):
        await backend.generate(ask(question, session="s"))
        return await backend.diverge(request)

    assert serve(use).kl == pytest.approx(plainly(model, tokenizer, request)[0], abs=1e-5)


def test_beside_rows_in_work_neither_is_disturbed(serve, model, tokenizer, ask):
    request = asked(*TEXTS[1])

    async def use(backend):
        long = asyncio.create_task(backend.generate(ask(max_tokens=60)))
        while not backend.stats()["active"]:
            await asyncio.sleep(0)
        return await backend.diverge(request), await long

    found, long = serve(use)
    assert found.kl == pytest.approx(plainly(model, tokenizer, request)[0], abs=1e-5)
    assert long.text == serve(lambda b: b.generate(ask(max_tokens=60))).text


def test_an_empty_reply_has_no_tokens_and_a_wrong_number_is_refused(serve):
    assert serve(lambda b: b.diverge(asked("a", "b", ""))).kl == ()
    with pytest.raises(UsageError, match="top_k"):
        serve(lambda b: b.diverge(asked("a", "b", "c", top_k=0)))


def test_memory_that_runs_out_is_met_with_fewer_at_once(serve, model, tokenizer, monkeypatch):
    from finchmark.suite.backends import decode

    failed = []
    real = decode.compare

    def short(test, reference, top_k):
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("out of memory")
        return real(test, reference, top_k)

    monkeypatch.setattr(decode, "compare", short)
    requests = [asked(*texts) for texts in TEXTS]

    async def use(backend):
        return await asyncio.gather(*map(backend.diverge, requests))

    for found, request in zip(serve(use), requests, strict=True):
        assert found.kl == pytest.approx(plainly(model, tokenizer, request)[0], abs=1e-5)


def test_a_drift_task_records_it_round_by_round(tokenizer, llama, tmp_path):
    backend = HFBackend(
        "toy", model_object=llama(tokenizer, max_position_embeddings=8192), tokenizer_object=tokenizer, batch_size=4
    )
    run = finchmark.evaluate(
        "drift/rewrite", backend, tier="smoke", samples=1, limit=1, arms=["null", "plain"], out=tmp_path / "r"
    )
    for sample in run.samples():
        kl = [turn.scores["kl"] for turn in sample.turns if "kl" in turn.scores]
        js = [turn.scores["js"] for turn in sample.turns if "js" in turn.scores]
        assert len(kl) == len(js) == sum("similarity" in turn.scores for turn in sample.turns) == 4
        # At the first turn nothing has been said that the re-grounded prompt lacks.
        assert kl[0] == pytest.approx(0, abs=1e-6)
        assert min(kl[1:]) > 1e-4
        assert max(js) <= math.log(2)
        assert sample.metrics["kl"] == pytest.approx(np.mean(kl))
