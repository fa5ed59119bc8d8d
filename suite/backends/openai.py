"""Any server that speaks the OpenAI formats: vLLM, SGLang, llama.cpp, Ollama, ``transformers serve``, hosted APIs."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import BackendError, BackendUnavailable, UsageError
from ..seeds import derive
from .base import (
    Backend,
    Capabilities,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    ScoreRequest,
    TokenScores,
)
from .circuit import Circuit
from .limiter import Limiter
from .openai_arguments import extra_fields, model_name, number, omitted, template, truth
from .openai_client import Client
from .openai_context import Context
from .openai_divergence import TOP_K, bound_by_prompt_logprobs
from .openai_http import Answer, Http, read_key, read_url
from .openai_refusal import RequestRefused, refusal
from .openai_reply import merge_stream, parse
from .openai_request import Shape
from .openai_score import Ask, ScoreWay, by_echo, by_prompt_logprobs
from .prices import Price, Purse, read_prices
from .retry import Patience, Transient

__all__ = ["OpenAIBackend"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_SEEN = 16  # names of models and configurations that are kept


class OpenAIBackend(Backend):
    """A model behind an OpenAI-compatible server.

    Every request asks for one reply and carries its own seed. ``n`` is never used: a server numbers the replies of one
    call by itself (vLLM gives them neighbouring seeds, others none), so a sample would depend on how many were asked
    for with it; servers keep the common beginning of prompts in their own cache. Seeds go out as the request's modulo
    2**31, which every server can hold.

    What failed and may work later (408, 409, 425, 429, 5xx, broken or stalled connections, half or malformed bodies) is
    tried again, with exponential pauses of full jitter or as long as ``Retry-After`` says. When many requests in a row
    fail, all pause until a single one has tried with success. What failed for good becomes an ``error`` of its sample,
    never a score. A wrong key or name ends the run at once.

    A stop string stands at the end of a reply, as everywhere in Finchmark. Servers drop it; vLLM and SGLang say which
    one it was, elsewhere a closing tag whose opening tag stands open is put back. ``describe`` counts how often each
    was so. A thinking part has no cap of its own here: it shares ``max_tokens + think_budget`` with the reply.

    Servers bring sampling settings of their own (vLLM reads ``generation_config.json``: top_k, repetition_penalty).
    What must be equal between models is set by ``extra_body``.

    Args:
        model: The model's name on the server.
        base_url: The API's address, such as ``http://127.0.0.1:8000/v1``; by default the environment's
            OPENAI_BASE_URL.
        api_key_env: The environment variable that holds the key; by default OPENAI_API_KEY, which may be unset.
        api: ``chat``, or ``completions`` for models without a chat format: the messages are put into one text.
        chat_template: For ``completions``: a Jinja template, or a file that holds one.
        concurrency: Requests under way at most; fewer while the server complains.
        timeout: Seconds for one try.
        tries: Tries for one request at most.
        patience: Seconds from a request's first try after which no other is begun.
        give_up: Seconds that the whole run waits for a server that does not answer.
        max_bytes: Length of a reply at most.
        stream: Whether replies come in pieces, for proxies that cut idle connections.
        logprobs: Whether log-probabilities of the reply's tokens are asked for (``Completion.logprobs``).
        top_logprobs: How many alternatives a token, 0 to 20.
        score: How given replies are scored: ``prompt_logprobs`` (vLLM), ``echo`` (with ``api=completions``), ``none``,
            or ``auto``: the first where the server says that it is vLLM.
        diverge: How many of the likeliest tokens are asked for at each place of a reply when predictions after two
            prompts are compared (:meth:`diverge`, with ``prompt_logprobs`` only): at most what the server was started
            with (vLLM: ``--max-logprobs``); 0 compares none. More of them bring the bound nearer to the truth.
        context: Tokens that prompt and reply may have together, for servers that do not hold the model's context
            (``transformers serve`` reads on past it); by default the server refuses.
        omit: Names of request fields that are not sent, a list or separated by ``+``; seed, stop, temperature …
        extra_body: Further fields for every request, a table or JSON.
        prices: US dollars per million tokens: a table, JSON or a TOML file; see :func:`.read_prices`.
        max_cost: US dollars that one call of the program may spend; it ends before a request that could pass it.
        **unknown: Refused.

    Raises:
        UsageError: An argument is unknown or has a wrong value.
    """

    name = "openai"
    placement = frozenset(
        (
            "base_url",
            "api_key_env",
            "concurrency",
            "timeout",
            "tries",
            "patience",
            "give_up",
            "max_bytes",
            "stream",
            "prices",
            "max_cost",
        )
    )

    def __init__(
        self,
        model: str = "",
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        api: str = "chat",
        chat_template: str | None = None,
        concurrency: int | str = 64,
        timeout: float | str = 600.0,
        tries: int | str = 8,
        patience: float | str = 1800.0,
        give_up: float | str = 900.0,
        max_bytes: int | str = 8 * 2**20,
        stream: bool | str = False,
        logprobs: bool | str = False,
        top_logprobs: int | str = 0,
        score: str = "auto",
        diverge: int | str = TOP_K,
        context: int | str | None = None,
        omit: str | list[str] | tuple[str, ...] = (),
        extra_body: str | Mapping[str, Any] | None = None,
        prices: str | Path | Mapping[str, Any] | None = None,
        max_cost: float | str | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            import inspect

            wrong = sorted(unknown)[0]
            if "key" in wrong.lower() or "token" in wrong.lower():
                raise UsageError(
                    f"openai: there is no argument {wrong!r}. Keys come from the environment: set OPENAI_API_KEY, or "
                    "name another variable by api_key_env."
                )
            known = [
                p.name for p in inspect.signature(OpenAIBackend).parameters.values() if p.kind is not p.VAR_KEYWORD
            ]
            raise UsageError(f"openai: there is no argument {wrong!r}; there are {', '.join(known)}.")
        if not model:
            raise UsageError(
                "openai: needs the model's name on the server: openai:MODEL. `finchmark serve-check` lists them."
            )
        self.model = model_name(model)
        self.url = read_url(base_url)
        self.key_env = api_key_env or "OPENAI_API_KEY"
        self._key_needed = api_key_env is not None
        self._concurrency = int(number("concurrency", concurrency, 1, whole=True))
        self._timeout = number("timeout", timeout, 0.001)
        self._patience = Patience(
            tries=int(number("tries", tries, 1, whole=True)), total=number("patience", patience, 0.0)
        )
        self._max_bytes = int(number("max_bytes", max_bytes, 1, whole=True))
        if api not in ("chat", "completions"):
            raise UsageError(f"openai: api must be chat or completions, not {api!r}.")
        if score not in ("auto", "prompt_logprobs", "echo", "none"):
            raise UsageError(f"openai: score must be auto, prompt_logprobs, echo or none, not {score!r}.")
        if score == "echo" and api == "chat":
            raise UsageError("openai: score=echo needs api=completions; a chat's prompt is not known as text.")
        if chat_template is not None and api == "chat":
            raise UsageError("openai: chat_template needs api=completions; with api=chat the server has its own.")
        self._shape = Shape(
            model,
            api=api,
            omit=omitted(omit),
            extra=extra_fields(extra_body),
            logprobs=truth("logprobs", logprobs),
            top_logprobs=int(number("top_logprobs", top_logprobs, 0, 20, whole=True)),
            stream=truth("stream", stream),
            **({} if chat_template is None else {"template": template(chat_template)}),
        )
        if self._shape.top_logprobs and not self._shape.logprobs:
            raise UsageError("openai: top_logprobs needs logprobs=true.")
        self._prices: Price | None = None if prices is None else read_prices(prices, model)
        self.price = None if self._prices is None else (self._prices.input, self._prices.output)
        self._max_cost = None if max_cost is None else number("max_cost", max_cost, 0.0)
        if self._max_cost is not None and self._prices is None:
            raise UsageError("openai: max_cost needs prices, or nothing would be counted.")
        self._score_asked = score
        self._score: ScoreWay = "none" if score == "auto" else score  # pyright: ignore[reportAttributeAccessIssue] - checked above
        self._diverge = int(number("diverge", diverge, 0, whole=True))
        self._bounds = 0  # how many the server gave
        self._window = Context(None if context is None else int(number("context", context, 1, whole=True)))
        self._located: dict[str, Any] | None = None
        self._context = self._window.tokens
        self._root = ""
        self.limiter = Limiter(self._concurrency)
        self.circuit = Circuit(give_up=number("give_up", give_up, 0.001))
        self.purse = Purse(self._max_cost)
        self.client = Client(
            f"openai:{model}",
            patience=self._patience,
            limiter=self.limiter,
            circuit=self.circuit,
            purse=self.purse,
            refuse=self._refuse,
            rephrase=self._rephrase,
        )
        self.counts = self.client.counts
        self.stops: collections.Counter[str] = collections.Counter()
        self._models: set[str] = set()
        self._fingerprints: set[str] = set()
        # The backend bounds and orders its own requests: how many are useful changes while a run goes on, and time
        # spent waiting for a server's recovery must be known by sample.
        self.capabilities = Capabilities(
            scheduling="own",
            concurrency=self._concurrency,
            seeds="seed" not in self._shape.omit,
            logprobs="none" if self._score == "none" else "full",
            deterministic=False,
            divergence=self._score == "prompt_logprobs" and self._diverge > 0,
        )

    def __repr__(self) -> str:
        return f"OpenAIBackend({self.model!r}, base_url={self.url!r})"

    # -- who and where

    def identity(self) -> dict[str, Any]:
        """The model's name, what the server calls its origin, and the settings that shape replies.

        Where the model runs is no part of it (a server may move), nor is the key. The name that a reply carries and the
        server's fingerprint are only known once something was paid for; they stand in :meth:`describe`, and a second
        name within a run is logged.
        """
        identity: dict[str, Any] = {"name": self.model, "api": self._shape.api}
        if self._located:
            identity |= {k: v for k, v in self._located.items() if k == "root"}
        if self._shape.api == "completions":
            identity["chat_template"] = hashlib.sha256(self._shape.template.encode()).hexdigest()[:32]
        if self._window.tokens is not None:
            identity["context"] = self._window.tokens
        if self._shape.omit:
            identity["omit"] = sorted(self._shape.omit)
        if self._shape.extra:
            identity["extra_body"] = dict(self._shape.extra)
        return identity

    def describe(self) -> dict[str, Any]:
        """The address, the server, what was asked of it and what went wrong, for the manifest.

        The address has no user, password or query: :func:`.read_url` refuses them.
        """
        parts = urlsplit(self.url)
        further = {
            "pauses": self.circuit.opened,
            "bound_lowered": self.limiter.lowered,
            "cost": self.purse.spent,
            "cost_lost_at_most": self.purse.lost,
        }
        return {
            "url": f"{parts.scheme}://{parts.netloc}{parts.path}",
            "server": dict(self._located or {}),
            "models": sorted(self._models),
            "fingerprints": sorted(self._fingerprints),
            "concurrency": self._concurrency,
            "timeout": self._timeout,
            "cap_field": self._shape.cap_field,
            "score": self._score,
            "counts": {**dict(sorted(self.counts.items())), **{name: n for name, n in further.items() if n}},
            "stops": dict(sorted(self.stops.items())),
            "prices": None if self._prices is None else dataclasses.asdict(self._prices),
        }

    def origin(self) -> dict[str, Any]:
        """The address, what the server lists of the model, the key's variable, and what is asked for beside the text.

        A server that is started anew with other weights from another folder lists another ``root``.
        """
        return {
            "url": self.url,
            "root": self._root,
            "server": dict(self._located or {}),
            "api_key_env": self.key_env,
            "logprobs": self._shape.logprobs,
            "top_logprobs": self._shape.top_logprobs,
            "score": self._score,
        }

    def stats(self) -> dict[str, float]:
        """Counters since the start; ``paused`` is 1 while all requests are held back."""
        return {
            "requests": float(self.counts["requests"]),
            "retries": float(self.counts["retries"]),
            "failures": float(self.counts["failures"]),
            "active": float(self.limiter.in_flight),
            "bound": float(int(self.limiter.limit)),
            "paused": float(self.circuit.is_open),
            "cost": self.purse.spent,
        }

    def notice(self) -> str:
        """Why requests are held back; empty while they are not."""
        return self.circuit.notice()

    def delayed(self, session: str) -> float:
        """Seconds that failed tries, pauses and a lowered bound have cost a session."""
        return self.client.delays.get(session, 0.0)

    def release(self, session: str) -> None:
        """Forget a session's delays."""
        self.client.delays.pop(session, None)

    # -- life

    def locate(self) -> None:
        """Ask the server for its models, so that a wrong address or key is known before anything is written.

        Raises:
            BackendUnavailable: It cannot be reached, or refuses the key.
        """
        if self._located is None:
            asyncio.run(self._locate())

    async def _locate(self) -> None:
        http = Http(
            self.url,
            read_key(self.key_env, needed=self._key_needed),
            connections=1,
            timeout=min(self._timeout, 60.0),
            max_bytes=self._max_bytes,
        )
        self._warn_of_open_key(http)
        await http.open()
        try:
            self._located = await self._models_of(http)
        finally:
            await http.close()
        if self._score_asked == "auto":
            self._score = "prompt_logprobs" if self._located.get("owner") == "vllm" else "none"
            self.capabilities = dataclasses.replace(
                self.capabilities,
                logprobs="none" if self._score == "none" else "full",
                divergence=self._score == "prompt_logprobs" and self._diverge > 0,
            )
        self._context = self._window.tokens or self._located.get("context")

    async def _models_of(self, http: Http) -> dict[str, Any]:
        """What the server's list of models says of ours; empty where it has no list."""
        for attempt in range(4):
            try:
                answer = await http.get(f"{self.url}/models")
                if answer.status in (403, 404, 405, 501):
                    return {}  # there is no list, or not for this key
                wrong = self._refuse(answer, http)
                if isinstance(wrong, (Transient, BackendUnavailable)):
                    raise wrong
                return {} if wrong is not None else self._entry(json.loads(answer.body), http)
            except (Transient, ValueError) as fault:
                answered = not isinstance(fault, Transient) or fault.kind not in ("connection", "cut_off", "timeout")
                if attempt == 3 and answered:  # somebody is there; some servers fail at their own list
                    _log.warning("%s has no list of models: %s", self.url, http.clean(fault))
                    return {}
                if attempt == 3:
                    raise BackendUnavailable(
                        f"There is no answer from {self.url}: {http.clean(fault)}. Is the server running, and is "
                        "base_url right? `finchmark serve-check` tries it."
                    ) from None
                wait = fault.wait if isinstance(fault, Transient) else None
                await asyncio.sleep(min(10.0, wait if wait is not None else 0.25 * 2**attempt))
        raise AssertionError("unreachable")

    def _entry(self, payload: Any, http: Http) -> dict[str, Any]:
        listed = payload.get("data") if isinstance(payload, dict) else None
        entries = [e for e in listed or () if isinstance(e, dict)]
        names = [str(e.get("id")) for e in entries]
        ours = next((e for e in entries if e.get("id") == self.model), None)
        if ours is None:
            if names:
                shown = ", ".join(map(http.clean, names[:8]))
                _log.warning("%s does not list the model %r; it lists %s", self.url, self.model, shown)
            return {}
        entry: dict[str, Any] = {"owner": http.clean(ours.get("owned_by") or "")}
        root = ours.get("root")
        self._root = str(root or "")
        # A path says where the weights lie, not what they are.
        if isinstance(root, str) and root and root != self.model and not root.startswith(("/", "~", ".")):
            entry["root"] = http.clean(root)
        context = ours.get("max_model_len") or ours.get("context_length")
        if isinstance(context, int) and context > 0:
            entry["context"] = context
        return entry

    def _warn_of_open_key(self, http: Http) -> None:
        parts = urlsplit(self.url)
        if http.key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            _log.warning("the key of %s goes unencrypted to %s", self.key_env, parts.hostname)

    async def start(self) -> None:
        """Open the connections.

        Raises:
            BackendUnavailable: The server cannot be reached or refuses the key.
        """
        if self._located is None:
            await self._locate()
        await self.client.open(
            Http(
                self.url,
                read_key(self.key_env, needed=self._key_needed),
                connections=self._concurrency,
                timeout=self._timeout,
                max_bytes=self._max_bytes,
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.close()

    # -- requests

    async def generate(self, request: GenerateRequest) -> Completion:
        """Answer one request.

        Raises:
            ContextOverflow: Prompt and reply do not fit, as the server says or ``context`` does.
            BackendError: The request failed for good.
            BackendUnavailable: No request can be answered: the key, the account or the model's name.
            RunStopped: The request could cost more than is left of ``max_cost``.
            UsageError: The request itself is wrong.
        """
        if request.max_tokens < 1 or request.temperature < 0 or not 0 < request.top_p <= 1:
            raise UsageError(
                f"a request needs max_tokens >= 1, temperature >= 0 and top_p in (0, 1], not {request.max_tokens}, "
                f"{request.temperature} and {request.top_p}"
            )
        self._window.before(request)

        def read(answer: Answer) -> Completion:
            payload = merge_stream(answer.body) if self._shape.stream else _json(answer.body)
            reply = parse(payload, request, self._shape)
            if reply.stop != "none":
                self.stops[reply.stop] += 1
            if not reply.counted:
                self.counts["uncounted_replies"] += 1
            self._note(self._models, reply.model, "model")
            self._note(self._fingerprints, reply.fingerprint, "fingerprint")
            completion = reply.completion
            if not completion.text and not completion.reasoning:
                self.counts["empty_replies"] += 1
            self._doubt(request, completion.prompt_tokens)
            if completion.completion_tokens > request.max_tokens + (request.think_budget or 0):
                self.counts["over_the_cap"] += 1
            if self._prices is not None:
                # Where the server counts nothing, the most that it can have been is booked.
                cost = (
                    self._prices.cost(completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens)
                    if reply.counted
                    else self._bound(0, request)
                )
                completion = dataclasses.replace(completion, cost=cost)
            return completion

        completion = await self.client.ask(
            lambda: (f"{self.url}{self._shape.path}", self._shape.encode(request)),
            read,
            session=request.session,
            path=("generate", request.seed),
            bound=lambda length: self._bound(length, request),
            cost=lambda completion: completion.cost,
            declined=lambda completion: completion,
        )
        return self._window.after(completion)

    def _bound(self, length: int, request: GenerateRequest) -> float:
        """The most that a request of ``length`` bytes can cost: no token is shorter than a byte."""
        if self._prices is None:
            return 0.0
        length = length or 64 + sum(len(m.content.encode("utf-8", "replace")) + 32 for m in request.messages)
        return self._prices.cost(length, 0, request.max_tokens + (request.think_budget or 0))

    def _doubt(self, request: GenerateRequest, counted: int) -> None:
        """Notice a server that reads only part of a long prompt and does not say so (Ollama beyond its ``num_ctx``)."""
        if not 0 < 8 * counted < sum(len(m.content) for m in request.messages):
            return
        # Hardly a tokeniser has tokens of two whole words on the average.
        if 2 * counted < sum(len(m.content.split()) for m in request.messages):
            if not self.counts["short_prompts"]:
                _log.warning(
                    "%s counted %d tokens in a prompt of many more: it may cut prompts in silence; raise its context, "
                    "and see what `finchmark serve-check` says of it",
                    self.url,
                    counted,
                )
            self.counts["short_prompts"] += 1

    def _note(self, seen: set[str], value: str, what: str) -> None:
        if value and value not in seen and len(seen) < _SEEN:
            seen.add(value)
            if len(seen) > 1:
                _log.warning("the server answers with another %s: %s", what, ", ".join(sorted(seen)))

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the log-probabilities of a continuation.

        Raises:
            UsageError: The server gives none (``score=none``).
            ContextOverflow: It does not fit, as the server says or ``context`` does.
            BackendError: The request failed for good.
        """
        self._window.before(request)
        if self._score == "none":
            raise UsageError(
                f"openai:{self.model} gives no log-probabilities of given replies: choose score=prompt_logprobs (vLLM) "
                "or score=echo with api=completions. `finchmark serve-check` says what the server supports."
            )
        path = ("score", derive("score", request.continuation, *(m.content for m in request.messages)))
        way = by_prompt_logprobs if self._score == "prompt_logprobs" else by_echo
        try:
            return await way(request, self._shape, self._asker(request.session, path))
        except Transient as fault:
            raise BackendError(f"openai:{self.model}: {fault.detail}") from None

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Bound from below how far the predictions after one prompt are from those after another, along one reply.

        What is given is never exact: a server shows its likeliest tokens, all others are merged into one outcome.

        Raises:
            UsageError: The server gives no log-probabilities of prompts, or not as many; known by the first request,
                after which ``capabilities.divergence`` is False. Or ``top_k`` is below 1.
            ContextOverflow: A prompt does not fit, or the answer would be longer than ``max_bytes``.
            BackendError: The request failed for good.
        """
        if request.top_k is not None and request.top_k < 1:
            raise UsageError(f"top_k must be at least 1, or None for what the backend asks for, not {request.top_k}")
        if not self.capabilities.divergence:
            raise UsageError(
                f"openai:{self.model} compares no predictions: that needs log-probabilities of prompts "
                "(score=prompt_logprobs, as vLLM gives them) and diverge above 0."
            )
        for messages in (request.messages, request.reference):
            self._window.before(ScoreRequest(messages, request.continuation))
        said = (m.content for m in (*request.messages, *request.reference))
        ask = self._asker(request.session, ("diverge", derive("diverge", request.continuation, *said)))
        try:
            found = await bound_by_prompt_logprobs(request, self._shape, ask, self._diverge, self._max_bytes)
        except Transient as fault:
            raise BackendError(f"openai:{self.model}: {fault.detail}") from None
        except (RequestRefused, BackendUnavailable) as error:
            if self._bounds:
                raise
            if self.capabilities.divergence:
                self.capabilities = dataclasses.replace(self.capabilities, divergence=False)
                _log.warning("predictions are not compared: %s", error)
            raise UsageError(f"openai:{self.model} compares no predictions: {error}") from None
        self._bounds += 1
        return found

    def _asker(self, session: str, path: tuple[str | int, ...]) -> Ask:
        """What sends bodies other than those for a reply."""

        async def ask(place: str, body: dict[str, Any]) -> Any:
            http = self.client.http()
            url = http.root + place[1:] if place.startswith("//") else self.url + place
            encoded = json.dumps(body).encode()
            most = 0.0 if self._prices is None or place.startswith("//") else self._prices.cost(len(encoded), 0, 1)
            return await self.client.ask(
                lambda: (url, encoded),
                lambda answer: _json(answer.body),
                session=session,
                path=path,
                bound=lambda length: most,
                cost=lambda payload: most if self._prices is None else self._cost_of(payload, most),
                declined=None,
            )

        return ask

    def _cost_of(self, payload: Any, most: float) -> float:
        usage = payload.get("usage") if isinstance(payload, dict) else None
        if self._prices is None or not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
            return most
        return self._prices.cost(usage["prompt_tokens"], 0, int(usage.get("completion_tokens") or 0))

    def _refuse(self, answer: Answer, http: Http | None = None) -> Exception | Completion | None:
        return refusal(
            answer,
            shape=self._shape,
            clean=(http or self.client.http()).clean,
            context=self._context,
            key_env=self.key_env,
            url=self.url,
        )

    def _rephrase(self, name: str) -> None:
        if self._shape.cap_field != name:
            _log.warning("the server wants %s in the place of max_tokens", name)
            self._shape = dataclasses.replace(self._shape, cap_field=name)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Transient("bad_body", f"the body of {len(body)} bytes is no JSON", billed=True) from None
