"""A run as logs of inspect-ai, so that ``inspect view`` and its data frames open it (extra ``inspect``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ..canonical import content_hash
from ..errors import StoreError, UsageError
from ..foreign.inspect_log import EXPORT_FORMAT, import_inspect
from ..records import Call, Manifest, Metric, Outcome, Sample, Turn, Usage
from ..results import Cell, from_run
from ..store import StoredRun, transcript_hash

__all__ = ["to_inspect"]

_STOPS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}
_LIMITS = {"context_overflow": "context", "token_limit": "token", "time_limit": "time"}
_REASONS = {Outcome.REFUSED: "refusal", Outcome.INVALID: "invalid_response_format"}


def to_inspect(run: StoredRun, file: Path) -> Path:
    """Write a run as inspect-ai's ``.eval``, through inspect-ai's own API.

    A log holds one task in one arm: samples are epochs, turns are messages (what the world said is the user's, what
    the model wrote the assistant's), metrics are scores. What the format has no place for (item hashes, outcomes,
    streams, the meaning of metrics) is in ``metadata["finchmark"]``, from which
    :func:`finchmark.suite.results.read_results` makes the same results again. Two exports of a run hold the same
    content; the archive around it carries the time of writing. The observations of private items are in it: keep it.

    Args:
        run: The run.
        file: The log; for several tasks or arms a new folder, into which a log of each is written.

    Returns:
        The log, or the folder.

    Raises:
        UsageError: inspect-ai is not installed, the folder is not empty, or the run has no sample.
        StoreError: The log cannot be written.
    """
    api = _Api()
    results = from_run(run)
    cells = [cell for cell in results.cells if len(cell.frame)]
    if not cells:
        raise UsageError(f"{run.path}: there is no sample yet that could be exported.")
    bare = file.with_suffix("") if file.suffix == ".eval" else file
    if len(cells) == 1:
        return _write(api, run, cells[0], results.decoding, bare.with_name(bare.name + ".eval"))
    if bare.exists() and (not bare.is_dir() or any(bare.iterdir())):
        raise UsageError(
            f"{bare}: the run has {len(cells)} tasks and arms, each a log of its own, and this is no empty folder. "
            "Give --out a new one."
        )
    for cell in cells:
        _write(api, run, cell, results.decoding, bare / _name(run.manifest, cell))
    return bare


class _Api:
    """The modules of inspect-ai, and the long texts of a run that were read already."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self.log = import_inspect("log")
        self.model = import_inspect("model")
        self.scorer = import_inspect("scorer")
        self.event = import_inspect("event")

    def text(self, run: StoredRun, digest: str) -> str:
        if digest not in self._texts:
            self._texts[digest] = run.text(digest)
        return self._texts[digest]


def _identity(manifest: Manifest, *parts: Any) -> str:
    """An id as long as inspect-ai's, the same in every export of a run."""
    return content_hash([manifest.spec_hash, manifest.created, *parts], digits=22)


def _name(manifest: Manifest, cell: Cell) -> str:
    """A name as inspect-ai makes them: date, task, id; its listing reads them."""
    task = re.sub(r"[^A-Za-z0-9.]+", "-", f"{cell.task}-{cell.arm}")
    return f"{re.sub('[:+]', '-', manifest.created)}_{task}_{_identity(manifest, cell.task, cell.arm)}.eval"


def _write(api: _Api, run: StoredRun, cell: Cell, decoding: str, file: Path) -> Path:
    log = _log(api, run, cell, decoding)
    temporary = file.with_name(f".{file.name}.tmp.eval")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        api.log.write_eval_log(log, str(temporary))
        temporary.replace(file)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror or error}).") from error
    finally:
        temporary.unlink(missing_ok=True)
    return file


def _log(api: _Api, run: StoredRun, cell: Cell, decoding: str) -> Any:
    manifest, log = run.manifest, api.log
    chosen = (s for s in run.samples() if (s.task, s.arm) == (cell.task, cell.arm))
    samples = [_sample(api, run, cell, sample) for sample in chosen]
    total = _sum(api, (s.model_usage.get(manifest.label) for s in samples))
    return log.EvalLog(
        status="success" if manifest.complete else "cancelled",
        eval=_spec(api, manifest, cell, decoding, list(dict.fromkeys(s.id for s in samples))),
        results=log.EvalResults(
            total_samples=cell.expected,
            completed_samples=len(cell.scored),
            scores=[s for metric in cell.metrics if (s := _score(api, cell, metric)) is not None],
        ),
        stats=log.EvalStats(
            started_at=manifest.created,
            completed_at=manifest.updated,
            model_usage={} if total is None else {manifest.label: total},
        ),
        samples=samples,
    )


