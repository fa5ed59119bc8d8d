"""What OpenAI-compatible servers mean by an answer that is no reply."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import BackendError, BackendUnavailable
from .base import Completion, ContextOverflow
from .openai_http import Answer
from .openai_request import Shape
from .retry import Transient, retry_after

__all__ = ["FieldRefused", "RequestRefused", "filtered", "refusal"]

_OVERFLOW_CODES = ("context_length_exceeded", "exceed_context_size_error", "model_context_window_exceeded")
# vLLM, SGLang, llama.cpp, Ollama, and what hosted APIs say; each wording was seen in a server or in reports of it.
_OVERFLOW = re.compile(
    r"context (length|size|window)|maximum model length|max_model_len|prompt (is )?too long|input (is )?too long"
    r"|reduce the length of the (messages|input|prompt)|longer than the (maximum|model)",
    re.IGNORECASE,
)
_AVAILABLE = re.compile(
    r"(?:context (?:length|size|window)|model length|max_model_len|maximum)\D{0,40}?(\d{2,})", re.IGNORECASE
)
_FILTER = re.compile(
    r"content[ _](filter|policy|management)|safety system|was flagged|flagged as|moderation|responsible ai", re.I
)


class FieldRefused(Exception):
    """The server wants the cap on tokens under its other name.

    Args:
        name: The field's name that it takes.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class RequestRefused(BackendError):
    """The server refuses a request for what it asks: the same again would be refused again."""


def filtered(message: str) -> Completion:
    """The completion of a prompt or reply that the provider declined; ``message`` is what it said."""
    return Completion(message, finish_reason="content_filter")


def refusal(
    answer: Answer, *, shape: Shape, clean: Callable[[object], str], context: int | None, key_env: str, url: str
) -> Exception | Completion | None:
    """Say what an answer means that is not a reply.

    Args:
        answer: The answer.
        shape: How the request was put.
        clean: Makes one line without secrets of what a server said.
        context: The model's context in tokens, where the server has named it.
        key_env: The variable that the key comes from, for messages.
        url: The API's address, for messages.

    Returns:
        None where it is a reply. A completion that ended by ``content_filter``. Else what must be raised:
        :class:`Transient`, :class:`ContextOverflow`, :class:`FieldRefused`, :class:`BackendUnavailable` (no request
        can be answered) or :class:`RequestRefused` (this one cannot).
    """
    status = answer.status
    error: Any = None
    if status == 200:
        if answer.whole:
            return None
        error = _error(answer.body)
        if not error:
            return None
        status = _count(error.get("code")) or _count(error.get("status")) or 502  # an error in the place of a reply
    error = error or _error(answer.body)
    said = error.get("message") or answer.body[:2000].decode("utf-8", "replace")
    message = clean(said) or "no message"
    codes = {str(error.get(name, "")).lower() for name in ("code", "type")}
    inner = error.get("innererror")
    if isinstance(inner, dict):
        codes.add(str(inner.get("code", "")).lower())

    if 300 <= status < 400:
        return BackendUnavailable(f"{url} redirects (HTTP {status}); give its new address as base_url.")
    if status == 401:
        return BackendUnavailable(
            f"{url} refuses the key (HTTP 401: {message}). Set {key_env}, or name another variable by api_key_env."
        )
    if status == 402 or "insufficient_quota" in codes:
        return BackendUnavailable(f"{url} wants to be paid first (HTTP {status}: {message}). Check the account.")
    if status in (400, 403, 422, 451) and (
        codes & {"content_filter", "content_policy_violation", "responsibleaipolicyviolation"}
        or _FILTER.search(str(said))
    ):
        return filtered(message)
    if status == 403:
        return BackendUnavailable(
            f"{url} does not allow this (HTTP 403: {message}). Check what the key of {key_env} may use."
        )
    if status in (404, 405, 410):
        return BackendUnavailable(
            f"{url}{shape.path} is not there, or knows no model {shape.model!r} (HTTP {status}: {message}). base_url "
            "usually ends in /v1; `finchmark serve-check` lists the models."
        )
    if status in (400, 413, 422, 500) and (codes & set(_OVERFLOW_CODES) or _OVERFLOW.search(str(said))):
        return _overflow(error, str(said), message, context)
    if status in (400, 422) and shape.cap_field == "max_tokens" and "max_completion_tokens" in str(said):
        return FieldRefused("max_completion_tokens")
    wait = retry_after(answer.retry_after, datetime.datetime.now(datetime.UTC))
    detail = f"HTTP {status}: {message}"
    if status == 429:
        return Transient("rate_limited", detail, wait=wait)
    if status in (503, 529):
        return Transient("overloaded", detail, wait=wait, away=True)
    if status == 408:
        return Transient("timeout", detail, wait=wait)
    if status in (409, 425):
        return Transient("conflict", detail, wait=wait)
    if status >= 500 and status not in (501, 505):
        return Transient("server_error", detail, wait=wait, away=status == 502)
    return RequestRefused(
        f"{url}{shape.path} refuses the request ({detail}). A field that the server does not know can be left out by "
        "omit=NAME; `finchmark serve-check` says what it supports."
    )


def _error(body: bytes) -> dict[str, Any]:
    """The error object in a body, in the forms that servers use; empty where there is none."""
    try:
        payload = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(payload, dict):
        return {}
    error = payload.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {"message": error}
    if payload.get("object") == "error" or ("choices" not in payload and ("message" in payload or "detail" in payload)):
        return {**payload, "message": payload.get("message") or json.dumps(payload.get("detail"))}
    return {}


def _overflow(error: Mapping[str, Any], said: str, message: str, context: int | None) -> ContextOverflow:
    found = _AVAILABLE.search(said)
    available = _count(error.get("n_ctx")) or (int(found[1]) if found else None) or context or 0
    needed = _count(error.get("n_prompt_tokens")) or max(map(int, re.findall(r"\d+", said)), default=0)
    return ContextOverflow(max(needed, available + 1), available, f"the prompt and the reply do not fit: {message}")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
