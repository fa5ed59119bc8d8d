"""lm-eval's ``--log_samples``: read with the standard library, lm-eval need not be installed.

What becomes what:

* **Item**: a document, named by its ``doc_id``. Its hash is over ``doc_hash`` and ``target_hash``, so that a changed
  document or answer is another item; the prompt is left out, because templates differ from model to model, and
  ``Cell.prompts`` tells whether prompts were the same. A document that occurs twice in a task gets ``-2``, ``-3``, …
  behind its hash, in the order of ``doc_id``.
* **Arm**: ``default``, or ``5-shot`` where examples were shown: another prompt, never paired with this one.
* **Metrics**: every metric with one number a document, under its own name; with several filters ``metric,filter``, as
  lm-eval writes it. What is not a number (the parts of a perplexity, a Brier score's probabilities) is left out with a
  note. Where a metric is a list with a value for each of several replies, every reply is a sample; numbers of the whole
  document then stand in each of them.
* **Primary metric**: the first that the task lists, with the first filter, among those whose direction is known: the
  order is that of the task's author. Directions are lm-eval's ``higher_is_better``; without a ``results_*.json`` the
  common meaning of the name.
* **Outcome**: ``ok`` throughout, for lm-eval does not tell of others; documents that are missing are counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ..errors import StoreError, UsageError
from ..records import Level, Metric
from ..results import Cell, Results
from .columns import Row, column_name, describe, digest_of, frame_of
from .lm_eval_log import SampleLog, find_lm_eval_logs, read_summary

__all__ = ["find_lm_eval_logs", "read_lm_eval"]

_NOT_METRICS = frozenset(
    (
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "filter",
        "metrics",
        "doc_hash",
        "prompt_hash",
        "target_hash",
        "bypass",
    )
)


def read_lm_eval(path: Path) -> Results:
    """Read what lm-eval logged of one model.

    Args:
        path: A ``samples_*.jsonl``, a ``results_*.json``, or a folder. Of several logs of a task the newest is read.

    Raises:
        UsageError: There are results of several models, or no metric with a number a document.
        StoreError: A file is damaged; the message names the line.
    """
    files = find_lm_eval_logs(path)
    if not files:
        raise UsageError(f"{path}: there is no samples_*.jsonl here. lm-eval writes them with --log_samples.")
    summaries: dict[Path, dict[str, Any]] = {}
    logs = [SampleLog(file, read_summary(file, summaries)) for file in files]
    labels = {log.label: log.file.parent for log in logs}
    if len(labels) > 1:
        raise UsageError(
            f"{path}: there are results of {len(labels)} models ({', '.join(sorted(labels))}). Give the folder of one, "
            f"such as {labels[min(labels)]}."
        )
    notes: list[str] = []
    cells: list[Cell] = []
    decodings: dict[str, None] = {}
    for name in sorted({log.task for log in logs}):
        log, *older = sorted((g for g in logs if g.task == name), key=lambda g: (g.date, str(g.file)), reverse=True)
        if older:
            notes.append(f"{name}: {len(older) + 1} logs are there; the newest is read ({log.file.name}).")
        cell = _read_cell(log, notes)
        if cell is not None:
            cells.append(cell)
            decodings[log.decoding] = None
    if not cells:
        raise UsageError(f"{path}: no task has a metric with one number a document. " + " ".join(notes))
    if not all(log.summary for log in logs):
        notes.append(
            "There is no results_*.json beside the samples: versions, the numbers of examples and of samples asked for "
            "are not known, and directions are those that the metrics' names have in common use."
        )
    notes += sorted({note for log in logs for note in log.setting})
    return Results(next(iter(labels)), "lm-eval", path, " or ".join(decodings), tuple(cells), tuple(notes))


@dataclass
class _Document:
    """All that the lines of one document say.

    Attributes:
        base: Hash of its content.
        line: Where it first stands.
        prompt: Hash of the prompt.
        requests: How many requests it took: choices, or 1.
        calls: Replies to all of them.
        repeats: Replies to each, 0 where that differs.
        transcripts: Hash of all replies; with repeats then of each in turn.
        single_target: Whether one answer is right.
        values: By filter, the values of its metrics line by line: several lines are several samples.
    """

    base: str
    line: int
    prompt: str
    requests: int
    calls: int
    repeats: int
    transcripts: Sequence[str]
    single_target: bool
    values: dict[str, list[dict[str, list[float]]]] = field(default_factory=dict)

    @classmethod
    def read(cls, line: Mapping[str, Any], number: int, base: str, requests: int) -> _Document:
        """What the first line of a document says, its metrics aside."""
        told = line.get("resps")
        replies = [r if isinstance(r, list) else [r] for r in told] if isinstance(told, list) else []
        counts = {len(r) for r in replies}
        repeats = counts.pop() if len(counts) == 1 else 0
        each = [digest_of([json.dumps([r[k] for r in replies])]) for k in range(repeats)] if repeats > 1 else []
        return cls(
            base=base,
            line=number,
            prompt=str(line.get("prompt_hash", "")),
            requests=requests,
            calls=sum(map(len, replies)),
            repeats=repeats,
            transcripts=(digest_of([json.dumps(replies)]) if replies else "", *each),
            single_target=not str(line.get("target", "")).startswith("["),
        )


@dataclass
class _Columns:
    """The metrics of a file, each with its filter: in their order those with a number, and those with anything else."""

    filters: dict[str, None] = field(default_factory=dict)
    numbers: dict[tuple[str, str], None] = field(default_factory=dict)
    others: dict[tuple[str, str], None] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any], name: str, repeats: int) -> dict[str, list[float]]:
        """The values of a line: a list of one for each metric, or of one for each reply."""
        self.filters[name] = None
        listed = line.get("metrics")
        found: dict[str, list[float]] = {}
        for metric in listed if isinstance(listed, list) else list(line):
            if metric in _NOT_METRICS or line.get(metric) is None:
                continue
            values = _values(line[metric], repeats)
            if values is None:
                self.others[metric, name] = None
            else:
                self.numbers[metric, name] = None
                found[metric] = values
        return found

    def named(self) -> dict[tuple[str, str], str]:
        """The columns to make, by metric and filter."""
        kept = [key for key in self.numbers if key not in self.others]
        kept.sort(key=lambda key: list(self.filters).index(key[1]))
        several = len(self.filters) > 1
        return {(m, f): column_name(f"{m},{f}" if several else m) for m, f in kept}


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open("rb") as handle:
            for number, raw in enumerate(handle, 1):
                if not raw.strip():
                    continue
                try:
                    line = json.loads(raw)
                except (ValueError, RecursionError) as error:
                    raise StoreError(
                        f"{file}, line {number}: this is no JSON ({error}); the file is damaged or cut off. Nothing "
                        "was changed. Run the task again, or remove the line if you can do without it."
                    ) from error
                missing = [k for k in ("doc_id", "doc_hash") if not isinstance(line, dict) or k not in line]
                if missing:
                    raise StoreError(
                        f"{file}, line {number}: there is no {missing[0]!r}, so this is not what lm-eval (0.4.3 or "
                        "later) writes with --log_samples."
                    )
                yield number, line
    except OSError as error:
        raise StoreError(f"{file}: cannot be read ({error.strerror or error}).") from error


def _documents(log: SampleLog) -> tuple[dict[int, _Document], _Columns]:
    """The documents by ``doc_id``, and the metrics."""
    documents: dict[int, _Document] = {}
    columns = _Columns()
    decodings: dict[str, None] = {}
    for number, line in _lines(log.file):
        identity = line["doc_id"]
        if not isinstance(identity, int) or isinstance(identity, bool):
            raise StoreError(f"{log.file}, line {number}: doc_id is {identity!r}, not a whole number.")
        base = digest_of([str(line["doc_hash"]), str(line.get("target_hash", ""))])
        document = documents.get(identity)
        if document is None:
            requests, first = _requests(line.get("arguments"))
            decodings[_decoding(first)] = None
            document = documents[identity] = _Document.read(line, number, base, requests)
        elif document.base != base:
            raise StoreError(
                f"{log.file}, line {number}: document {identity} is another than on line {document.line} (its hash "
                "differs). Two runs were written into one file; separate them."
            )
        name = line.get("filter")
        if name is None and document.values:
            raise StoreError(
                f"{log.file}, line {number}: document {identity} occurs again, and without a 'filter' nobody can tell "
                "samples from filters. Write it again with lm-eval 0.4.5 or later."
            )
        name = "none" if name is None else str(name)
        document.values.setdefault(name, []).append(columns.take(line, name, document.repeats))
    if not documents:
        raise StoreError(f"{log.file}: there is no sample in it; the run that wrote it was stopped. Run it again.")
    log.decoding = " or ".join(sorted(decodings)) or "unknown"
    return documents, columns


def _requests(raw: Any) -> tuple[int, Any]:
    """How many requests a document took, and the arguments of the first.

    lm-eval writes ``{"gen_args_0": {"arg_0": …}}``, and formerly wrote lists of lists.
    """
    requests = list(raw.values()) if isinstance(raw, dict) else raw if isinstance(raw, list) else []
    first = requests[0] if requests else None
    return len(requests), list(first.values()) if isinstance(first, dict) else first


def _decoding(arguments: Any) -> str:
    """How the replies to a request were drawn. Likelihoods are not drawn at all.

    Without a temperature lm-eval's backends decode greedily, unless ``do_sample`` says otherwise.
    """
    options = arguments[1] if isinstance(arguments, list) and len(arguments) > 1 else None
    if not isinstance(options, dict):
        return "greedy"
    temperature, sample = options.get("temperature"), options.get("do_sample")
    if temperature is None:
        temperature = 1.0 if sample else 0.0
    if sample is False or temperature == 0:
        return "greedy"
    if not isinstance(temperature, int | float):
        return "unknown"
    nucleus = options.get("top_p")
    return f"sampled T={temperature:g}" + (f" top-p={nucleus:g}" if isinstance(nucleus, int | float) else "")


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, bool | int | float) else None


def _numbers(value: Any) -> list[float] | None:
    if not isinstance(value, list) or not value:
        return None
    found = [_number(v) for v in value]
    return None if None in found else [v for v in found if v is not None]


def _values(value: Any, repeats: int) -> list[float] | None:
    """A metric's values of one line: one, or one a reply; None where it is no number."""
    one = _number(value)
    if one is not None:
        return [one]
    many = _numbers(value) if repeats > 1 else None
    return many if many is not None and len(many) == repeats else None


