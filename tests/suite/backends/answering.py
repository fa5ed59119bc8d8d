"""A backend for tests of the response cache: counts what it is asked, and never says the same twice."""

import asyncio
import itertools

from finchmark.suite.backends.base import Backend, Capabilities, Completion, ScoreRequest, TokenLogprob, TokenScores
from finchmark.suite.errors import BackendError


class Answering(Backend):
    """A model of given weights whose server ignores seeds: every reply is another one."""

    name = "answering"
    price = (1.0, 2.0)
    numbers = itertools.count()

    def __init__(self, model="m", *, sha256="abc", where=None, scheduling="own", failing=0, cost=0.125, delay=0.0):
        self.model, self.sha256, self.where, self.cost, self.delay = model, sha256, where, cost, delay
        self.capabilities = Capabilities(scheduling=scheduling, concurrency=8, seeds=False, logprobs="full")
        self.failing = failing
        self.asked, self.waves, self.scored, self.released, self.closed = [], [], [], [], 0

    def identity(self):
        return {"name": self.model, "sha256": self.sha256}

    def origin(self):
        return None if self.where is None else {"url": self.where}

    def describe(self):
        return {"device": "none"}

    def say(self, request):
        self.asked.append(request)
        if len(self.asked) <= self.failing:
            raise BackendError("the lights went out")
        number = next(self.numbers)
        return Completion(
            f"<action>{number}</action> \ud800é",
            "stop",
            prompt_tokens=7,
            completion_tokens=3,
            token_ids=(number, 2),
            cost=self.cost,
            logprobs=(TokenLogprob("a", -0.1234567890123, (("b", -1e-9), ("c", float("-inf")))),),
        )

    async def generate(self, request):
        await asyncio.sleep(self.delay)
        return self.say(request)

    def generate_wave(self, requests):
        self.waves.append(list(requests))
        answers = []
        for request in requests:
            try:
                answers.append(self.say(request))
            except BackendError as error:
                answers.append(error)
        return answers

    async def score(self, request: ScoreRequest):
        self.scored.append(request)
        return TokenScores((1, 2), (-next(self.numbers) - 0.1, -2.5), (True, False))

    def release(self, session):
        self.released.append(session)

    async def aclose(self):
        self.closed += 1
