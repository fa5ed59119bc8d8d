"""What a single stored sample can be held against: its specification, its task, itself, and its own replay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..suite.model import HIGHEST_LOGPROB
from ..suite.records import Call, Likelihood, Metric, Outcome, RunSpec, Sample, Turn, Usage
from ..suite.seeds import derive
from ..suite.store import transcript_hash
from .known_tasks import KnownTask
from .submission import Row

__all__ = ["Fault", "differences", "record_faults"]

_FINISHES = ("stop", "length", "content_filter")
_TOLERANCE = 1e-9
"""Scores are compared to nine digits: the last bits of a float differ from machine to machine."""


class Fault(NamedTuple):
    """One thing that is wrong with a sample.

    Attributes:
        kind: One of :data:`.KINDS`.
        turn: At which turn, None where it is not at one.
        text: What is wrong, with the values.
    """

    kind: str
    turn: int | None
    text: str


def record_faults(row: Row, task: KnownTask, spec: RunSpec) -> Iterator[Fault]:
    """What is wrong with a sample without playing it again.

    Not checked, because nothing in a run decides it: the seconds of a sample and of its calls, the text of an error,
    and whether token counts and costs are true.

    Args:
        row: The sample.
        task: Its task.
        spec: The specification.
    """
    sample = row.sample
    if sample.version != task.choice.version:
        yield Fault("value", None, f"version {sample.version}, the specification says {task.choice.version}")
    item = None if task.items is None else task.items.get(sample.item)
    if item is not None and sample.item_hash != item:
        yield Fault("item-hash", None, f"played on {sample.item_hash}; the item of this name is {item}")
    seed = derive("sample", sample.arm, spec.seed, sample.task, task.choice.version, sample.item, sample.sample)
    if sample.seed != seed:
        yield Fault("seed", None, f"seed {sample.seed}; the specification gives {seed}")
    yield from _value_faults(sample, task.metrics)
    yield from _turn_faults(row)
    yield from _limit_faults(sample, spec)


def _value_faults(sample: Sample, metrics: Mapping[str, Metric]) -> Iterator[Fault]:
    if not (math.isfinite(sample.seconds) and sample.seconds >= 0):
        yield Fault("value", None, f"it took {sample.seconds} seconds")
    if sample.outcome is Outcome.ERROR:
        if sample.metrics:
            yield Fault("value", None, f"an error has the scores {sample.metrics}; errors are never scored")
        return
    if sample.error:
        yield Fault("value", None, f"the outcome is {sample.outcome}, but it has an error: {sample.error}")
    if sample.metrics.keys() != metrics.keys():
        yield Fault("value", None, f"the metrics are {sorted(sample.metrics)}, the task has {sorted(metrics)}")
    for name, value in sample.metrics.items():
        metric = metrics.get(name)
        if metric is None:
            continue
        if sample.outcome is not Outcome.OK and metric.failure is not None and value != metric.failure:
            yield Fault("value", None, f"{name} = {value} though the sample is {sample.outcome}: {metric.failure}")
        if value is None:
            continue
        low = -math.inf if metric.low is None else metric.low
        high = math.inf if metric.high is None else metric.high
        if not low <= value <= high:
            yield Fault("value", None, f"{name} = {value} is outside [{low:g}, {high:g}]")
        elif metric.kind == "binary" and value not in (0.0, 1.0):
            yield Fault("value", None, f"{name} = {value}; it is binary, 0 or 1")


def _turn_faults(row: Row) -> Iterator[Fault]:
    sample = row.sample
    if row.turns != len(sample.turns):
        yield Fault("transcript", None, f"the store says {row.turns} turns, there are {len(sample.turns)}")
    digest = transcript_hash(sample.turns)
    if row.transcript != digest:
        yield Fault("transcript", None, f"the store says {row.transcript}, the replies give {digest}")
    total = Usage()
    for turn in sample.turns:
        for likelihood in turn.likelihoods:
            yield from _likelihood_faults(likelihood, turn.index)
        for call in turn.calls:
            total += call.usage
            if call.finish_reason not in _FINISHES:
                yield Fault("value", turn.index, f"a reply ended for the reason {call.finish_reason!r}")
            yield from _usage_faults(call.usage, turn.index)
            if call.usage.calls != 1:
                yield Fault("usage", turn.index, f"one call counts as {call.usage.calls}")
    yield from _usage_faults(sample.usage, None)
    for name in Usage.model_fields:
        said, is_ = getattr(sample.usage, name), getattr(total, name)
        if said != is_ and not _close(said, is_):
            yield Fault("usage", None, f"{name} is {said}, its calls give {is_}")


def _likelihood_faults(likelihood: Likelihood, turn: int) -> Iterator[Fault]:
    if len(likelihood.logprobs) != len(likelihood.greedy):
        counts = f"{len(likelihood.logprobs)} log-probabilities and {len(likelihood.greedy)} tokens"
        yield Fault("value", turn, f"{counts} of {likelihood.continuation!r:.60}")
    if max(likelihood.logprobs, default=0.0) > HIGHEST_LOGPROB:
        yield Fault("value", turn, f"a log-probability of {max(likelihood.logprobs)}")


def _usage_faults(usage: Usage, turn: int | None) -> Iterator[Fault]:
    for name in Usage.model_fields:
        value = getattr(usage, name)
        if not (isinstance(value, int) or math.isfinite(value)) or value < 0:
            yield Fault("value", turn, f"{name} = {value}")


def _limit_faults(sample: Sample, spec: RunSpec) -> Iterator[Fault]:
    limits = spec.limits
    if sample.reason == "time_limit" and (limits.seconds is None or sample.seconds < 0.99 * limits.seconds):
        yield Fault("limit", None, f"time_limit after {sample.seconds:.3f} s; the run's limit is {limits.seconds}")
    if sample.reason == "token_limit" and (limits.tokens is None or sample.usage.completion_tokens < limits.tokens):
        yield Fault(
            "limit", None, f"token_limit after {sample.usage.completion_tokens} tokens; the run's is {limits.tokens}"
        )


def differences(stored: Sample, again: Sample) -> Iterator[Fault]:
    """In what a sample's replay differs from what is stored: at most one fault of each kind, the first.

    Args:
        stored: The sample as submitted.
        again: What :meth:`.Replay.play` made of its replies.
    """
    if again.outcome is Outcome.ERROR:
        yield Fault("replay", None, (again.error.strip().splitlines() or ["it ends in an error"])[-1])
    elif (stored.outcome, stored.reason) != (again.outcome, again.reason):
        yield Fault("replay-outcome", None, f"stored {_end(stored)}, the replay gives {_end(again)}")
    if again.outcome is not Outcome.ERROR:
        wrong = [
            f"{name} is {stored.metrics.get(name)}, the replay gives {again.metrics.get(name)}"
            for name in sorted(stored.metrics.keys() | again.metrics.keys())
            if not _close(stored.metrics.get(name), again.metrics.get(name))
        ]
        if wrong:
            yield Fault("replay-metric", None, "; ".join(wrong))
    kinds = set[str]()
    for ours, theirs in zip(stored.turns, again.turns, strict=False):
        for fault in _turn_differences(ours, theirs):
            if fault.kind not in kinds:
                kinds.add(fault.kind)
                yield fault
    if len(stored.turns) != len(again.turns) and "replay-turn" not in kinds:
        first = min(len(stored.turns), len(again.turns))
        yield Fault("replay-turn", first, f"stored are {len(stored.turns)} turns, the replay has {len(again.turns)}")


def _end(sample: Sample) -> str:
    return f"{sample.outcome}" + (f" ({sample.reason})" if sample.reason else "")


def _turn_differences(stored: Turn, again: Turn) -> Iterator[Fault]:
    for name in ("seat", "observation", "instructions", "action", "usable", "after"):
        a, b = getattr(stored, name), getattr(again, name)
        if a != b:
            yield Fault("replay-turn", stored.index, f"{name}: {_apart(a, b)}")
    for name in sorted(stored.scores.keys() | again.scores.keys()):
        a, b = stored.scores.get(name), again.scores.get(name)
        if not _close(a, b):
            yield Fault("replay-turn", stored.index, f"the score {name} is {a}, the replay gives {b}")
    if len(stored.calls) != len(again.calls):
        text = f"{len(stored.calls)} replies are stored, the replay takes {len(again.calls)}"
        yield Fault("replay-turn", stored.index, text)
    for ours, theirs in zip(stored.calls, again.calls, strict=False):
        yield from _call_differences(ours, theirs, stored.index)
    if len(stored.likelihoods) != len(again.likelihoods):
        text = f"{len(stored.likelihoods)} likelihoods are stored, the replay takes {len(again.likelihoods)}"
        yield Fault("replay-turn", stored.index, text)
    for ours, theirs in zip(stored.likelihoods, again.likelihoods, strict=False):
        if ours.prompt_hash != theirs.prompt_hash:
            text = f"the prompt was {ours.prompt_hash}, the task asks {theirs.prompt_hash}"
            yield Fault("prompt", stored.index, text)
        if ours.continuation != theirs.continuation:
            yield Fault("replay-turn", stored.index, f"continuation: {_apart(ours.continuation, theirs.continuation)}")


def _call_differences(stored: Call, again: Call, turn: int) -> Iterator[Fault]:
    if stored.seed != again.seed:
        yield Fault("seed", turn, f"the call's seed is {stored.seed}; the sample's gives {again.seed}")
    if stored.prompt_hash != again.prompt_hash:
        yield Fault("prompt", turn, f"the prompt was {stored.prompt_hash}, the task asks {again.prompt_hash}")
    for name in ("completion", "reasoning", "finish_reason"):
        a, b = getattr(stored, name), getattr(again, name)
        if a != b:
            yield Fault("replay-turn", turn, f"{name}: {_apart(a, b)}")


def _apart(stored: Any, again: Any) -> str:
    """Show two values around the first place where they differ."""
    if not (isinstance(stored, str) and isinstance(again, str)):
        return f"stored {stored!r:.80}, the replay gives {again!r:.80}"
    length = min(len(stored), len(again))
    first = next((i for i in range(length) if stored[i] != again[i]), length)
    start = max(0, first - 20)
    return f"at character {first} stored {stored[start : first + 40]!r}, the replay gives {again[start : first + 40]!r}"


def _close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
