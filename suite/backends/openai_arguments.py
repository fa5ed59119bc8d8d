"""The arguments of the ``openai`` backend, as people type them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError

__all__ = ["OMITTABLE", "OWN_FIELDS", "extra_fields", "model_name", "number", "omitted", "template", "truth"]

OWN_FIELDS = frozenset(
    (
        "model",
        "messages",
        "prompt",
        "seed",
        "n",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stream",
        "stream_options",
        "logprobs",
        "top_logprobs",
        "echo",
    )
)
"""Fields of a request that the run or an argument of its own decides."""

OMITTABLE = ("seed", "stop", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stream_options")
"""Fields that can be left out, for servers that refuse them."""


def model_name(value: str) -> str:
    """Check a model's name for arguments that were written behind it.

    Raises:
        UsageError: They were, as other backends have it.
    """
    found = re.search(r",(base_url|api_key_env|api|concurrency|timeout|extra_body|score|context)=", value)
    if found:
        raise UsageError(
            f"openai: the model's name is {value[: found.start()]!r}, and {found[1]} is an argument: write "
            f"--backend openai:{value[: found.start()]} --model-args {found[1]}=…"
        )
    return value


def number(name: str, value: Any, least: float, most: float = float("inf"), *, whole: bool = False) -> float:
    """Read a number.

    Args:
        name: The argument's name, for the message.
        value: As it was given; text is read as a number.
        least: The least that may be.
        most: The most that may be.
        whole: Whether it must be whole.

    Raises:
        UsageError: It is none of these.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not least <= number <= most or (whole and number != int(number)):
        kind = "a whole number" if whole else "a number"
        upto = "" if most == float("inf") else f" and at most {most:g}"
        raise UsageError(f"openai: {name} must be {kind} of at least {least:g}{upto}, not {value!r}.")
    return number


def truth(name: str, value: Any) -> bool:
    """Read true or false.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("true", "1", "yes", "false", "0", "no"):
        return text in ("true", "1", "yes")
    raise UsageError(f"openai: {name} must be true or false, not {value!r}.")


def omitted(value: str | list[str] | tuple[str, ...]) -> frozenset[str]:
    """Read the names of fields that are not to be sent: a list, or text with ``+`` between them.

    Raises:
        UsageError: A field cannot be left out.
    """
    names = frozenset(value.replace("+", " ").split() if isinstance(value, str) else value)
    wrong = sorted(names - set(OMITTABLE))
    if wrong:
        raise UsageError(f"openai: omit cannot name {wrong[0]!r}; it can name {', '.join(OMITTABLE)}.")
    return names


def extra_fields(value: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Read further fields of requests: a table, or JSON.

    Raises:
        UsageError: It is no table, or sets what the run decides.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UsageError(f"openai: extra_body is no JSON: {error}.") from error
    if not isinstance(value, Mapping):
        raise UsageError(f"openai: extra_body must be a table of fields, not {type(value).__name__}.")
    own = sorted(OWN_FIELDS & value.keys())
    if own:
        raise UsageError(f"openai: extra_body cannot set {own[0]!r}; the run or an argument of its own decides it.")
    return dict(value)


def template(value: str) -> str:
    """Read a Jinja template: the text, or a file that holds it.

    Raises:
        UsageError: There is no such file.
    """
    if "{" not in value:
        try:
            value = Path(value).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"openai: chat_template {value!r} is no template and no file: {error}.") from error
    return value