def _samples(document: _Document, names: Mapping[tuple[str, str], str]) -> list[tuple[dict[str, float], str, int]]:
    """The samples of a document: metrics, hash of what the model wrote, and calls."""
    found: list[tuple[dict[str, float], str, int]] = []
    for index in range(max(map(len, document.values.values()))):
        line = {
            column: lines[index][metric]
            for (metric, name), column in names.items()
            if index < len(lines := document.values.get(name, [])) and metric in lines[index]
        }
        width = max(map(len, line.values()), default=1)
        for reply in range(width):
            values = {column: v[reply] if len(v) > 1 else v[0] for column, v in line.items()}
            if width > 1:
                found.append((values, document.transcripts[1 + reply], document.requests))
            else:
                found.append((values, document.transcripts[0], document.calls))
    return found


def _read_cell(log: SampleLog, notes: list[str]) -> Cell | None:
    documents, columns = _documents(log)
    names = columns.named()
    if columns.others:
        left_out = dict.fromkeys(metric for metric, _ in columns.others)
        notes.append(f"{log.task}: left out, because they are not one number a document: {', '.join(left_out)}.")
    if not names:
        return None

    seen: dict[str, int] = {}
    rows: list[Row] = []
    width = len(str(max(documents)))
    most = 1
    for identity in sorted(documents):
        document = documents[identity]
        copies = seen[document.base] = seen.get(document.base, 0) + 1
        samples = _samples(document, names)
        most = max(most, len(samples))
        item = {
            "item": f"{identity:0{width}}",
            "item_hash": document.base if copies == 1 else f"{document.base}-{copies}",
            "turns": 1,
        }
        for index, (values, transcript, calls) in enumerate(samples):
            rows.append(Row({**item, "sample": index, "calls": calls, "transcript": transcript}, values))
    doubled = sum(n - 1 for n in seen.values())
    if doubled:
        notes.append(f"{log.task}: {doubled} documents occur more than once; they are told apart by their order.")
    counts = log.of_task("n-samples")
    counts = counts if isinstance(counts, dict) else {}
    asked, original = counts.get("effective"), counts.get("original")
    if isinstance(asked, int) and isinstance(original, int) and asked < original:
        notes.append(f"{log.task}: {asked:,} of {original:,} documents were asked for (--limit or --samples).")
    metrics = _describe(log, names, rows)
    if len(metrics) > 1:
        notes.append(
            f"{log.task}: {next(m.name for m in metrics if m.primary)} decides, the first that the task lists."
        )
    return Cell(
        task=log.task,
        version=log.version,
        arm=log.arm,
        metrics=metrics,
        frame=frame_of(rows, [m.name for m in metrics]),
        expected=max((asked if isinstance(asked, int) else 0) * most, len(rows)),
        levels=_chance(log, documents, names),
        repeats=most,
        prompts=digest_of(
            text for d in sorted(documents.values(), key=lambda d: d.base) for text in (d.base, d.prompt)
        ),
    )


