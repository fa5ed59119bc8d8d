"""A backend that answers equal requests once, however many samples of a run ask them."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .answers import answer_key
from .base import Backend, Completion, GenerateRequest
from .in_flight import InFlight
from .wrapped import WrappedBackend

__all__ = ["AskedOnceBackend", "weights_are_known"]

_MOST = 8192
"""Answers that are kept; of more the oldest are asked again."""


class AskedOnceBackend(WrappedBackend):
    """Asks another backend once for equal requests, and gives everybody its answer.

    Frozen probes put the same prompt in every arm of a stream as long as its agents are in the same state, and at
    temperature 0 in every stream of an agent that has learnt nothing. The answer follows from weights, prompt and,
    where it is sampled, the request's seed, which arms share: no sample's name is part of it. A request that is under
    way is waited for. What is recorded of a sample is what it would be without this, but for timings.

    Only for weights on this machine, known by their hash, behind a backend that batches by itself and draws by the
    seed. A server's answers may differ from call to call, and that is part of what is measured there. On this machine a
    batch may break a tie between tokens in another way too; then all who ask get one of the two answers.

    Args:
        inner: The backend that is asked.
    """

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._on = False
        self._answers: OrderedDict[bytes, Completion] = OrderedDict()
        self._asking = InFlight[Completion]()
        self._spared = 0

    async def start(self) -> None:
        """Start the backend, and see whether its answers follow from the prompt."""
        await self.inner.start()
        can = self.inner.capabilities
        self._on = (
            can.scheduling == "own" and can.seeds and not can.scripted and weights_are_known(self.inner.identity())
        )

    async def generate(self, request: GenerateRequest) -> Completion:
        """Give the answer of before, or ask. Raises what the backend raises."""
        key = self._key(request)
        if key is None:
            return await self.inner.generate(request)
        if (answer := await self._asking.answer(key)) is not None:
            return self._again(answer)
        if (kept := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return self._again(kept)
        given = await self._asking.ask(key, self.inner.generate(request))
        self._answers[key] = given
        if len(self._answers) > _MOST:
            self._answers.popitem(last=False)
        return given

    def describe(self) -> dict[str, Any]:
        """What the backend says; ``asked_once`` among its counts: answers that it was not asked for again."""
        described = self.inner.describe()
        if not self._spared:
            return described
        return {**described, "counts": {**described.get("counts", {}), "asked_once": self._spared}}

    def stats(self) -> dict[str, float]:
        """What the backend says, and how many answers were ``spared``."""
        return {**self.inner.stats(), **({"spared": float(self._spared)} if self._spared else {})}

    def _key(self, request: GenerateRequest) -> bytes | None:
        if not self._on:
            return None
        try:
            seed = request.seed if request.temperature else 0
            return answer_key("", dataclasses.replace(request, session="", seed=seed))
        except TypeError:
            return None  # a field that has no fixed form: asked each time

    def _again(self, answer: Completion) -> Completion:
        self._spared += 1
        return answer


def weights_are_known(identity: Any) -> bool:
    """Whether the hash of weights is anywhere in an identity."""
    if isinstance(identity, Mapping):
        return bool(identity.get("sha256")) or any(map(weights_are_known, identity.values()))
    return isinstance(identity, (list, tuple)) and any(map(weights_are_known, identity))
