"""What parts the answers of one model of lm-eval's from another's of the same name, for a response cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .base import Message
from .lm_eval_class import Found

__all__ = ["origin"]

_PROBE = (Message("system", "One."), Message("user", "Two?"), Message("assistant", "Three."), Message("user", "Four?"))
_COMPUTING = ("torch", "transformers", "tokenizers", "vllm", "sglang")


def origin(
    identity: Mapping[str, Any],
    found: Found | None,
    arguments: Mapping[str, Any],
    *,
    put: Callable[[Sequence[Message]], Any] | None,
    encode: Callable[[str], Any] | None,
    send_stops: bool,
) -> dict[str, Any] | None:
    """Describe what :meth:`.Backend.origin` asks for.

    Args:
        identity: The backend's.
        found: The class, None for a model that was handed over.
        arguments: Those that may decide a reply. Keys are not among them: :func:`.find_class` refuses them.
        put: Puts messages into a prompt, None before the start.
        encode: The class's tokenizer, None where there is none.
        send_stops: Whether stop strings go to the class.

    Returns:
        Plain data; None where weights are computed here and known by name alone (what a hub has under a name may
        change), and for a model that was handed over without weights.
    """
    kind = "other" if found is None else found.kind
    parts = (identity, *(() if found is None else found.identity.values()))
    if kind != "api" and not any(isinstance(part, Mapping) and part.get("sha256") for part in parts):
        return None
    return {
        "arguments": {
            name: repr(value) for name, value in arguments.items() if found is None or name not in found.identity
        },
        "send_stops": send_stops,
        "prompts": [_prompt(messages, put, encode) for messages in (_PROBE, _PROBE[1:])],
        "versions": _versions(("lm_eval",) if kind == "api" else ("lm_eval", *_COMPUTING)),
    }


def _prompt(messages: Sequence[Message], put: Any, encode: Any) -> list[str]:
    """A prompt and its tokens, as far as the class shows them: they tell a template and a tokenizer from others."""
    if put is None:
        return []
    try:
        prompt = put(messages)
        return [repr(prompt), repr(encode(prompt)) if encode is not None and isinstance(prompt, str) else ""]
    except Exception as error:  # noqa: BLE001 - a class without a tokenizer, or a template that refuses a role
        return [type(error).__name__]


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
