"""An answer that is kept: the key that names it, and its form on disk."""

from __future__ import annotations

import dataclasses
import functools
import json
import numbers
from collections.abc import Mapping
from typing import Any, TypeVar

from ..canonical import content_hash
from .base import Completion, GenerateRequest, ScoreRequest, TokenLogprob, TokenScores

__all__ = ["answer_key", "decode_answer", "encode_answer", "exact"]

_FORMAT = "finchmark-answer/1"
_Answer = TypeVar("_Answer", Completion, TokenScores)


def answer_key(scope: str, request: GenerateRequest | ScoreRequest) -> bytes:
    """Name an answer by all that decides it.

    Every field of the request is part of it, also those that equality leaves out (a reply's token ids decide the
    prompt's tokens), and numbers to their last bit. With ``session`` and ``seed`` that is the task, its version, arm,
    item, sample, seat, the number of the call and the run's seed, so that two samples never share an answer.

    Args:
        scope: A hash of the model and of the code that speaks to it.
        request: The request.

    Returns:
        32 bytes, the SHA-256 of canonical JSON.

    Raises:
        TypeError: A field holds what has no fixed form.
    """
    return bytes.fromhex(content_hash([_FORMAT, scope, type(request).__name__, exact(request)], digits=64))


def exact(value: Any) -> Any:
    """Make plain data that differs wherever ``value`` does; canonical JSON alone would round numbers to 6 decimals.

    Args:
        value: Plain data, dataclasses of it, and objects that have a hash of their content as ``digest``.

    Raises:
        TypeError: It holds anything else.
    """
    kind = type(value)
    if value is None or kind in (str, int, bool):
        return value
    if isinstance(value, (list, tuple)):
        if value and all(type(each) is int for each in value):
            return {"integers": " ".join(map(str, value))}  # token ids: many, and quicker as one text
        return [exact(each) for each in value]
    if dataclasses.is_dataclass(kind):
        return {name: exact(getattr(value, name)) for name in _fields(kind)}
    if isinstance(value, Mapping):
        return {str(key): exact(each) for key, each in value.items()}
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return {"float": float(value).hex()}
    if isinstance(value, str):
        return str(value)
    digest = getattr(value, "digest", None)  # what is too large for a key, such as a vector, has a hash of its content
    if isinstance(digest, str):
        return {"digest": digest}
    raise TypeError(f"a response cache cannot tell {type(value).__name__} from another: {value!r}")


@functools.cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def encode_answer(answer: Completion | TokenScores) -> bytes:
    """An answer as JSON: floats to the last bit, lone surrogates as escapes."""
    fields = {name: getattr(answer, name) for name in _fields(type(answer))}
    return json.dumps(fields, separators=(",", ":"), default=dataclasses.asdict).encode()


def decode_answer(payload: bytes, kind: type[_Answer]) -> _Answer:
    """Read what :func:`encode_answer` wrote.

    Args:
        payload: The bytes.
        kind: Which kind of answer they must be.

    Raises:
        TypeError: It is of another kind or version.
        ValueError: It is no JSON.
        KeyError: A field is missing.
    """
    data: Any = json.loads(payload)
    if not isinstance(data, dict) or data.keys() != set(_fields(kind)):
        raise TypeError(f"the fields are not those of {kind.__name__}")
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    if kind is Completion and fields["logprobs"] is not None:
        fields["logprobs"] = tuple(
            TokenLogprob(each["token"], each["logprob"], tuple((token, p) for token, p in each["top"]))
            for each in fields["logprobs"]
        )
    return kind(**fields)
