"""What an OpenAI-compatible server supports, found out by asking it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from .backends.openai_http import Answer, Http, read_key, read_url
from .backends.openai_reply import merge_stream
from .backends.retry import Transient
from .errors import BackendUnavailable, UsageError

__all__ = ["ServeFinding", "ServeReport", "serve_check"]

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


@dataclass(frozen=True, slots=True)
class ServeReport:
    """What a server supports.

    Args:
        url: Its address.
        model: The model that was asked.
        models: Those that it lists.
        findings: One a question.
    """

    url: str
    model: str
    models: tuple[str, ...]
    findings: tuple[ServeFinding, ...]

    def __getitem__(self, name: str) -> ServeFinding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def usable(self) -> bool:
        """Whether an evaluation can run over it at all."""
        return "yes" in (self["chat"].state, self["completions"].state)

    def text(self) -> str:
        """The report for a terminal."""
        width = max(len(f.name) for f in self.findings)
        lines = [f"{self.url}, model {self.model}"]
        for finding in self.findings:
            lines.append(f"  {finding.name:{width}}  {finding.state:7}  {finding.evidence}")
            if finding.means:
                lines.append(f"  {'':{width}}  {'':7}  -> {finding.means}")
        return "\n".join(lines)


class _Refused(Exception):
    """The server refused a request; the text says how."""


class _Prober:
    """Asks one server, one request after the other."""

    def __init__(self, http: Http, model: str) -> None:
        self.http, self.model = http, model
        self.api: Literal["chat", "completions"] = "chat"
        self.cap = "max_tokens"

    async def send(self, url: str, body: dict[str, Any], *, stream: bool = False) -> dict[str, Any]:
        """The JSON of an answer.

        Raises:
            _Refused: There is none.
        """
        encoded = json.dumps(body).encode()
        for last in (False, True):
            try:
                return self._read(await self.http.post(url, encoded), stream=stream)
            except Transient as fault:
                # A connection that was kept open may have been closed over there; that says nothing of the server.
                if last or fault.kind not in ("connection", "cut_off"):
                    raise _Refused(self.http.clean(fault)) from None
        raise AssertionError("unreachable")

    def _read(self, answer: Answer, *, stream: bool) -> dict[str, Any]:
        if answer.status != 200:
            raise _Refused(f"HTTP {answer.status}: {self.http.clean(answer.body[:2000].decode('utf-8', 'replace'))}")
        try:
            payload = merge_stream(answer.body) if stream else json.loads(answer.body)
        except ValueError:
            raise _Refused("HTTP 200 with a body that is no JSON") from None
        if not isinstance(payload, dict):
            raise _Refused("HTTP 200 with JSON that is no object")
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
            _Refused: There is no reply.
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


async def _talks(p: _Prober, api: Literal["chat", "completions"]) -> ServeFinding:
    payload = await p.ask("Say yes.", api=api)
    if not _choices(payload):
        return ServeFinding(api, "no", "HTTP 200 without choices")
    return ServeFinding(api, "yes", f"answered {_show(_text(payload))}")


async def _seeds(p: _Prober) -> ServeFinding:
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


async def _greedy(p: _Prober) -> ServeFinding:
    texts = [_text(await p.ask(temperature=0, seed=seed)) for seed in (1, 2)]
    same = texts[0] == texts[1]
    return ServeFinding(
        "greedy",
        "yes" if same else "no",
        "temperature 0 gave the same reply twice" if same else f"temperature 0 gave {' and '.join(map(_show, texts))}",
        "" if same else "greedy results vary from run to run",
    )


async def _n(p: _Prober) -> ServeFinding:
    count = len(_choices(await p.ask(n=2)))
    return ServeFinding("n", "yes" if count == 2 else "no", f"n = 2 gave {count} choices", "")


async def _logprobs(p: _Prober) -> ServeFinding:
    payload = await p.ask(logprobs=True if p.api == "chat" else 1)
    found = _of_tokens(payload)
    return ServeFinding("logprobs", "yes" if found else "no", f"log-probabilities of {len(found)} tokens")


def _of_tokens(payload: dict[str, Any]) -> list[Any]:
    for choice in _choices(payload):
        found = choice.get("logprobs")
        if isinstance(found, dict):
            return found.get("content") or found.get("token_logprobs") or []
    return []


async def _top_logprobs(p: _Prober) -> ServeFinding:
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


async def _prompt_logprobs(p: _Prober) -> ServeFinding:
    payload = await p.ask(prompt_logprobs=1, api=p.api)
    found = payload.get("prompt_logprobs")
    for choice in _choices(payload):
        found = found or choice.get("prompt_logprobs")
    if not isinstance(found, list) or not any(isinstance(one, dict) for one in found):
        return ServeFinding("prompt_logprobs", "no", "the reply has none")
    try:
        tokens = (await p.send(f"{p.http.root}/tokenize", {"model": p.model, "prompt": "a b"})).get("tokens")
    except _Refused as refused:
        return ServeFinding("prompt_logprobs", "no", f"{len(found)} places, but no /tokenize: {refused}")
    if not isinstance(tokens, list):
        return ServeFinding("prompt_logprobs", "no", f"{len(found)} places, but /tokenize gives no tokens")
    return ServeFinding("prompt_logprobs", "yes", f"{len(found)} places, and /tokenize", "replies can be scored")


async def _echo(p: _Prober) -> ServeFinding:
    payload = await p.ask("The finch sat on the", api="completions", echo=True, logprobs=1)
    echoed = _text(payload).startswith("The finch sat on the")
    scored = bool(_of_tokens(payload))
    state: State = "yes" if echoed and scored else "no"
    means = "replies can be scored: api=completions, score=echo" if state == "yes" else ""
    seen = f"the prompt was {'' if echoed else 'not '}repeated, {'with' if scored else 'without'} log-probabilities"
    return ServeFinding("echo", state, seen, means)


async def _stop(p: _Prober) -> ServeFinding:
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


async def _tools(p: _Prober) -> ServeFinding:
    tool = {
        "type": "function",
        "function": {
            "name": "press_switch",
            "description": "Press a switch.",
            "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
        },
    }
    payload = await p.ask("Press switch 3. Use the tool.", api="chat", tools=[tool], tokens=128)
    calls = [c["message"].get("tool_calls") for c in _choices(payload) if isinstance(c.get("message"), dict)]
    if calls and calls[0]:
        return ServeFinding("tools", "yes", "the reply calls the tool")
    return ServeFinding("tools", "unknown", f"tools were accepted, but the model answered {_show(_text(payload))}")


async def _usage(p: _Prober) -> ServeFinding:
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


async def _long_prompt(p: _Prober) -> ServeFinding:
    words = 6000
    prompt = "Here are words. " + " ".join(_WORDS[i % len(_WORDS)] for i in range(words)) + " Say yes."
    try:
        payload = await p.ask(prompt, tokens=4)
    except _Refused as refused:
        return ServeFinding("long prompt", "yes", f"{words} words were refused: {refused}"[:200])
    usage = payload.get("usage")
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if not isinstance(read, int) or isinstance(read, bool):
        return ServeFinding("long prompt", "unknown", f"{words} words were answered, tokens are not counted")
    if 2 * read < words:
        return ServeFinding(
            "long prompt",
            "no",
            f"of {words} words only {read} tokens were read, and nothing was said",
            "long episodes lose their beginning: raise the server's context",
        )
    return ServeFinding("long prompt", "yes", f"{words} words were read as {read} tokens")


async def _streaming(p: _Prober) -> ServeFinding:
    payload = await p.ask(stream=True, temperature=0, seed=1)
    return ServeFinding("streaming", "yes", f"a stream gave {_show(_text(payload))}")


async def _models(http: Http) -> tuple[tuple[str, ...], ServeFinding]:
    try:
        answer = await http.get(f"{http.url}/models")
    except Transient as fault:
        raise BackendUnavailable(
            f"There is no answer from {http.url}: {http.clean(fault)}. Is the server running, and is the address right?"
        ) from None
    if answer.status == 401:
        raise BackendUnavailable(f"{http.url} refuses the key (HTTP 401). Export it, and name it by api_key_env.")
    try:
        listed = json.loads(answer.body)["data"] if answer.status == 200 else []
        names = tuple(http.clean(e["id"]) for e in listed)
        owners = sorted({http.clean(e.get("owned_by") or "?") for e in listed})
    except (ValueError, KeyError, TypeError, AttributeError):
        names, owners = (), []
    if not names:
        return (), ServeFinding("models", "no", f"no list of models (HTTP {answer.status})")
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return names, ServeFinding("models", "yes", f"{', '.join(names[:5])}{more}; owned by {', '.join(owners)}")


async def _check(http: Http, model: str | None) -> ServeReport:
    names, first = await _models(http)
    chosen = model or (names[0] if names else None)
    if chosen is None:
        raise UsageError(f"{http.url} lists no models; name one by --model.")
    p = _Prober(http, chosen)
    findings = [first]

    async def look(name: str, question: Callable[[_Prober], Awaitable[ServeFinding]], *, needed: bool = True) -> bool:
        if not needed:
            findings.append(ServeFinding(name, "unknown", "not asked: nothing answers"))
            return False
        try:
            finding = await question(p)
        except _Refused as refused:
            finding = ServeFinding(name, "no", str(refused))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            finding = ServeFinding(name, "unknown", f"the answer has another form than it should have: {error!r}"[:200])
        findings.append(finding)
        return finding.state == "yes"

    chat = await look("chat", lambda q: _talks(q, "chat"))
    if not chat and "max_completion_tokens" in findings[-1].evidence:
        p.cap = "max_completion_tokens"
        findings.pop()
        chat = await look("chat", lambda q: _talks(q, "chat"))
    plain = await look("completions", lambda q: _talks(q, "completions"))
    p.api = "chat" if chat or not plain else "completions"
    alive = chat or plain
    questions: dict[str, Callable[[_Prober], Awaitable[ServeFinding]]] = {
        "seeds": _seeds,
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
    for name, question in questions.items():
        needed = plain if name == "echo" else chat if name == "tools" else alive
        await look(name, question, needed=needed)
    return ServeReport(http.url, chosen, names, tuple(findings))


def serve_check(
    url: str | None = None,
    *,
    model: str | None = None,
    api_key_env: str | None = None,
    timeout: float = 60.0,
) -> ServeReport:
    """Ask a server what it supports: about twenty short requests, one after the other.

    Args:
        url: The API's address, such as ``http://127.0.0.1:8000/v1``; by default the environment's OPENAI_BASE_URL.
        model: The model to ask; by default the first that the server lists.
        api_key_env: The environment variable with the key; by default OPENAI_API_KEY, which may be unset.
        timeout: Seconds for one request.

    Returns:
        A finding for each of ``models``, ``chat``, ``completions``, ``seeds``, ``greedy``, ``n``, ``logprobs``,
        ``top_logprobs``, ``prompt_logprobs``, ``echo``, ``stop``, ``tools``, ``usage``, ``long prompt`` (read whole or
        refused, not cut in silence) and ``streaming``.

    Raises:
        UsageError: The address cannot be, or no model is named and none is listed.
        BackendUnavailable: Nobody answers, or the key is refused.
    """
    http = Http(
        read_url(url),
        read_key(api_key_env or "OPENAI_API_KEY", needed=api_key_env is not None),
        connections=1,
        timeout=timeout,
        max_bytes=2**22,
    )

    async def go() -> ServeReport:
        await http.open()
        try:
            return await _check(http, model)
        finally:
            await http.close()

    return asyncio.run(go())