def _describe(log: SampleLog, names: Mapping[tuple[str, str], str], rows: Sequence[Row]) -> tuple[Metric, ...]:
    directed = [key for key in names if log.direction(key[0]) != "none"]
    primary = next(iter(directed), next(iter(names)))
    metrics = []
    for (metric, name), column in names.items():
        values = [row.metrics.get(column, math.nan) for row in rows]
        metrics.append(
            describe(
                column,
                values,
                summary=f"lm-eval's {metric}" + ("" if name == "none" else f", filter {name}"),
                direction=log.direction(metric),
                primary=(metric, name) == primary,
            )
        )
    return tuple(metrics)


def _chance(
    log: SampleLog, documents: Mapping[int, _Document], names: Mapping[tuple[str, str], str]
) -> Mapping[str, Level]:
    """The accuracy of guessing where the task is multiple choice with one right answer: the mean of 1/choices."""
    config = log.of_task("configs")
    if not isinstance(config, dict) or config.get("output_type") != "multiple_choice":
        return {}
    told = {metric for metric, _ in names}
    # With mutual information every choice is asked for twice.
    if "acc_mutual_info" in told or not all(d.single_target and d.requests > 1 for d in documents.values()):
        return {}
    level = Level(chance=fmean(1 / d.requests for d in documents.values()), ceiling=1.0, exact=True)
    return {column: level for (metric, _), column in names.items() if metric in ("acc", "acc_norm", "acc_bytes")}