def _spec(api: _Api, manifest: Manifest, cell: Cell, decoding: str, ids: Sequence[str]) -> Any:
    spec = manifest.spec
    fields = {
        "eval_id": _identity(manifest, cell.task, cell.arm, "eval"),
        "run_id": _identity(manifest),
        "task_id": _identity(manifest, cell.task, cell.arm),
        "created": manifest.created,
        "task": cell.task,
        "task_version": int(cell.version),
        "task_args": {} if cell.arm == "default" else {"arm": cell.arm},
        "dataset": api.log.EvalDataset(name=spec.tier, samples=len(ids), sample_ids=list(ids), shuffled=False),
        "model": manifest.label,
        "model_generate_config": api.model.GenerateConfig(
            temperature=spec.sampling.temperature,
            top_p=spec.sampling.top_p,
            max_tokens=spec.sampling.max_tokens,
            system_message=spec.system_prompt,
        ),
        "config": api.log.EvalConfig(epochs=spec.samples, token_limit=spec.limits.tokens),
        "packages": {"finchmark": manifest.finchmark},
        "tags": ["finchmark", f"{spec.items.kind}-items"],
        "metadata": {
            "finchmark": {
                "format": EXPORT_FORMAT,
                "spec_hash": manifest.spec_hash,
                "arm": cell.arm,
                "expected": cell.expected,
                "repeats": cell.repeats,
                "seed": spec.seed,
                "decoding": decoding,
                "metrics": [metric.model_dump(mode="json") for metric in cell.metrics],
                "levels": {name: level.model_dump(mode="json") for name, level in cell.levels.items()},
            }
        },
    }
    # A headline is newer than the oldest inspect-ai that is supported.
    if "headline_metric" in api.log.EvalSpec.model_fields:
        fields["headline_metric"] = api.log.HeadlineMetric(scorer=cell.primary.name, metric="mean")
    return api.log.EvalSpec(**fields)


def _score(api: _Api, cell: Cell, metric: Metric) -> Any:
    """The mean over items of the means of their samples, as inspect-ai's reducer gives it; None without a value."""
    means = cell.scored.groupby("item_hash", sort=False)[metric.name].mean().dropna()
    if means.empty:
        return None
    value = api.log.EvalMetric(name="mean", value=float(fmean(means)))
    return api.log.EvalScore(name=metric.name, scorer=metric.name, metrics={"mean": value})


def _sample(api: _Api, run: StoredRun, cell: Cell, sample: Sample) -> Any:
    manifest = run.manifest
    identity = _identity(manifest, *sample.key)
    messages, events = _chat(api, run, sample, identity)
    opening = next((i for i, m in enumerate(messages) if m.role == "user"), -1) + 1
    told = any(m.role == "assistant" for m in messages)
    failed = sample.outcome in _REASONS
    reason = {"reason": _REASONS[sample.outcome]} if failed and "reason" in api.scorer.Score.model_fields else {}
    return api.log.EvalSample(
        id=_sample_id(manifest, sample),
        epoch=sample.sample + 1,
        input=messages[:opening] or sample.item,
        target="",
        messages=messages,
        events=events,
        output=_output(api, manifest, sample, messages) if told else api.model.ModelOutput(model=manifest.label),
        scores={
            name: api.scorer.Score(value=value, **reason) for name, value in sample.metrics.items() if value is not None
        },
        metadata={"finchmark": {"columns": _columns(sample), "metrics": _metrics(cell, sample)}},
        model_usage={manifest.label: _usage(api, sample.usage)},
        total_time=sample.seconds,
        **({"turn_count": len(sample.turns)} if "turn_count" in api.log.EvalSample.model_fields else {}),
        uuid=identity,
        error=_error(api, sample),
        limit=_limit(api, manifest, sample),
    )


def _sample_id(manifest: Manifest, sample: Sample) -> str:
    """The item; in a stream its place there as well, for an id and an epoch name one sample."""
    agent = f"/{sample.agent}" if sample.agent not in ("", manifest.spec.agent.name) else ""
    stream = f"@{sample.stream}.{sample.position}.{sample.checkpoint}" if sample.stream else ""
    return f"{sample.item}{stream}{agent}"


def _columns(sample: Sample) -> dict[str, Any]:
    """The columns of :data:`finchmark.suite.results.COLUMNS`, as they are in a run's frame."""
    return {
        "item": sample.item,
        "item_hash": sample.item_hash,
        "sample": sample.sample,
        "stream": sample.stream,
        "position": sample.position,
        "checkpoint": sample.checkpoint,
        "outcome": str(sample.outcome),
        "reason": sample.reason,
        "turns": len(sample.turns),
        "calls": sample.usage.calls,
        "prompt_tokens": sample.usage.prompt_tokens,
        "completion_tokens": sample.usage.completion_tokens,
        "cost": sample.usage.cost + sample.usage.spared,
        "transcript": transcript_hash(sample.turns),
    }


def _metrics(cell: Cell, sample: Sample) -> Mapping[str, float | None]:
    return {metric.name: sample.metrics.get(metric.name) for metric in cell.metrics}


