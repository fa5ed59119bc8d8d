"""The openai backend over ``transformers serve``."""

from __future__ import annotations

from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.conformance import check_backend
from finchmark.suite.evaluation import evaluate
from finchmark.suite.serve_check import serve_check

# It holds no context of its own, and its seeds are those of one generator for all requests.
ARGUMENTS = {"context": 8192, "concurrency": 1}


def over(served, **arguments):
    return OpenAIBackend(served.model, base_url=served.url, **{**ARGUMENTS, **arguments})


def test_it_passes_the_conformance_suite(transformers_serve):
    check_backend(lambda: over(transformers_serve))


def test_it_passes_the_conformance_suite_in_a_stream(transformers_serve):
    check_backend(lambda: over(transformers_serve, stream=True))


def test_serve_check_says_what_it_supports(transformers_serve):
    report = serve_check(transformers_serve.url, model=transformers_serve.model, timeout=300)
    found = {f.name: f.state for f in report.findings}
    lacks = {"models", "n", "logprobs", "top_logprobs", "prompt_logprobs", "echo", "seeds at once", "tools"}
    assert {name for name, state in found.items() if state != "yes"} == lacks
    assert found["tools"] == "no"  # SmolLM2's template has no place for them


def test_serve_check_finds_that_it_ignores_the_temperature_of_models_that_do_not_say_do_sample(
    greedy_transformers_serve,
):
    report = serve_check(greedy_transformers_serve.url, model=greedy_transformers_serve.model, timeout=300)
    assert report["sampling"].state == "no"


def test_greedy_texts_are_those_of_our_own_decode_loop(asking, transformers_serve):
    (theirs,) = asking.replies(over(transformers_serve), [asking.request(p) for p in asking.PROMPTS])
    (ours,) = asking.replies(HFBackend("smollm2", dtype="float32"), [asking.request(p) for p in asking.PROMPTS])
    assert asking.texts(theirs) == asking.texts(ours)


def test_one_at_a_time_seeds_hold(asking, transformers_serve):
    drawn = [asking.request(asking.PROMPTS[0], f"a{i}", temperature=1.0, seed=i) for i in range(4)]
    again = [asking.request(asking.PROMPTS[0], f"b{i}", temperature=1.0, seed=i) for i in range(4)]
    first, second = asking.replies(over(transformers_serve), drawn, again)
    assert asking.texts(first) == asking.texts(second)
    assert len(set(asking.texts(first))) == 4


def test_a_run_over_it_has_no_errors(transformers_serve, tmp_path):
    run = evaluate(
        "odyssey/lights",
        f"openai:{transformers_serve.model}",
        model_args={"base_url": transformers_serve.url, **ARGUMENTS},
        samples=1,
        arms=["with-rules"],
        max_tokens=12,
        out=tmp_path / "run",
    )
    assert {str(s.outcome) for s in run.samples()} <= {"ok", "invalid"}
