from __future__ import annotations

import asyncio

import pytest

from finchmark.suite.backends.base import Backend, Capabilities, Completion, GenerateRequest, Message
from finchmark.suite.broker import Broker
from finchmark.suite.errors import BackendError


def request(text: str) -> GenerateRequest:
    return GenerateRequest((Message("user", text),), session=text, seed=0, max_tokens=4)


class Waves(Backend):
    def identity(self):
        return {"name": "waves"}

    def __init__(self, concurrency: int = 8) -> None:
        self.capabilities = Capabilities(scheduling="waves", concurrency=concurrency)
        self.waves: list[list[str]] = []

    async def generate(self, request: GenerateRequest) -> Completion:
        raise AssertionError("a list-only backend is never asked for one")

    def generate_wave(self, requests):
        self.waves.append([r.session for r in requests])
        return [
            BackendError("bad luck") if "fail" in r.session else Completion(r.session.upper(), "stop") for r in requests
        ]


class Counting(Backend):
    def identity(self):
        return {"name": "counting"}

    capabilities = Capabilities(scheduling="concurrent", concurrency=3)
    now = most = 0

    async def generate(self, request: GenerateRequest) -> Completion:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return Completion("x", "stop", completion_tokens=2)


def test_waiting_requests_form_one_wave_longest_first():
    backend = Waves()

    async def go():
        broker = Broker(backend)
        return await asyncio.gather(*(broker.generate(request(t)) for t in ("a", "ccc", "bb")))

    assert [c.text for c in asyncio.run(go())] == ["A", "CCC", "BB"]
    assert backend.waves == [["ccc", "bb", "a"]]


def test_episodes_in_lock_step_share_every_wave():
    backend = Waves()

    async def episode(broker, name):
        for turn in range(5):
            await broker.generate(request(f"{name}{turn}"))

    async def go():
        broker = Broker(backend)
        await asyncio.gather(*(episode(broker, name) for name in "abcd"))

    asyncio.run(go())
    assert [len(w) for w in backend.waves] == [4] * 5


def test_a_wave_is_no_larger_than_the_backend_likes():
    backend = Waves(concurrency=2)

    async def go():
        broker = Broker(backend)
        await asyncio.gather(*(broker.generate(request(t)) for t in "abcde"))

    asyncio.run(go())
    assert sorted(map(len, backend.waves)) == [1, 2, 2]


def test_one_failed_request_does_not_fail_its_wave():
    async def go():
        broker = Broker(Waves())
        return await asyncio.gather(*(broker.generate(request(t)) for t in ("ok", "fail")), return_exceptions=True)

    good, bad = asyncio.run(go())
    assert good.text == "OK"
    assert isinstance(bad, BackendError)


def test_a_wave_of_the_wrong_length_fails_its_requests():
    backend = Waves()
    backend.generate_wave = lambda requests: []

    with pytest.raises(BackendError, match="0 of 1"):
        asyncio.run(Broker(backend).generate(request("x")))


def test_concurrent_backends_are_bounded():
    backend = Counting()

    async def go():
        broker = Broker(backend)
        await asyncio.gather(*(broker.generate(request(str(i))) for i in range(20)))
        return broker

    broker = asyncio.run(go())
    assert backend.most == 3
    assert (broker.calls, broker.completion_tokens, broker.in_flight) == (20, 40, 0)
