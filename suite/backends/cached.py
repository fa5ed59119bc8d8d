"""A backend that gives the answers of before again, and asks another one only for those that it has not."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, TypeVar

from ..canonical import content_hash
from ..environment import version
from ..errors import BackendError
from .answers import answer_key, decode_answer, encode_answer, exact
from .asked_once import weights_are_known
from .base import Backend, Completion, GenerateRequest, ScoreRequest, TokenScores
from .in_flight import InFlight
from .response_cache import ResponseCache
from .wrapped import WrappedBackend

__all__ = ["CachedBackend"]

_COMPUTING = ("torch", "transformers", "tokenizers", "peft", "accelerate")
_Answer = TypeVar("_Answer", Completion, TokenScores)


class CachedBackend(WrappedBackend):
    """Keeps the answers of another backend, and gives them again for the same request of the same sample.

    It is for going on after a crash, for more samples or items of what was played already, and for scoring again with
    other code. **A replayed answer is no new draw.** A run in which answers were replayed is, as far as they go, the
    run that they are from: it repeats nothing, confirms nothing, and adds nothing to that run's sample size. It says so
    in its manifest. Another seed of the run (``--seed``) draws anew.

    An answer is found by: the model's :meth:`~.Backend.identity` (the hash of its weights, template, adapter, dtype),
    its :meth:`~.Backend.origin` (for a server its address), how the specification names it, Finchmark's version, for
    weights on this machine the versions of the packages that compute, and every field of the request (see
    :func:`.answer_key`). What a server does behind its name and address is not seen: when it serves other weights under
    both, begin a new cache.

    Whatever counts as the model's answer is kept, also one that was cut off or stopped by a content filter: to draw
    only refusals anew would change their share. Errors and exceptions never are. So a sample that errored and is tried
    again gets the answers that it had before the fault, and asks from there.

    A replayed answer has its tokens from the first time, ``replayed`` set, ``cost`` 0 and ``spared`` the cost it had.
    Two equal requests at once become one; the second gets the first's answer.

    A backend whose identity has no hash of weights and that states no origin keeps nothing: nobody could tell its model
    from another. So do the references of ``scripted:``, whose replies depend on what they have seen, not on the prompt.
    A model that was handed over as an object is known by its parameters and template; hooks on it are not seen.

    Args:
        inner: The backend that is asked.
        cache: Where answers are kept. It is opened and closed with the backend.
        choice: How the specification names the backend: name, model and arguments.
    """

    def __init__(self, inner: Backend, cache: ResponseCache, *, choice: Mapping[str, Any] | None = None) -> None:
        super().__init__(inner)
        self.cache = cache
        self._choice = dict(choice or {})
        self._scope = ""
        self._off = "it is not started"
        self._asking = InFlight[Any]()
        self._counts: Counter[str] = Counter()
        self._before = Counter(cache.counts)

    def __repr__(self) -> str:
        return f"CachedBackend({self.inner!r})"

    # -- who and where

    def describe(self) -> dict[str, Any]:
        """What the backend that is asked says, with the cache's counts among its own, and what is wrong with the cache.

        ``cache_replayed`` answers were given again, ``cache_asked`` came from the backend.
        """
        described = self.inner.describe()
        counts = {"replayed": self._counts["replayed"], "asked": self._counts["asked"]}
        now = self.cache.counts
        counts |= {name: now[name] - self._before[name] for name in ("damaged", "stored", "unsaved", "evicted")}
        return {
            **described,
            "counts": {**described.get("counts", {}), **{f"cache_{name}": n for name, n in counts.items()}},
            "response_cache": self._off or self.cache.notice() or "in use",
        }

    # -- life

    def locate(self) -> None:
        """Find the model, and see that the cache's file is none of anybody else's.

        Raises:
            BackendUnavailable: The model cannot be had here.
            UsageError: The file is another program's.
        """
        self.inner.locate()
        self.cache.check()

    async def start(self) -> None:
        """Start the backend and open the cache."""
        await self.inner.start()
        identity, origin = self.inner.identity(), self.inner.origin()
        hashed = weights_are_known(identity)
        if self.inner.reference is not None:
            self._off = f"scripted:{self.inner.reference} is played by a task's policy, which is never cached"
            return
        if origin is None and not hashed:
            self._off = "nothing is kept: the backend states no hash of weights and no origin"
            return
        runtime = {name: _installed(name) for name in _COMPUTING} if hashed else {}
        self._scope = content_hash(exact([identity, origin, self._choice, version(), runtime]), digits=64)
        self._off = ""
        await asyncio.to_thread(self.cache.open)

    async def aclose(self) -> None:
        """Close the backend and the cache."""
        try:
            await self.inner.aclose()
        finally:
            await asyncio.to_thread(self.cache.close)

    # -- requests

    async def generate(self, request: GenerateRequest) -> Completion:
        """Give the answer of before, or ask for one and keep it. Raises what the backend raises."""
        return await self._answer(request, self.inner.generate, Completion)

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the log-probabilities of before, or ask for them and keep them. Raises what the backend raises."""
        return await self._answer(request, self.inner.score, TokenScores)

    async def _answer(self, request: Any, ask: Callable[[Any], Awaitable[_Answer]], kind: type[_Answer]) -> _Answer:
        key = self._key(request)
        if key is None:
            return await ask(request)
        if (answer := await self._asking.answer(key)) is not None:
            self._counts["replayed"] += 1
            return _again(answer)
        found = self._find(key, kind)
        if found is not None:
            return found
        given = await self._asking.ask(key, ask(request))
        self.cache.put(key, encode_answer(given))
        return given

    def generate_wave(self, requests: Sequence[GenerateRequest]) -> list[Completion | Exception]:
        """Give the answers of before, and ask for all others as one smaller wave."""
        keys = [self._key(request) for request in requests]
        answers: list[Completion | Exception | None] = [
            None if key is None else self._find(key, Completion) for key in keys
        ]
        places: dict[Any, int] = {}  # of equal requests the first is asked
        for place, key in enumerate(keys):
            if answers[place] is None:
                places.setdefault(place if key is None else key, place)
        asked = list(places.values())
        if asked:
            given = self.inner.generate_wave([requests[place] for place in asked])
            if len(given) != len(asked):
                raise BackendError(
                    f"{type(self.inner).__name__} answered {len(given)} of {len(asked)} requests of a wave."
                )
            for place, answer in zip(asked, given, strict=True):
                answers[place] = answer
                key = keys[place]
                if key is not None and isinstance(answer, Completion):
                    self.cache.put(key, encode_answer(answer))
        whole: list[Completion | Exception] = []
        for place, answer in enumerate(answers):
            if answer is None:
                answer = answers[places[keys[place]]]
                if isinstance(answer, Completion):
                    self._counts["replayed"] += 1
                    answer = _again(answer)
            assert answer is not None
            whole.append(answer)
        return whole

    def _key(self, request: GenerateRequest | ScoreRequest) -> bytes | None:
        if self._off:
            return None
        try:
            return answer_key(self._scope, request)
        except TypeError:
            self._counts["unnamed"] += 1  # a field that has no fixed form: asked anew each time, never mistaken
            return None

    def _find(self, key: bytes, kind: type[_Answer]) -> _Answer | None:
        payload = self.cache.get(key)
        if payload is not None:
            try:
                answer = decode_answer(payload, kind)
            except (ValueError, TypeError, KeyError, RecursionError):
                self.cache.reject(key)
            else:
                self._counts["replayed"] += 1
                return _again(answer)
        self._counts["asked"] += 1
        return None

    def notice(self) -> str:
        """What the backend says, and why the cache does less than it should."""
        return "; ".join(part for part in (self.inner.notice(), self.cache.notice()) if part)

    def stats(self) -> dict[str, float]:
        """What the backend says, and how many answers were ``replayed``."""
        return {**self.inner.stats(), "replayed": float(self._counts["replayed"])}


def _again(answer: _Answer) -> _Answer:
    """An answer of before, marked as such; it costs nothing now."""
    if isinstance(answer, Completion):
        return dataclasses.replace(answer, replayed=True, cost=0.0, spared=answer.cost + answer.spared)
    return answer


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
