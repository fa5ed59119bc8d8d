"""A sample of inspect-ai's: its scores as numbers, its outcome, what it used, and the hash of its item."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..canonical import content_hash
from ..records import Metric, Outcome
from .columns import Row, column_name, digest_of

__all__ = ["ScoredSample", "flatten", "row_of"]

_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
# What a backend says when a prompt does not fit: the model's failure, though inspect-ai files it as an error.
_OVERFLOW = re.compile(
    r"context[ _]length[ _]exceeded|maximum context length|exceeds? the (model's )?context|prompt is too long"
    r"|context window",
    re.IGNORECASE,
)
_LIMITS = {"context": "context_overflow", "working": "time_limit"}
_UNPARSED = ("invalid_response_format", "no_response")
_GRADER = ("grader_failed", "scoring_failed")


@dataclass(frozen=True)
class ScoredSample:
    """A sample of a log, its scores flattened to columns; None where a value is no number."""

    sample: Any
    values: Mapping[str, float | None]
    reasons: Mapping[str, str]


def flatten(sample: Any) -> ScoredSample:
    """Turn the scores of an ``EvalSample`` into columns: a dictionary gives one for each key."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name, score in (sample.scores or {}).items():
        parts = score.value.items() if isinstance(score.value, Mapping) else None
        named = [(f"{name}.{key}", part) for key, part in parts] if parts is not None else [(name, score.value)]
        # The field is newer than the format's second version.
        reason = getattr(score, "reason", None)
        for key, value in named:
            values[column_name(key)] = _number(value)
            if reason:
                reasons[column_name(key)] = str(reason)
    return ScoredSample(sample, values, reasons)


def _number(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if value in _LETTERS:
        return _LETTERS[value]
    if value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    try:
        return float(value)
    except ValueError:
        return None


def row_of(scored: ScoredSample, metrics: Sequence[Metric], primary: Metric, model: str) -> Row:
    """The row of a sample.

    Args:
        scored: The sample.
        metrics: The columns to fill; a failure of the model's that has no score gets ``Metric.failure``.
        primary: The metric whose score tells whether the sample was scored.
        model: The model that was measured, to leave out what graders used.
    """
    sample = scored.sample
    outcome, reason = _outcome(scored, primary.name)
    values = {}
    for metric in metrics:
        value = scored.values.get(metric.name)
        if outcome is Outcome.ERROR:
            value = None
        elif outcome is not Outcome.OK and (value is None or math.isnan(value)):
            value = metric.failure
        values[metric.name] = math.nan if value is None else value
    usage = _usage(sample.model_usage or {}, model)
    replies = [m for m in sample.messages if m.role == "assistant"]
    turns = getattr(sample, "turn_count", None)
    columns = {
        "item": _item(sample.id),
        "item_hash": _item_hash(sample),
        "sample": sample.epoch - 1,
        "outcome": str(outcome),
        "reason": reason,
        "turns": len(replies) if turns is None else turns,
        "calls": len(replies),
        **usage,
        "transcript": digest_of(_texts(replies)),
    }
    return Row(columns, values)


def _item(identity: Any) -> str:
    """An id as text that sorts as the dataset does; whole numbers get leading zeros."""
    return f"{identity:06}" if isinstance(identity, int) else str(identity)


def _item_hash(sample: Any) -> str:
    shown = sample.input if isinstance(sample.input, str) else [_message(m) for m in sample.input]
    return content_hash([str(sample.id), shown, sample.choices, sample.target], digits=16)


def _message(message: Any) -> dict[str, Any]:
    """A message of an input without what is drawn anew in every run."""
    kept = message.model_dump(mode="json", exclude_none=True, include={"role", "content", "tool_calls"})
    return json.loads(json.dumps(kept, default=str))


def _texts(replies: Iterable[Any]) -> Iterator[str]:
    for message in replies:
        yield message.content if isinstance(message.content, str) else json.dumps(_message(message), sort_keys=True)
        for call in message.tool_calls or []:
            yield f"{call.function} {json.dumps(call.arguments, sort_keys=True, default=str)}"


def _usage(by_model: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Tokens and cost of the model that was measured; of all where none is called so (graders then included)."""
    counted = [by_model[model]] if model in by_model else list(by_model.values())
    read = [u.input_tokens + (u.input_tokens_cache_read or 0) + (u.input_tokens_cache_write or 0) for u in counted]
    return {
        "prompt_tokens": sum(read),
        "completion_tokens": sum(u.output_tokens for u in counted),
        "cost": float(sum(getattr(u, "total_cost", None) or 0.0 for u in counted)),
    }


def _outcome(scored: ScoredSample, primary: str) -> tuple[Outcome, str]:
    sample = scored.sample
    if getattr(sample, "invalidation", None) is not None:
        return Outcome.ERROR, "invalidated"
    if sample.error is not None:
        if _OVERFLOW.search(sample.error.message):
            return Outcome.INVALID, "context_overflow"
        kind = re.match(r"\w+", sample.error.message)
        return Outcome.ERROR, kind.group() if kind else "error"
    value = scored.values.get(primary)
    unscored = value is None or math.isnan(value)
    reason = scored.reasons.get(primary, "")
    stop = sample.output.choices[0].stop_reason if sample.output.choices else ""
    if stop == "content_filter" or reason == "refusal":
        return Outcome.REFUSED, "content_filter" if stop == "content_filter" else "refusal"
    if sample.limit is not None:
        if sample.limit.type == "operator":
            return Outcome.ERROR, "operator"
        return Outcome.INVALID, _LIMITS.get(sample.limit.type, f"{sample.limit.type}_limit")
    if stop == "model_length":
        return Outcome.INVALID, "context_overflow"
    if reason in _GRADER:
        return Outcome.ERROR, reason
    if reason in _UNPARSED:
        return Outcome.INVALID, reason
    if unscored and stop == "max_tokens":
        return Outcome.INVALID, "cut_off"
    if unscored:
        return Outcome.ERROR, reason or "unscored"
    return Outcome.OK, ""
