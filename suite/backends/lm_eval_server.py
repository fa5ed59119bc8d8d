"""What a class of lm-eval that asks a server sends and hears, where lm-eval itself shows only text."""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["Told", "hush_progress", "sent_temperature", "speaks_chat_only", "told"]


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a server says beside its text.

    Args:
        finish: Its finish reason, empty where it gives none.
        has_text: Whether there is a text at all, be it empty.
        declined: Whether a filter or the model itself declined.
        prompt_tokens: None where it does not count.
        completion_tokens: Likewise.
        reasoning: The thinking part.
    """

    finish: str
    has_text: bool = True
    declined: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""


def told(output: Any) -> Told | None:
    """Read a server's answer; None where there is no choice in it."""
    if isinstance(output, list) and len(output) == 1:
        output = output[0]
    choices = output.get("choices") if isinstance(output, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        # Servers of other kinds (SGLang's own interface, Anthropic) have no choices at all.
        known = isinstance(output, dict) and ("text" in output or "content" in output)
        return Told("") if known or (isinstance(output, list) and output) else None
    assert isinstance(output, dict)
    usage = output.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    message = choices[0].get("message")
    message = message if isinstance(message, dict) else {}
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    finish = str(choices[0].get("finish_reason") or "")
    return Told(
        finish,
        has_text=isinstance(message.get("content", choices[0].get("text")), str),
        declined=finish == "content_filter" or bool(message.get("refusal")),
        prompt_tokens=_whole(usage.get("prompt_tokens")),
        completion_tokens=_whole(usage.get("completion_tokens")),
        reasoning=reasoning if isinstance(reasoning, str) else "",
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def speaks_chat_only(lm: Any) -> bool:
    """Whether a class takes messages and nothing else."""
    bases = {base.__name__ for base in type(lm).__mro__}
    return bool(bases & {"LocalChatCompletion", "AnthropicChat", "LiteLLMChatCompletion"})


def sent_temperature(lm: Any, temperature: float) -> float | None:
    """The temperature in the request that a class would send, None where there is none to be seen."""
    message: Any = [{"role": "user", "content": "x"}] if speaks_chat_only(lm) else "x"
    kwargs = {"until": [], "max_gen_toks": 1, "do_sample": temperature > 0, "temperature": temperature}
    try:
        payload = lm._create_payload(message, generate=True, gen_kwargs=kwargs, seed=1, eos=None)
    except Exception:  # noqa: BLE001 - classes that make no such request cannot be looked at this way
        return None
    if not isinstance(payload, dict):
        return None
    inner = payload.get("sampling_params")
    sent = payload.get("temperature", inner.get("temperature") if isinstance(inner, dict) else None)
    return float(sent) if isinstance(sent, int | float) else None


def hush_progress(lm: Any) -> None:
    """Switch off the progress bar of classes that ask a server: they draw one for every request, whatever is said."""
    import sys
    from functools import partial

    for base in type(lm).__mro__:
        module = sys.modules.get(base.__module__)
        bar = getattr(module, "tqdm", None)
        if base.__name__ == "TemplateAPI" and module is not None and isinstance(bar, type):
            setattr(module, "tqdm", partial(bar, disable=True))  # noqa: B010 - a module has no such declared name
