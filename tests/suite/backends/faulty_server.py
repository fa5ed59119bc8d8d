"""A server of our own that speaks the OpenAI formats and misbehaves on a schedule.

It runs in a thread (tests) or, as a program, in a process of its own (benches)::

    python tests/suite/backends/faulty_server.py --port 8011 --latency 0.02
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import email.utils
import hashlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

Body = dict[str, Any]
Policy = Callable[[Body], str]
Schedule = Callable[[int], str]

# What the OpenAI formats name; "strict" servers refuse the rest.
_FIELDS = frozenset(
    (
        *("model", "messages", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop"),
        *("n", "logprobs", "top_logprobs", "echo", "stream", "stream_options", "tools"),
    )
)
_PIECES = re.compile(r"\s*\S+|\s+$")
_WORDS = (
    *("lamp", "water", "under", "the", "action", "yellow", "stone", "finch"),
    *("beak", "seed", "rain", "tree", "one", "two", "three", "four"),
)


def words(body: Body) -> str:
    """Four to twelve words, from the prompt and, where there is a temperature, from the seed."""
    prompt = json.dumps(body.get("messages") or body.get("prompt"))
    seed = body.get("seed") if body.get("temperature", 1) else None
    digest = hashlib.blake2b(f"{seed} {prompt}".encode()).digest()
    return " ".join(_WORDS[b % len(_WORDS)] for b in digest[: 4 + digest[-1] % 9])


def schedule(faults: Mapping[int, str] | Iterable[str]) -> Schedule:
    """Faults by the number of the request; none after the last."""
    by_number = dict(faults) if isinstance(faults, Mapping) else dict(enumerate(faults))
    return lambda number: by_number.get(number, "")


def tokens_of(text: str) -> list[str]:
    """Pieces of a text that join to it again."""
    return _PIECES.findall(text)


def token_id(piece: str) -> int:
    """A stable number for a piece."""
    return int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=3).digest(), "big")


class FaultyServer:
    """An OpenAI-compatible server.

    Args:
        policy: Writes the reply to a request's body.
        faults: Says for the number of each request (from 0) which fault it meets, empty for none.
        latency: Seconds before each answer.
        stops: What becomes of a stop string that was met: ``drop`` (gone), ``tell`` (gone, and named as vLLM does),
            ``keep`` (left at the end), ``ignore`` (the server knows no stop strings).
        key: The key that requests must carry; None: any or none.
        context: Tokens that prompt and reply may have together.
        owner: What the list of models says.
        reasoning: A thinking part: text, and whether it stands in a field of its own.
        features: Of ``seeds``, ``usage``, ``logprobs``, ``prompt_logprobs``, ``echo``, ``n``, ``tools``, ``models``,
            ``broken-models`` (the list fails), ``no-models`` (it is empty), ``tokenize``, ``cuts``
            (prompts that are too long are cut in silence), ``greedy-only`` (the temperature is ignored),
            ``shared-seeds`` (one generator for all: the seed that came last counts), ``no-tool-prompt`` (the prompt
            has no place for tools), ``strict`` (unknown fields are refused, as FastAPI does).
        max_parallel: Above so many requests at once it says 429.
        most_logprobs: How many tokens a place of the prompt it gives at most; it refuses to be asked for more.
        keep: How many bodies are kept for tests to look at.
    """

    def __init__(
        self,
        *,
        policy: Policy = words,
        faults: Schedule = lambda number: "",
        latency: float = 0.0,
        stops: str = "tell",
        key: str | None = None,
        context: int = 4096,
        model: str = "toy",
        owner: str = "vllm",
        reasoning: tuple[str, bool] | None = None,
        features: Iterable[str] = (
            "seeds",
            "usage",
            "logprobs",
            "prompt_logprobs",
            "echo",
            "n",
            "tools",
            "models",
            "tokenize",
        ),
        max_parallel: int | None = None,
        most_logprobs: int = 20,
        keep: int = 100_000,
    ) -> None:
        self.policy, self.faults, self.latency, self.stops = policy, faults, latency, stops
        self.key, self.context, self.model, self.owner, self.reasoning = key, context, model, owner, reasoning
        self.features = frozenset(features)
        self.max_parallel, self.keep = max_parallel, keep
        self.most_logprobs = most_logprobs
        self.count = 0
        self.met: Counter[str] = Counter()
        self.bodies: list[Body] = []
        self.replies: list[str] = []
        self.active = self.most_active = 0
        self.last_seed: int | None = None
        self.port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.port}/v1"

    # -- life

    def __enter__(self) -> FaultyServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before if it has run before."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        """Die at once: connections are closed, nothing listens any more."""
        if self._thread is None:
            return
        assert self._loop is not None
        assert self._ended is not None
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        runner = await self.run()
        ready.set()
        await self._ended.wait()
        await runner.cleanup()

    async def run(self) -> web.AppRunner:
        """Listen inside the running loop."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._completions)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/tokenize", self._tokenize)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        await web.SockSite(runner, listening, backlog=1024).start()
        return runner

    # -- faults

    async def _fault(self, name: str, request: web.Request) -> web.StreamResponse | None:
        """Misbehave."""
        self.met[name] += 1
        error = {"error": {"message": f"a fault: {name}", "type": "server_error", "code": None}}
        kind, _, value = name.partition(":")
        if kind.isdigit():
            headers = {"Retry-After": value} if value else {}
            return web.json_response(error, status=int(kind), headers=headers)
        if kind == "date":
            at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(value))
            return web.json_response(
                error, status=429, headers={"Retry-After": email.utils.format_datetime(at, usegmt=True)}
            )
        if kind == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if kind == "reset-in-body":
            response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
            await response.prepare(request)
            await response.write(b'{"choices": [{"message": {"content": "<action>')
            await asyncio.sleep(0.01)
            assert request.transport is not None
            request.transport.abort()
            return response
        if kind == "half-json":
            return web.Response(
                body=b'{"choices": [{"message": {"content": "<action>0', content_type="application/json"
            )
        if kind == "html":
            return web.Response(text="<html>welcome</html>", content_type="text/html")
        if kind == "empty":
            return web.json_response({"choices": [], "usage": {}})
        if kind == "error-200":
            return web.json_response({"error": {"message": "upstream is busy", "code": 503}})
        if kind == "stall":
            await asyncio.sleep(float(value or 60))
            return web.json_response(error, status=504)
        if kind == "endless":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await response.write(b'{"choices": [{"message": {"content": "')
                while True:
                    await response.write(b"on and " * 4096)
                    await asyncio.sleep(0)
            return response
        if kind == "echo-key":
            error["error"]["message"] = f"you sent {request.headers.get('Authorization')}"
            return web.json_response(error, status=int(value or 500))
        if kind == "filter":
            error["error"] |= {"code": "content_filter", "message": "the prompt was declined"}
            return web.json_response(error, status=400)
        if kind == "cap-name":
            error["error"] |= {
                "code": "unsupported_parameter",
                "message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            }
            return web.json_response(error, status=400)
        return None

    # -- answers

    def _refuse(self, message: str, status: int = 400, **fields: object) -> web.Response:
        return web.json_response(
            {"error": {"message": message, "type": "invalid_request_error", **fields}}, status=status
        )

    async def _models(self, request: web.Request) -> web.Response:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return self._refuse("wrong key", 401)
        if "broken-models" in self.features:
            return self._refuse("the cache is not there", 500)
        if "models" not in self.features:
            return self._refuse("no list", 404)
        entry = {"id": self.model, "object": "model", "owned_by": self.owner, "max_model_len": self.context}
        return web.json_response({"object": "list", "data": [] if "no-models" in self.features else [entry]})

    async def _tokenize(self, request: web.Request) -> web.Response:
        if "tokenize" not in self.features:
            return self._refuse("not found", 404)
        body = await request.json()
        text = body["prompt"] if "prompt" in body else _chat_text(body["messages"])
        return web.json_response({"tokens": [token_id(p) for p in tokens_of(text)]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, chat=True)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, chat=False)

    async def _answer(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        number, self.count = self.count, self.count + 1
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            body: Body = json.loads(await request.read())
            if len(self.bodies) < self.keep:
                self.bodies.append(body)
            self.last_seed = body.get("seed", self.last_seed)
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
                return self._refuse("wrong key", 401)
            if self.max_parallel is not None and self.active > self.max_parallel:
                self.met["429"] += 1
                return web.json_response({"error": {"message": "too many at once"}}, status=429)
            fault = self.faults(number)
            if fault and not (fault == "cap-name" and "max_completion_tokens" in body):
                answer = await self._fault(fault, request)
                if answer is not None:
                    return answer
            return await self._reply(request, body, chat, fault)
        finally:
            self.active -= 1

    async def _reply(self, request: web.Request, body: Body, chat: bool, fault: str) -> web.StreamResponse:
        if body.get("model") != self.model:
            return self._refuse(f"The model `{body.get('model')}` does not exist.", 404, code="model_not_found")
        prompt = _chat_text(body["messages"]) if chat else body["prompt"]
        pieces = tokens_of(prompt) if isinstance(prompt, str) else [str(t) for t in prompt]
        cap = body.get("max_tokens") or body.get("max_completion_tokens") or 16
        if body.get("tools") and "no-tool-prompt" not in self.features:
            pieces = [*tokens_of(json.dumps(body["tools"])), *pieces]
        if "strict" in self.features and (strange := body.keys() - _FIELDS):
            return web.json_response({"detail": f"Unexpected fields in the request: {strange}"}, status=422)
        if "cuts" in self.features:
            pieces = pieces[: self.context - cap]
        if len(pieces) + cap > self.context:
            return self._refuse(
                f"This model's maximum context length is {self.context} tokens. However, you requested "
                f"{len(pieces) + cap} tokens ({len(pieces)} in the messages, {cap} in the completion).",
                code="context_length_exceeded",
            )
        if "seeds" not in self.features:
            body = {**body, "seed": number_of(self)}
        if "shared-seeds" in self.features:
            body = {**body, "seed": self.last_seed}
        if "greedy-only" in self.features:
            body = {**body, "temperature": 0}
        many = body.get("n", 1) if "n" in self.features else 1
        many = 2 if fault == "wrong-n" else many
        choices = [self._choice(body, chat, cap, pieces, index) for index in range(many)]
        used = sum(c.pop("tokens") for c in choices)
        payload: Body = {"id": "x", "object": "chat.completion", "model": self.model, "choices": choices}
        if fault == "no-finish":
            for choice in choices:
                choice["finish_reason"] = None
        if "usage" in self.features:
            payload["usage"] = {
                "prompt_tokens": len(pieces),
                "completion_tokens": used,
                "total_tokens": len(pieces) + used,
                "prompt_tokens_details": {"cached_tokens": len(pieces) // 2},
            }
        if (body.get("prompt_logprobs") or 0) > self.most_logprobs:
            return self._refuse(
                f"Requested prompt logprobs of {body['prompt_logprobs']}, which is greater than max allowed: "
                f"{self.most_logprobs}"
            )
        if body.get("prompt_logprobs") is not None and "prompt_logprobs" in self.features:
            tokens = prompt if isinstance(prompt, list) else [token_id(p) for p in pieces]
            (payload if chat else choices[0])["prompt_logprobs"] = self.places(tokens, body["prompt_logprobs"])
        if len(self.replies) < self.keep:
            self.replies.append(choices[0]["message"]["content"] if chat else choices[0]["text"])
        if body.get("stream"):
            return await self._stream(request, payload, chat)
        return web.json_response(payload)

    def places(self, tokens: list[int], count: int) -> list[Body | None]:
        """What is said of a prompt's tokens; nothing of the first."""
        return [None, *({str(t): {"logprob": -0.5 - t % 3, "rank": 1 + t % 3}} for t in tokens[1:])]

    def _choice(self, body: Body, chat: bool, cap: int, pieces: list[str], index: int) -> Body:
        body = body if index == 0 else {**body, "seed": f"{body.get('seed')}+{index}"}
        text = self.policy(body)
        written = tokens_of(text)
        finish, stopped = "stop", None
        if len(written) > cap:
            written, finish = written[:cap], "length"
            text = "".join(written)
        given = body.get("stop") or []
        ends = [(text.index(s), s) for s in ([given] if isinstance(given, str) else given) if s in text]
        if ends and self.stops != "ignore":
            at, stopped = min(ends)
            finish = "stop"
            text = text[: at + len(stopped)] if self.stops == "keep" else text[:at]
        choice: Body = {"index": index, "finish_reason": finish, "logprobs": None, "tokens": len(tokens_of(text))}
        if self.stops == "tell":
            choice["stop_reason"] = stopped
        if self.reasoning and chat:
            thought, apart = self.reasoning
            choice["message"] = {"role": "assistant", "content": text if apart else f"<think>{thought}</think>\n{text}"}
            if apart:
                choice["message"]["reasoning_content"] = thought
        elif chat:
            choice["message"] = {"role": "assistant", "content": text}
            if body.get("tools") and "tools" in self.features:
                call = {"id": "c", "type": "function", "function": {"name": "press", "arguments": '{"lamp": 3}'}}
                choice |= {"finish_reason": "tool_calls"}
                choice["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
        else:
            choice["text"] = text
        if body.get("logprobs") and "logprobs" in self.features:
            some = tokens_of(text)
            if chat:
                top = [{"token": "x", "logprob": -1.0}, {"token": "y", "logprob": -2.0}][: body.get("top_logprobs", 0)]
                choice["logprobs"] = {
                    "content": [{"token": p, "logprob": -0.25, "top_logprobs": top} for p in some],
                }
            elif body.get("echo") and "echo" in self.features:
                some = pieces + some[:1]
                choice["text"] = "".join(some)
                offsets = [sum(map(len, some[:i])) for i in range(len(some))]
                values = [None, *(-0.5 - token_id(p) % 3 for p in some[1:])]
                tops = [
                    None,
                    *({p: v} if v == -0.5 else {p: v, "?": -0.1} for p, v in zip(some[1:], values[1:], strict=True)),
                ]
                choice["logprobs"] = {
                    "tokens": some,
                    "token_logprobs": values,
                    "top_logprobs": tops,
                    "text_offset": offsets,
                }
            else:
                choice["logprobs"] = {
                    "tokens": some,
                    "token_logprobs": [-0.25] * len(some),
                    "top_logprobs": [{p: -0.25, "z": -2.0} for p in some],
                }
        return choice

    async def _stream(self, request: web.Request, payload: Body, chat: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        (choice,) = payload["choices"]
        last = {k: v for k, v in choice.items() if k not in ("message", "text", "logprobs")}
        text = choice["message"]["content"] if chat else choice["text"]
        for piece in tokens_of(text):
            part = {"delta": {"content": piece}} if chat else {"text": piece}
            event = {"model": self.model, "choices": [{"index": 0, "finish_reason": None, **part}]}
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        end = {"model": self.model, "choices": [{**last, **({"delta": {}} if chat else {"text": ""})}]}
        await response.write(f"data: {json.dumps(end)}\n\n".encode())
        if (body_usage := payload.get("usage")) is not None:
            await response.write(f"data: {json.dumps({'choices': [], 'usage': body_usage})}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


def number_of(server: FaultyServer) -> int:
    """Another number for each request."""
    return server.count


def _chat_text(messages: Iterable[Mapping[str, str]]) -> str:
    return "".join(f"{m['role']}: {m['content']}\n" for m in messages)


def ask(backend, *requests):
    """The answers to some requests, each an exception where it failed."""

    async def go():
        await asyncio.to_thread(backend.locate)
        await backend.start()
        try:
            return await asyncio.gather(*(backend.generate(r) for r in requests), return_exceptions=True)
        finally:
            await backend.aclose()

    return asyncio.run(go())


def main() -> None:
    """Serve until killed."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--latency", type=float, default=0.0)
    given = arguments.parse_args()
    server = FaultyServer(latency=given.latency, keep=0)
    server.port = given.port

    async def serve() -> None:
        await server.run()
        print(server.url, flush=True)  # noqa: T201 - the program that started us waits for it
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
