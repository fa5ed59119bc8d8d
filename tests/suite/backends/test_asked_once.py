"""Equal requests of a run are asked once, and what is recorded is the same."""

import asyncio
import dataclasses
from hashlib import blake2b

import pytest

from finchmark.suite import evaluation
from finchmark.suite.backends.asked_once import AskedOnceBackend
from finchmark.suite.backends.base import Backend, Capabilities, Completion, GenerateRequest, Message
from finchmark.suite.errors import BackendError
from finchmark.suite.evaluation import evaluate
from finchmark.tasks.house.wording import answer


class Weights(Backend):
    """A model on this machine: its greedy reply follows from the prompt, a sampled one from the seed too."""

    name = "weights"

    def __init__(self, *, scheduling="own", sha256="abc", scripted=False, seeds=True, failing=0):
        self.capabilities = Capabilities(scheduling=scheduling, concurrency=64, scripted=scripted, seeds=seeds)
        self.sha256, self.failing, self.asked = sha256, failing, 0

    def identity(self):
        return {"name": "weights", "sha256": self.sha256}

    def origin(self):
        return {"device": "cpu"}

    async def generate(self, request):
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked <= self.failing:
            raise BackendError("the lights went out")
        text = "\n".join(message.content for message in request.messages)
        luck = request.seed if request.temperature else 0
        acts = [line[2:].partition(":")[0] for line in text.rpartition("Acts:\n")[2].splitlines()]
        which = int.from_bytes(blake2b(f"{luck} {text}".encode()).digest()[:4], "big")
        return Completion(answer(acts[which % len(acts)]), "stop", prompt_tokens=len(text), completion_tokens=9)


def request(text="Acts:\n- a\n- b", **more):
    return GenerateRequest(
        **{"messages": (Message("user", text),), "session": "s", "seed": 1, "max_tokens": 9, "temperature": 0.0, **more}
    )


def ask(backend, *requests):
    async def go():
        await backend.start()
        return await asyncio.gather(*(backend.generate(one) for one in requests), return_exceptions=True)

    return asyncio.run(go())


@pytest.mark.parametrize("change", [{}, {"session": "other", "seed": 2}])
def test_equal_prompts_at_once_are_one_question(change):
    inner = Weights()
    one, two = ask(AskedOnceBackend(inner), request(), request(**change))
    assert inner.asked == 1
    assert one == two


@pytest.mark.parametrize(
    "change", [{"messages": (Message("user", "x"),)}, {"max_tokens": 8}, {"stop": ("b",)}, {"temperature": 0.7}]
)
def test_other_requests_are_asked(change):
    inner = Weights()
    ask(AskedOnceBackend(inner), request(), request(**change))
    assert inner.asked == 2


def test_sampled_replies_are_shared_by_those_who_share_the_seed():
    inner = Weights()
    drawn = [request(temperature=0.7, seed=seed, session=f"s{n}") for n, seed in enumerate((1, 1, 2))]
    one, same, _ = ask(AskedOnceBackend(inner), *drawn)
    assert inner.asked == 2
    assert one == same


@pytest.mark.parametrize("given", [{"sha256": None}, {"scripted": True}, {"scheduling": "waves"}, {"seeds": False}])
def test_servers_scripts_and_lists_are_left_alone(given):
    inner = Weights(**given)
    ask(AskedOnceBackend(inner), request(), request())
    assert inner.asked == 2


def test_who_waited_for_an_answer_that_failed_asks_for_itself():
    inner = Weights(failing=1)
    one, two, three = ask(AskedOnceBackend(inner), request(), request(), request())
    assert isinstance(one, BackendError)
    assert two == three
    assert inner.asked == 2


@pytest.mark.parametrize(
    ("temperature", "most"),
    [
        (0.0, 64 + 3 * 64 + 2 * 3 * 8),  # two arms of three streams begin alike, and frozen ones end as they began
        (0.7, 3 * (64 + 2 * 64 + 2 * 8)),  # every stream draws its own luck, and its two arms begin alike
    ],
)
def test_a_run_records_the_same_with_a_fraction_of_the_questions(temperature, most, tmp_path, monkeypatch):
    """The smoke tier's 64 probes at two checkpoints, of an agent that keeps the episodes that it lived."""

    def play(name, temperature):
        inner = Weights()
        run = evaluate(
            "misevolution/service",
            inner,
            tier="smoke",
            streams=3,
            arms=["evolving", "frozen"],
            agent="episodes",
            temperature=temperature,
            out=tmp_path / name,
        )
        stored = [
            sample.model_dump(exclude={"seconds": True, "usage": {"seconds"}, "turns": {"__all__": {"calls"}}})
            | {"said": [call.model_dump(exclude={"usage": {"seconds"}}) for t in sample.turns for call in t.calls]}
            for sample in run.samples()
        ]
        return inner.asked, stored, run.frame()

    few, spared, frame = play("once", temperature)
    monkeypatch.setattr(evaluation, "AskedOnceBackend", lambda inner: inner)
    many, asked, same = play("each", temperature)
    assert many == len(frame) == 3 * 2 * (8 + 2 * 64)
    assert spared == asked
    assert frame.equals(same)
    assert few <= most


def test_the_fields_of_a_request_that_are_left_out_are_those_of_the_sample_alone():
    left = {"session", "seed"}
    kept = {field.name for field in dataclasses.fields(GenerateRequest)} - left
    assert kept == {
        "messages", "max_tokens", "temperature", "top_p", "stop", "think_budget", "keep_thinking", "steering",
    }  # fmt: skip
