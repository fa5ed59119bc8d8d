"""The questions that :mod:`.serve_check` puts to a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .backends.openai_http import Answer, Http
from .backends.openai_reply import merge_stream
from .backends.retry import Transient

__all__ = ["QUESTIONS", "Prober", "Refused", "ServeFinding", "talks"]

State = Literal["yes", "no", "unknown"]
_PROMPT = "Tell a short story about a finch and a lamp. Begin with an unusual word."
_TOKENS = 24
_WORDS = ("lamp", "finch", "stone", "rain", "seven", "under", "yellow")


@dataclass(frozen=True, slots=True)
class ServeFinding:
    """One line of the report.

    Args:
        name: What was looked for, such as ``seeds``.
        state: ``yes``; ``no``; ``unknown``: the server answered in a way that decides nothing.
        evidence: What was seen, in one line without secrets.
        means: What follows for a run; empty where nothing does.
    """

    name: str
    state: State
    evidence: str
    means: str = ""


class Refused(Exception):
    """The server gave no reply to a request; the text says how.

    Args:
        text: What it said.
        decided: Whether that says something of what it supports; a broken connection and "too busy" do not.
    """

    def __init__(self, text: str, *, decided: bool = True) -> None:
        super().__init__(text)
        self.decided = decided


class Prober:
    """Asks one server, in the form that it was found to answer."""

    def __init__(self, http: Http, model: str) -> None:
        self.http, self.model = http, model
        self.api: Literal["chat", "completions"] = "chat"
        self.cap = "max_tokens"

    async def send(self, url: str, body: dict[str, Any], *, stream: bool = False) -> dict[str, Any]:
        """The JSON of an answer.

        Raises:
            Refused: There is none.
        """
        encoded = json.dumps(body).encode()
        for last in (False, True):
            try:
                return self._read(await self.http.post(url, encoded), stream=stream)
            except Transient as fault:
                # A connection that was kept open may have been closed over there; that says nothing of the server.
                if last or fault.kind not in ("connection", "cut_off"):
                    raise Refused(self.http.clean(fault), decided=False) from None
        raise AssertionError("unreachable")

    def _read(self, answer: Answer, *, stream: bool) -> dict[str, Any]:
        if answer.status != 200:
            said = self.http.clean(answer.body[:2000].decode("utf-8", "replace"))
            raise Refused(f"HTTP {answer.status}: {said}", decided=answer.status not in (408, 429, 503))
        try:
            payload = merge_stream(answer.body) if stream else json.loads(answer.body)
        except ValueError:
            raise Refused("HTTP 200 with a body that is no JSON") from None
        if not isinstance(payload, dict):
            raise Refused("HTTP 200 with JSON that is no object")
        return payload

    async def ask(
        self,
        prompt: str = _PROMPT,
        *,
        api: str | None = None,
        stream: bool = False,
        tokens: int = _TOKENS,
        **fields: Any,
    ) -> dict[str, Any]:
        """One request for a reply.

        Raises:
            Refused: There is no reply.
        """
        api = api or self.api
        body: dict[str, Any] = {"model": self.model, self.cap: tokens, "temperature": 1.0}
        body |= {"stream": True} if stream else {}
        body |= {"messages": [{"role": "user", "content": prompt}]} if api == "chat" else {"prompt": prompt}
        path = "/chat/completions" if api == "chat" else "/completions"
        return await self.send(self.http.url + path, {**body, **fields}, stream=stream)


def _choices(payload: dict[str, Any]) -> list[dict[str, Any]]:
    found = payload.get("choices")
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []


def _text(payload: dict[str, Any]) -> str:
    """The reply with its thinking part: both must follow the seed."""
    for choice in _choices(payload):
        message = choice.get("message")
        if isinstance(message, dict):
            thought = message.get("reasoning_content") or message.get("reasoning") or ""
            return f"{thought}{message.get('content') or ''}"
        return str(choice.get("text") or "")
    return ""


def _show(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 40 else line[:40] + "…")


async def talks(p: Prober, api: Literal["chat", "completions"]) -> ServeFinding:
    """Whether it answers at all, in one of the two forms."""
    payload = await p.ask("Say yes.", api=api)
    if not _choices(payload):
        return ServeFinding(api, "no", "HTTP 200 without choices")
    return ServeFinding(api, "yes", f"answered {_show(_text(payload))}")


async def _seeds(p: Prober) -> ServeFinding:
    first, again, other = [_text(await p.ask(seed=seed)) for seed in (11, 11, 12)]
    if not first:
        return ServeFinding("seeds", "unknown", "the replies are empty")
    if first != again:
        return ServeFinding(
            "seeds",
            "no",
            f"the same seed gave {_show(first)} and {_show(again)}",
            "samples differ, but a run cannot be repeated",
        )
    if first == other:
        return ServeFinding(
            "seeds",
            "unknown",
            f"three replies with two seeds are all {_show(first)}",
            "samples of an item may all be the same: the temperature may be ignored, or replies cached",
        )
    return ServeFinding("seeds", "yes", f"the same seed gave the same reply, another gave {_show(other)}")


async def _seeds_at_once(p: Prober) -> ServeFinding:
    """Whether a seed holds beside other requests: a server may set one generator for all that are under way."""
    alone = _text(await p.ask(seed=11))
    beside, *others = [_text(reply) for reply in await asyncio.gather(*(p.ask(seed=seed) for seed in (11, 21, 22, 23)))]
    if not alone:
        return ServeFinding("seeds at once", "unknown", "the replies are empty")
    if beside == alone and {alone} != set(others):
        return ServeFinding("seeds at once", "yes", "a seed gave the same reply alone and beside other requests")
    seen = f"a seed gave {_show(alone)} alone and {_show(beside)} beside other requests"
    if beside == alone:
        seen = f"four seeds at once all gave {_show(alone)}"
    return ServeFinding("seeds at once", "no", seen, "only a run with concurrency=1 can be repeated")


async def _sampling(p: Prober) -> ServeFinding:
    greedy, *drawn = [_text(await p.ask(temperature=t, seed=seed)) for t, seed in ((0, 11), (1.0, 11), (1.0, 12))]
    if not greedy:
        return ServeFinding("sampling", "unknown", "the replies are empty")
    if {greedy} == set(drawn):
        return ServeFinding(
            "sampling",
            "no",
            f"temperature 1 gave the greedy reply {_show(greedy)} for two seeds",
            "all samples of an item are one: the temperature is ignored. Some servers (transformers serve) sample only "
            "where the model's generation_config.json says do_sample",
        )
    return ServeFinding("sampling", "yes", "temperature 1 gave other replies than temperature 0")


async def _greedy(p: Prober) -> ServeFinding:
    texts = [_text(await p.ask(temperature=0, seed=seed)) for seed in (1, 2)]
    same = texts[0] == texts[1]
    return ServeFinding(
        "greedy",
        "yes" if same else "no",
        "temperature 0 gave the same reply twice" if same else f"temperature 0 gave {' and '.join(map(_show, texts))}",
        "" if same else "greedy results vary from run to run",
    )


async def _n(p: Prober) -> ServeFinding:
    count = len(_choices(await p.ask(n=2)))
    return ServeFinding("n", "yes" if count == 2 else "no", f"n = 2 gave {count} choices", "")


async def _logprobs(p: Prober) -> ServeFinding:
    payload = await p.ask(logprobs=True if p.api == "chat" else 1)
    found = _of_tokens(payload)
    return ServeFinding("logprobs", "yes" if found else "no", f"log-probabilities of {len(found)} tokens")


def _of_tokens(payload: dict[str, Any]) -> list[Any]:
    for choice in _choices(payload):
        found = choice.get("logprobs")
        if isinstance(found, dict):
            return found.get("content") or found.get("token_logprobs") or []
    return []


async def _top_logprobs(p: Prober) -> ServeFinding:
    if p.api == "completions":
        payload = await p.ask(logprobs=3)
        tops = [
            c["logprobs"].get("top_logprobs") or [] for c in _choices(payload) if isinstance(c.get("logprobs"), dict)
        ]
        most = max((len(t or {}) for t in (tops[0] if tops else [])), default=0)
    else:
        payload = await p.ask(logprobs=True, top_logprobs=3)
        entries = [one for one in _of_tokens(payload) if isinstance(one, dict)]
        most = max((len(one.get("top_logprobs") or ()) for one in entries), default=0)
    return ServeFinding("top_logprobs", "yes" if most >= 2 else "no", f"{most} alternatives a token, 3 were asked for")


async def _prompt_logprobs(p: Prober) -> ServeFinding:
    payload = await p.ask(prompt_logprobs=1, api=p.api)
    found = payload.get("prompt_logprobs")
    for choice in _choices(payload):
        found = found or choice.get("prompt_logprobs")
    if not isinstance(found, list) or not any(isinstance(one, dict) for one in found):
        return ServeFinding("prompt_logprobs", "no", "the reply has none")
    try:
        tokens = (await p.send(f"{p.http.root}/tokenize", {"model": p.model, "prompt": "a b"})).get("tokens")
    except Refused as refused:
        return ServeFinding("prompt_logprobs", "no", f"{len(found)} places, but no /tokenize: {refused}")
    if not isinstance(tokens, list):
        return ServeFinding("prompt_logprobs", "no", f"{len(found)} places, but /tokenize gives no tokens")
    return ServeFinding("prompt_logprobs", "yes", f"{len(found)} places, and /tokenize", "replies can be scored")


async def _echo(p: Prober) -> ServeFinding:
    payload = await p.ask("The finch sat on the", api="completions", echo=True, logprobs=1)
    echoed = _text(payload).startswith("The finch sat on the")
    scored = bool(_of_tokens(payload))
    state: State = "yes" if echoed and scored else "no"
    means = "replies can be scored: api=completions, score=echo" if state == "yes" else ""
    seen = f"the prompt was {'' if echoed else 'not '}repeated, {'with' if scored else 'without'} log-probabilities"
    return ServeFinding("echo", state, seen, means)


async def _stop(p: Prober) -> ServeFinding:
    whole = _text(await p.ask(temperature=0, seed=1))
    words = [w for w in whole.split() if len(w) > 2]
    if len(words) < 3:
        return ServeFinding("stop", "unknown", f"the reply {_show(whole)} is too short to be stopped in")
    stop = words[2]
    payload = await p.ask(temperature=0, seed=1, stop=[stop])
    choice = (_choices(payload) or [{}])[0]
    text = _text(payload)
    told = choice.get("stop_reason") or choice.get("matched_stop")
    if text.endswith(stop):
        return ServeFinding("stop", "yes", f"ended at {stop!r} and kept it")
    if stop in text:
        return ServeFinding("stop", "no", f"went on after {stop!r}", "replies are cut here; they cost what was written")
    if told == stop:
        return ServeFinding("stop", "yes", f"ended at {stop!r}, dropped it and says so", "it is put back exactly")
    if choice.get("finish_reason") == "stop" and whole.startswith(text.rstrip()) and len(text) < len(whole):
        return ServeFinding(
            "stop", "yes", f"ended at {stop!r}, dropped it and does not say so", "closing tags are put back by rule"
        )
    return ServeFinding("stop", "unknown", f"with stop {stop!r} it answered {_show(text)}")


async def _tools(p: Prober) -> ServeFinding:
    tool = {
        "type": "function",
        "function": {
            "name": "press_switch",
            "description": "Press a switch.",
            "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
        },
    }
    ask = "Press switch 3. Use the tool."
    payload = await p.ask(ask, api="chat", tools=[tool], tokens=128)
    calls = [c["message"].get("tool_calls") for c in _choices(payload) if isinstance(c.get("message"), dict)]
    if calls and calls[0]:
        return ServeFinding("tools", "yes", "the reply calls the tool")
    shown, bare = _read_tokens(payload), _read_tokens(await p.ask(ask, api="chat", tokens=1))
    if shown is not None and shown == bare:
        return ServeFinding(
            "tools",
            "no",
            f"tools were accepted, but the prompt has {bare} tokens with and without them",
            "the model is not told of its tools: the chat template has no place for them",
        )
    return ServeFinding("tools", "unknown", f"tools were accepted, but the model answered {_show(_text(payload))}")


def _read_tokens(payload: dict[str, Any]) -> int | None:
    """How many tokens the server read as the prompt, where it says so."""
    usage = payload.get("usage")
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return read if type(read) is int else None


async def _usage(p: Prober) -> ServeFinding:
    usage = (await p.ask()).get("usage")
    if not isinstance(usage, dict) or not isinstance(usage.get("completion_tokens"), int):
        return ServeFinding("usage", "no", "tokens are not counted", "costs and token limits rest on a guess")
    details = usage.get("prompt_tokens_details")
    cached = "also those of the cache" if isinstance(details, dict) else "but not those of the cache"
    over = usage["completion_tokens"] > _TOKENS
    return ServeFinding(
        "usage",
        "yes",
        f"{usage.get('prompt_tokens')} + {usage['completion_tokens']} tokens, {cached}",
        f"the cap of {_TOKENS} tokens was not kept" if over else "",
    )


async def _long_prompt(p: Prober) -> ServeFinding:
    words = 6000
    prompt = "Here are words. " + " ".join(_WORDS[i % len(_WORDS)] for i in range(words)) + " Say yes."
    try:
        payload = await p.ask(prompt, tokens=4)
    except Refused as refused:
        if not refused.decided:
            raise
        return ServeFinding("long prompt", "yes", f"{words} words were refused: {refused}"[:200])
    read = _read_tokens(payload)
    if read is None:
        return ServeFinding("long prompt", "unknown", f"{words} words were answered, tokens are not counted")
    if 2 * read < words:
        return ServeFinding(
            "long prompt",
            "no",
            f"of {words} words only {read} tokens were read, and nothing was said",
            "long episodes lose their beginning: raise the server's context",
        )
    return ServeFinding("long prompt", "yes", f"{words} words were read as {read} tokens")


async def _streaming(p: Prober) -> ServeFinding:
    payload = await p.ask(stream=True, temperature=0, seed=1)
    return ServeFinding("streaming", "yes", f"a stream gave {_show(_text(payload))}")


QUESTIONS: Mapping[str, Callable[[Prober], Awaitable[ServeFinding]]] = {
    "sampling": _sampling,
    "seeds": _seeds,
    "seeds at once": _seeds_at_once,
    "greedy": _greedy,
    "n": _n,
    "logprobs": _logprobs,
    "top_logprobs": _top_logprobs,
    "prompt_logprobs": _prompt_logprobs,
    "echo": _echo,
    "stop": _stop,
    "tools": _tools,
    "usage": _usage,
    "long prompt": _long_prompt,
    "streaming": _streaming,
}
"""What is asked of a server that talks at all, in this order."""