def _chat(api: _Api, run: StoredRun, sample: Sample, identity: str) -> tuple[list[Any], list[Any]]:
    """The episode as messages, and each call to the model as an event.

    Several seats are one chat; metadata names the seat where it is not ``player``. An event's input is what the seat
    saw in that turn: the whole prompt is the agent's affair, of which the store keeps the hash.
    """
    chat, manifest, shown, waited = api.model, run.manifest, "", 0.0
    messages: list[Any] = []
    events: list[Any] = []

    def add(kind: Any, content: Any, seat: str, *, told: Mapping[str, Any] | None = None, **more: Any) -> Any:
        # The usual seat goes without saying.
        said = {**({} if seat in ("", "player") else {"seat": seat}), **(told or {})}
        named = {"id": f"{identity}-{len(messages)}", "metadata": said or None}
        messages.append(kind(content=content, **named, **more))
        return messages[-1]

    if manifest.spec.system_prompt:
        add(chat.ChatMessageSystem, manifest.spec.system_prompt, "")
    for turn in sample.turns:
        start = len(messages)
        if turn.instructions and turn.instructions != shown:
            shown = turn.instructions
            add(chat.ChatMessageSystem, api.text(run, shown), turn.seat)
        add(chat.ChatMessageUser, turn.observation, turn.seat)
        seen = messages[start:]
        for number, call in enumerate(turn.calls, 1):
            # The verdict is about the turn: it stands with the last of its replies.
            told = {"finish_reason": call.finish_reason, **(_verdict(turn) if number == len(turn.calls) else {})}
            content = _content(api, call)
            kind = chat.ChatMessageAssistant
            reply = add(kind, content, turn.seat, told=told, model=manifest.label, source="generate")
            events.append(_event(api, manifest, call, seen, reply, f"{identity}.{len(events)}", waited))
            waited += call.usage.seconds
        if not turn.calls and turn.action is not None:
            add(chat.ChatMessageAssistant, turn.action, turn.seat, told=_verdict(turn), model=manifest.label)
        if turn.after:
            add(chat.ChatMessageUser, turn.after, turn.seat)
    return messages, events


def _verdict(turn: Turn) -> dict[str, Any]:
    """What the world made of a turn."""
    return {"action": turn.action, "usable": turn.usable, **({"scores": turn.scores} if turn.scores else {})}


def _content(api: _Api, call: Call) -> Any:
    if not call.reasoning:
        return call.completion
    return [api.model.ContentReasoning(reasoning=call.reasoning), api.model.ContentText(text=call.completion)]


def _event(
    api: _Api, manifest: Manifest, call: Call, seen: Sequence[Any], reply: Any, identity: str, waited: float
) -> Any:
    # When a call was made is not stored, so all carry the date of the run, and in working_start their order.
    return api.event.ModelEvent(
        uuid=identity,
        timestamp=manifest.created,
        completed=manifest.created,
        working_start=waited,
        working_time=call.usage.seconds,
        model=manifest.label,
        input=list(seen),
        tools=[],
        tool_choice="none",
        config=api.model.GenerateConfig(seed=call.seed),
        metadata={"prompt_hash": call.prompt_hash},
        output=api.model.ModelOutput(
            model=manifest.label,
            choices=[
                api.model.ChatCompletionChoice(message=reply, stop_reason=_STOPS.get(call.finish_reason, "unknown"))
            ],
            usage=_usage(api, call.usage),
        ),
    )


def _output(api: _Api, manifest: Manifest, sample: Sample, messages: Sequence[Any]) -> Any:
    last = next(m for m in reversed(messages) if m.role == "assistant")
    finish = str((last.metadata or {}).get("finish_reason", ""))
    full = sample.outcome is Outcome.INVALID and sample.reason == "context_overflow"
    stop = "model_length" if full else _STOPS.get(finish, "unknown")
    choice = api.model.ChatCompletionChoice(message=last, stop_reason=stop)
    return api.model.ModelOutput(model=manifest.label, choices=[choice], usage=_usage(api, sample.usage))


def _usage(api: _Api, usage: Usage) -> Any:
    """Tokens as inspect-ai counts them: what was found in a cache stands apart from other input."""
    cost = usage.cost + usage.spared  # a replayed answer shows what it cost when it was given
    return api.model.ModelUsage(
        input_tokens=usage.prompt_tokens - usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        input_tokens_cache_read=usage.cached_tokens or None,
        reasoning_tokens=usage.reasoning_tokens or None,
        # The cost of a usage is newer than the oldest inspect-ai that is supported.
        **({"total_cost": cost} if cost and "total_cost" in api.model.ModelUsage.model_fields else {}),
    )


def _sum(api: _Api, usages: Iterable[Any]) -> Any:
    total = None
    for usage in usages:
        total = usage if total is None else total if usage is None else total + usage
    return total


def _error(api: _Api, sample: Sample) -> Any:
    if sample.outcome is not Outcome.ERROR:
        return None
    lines = sample.error.strip().splitlines()
    message = lines[-1] if lines else sample.reason or "error"
    return api.log.EvalError(message=message, traceback=sample.error, traceback_ansi=sample.error)


def _limit(api: _Api, manifest: Manifest, sample: Sample) -> Any:
    """The limit that ended a sample. Of a context the size is not stored; 0 stands for it."""
    kind = _LIMITS.get(sample.reason) if sample.outcome is Outcome.INVALID else None
    if kind is None:
        return None
    limits = manifest.spec.limits
    size = {"token": limits.tokens, "time": limits.seconds}.get(kind)
    return api.log.EvalSampleLimit(type=kind, limit=float(size or 0))
