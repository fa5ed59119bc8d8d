"""How messages become the context that a model class of lm-eval takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BackendUnavailable, UsageError
from .base import Message
from .chat import PLAIN, without_system

__all__ = ["FORMATS", "PromptFormat", "choose_format"]

FORMATS = ("template", "plain", "text")


@dataclass(frozen=True)
class PromptFormat:
    """One way to put messages.

    Args:
        name: One of :data:`FORMATS`.
        put: Makes the context of messages. What a class's template returns is opaque: text, or an object for a server.
        ends: Strings that end a reply besides those of a request; they are no part of it.
    """

    name: str
    put: Callable[[Sequence[Message]], Any]
    ends: tuple[str, ...] = ()


def choose_format(lm: Any, wanted: str | None, *, chat_only: bool) -> PromptFormat:
    """Choose how prompts are put to a model.

    Args:
        lm: A model of lm-eval's.
        wanted: One of :data:`FORMATS`; None: the class's template if it has one, else plain.
        chat_only: Whether the class takes messages and nothing else.

    Raises:
        BackendUnavailable: The template was wanted, and there is none.
        UsageError: Text was wanted of a class that takes messages.
    """
    if chat_only and wanted not in (None, "template"):
        raise UsageError(f"lm_eval: {type(lm).__name__} takes messages only; chat_format={wanted} cannot be.")
    if wanted in (None, "template"):
        reason = _no_template(lm, chat_only)
        if not reason:
            return PromptFormat("template", lambda messages: _templated(lm, messages))
        if wanted == "template":
            raise BackendUnavailable(f"lm_eval: {type(lm).__name__} has no chat template to use ({reason}).")
    if wanted == "text":
        return PromptFormat("text", lambda messages: "".join(m.content for m in messages))
    return PromptFormat("plain", _plain, ("\n\nUser:", "\n\nSystem:"))


def _no_template(lm: Any, chat_only: bool) -> str:
    """Why a class's template cannot be used; empty where it can."""
    try:
        made = lm.apply_chat_template([{"role": "user", "content": "x"}])
    except Exception as error:  # noqa: BLE001 - each class says in its own way that it has none
        return f"{type(error).__name__}: {str(error)[:200]}"
    # A class for plain completions may return messages as JSON, which its server would read as the prompt itself.
    return "" if chat_only or isinstance(made, str) else f"it returns {type(made).__name__}, not text"


def _templated(lm: Any, messages: Sequence[Message]) -> Any:
    chat = [{"role": m.role, "content": m.content} for m in messages]
    made = lm.apply_chat_template(chat)
    system = "".join(m.content for m in messages if m.role == "system").strip()
    if system and isinstance(made, str) and system not in made:
        # Some classes drop a system message that their template refuses; no instruction may get lost.
        made = lm.apply_chat_template(without_system(chat))
    return made


def _plain(messages: Sequence[Message]) -> str:
    from jinja2 import Environment

    chat = [{"role": m.role, "content": m.content} for m in messages]
    return Environment(autoescape=False).from_string(PLAIN).render(messages=chat, add_generation_prompt=True)
