"""What the replies of OpenAI-compatible servers mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .base import Completion, GenerateRequest, TokenLogprob
from .chat import CLOSE, OPEN, PLAIN, part
from .openai_request import PLAIN_ENDS, Shape
from .retry import Transient

__all__ = ["Reply", "Stop", "merge_stream", "parse"]

Stop = Literal["told", "rule", "kept", "cut", "none"]

_FINISH: dict[str, Literal["stop", "length", "content_filter"]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
}


class Reply(NamedTuple):
    """A reply, read.

    Args:
        completion: What it says, without its cost.
        model: The model that the server says it was.
        fingerprint: The server's name for its configuration.
        stop: How the stop string came to stand at the text's end: ``told`` (the server said which), ``rule`` (it had
            dropped one, see :func:`_restore`), ``kept`` (it had left it there), ``cut`` (it had gone on after it),
            ``none``.
        counted: Whether the server counted the tokens.
    """

    completion: Completion
    model: str
    fingerprint: str
    stop: Stop
    counted: bool


def parse(payload: Any, request: GenerateRequest, shape: Shape) -> Reply:
    """Read a reply of status 200.

    Args:
        payload: The parsed JSON.
        request: What was asked.
        shape: How it was asked.

    Raises:
        Transient: It is no whole reply: an error in its place, no choice or several, no reason why it ended.
    """
    if not isinstance(payload, dict):
        raise Transient("bad_body", f"the reply is JSON of the type {type(payload).__name__}, not an object")
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Transient("empty", "the reply has no choices", billed=True)
    if len(choices) != 1:
        raise Transient("wrong_n", f"the reply has {len(choices)} choices, one was asked for", billed=True)
    choice = choices[0]
    if not isinstance(choice, dict):
        raise Transient("bad_body", "the reply's choice is not an object")
    given = choice.get("finish_reason")
    finish = (_FINISH.get(given) or _FINISH.get(given.lower())) if isinstance(given, str) else None
    if finish is None:
        raise Transient("bad_body", f"the reply ended for the reason {given!r}, which says nothing", billed=True)

    message = choice.get("message") if shape.api == "chat" else choice
    if not isinstance(message, dict):
        raise Transient("bad_body", "the reply's choice has no message", billed=True)
    text, reasoning = _texts(message, "content" if shape.api == "chat" else "text")
    if message.get("refusal") and not text:
        text, finish = str(message["refusal"]), "content_filter"

    whole = True  # False while the text ends inside a thinking part: no stop string stands in a reply then
    if reasoning:
        whole = bool(text)
    elif CLOSE in text or text.lstrip().startswith(OPEN):  # a template may have opened the part in the prompt
        parted = part(text, opened=not text.lstrip().startswith(OPEN))
        reasoning, text, whole = parted.reasoning, parted.reply, parted.closed
    stop: Stop = "none"
    cut = _cut(text, request.stop) if request.stop else None
    if cut is not None:
        stop = "kept" if cut == len(text) else "cut"
        text, finish = text[:cut], "stop" if finish == "length" else finish
    elif finish == "stop" and whole:
        if "stop_reason" in choice or "matched_stop" in choice:
            matched = choice.get("stop_reason", choice.get("matched_stop"))
            if isinstance(matched, str) and matched in request.stop:
                text, stop = text + matched, "told"
        else:
            restored = _restore(text, request.stop)
            stop = "none" if restored == text else "rule"
            text = restored
    if shape.api == "completions" and shape.template == PLAIN:
        for end in PLAIN_ENDS:
            text = text.split(end, 1)[0]

    usage = payload.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    prompt = _count(usage.get("prompt_tokens")) or 0
    completion = _count(usage.get("completion_tokens"))
    counted = completion is not None
    if completion is None:  # four bytes a token, the usual guess for English
        completion = min(-(-len((reasoning + text).encode("utf-8", "replace")) // 4), _cap(request))
    cached = thought = None
    if usage:
        cached = _count(_within(usage, "prompt_tokens_details").get("cached_tokens"))
        if cached is None:
            cached = _count(usage.get("prompt_cache_hit_tokens"))
        thought = _count(_within(usage, "completion_tokens_details").get("reasoning_tokens"))
    return Reply(
        Completion(
            text=text,
            finish_reason=finish,
            prompt_tokens=prompt,
            completion_tokens=completion,
            reasoning=reasoning,
            reasoning_tokens=min(thought or 0, completion),
            cached_tokens=min(cached or 0, prompt),
            logprobs=_logprobs(choice, shape.api) if shape.logprobs else None,
        ),
        model=str(payload.get("model") or ""),
        fingerprint=str(payload.get("system_fingerprint") or ""),
        stop=stop,
        counted=counted,
    )


def _cap(request: GenerateRequest) -> int:
    return request.max_tokens + (request.think_budget or 0)


def _within(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = usage.get(name)
    return inner if isinstance(inner, dict) else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _texts(message: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The reply and the thinking part that a server keeps apart."""
    content = message.get(name)
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):  # pieces with a type, as some hosted APIs send them
        pieces = [p for p in content if isinstance(p, dict)]
        thoughts = [str(p.get("thinking") or "") for p in pieces if p.get("type") == "thinking"]
        content = "".join(str(p.get("text") or "") for p in pieces if p.get("type") != "thinking")
        reasoning = reasoning or "".join(thoughts)
    if not isinstance(reasoning, str):
        reasoning = json.dumps(reasoning, ensure_ascii=False)
    if content is not None and not isinstance(content, str):
        raise Transient("bad_body", f"the reply's text is of the type {type(content).__name__}", billed=True)
    return content or "", reasoning.strip()


