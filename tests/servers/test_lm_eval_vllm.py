"""vLLM inside our process, through lm-eval's class of that name."""

from __future__ import annotations

import pytest

pytest.importorskip("lm_eval")

from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.lm_eval import LMEvalBackend
from finchmark.suite.conformance import check_backend

VLLM = "vllm,pretrained=smollm2,dtype=float32,enforce_eager=True,max_model_len=8192"


@pytest.fixture(autouse=True)
def small_cache(monkeypatch):
    pytest.importorskip("vllm")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "2")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")


def test_it_passes_the_conformance_suite(weights):
    check_backend(lambda: LMEvalBackend(VLLM))


def test_greedy_texts_are_those_of_our_own_decode_loop(asking, weights):
    (theirs,) = asking.replies(LMEvalBackend(VLLM), [asking.request(p) for p in asking.PROMPTS])
    (ours,) = asking.replies(HFBackend("smollm2", dtype="float32"), [asking.request(p) for p in asking.PROMPTS])
    assert asking.texts(theirs) == asking.texts(ours)
