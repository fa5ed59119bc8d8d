"""inspect-ai's logs, ``.eval`` and ``.json``, read through inspect-ai's own API (extra ``inspect``).

What becomes what:

* **Item**: a sample of the dataset. Its hash is over id, input, choices and target: agents' tasks share inputs and
  differ in files, so the content alone does not name an item. An epoch is a sample of it.
* **Arm**: ``default``, or the arguments that were passed to the task, such as ``level=2``.
* **Metrics**: every score that is a number, a truth value or one of inspect-ai's letters (C 1, P 0.5, I and N 0), under
  the scorer's name; a dictionary gives ``scorer.key`` for each key. Other texts and lists are left out with a note.
* **Primary metric**: the headline that the task declares, else the first score. inspect-ai does not tell which way is
  better: higher, unless the name is one of the few that are lower by common use.
* **Outcome** (validity, section 1): ``error`` where inspect-ai says so, where the grader or the scorer failed, where a
  person stopped or invalidated the sample, and where there is no score; ``refused`` for content filters and refusals;
  ``invalid`` for a context that overflowed, for limits on tokens, time, messages, turns and cost, and for replies that
  the scorer could not parse. A score that was given all the same stands, as it does in inspect-ai's own figures.
"""

from __future__ import annotations

import importlib
import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..canonical import content_hash
from ..errors import StoreError, UsageError
from ..records import Level, Metric
from ..results import COLUMNS, Cell, Results
from .columns import Row, column_name, describe, frame_of, known_direction
from .inspect_sample import ScoredSample, flatten, row_of

__all__ = ["EXPORT_FORMAT", "find_inspect_logs", "import_inspect", "read_inspect"]

EXPORT_FORMAT = "finchmark-inspect/1"
"""Marks logs that Finchmark wrote itself: ``metadata["finchmark"]`` then says what inspect-ai's format cannot."""

_NOT_READ = {"events", "events_data", "store", "attachments", "timelines", "error_retries"}


def import_inspect(module: str) -> Any:
    """Import a module of inspect-ai.

    Args:
        module: Its name below ``inspect_ai``, such as ``log``.

    Raises:
        UsageError: inspect-ai is not installed.
    """
    try:
        return importlib.import_module(f"inspect_ai.{module}")
    except ImportError as error:
        raise UsageError(
            f'Logs of inspect-ai are read and written through inspect-ai itself: pip install "finchmark[inspect]" '
            f"({error})."
        ) from error