def _cut(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop string in a text ends."""
    ends = [at + len(s) for s in stops if s and (at := text.find(s)) >= 0]
    return min(ends) if ends else None


def _restore(text: str, stops: Sequence[str]) -> str:
    """Put back a stop string that a server dropped without saying so.

    A server that ends with ``stop`` has met either a stop string, which it drops, or the end of the turn, and most do
    not say which. Where a stop string is a closing tag (``</action>``) and its opening tag stands open at the end of
    the text, the stop string is what was met, unless the model forgot the tag: it is put back. Otherwise the text is
    left as it is.
    """
    for stop in stops:
        tag = re.fullmatch(r"</([^<>/\s]+)>", stop)
        if tag and text.rfind(f"<{tag[1]}>") > text.rfind(stop):
            return text + stop
    return text


def _logprobs(choice: Mapping[str, Any], api: str) -> tuple[TokenLogprob, ...] | None:
    found = choice.get("logprobs")
    if not isinstance(found, dict):
        return None
    try:
        if api == "chat":
            return tuple(
                TokenLogprob(
                    str(one["token"]),
                    float(one["logprob"]),
                    tuple((str(t["token"]), float(t["logprob"])) for t in one.get("top_logprobs") or ()),
                )
                for one in found.get("content") or ()
            )
        tops = found.get("top_logprobs") or [None] * len(found["tokens"])
        return tuple(
            TokenLogprob(str(token), float(value), tuple(sorted((top or {}).items(), key=lambda pair: -pair[1])))
            for token, value, top in zip(found["tokens"], found["token_logprobs"], tops, strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Transient("bad_body", f"the reply's log-probabilities are malformed: {error!r}", billed=True) from None


def merge_stream(body: bytes) -> dict[str, Any]:
    """Put a streamed reply (server-sent events) together as if it had come in one piece.

    Raises:
        Transient: It ended before its end, or a piece is no JSON.
    """
    choices: dict[int, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    done = False
    for line in body.split(b"\n"):
        line = line.strip()
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            done = True
            break
        try:
            piece = json.loads(data)
        except ValueError:
            raise Transient("bad_body", "a piece of the stream is no JSON", billed=True) from None
        if not isinstance(piece, dict):
            raise Transient("bad_body", "a piece of the stream is not an object", billed=True)
        whole.update({k: v for k, v in piece.items() if k != "choices" and v is not None})
        for choice in piece.get("choices") or ():
            one = choices.setdefault(choice.get("index", 0), {"message": {}, "text": ""})
            one["text"] += choice.get("text") or ""
            for name, value in (choice.get("delta") or {}).items():
                if name in ("content", "reasoning_content", "reasoning", "refusal") and value:
                    one["message"][name] = one["message"].get(name, "") + str(value)
            found = choice.get("logprobs")
            if isinstance(found, dict):
                _merge_logprobs(one.setdefault("logprobs", {}), found)
            one.update({k: choice[k] for k in ("stop_reason", "matched_stop") if k in choice})
            if choice.get("finish_reason") is not None:
                one["finish_reason"] = choice["finish_reason"]
    if not done and not all("finish_reason" in c for c in choices.values()):
        raise Transient("cut_off", "the stream ended before the reply did", billed=True)
    return {**whole, "choices": [choices[i] for i in sorted(choices)]}


def _merge_logprobs(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, values in more.items():
        if isinstance(values, list):
            into.setdefault(name, []).extend(values)
