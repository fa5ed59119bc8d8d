"""The openai backend over vLLM's CPU build, beside our own decode loop."""

from __future__ import annotations

import json
import urllib.request

import pytest

from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.conformance import check_backend
from finchmark.suite.evaluation import evaluate
from finchmark.suite.serve_check import serve_check


def over(vllm, **arguments):
    return OpenAIBackend(vllm.model, base_url=vllm.url, **arguments)


def ask(vllm, path, body):
    sent = urllib.request.Request(
        f"{vllm.url}/{path}", json.dumps({"model": vllm.model, **body}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(sent, timeout=120) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"api": "completions"},
        {"stream": True},
        {"logprobs": True, "top_logprobs": 3},
        {"api": "completions", "score": "echo"},
    ],
)
def test_it_passes_the_conformance_suite(vllm, arguments):
    check_backend(lambda: over(vllm, **arguments))


def test_serve_check_says_what_it_supports(vllm):
    report = serve_check(vllm.url, timeout=300)
    found = {f.name: f.state for f in report.findings}
    # Tools need --enable-auto-tool-choice and a parser, which were not given.
    assert {name for name, state in found.items() if state != "yes"} == {"tools"}
    assert "says so" in report["stop"].evidence


def test_n_gives_replies_that_differ(vllm):
    reply = ask(vllm, "completions", {"prompt": "Once", "n": 3, "seed": 5, "temperature": 1.0, "max_tokens": 12})
    assert len({choice["text"] for choice in reply["choices"]}) == 3


def test_greedy_texts_are_those_of_our_own_decode_loop(asking, vllm):
    (theirs,) = asking.replies(over(vllm), [asking.request(p) for p in asking.PROMPTS])
    (ours,) = asking.replies(HFBackend("smollm2", dtype="float32"), [asking.request(p) for p in asking.PROMPTS])
    assert asking.texts(theirs) == asking.texts(ours)
    assert [c.prompt_tokens for c in theirs] == [c.prompt_tokens for c in ours]


def test_seeds_hold_again_and_alone_and_differ_from_each_other(asking, vllm):
    drawn = [asking.request(asking.PROMPTS[0], f"a{i}", temperature=1.0, seed=i) for i in range(12)]
    again = [asking.request(asking.PROMPTS[0], f"b{i}", temperature=1.0, seed=i) for i in range(12)]
    first, second, alone = asking.replies(over(vllm), drawn, again, drawn[3:4])
    assert asking.texts(first) == asking.texts(second)
    assert first[3].text == alone[0].text
    assert len(set(asking.texts(first))) == 12


def test_scores_are_those_of_our_own_forward_pass(asking, vllm):
    theirs, ours = asking.scores(over(vllm)), asking.scores(HFBackend("smollm2", dtype="float32"))
    assert [s.token_ids for s in theirs] == [s.token_ids for s in ours]
    assert [s.greedy for s in theirs] == [s.greedy for s in ours]
    for one, other in zip(theirs, ours, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=5e-4)


def test_divergences_lie_below_those_of_our_own_forward_pass(asking, vllm):
    bounds, whole = asking.divergences(over(vllm)), asking.divergences(HFBackend("smollm2", dtype="float32"))
    for one, other in zip(bounds, whole, strict=True):
        assert not one.exact
        assert all(a <= b + 1e-4 for a, b in zip((*one.kl, *one.js), (*other.kl, *other.js), strict=True))
        assert sum(one.kl) > 0


def test_a_run_over_it_has_no_errors(vllm, tmp_path):
    args = {"base_url": vllm.url}
    run = evaluate(
        "odyssey/lights", f"openai:{vllm.model}", model_args=args, samples=2, max_tokens=16, out=tmp_path / "run"
    )
    assert {str(s.outcome) for s in run.samples()} <= {"ok", "invalid"}
    assert len(list(run.samples())) == 4


def test_a_run_can_be_repeated_by_its_seeds(vllm, tmp_path):
    def play(name):
        run = evaluate(
            "odyssey/lights",
            f"openai:{vllm.model}",
            model_args={"base_url": vllm.url},
            samples=2,
            arms=["inductive"],
            max_tokens=12,
            out=tmp_path / name,
        )
        return [[call.completion for turn in sample.turns for call in turn.calls] for sample in run.samples()]

    assert play("first") == play("second")