def find_inspect_logs(path: Path) -> list[Path]:
    """The logs at ``path``: itself, or all below a folder; sorted. A ``.json`` file counts if it begins as a log."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix in (".eval", ".json") and p.is_file() and _is_log(p))
    return [path] if path.suffix in (".eval", ".json") and _is_log(path) else []


def _is_log(file: Path) -> bool:
    if file.suffix == ".eval":
        return True
    try:
        with file.open("rb") as handle:
            start = handle.read(400)
    except OSError:
        return False
    return re.match(rb'\s*\{\s*"version"\s*:.{0,200}"status"\s*:.{0,200}"eval"\s*:', start, re.DOTALL) is not None


def read_inspect(path: Path) -> Results:
    """Read logs of one model.

    Args:
        path: An ``.eval`` or ``.json`` log, or a folder. Of several logs of a task the newest is read.

    Raises:
        UsageError: inspect-ai is not installed; there are logs of several models or solvers, or no score is a number.
        StoreError: A log is damaged.
    """
    files = find_inspect_logs(path)
    if not files:
        raise UsageError(f"{path}: there is no log of inspect-ai here.")
    api = import_inspect("log")
    headers = [(file, _read(api, file, header_only=True)) for file in files]
    labels = {header.eval.model: file for file, header in headers}
    if len(labels) > 1:
        raise UsageError(
            f"{path}: there are logs of {len(labels)} models ({', '.join(sorted(labels))}). Give those of one, such as "
            f"{labels[min(labels)]}."
        )
    notes: list[str] = []
    cells: list[Cell] = []
    decodings: dict[str, None] = {}
    seeds: set[int] = set()
    by_key: dict[tuple[str, str, str], list[tuple[Path, Any]]] = {}
    for file, header in headers:
        key = (header.eval.task, str(header.eval.task_version), _arm(header.eval))
        by_key.setdefault(key, []).append((file, header))
    for key in sorted(by_key):
        logs = sorted(by_key[key], key=lambda log: (str(log[1].eval.created), str(log[0])), reverse=True)
        _refuse_solvers(path, key[0], logs)
        file, header = logs[0]
        if len(logs) > 1:
            notes.append(f"{key[0]}: {len(logs)} logs are there; the newest is read ({file.name}).")
        cell = _read_cell(_read(api, file), header, notes)
        if cell is not None:
            cells.append(cell)
            decodings[_decoding(header)] = None
            seeds.add(int((_own(header.eval) or {}).get("seed", 0)))
    if not cells:
        raise UsageError(f"{path}: no task has a score that is a number. " + " ".join(notes))
    return Results(
        label=next(iter(labels)),
        origin="inspect",
        path=path,
        decoding=" or ".join(decodings),
        cells=tuple(cells),
        notes=tuple(dict.fromkeys(notes)),
        seed=seeds.pop() if len(seeds) == 1 else 0,
    )


def _read(api: Any, file: Path, *, header_only: bool = False) -> Any:
    try:
        if header_only:
            return api.read_eval_log(str(file), header_only=True)
        return api.read_eval_log(str(file), exclude_fields=set(_NOT_READ))
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(f"{file}: inspect-ai cannot read this log ({reason}). Nothing was changed.") from error


def _arm(spec: Any) -> str:
    own = _own(spec)
    if own is not None:
        return str(own["arm"])
    passed = spec.task_args_passed or {}
    text = ",".join(f"{k}={v if isinstance(v, str) else json.dumps(v, default=str)}" for k, v in sorted(passed.items()))
    return text[:60] if len(text) <= 60 else f"{text[:50]}…{content_hash(text, digits=8)}"


def _own(spec: Any) -> Mapping[str, Any] | None:
    """What Finchmark itself wrote into a log that it exported, None for logs of others."""
    found = (spec.metadata or {}).get("finchmark")
    return found if isinstance(found, dict) and found.get("format") == EXPORT_FORMAT else None


def _refuse_solvers(path: Path, task: str, logs: Sequence[tuple[Path, Any]]) -> None:
    solvers = {}
    for file, header in logs:
        spec = header.eval
        solvers.setdefault(
            json.dumps([spec.solver, spec.solver_args], sort_keys=True, default=str), (spec.solver, file)
        )
    if len(solvers) > 1:
        named = ", ".join(f"{solver or 'its own'} in {file.name}" for solver, file in solvers.values())
        raise UsageError(f"{path}: {task} was run with {len(solvers)} solvers ({named}). Give the log of one.")


def _decoding(header: Any) -> str:
    own = _own(header.eval)
    if own is not None:
        return str(own["decoding"])
    if header.eval.model.startswith("mockllm/"):
        return "scripted"
    config, plan = header.eval.model_generate_config, header.plan.config
    temperature = config.temperature if config.temperature is not None else plan.temperature
    top_p = config.top_p if config.top_p is not None else plan.top_p
    if temperature is None:
        return "unknown"
    if temperature == 0:
        return "greedy"
    return f"sampled T={temperature:g}" + (f" top-p={top_p:g}" if top_p is not None and top_p != 1 else "")


def _read_cell(log: Any, header: Any, notes: list[str]) -> Cell | None:
    task = log.eval.task
    samples = [flatten(sample) for sample in log.samples or []]
    own = _own(log.eval)
    if own is not None:
        return _own_cell(log, own, samples)
    _note_status(log, notes)
    known = dict.fromkeys(c for s in samples for c in s.values)
    names = [c for c in known if any(s.values.get(c) is not None for s in samples)]
    left_out = [c for c in known if c not in names]
    if left_out:
        notes.append(f"{task}: left out, because they are no numbers: {', '.join(left_out)}.")
    if not names:
        return None
    metrics = _describe(header, names, samples)
    notes.append(_note_metrics(task, metrics))
    primary = next(m for m in metrics if m.primary)
    rows = [row_of(s, metrics, primary, log.eval.model) for s in samples]
    lost = sum(r.columns["outcome"] in ("invalid", "refused") and math.isnan(r.metrics[primary.name]) for r in rows)
    if lost:
        notes.append(
            f"{task}: {lost} samples failed by the model's doing and have no score; the worst value of {primary.name} "
            "is not known, so none was put in."
        )
    return Cell(
        task=task,
        version=str(log.eval.task_version),
        arm=_arm(log.eval) or "default",
        metrics=metrics,
        frame=frame_of(rows, [m.name for m in metrics]),
        expected=max(_expected(header), len(rows)),
        repeats=log.eval.config.epochs or 1,
    )


def _note_status(log: Any, notes: list[str]) -> None:
    if log.status != "success":
        said = f" ({log.error.message.splitlines()[0]})" if log.error is not None and log.error.message else ""
        notes.append(
            f"{log.eval.task}: the log's status is {log.status!r}{said}; {len(log.samples or [])} of {_expected(log)} "
            "samples are there, the others count as errors."
        )


def _note_metrics(task: str, metrics: Sequence[Metric]) -> str:
    primary = next(m for m in metrics if m.primary)
    return (
        f"{task}: {primary.name} decides. inspect-ai does not tell which way is better; taken: "
        + ", ".join(f"{m.name} {m.direction}" for m in metrics)
        + "."
    )


def _expected(log: Any) -> int:
    """How many samples were to be made: the ids chosen times the epochs."""
    epochs = log.eval.config.epochs or 1
    if log.eval.dataset.sample_ids is not None:
        return len(log.eval.dataset.sample_ids) * epochs
    if log.results is not None:
        return log.results.total_samples
    return (log.eval.dataset.samples or 0) * epochs


def _describe(header: Any, names: Sequence[str], samples: Sequence[ScoredSample]) -> tuple[Metric, ...]:
    headline = getattr(header.results, "headline", None) or getattr(header.eval, "headline_metric", None)
    scorer, score = getattr(headline, "scorer", None), getattr(headline, "score", None)
    wanted = [column_name(n) for n in (f"{scorer}.{score}", score, scorer) if n]
    primary = next((n for n in wanted if n in names), names[0])
    metrics = []
    for name in names:
        values = [v for s in samples if (v := s.values.get(name)) is not None and not s.sample.error]
        direction = "lower" if known_direction(name) == "lower" else "higher"
        summary = f"inspect-ai's score {name}"
        metrics.append(describe(name, values, summary=summary, direction=direction, primary=name == primary))
    return tuple(metrics)


def _own_cell(log: Any, own: Mapping[str, Any], samples: Sequence[ScoredSample]) -> Cell:
    """The cell that Finchmark exported, as it was."""
    try:
        metrics = tuple(Metric.model_validate(m) for m in own["metrics"])
        return Cell(
            task=log.eval.task,
            version=str(log.eval.task_version),
            arm=_arm(log.eval),
            metrics=metrics,
            frame=frame_of([_own_row(s) for s in samples], [m.name for m in metrics]),
            expected=int(own["expected"]),
            repeats=int(own["repeats"]),
            levels={name: Level.model_validate(level) for name, level in own["levels"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"{log.location}: Finchmark exported this log, and what it wrote in the metadata is gone or changed "
            f"({str(error).splitlines()[0]}). Export the run again."
        ) from error


def _own_row(scored: ScoredSample) -> Row:
    """A sample of a log that Finchmark exported, as it was."""
    told = scored.sample.metadata["finchmark"]
    values = {name: math.nan if value is None else float(value) for name, value in told["metrics"].items()}
    return Row({name: told["columns"][name] for name in COLUMNS}, values)
